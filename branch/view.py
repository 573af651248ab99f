"""What the branch's pages show at one moment, as values: the service makes them, the pages draw
them. Pure.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from branch.commands import AnyCommand
from branch.desk_view import DeskView


class CounterState(StrEnum):
    """What a counter does now."""

    CLOSED = "closed"
    FREE = "free"
    CALLING = "calling"  # a ticket was called, the customer is on the way
    SERVING = "serving"
    PAUSED = "paused"  # calls nobody, and nobody is at it


@dataclass(frozen=True, slots=True)
class Call:
    """One call as the board lists it."""

    number: str
    counter: int
    clock: str  # "10:24", local
    seq: int = (
        0  # rises with each call and recall: a recall within the same minute is news as well
    )


@dataclass(frozen=True, slots=True)
class ServiceLine:
    """One service's line on the board; the wait interval is None when unknown, (0, 0) when a
    window is free.
    """

    letter: str
    name_zh: str
    name_en: str
    waiting: int
    wait_min: tuple[int, int] | None
    joining: str = "open"  # "open", "closing", "full", "closed": whether to take a ticket now


@dataclass(frozen=True, slots=True)
class PromiseLine:
    """One service's public commitment: called within ``max_wait_min``, and for how many of today's
    customers that was kept.
    """

    letter: str
    name_zh: str
    name_en: str
    max_wait_min: float
    people: int
    kept: int


@dataclass(frozen=True, slots=True)
class BoardView:
    """The lobby's call board. ``revision`` rises with each change."""

    revision: int
    branch_zh: str
    branch_en: str
    date_zh: str
    date_en: str
    clock: str
    latest: Call | None
    recent: tuple[Call, ...]  # newest first, without the latest
    services: tuple[ServiceLine, ...]
    hours: str = ""
    complaints_phone: str = ""
    promises: tuple[PromiseLine, ...] = ()


@dataclass(frozen=True, slots=True)
class WaitingTicket:
    """A line of "next up"; ``waited_min`` is whole minutes since issue."""

    number: str
    service_zh: str
    service_en: str
    waited_min: int
    segment: str = ""
    held: bool = False  # it waits for this counter


@dataclass(frozen=True, slots=True)
class CounterView:
    """One teller's page. Times in ms since the state began, by the server's clock."""

    revision: int
    counter: int
    state: CounterState
    services_zh: str
    services_en: str
    number: str | None
    service_zh: str
    service_en: str
    waited_min: int | None  # how long the current ticket waited
    since_ms: int  # how long the current state has lasted
    calls: int  # how often the current ticket was called
    pad: str  # "ready", "armed", "rated", "lost", "none"
    waiting: int  # tickets this counter may call
    up_next: tuple[WaitingTicket, ...]
    clock: str
    window: str = "open"  # "open", "paused", "elastic", "closed"
    turn: int = 0  # rises with each event of the counter; what a command may be meant for
    reason: str = ""  # why the current ticket was called before an older one
    note: str = ""  # what an earlier counter wrote about the current ticket
    parked: tuple[str, ...] = ()  # numbers set aside by this counter or by the lobby
    segment: str = ""  # the current ticket's, staff only
    note_by: int = 0  # the counter that wrote the note
    promise_min: float = 0.0  # the longest wait that is promised, 0: none
    earlier_ms: int = 0  # what earlier parts of the visit have taken
    returns_to: int = 0  # the counter where the visit goes on
    teller: str = ""  # who opened the counter: a pseudonym
    then_zh: str = ""  # the visit's next service
    then_en: str = ""


class CommandRefused(Exception):
    """A teller's command that the state does not allow. ``code`` is stable, the message is for
    people.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class UnknownCounter(LookupError):
    """No such counter is configured; ``counters`` lists those that are."""

    def __init__(self, counter: object, counters: tuple[int, ...]) -> None:
        listed = ", ".join(map(str, counters))
        super().__init__(f"there is no counter {counter}; the counters are {listed}")
        self.counters = counters


class Branch(Protocol):
    """What the pages need of the branch server. Every command is idempotent by ``key``: the same
    key, the same answer. One that was meant for another ``turn`` of the counter than there is now
    is refused (expired).
    """

    def board(self) -> BoardView:
        """The board now."""

    def counter(self, counter: int) -> CounterView:
        """One counter's page now. Raises KeyError for a counter that the configuration does not
        have.
        """

    def desk(self, counter: int) -> DeskView:
        """What this counter's teller may choose from now. Raises KeyError as above."""

    def counters(self) -> tuple[int, ...]:
        """The configured counters."""

    async def call_next(self, counter: int, key: str, turn: int | None = None) -> CounterView:
        """Call the next ticket. Raises CommandRefused (busy, paused, not_open, nobody_waiting)."""

    async def recall(self, counter: int, key: str, turn: int | None = None) -> CounterView:
        """Call the current ticket again. Raises CommandRefused (no_ticket, already_serving,
        call_limit, too_soon).
        """

    async def start(self, counter: int, key: str, turn: int | None = None) -> CounterView:
        """The customer is at the window. Raises CommandRefused (no_ticket)."""

    async def miss(self, counter: int, key: str, turn: int | None = None) -> CounterView:
        """The called customer did not come (no-show). Raises CommandRefused (no_ticket,
        already_serving).
        """

    async def finish(self, counter: int, key: str, turn: int | None = None) -> CounterView:
        """End the service: the visit's next part, or its end and the rating. Raises CommandRefused
        (no_ticket).
        """

    async def perform(
        self, counter: int, command: AnyCommand, key: str, turn: int | None = None
    ) -> CounterView:
        """Carry out any other command. Raises CommandRefused with the codes of branch.desk."""

    async def changed(self, revision: int, timeout_s: float) -> int:
        """Wait until the revision is above ``revision`` or the time is over; returns the revision
        now.
        """

    def health(self) -> dict[str, object]:
        """Parts and their state, for /healthz; "ok" is True when the server can serve."""
