"""The real window in modes: switches act, the warning covers what is behind it, colours turn."""

from dataclasses import replace

import pytest

from kiosk.view import Modes
from simulator.prove import kiosk_screens as views
from tests.ui.kiosk_process import KioskProcess, middle

pytestmark = pytest.mark.window

CONTRAST = Modes(contrast=True)
MODES = ("access.simple", "access.low", "access.contrast", "access.left")


@pytest.fixture(scope="module", params=["large", "small"])
def kiosk(request, display, tmp_path_factory):
    size, pitch_mm = views.SIZES[request.param]
    process = KioskProcess(display, size, pitch_mm, tmp_path_factory.mktemp("modes"))
    yield process
    assert process.close() == 0


def _by_id(screen):
    return {control["id"]: control for control in screen["controls"]}


def test_a_switch_says_what_it_is_and_is_reported_when_touched(kiosk):
    kiosk.rested()
    screen = kiosk.show(views.access("en", Modes(low=True)))
    switches = _by_id(screen)
    assert switches["access.low"]["spoken"].endswith(", On")
    assert switches["access.contrast"]["spoken"].endswith(", Off")
    for name in (*MODES, "person", "access.go"):
        kiosk.rested()
        assert kiosk.tap(switches[name])["control"] == name


def test_nothing_behind_the_warning_reacts_and_one_touch_stays(kiosk):
    home = kiosk.show(views.home("zh_CN"))
    behind = _by_id(home)
    screen = kiosk.show(views.idle("zh_CN", 20))
    assert (screen["screen"], set(_by_id(screen))) == ("idle", {"stay", "finish"})
    covered = [c["rect"] for c in screen["controls"]]
    for name, control in behind.items():
        x, y = middle(control["rect"])
        if any(r[0] <= x < r[0] + r[2] and r[1] <= y < r[1] + r[3] for r in covered):
            continue
        kiosk.rested()
        assert kiosk.ask(op="tap", x=x, y=y)["control"] is None, name
    kiosk.rested()
    assert kiosk.tap(_by_id(screen)["stay"])["control"] == "stay"
    assert set(_by_id(kiosk.show(views.home("zh_CN")))) == set(behind)
    kiosk.rested()
    assert kiosk.tap(behind["service.A"])["control"] == "service.A"


def test_a_touch_that_is_down_when_the_warning_comes_does_not_act(kiosk):
    screen = kiosk.show(views.home("en"))
    kiosk.rested()
    x, y, width, height = _by_id(screen)["service.P"]["rect"]
    face = (x + width // 2, y + 3)
    up = kiosk.picture().getpixel(face)
    with kiosk.another_bench() as finger:
        finger.send(op="tap", x=x + 60, y=y + height - 20, hold_ms=2500)
        kiosk.picture_when(lambda image: image.getpixel(face) != up)
        kiosk.order(**kiosk.viewed(views.idle("en", 20)))
        assert finger.answer()["control"] is None


def test_a_touch_on_the_warning_outlasts_its_seconds(kiosk):
    screen = kiosk.show(views.idle("en", 20))
    kiosk.rested()
    x, y, width, height = _by_id(screen)["stay"]["rect"]
    face = (x + width // 2, y + 3)
    up = kiosk.picture().getpixel(face)
    with kiosk.another_bench() as finger:
        finger.send(op="tap", x=x + 40, y=y + height // 2, hold_ms=2500)
        kiosk.picture_when(lambda image: image.getpixel(face) != up)
        kiosk.order(**kiosk.viewed(views.idle("en", 19)))
        assert finger.answer()["control"] == "stay"


def test_white_on_black_and_back(kiosk):
    corner = (kiosk.size[0] - 4, kiosk.size[1] - 4)
    for modes, ground in (
        (Modes(), (230, 234, 233)),
        (CONTRAST, (0, 0, 0)),
        (Modes(), (230, 234, 233)),
    ):
        kiosk.show(views.home("en", modes=modes))
        assert kiosk.picture().getpixel(corner) == ground


def test_the_counter_and_the_machine_are_the_same_size_and_both_are_reported(kiosk):
    screen = kiosk.show(views.triage("zh_CN"))
    controls = _by_id(screen)
    assert controls["counter"]["rect"][2:] == controls["machine"]["rect"][2:]
    for name in ("counter", "machine", "back", "person"):
        kiosk.rested()
        assert kiosk.tap(controls[name])["control"] == name
    closed = replace(views.TILES[1], closed="closed.closing")
    screen = kiosk.show(replace(views.triage("zh_CN"), service=closed))
    kiosk.rested()
    assert kiosk.tap(_by_id(screen)["counter"])["control"] is None
    assert "今天办不完了" in _by_id(screen)["counter"]["spoken"]


def test_the_left_hand_has_the_right_hand_s_rows_the_other_way_round(kiosk):
    """A list to read, what spans the width, and the arrows to the slip stay where they are."""
    wide, _ = kiosk.size
    for name in ("triage", "code", "ticket", "access"):
        right, left = (
            kiosk.show(views.in_modes("en", modes)[name]) for modes in (Modes(), Modes(left=True))
        )
        here, there = _by_id(right), _by_id(left)
        assert here.keys() == there.keys()
        moved = {c for c in here if here[c]["rect"][0] != there[c]["rect"][0]}
        assert (
            moved
            == {
                "triage": {"back", "person"},
                "code": {"back", "person"},
                "ticket": {"done", "no_slip"} if wide > kiosk.size[1] else set(),
                "access": {"person", "feedback", "access.go"} if wide > kiosk.size[1] else set(),
            }[name]
        )
        for control in moved:
            assert here[control]["rect"][1:] == there[control]["rect"][1:]
        lowest = left["controls"][-1]["rect"][1]
        row = [c["rect"][0] for c in left["controls"] if c["rect"][1] == lowest]
        assert row == sorted(row), "keys go from left to right for either hand"
    assert _by_id(left)["access.left"]["spoken"] == "Hand, Left"
    for name in ("triage", "code"):
        controls = _by_id(kiosk.show(views.in_modes("en", Modes(left=True))[name]))
        assert controls["person"]["rect"][0] < controls["back"]["rect"][0]
