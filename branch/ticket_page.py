"""A ticket's own page, for whoever holds its slip: where it stands, and one answer afterwards.

The page's key is the random part of the ticket's id; nobody signs in, and nothing of a person is
kept. A visit has one rating, whichever way it came first.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypedDict

from sqlalchemy import Row, select

from branch.config import BranchConfig
from branch.estimate import round_outward
from branch.feedback_tables import reason_table
from branch.queue import Engine, QueueTicket, TicketPhase
from branch.standards import Standards
from branch.store import Store
from branch.tables import forecast_table, rating_table, ticket_table, visit_table
from branch.view import CommandRefused
from branch.wait_clock import WaitClock
from sync.clock import Clock
from sync.feedback import REASONS
from sync.identity import page_ids
from sync.messages import PadRef, Payload, RatingData, ReasonData

KEEP_MS = 36 * 3_600_000
"""So long after its issue a ticket has a page."""
PAGE = "page"
LOW_SCORES = (1, 2)
MINUTE_MS = 60_000


class UnknownPage(LookupError):
    """No ticket of these days has this key."""


@dataclass(frozen=True, slots=True)
class TicketState:
    """``state`` is waiting, called, serving, parked, missed, served or over. ``ahead`` None: not
    waiting. ``wait_min`` is what is left of the interval on the slip, once ``late`` what is
    forecast now; rounded outwards, None: unknown. ``counter`` 0: none. ``may_rate``,
    ``may_say_why``: what can still be said, once.

    ``late`` is "" or, of a ticket that waits, which word was not kept: ``slip`` (longer than the
    interval on it, ``said_min``) or ``promise`` (longer than the branch promises for the service,
    ``promised_min``; 0: it promises nothing). ``waited_min`` is how long it waits.
    """

    number: str
    service_zh: str
    service_en: str
    state: str
    ahead: int | None
    wait_min: tuple[int, int] | None
    counter: int
    may_rate: bool
    may_say_why: bool
    late: str = ""
    waited_min: int = 0
    said_min: tuple[int, int] | None = None
    promised_min: int = 0


class _Wait(TypedDict):
    """Those fields of the state that tell of the wait."""

    wait_min: tuple[int, int] | None
    late: str
    waited_min: int
    said_min: tuple[int, int] | None
    promised_min: int


_NO_WAIT = _Wait(wait_min=None, late="", waited_min=0, said_min=None, promised_min=0)


class TicketPages:
    """``record`` journals an event of the server about a ticket that the queue still knows."""

    def __init__(
        self,
        config: BranchConfig,
        engine: Engine,
        store: Store,
        clock: Clock,
        record: Callable[[str, Payload, str], None],
        standards: Standards,
        waits: WaitClock,
    ) -> None:
        self.branch = {"zh": config.branch.zh, "en": config.branch.en}
        self._engine = engine
        self._store = store
        self._clock = clock
        self._record = record
        self._standards = standards
        self._waits = waits
        self._services = {s.letter: (s.zh, s.en) for s in config.services}

    def now_ms(self) -> int:
        """The branch's time (Unix ms)."""
        return self._clock.wall_ms()

    def state(self, key: str) -> TicketState:
        """Where the ticket stands now. Raises UnknownPage, SQLAlchemyError."""
        row = self._find(key)
        found = self._engine.tickets.get(row.id)
        phase = found.phase if found else None
        waiting = found is not None and phase is TicketPhase.WAITING
        rated = self._score(row.id)
        served = row.outcome == "served"
        zh, en = self._services.get(row.service, (row.service, row.service))
        return TicketState(
            number=row.number,
            service_zh=zh,
            service_en=en,
            state=_state(phase, row.outcome),
            ahead=self._ahead(row.id) if waiting else None,
            **(self._wait(found) if found is not None and waiting else _NO_WAIT),
            counter=row.counter or 0,
            may_rate=served and rated is None and self._nonce(row.id) is not None,
            may_say_why=rated in LOW_SCORES and not self._has_reason(row.id),
        )

    def rate(self, key: str, score_1to5: int) -> None:
        """The visit's rating, if it has none. Raises UnknownPage, CommandRefused (rated,
        not_served), NotStored.
        """
        row = self._find(key)
        if self._score(row.id) is not None:
            raise CommandRefused("rated", "this visit has its rating")
        visit = self._nonce(row.id)
        if row.outcome != "served" or visit is None:
            raise CommandRefused("not_served", "the visit is not over")
        nonce, counter = visit
        data = RatingData(
            counter=counter,
            score_1to5=score_1to5,
            nonce=nonce,
            delay_ms=max(0, self._clock.wall_ms() - (row.ended_at or 0)),
            pad=PadRef(unique_id=PAGE, boot_id=0, seq=0),
        )
        self._record("rating.submitted", data, row.id)

    def say_why(self, key: str, reason: str) -> None:
        """Why the rating was low, once. Raises UnknownPage, CommandRefused (not_low, said,
        unknown_reason), NotStored.
        """
        row = self._find(key)
        if reason not in REASONS:
            raise CommandRefused("unknown_reason", f"the reasons are {', '.join(REASONS)}")
        if self._score(row.id) not in LOW_SCORES:
            raise CommandRefused("not_low", "only a low rating has a reason")
        if self._has_reason(row.id):
            raise CommandRefused("said", "this visit has its reason")
        data = ReasonData(
            reason=reason, channel=PAGE, request=f"{PAGE}:{key}", counter=row.counter or 0
        )
        self._record("feedback.given", data, row.id)

    # --- what is known ------------------------------------------------------------------------

    def _find(self, key: str) -> Row[tuple[object, ...]]:
        columns, ids = ticket_table.c, page_ids(key)
        if ids is None:
            raise UnknownPage(key)
        query = select(ticket_table).where(
            columns.id.like(ids),
            columns.issued_at > self._clock.wall_ms() - KEEP_MS,
            columns.outcome != "voided",
        )
        with self._store.reading() as connection:
            row = connection.execute(query).first()
        if row is None:
            raise UnknownPage(key)
        return row

    def _ahead(self, ticket_id: str) -> int:
        ticket = self._engine.tickets[ticket_id]
        return sum(
            other.place < ticket.place
            for (service, *_), line in self._engine.lines.by_key.items()
            if service == ticket.service
            for other in line
        )

    def _wait(self, ticket: QueueTicket) -> _Wait:
        """How its wait goes, measured by what was said of it."""
        now_ms = self._clock.wall_ms()
        waited_ms = max(0, now_ms - self._engine.waiting_from_ms(ticket))
        promised_ms = self._standards.of(ticket.service).max_wait_ms
        columns = forecast_table.c
        query = select(columns.p10_ms, columns.p90_ms).where(columns.ticket == ticket.id)
        with self._store.reading() as connection:
            said = connection.execute(query).one_or_none()
        left_min = said_min = None
        late = "promise" if promised_ms and waited_ms >= promised_ms else ""
        if said is not None and said.p10_ms is not None and said.p90_ms is not None:
            said_min = round_outward(said.p10_ms / MINUTE_MS, said.p90_ms / MINUTE_MS)
            since_ms = now_ms - ticket.issued_at
            high_ms = max(said_min[1], 1) * MINUTE_MS - since_ms
            late = late or ("slip" if high_ms <= 0 else "")
            low_ms = max(0, said_min[0] * MINUTE_MS - since_ms)
            left_min = low_ms // MINUTE_MS, -(-high_ms // MINUTE_MS)
        return _Wait(
            wait_min=self._waits.left_min(ticket) if late else left_min,
            late=late,
            waited_min=waited_ms // MINUTE_MS,
            said_min=said_min,
            promised_min=promised_ms // MINUTE_MS,
        )

    def _score(self, ticket_id: str) -> int | None:
        query = select(rating_table.c.score_1to5).where(rating_table.c.ticket == ticket_id)
        with self._store.reading() as connection:
            return connection.execute(query).scalar_one_or_none()

    def _nonce(self, ticket_id: str) -> tuple[int, int] | None:
        columns = visit_table.c
        query = select(columns.nonce, columns.counter).where(columns.ticket == ticket_id)
        with self._store.reading() as connection:
            row = connection.execute(query).first()
        return None if row is None else (row.nonce, row.counter)

    def _has_reason(self, ticket_id: str) -> bool:
        query = select(reason_table.c.event_id).where(reason_table.c.ticket == ticket_id)
        with self._store.reading() as connection:
            return connection.execute(query).first() is not None


def _state(phase: TicketPhase | None, outcome: str) -> str:
    if outcome in ("served", "missed"):
        return outcome
    names = {
        TicketPhase.ISSUED: "waiting",  # its slip is not confirmed yet
        TicketPhase.WAITING: "waiting",
        TicketPhase.CALLED: "called",
        TicketPhase.SERVING: "serving",
        TicketPhase.PARKED: "parked",
    }
    return names.get(phase, "over") if phase else "over"
