"""Dates as the screens say them. Pure."""

from datetime import date, datetime

from kiosk.closing import DAYS_EN, MONTHS_EN
from kiosk.view import Words

WEEKDAYS_ZH = "一二三四五六日"


def date_words(at: datetime) -> Words:
    """``11月23日 星期一`` and ``Mon 23 Nov``."""
    day = day_words(at)
    return Words(
        zh_CN=f"{day['zh_CN']} 星期{WEEKDAYS_ZH[at.weekday()]}",
        en=f"{DAYS_EN[at.weekday()]} {day['en']}",
    )


def day_words(at: date) -> Words:
    """``11月23日`` and ``23 Nov``."""
    return Words(zh_CN=f"{at.month}月{at.day}日", en=f"{at.day} {MONTHS_EN[at.month - 1]}")
