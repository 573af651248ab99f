"""The branch's database: the ledger of events and the tables that pages and reports read.

One transaction holds the inbox row and every projection of it.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import structlog
from sqlalchemy import (
    Connection,
    insert,
    select,
    update,
)
from sqlalchemy.exc import SQLAlchemyError

from branch.database import Database, cause
from branch.dating import Dating
from branch.errors import StoreUnusable
from branch.projection import by_own_clock, project
from branch.seen import note_all, note_numbers
from branch.tables import (
    forecast_table,
    seen_table,
    ticket_table,
    visit_table,
)
from sync.errors import BadMessage
from sync.identity import chain
from sync.ledger import event_row, event_table, keep_mark, last_place, node_table
from sync.messages import (
    AnyEvent,
    Event,
    UnknownEvent,
    decode_event,
    encode,
)

log = structlog.get_logger()


class Store(Database):
    """The branch's own database; every event goes through ``project``."""

    def __init__(self, url: str) -> None:
        """Open or create the database. Raises StoreUnusable."""
        super().__init__(url)
        try:
            with self.transaction() as connection:
                note_all(connection)
        except SQLAlchemyError as error:
            self.close()
            raise StoreUnusable(f"{self.name}: {cause(error)}; is the disk healthy?") from error
        self.dating: Dating | None = None
        """Dates the events; without it they are dated as their devices did."""
        self.forecasts: Callable[[Sequence[AnyEvent | UnknownEvent]], list[dict[str, Any]]] = (
            lambda _: []
        )
        """Rows of ``wait_forecast`` for the tickets that these events issue; raises nothing."""
        self.unreadable = 0
        """Rows of the ledger that this version cannot read; they are kept."""

    def events(self) -> Iterator[AnyEvent | UnknownEvent]:
        """Every event, as the queue must apply them: in the order in which they were committed
        here. A row that cannot be read is left out, counted and logged.
        """
        with self.reading() as connection:
            rows = connection.execute(
                select(event_table.c.place, event_table.c.raw).order_by(event_table.c.place)
            )
            for place, raw in rows:
                try:
                    item = decode_event(raw)
                except BadMessage as error:
                    self.unreadable += 1
                    log.error("store.unreadable_event", place=place, error=str(error))
                    continue
                yield item

    def top(self, connection: Connection, node: str) -> tuple[int, str] | None:
        """Last sequence number and chain digest of ``node``, None before its first event."""
        row = connection.execute(
            select(node_table.c.hw, node_table.c.digest).where(node_table.c.node == node)
        ).one_or_none()
        return None if row is None else (row.hw, row.digest)

    def append_own(self, connection: Connection, own: Event, now_ms: int) -> str:
        """Add an event of the server itself to the ledger; returns the chain digest after it."""
        raw = encode(own)
        digest = chain(raw)
        row = event_row(own.src, own, digest, raw, now_ms, last_place(connection) + 1)
        connection.execute(insert(event_table).values(row))
        keep_mark(connection, own.src, own.epoch, own.seq, digest)
        return digest

    def knows_nonce(self, nonce: int) -> bool:
        """Whether a visit has this nonce already. Raises SQLAlchemyError."""
        with self.reading() as connection:
            query = select(visit_table.c.nonce).where(visit_table.c.nonce == nonce)
            return connection.execute(query).one_or_none() is not None

    def last_number(self, node: str, business_date: str, service: str, band: int) -> int:
        """The highest number that ``node`` gave, 0 for none. Raises SQLAlchemyError."""
        seen = seen_table.c
        query = select(seen.last).where(
            seen.node == node, seen.business_date == business_date, seen.service == service,
            seen.band == band,
        )  # fmt: skip
        with self.reading() as connection:
            return connection.execute(query).scalar_one_or_none() or 0

    def return_to_line(self, tickets: Iterable[str]) -> None:
        """Take back the calls of these open tickets: their counter is no longer configured.
        Raises SQLAlchemyError.
        """
        waiting = {"counter": None, "called_at": None, "started_at": None}
        with self.transaction() as connection:
            connection.execute(
                update(ticket_table)
                .where(ticket_table.c.id.in_(list(tickets)), ticket_table.c.outcome == "open")
                .values(**waiting)
            )

    def project(
        self, connection: Connection, events: Sequence[AnyEvent | UnknownEvent]
    ) -> list[str]:
        """Bring the tables up to ``events``; returns the tickets that got their rating by them."""
        note_numbers(connection, events)
        at = by_own_clock
        if self.dating is not None:
            self.dating.heard(events)
            at = self.dating.at
        rated = project(connection, events, at)
        forecasts = self.forecasts(events)
        if forecasts:
            connection.execute(insert(forecast_table), forecasts)
        return rated
