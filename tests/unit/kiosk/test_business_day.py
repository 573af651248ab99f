"""The business day: around midnight, around summer time, and forward only."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, strategies as st

from kiosk.business_day import business_day, day_start, move_forward

BERLIN = ZoneInfo("Europe/Berlin")
ZONES = [ZoneInfo(z) for z in ("UTC", "Asia/Shanghai", "Europe/Berlin", "Asia/Beirut", "Cuba")]
DATES = st.dates(date(1990, 1, 1), date(2090, 1, 1)).map(date.isoformat)


@pytest.mark.parametrize(
    ("at", "starts", "day"),
    [
        ("2026-11-23 23:59", "00:00", "2026-11-23"),
        ("2026-11-24 00:00", "00:00", "2026-11-24"),
        ("2026-11-24 03:59", "04:00", "2026-11-23"),
        ("2026-11-24 04:00", "04:00", "2026-11-24"),
        ("2027-01-01 00:30", "04:00", "2026-12-31"),
        ("2026-03-29 03:00", "02:30", "2026-03-28"),  # 2:30 is left out: 3:30 stands for it
        ("2026-03-29 03:30", "02:30", "2026-03-29"),
    ],
)
def test_the_day_of_a_local_time(at: str, starts: str, day: str) -> None:
    local = datetime.fromisoformat(at).replace(tzinfo=BERLIN)
    assert business_day(local, day_start(starts)) == day


def test_an_hour_that_comes_twice_starts_one_day() -> None:
    first = datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN)
    again = datetime(2026, 10, 25, 2, 10, fold=1, tzinfo=BERLIN)
    assert business_day(first, time(2, 30)) == "2026-10-25"
    assert business_day(again, time(2, 30)) == "2026-10-25"


@given(
    st.integers(946_684_800, 1_900_000_000),
    st.timedeltas(timedelta(0), timedelta(days=3)),
    st.times(max_value=time(12)),
    st.sampled_from(ZONES),
)
def test_later_is_never_an_earlier_day(
    at: int, passed: timedelta, starts: time, zone: ZoneInfo
) -> None:
    one = datetime.fromtimestamp(at, UTC)
    first, then = (business_day(t.astimezone(zone), starts) for t in (one, one + passed))
    assert first <= then
    assert (date.fromisoformat(then) - date.fromisoformat(first)).days <= passed.days + 1


@pytest.mark.parametrize("text", ["4:00", "04.00", "24:00", "04:60", "", "12:01", "-1:00"])
def test_what_is_no_start_of_a_day(text: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        day_start(text)


@given(DATES, DATES, st.sampled_from(["ntp", "srv", "rtc", "none"]))
def test_the_business_date_moves_forward_only(today: str, last: str, quality: str) -> None:
    moved = move_forward(today, last, quality)
    assert moved in (today, last)
    assert moved >= last
    days = (date.fromisoformat(moved) - date.fromisoformat(last)).days
    if quality in ("rtc", "none"):
        assert days <= 31
        assert (moved == today) == (
            today == last or 0 < (date.fromisoformat(today) - date.fromisoformat(last)).days <= 31
        )
    else:
        assert moved == max(today, last)


@pytest.mark.parametrize("quality", ["ntp", "none"])
def test_a_fresh_journal_takes_what_the_clock_says(quality: str) -> None:
    assert move_forward("1970-01-01", "", quality) == "1970-01-01"
