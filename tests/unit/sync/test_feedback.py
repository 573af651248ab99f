"""What visitors say: the receipt's number and date, and that all of it is codes."""

import re
from itertools import chain

from hypothesis import given, strategies as st

from sync.feedback import ANSWER_DAYS, REASONS, SUGGESTIONS, complaint_number, due_date
from sync.identity import uuid7


@given(st.integers(0, 2**41), st.integers(0, 2**74 - 1), st.integers(0, 47))
def test_a_receipt_number_is_eight_digits_of_the_events_own_chance(
    ts_ms: int, chance: int, bit: int
) -> None:
    number = complaint_number(uuid7(ts_ms, chance))
    assert re.fullmatch(r"\d{4}-\d{4}", number)
    assert number == complaint_number(uuid7(ts_ms + 1, chance)), "the time does not matter"
    assert number != complaint_number(uuid7(ts_ms, chance ^ 1 << bit)), "every bit of chance does"


def test_a_receipt_number_by_hand() -> None:
    assert complaint_number("01a205ea-bef2-7000-8000-000000000072") == "0000-0114"
    assert 2**48 - 1 == 2_814_749_7671_0655
    assert complaint_number("01a205ea-bef2-7000-8000-ffffffffffff") == "7671-0655"


def test_the_answer_is_due_in_fifteen_days_over_the_ends_of_months_and_years() -> None:
    assert ANSWER_DAYS == 15
    assert due_date("2026-11-23") == "2026-12-08"
    assert due_date("2026-12-20") == "2027-01-04"
    assert due_date("2028-02-20") == "2028-03-06"


def test_all_that_can_be_said_is_a_short_code() -> None:
    said = chain(REASONS, *SUGGESTIONS)
    assert all(re.fullmatch(r"[a-z]{3,16}", code) for code in said)
    assert len(set(REASONS)) == len(REASONS)
    assert len({topic for topic, _ in SUGGESTIONS}) == len(SUGGESTIONS)
