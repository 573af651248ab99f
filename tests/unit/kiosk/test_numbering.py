"""Display numbers."""

import pytest
from hypothesis import given, strategies as st

from kiosk.numbering import LAST_IN_BAND, NumbersExhausted, display, next_number


def test_numbers_count_from_1_to_999_and_end() -> None:
    last = 0
    for expected in range(1, 1000):
        last = next_number(last)
        assert last == expected
    with pytest.raises(NumbersExhausted, match="999"):
        next_number(last)


@pytest.mark.parametrize("last", [-1, 1000])
def test_a_last_number_that_cannot_be(last: int) -> None:
    with pytest.raises(ValueError, match=str(last)):
        next_number(last)


def test_how_numbers_read() -> None:
    assert display("A", 1, 42, show_band=False) == "A042"
    assert display("A", 1, 42, show_band=True) == "A1042"
    assert display("Z", 0, 999, show_band=True) == "Z0999"


@given(
    st.tuples(st.sampled_from("ABCP"), st.integers(0, 9), st.integers(1, LAST_IN_BAND)),
    st.tuples(st.sampled_from("ABCP"), st.integers(0, 9), st.integers(1, LAST_IN_BAND)),
)
def test_two_bands_never_give_the_same_number(
    one: tuple[str, int, int], other: tuple[str, int, int]
) -> None:
    same = display(*one, show_band=True) == display(*other, show_band=True)
    assert same == (one == other)


@pytest.mark.parametrize(
    ("letter", "band", "number", "named"),
    [
        ("a", 1, 1, "letter 'a'"),
        ("AB", 1, 1, "letter 'AB'"),
        ("", 1, 1, "letter ''"),
        ("Ä", 1, 1, "letter"),
        ("A", -1, 1, "band -1"),
        ("A", 10, 1, "band 10"),
        ("A", 1, 0, "number 0"),
        ("A", 1, 1000, "number 1000"),
    ],
)
def test_what_is_no_number(letter: str, band: int, number: int, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        display(letter, band, number, show_band=False)
