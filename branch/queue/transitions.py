"""What may happen to a ticket: the one table. Pure.

    phase     event                next
    -         ticket.issued        ISSUED     SERVING for a walk-in: nobody holds a slip
    ISSUED    ticket.printed       WAITING    by its time of issue
    ISSUED    ticket.print_failed  WAITING    the number is on the screen
    ISSUED    ticket.voided        VOIDED     never once somebody may hold it
    WAITING   ticket.called        CALLED     at a free, open counter
    WAITING   ticket.tagged        WAITING    of another segment
    WAITING   ticket.parked        PARKED     from the lobby
    WAITING   ticket.abandoned     ABANDONED
    CALLED    ticket.recalled      CALLED
    CALLED    ticket.missed        MISSED
    CALLED    ticket.parked        PARKED
    CALLED    ticket.transferred   WAITING    its wait clock goes on
    CALLED    ticket.returned      WAITING    for the visit's first counter
    CALLED    service.started      SERVING
    CALLED    service.ended        DONE       a teller may finish without "start"
    SERVING   ticket.parked        PARKED
    SERVING   ticket.transferred   WAITING
    SERVING   ticket.returned      WAITING
    SERVING   service.ended        DONE
    PARKED    ticket.unparked      WAITING    in its old place
    PARKED    ticket.called        CALLED     straight from the side
    PARKED    ticket.abandoned     ABANDONED
    MISSED    ticket.rejoined      WAITING    in its old place

Paper news about a ticket past ISSUED changes nothing (a slip may come out late); every other pair
raises ImpossibleEvent, and so does an event that names another counter than the ticket's.
"""

from collections.abc import Mapping

from branch.queue.errors import ImpossibleEvent
from branch.queue.ticket import AT_COUNTER, QueueTicket, TicketPhase
from sync.messages import (
    Event,
    ServiceEnded,
    ServiceStarted,
    TicketAbandoned,
    TicketCalled,
    TicketMissed,
    TicketParked,
    TicketPrinted,
    TicketPrintFailed,
    TicketRecalled,
    TicketRejoined,
    TicketReturned,
    TicketTagged,
    TicketTransferred,
    TicketUnparked,
    TicketVoided,
)

_P = TicketPhase

TICKET_TABLE: Mapping[tuple[TicketPhase, type[Event]], TicketPhase] = {
    (_P.ISSUED, TicketPrinted): _P.WAITING,
    (_P.ISSUED, TicketPrintFailed): _P.WAITING,
    (_P.ISSUED, TicketVoided): _P.VOIDED,
    (_P.WAITING, TicketCalled): _P.CALLED,
    (_P.WAITING, TicketTagged): _P.WAITING,
    (_P.WAITING, TicketParked): _P.PARKED,
    (_P.WAITING, TicketAbandoned): _P.ABANDONED,
    (_P.CALLED, TicketRecalled): _P.CALLED,
    (_P.CALLED, TicketMissed): _P.MISSED,
    (_P.CALLED, TicketParked): _P.PARKED,
    (_P.CALLED, TicketTransferred): _P.WAITING,
    (_P.CALLED, TicketReturned): _P.WAITING,
    (_P.CALLED, ServiceStarted): _P.SERVING,
    (_P.CALLED, ServiceEnded): _P.DONE,
    (_P.SERVING, TicketParked): _P.PARKED,
    (_P.SERVING, TicketTransferred): _P.WAITING,
    (_P.SERVING, TicketReturned): _P.WAITING,
    (_P.SERVING, ServiceEnded): _P.DONE,
    (_P.PARKED, TicketUnparked): _P.WAITING,
    (_P.PARKED, TicketCalled): _P.CALLED,
    (_P.PARKED, TicketAbandoned): _P.ABANDONED,
    (_P.MISSED, TicketRejoined): _P.WAITING,
}

PAPER_NEWS = (TicketPrinted, TicketPrintFailed)

AT_ITS_COUNTER = (
    TicketRecalled, TicketMissed, ServiceStarted, ServiceEnded, TicketTransferred, TicketReturned,
    TicketParked,
)  # fmt: skip
"""Said by the counter that has the ticket (a ticket that waits is parked by the lobby)."""


def phase_after(ticket: QueueTicket, event: Event) -> TicketPhase:
    """The phase after an event about this ticket. Raises ImpossibleEvent."""
    found = TICKET_TABLE.get((ticket.phase, type(event)))
    if found is None:
        if isinstance(event, PAPER_NEWS):
            return ticket.phase
        raise ImpossibleEvent(f"{type(event).__name__}: {ticket.number} is {ticket.phase.value}")
    if isinstance(event, AT_ITS_COUNTER):
        has = ticket.counter if ticket.phase in AT_COUNTER else 0
        if event.data.counter != has:
            raise ImpossibleEvent(
                f"{type(event).__name__}: {ticket.number} is at counter {has},"
                f" not {event.data.counter}"
            )
    return found
