"""What is said for a call, in each language. Pure."""

import re

DIGITS = {
    "zh": "零一二三四五六七八九",
    "en": ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"),
}
TEXTS = {
    "zh": "请 {number}号到 {counter} 号窗口",
    "en": "Ticket {number}, please go to counter {counter}",
}
_TEENS = (
    "ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen",
    "eighteen", "nineteen",
)  # fmt: skip
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_PARTS = re.compile(r"[A-Z]|[0-9]+")


def spoken_number(number: str, language: str) -> str:
    """ "A005" as "A 零零五" or "A zero zero five": letters and digits one by one, nothing else."""
    digits = DIGITS[language]
    between = "" if language == "zh" else " "
    return " ".join(
        between.join(digits[int(d)] for d in part) if part.isdigit() else part
        for part in _PARTS.findall(number)
    )


def spoken_counter(counter: int, language: str) -> str:
    """A counter, 0 to 99, as it is said. Chinese voices read digits as a number."""
    if language == "zh":
        return str(counter)
    if counter < 10:
        return DIGITS["en"][counter]
    if counter < 20:
        return _TEENS[counter - 10]
    tens = _TENS[counter // 10 - 2]
    return f"{tens} {DIGITS['en'][counter % 10]}" if counter % 10 else tens


def spoken_call(number: str, counter: int, language: str, text: str = "") -> str:
    """The whole call; ``text`` stands for the language's own with {number} and {counter}. Raises
    KeyError for another name in braces, or another language.
    """
    return (text or TEXTS[language]).format_map(
        {
            "number": spoken_number(number, language),
            "counter": spoken_counter(counter, language),
        }
    )
