"""The queue engine: who waits, who is called next, what each counter does. Pure; state is a fold
of events.
"""

from branch.queue.discipline import Discipline
from branch.queue.engine import Engine, ImpossibleEvent
from branch.queue.ticket import Counter, QueueTicket, TicketPhase

__all__ = ["Counter", "Discipline", "Engine", "ImpossibleEvent", "QueueTicket", "TicketPhase"]
