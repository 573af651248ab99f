"""The teller's buttons: which is green, what key each one has, why one is not possible. Pure."""

import msgspec

from branch.desk_view import DeskView
from branch.view import CounterState, CounterView
from branch.web.words import Words

KEYS = {
    "call-next": "F9",
    "start": "Enter",
    "finish": "Enter",
    "recall": "F2",
    "miss": "F4",
    "park": "F6",
    "transfer": "F7",
    "call-ticket": "F8",
    "walk-in": "F10",
    "rejoin": "F3",
    "unpark": "Shift+F6",
    "postpone": "Shift+F7",
    "tag": "Shift+F8",
    "open": "Shift+F9",
    "pause": "Shift+F2",
    "close": "Shift+F3",
    "keys": "?",
}
"""A key is one action everywhere. F5, F11 and F12 stay with the browser."""

PRIMARY_KEY = "Enter"
TICKET = ("recall", "miss", "park", "transfer")
"""What a teller does with the current ticket besides the next step."""
DESK = ("call-ticket", "unpark", "rejoin", "walk-in", "postpone", "tag")
WINDOW = ("open", "pause", "close")
ASKS = frozenset({"transfer", "park", *DESK})
"""Actions that need an answer first: their buttons open a dialog."""

# The right next step of each state: the one green button.
_PRIMARY = {
    CounterState.CLOSED: "open",
    CounterState.FREE: "call-next",
    CounterState.CALLING: "start",
    CounterState.SERVING: "finish",
    CounterState.PAUSED: "open",
}
_NO_TICKET = {
    CounterState.CLOSED: "why.closed",
    CounterState.FREE: "why.no_ticket",
    CounterState.PAUSED: "why.no_ticket",
}
_NOT_FREE = {
    CounterState.CLOSED: "why.closed",
    CounterState.PAUSED: "why.paused",
    CounterState.CALLING: "why.start_first",
    CounterState.SERVING: "why.finish_first",
}
_WINDOW_STATE = {"open": "open", "paused": "pause", "closed": "close", "elastic": "close"}


class Action(msgspec.Struct, frozen=True):
    """A button: ``note`` says what it does, or why it cannot be pressed when ``can`` is false.
    ``asks``: it opens a dialog. ``on``: the window is in this state now.
    """

    name: str
    label: str
    key: str
    can: bool
    note: str
    asks: bool = False
    on: bool = False


def primary(view: CounterView, words: Words) -> Action:
    """The green button."""
    name = _PRIMARY[view.state]
    label = _finish(view, words) if name == "finish" else words(f"do.{name}")
    return Action(name=name, label=label, key=PRIMARY_KEY, can=True, note="")


def others(view: CounterView, desk: DeskView, words: Words) -> list[Action]:
    """Every other button, in the order of the page."""
    return [_action(name, view, desk, words) for name in (*TICKET, "call-next", *DESK)]


def windows(view: CounterView, words: Words) -> list[Action]:
    """The counter's own state, as three buttons of which one is on."""
    now = _WINDOW_STATE[view.window]
    found = []
    for name in WINDOW:
        why_not = _window_why_not(name, now, view)
        found.append(
            Action(
                name=name,
                label=words(f"window.{name}"),
                key=KEYS[name],
                can=why_not is None,
                note=words(why_not) if why_not else "",
                on=name == now,
            )
        )
    return found


def _finish(view: CounterView, words: Words) -> str:
    """What "finish" does: on to the next part of the visit, or its end and the rating."""
    if view.returns_to:
        return words("do.finish_back", n=view.returns_to)
    then = view.then_zh if words.lang == "zh" else view.then_en
    if then:
        return words("do.finish_then", service=then)
    return words("do.finish_plain" if view.pad in {"none", "lost"} else "do.finish")


def _action(name: str, view: CounterView, desk: DeskView, words: Words) -> Action:
    why_not = _why_not(name, view, desk)
    note = words(why_not) if why_not else words(f"why.{name}") if name != "call-next" else ""
    return Action(
        name=name,
        label=words(f"do.{name}"),
        key=KEYS[name],
        can=why_not is None,
        note=note,
        asks=name in ASKS,
    )


def _why_not(name: str, view: CounterView, desk: DeskView) -> str | None:
    """The words for why this is impossible now, None when it is possible."""
    match name:
        case "recall" | "miss":
            here = "why.here" if view.state is CounterState.SERVING else None
            return _NO_TICKET.get(view.state, here)
        case "park" | "transfer":
            return _NO_TICKET.get(view.state)
        case "unpark":
            return None if desk.parked else "why.none_parked"
        case "rejoin":
            return None if desk.missed else "why.none_missed"
        case "postpone" | "tag":
            return None if desk.waiting else "why.none_waiting"
        case _:
            return _NOT_FREE.get(view.state)


def _window_why_not(name: str, now: str, view: CounterView) -> str | None:
    if name == "pause" and now == "close":
        return "why.not_open"
    if name == "close" and view.number is not None:
        return "why.finish_first"
    return None
