"""Touches through the window's own dispatch: one accepted release is one call, never two."""

from dataclasses import replace

import pytest

from kiosk.view import Modes, Printing, Wait
from simulator.prove import kiosk_screens as views
from tests.ui.kiosk_process import KioskProcess, middle

pytestmark = pytest.mark.window
SHEETS, CODES = views.sheets("en"), views.codes("en", Modes())


@pytest.fixture(scope="module", params=["large", "small"])
def process(request, display, tmp_path_factory):
    size, pitch_mm = views.SIZES[request.param]
    process = KioskProcess(display, size, pitch_mm, tmp_path_factory.mktemp("touch"))
    yield process
    assert process.close() == 0


@pytest.fixture
def kiosk(process):
    process.rested()
    return process


def _control(screen, name):
    (found,) = [control for control in screen["controls"] if control["id"] == name]
    return found


def _accepted(kiosk) -> list[str]:
    """What was reported, after everything that was sent has been dispatched."""
    kiosk.order(advance_s=0)
    return [control for control, _ in kiosk.accepted]


@pytest.mark.parametrize(
    "view",
    [
        views.home("zh_CN"),
        views.home_offline("en"),
        views.ticket("en"),
        views.no_slip("zh_CN"),
        views.no_slip("en", again=True),
        views.out_of_service("en"),
    ],
    ids=lambda view: f"{view.screen.value}-{view.language}",
)
def test_a_tap_in_the_middle_of_each_control_acts_once(kiosk, view):
    screen = kiosk.show(view)
    for control in screen["controls"]:
        kiosk.rested()
        answer = kiosk.tap(control)
        assert answer["control"] == control["id"]
        assert _accepted(kiosk) == [control["id"]]
        assert kiosk.accepted[0][1] == answer["touch_id"]


def test_the_corners_of_a_tile_belong_to_it(kiosk):
    tile = _control(kiosk.show(views.home("en")), "service.A")
    x, y, width, height = tile["rect"]
    for at in ((x + 2, y + 2), (x + width - 3, y + height - 3)):
        kiosk.rested()
        assert kiosk.ask(op="tap", x=at[0], y=at[1])["control"] == "service.A"
    kiosk.rested()
    assert kiosk.ask(op="tap", x=x - 4, y=y + 5)["control"] is None


def test_a_double_tap_is_one_touch_and_a_later_one_is_another(kiosk):
    tile = _control(kiosk.show(views.home("zh_CN")), "service.B")
    first = kiosk.tap(tile)
    kiosk.order(advance_s=0.39)
    assert kiosk.tap(tile)["control"] is None
    assert _accepted(kiosk) == ["service.B"]
    kiosk.order(advance_s=0.02)
    second = kiosk.tap(tile)
    assert _accepted(kiosk) == ["service.B", "service.B"]
    assert first["touch_id"] != second["touch_id"]


def test_the_second_copy_of_a_touch_that_a_panel_delivers_is_swallowed(kiosk):
    x, y = middle(_control(kiosk.show(views.home("zh_CN")), "service.C")["rect"])
    kiosk.send(op="tap", x=x, y=y)
    with kiosk.another_bench() as other:
        copy = other.ask(op="tap", x=x, y=y)
    original = kiosk.answer()
    assert _accepted(kiosk) == ["service.C"]
    assert [original["control"], copy["control"]].count("service.C") == 1


def test_a_tap_just_after_another_control_is_swallowed_too(kiosk):
    screen = kiosk.show(views.home("zh_CN"))
    kiosk.tap(_control(screen, "service.A"))
    kiosk.order(advance_s=0.2)
    assert kiosk.tap(_control(screen, "service.D"))["control"] is None
    assert _accepted(kiosk) == ["service.A"]


def test_sliding_off_the_target_does_nothing_and_frees_it(kiosk):
    screen = kiosk.show(views.home("en"))
    one, other = _control(screen, "service.A"), _control(screen, "service.D")
    (x, y), (to_x, to_y) = middle(one["rect"]), middle(other["rect"])
    assert kiosk.ask(op="slide", x=x, y=y, to_x=to_x, to_y=to_y)["control"] is None
    assert _accepted(kiosk) == []
    assert kiosk.tap(one)["control"] == "service.A"


def test_sliding_within_the_target_acts(kiosk):
    x, y, width, height = _control(kiosk.show(views.home("en")), "service.A")["rect"]
    end = {"to_x": x + width - 9, "to_y": y + height - 9}
    assert kiosk.ask(op="slide", x=x + 9, y=y + 9, **end)["control"] == "service.A"


def test_a_release_after_the_screen_has_changed_does_nothing(kiosk):
    screen = kiosk.show(views.home("en"))
    # This point lies on a control of both screens.
    person, done = _control(screen, "service.P"), views.ticket("en")
    x, y, width, height = person["rect"]
    up = kiosk.picture().getpixel((x + width // 2, y + 3))
    with kiosk.another_bench() as other:
        other.send(op="tap", x=x + 60, y=y + height - 20, hold_ms=1000)
        kiosk.picture_when(lambda image: image.getpixel((x + width // 2, y + 3)) != up)
        kiosk.order(**kiosk.viewed(done))
        assert other.answer()["control"] is None
    assert _accepted(kiosk) == []


def test_a_service_without_numbers_takes_no_touch_and_says_why(kiosk):
    screen = kiosk.show(views.gallery("en")["home-odd"])
    closed = _control(screen, "service.C")
    assert not closed["enabled"]
    assert closed["spoken"] == "Business, Full today."
    assert "Full today" in [text["text"] for text in screen["texts"]]
    assert kiosk.tap(closed)["control"] is None
    kiosk.show(views.home("en"))
    assert kiosk.tap(closed)["control"] == "service.C"


def test_the_language_switch_changes_words_and_moves_nothing(kiosk):
    chinese, english = (kiosk.show(views.home(language)) for language in ("zh_CN", "en"))
    assert _control(chinese, "language")["label"] == "English"
    assert _control(english, "language")["label"] == "中文"
    for one, other in zip(chinese["controls"], english["controls"], strict=True):
        assert (one["id"], one["rect"]) == (other["id"], other["rect"])
        assert one["label"] != other["label"]
    assert _control(english, "service.A")["spoken"] == "Cash, 6 ahead, about 15 to 25 minutes."
    assert _control(chinese, "service.A")["spoken"] == "现金业务，前面 6 人，大约 15 到 25 分钟。"


def test_a_revision_rises_with_what_is_laid_out_and_only_with_that(kiosk):
    home = kiosk.show(views.home("en"))
    # How long a person takes is not shown on the first screen.
    busy = replace(views.PERSON, wait=Wait(3, 10, 15))
    other = kiosk.show(views.home("en", tiles=(*views.TILES, busy)))
    assert other["revision"] == home["revision"]
    first = kiosk.show(views.ticket("en", Printing.RUNNING))
    again = kiosk.show(views.ticket("en", Printing.RUNNING))
    assert again["revision"] == first["revision"]
    done = kiosk.show(views.ticket("en", Printing.DONE))
    assert done["revision"] == first["revision"] + 1
    # The chevrons move meanwhile: pixels, but nothing that is described.
    assert kiosk.screen_after(done["revision"], timeout_s=0.6)["revision"] == done["revision"]


def test_a_control_is_down_while_it_is_touched_and_up_again_after(kiosk):
    screen = kiosk.show(views.ticket("en", Printing.RUNNING))
    x, y, width, _ = _control(screen, "done")["rect"]
    face = (x + width // 2, y + 3)
    up = kiosk.picture().getpixel(face)
    with kiosk.another_bench() as other:
        other.send(op="tap", x=x + 40, y=y + 40, hold_ms=200)
        down = kiosk.picture_when(lambda image: image.getpixel(face) != up)
        other.answer()
    assert up == (11, 90, 74)  # action
    assert down.getpixel(face) == (230, 234, 233)  # paper: the face went down 8 px
    assert down.getpixel((x + width // 2, y + 14)) == (5, 52, 42)  # action-lip
    kiosk.picture_when(lambda image: image.getpixel(face) == up)


def test_a_touch_beside_every_control_clears_the_ticket_screen_only(kiosk):
    plate = {"x": 20, "y": 120}
    kiosk.show(views.ticket("en"))
    assert kiosk.ask(op="tap", **plate)["control"] == "anywhere"
    assert _accepted(kiosk) == ["anywhere"]
    for view in (views.no_slip("en"), views.out_of_service("en")):
        kiosk.show(view)
        kiosk.rested()
        assert kiosk.ask(op="tap", **plate)["control"] is None
        assert _accepted(kiosk) == []


def test_print_again_is_there_only_while_it_can_be_and_moves_nothing(kiosk):
    without = kiosk.show(views.no_slip("en"))
    screen = kiosk.show(views.no_slip("en", again=True))
    again = _control(screen, "reprint")
    for control in without["controls"]:
        assert _control(screen, control["id"])["rect"] == control["rect"]
    x, y = middle(again["rect"])
    edge = x, again["rect"][1] + 5
    up = kiosk.picture().getpixel(edge)
    with kiosk.another_bench() as other:
        other.send(op="tap", x=x, y=y, hold_ms=1000)
        kiosk.picture_when(lambda image: image.getpixel(edge) != up)
        kiosk.order(**kiosk.viewed(views.no_slip("en")))
        assert other.answer()["control"] is None
    assert kiosk.tap(again)["control"] is None
    assert _accepted(kiosk) == [], "it went while the finger was on it"
    kiosk.show(views.no_slip("en", again=True))
    kiosk.rested()
    assert kiosk.tap(again)["control"] == "reprint"
    assert _accepted(kiosk) == ["reprint"]


def test_the_release_of_the_touch_that_issued_does_not_clear_the_ticket(kiosk):
    screen = kiosk.show(views.home("en"))
    tile = middle(_control(screen, "service.A")["rect"])
    assert kiosk.ask(op="tap", x=tile[0], y=tile[1])["control"] == "service.A"
    kiosk.show(views.ticket("en"), looked_at=False)
    assert kiosk.ask(op="tap", x=tile[0], y=tile[1])["control"] is None
    assert _accepted(kiosk) == ["service.A"]


def test_a_touch_on_the_public_words_begins_when_it_goes_down_and_presses_nothing(kiosk):
    tile = _control(kiosk.show(views.home("en")), "service.A")
    kiosk.show(views.attract("en", views.FRAUD, views.FRAUD_LINES))
    kiosk.rested()
    assert kiosk.tap(tile)["control"] == "anywhere"  # where a tile will be
    assert _accepted(kiosk) == ["anywhere"]
    kiosk.show(views.home("en"), looked_at=False)
    assert kiosk.tap(tile)["control"] is None  # the second half of a double touch
    assert _accepted(kiosk) == ["anywhere"]


@pytest.mark.parametrize(
    ("before", "after", "control"),
    [
        (views.home("en"), SHEETS["reason"], "skip"),
        (views.home("en"), views.idle("en", 20), "finish"),
        (views.idle("en", 1), views.home("en"), "service.A"),
        (views.ticket("en"), views.home("en"), "service.P"),
        (views.ticket("en", Printing.RUNNING), views.no_slip("en"), "acknowledge"),
        (CODES["code-asking"], CODES["code-breached"], "later"),
    ],
    ids=lambda value: "" if isinstance(value, str) else value.screen.value,
)
def test_a_finger_on_its_way_when_a_screen_comes_by_itself_presses_nothing(
    kiosk, before, after, control
):
    kiosk.show(before)
    kiosk.rested()
    target = _control(kiosk.show(after, looked_at=False), control)
    assert kiosk.tap(target)["control"] is None
    kiosk.order(advance_s=0.49)
    assert kiosk.tap(target)["control"] is None
    assert _accepted(kiosk) == []
    kiosk.order(advance_s=0.02)
    assert kiosk.tap(target)["control"] == control


def test_a_finger_that_came_down_too_soon_presses_nothing_however_long_it_stays(kiosk):
    kiosk.show(views.ticket("en"))
    target = _control(kiosk.show(views.home("en"), looked_at=False), "service.A")
    x, y = middle(target["rect"])
    with kiosk.another_bench() as other:
        other.send(op="tap", x=x, y=y, hold_ms=700)
        frame = kiosk.ask(op="frames")["drawn"]
        while kiosk.ask(op="frames")["drawn"] <= frame:
            kiosk.picture()
        kiosk.order(advance_s=1)
        assert other.answer()["control"] is None
    assert _accepted(kiosk) == []


def test_the_screen_that_answers_a_touch_takes_the_next_one_after_400_ms(kiosk):
    home = kiosk.show(views.home("en"))
    ticket = kiosk.show(views.ticket("en"))
    kiosk.show(views.home("en"))
    kiosk.rested()
    kiosk.order(**kiosk.viewed(views.ticket("en")), on_touch=True)
    assert kiosk.tap(_control(home, "service.A"))["control"] == "service.A"
    kiosk.order(advance_s=0.41)
    assert kiosk.tap(_control(ticket, "done"))["control"] == "done"
