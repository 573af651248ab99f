"""Codes that visitors show at a kiosk: an appointment becomes a ticket once, and the slip in
somebody's hand tells how its wait goes.

What a code has become is a fold of the ledger: the first ticket that carries it has the
appointment, whichever kiosk gave it. A kiosk that could not ask sends the code along; its ticket
gets the slot when the event is here, and any later ticket of the same code is an ordinary one.
"""

from collections.abc import Callable
from datetime import tzinfo

import structlog
from sqlalchemy import select

from branch.appointment_rows import Appointment
from branch.appointments import AppointmentBook
from branch.commands import Postpone, said_as
from branch.config import BranchConfig
from branch.desk import MS_PER_MIN, Desk, Record
from branch.errors import NotStored
from branch.estimate import round_outward
from branch.queue import Engine, QueueTicket, TicketPhase
from branch.queue.discipline import APPOINTMENT, ORDINARY
from branch.queue.ticket import ENDED
from branch.standards import Standards
from branch.store import Store
from branch.tables import forecast_table
from branch.view import CommandRefused
from sync.clock import Clock
from sync.codes import AskCode, CodeAnswer, ticket_code, token_of
from sync.errors import BadMessage
from sync.messages import AnyEvent, TaggedData, TicketIssued, UnknownEvent

LOBBY = 0
KEPT = 5000
"""Codes that are remembered: some days of a large branch."""
LATER_MIN = (5, 60)
"""How long a visitor may have the ticket set aside."""
_KEY_LENGTH = 64
_TOKEN = frozenset("abcdefghijklmnop")

log = structlog.get_logger()


class Codes:
    """``date_of`` tells the business date of a time (Unix ms)."""

    def __init__(
        self,
        config: BranchConfig,
        engine: Engine,
        clock: Clock,
        store: Store,
        desk: Desk,
        standards: Standards,
        record: Record,
        date_of: Callable[[int], str],
        tz: tzinfo | None,
    ) -> None:
        self._book = AppointmentBook(
            config.appointments,
            [service.letter for service in config.services],
            [counter.number for counter in config.counters],
            tz,
        )
        self._engine = engine
        self._clock = clock
        self._store = store
        self._desk = desk
        self._standards = standards
        self._record = record
        self._date_of = date_of
        self._hold_ms = round(config.queue.same_teller_min * MS_PER_MIN)
        self._first: dict[tuple[str, str], tuple[str, str]] = {}  # code, date: ticket, number
        self._unsettled: dict[str, tuple[str, bool]] = {}  # ticket: code, whether it is the first

    # --- the ledger ---------------------------------------------------------------------------

    def note(self, event: AnyEvent | UnknownEvent) -> None:
        """An event that the queue has taken."""
        if not isinstance(event, TicketIssued) or not event.data.code:
            return
        data = event.data
        first = self._first.setdefault((data.code, data.business_date), (event.id, data.number))
        while len(self._first) > KEPT:
            del self._first[next(iter(self._first))]
        is_first = first[0] == event.id
        if not (is_first and data.appointment_ms):
            self._unsettled[event.id] = data.code, is_first

    def settle(self) -> None:
        """Give tickets of kiosks that could not ask their slot, and second ones none; what cannot
        be stored now is tried again.
        """
        for ticket_id, (code, is_first) in list(self._unsettled.items()):
            ticket = self._engine.tickets.get(ticket_id)
            if ticket is None or ticket.phase in ENDED:
                del self._unsettled[ticket_id]
            elif ticket.phase is TicketPhase.WAITING:
                try:
                    self._settle(ticket, code, is_first=is_first)
                except NotStored:
                    return  # logged already
                del self._unsettled[ticket_id]

    def _settle(self, ticket: QueueTicket, code: str, *, is_first: bool) -> None:
        key = f"code:{ticket.id}"
        if self._engine.done("ticket.tagged", LOBBY, key):
            return
        booked = self._book.find(code) if is_first else None
        if booked is not None and self._today_s(booked):
            data = TaggedData(
                counter=LOBBY, key=key, segment=APPOINTMENT, appointment_ms=booked.at_ms
            )
        elif ticket.segment == APPOINTMENT:
            data = TaggedData(counter=LOBBY, key=key, segment=ORDINARY)
        else:
            return
        self._record("ticket.tagged", data, ticket)

    # --- what a kiosk asks ----------------------------------------------------------------------

    def ask(self, ask: AskCode) -> CodeAnswer:
        """What the code is, or what became of the wish. Raises BadMessage, SQLAlchemyError."""
        if not 0 < len(ask.key) <= _KEY_LENGTH:
            raise BadMessage(f"key of {len(ask.key)} characters: expected 1 to {_KEY_LENGTH}")
        if len(ask.code) != 16 or not set(ask.code) <= _TOKEN:
            raise BadMessage("code: expected a token of 16 letters from a to p")
        booked = self._book.find(ask.code)
        if booked is not None:
            return self._of_appointment(ask, booked)
        ticket = self._held(ask.code)
        if ticket is None:
            return CodeAnswer(key=ask.key, state="unknown")
        if ask.action == "later" and not self._set_aside(ticket, ask):
            return CodeAnswer(key=ask.key, state="refused", number=ticket.number)
        return self._of_ticket(ask, ticket)

    def _of_appointment(self, ask: AskCode, booked: Appointment) -> CodeAnswer:
        now_ms = self._clock.wall_ms()
        discipline = self._engine.discipline
        used = self._first.get((ask.code, self._date_of(now_ms)))
        if used is not None:
            state = "used"
        elif not self._today_s(booked):
            state = "other_day"
        elif now_ms < booked.at_ms - discipline.early_min * MS_PER_MIN:
            state = "early"
        elif now_ms > booked.at_ms + discipline.late_min * MS_PER_MIN:
            state = "late"
        else:
            state = "on_time"
        ticket, number = used or ("", "")
        return CodeAnswer(
            key=ask.key, state=state, service=booked.service, at_ms=booked.at_ms,
            counter=booked.counter, hold_ms=self._hold_ms if booked.counter else 0,
            ticket=ticket, number=number,
        )  # fmt: skip

    def _today_s(self, booked: Appointment) -> bool:
        return self._date_of(booked.at_ms) == self._date_of(self._clock.wall_ms())

    def _held(self, token: str) -> QueueTicket | None:
        """The ticket whose slip has this code; None where that is nobody's, or not one's alone."""
        found = [
            ticket
            for ticket in self._engine.tickets.values()
            if token_of(ticket_code(ticket.id)) == token
        ]
        live = [ticket for ticket in found if ticket.phase not in ENDED]
        some = live or found[-1:]
        return some[0] if len(some) == 1 else None

    def _set_aside(self, ticket: QueueTicket, ask: AskCode) -> bool:
        command = Postpone(number=ticket.number, minutes=ask.for_ms / MS_PER_MIN)
        if self._engine.done("ticket.parked", LOBBY, said_as(LOBBY, command, ask.key)[1]):
            return True
        shortest, longest = LATER_MIN
        if ticket.phase is not TicketPhase.WAITING or not shortest <= command.minutes <= longest:
            return False
        try:
            self._desk.carry_out(LOBBY, command, ask.key)
        except (CommandRefused, NotStored) as error:
            log.warning("codes.not_set_aside", number=ticket.number, error=str(error))
            return False
        return True

    def _of_ticket(self, ask: AskCode, ticket: QueueTicket) -> CodeAnswer:
        waited_ms = max(0, self._clock.wall_ms() - self._engine.waiting_from_ms(ticket))
        limit_ms = self._standards.of(ticket.service).max_wait_ms
        state = {
            TicketPhase.CALLED: "called",
            TicketPhase.SERVING: "called",
            TicketPhase.PARKED: "parked",
        }.get(ticket.phase, "over" if ticket.phase in ENDED else "waiting")
        if state == "waiting" and limit_ms and waited_ms >= limit_ms:
            state = "breached"
        low_min, high_min = self._forecast(ticket.id)
        return CodeAnswer(
            key=ask.key, state=state, service=ticket.service, ticket=ticket.id,
            number=ticket.number, counter=ticket.counter or 0, waited_ms=waited_ms,
            limit_ms=limit_ms, low_min=low_min, high_min=high_min,
        )  # fmt: skip

    def _forecast(self, ticket: str) -> tuple[int, int] | tuple[None, None]:
        columns = forecast_table.c
        query = select(columns.p10_ms, columns.p90_ms).where(columns.ticket == ticket)
        with self._store.reading() as connection:
            row = connection.execute(query).one_or_none()
        if row is None or row.p10_ms is None or row.p90_ms is None:
            return None, None
        return round_outward(row.p10_ms / MS_PER_MIN, row.p90_ms / MS_PER_MIN)
