"""The queue engine: who waits, who is called next, what each counter does. Pure; state is a fold
of events.

    ticket, counter    what they are, and a counter's states
    transitions        what may happen to a ticket: the one table
    discipline         the score, and what stands above it
    lines, selection   the waiting lines; whom a free counter calls, and why
    engine, rebuild    the fold; a whole ledger, under another configuration too
    calendar           hours, daily limits, closing
    memory             keys of commands and finished tickets, a bounded number of each
"""

from branch.queue.calendar import Joining, ServiceDay
from branch.queue.counter import Counter, CounterState
from branch.queue.discipline import Discipline
from branch.queue.engine import Engine
from branch.queue.errors import ImpossibleEvent
from branch.queue.rebuild import rebuild
from branch.queue.selection import GIVEN_BY_STAFF, Choice, Reason
from branch.queue.ticket import QueueTicket, TicketPhase

__all__ = [
    "GIVEN_BY_STAFF",
    "Choice",
    "Counter",
    "CounterState",
    "Discipline",
    "Engine",
    "ImpossibleEvent",
    "Joining",
    "QueueTicket",
    "Reason",
    "ServiceDay",
    "TicketPhase",
    "rebuild",
]
