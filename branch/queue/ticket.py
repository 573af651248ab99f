"""Tickets and counters as the queue knows them. Pure."""

from dataclasses import dataclass
from enum import Enum


class TicketPhase(Enum):
    """Where a ticket is."""

    ISSUED = "issued"
    WAITING = "waiting"
    CALLED = "called"
    SERVING = "serving"
    DONE = "done"
    MISSED = "missed"
    VOIDED = "voided"
    ABANDONED = "abandoned"


@dataclass(slots=True)
class QueueTicket:
    """One ticket; ``order`` is (issue time, node, sequence number): no two are equal."""

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

    @property
    def issued_at(self) -> int:
        """Unix time of issue, ms."""
        return self.order[0]


@dataclass(slots=True)
class Counter:
    """One counter: the services it serves and the ticket it has."""

    number: int
    services: tuple[str, ...]
    ticket: QueueTicket | None = None
    since: int = 0  # Unix ms: when the present state began
