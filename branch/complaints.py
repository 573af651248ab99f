"""The complaints that wait for their answer: who owns each, until when, and what staff say."""

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import select

from branch.feedback_tables import complaint_table
from branch.store import Store
from branch.view import CommandRefused
from sync.messages import (
    AnyEvent,
    ComplaintAnswered,
    ComplaintOpened,
    ComplaintTaken,
    OfComplaintData,
    Payload,
    UnknownEvent,
)


@dataclass(frozen=True, slots=True)
class Complaint:
    """One complaint. ``owner`` None: nobody has taken it; "" where nobody signs in. Dates are
    ISO, ``at`` is when it was opened (Unix ms).
    """

    id: str
    number: str
    topic: str
    due_date: str
    node: str
    at: int
    owner: str | None
    answered: bool = False


class Complaints:
    """Every command is idempotent, and by its ``key`` in the ledger known as the same."""

    def __init__(self, store: Store, record: Callable[[str, Payload], None]) -> None:
        self._store = store
        self._record = record
        self._open: tuple[Complaint, ...] | None = None

    def note(self, event: AnyEvent | UnknownEvent) -> None:
        """An event that is committed."""
        if isinstance(event, ComplaintOpened | ComplaintTaken | ComplaintAnswered):
            self._open = None

    def open(self) -> tuple[Complaint, ...]:
        """Those without an answer, the first due first. Raises SQLAlchemyError."""
        if self._open is None:
            columns = complaint_table.c
            query = (
                select(complaint_table)
                .where(columns.answered_at.is_(None))
                .order_by(columns.due_date, columns.at, columns.id)
            )
            with self._store.reading() as connection:
                rows = connection.execute(query).all()
            self._open = tuple(_read(row) for row in rows)
        return self._open

    def take(self, complaint: str, key: str, by: str) -> None:
        """``by`` owns it from now on. Raises CommandRefused (unknown_complaint, answered),
        NotStored.
        """
        found = self._find(complaint)
        if found.answered:
            raise CommandRefused("answered", f"complaint {found.number} is answered already")
        if found.owner != by:
            self._say("complaint.taken", found, key, by)

    def answer(self, complaint: str, key: str, by: str) -> None:
        """It is answered; again changes nothing. Raises CommandRefused (unknown_complaint),
        NotStored.
        """
        found = self._find(complaint)
        if not found.answered:
            self._say("complaint.answered", found, key, by)

    def _say(self, event_type: str, of: Complaint, key: str, by: str) -> None:
        data = OfComplaintData(complaint=of.id, number=of.number, key=key, by=by)
        self._record(event_type, data)

    def _find(self, complaint: str) -> Complaint:
        query = select(complaint_table).where(complaint_table.c.id == complaint)
        with self._store.reading() as connection:
            row = connection.execute(query).one_or_none()
        if row is None:
            raise CommandRefused("unknown_complaint", "there is no such complaint")
        return _read(row)


def _read(row: object) -> Complaint:
    return Complaint(
        row.id, row.number, row.topic, row.due_date, row.node, row.at, row.owner,  # type: ignore[attr-defined]
        answered=row.answered_at is not None,  # type: ignore[attr-defined]
    )  # fmt: skip
