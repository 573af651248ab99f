"""The accessibility gate's measure on drawings of known size and colour: it finds what is wrong
and nothing else.
"""

import pytest
from hypothesis import given, strategies as st
from PIL import Image, ImageDraw, ImageFont

from kiosk.ui import fonts
from simulator.prove.kiosk_measure import Limits, contrast, marked, measure
from simulator.prove.kiosk_window import stops

PITCH_MM = 0.25
PAPER, CARD, INK, LIP = (230, 234, 233), (255, 255, 255), (18, 32, 46), (105, 120, 131)
COLOURS = st.tuples(*[st.integers(0, 255)] * 3)
FONT_PX = 48


def drawing(
    *,
    box=(100, 100, 300, 120),
    words="Cash",
    ink=INK,
    edge=LIP,
    language="en",
    says="1, 2.",
    **control,
):
    """One button on paper with its label in its middle; its description and its pixels."""
    picture = Image.new("RGB", (800, 600), PAPER)
    pen = ImageDraw.Draw(picture)
    x, y, width, height = box
    pen.rectangle((x, y, x + width - 1, y + height - 1), fill=edge)
    pen.rectangle((x + 3, y + 3, x + width - 4, y + height - 4), fill=CARD)
    face = ImageFont.truetype(fonts.load().bold, FONT_PX)
    baseline = y + height // 2 + 18
    pen.text((x + 20, baseline), words, font=face, fill=ink, anchor="ls")
    long = round(face.getlength(words))
    text = {
        "text": words,
        "rect": [x + 20, baseline - 56, long, 70],
        "font_px": FONT_PX,
        "baseline": baseline,
        "room_px": width - 40,
        "shortened": False,
    }
    button = {"id": "service.A", "label": words, "rect": list(box), "spoken": words, **control}
    screen = {
        "language": language,
        "size": [800, 600],
        "controls": [button],
        "texts": [text],
        "spoken": says,
    }
    return screen, picture


def faults(screen, picture, limits=None):
    return [f.words for f in measure(screen, picture, PITCH_MM, limits or Limits()).faults]


def test_a_good_button_has_no_fault_and_the_figures_of_its_drawing():
    screen, picture = drawing()
    found = measure(screen, picture, PITCH_MM, Limits())
    assert found.faults == []
    assert found.target_mm == 30.0
    assert found.capital_mm == pytest.approx(FONT_PX * 0.733 * PITCH_MM)
    assert found.text_contrast == pytest.approx(contrast(INK, CARD), abs=0.01)
    assert found.edge_contrast == pytest.approx(contrast(LIP, PAPER), abs=0.01)


def test_black_on_white_is_21_and_a_colour_on_itself_1():
    assert contrast((0, 0, 0), (255, 255, 255)) == pytest.approx(21)
    assert contrast((102, 51, 153), (102, 51, 153)) == 1
    # Two pairs of the design's own table, which was measured elsewhere.
    assert contrast(INK, PAPER) == pytest.approx(13.61, abs=0.01)
    assert contrast(LIP, CARD) == pytest.approx(4.55, abs=0.01)


@given(one=COLOURS, other=COLOURS)
def test_contrast_is_from_1_to_21_and_has_no_direction(one, other):
    assert 1 <= contrast(one, other) <= 21.0001
    assert contrast(one, other) == contrast(other, one)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"box": (100, 100, 300, 79)}, "service.A: 19.8 mm, at least 20"),
        ({"ink": (150, 158, 165)}, "'Cash': 2.72:1, at least 4.5"),
        ({"edge": (180, 190, 190)}, "service.A: edge 1.57:1, at least 3"),
        ({"ink": CARD}, "'Cash': nothing is drawn there"),
        ({"words": "现金业务"}, "'现金业务' is not in en"),
        ({"language": "zh_CN"}, "'Cash' is not in zh_CN"),
        ({"words": "home.title"}, "'home.title' is a key, not a text"),
        ({"spoken": ""}, "service.A has no label or nothing to read aloud: ''"),
        ({"spoken": "{n} ahead"}, "nothing to read aloud: '{n} ahead'"),
        ({"says": ""}, "it says nothing of itself: ''"),
        ({"says": "1.\n2."}, "it says nothing of itself: '1.\\n2.'"),
        ({"says": "现金业务"}, "'现金业务' is not in en"),
        ({"box": (640, 100, 300, 120)}, "service.A leaves the window"),
        ({"box": (100, 100, 110, 120)}, "'Cash' crosses the edge of service.A"),
    ],
)
def test_what_is_wrong_is_named(changes, words):
    assert any(words in fault for fault in faults(*drawing(**changes)))


def test_the_language_switch_may_be_in_the_other_language():
    assert faults(*drawing(words="中文", id="language")) == []


def test_a_text_that_is_covered_or_shortened_is_found():
    screen, picture = drawing()
    ImageDraw.Draw(picture).rectangle((170, 110, 390, 210), fill=CARD)
    assert any("not all of it" in fault for fault in faults(screen, picture))
    screen, picture = drawing()
    screen["texts"][0]["shortened"] = True
    assert any("not enough room" in fault for fault in faults(screen, picture))


def test_small_letters_are_found():
    screen, picture = drawing()
    limits = Limits(capital_mm=10.0)
    assert "'Cash': 8.8 mm, at least 10" in faults(screen, picture, limits)


def test_letters_that_are_drawn_smaller_than_the_description_says_are_found():
    assert faults(*drawing(words="A042")) == []
    screen, picture = drawing(words="A042")
    screen["texts"][0]["font_px"] = 60
    assert any("'A042': 9.2 mm high, said 11.0" in fault for fault in faults(screen, picture))


def test_two_buttons_too_near_on_each_other_or_out_of_order():
    screen, picture = drawing()
    one = screen["controls"][0]
    for rect, words in [
        ([100, 225, 300, 120], "nearer than 2.5 mm"),
        ([100, 200, 300, 120], "service.A lies on other"),
        ([100, 0, 300, 80], "other comes after service.A"),
    ]:
        other = {**one, "id": "other", "rect": rect}
        both = {**screen, "controls": [one, other]}
        assert any(words in fault for fault in faults(both, picture)), words


def test_low_controls_and_the_way_to_a_person():
    screen, picture = drawing()
    assert "service.A is above the middle" in faults(screen, picture, Limits(lower_half=True))
    assert "no way to a person" in faults(screen, picture, Limits(person=True))
    assert "no way to call for help" in faults(screen, picture, Limits(help=True))
    screen, picture = drawing(box=(100, 310, 300, 120), id="help")
    assert faults(screen, picture, Limits(help=True)) == []
    screen, picture = drawing(box=(100, 310, 300, 120), id="service.P")
    assert faults(screen, picture, Limits(lower_half=True, person=True)) == []


def test_the_ring_is_measured_at_both_ends_and_between_at_another_control_each_time():
    def at(count: int, turn: int) -> list[int]:
        return [c["at"] for c in stops([{"at": n} for n in range(count)], turn)]

    assert [at(count, 0) for count in range(4)] == [[], [0], [0, 1], [0, 1, 2]]
    assert [at(5, turn) for turn in range(4)] == [[0, 1, 4], [0, 2, 4], [0, 3, 4], [0, 1, 4]]


def test_the_marked_picture_shows_where_and_says_what():
    screen, picture = drawing(spoken="")
    found = measure(screen, picture, PITCH_MM, Limits())
    sheet = marked(picture, found.faults)
    assert sheet.size == (800, 600 + 2 * 30)
    assert sheet.getpixel((97, 160)) == (255, 0, 0)
    assert sheet.crop((0, 600, 800, 660)).getcolors(1) is None, "the words stand below"


def test_a_text_outside_the_window_or_on_another_is_found():
    screen, picture = drawing()
    text = screen["texts"][0]
    apart = {**text, "text": "far", "rect": [500, *text["rect"][1:]]}
    screen["texts"] += [{**text, "text": "Card"}, apart]
    assert any("'Cash' lies on 'Card'" in fault for fault in faults(screen, picture))
    screen["texts"] = [{**text, "rect": [760, *text["rect"][1:]]}]
    assert any("'Cash' leaves the window" in fault for fault in faults(screen, picture))


def test_a_button_that_fills_the_window_has_no_ground_to_be_told_from():
    screen, picture = drawing(box=(0, 0, 800, 600))
    found = measure(screen, picture, PITCH_MM, Limits())
    assert (found.edge_contrast, found.faults) == (None, [])
