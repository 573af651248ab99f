"""Times of the day as configuration writes them, and a branch's opening hours. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

DAY_MIN = 24 * 60
LOOK_AHEAD_DAYS = 31
"""The next opening is looked for so far ahead: longer holidays do not exist."""
_TIME = re.compile(r"([01]\d|2[0-3]):([0-5]\d)$")

Span = tuple[int, int]
"""Minutes of the day: from, until."""


def minute_of_day(text: str) -> int:
    """Minutes since midnight of "HH:MM"; "24:00" is the end of the day. Raises ValueError."""
    if text == "24:00":
        return DAY_MIN
    match = _TIME.match(text)
    if match is None:
        raise ValueError(f"{text!r}; expected a time like 09:00")
    return int(match[1]) * 60 + int(match[2])


def spans(text: str) -> list[Span]:
    """Hours like "09:00-12:00 13:30-17:00" in minutes; "" is a closed day. Raises ValueError."""
    found: list[Span] = []
    for part in text.split():
        begins, dash, ends = part.partition("-")
        span = minute_of_day(begins), minute_of_day(ends)
        if not dash or span[0] >= span[1] or (found and span[0] <= found[-1][1]):
            raise ValueError(f"{text!r}; expected hours in order like 09:00-12:00 13:30-17:00")
        found.append(span)
    return found


@dataclass(frozen=True, slots=True)
class Hall:
    """Whether the branch is open. ``left_min``: minutes until it closes, None where it does not;
    ``opens``: when it opens next, None while it is open, or where nobody knows.
    """

    is_open: bool
    left_min: int | None = None
    opens: datetime | None = None


def hall_at(now: datetime, week: tuple[str, ...], dates: Mapping[str, str]) -> Hall:
    """How it is at ``now`` (the branch's time) with the hours of ``week`` (Monday first) and of
    single ``dates`` (ISO) that go before them. Without any hours it is always open.
    """
    if not any(week):
        return Hall(True)
    minute = now.hour * 60 + now.minute
    for ahead in range(LOOK_AHEAD_DAYS + 1):
        day = now.date() + timedelta(days=ahead)
        for begins, ends in spans(_hours(day, week, dates)):
            if ahead == 0 and ends <= minute:
                continue
            if ahead == 0 and begins <= minute:
                return Hall(True, ends - minute)
            midnight = datetime(day.year, day.month, day.day, tzinfo=now.tzinfo)
            opens = midnight.replace(hour=begins // 60 % 24, minute=begins % 60)
            return Hall(False, opens=opens)
    return Hall(False)


def _hours(day: date, week: tuple[str, ...], dates: Mapping[str, str]) -> str:
    return dates.get(day.isoformat(), week[day.weekday()])
