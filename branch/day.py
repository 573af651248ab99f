"""The end of a business day: whoever still waits when a newer day has begun is not waiting any
more.

A day has begun when a ticket of its date has arrived and the server's own calendar has reached
that date: a kiosk whose clock runs ahead must not close a queue. A ticket belongs to its business
date; if nobody vouched for the kiosk's clock, to the day on which it arrived, if that is later: a
person who took a number from a kiosk with a wrong clock is served all the same.

A ticket of a day that is over, from a kiosk that was cut off, is closed as it arrives, and never
called.
"""

from collections.abc import Callable, Iterable

from sqlalchemy import ColumnElement, Connection, func, select

from branch.queue import Engine, QueueTicket, TicketPhase
from branch.tables import OPEN, seen_table, ticket_table
from sync.errors import BadMessage
from sync.ledger import event_table
from sync.messages import AnyEvent, TicketIssued, UnknownEvent, decode_event

VOUCHED = ("ntp", "srv")
"""Clock qualities whose dates are believed; any other ticket is of the day on which it came."""
REASON = "day_end"


class DayEnd:
    """Which waiting tickets are of a day that is over. Dates are ISO, so they sort as text."""

    def __init__(self) -> None:
        self.day = ""
        """The newest business date that has begun."""
        self._days: dict[str, str] = {}  # ticket id -> its day, while the ticket may wait
        self._due = True

    def restore(self, connection: Connection, today: str, date_of: Callable[[int], str]) -> None:
        """Learn what the database has of open tickets and of the days so far. ``date_of`` gives
        the branch's calendar date of a Unix time (ms). Raises SQLAlchemyError.
        """
        query = select(func.max(seen_table.c.business_date)).where(
            seen_table.c.business_date <= today
        )
        self.day = str(connection.execute(query).scalar_one() or "")
        self._learn(connection, date_of, OPEN)

    def knows(self, ticket_id: str) -> bool:
        """Whether this ticket is watched."""
        return ticket_id in self._days

    def again(self, connection: Connection, ticket_id: str, date_of: Callable[[int], str]) -> None:
        """A ticket that had ended waits again. Raises SQLAlchemyError."""
        self._learn(connection, date_of, ticket_table.c.id == ticket_id)

    def _learn(
        self, connection: Connection, date_of: Callable[[int], str], which: ColumnElement[bool]
    ) -> None:
        rows = connection.execute(
            select(event_table.c.raw, event_table.c.received_at)
            .join(ticket_table, ticket_table.c.id == event_table.c.id)
            .where(which)
        )
        for raw, received_at in rows:
            try:
                event = decode_event(raw)
            except BadMessage:
                continue  # the store tells of rows that it cannot read
            if isinstance(event, TicketIssued):
                self._days[event.id] = _day_of(event, date_of(received_at))

    def note(self, events: Iterable[AnyEvent | UnknownEvent], today: str) -> None:
        """These have just arrived; the branch's calendar says ``today``."""
        for event in events:
            if isinstance(event, TicketIssued):
                self._days[event.id] = _day_of(event, today)
                if self.day < event.data.business_date <= today:
                    self.day, self._due = event.data.business_date, True
            if self._days.get(event.sub or "", self.day) < self.day:
                self._due = True  # a ticket of a day that is over, or the word about its slip

    def over(self, engine: Engine) -> list[QueueTicket]:
        """Waiting tickets of days that are over; empty until ``note`` has found a reason."""
        if not self._due:
            return []
        for ticket_id in [i for i in self._days if not _may_wait(engine.tickets.get(i))]:
            del self._days[ticket_id]
        return [
            ticket
            for ticket_id, day in self._days.items()
            if day < self.day and (ticket := engine.tickets[ticket_id]).phase in _NOT_ANY_MORE
        ]

    def closed(self) -> None:
        """All of them are closed now."""
        self._due = False


def _day_of(event: TicketIssued, arrived: str) -> str:
    day = event.data.business_date
    return day if event.clk.quality in VOUCHED else max(day, arrived)


def _may_wait(ticket: QueueTicket | None) -> bool:
    return ticket is not None and ticket.phase in _BEFORE_THE_END


_BEFORE_THE_END = (
    TicketPhase.ISSUED,
    TicketPhase.WAITING,
    TicketPhase.CALLED,
    TicketPhase.SERVING,
    TicketPhase.PARKED,
    TicketPhase.MISSED,
)
"""A ticket at a counter may come back to its line: sent on, or when the counter is taken away; a
missed customer may come back.
"""
_NOT_ANY_MORE = (TicketPhase.WAITING, TicketPhase.PARKED)
