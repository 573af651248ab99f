"""Who is next: score ``H_segment + b_segment * wait_minutes``, ties by the ticket's place. Pure.

FIFO is H = 0, b = 1 for everybody; a head start is H > 0 with equal b (Mandelbaum et al., the
"Anonymous Bank" gave its VIP callers 1.5 minutes); accumulating priority is H = 0 with unequal b
(Kleinrock 1964); strict priority is a very large H. Equal b bounds overtaking: a ticket is passed
only by those that came within H minutes after it.

Above the score stand two classes, each first come, first served: emergencies, then whoever waits
longer than the promise.
"""

import math
from dataclasses import dataclass, field

from branch.queue.ticket import QueueTicket

MS_PER_MIN = 60_000
KEPT_MS = 15 * MS_PER_MIN
"""So long before its issue a ticket's wait may begin: nobody is passed for it by who came more
than that later.
"""
ORDINARY, APPOINTMENT = "ordinary", "appointment"

EMERGENCY_CLASS, PROMISE_CLASS, SCORE_CLASS = range(3)
Rank = tuple[int, float, tuple[int, str, int]]
"""Class, minus the score, place: the least is called."""


@dataclass(frozen=True, slots=True)
class Discipline:
    """``head_start_min`` is H in minutes, ``rate`` is b (score per waited minute); 0 and 1 where
    not named. ``promise_min`` 0: no cap. ``ratio`` r > 0: r calls of ``ratio_segments`` for each
    one of the others while both wait, whatever the score. An appointment has its head start from
    ``early_min`` before its slot; who checks in more than ``late_min`` after it is ordinary.

    Raises ValueError for a value that is negative or not finite.
    """

    head_start_min: dict[str, float] = field(default_factory=dict)
    rate: dict[str, float] = field(default_factory=dict)
    promise_min: float = 0.0
    emergencies: frozenset[str] = frozenset()
    ratio: int = 0
    ratio_segments: frozenset[str] = frozenset()
    early_min: float = 5.0
    late_min: float = 10.0

    def __post_init__(self) -> None:
        for name, value in (
            *self.head_start_min.items(),
            *self.rate.items(),
            ("promise_min", self.promise_min),
            ("ratio", self.ratio),
            ("early_min", self.early_min),
            ("late_min", self.late_min),
        ):
            if not 0 <= value < math.inf:
                raise ValueError(f"{name}: {value}; expected 0 or more")

    def score(self, segment: str, waited_ms: int) -> float:
        """The score in minutes; the highest is called."""
        return self._score_ms(segment, waited_ms, self.head_start_min.get(segment, 0.0))

    def class_of(self, ticket: QueueTicket) -> str:
        """The segment by which the ticket is scored: a late appointment has none."""
        late_ms = ticket.issued_at - ticket.appointment_at
        if ticket.segment == APPOINTMENT and (
            not ticket.appointment_at or late_ms > self.late_min * MS_PER_MIN
        ):
            return ORDINARY
        return ticket.segment

    def place(self, ticket: QueueTicket) -> tuple[int, str, int]:
        """The ticket's order in its line: from when its wait counts, then node and number."""
        began = self.not_before_slot(ticket, ticket.issued_at - ticket.waited_ms)
        return (began + ticket.penalty_ms, *ticket.order[1:])

    def not_before_slot(self, ticket: QueueTicket, at_ms: int) -> int:
        """``at_ms``, or the slot of an appointment that is on time, if that is later."""
        is_appointment = self.class_of(ticket) == APPOINTMENT
        return max(at_ms, ticket.appointment_at) if is_appointment else at_ms

    def rank(self, ticket: QueueTicket, now_ms: int) -> Rank:
        """What the waiting ticket is compared by; the least is called."""
        segment = ticket.line[1] if ticket.line else self.class_of(ticket)
        waited_ms = now_ms - ticket.place[0]
        if segment in self.emergencies:
            return (EMERGENCY_CLASS, 0.0, ticket.place)
        if self.promise_min and waited_ms >= self.promise_min * MS_PER_MIN:
            return (PROMISE_CLASS, 0.0, ticket.place)
        head_start_min = self.head_start_min.get(segment, 0.0)
        if segment == APPOINTMENT and now_ms < ticket.appointment_at - self.early_min * MS_PER_MIN:
            head_start_min = 0.0
        return (SCORE_CLASS, -self._score_ms(segment, waited_ms, head_start_min), ticket.place)

    def score_ms(self, ticket: QueueTicket, now_ms: int) -> int:
        """The waiting ticket's score in ms, for the ledger; 0 above the promise."""
        return round(-self.rank(ticket, now_ms)[1] * MS_PER_MIN)

    def _score_ms(self, segment: str, waited_ms: int, head_start_min: float) -> float:
        # Summed in ms, where whole numbers are exact: a tie stays a tie whatever the time is.
        head_start_ms = head_start_min * MS_PER_MIN
        return (head_start_ms + self.rate.get(segment, 1.0) * waited_ms) / MS_PER_MIN
