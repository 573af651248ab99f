"""The window's pure parts: sizes, touches, wordings, fonts, icons."""

import re
from itertools import pairwise

import pytest
from hypothesis import given, strategies as st

from kiosk.catalogue import Catalogue
from kiosk.ui import FontError, WindowError, fonts
from kiosk.ui.icon_shapes import GRID, ICONS, Arc, Dot, Sector, Strokes
from kiosk.ui.tokens import CAPITAL_EM, Metrics, step_down
from kiosk.ui.touch import TouchGuard
from kiosk.ui.waits import NOBODY, wait_words
from kiosk.view import Wait
from simulator.prove import kiosk_screens as views

CATALOGUE = Catalogue.load()


def test_the_smallest_font_and_target_follow_from_millimetres():
    large, small = (Metrics(*views.SIZES[name]) for name in ("large", "small"))
    assert (large.least_font_px, small.least_font_px) == (41, 59)
    assert (large.least_target_px, small.least_target_px) == (81, 118)


@given(
    width=st.integers(200, 4000),
    height=st.integers(200, 4000),
    pitch_mm=st.floats(0.05, 1.0),
    px=st.floats(1, 400),
)
def test_a_font_is_never_below_the_legal_size(width, height, pitch_mm, px):
    metrics = Metrics((width, height), pitch_mm)
    assert metrics.font_px(px) * CAPITAL_EM * pitch_mm >= 7.3 - 1e-9


@given(fitting_px=st.integers(1, 400), least_px=st.integers(1, 120))
def test_a_text_is_set_in_whole_steps_and_not_below_a_least_size_that_fits(fitting_px, least_px):
    px = step_down(fitting_px, least_px)
    assert fitting_px - 4 < px <= fitting_px
    assert px % 4 == 0 or px == least_px
    assert px >= least_px or fitting_px < least_px


@given(width=st.integers(200, 4000), height=st.integers(200, 4000))
def test_the_page_fits_into_a_window_of_any_shape(width, height):
    metrics = Metrics((width, height), 0.2)
    x, y, wide, high = metrics.rect(0, 0, *metrics.reference)
    assert 0 <= x <= x + wide <= width
    assert 0 <= y <= y + high <= height
    assert wide >= width - 1 or high >= height - 1


@pytest.mark.parametrize("size", [(0, 800), (1280, -1)])
def test_an_impossible_size_is_refused(size):
    with pytest.raises(WindowError, match="window size"):
        Metrics(size, 0.2)


@pytest.mark.parametrize("pitch_mm", [0, -1, float("inf"), float("nan")])
def test_an_impossible_pitch_is_refused(pitch_mm):
    with pytest.raises(WindowError, match="pixel pitch"):
        Metrics((1080, 1920), pitch_mm)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_accepted_touches_are_400_ms_apart_and_have_names_of_their_own(gaps_s):
    guard, now_s, accepted = TouchGuard(), 0.0, []
    for gap_s in gaps_s:
        now_s += gap_s
        if guard.admit(now_s):
            name = guard.accept(now_s)
            assert name is not None
            accepted.append((now_s, name))
    times = [time for time, _ in accepted]
    assert all(later - one >= 0.4 for one, later in pairwise(times))
    assert len({name for _, name in accepted}) == len(accepted) == guard.accepted
    assert guard.accepted + guard.swallowed == len(gaps_s)


def test_a_touch_that_begins_within_500_ms_of_a_screen_nobody_asked_for_is_swallowed():
    guard = TouchGuard()
    guard.rest(10.0)
    assert not guard.admit(10.0)
    assert not guard.admit(10.499)
    assert guard.swallowed == 2
    assert guard.admit(10.5)
    assert guard.accept(10.6, began_s=10.5) is not None


@pytest.mark.parametrize("began_s", [9.9, 10.0, 10.4])
def test_a_touch_that_began_before_the_rest_ended_counts_at_no_time(began_s):
    guard = TouchGuard()
    assert guard.admit(9.9)
    guard.rest(10.0)
    assert guard.accept(13.0, began_s) is None
    assert (guard.accepted, guard.swallowed) == (0, 1)


def test_a_rest_begins_anew_with_the_next_such_screen_and_holds_no_key():
    guard = TouchGuard()
    guard.rest(10.0)
    guard.rest(10.4)
    assert not guard.admit(10.6)
    assert guard.admit(10.9)
    guard.rest(11.0)
    assert guard.accept(11.1) is not None


def test_touches_of_two_runs_have_different_names():
    assert TouchGuard().accept(0) != TouchGuard().accept(0)


@pytest.mark.parametrize(
    ("wait", "ahead", "line", "span"),
    [
        (Wait(6, 15, 25), ("前面 ", "6", " 人"), "约 15–25 分钟", "15–25 分钟"),
        (Wait(6, 5, 5), ("前面 ", "6", " 人"), "约 5 分钟", "5 分钟"),
        (Wait(6), ("前面 ", "6", " 人"), "", ""),
        (Wait(0, 0, 0), NOBODY, "现在不用等", "现在不用等"),
        # A group of services: how long at least and at most, and nobody in particular ahead.
        (Wait(None, 15, 25), NOBODY, "约 15–25 分钟", "15–25 分钟"),
        (Wait(None, 5, 5), NOBODY, "约 5 分钟", "5 分钟"),
        (Wait(None, 0, 0), NOBODY, "现在不用等", "现在不用等"),
        (Wait(None, 15), NOBODY, "前面人数未知", ""),
        (Wait(None, None, 25), NOBODY, "前面人数未知", ""),
        (Wait(), NOBODY, "前面人数未知", ""),
    ],
)
def test_a_wait_in_words(wait, ahead, line, span):
    words = wait_words(CATALOGUE, "zh_CN", wait, large=True)
    assert (words.ahead, words.line, words.span) == (ahead, line, span)
    assert words.is_unknown == (line == "前面人数未知")


@given(
    ahead=st.none() | st.integers(0, 200),
    low=st.none() | st.integers(0, 200),
    high=st.none() | st.integers(0, 200),
    language=st.sampled_from(["zh_CN", "en"]),
    large=st.booleans(),
)
def test_what_is_unknown_is_never_shown_as_a_figure(ahead, low, high, language, large):
    words = wait_words(CATALOGUE, language, Wait(ahead, low, high), large=large)
    everything = " ".join([*words.ahead, words.line, words.span, words.spoken])
    assert "None" not in everything
    assert "{" not in everything
    assert "\n" not in words.spoken
    known = {ahead, low, high} if low is not None and high is not None else {ahead}
    assert {int(figure) for figure in re.findall(r"\d+", everything)} <= known
    if ahead is None:
        assert words.ahead == NOBODY
    if low is None or high is None:
        assert words.span == ""


def test_a_missing_collection_names_the_package(tmp_path):
    with pytest.raises(FontError, match=r"NotoSansCJK-Regular\.ttc .*fonts-noto-cjk"):
        fonts.load(folders=(tmp_path,), cache=tmp_path / "cache")


def test_a_broken_collection_is_named_and_leaves_nothing_behind(tmp_path):
    (tmp_path / "NotoSansCJK-Regular.ttc").write_bytes(b"not a font")
    with pytest.raises(FontError, match=r"NotoSansCJK-Regular\.ttc: "):
        fonts.load(folders=(tmp_path,), cache=tmp_path / "cache")
    assert not list(tmp_path.glob("cache/*"))


@pytest.fixture(scope="module")
def faces_cache(tmp_path_factory):
    return tmp_path_factory.mktemp("faces")


def test_the_chinese_face_is_taken_once_and_has_every_character(tmp_path, faces_cache):
    from fontTools.ttLib import TTFont

    faces = fonts.load(cache=faces_cache)
    assert fonts.load(folders=(tmp_path / "nowhere",), cache=faces_cache) == faces
    assert [path.suffix for path in faces_cache.iterdir()] == [".otf"] * 4
    shown = {
        character
        for language in CATALOGUE.languages
        for key in CATALOGUE.keys
        for text in [CATALOGUE.text(language, key, **_anything(language, key))]
        for character in text
    }
    shown |= set("–—…·") | set("".join(views.HEADER.branch.values()))
    for path in (faces.regular, faces.bold):
        with TTFont(path, lazy=True) as font:
            assert str(font["name"].getDebugName(1)).startswith("Noto Sans CJK SC")
            assert {c for c in shown if c != "\n" and ord(c) not in font.getBestCmap()} == set()


def _anything(language: str, key: str) -> dict[str, object]:
    return dict.fromkeys(CATALOGUE.placeholders(language, key), 7)


def test_icons_stay_on_their_grid():
    for name, shapes in ICONS.items():
        for shape in shapes:
            match shape:
                case Strokes(points):
                    reach = [number for point in points for number in point]
                case Dot(x, y, _) | Arc(x, y, _) | Sector(x, y, _):
                    reach = [x, y]
            assert all(0 <= number <= GRID for number in reach), name


def _drawn(font, character):
    from fontTools.pens.recordingPen import RecordingPen

    pen, name = RecordingPen(), font.getBestCmap()[ord(character)]
    font.getGlyphSet()[name].draw(pen)
    return pen.value, font["hmtx"][name]


def test_a_lean_face_draws_what_the_whole_one_draws(faces_cache):
    from fontTools.ttLib import TTFont

    faces = fonts.load(cache=faces_cache)
    pairs = ((faces.regular, faces.lean_regular), (faces.bold, faces.lean_bold))
    for whole_path, lean_path in pairs:
        with TTFont(whole_path, lazy=True) as whole, TTFont(lean_path, lazy=True) as lean:
            has = fonts.common() & whole.getBestCmap().keys()
            assert has - lean.getBestCmap().keys() == set()
            assert len(has) > 7_500
            assert lean["maxp"].numGlyphs < 8_000
            for table in ("hhea", "OS/2"):
                for edge in ("ascent", "descent", "lineGap", "sTypoAscender", "usWinAscent"):
                    assert getattr(lean[table], edge, 0) == getattr(whole[table], edge, 0)
            for character in "Aflg9…—取号办理齄àß":
                assert _drawn(lean, character) == _drawn(whole, character)


@pytest.mark.parametrize(
    ("text", "common"),
    [("", True), ("取号 – 「A042」", True), ("Łódź… l’été", True), ("喆", False), ("取號", False),
     ("Привет", True), ("สวัสดี", False), ("𠮷野家", False)],
)  # fmt: skip
def test_a_text_with_a_rare_character_has_the_whole_face(text, common):
    faces = fonts.Fonts("whole", "whole bold", "lean", "lean bold")
    assert fonts.is_common(text) is common
    assert all(ord(c) in fonts.common() for c in text) is common
    assert faces.face(text, bold=False) == ("lean" if common else "whole")
    assert faces.face(text, bold=True) == ("lean bold" if common else "whole bold")


def test_where_no_lean_face_can_be_made_the_whole_one_stands_for_it(tmp_path, faces_cache):
    fonts.load(cache=faces_cache)
    for name in ("NotoSansCJKsc-Regular.otf", "NotoSansCJKsc-Bold.otf"):
        (tmp_path / name).write_bytes(b"not a font")
    faces = fonts.load(cache=tmp_path)
    assert (faces.lean_regular, faces.lean_bold) == (faces.regular, faces.bold)
    assert len(list(tmp_path.iterdir())) == 2
