"""The business day: which date a ticket's number belongs to. Pure.

The date moves forward only. A clock that nobody vouches for may be years wrong, so it may move the
date by a month at most; one that was set by NTP or by the server moves it by any distance. A date
that stands still costs nothing but numbers: they go on, none is given twice.
"""

from datetime import UTC, date, datetime, time, timedelta

TRUSTED = ("ntp", "srv")
"""Clock qualities that may move the date any distance."""
UNTRUSTED_DAYS = 31
"""How far a clock that nobody vouches for may move the date: a branch that was closed for longer
has been on the network since, or was set by hand.
"""


def day_start(text: str) -> time:
    """``HH:MM`` as it stands in the configuration. Raises ValueError."""
    hours, colon, minutes = text.partition(":")
    if not colon or not (len(hours) == len(minutes) == 2) or not (hours + minutes).isascii():
        raise ValueError(f"{text!r}; expected HH:MM, like 04:00")
    try:
        start = time(int(hours), int(minutes))
    except ValueError:
        raise ValueError(f"{text!r}; expected HH:MM, like 04:00") from None
    if start > time(12):
        raise ValueError(f"{text!r}; expected at most 12:00")
    return start


def business_day(local: datetime, starts_at: time) -> str:
    """The ISO date of the business day at ``local`` (aware): before ``starts_at`` it is still the
    day before. A day whose start is left out or comes twice (summer time) starts once.
    """
    today = local.date()
    start = datetime.combine(today, starts_at, tzinfo=local.tzinfo)
    # In UTC: two times of one zone are compared by their digits, whatever the hour was set to.
    begun = local.astimezone(UTC) >= start.astimezone(UTC)
    return (today if begun else today - timedelta(days=1)).isoformat()


def move_forward(today: str, last: str, quality: str) -> str:
    """The business date, when the clock of this ``quality`` says ``today`` and the last number
    was given on ``last`` ("" for none). ISO dates; raises ValueError for anything else.
    """
    if not last or quality in TRUSTED:
        return max(today, last)
    ahead = date.fromisoformat(today) - date.fromisoformat(last)
    return today if timedelta(0) < ahead <= timedelta(days=UNTRUSTED_DAYS) else last
