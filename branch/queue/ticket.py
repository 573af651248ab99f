"""Tickets as the queue knows them. Pure."""

from dataclasses import dataclass, field
from enum import Enum

LineKey = tuple[str, str, int]
"""Service, class of the discipline, and the counter that the line is held for (0: anyone)."""


class TicketPhase(Enum):
    """Where a ticket is."""

    ISSUED = "issued"
    WAITING = "waiting"
    CALLED = "called"
    SERVING = "serving"
    PARKED = "parked"
    DONE = "done"
    MISSED = "missed"
    VOIDED = "voided"
    ABANDONED = "abandoned"


AT_COUNTER = frozenset({TicketPhase.CALLED, TicketPhase.SERVING})
ENDED = frozenset(
    {TicketPhase.DONE, TicketPhase.MISSED, TicketPhase.VOIDED, TicketPhase.ABANDONED}
)


@dataclass(slots=True)
class QueueTicket:
    """One ticket; ``order`` is (issue time, node, sequence number): no two are equal. Times are
    Unix ms, durations ms.

    ``place`` is its order in the line: by ``order``, but for an appointment by its slot, for who
    was at the machine first by that arrival, and later by the penalty of a customer who was
    missed. ``held_for`` is the counter that alone may call it before ``held_until``, 0 for none.
    """

    id: str
    number: str
    service: str
    segment: str
    order: tuple[int, str, int]
    phase: TicketPhase = TicketPhase.ISSUED
    counter: int | None = None
    calls: int = 0
    called_at: int | None = None
    started_at: int | None = None
    called_last_at: int = 0
    reason: str = ""
    """Why it was called before an older one."""
    appointment_at: int = 0
    waited_ms: int = 0
    """How long before its issue the wait began: its visitor came back from the machine."""
    penalty_ms: int = 0
    held_for: int = 0
    held_until: int = 0
    wanted_ms: int = 0
    """How long from its issue it waits for the counter that it asked for itself."""
    agenda: list[str] = field(default_factory=list)
    """Services of the visit that are still to come."""
    return_to: int = 0
    return_service: str = ""
    parked_by: int = 0
    due_at: int = 0
    """When a parked ticket comes back by itself; 0: not by itself."""
    missed_at: int = 0
    came_back_at: int = 0
    """When the branch last put it back into a line: transferred, returned, unparked, rejoined;
    0: never.
    """
    note: str = ""
    note_by: int = 0
    """The counter that wrote the note."""
    served_ms: int = 0
    """What earlier counters of the visit have done."""
    line: LineKey | None = None
    """The line in which it waits; kept by Lines."""
    place: tuple[int, str, int] = (0, "", 0)

    @property
    def issued_at(self) -> int:
        """Unix time of issue, ms."""
        return self.order[0]

    @property
    def in_line_since(self) -> int:
        """When it came into the line in which it waits, or last waited: Unix ms. At first that is
        its issue, which is dated anew with a better clock, as its slip is not.
        """
        return self.came_back_at or self.issued_at
