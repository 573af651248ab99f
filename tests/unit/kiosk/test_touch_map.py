"""From the panel's place of a finger to the picture's."""

import pytest
from hypothesis import given, strategies as st

from kiosk.body_config import TouchConfig, touch_problems
from kiosk.ui.touch_map import AS_IT_COMES, MATRIX, ROTATIONS, TouchMap

shares = st.floats(0, 1)
turns = st.sampled_from(sorted(ROTATIONS))


def turned(degrees: int, *, invert_x: bool = False, invert_y: bool = False) -> TouchMap:
    return TouchMap.of(MATRIX, degrees, invert_x=invert_x, invert_y=invert_y)


@given(shares, shares)
def test_an_untouched_configuration_changes_nothing(x, y):
    assert turned(0) == AS_IT_COMES
    assert AS_IT_COMES.at(x, y) == (x, y)


@given(shares, shares, turns)
def test_turned_there_and_back_is_where_it_was(x, y, degrees):
    there = turned(degrees)
    back = turned(-degrees % 360)
    assert back.at(*there.at(x, y)) == pytest.approx((x, y))


@pytest.mark.parametrize(
    ("degrees", "place"), [(0, (0, 0)), (90, (1, 0)), (180, (1, 1)), (270, (0, 1))]
)
def test_the_panel_s_first_corner_goes_round_clockwise(degrees, place):
    assert turned(degrees).at(0, 0) == place


@given(shares, shares, turns)
def test_inverted_both_ways_is_half_a_turn(x, y, degrees):
    both = turned(degrees, invert_x=True, invert_y=True)
    assert both.at(x, y) == pytest.approx(turned((degrees + 180) % 360).at(x, y))


@given(shares, shares)
def test_one_way_is_a_mirror(x, y):
    assert turned(0, invert_x=True).at(x, y) == pytest.approx((1 - x, y))
    assert turned(0, invert_y=True).at(x, y) == pytest.approx((x, 1 - y))


@given(st.floats(-9, 9), st.floats(-9, 9), st.lists(st.floats(-3, 3), min_size=6, max_size=6))
def test_the_place_is_always_on_the_picture(x, y, matrix):
    found_x, found_y = TouchMap.of(matrix, 90, invert_x=True, invert_y=False).at(x, y)
    assert 0 <= found_x <= 1
    assert 0 <= found_y <= 1


def test_the_matrix_comes_before_the_turn():
    beside = TouchMap.of([1, 0, 0.1, 0, 1, 0], 90, invert_x=False, invert_y=False)
    assert beside.at(0.2, 0.5) == pytest.approx((0.5, 0.3))


@pytest.mark.parametrize(
    ("touch", "key"),
    [
        (TouchConfig(), ""),
        (TouchConfig(device="/dev/input/by-path/panel"), ""),
        (TouchConfig(device="panel"), "screen.touch.device"),
        (TouchConfig(matrix=[1.0, 0.0]), "screen.touch.matrix"),
        (TouchConfig(matrix=[float("inf"), 0.0, 0.0, 0.0, 1.0, 0.0]), "screen.touch.matrix"),
        (TouchConfig(matrix=[1.0, 0.0, float("nan"), 0.0, 1.0, 0.0]), "screen.touch.matrix"),
        (TouchConfig(matrix=[1.0, 1.0, 0.0, 1.0, 1.0, 0.0]), "screen.touch.matrix"),
    ],
)
def test_what_cannot_work_is_named(touch, key):
    assert [found for found, _ in touch_problems(touch)] == ([key] if key else [])
