"""What stands on a page, ready to draw: template and script put the same texts. Pure."""

import msgspec

from branch.desk_view import DeskView
from branch.view import BoardView, Call, CounterView, PromiseLine, WaitingTicket
from branch.web.actions import Action, others, primary, windows
from branch.web.desk_page import DeskPage, desk_page, note_words, priority_words
from branch.web.words import LANGUAGES, WORDS, Words, elapsed_words, wait_words

BOARD_ROWS = 4
"""Recent calls that the board has room for."""

PROMISE_ROWS = 3
"""Public promises that the board has room for at a time."""
FEW = 30
"""Below so many customers a percentage says more than is known."""

MS_PER_MIN = 60_000
UP_NEXT_ROWS = 6
"""Lines of the teller's list that the page has room for."""

PADS = frozenset({"ready", "armed", "rated", "lost", "none"})
REFUSALS = (
    "busy", "nobody_waiting", "no_ticket", "already_serving", "paused", "not_open", "call_limit",
    "too_soon", "expired", "unsent", "unknown_ticket", "wrong_phase", "unknown_service",
    "unknown_segment", "not_served_here", "not_served_there", "no_change", "bad_reason",
    "too_late", "no_number", "unknown_note", "personal_data",
)  # fmt: skip
NEAR_PROMISE = 0.8
"""The share of the promised wait from which a waiting ticket is marked."""


class CallLine(msgspec.Struct, frozen=True):
    """One call; ``id`` tells a recall from the call before it."""

    id: str
    number: str
    counter: int
    clock: str


class ServiceBox(msgspec.Struct, frozen=True):
    """One service's people and wait; ``wait`` by language."""

    letter: str
    name_zh: str
    name_en: str
    waiting: int
    wait: dict[str, str]


class PromiseBox(msgspec.Struct, frozen=True):
    """One service's public commitment; ``longest`` and ``kept`` by language."""

    letter: str
    name_zh: str
    name_en: str
    longest: dict[str, str]
    kept: dict[str, str]


class BoardPage(msgspec.Struct, frozen=True):
    """The board: ``calls`` newest first, latest included; ``build`` changes with the program."""

    build: str
    clock: str
    calls: list[CallLine]
    services: list[ServiceBox]
    promises: list[PromiseBox]


class NextLine(msgspec.Struct, frozen=True):
    """A waiting ticket of the teller's list. ``mark``: why it stands here; ``near``: its promise
    is near or over; ``share`` of the promise that it has waited, 0 to 1, -1 without a promise.
    """

    number: str
    service: str
    waited: str
    mark: str = ""
    near: bool = False
    share: float = -1.0


class CounterPage(msgspec.Struct, frozen=True):
    """One teller's page in one language. ``since_ms`` counts on from the moment it was made."""

    build: str
    revision: int
    turn: int
    state: str
    window: str
    heading: str
    said: str
    number: str
    service: str
    services: str
    timer: str
    since_ms: int
    elapsed: str
    facts: list[str]
    why: str
    note_from: str
    note: str
    primary: Action
    others: list[Action]
    windows: list[Action]
    desk: DeskPage
    parked: str
    pad: str
    pad_title: str
    pad_note: str
    waiting: str
    next: list[NextLine]
    bars: bool
    clock: str


def board_page(view: BoardView, build: str) -> BoardPage:
    """The board's figures and words."""
    calls = (view.latest, *view.recent) if view.latest else view.recent
    return BoardPage(
        build=build,
        clock=view.clock,
        calls=[_call_line(call) for call in calls],
        services=[
            ServiceBox(
                letter=line.letter,
                name_zh=line.name_zh,
                name_en=line.name_en,
                waiting=line.waiting,
                wait={lang: wait_words(line.wait_min, lang) for lang in LANGUAGES},
            )
            for line in view.services
        ],
        promises=[_promise_box(line) for line in view.promises],
    )


def _promise_box(line: PromiseLine) -> PromiseBox:
    return PromiseBox(
        letter=line.letter,
        name_zh=line.name_zh,
        name_en=line.name_en,
        longest={
            lang: WORDS[lang]("board.promise.max", m=f"{line.max_wait_min:g}")
            for lang in LANGUAGES
        },
        kept={lang: kept_words(line.people, line.kept, WORDS[lang]) for lang in LANGUAGES},
    )


def kept_words(people: int, kept: int, words: Words) -> str:
    """For how many of today's customers the promise was kept. No share of a few; a share is
    rounded down, so that 100 % is everybody.
    """
    if not people:
        return words("board.kept.none")
    if people < FEW:
        return words("board.kept.few", n=people, k=kept)
    return words("board.kept", n=people, p=100 * kept // people)


def _call_line(call: Call) -> CallLine:
    identity = f"{call.seq}|{call.number}|{call.counter}|{call.clock}"
    return CallLine(id=identity, number=call.number, counter=call.counter, clock=call.clock)


def counter_page(view: CounterView, desk: DeskView, words: Words, build: str) -> CounterPage:
    """One teller's page: which button is green, what the others say, whom to expect next."""
    chinese = words.lang == "zh"
    waiting = words("people.waiting", n=view.waiting) if view.waiting else words("people.none")
    pad = view.pad if view.pad in PADS else "lost"
    why = _why(view, words)
    said = words(f"say.{view.state.value}", number=view.number, waiting=waiting)
    return CounterPage(
        build=build,
        revision=view.revision,
        turn=view.turn,
        state=view.state.value,
        window=view.window,
        heading=words(f"state.{view.state.value}"),
        said=(", " if words.lang == "en" else "，").join(part for part in (said, why) if part),
        number=view.number or "",
        service=view.service_zh if chinese else view.service_en,
        services=view.services_zh if chinese else view.services_en,
        timer=words(f"timer.{view.state.value}"),
        since_ms=view.since_ms,
        elapsed=elapsed_words(view.since_ms),
        facts=_facts(view, words),
        why=why,
        note_from=words("note.from", n=view.note_by) if view.note_by else words("note.plain"),
        note=note_words(view.note, words) if view.number else "",
        primary=primary(view, words),
        others=others(view, desk, words),
        windows=windows(view, words),
        desk=desk_page(desk, words),
        parked=("、" if chinese else ", ").join(view.parked),
        pad=pad,
        pad_title=words(f"pad.{pad}"),
        pad_note=words(f"pad.{pad}.note"),
        waiting=waiting,
        next=[
            _next_line(ticket, view.promise_min, words) for ticket in view.up_next[:UP_NEXT_ROWS]
        ],
        bars=view.promise_min > 0,
        clock=view.clock,
    )


def _facts(view: CounterView, words: Words) -> list[str]:
    """What a teller should know of the current ticket, a line each."""
    if view.number is None:
        return []
    facts = []
    if view.waited_min is not None:
        key = "fact.promise" if view.promise_min else "fact.waited"
        facts.append(words(key, m=view.waited_min, p=f"{view.promise_min:g}"))
    if view.calls:
        facts.append(words("fact.calls", n=view.calls))
    if priority := priority_words(view.segment, words):
        facts.append(priority)
    if view.earlier_ms >= MS_PER_MIN:
        facts.append(words("fact.earlier", m=view.earlier_ms // MS_PER_MIN))
    if view.returns_to:
        facts.append(words("fact.returns", n=view.returns_to))
    elif view.then_zh:
        then = view.then_zh if words.lang == "zh" else view.then_en
        facts.append(words("fact.then", service=then))
    return facts


def _why(view: CounterView, words: Words) -> str:
    """Why this ticket was called before an older one, "" for the oldest."""
    if view.number is None or not view.reason:
        return ""
    reason = words.texts.get(f"reason.{view.reason}", view.reason)
    return words("fact.called_before", reason=reason)


def _next_line(ticket: WaitingTicket, promise_min: float, words: Words) -> NextLine:
    share = ticket.waited_min / promise_min if promise_min else -1.0
    near = share >= NEAR_PROMISE
    mark = priority_words(ticket.segment, words)
    if near:
        key = "next.over" if share >= 1 else "next.near"
        mark = words(key, m=f"{promise_min:g}")
    elif ticket.held:
        mark = words("next.held")
    return NextLine(
        number=ticket.number,
        service=ticket.service_zh if words.lang == "zh" else ticket.service_en,
        waited=words("next.minutes", m=ticket.waited_min),
        mark=mark,
        near=near,
        share=min(1.0, share),
    )
