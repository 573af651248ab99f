"""Which event each command of a counter makes. Pure; the commands themselves are in
:mod:`sync.counter_commands`.
"""

from sync.counter_commands import (
    AnyCommand as AnyCommand,
    CallNext as CallNext,
    CallTicket as CallTicket,
    CloseCounter as CloseCounter,
    Command as Command,
    DeskCommand as DeskCommand,
    Finish as Finish,
    Miss as Miss,
    OpenCounter as OpenCounter,
    Park as Park,
    PauseCounter as PauseCounter,
    Postpone as Postpone,
    Recall as Recall,
    Rejoin as Rejoin,
    ServeNow as ServeNow,
    Start as Start,
    TagTicket as TagTicket,
    Transfer as Transfer,
    Unpark as Unpark,
)

ENDINGS = ("service.ended", "ticket.returned", "ticket.transferred")
"""What "finish" may make: the visit's end, or its next part."""

EVENT_OF: dict[type[Command], str] = {
    Transfer: "ticket.transferred",
    Park: "ticket.parked",
    Postpone: "ticket.parked",
    Unpark: "ticket.unparked",
    CallTicket: "ticket.called",
    Rejoin: "ticket.rejoined",
    TagTicket: "ticket.tagged",
    ServeNow: "ticket.issued",
    OpenCounter: "counter.opened",
    PauseCounter: "counter.paused",
    CloseCounter: "counter.closed",
}
"""The event that each command of the desk makes."""

_OF_EVERY_VISIT: dict[type[Command], tuple[str, ...]] = {
    CallNext: ("ticket.called",),
    Recall: ("ticket.recalled",),
    Start: ("service.started",),
    Miss: ("ticket.missed",),
    Finish: ENDINGS,
}


def events_of(command: Command) -> tuple[str, ...]:
    """What the command's event can be: with one of them it is done."""
    kind = type(command)
    return _OF_EVERY_VISIT.get(kind) or (EVENT_OF[kind],)


def name_of(command: Command) -> str:
    """``call-next``, as in the HTTP path and in the message."""
    return str(command.__struct_config__.tag)


def said_as(counter: int, command: Command, key: str) -> tuple[int, str]:
    """The counter and the key in the command's event: what a counter does to a ticket in the
    lobby is said by the lobby (0), with the counter in the key.
    """
    return (0, f"{counter}:{key}") if isinstance(command, Postpone) else (counter, key)
