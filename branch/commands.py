"""Which event each command of a counter makes. Pure; the commands themselves are in
:mod:`sync.counter_commands`.
"""

from sync.counter_commands import (
    AnyCommand as AnyCommand,
)
from sync.counter_commands import (
    CallNext as CallNext,
)
from sync.counter_commands import (
    CallTicket as CallTicket,
)
from sync.counter_commands import (
    CloseCounter as CloseCounter,
)
from sync.counter_commands import (
    Command as Command,
)
from sync.counter_commands import (
    DeskCommand as DeskCommand,
)
from sync.counter_commands import (
    Finish as Finish,
)
from sync.counter_commands import (
    Miss as Miss,
)
from sync.counter_commands import (
    OpenCounter as OpenCounter,
)
from sync.counter_commands import (
    Park as Park,
)
from sync.counter_commands import (
    PauseCounter as PauseCounter,
)
from sync.counter_commands import (
    Postpone as Postpone,
)
from sync.counter_commands import (
    Recall as Recall,
)
from sync.counter_commands import (
    Rejoin as Rejoin,
)
from sync.counter_commands import (
    ServeNow as ServeNow,
)
from sync.counter_commands import (
    Start as Start,
)
from sync.counter_commands import (
    TagTicket as TagTicket,
)
from sync.counter_commands import (
    Transfer as Transfer,
)
from sync.counter_commands import (
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
