"""The complaints: who owns each, until when it is to be answered, how it was, what staff say."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, select

from branch.feedback_tables import answer_table, complaint_table
from branch.store import Store
from branch.view import CommandRefused
from sync.feedback import OUTCOMES
from sync.identity import page_ids
from sync.messages import (
    AnswerData,
    AnyEvent,
    ComplaintAnswered,
    ComplaintOpened,
    ComplaintReopened,
    ComplaintTaken,
    OfComplaintData,
    Payload,
    UnknownEvent,
)

ANSWERED_SHOWN = 50
"""So many of those with an answer are listed, the last ones."""
KEYS = 1000


@dataclass(frozen=True, slots=True)
class Complaint:
    """One complaint. ``owner`` None: nobody has taken it; "" where nobody signs in. Dates are
    ISO, ``at`` is when it was opened, ``answered_at`` when it was answered (Unix ms), None: not
    yet. ``outcome`` is one of OUTCOMES, "" for none or an unknown one.
    """

    id: str
    number: str
    topic: str
    due_date: str
    node: str
    at: int
    owner: str | None
    answered_at: int | None = None
    answered_by: str = ""
    outcome: str = ""


class Complaints:
    """Every command is idempotent, and by its ``key`` in the ledger known as the same."""

    def __init__(self, store: Store, record: Callable[[str, Payload], None]) -> None:
        self._store = store
        self._record = record
        self._open: tuple[Complaint, ...] | None = None
        self._keys: dict[str, None] = {}

    def note(self, event: AnyEvent | UnknownEvent) -> None:
        """An event that is committed."""
        match event:
            case ComplaintOpened():
                self._open = None
            case ComplaintTaken() | ComplaintAnswered() | ComplaintReopened():
                self._open = None
                self._keys[event.data.key] = None
                if len(self._keys) > KEYS:
                    del self._keys[next(iter(self._keys))]
            case _:
                pass

    def open(self) -> tuple[Complaint, ...]:
        """Those without an answer, the first due first. Raises SQLAlchemyError."""
        if self._open is None:
            columns = complaint_table.c
            query = (
                _ALL.where(columns.answered_at.is_(None))
                .order_by(columns.due_date, columns.at, columns.id)
            )  # fmt: skip
            self._open = self._read(query)
        return self._open

    def answered(self) -> tuple[Complaint, ...]:
        """The last ones with an answer, the newest first. Raises SQLAlchemyError."""
        columns = complaint_table.c
        query = (
            _ALL.where(columns.answered_at.is_not(None))
            .order_by(columns.answered_at.desc(), columns.id)
            .limit(ANSWERED_SHOWN)
        )  # fmt: skip
        return self._read(query)

    def of_key(self, key: str, since_ms: int) -> Complaint | None:
        """The one opened after ``since_ms`` whose page is known by ``key``; None for none. Raises
        SQLAlchemyError.
        """
        columns, ids = complaint_table.c, page_ids(key)
        if ids is None:
            return None
        found = self._read(_ALL.where(columns.id.like(ids), columns.at > since_ms))
        return found[0] if found else None

    def take(self, complaint: str, key: str, by: str) -> None:
        """``by`` owns it from now on. Raises CommandRefused (unknown_complaint, answered),
        NotStored.
        """
        found = self._find(complaint)
        if key in self._keys:
            return
        if found.answered_at is not None:
            raise CommandRefused("answered", f"complaint {found.number} is answered already")
        if found.owner != by:
            data = OfComplaintData(complaint=found.id, number=found.number, key=key, by=by)
            self._record("complaint.taken", data)

    def answer(self, complaint: str, key: str, by: str, outcome: str) -> None:
        """It is answered; again changes nothing. Raises CommandRefused (unknown_complaint,
        unknown_outcome), NotStored.
        """
        found = self._find(complaint)
        if outcome and outcome not in OUTCOMES:
            raise CommandRefused("unknown_outcome", f"the outcomes are {', '.join(OUTCOMES)}")
        if found.answered_at is None and key not in self._keys:
            data = AnswerData(
                complaint=found.id, number=found.number, key=key, by=by, outcome=outcome
            )
            self._record("complaint.answered", data)

    def reopen(self, complaint: str, key: str, by: str) -> None:
        """The answer is taken back: it is open, under the same owner and the same day. Raises
        CommandRefused (unknown_complaint), NotStored.
        """
        found = self._find(complaint)
        if found.answered_at is not None and key not in self._keys:
            data = OfComplaintData(complaint=found.id, number=found.number, key=key, by=by)
            self._record("complaint.reopened", data)

    def _find(self, complaint: str) -> Complaint:
        found = self._read(_ALL.where(complaint_table.c.id == complaint))
        if not found:
            raise CommandRefused("unknown_complaint", "there is no such complaint")
        return found[0]

    def _read(self, query: Select[Any]) -> tuple[Complaint, ...]:
        with self._store.reading() as connection:
            rows = connection.execute(query).all()
        return tuple(
            Complaint(
                row.id, row.number, row.topic, row.due_date, row.node, row.at, row.owner,
                row.answered_at, row.answered_by or "", row.outcome or "",
            )
            for row in rows
        )  # fmt: skip


_ALL = select(complaint_table, answer_table.c.outcome).outerjoin(
    answer_table, answer_table.c.complaint == complaint_table.c.id
)
