"""Counters as the queue knows them: what they may serve, and whether they call. Pure.

    state     event            next
    OPEN      counter.opened   OPEN      another teller
    OPEN      counter.paused   PAUSED
    OPEN      counter.closed   CLOSED    ELASTIC, where the counter is an elastic one
    PAUSED    counter.opened   OPEN
    PAUSED    counter.closed   CLOSED    as above
    ELASTIC   counter.opened   OPEN
    CLOSED    counter.opened   OPEN

Every other pair raises ImpossibleEvent. A counter with a ticket can be paused, and calls nobody
after it; it cannot be closed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from branch.queue.errors import ImpossibleEvent
from branch.queue.ticket import QueueTicket
from sync.messages import AnyEvent, CounterClosed, CounterOpened, CounterPaused


class CounterState(Enum):
    """Whether a counter calls. ELASTIC is closed, and may be opened when the line is long."""

    OPEN = "open"
    PAUSED = "paused"
    ELASTIC = "elastic"
    CLOSED = "closed"


CounterEvent = CounterOpened | CounterPaused | CounterClosed

COUNTER_TABLE: Mapping[tuple[CounterState, type[CounterEvent]], CounterState] = {
    (CounterState.OPEN, CounterOpened): CounterState.OPEN,
    (CounterState.OPEN, CounterPaused): CounterState.PAUSED,
    (CounterState.OPEN, CounterClosed): CounterState.CLOSED,
    (CounterState.PAUSED, CounterOpened): CounterState.OPEN,
    (CounterState.PAUSED, CounterClosed): CounterState.CLOSED,
    (CounterState.ELASTIC, CounterOpened): CounterState.OPEN,
    (CounterState.CLOSED, CounterOpened): CounterState.OPEN,
}
STAFFED = frozenset({CounterState.OPEN, CounterState.PAUSED})


@dataclass(slots=True)
class Counter:
    """One counter. ``services`` are what it serves, the preferred ones first; ``levels`` names
    those below the first level (2 and more). A service of a lower level is called while fewer than
    ``help_below`` wait for the levels above it. ``cash`` is False where no cash is handled.

    ``turn`` rises with each event of the counter: a command that was meant for an older turn is
    stale.
    """

    number: int
    services: tuple[str, ...]
    ticket: QueueTicket | None = None
    since: int = 0  # Unix ms: when the present state began
    levels: dict[str, int] = field(default_factory=dict)
    help_below: int = 1
    cash: bool = True
    elastic: bool = False
    state: CounterState = CounterState.OPEN
    teller: str = ""
    turn: int = 0

    def level(self, service: str) -> int:
        """1 for what it serves first; for a service that it serves."""
        return self.levels.get(service, 1)

    @property
    def staffed(self) -> bool:
        """Somebody is there, even if on a break."""
        return self.state in STAFFED

    @property
    def paused(self) -> bool:
        """Somebody is there and calls nobody for a while."""
        return self.state is CounterState.PAUSED

    @property
    def idle(self) -> bool:
        """It may call now."""
        return self.state is CounterState.OPEN and self.ticket is None

    @property
    def resting(self) -> CounterState:
        """What it is when nobody is there."""
        return CounterState.ELASTIC if self.elastic else CounterState.CLOSED

    def after(self, event: AnyEvent) -> CounterState:
        """The state after one of the counter's own events. Raises ImpossibleEvent."""
        found = COUNTER_TABLE.get((self.state, type(event)))  # type: ignore[arg-type]
        if found is None:
            raise ImpossibleEvent(
                f"{type(event).__name__}: counter {self.number} is {self.state.value}"
            )
        if found is CounterState.CLOSED:
            if self.ticket is not None:
                raise ImpossibleEvent(
                    f"counter {self.number} has {self.ticket.number}, cannot close"
                )
            return self.resting
        return found
