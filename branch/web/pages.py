"""What stands on a page, ready to draw: template and script put the same texts. Pure."""

import msgspec

from branch.view import BoardView, Call, CounterState, CounterView
from branch.web.words import LANGUAGES, Words, elapsed_words, wait_words

BOARD_ROWS = 4
"""Recent calls that the board has room for."""

UP_NEXT_ROWS = 6
"""Lines of the teller's list that the page has room for."""

PADS = frozenset({"ready", "armed", "rated", "lost", "none"})
REFUSALS = (
    "busy", "nobody_waiting", "no_ticket", "already_serving", "paused", "not_open", "call_limit",
    "too_soon", "expired", "unsent",
)  # fmt: skip
KEYS = {
    "call-next": "F9",
    "start": "Enter",
    "finish": "Enter",
    "recall": "F2",
    "miss": "F4",
    "open": "Enter",
}

# The right next step of each state: the one green button.
_PRIMARY = {
    CounterState.CLOSED: "open",
    CounterState.FREE: "call-next",
    CounterState.CALLING: "start",
    CounterState.SERVING: "finish",
    CounterState.PAUSED: "open",
}
# Why an action that is not the primary one is impossible; a missing pair is possible.
_WHY_NOT = {
    ("recall", CounterState.CLOSED): "why.closed",
    ("recall", CounterState.FREE): "why.no_ticket",
    ("recall", CounterState.SERVING): "why.here",
    ("miss", CounterState.CLOSED): "why.closed",
    ("miss", CounterState.FREE): "why.no_ticket",
    ("miss", CounterState.SERVING): "why.here",
    ("recall", CounterState.PAUSED): "why.no_ticket",
    ("miss", CounterState.PAUSED): "why.no_ticket",
    ("call-next", CounterState.PAUSED): "why.paused",
    ("call-next", CounterState.CLOSED): "why.closed",
    ("call-next", CounterState.CALLING): "why.start_first",
    ("call-next", CounterState.SERVING): "why.finish_first",
}


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


class BoardPage(msgspec.Struct, frozen=True):
    """The board: ``calls`` newest first, latest included; ``build`` changes with the program."""

    build: str
    clock: str
    calls: list[CallLine]
    services: list[ServiceBox]


class Action(msgspec.Struct, frozen=True):
    """A button: ``note`` says what it does, or why it cannot be pressed when ``can`` is false."""

    name: str
    label: str
    key: str
    can: bool
    note: str


class NextLine(msgspec.Struct, frozen=True):
    """A waiting ticket of the teller's list."""

    number: str
    service: str
    waited: str


class CounterPage(msgspec.Struct, frozen=True):
    """One teller's page in one language. ``since_ms`` counts on from the moment it was made."""

    build: str
    revision: int
    state: str
    heading: str
    said: str
    number: str
    service: str
    services: str
    timer: str
    since_ms: int
    elapsed: str
    facts: list[str]
    primary: Action
    others: list[Action]
    pad: str
    pad_title: str
    pad_note: str
    waiting: str
    next: list[NextLine]
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
    )


def _call_line(call: Call) -> CallLine:
    identity = f"{call.seq}|{call.number}|{call.counter}|{call.clock}"
    return CallLine(id=identity, number=call.number, counter=call.counter, clock=call.clock)


def counter_page(view: CounterView, words: Words, build: str) -> CounterPage:
    """One teller's page: which button is green, what the others say, whom to expect next."""
    chinese = words.lang == "zh"
    waiting = words("people.waiting", n=view.waiting) if view.waiting else words("people.none")
    pad = view.pad if view.pad in PADS else "lost"
    return CounterPage(
        build=build,
        revision=view.revision,
        state=view.state.value,
        heading=words(f"state.{view.state.value}"),
        said=words(f"say.{view.state.value}", number=view.number, waiting=waiting),
        number=view.number or "",
        service=view.service_zh if chinese else view.service_en,
        services=view.services_zh if chinese else view.services_en,
        timer=words(f"timer.{view.state.value}"),
        since_ms=view.since_ms,
        elapsed=elapsed_words(view.since_ms),
        facts=_facts(view, words),
        primary=_primary(view.state, words),
        others=[_action(name, view.state, words) for name in ("recall", "miss", "call-next")],
        pad=pad,
        pad_title=words(f"pad.{pad}"),
        pad_note=words(f"pad.{pad}.note"),
        waiting=waiting,
        next=[
            NextLine(
                number=ticket.number,
                service=ticket.service_zh if chinese else ticket.service_en,
                waited=words("next.minutes", m=ticket.waited_min),
            )
            for ticket in view.up_next[:UP_NEXT_ROWS]
        ],
        clock=view.clock,
    )


def _facts(view: CounterView, words: Words) -> list[str]:
    facts = []
    if view.number is not None and view.waited_min is not None:
        facts.append(words("fact.waited", m=view.waited_min))
    if view.number is not None and view.calls:
        facts.append(words("fact.calls", n=view.calls))
    if view.number is not None and view.reason:
        facts.append(words(f"reason.{view.reason}"))
    return facts


def _primary(state: CounterState, words: Words) -> Action:
    name = _PRIMARY[state]
    if not name:
        return Action(name="", label=words("do.none"), key="", can=False, note="")
    return Action(name=name, label=words(f"do.{name}"), key=KEYS[name], can=True, note="")


def _action(name: str, state: CounterState, words: Words) -> Action:
    why_not = _WHY_NOT.get((name, state))
    note = words(why_not) if why_not else words(f"why.{name}") if name != "call-next" else ""
    return Action(
        name=name, label=words(f"do.{name}"), key=KEYS[name], can=why_not is None, note=note
    )
