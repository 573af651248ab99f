"""Opening hours: of the week, of single days, and when it opens next."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, strategies as st

from sync.hours import DAY_MIN, LOOK_AHEAD_DAYS, Hall, hall_at, minute_of_day, spans

WEEK = ("09:00-12:00 13:30-17:00",) * 5 + ("10:00-15:00", "")
MONDAY = datetime(2026, 11, 23, tzinfo=UTC)


def at(day: int, clock: str) -> datetime:
    """A time of the week of 2026-11-23, a Monday."""
    return MONDAY + timedelta(days=day, minutes=minute_of_day(clock))


@pytest.mark.parametrize(
    ("now", "hall"),
    [
        (at(0, "08:59"), Hall(False, opens=at(0, "09:00"))),
        (at(0, "09:00"), Hall(True, 180)),
        (at(0, "11:59"), Hall(True, 1)),
        (at(0, "12:00"), Hall(False, opens=at(0, "13:30"))),
        (at(0, "13:30"), Hall(True, 210)),
        (at(4, "17:00"), Hall(False, opens=at(5, "10:00"))),
        (at(5, "15:00"), Hall(False, opens=at(7, "09:00"))),
        (at(6, "10:00"), Hall(False, opens=at(7, "09:00"))),
    ],
)
def test_the_week(now: datetime, hall: Hall) -> None:
    assert hall_at(now, WEEK, {}) == hall


def test_a_single_day_goes_before_its_weekday() -> None:
    dates = {"2026-11-23": "", "2026-11-24": "", "2026-11-29": "10:00-12:00"}
    assert hall_at(at(0, "10:00"), WEEK, dates) == Hall(False, opens=at(2, "09:00"))
    assert hall_at(at(6, "10:00"), WEEK, dates) == Hall(True, 120)


def test_without_hours_it_is_always_open_and_a_long_holiday_has_no_end() -> None:
    assert hall_at(at(6, "03:00"), ("",) * 7, {"2026-11-29": ""}) == Hall(True)
    days = [(MONDAY + timedelta(days=n)).date().isoformat() for n in range(40)]
    assert hall_at(at(0, "10:00"), WEEK, dict.fromkeys(days, "")) == Hall(False)


@pytest.mark.parametrize(
    "text", ["9:00-12:00", "09:00", "09:00-09:00", "12:00-09:00", "09:00-12:00 12:00-13:00", "x"]
)
def test_what_is_no_hours(text: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        spans(text)


MINUTES = st.integers(0, DAY_MIN)
HOURS = st.lists(MINUTES, unique=True, max_size=4).map(
    lambda found: " ".join(
        "-".join(f"{m // 60:02}:{m % 60:02}" for m in pair)
        for pair in zip(*[iter(sorted(found))] * 2, strict=False)
        if len(pair) == 2
    )
)


@given(st.tuples(*[HOURS] * 7), st.integers(0, 8 * DAY_MIN))
def test_what_is_said_of_the_next_minute_comes_true(week: tuple[str, ...], minutes: int) -> None:
    now = MONDAY + timedelta(minutes=minutes)
    hall = hall_at(now, week, {})
    if not any(week):
        assert hall == Hall(True)
    elif hall.is_open:
        assert hall.left_min is not None
        last = now + timedelta(minutes=hall.left_min - 1)
        assert hall_at(last, week, {}) == Hall(True, 1)
    else:
        assert hall.opens is not None
        assert now < hall.opens <= now + timedelta(days=LOOK_AHEAD_DAYS)
        assert hall_at(hall.opens, week, {}).is_open
        assert not hall_at(hall.opens - timedelta(minutes=1), week, {}).is_open
