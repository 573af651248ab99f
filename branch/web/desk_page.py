"""What the teller's dialogs offer, in one language. Pure."""

import msgspec

from branch.desk_view import DeskView, ListedTicket, OtherCounter
from branch.web.teller_words import NOTES
from branch.web.words import Words


class Offer(msgspec.Struct, frozen=True):
    """A ticket to choose: ``detail`` is one line. ``here``: this counter may serve it."""

    number: str
    detail: str
    here: bool


class CounterOffer(msgspec.Struct, frozen=True):
    """A counter to send somebody to, and the letters that it serves."""

    counter: int
    label: str
    services: str


class DeskPage(msgspec.Struct, frozen=True):
    """The lists of the dialogs."""

    counters: list[CounterOffer]
    waiting: list[Offer]
    parked: list[Offer]
    missed: list[Offer]


def desk_page(desk: DeskView, words: Words) -> DeskPage:
    """The lists in words."""
    return DeskPage(
        counters=[
            CounterOffer(other.counter, _counter_label(other, words), other.services)
            for other in desk.counters
        ],
        waiting=[_offer(ticket, "waiting", words) for ticket in desk.waiting],
        parked=[_offer(ticket, "parked", words) for ticket in desk.parked],
        missed=[_offer(ticket, "missed", words) for ticket in desk.missed],
    )


def _counter_label(other: OtherCounter, words: Words) -> str:
    """ "Counter 3", and "(closed)" where nobody is there to call."""
    label = words("counter.title", n=other.counter)
    if other.window == "open":
        return label
    state = words(f"window.is.{other.window}")
    return f"{label}（{state}）" if words.lang == "zh" else f"{label} ({state})"


def segment_words(segment: str, words: Words) -> str:
    """A customer group's name; "" for those without one. A branch's own groups as configured."""
    if segment in {"", "ordinary"}:
        return ""
    return words.texts.get(f"segment.{segment}", segment)


def note_words(note: str, words: Words) -> str:
    """A note in the reader's language, where it has one in both."""
    for english, chinese in NOTES.items():
        if note in {english, chinese}:
            return chinese if words.lang == "zh" else english
    return note


def priority_words(segment: str, words: Words) -> str:
    """ "Priority: senior", or ""."""
    name = segment_words(segment, words)
    return words("segment.line", segment=name) if name else ""


def _offer(ticket: ListedTicket, where: str, words: Words) -> Offer:
    chinese = words.lang == "zh"
    when = words("listed.waited", m=ticket.waited_min)
    if where == "parked":
        until = ticket.minutes
        when = words("ask.minutes.open") if until is None else words("listed.parked", m=until)
    elif where == "missed":
        when = words("listed.missed", m=ticket.minutes or 0)
    parts = [
        ticket.service_zh if chinese else ticket.service_en,
        when,
        priority_words(ticket.segment, words),
        words("listed.counter", n=ticket.counter) if ticket.counter else "",
        note_words(ticket.note, words),
    ]
    detail = ("，" if chinese else ", ").join(part for part in parts if part)
    return Offer(number=ticket.number, detail=detail, here=ticket.here)
