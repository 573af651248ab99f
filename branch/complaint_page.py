"""A complaint's own page, for whoever holds its receipt: what it is about, until when it is to be
answered, and how it was. Nothing of a person, not even who of the staff sees to it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from branch.complaints import Complaints
from branch.ticket_page import UnknownPage
from sync.clock import Clock

KEEP = timedelta(days=180)
"""So long after it was opened a complaint has a page."""


@dataclass(frozen=True, slots=True)
class ComplaintState:
    """``state`` is open, taken, late (its day is over without an answer) or answered. Dates are
    ISO; ``answered_date`` and ``outcome`` are "" while there is no answer.
    """

    number: str
    topic: str
    state: str
    opened_date: str
    due_date: str
    answered_date: str = ""
    outcome: str = ""


class ComplaintPages:
    """``date_text`` is the branch's local date (ISO) of a time (Unix ms); ``branch`` its name and
    ``phone`` the one for complaints, "" for none.
    """

    def __init__(
        self,
        complaints: Complaints,
        clock: Clock,
        date_text: Callable[[int], str],
        branch: dict[str, str],
        phone: str,
    ) -> None:
        self.branch = branch
        self.phone = phone
        self._complaints = complaints
        self._clock = clock
        self._date_text = date_text

    def now_ms(self) -> int:
        """The branch's time (Unix ms)."""
        return self._clock.wall_ms()

    def state(self, key: str) -> ComplaintState:
        """How the complaint stands now. Raises UnknownPage, SQLAlchemyError."""
        now_ms = self._clock.wall_ms()
        since_ms = now_ms - KEEP // timedelta(milliseconds=1)
        found = self._complaints.of_key(key, since_ms)
        if found is None:
            raise UnknownPage(key)
        if found.answered_at is not None:
            state = "answered"
        elif self._date_text(now_ms) > found.due_date:
            state = "late"
        else:
            state = "open" if found.owner is None else "taken"
        answered = found.answered_at
        return ComplaintState(
            number=found.number,
            topic=found.topic,
            state=state,
            opened_date=self._date_text(found.at),
            due_date=found.due_date,
            answered_date="" if answered is None else self._date_text(answered),
            outcome=found.outcome,
        )
