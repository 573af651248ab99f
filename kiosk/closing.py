"""Why a service gives no number now, and when the branch is open, in the kiosk's words. Pure."""

from collections.abc import Collection, Mapping
from datetime import datetime

from kiosk.view import ClosedView, DayHours, Header, Modes, Words
from sync.hours import DAY_MIN, Hall, minute_of_day
from sync.offer import Opening, Service

OPEN = "open"
CLOSED_FULL = "closed.full"
CLOSED_WORDS = {"closing": "closed.closing", "full": CLOSED_FULL, "closed": "closed.closed"}
"""Keys of the catalogue by what the branch says of joining; any other word is "open"."""
OPENS_LATER, TODAY_OVER = "closed.opens", "closed.today"
DAYS_ZH = ("周一", "周二", "周三", "周四", "周五", "周六", "周日")
DAYS_EN = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MONTHS_EN = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def closed_because(
    service: Service, full: Collection[str], joining: Mapping[str, str], minute: int | None
) -> tuple[str, str]:
    """The catalogue's key of why no ticket of this service is given, and the time at which it
    opens; empty while one is. ``minute`` is that of the day, None where the clock is not known:
    then only the branch knows the hours. Who needs a person may always ask: only a machine
    without numbers stops that.
    """
    if service.letter in full:
        return CLOSED_FULL, ""
    if service.priority:
        return "", ""
    if minute is not None and not _within_hours(service, minute):
        later = minute < minute_of_day(service.opens or "00:00")
        return (OPENS_LATER, service.opens) if later else (TODAY_OVER, "")
    return CLOSED_WORDS.get(joining.get(service.letter, OPEN), ""), ""


def _within_hours(service: Service, minute: int) -> bool:
    opens = minute_of_day(service.opens) if service.opens else 0
    closes = minute_of_day(service.closes) if service.closes else DAY_MIN
    if opens < closes:
        return opens <= minute < closes
    return minute < closes or minute >= opens  # past midnight


def closed_view(
    opening: Opening, hall: Hall, now: datetime, language: str, header: Header, modes: Modes
) -> ClosedView:
    """The screen of a closed branch."""
    elsewhere = Words(zh_CN=opening.elsewhere_zh, en=opening.elsewhere_en)
    return ClosedView(
        language,
        header,
        opens=opens_words(hall.opens, now) if hall.opens else {},
        days=week_words(opening.week),
        elsewhere=elsewhere if opening.elsewhere_en else {},
        modes=modes,
    )


def opens_words(opens: datetime, now: datetime) -> Words:
    """When it opens: today, tomorrow, or on which day."""
    clock = f"{opens:%H:%M}"
    ahead = (opens.date() - now.date()).days
    if ahead < 2:
        zh, en = (("今天", "today"), ("明天", "tomorrow"))[ahead]
    else:
        day = opens.weekday()
        zh = f"{opens.month}月{opens.day}日 {DAYS_ZH[day]}"
        en = f"{DAYS_EN[day]} {opens.day} {MONTHS_EN[opens.month - 1]}"
    return Words(zh_CN=f"{zh} {clock}", en=f"{en} {clock}")


def week_words(week: tuple[str, ...]) -> tuple[DayHours, ...]:
    """The hours of the week; days in a row with the same hours are one line."""
    lines: list[DayHours] = []
    first = 0
    for day in range(len(week)):
        if day + 1 < len(week) and week[day + 1] == week[first]:
            continue
        zh, en = DAYS_ZH[first], DAYS_EN[first]
        if day > first:
            zh, en = f"{zh}至{DAYS_ZH[day]}", f"{en}–{DAYS_EN[day]}"
        hours = week[first].replace("-", "–").split()
        lines.append(DayHours(Words(zh_CN=zh, en=en), "  ".join(hours)))
        first = day + 1
    return tuple(lines)
