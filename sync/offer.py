"""What a kiosk offers its visitors: services, and what is checked of them. Pure.

It stands in kiosk.toml, or in a file of the branch that is pushed to every kiosk as a part of its
signed configuration; the tables are the same.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Literal

import msgspec

from sync.hours import Hall, hall_at, minute_of_day, spans

MOST_DOCUMENTS = 3
MOST_SERVICES = 4
"""The tiles of one screen."""
MOST_TAPS = 3
"""From the first screen to a ticket."""

MOST_WIDTH = 38
"""Of a line that has the whole screen."""
MOST_TITLE_WIDTH, MOST_LINE_WIDTH, MOST_LINES, MOST_SLIDES = 22, 34, 5, 20
FIRST_WIDE = 0x2E80
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

Problems = Iterator[tuple[str, str]]


class Document(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Something to have at hand for a service, with a short note."""

    zh: str
    en: str
    note_zh: str = ""
    note_en: str = ""
    icon: Literal["id", "card", "phone", "slip"] = "id"


class Service(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One service; ``letter`` starts its numbers. ``priority`` marks the "a person, please"
    button. ``short_*`` is the name where there is little room. ``simple_*`` puts the service on
    the first screen of simple mode under that name, two at most; if none has it, the first two
    go there as they are. ``documents`` are shown before the ticket, three at most; with
    ``machine_min`` (minutes) a self-service machine is offered beside the counter. ``within`` is
    the service whose tile opens this one; in simple mode that tile gives its own ticket. Hours
    are "HH:MM", empty: always; a limit of 0 tickets a day is none.
    """

    letter: str
    zh: str
    en: str
    examples_zh: str = ""
    examples_en: str = ""
    priority: bool = False
    short_zh: str = ""
    short_en: str = ""
    simple_zh: str = ""
    simple_en: str = ""
    simple_examples_zh: str = ""
    simple_examples_en: str = ""
    documents: list[Document] = []
    machine_min: int = 0
    within: str = ""
    opens: str = ""
    closes: str = ""
    daily_limit: int = 0

    @property
    def has_step(self) -> bool:
        """Whether there is something to read before its ticket."""
        return bool(self.documents or self.machine_min)


class Opening(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """When the branch is open: hours of each weekday like "09:00-12:00 13:30-17:00", empty:
    closed; ``dates`` (ISO) the same for single days. No weekday with hours: always open. Less
    than ``closing_min`` minutes before the end the first screen says so; while it is closed
    ``elsewhere_*`` says what can be done meanwhile.
    """

    mon: str = ""
    tue: str = ""
    wed: str = ""
    thu: str = ""
    fri: str = ""
    sat: str = ""
    sun: str = ""
    dates: dict[str, str] = {}
    closing_min: int = 15
    elsewhere_zh: str = ""
    elsewhere_en: str = ""

    @property
    def week(self) -> tuple[str, ...]:
        """The hours of Monday to Sunday."""
        return self.mon, self.tue, self.wed, self.thu, self.fri, self.sat, self.sun

    def at(self, now: datetime) -> Hall:
        """How it is at this local time."""
        return hall_at(now, self.week, self.dates)


class Slide(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A short public text: a title and a few lines, with an icon of the kiosk's own."""

    zh: str
    en: str
    text_zh: list[str]
    text_en: list[str]
    icon: Literal["speech", "warn", "card", "phone", "id", "people", "clock", "machine"] = "speech"


class Content(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Public words while nobody is at the kiosk for ``quiet_s``: the slides, then what the branch
    promises (``commitments_*``, lines), ``slide_s`` each. Without any the first screen stays.
    """

    slides: list[Slide] = []
    commitments_zh: list[str] = []
    commitments_en: list[str] = []
    quiet_s: float = 120.0
    slide_s: float = 12.0


class Offer(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What a branch wants its kiosks to offer; ``file`` is the name of the branch's own file, for
    whoever reads why it was refused.
    """

    services: list[Service]
    file: str = ""
    opening: Opening = Opening()
    content: Content = Content()


def offer_problems(offer: Offer) -> Problems:
    """(key, what is wrong with it)."""
    yield from service_problems(offer.services)
    yield from opening_problems(offer.opening)
    yield from content_problems(offer.content)


def service_problems(services: Sequence[Service]) -> Problems:
    """(key, what is wrong with it)."""
    if not services:
        yield "services", "none; a kiosk without a service has nothing to offer"
    letters = [service.letter for service in services]
    for index, service in enumerate(services):
        key, letter = f"services[{index}]", service.letter
        if len(letter) != 1 or not "A" <= letter <= "Z":
            yield f"{key}.letter", f"{letter!r}; expected one of A to Z"
        if letters.index(letter) != index:
            yield f"{key}.letter", f"{letter!r} is taken by another service"
        yield from text_problems(f"{key}.zh", service.zh)
        yield from text_problems(f"{key}.en", service.en)
        yield from _step_problems(key, service)
        yield from _simple_problems(key, service)
        yield from _hour_problems(key, service)
    yield from _tree_problems(services)
    if sum(bool(service.simple_zh) for service in services) > 2:
        yield "services", "more than two with simple_zh; simple mode has two tiles"
    if sum(service.priority for service in services) > 1:
        yield "services", "more than one with priority; the home screen has one such button"


def _tree_problems(services: Sequence[Service]) -> Problems:
    within = {service.letter: service.within for service in services}
    priority = {service.letter for service in services if service.priority}
    for index, service in enumerate(services):
        key, group = f"services[{index}].within", service.within
        above = _above(service.letter, within)
        inside = [one for one in services if one.within == service.letter]
        if group and group not in within:
            yield key, f"{group!r} is not one of the services"
        elif group and {service.letter, group} & priority:
            yield key, "not with the priority service: a person is asked for with one tap"
        elif service.letter in above:
            yield key, f"{group!r} is itself within {service.letter!r}; expected a tree"
        elif len(above) + service.has_step >= MOST_TAPS:
            yield key, f"more than {MOST_TAPS} taps to its ticket"
        if inside and service.has_step:
            yield f"services[{index}]", "documents, machine_min: its tile opens those within it"
        if len(inside) > MOST_SERVICES:
            yield f"services[{index}]", f"{len(inside)} within it; a screen has four tiles"
    if sum(not service.priority and not service.within for service in services) > MOST_SERVICES:
        yield "services", "more than four ordinary ones; the home screen has four tiles"


def _above(letter: str, within: Mapping[str, str]) -> list[str]:
    """What the service is within, the nearest first; a ring ends with the service itself."""
    found: list[str] = []
    above = within[letter]
    while above in within and above not in found:
        found.append(above)
        above = within[above]
    return found


def _step_problems(key: str, service: Service) -> Problems:
    if service.priority and service.has_step:
        yield (
            f"{key}.machine_min" if service.machine_min else f"{key}.documents",
            "not for the priority service: who asks for a person is not sent elsewhere",
        )
    if len(service.documents) > MOST_DOCUMENTS:
        yield f"{key}.documents", f"more than {MOST_DOCUMENTS}; the screen ends"
    if not 0 <= service.machine_min <= 60:
        yield f"{key}.machine_min", f"{service.machine_min}; expected 0 to 60"
    for number, document in enumerate(service.documents):
        yield from text_problems(f"{key}.documents[{number}].zh", document.zh)
        yield from text_problems(f"{key}.documents[{number}].en", document.en)


def _simple_problems(key: str, service: Service) -> Problems:
    if bool(service.simple_zh) != bool(service.simple_en):
        yield f"{key}.simple_zh", "needs simple_en too, and the other way round"
    if service.simple_zh and service.priority:
        yield f"{key}.simple_zh", "a priority service is in simple mode already"


def _hour_problems(key: str, service: Service) -> Problems:
    if service.priority and (service.opens or service.closes or service.daily_limit):
        yield key, "opens, closes, daily_limit: not for who asks for a person"
    if service.daily_limit < 0:
        yield f"{key}.daily_limit", f"{service.daily_limit}; expected 0 or more"
    try:
        opens, closes = minute_of_day(service.opens or "00:00"), service.closes or "24:00"
        if opens == minute_of_day(closes):
            yield f"{key}.closes", f"{closes!r}; expected another time than that of opens"
    except ValueError as error:
        yield f"{key}.opens, closes", str(error)


def opening_problems(opening: Opening) -> Problems:
    """(key, what is wrong with it)."""
    named = {f"opening.{day}": hours for day, hours in zip(_DAYS, opening.week, strict=True)}
    for day, hours in opening.dates.items():
        key = f"opening.dates.{day}"
        named[key] = hours
        try:
            if date.fromisoformat(day).isoformat() != day:
                raise ValueError
        except ValueError:
            yield key, "expected a date like 2026-10-01"
    for key, hours in named.items():
        try:
            spans(hours)
        except ValueError as error:
            yield key, str(error)
    if not 0 <= opening.closing_min <= 120:
        yield "opening.closing_min", f"{opening.closing_min}; expected 0 to 120 minutes"
    yield from pair_problems("opening.elsewhere", opening.elsewhere_zh, opening.elsewhere_en)


def content_problems(content: Content) -> Problems:
    """(key, what is wrong with it)."""
    for index, slide in enumerate(content.slides):
        key = f"content.slides[{index}]"
        for name, title in ((f"{key}.zh", slide.zh), (f"{key}.en", slide.en)):
            yield from line_problems(name, title, MOST_TITLE_WIDTH)
        yield from _lines_problems(f"{key}.text", slide.text_zh, slide.text_en)
        if not slide.text_zh:
            yield f"{key}.text_zh", "no line; a slide has one at least"
    if len(content.slides) > MOST_SLIDES:
        yield "content.slides", f"{len(content.slides)}; at most {MOST_SLIDES}"
    yield from _lines_problems(
        "content.commitments", content.commitments_zh, content.commitments_en
    )
    if not 30 <= content.quiet_s <= 3600:
        yield "content.quiet_s", f"{content.quiet_s:g}; expected 30 to 3600 seconds"
    if not 8 <= content.slide_s <= 120:
        yield "content.slide_s", f"{content.slide_s:g}; expected 8 to 120 seconds"


def _lines_problems(key: str, zh: Sequence[str], en: Sequence[str]) -> Problems:
    if bool(zh) != bool(en):
        yield f"{key}_zh", f"needs {key}_en too, and the other way round"
    for name, lines in ((f"{key}_zh", zh), (f"{key}_en", en)):
        if len(lines) > MOST_LINES:
            yield name, f"{len(lines)} lines, at most {MOST_LINES}"
        for number, line in enumerate(lines):
            yield from line_problems(f"{name}[{number}]", line, MOST_LINE_WIDTH)


def line_problems(key: str, text: str, most: int) -> Problems:
    """What is wrong with a line that has room for ``most``."""
    yield from text_problems(key, text)
    if (wide := width(text)) > most:
        yield key, f"{wide} wide, at most {most}: letters count 1, characters 2"


def pair_problems(key: str, zh: str, en: str) -> Problems:
    """What is wrong with one line of text in both languages; both may be empty."""
    for name, text in ((f"{key}_zh", zh), (f"{key}_en", en)):
        if not (zh or en):
            return
        yield from line_problems(name, text, MOST_WIDTH)


def width(text: str) -> int:
    """How much room a text takes: 1 a letter, 2 a Chinese character."""
    return sum(2 if ord(character) >= FIRST_WIDE else 1 for character in text)


def text_problems(key: str, text: str) -> Problems:
    """What is wrong with a text for screen and slip."""
    if not text.strip() or not text.isprintable():
        yield key, f"{text!r}; expected a text that can be shown and printed"
