"""The queue engine: who waits, who is called next, what each counter does. Pure; state is a fold
of events.
"""

from branch.queue.discipline import Discipline
from branch.queue.engine import Counter, Engine, ImpossibleEvent, QueueTicket, TicketPhase

__all__ = ["Counter", "Discipline", "Engine", "ImpossibleEvent", "QueueTicket", "TicketPhase"]
