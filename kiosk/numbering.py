"""Display numbers: letter, band digit, three digits. Pure.

Bands 1 to 9 belong to one kiosk each, so two kiosks cannot give the same number even when neither
hears of the other; the numbers of band 0 are given by the server, one at a time. A branch with a
single kiosk hides the digit: A042 instead of A1042.
"""

LAST_IN_BAND = 999
"""Three digits; a number is not used twice on one business date."""


class NumbersExhausted(Exception):
    """Every number of this service's band is given on this business date."""


def next_number(last: int) -> int:
    """The number after ``last`` (0 for none). Raises NumbersExhausted."""
    if not 0 <= last <= LAST_IN_BAND:
        raise ValueError(f"last number {last}: expected 0 to {LAST_IN_BAND}")
    if last == LAST_IN_BAND:
        raise NumbersExhausted(
            f"all {LAST_IN_BAND} numbers of this service are given today; add a kiosk (a band)"
        )
    return last + 1


def display(letter: str, band: int, number: int, *, show_band: bool) -> str:
    """The number as the customer reads it: ``A042``, or ``A1042`` where kiosks own bands.

    Raises ValueError for a letter that is not A-Z, a band outside 0-9 or a number outside 1-999.
    """
    if len(letter) != 1 or not "A" <= letter <= "Z":
        raise ValueError(f"letter {letter!r}: expected one of A to Z")
    if not 0 <= band <= 9:
        raise ValueError(f"band {band}: expected 0 to 9")
    if not 1 <= number <= LAST_IN_BAND:
        raise ValueError(f"number {number}: expected 1 to {LAST_IN_BAND}")
    return f"{letter}{band}{number:03d}" if show_band else f"{letter}{number:03d}"
