"""A queue from its ledger, which may speak of counters that the configuration has no longer. Pure.

What happened at a counter that is gone is folded as it was, and a ticket that is still there at
the end is back in its place of the line. An elastic counter of which nothing is told rests.
"""

from collections.abc import Iterable, Iterator

from branch.queue.counter import Counter, CounterState
from branch.queue.engine import Engine
from branch.queue.errors import ImpossibleEvent
from branch.queue.ticket import AT_COUNTER, TicketPhase
from branch.queue.transitions import TICKET_TABLE
from sync.messages import (
    AnyEvent,
    CounterClosed,
    CounterOpened,
    CounterPaused,
    TicketCalled,
    TicketIssued,
    UnknownEvent,
)

Folded = tuple[AnyEvent | UnknownEvent, ImpossibleEvent | None]
_NAMES_A_COUNTER = (TicketCalled, TicketIssued, CounterOpened, CounterPaused, CounterClosed)


def rebuild(engine: Engine, events: Iterable[AnyEvent | UnknownEvent]) -> Iterator[Folded]:
    """Fold a ledger into an empty engine, yielding each event and why it was refused, if it was;
    exhaust it.
    """
    configured = frozenset(engine.counters)
    for counter in engine.counters.values():
        counter.state = CounterState.OPEN  # it may have been no elastic one then
    for event in events:
        if isinstance(event, _NAMES_A_COUNTER) and event.data.counter:
            number = event.data.counter
            engine.counters.setdefault(number, Counter(number, ()))
        _leave_what_is_gone(engine, event, configured)
        try:
            engine.replay(event)
        except ImpossibleEvent as error:
            yield event, error
        else:
            yield event, None
    for number in set(engine.counters) - configured:
        ticket = engine.counters[number].ticket
        if ticket is not None:
            engine.return_to_line(ticket)
        del engine.counters[number]
    for counter in engine.counters.values():
        if counter.elastic and not counter.turn:
            counter.state = CounterState.ELASTIC


def _leave_what_is_gone(
    engine: Engine, event: AnyEvent | UnknownEvent, configured: frozenset[int]
) -> None:
    """A restart had put the ticket of a counter that was gone back into the line: an event that
    only a waiting ticket can meet tells of it.
    """
    ticket = engine.tickets.get(event.sub or "")
    if ticket is None or ticket.phase not in AT_COUNTER or ticket.counter in configured:
        return
    kind, told_by = type(event), getattr(event.data, "counter", 0)
    if (TicketPhase.WAITING, kind) not in TICKET_TABLE:
        return
    if (ticket.phase, kind) not in TICKET_TABLE or told_by != ticket.counter:
        engine.return_to_line(ticket)
