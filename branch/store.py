"""The branch's database through SQLAlchemy Core: the ledger of events and the tables that pages
and reports read.

One transaction holds the inbox row and every projection of it. SQLite runs in WAL with
``synchronous=FULL``.
"""

import secrets
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import structlog
from sqlalchemy import (
    ColumnElement,
    Connection,
    create_engine,
    event,
    insert,
    inspect,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError

from branch.errors import StoreUnusable
from branch.tables import (
    OPEN,
    UNCALLED,
    UNSTARTED,
    WAITING,
    about_table,
    at_counter,
    device_table,
    rating_table,
    ticket_table,
    visit_table,
)
from sync.errors import BadMessage
from sync.identity import chain
from sync.inbox import event_row, event_table, keep_mark, metadata, node_table
from sync.messages import (
    AnyEvent,
    DeviceChanged,
    Event,
    RatingSubmitted,
    RatingUnsolicited,
    ServiceEnded,
    ServiceStarted,
    TicketAbandoned,
    TicketCalled,
    TicketIssued,
    TicketMissed,
    TicketPrinted,
    TicketPrintFailed,
    TicketVoided,
    UnknownEvent,
    decode_event,
    encode,
)

SCHEMA_VERSION = 1
SCORES = range(1, 6)
"""A pad has five keys."""

_READING = "reading"
"""Execution option of a connection that only reads: it needs no write lock."""

log = structlog.get_logger()


class Store:
    """One database. Every write goes through ``transaction``; every event through ``project``."""

    def __init__(self, url: str) -> None:
        """Open or create the database. Raises StoreUnusable."""
        self.failure = ""
        """Why the last transaction was not committed, "" when it was."""
        self.unreadable = 0
        """Rows of the ledger that this version cannot read; they are kept."""
        try:
            self.name = name = make_url(url).render_as_string(hide_password=True)
            self._engine = create_engine(url)
        except NoSuchModuleError:
            raise StoreUnusable(
                f"{name}: no database of this kind is known; expected sqlite or postgresql"
            ) from None
        except ArgumentError:
            raise StoreUnusable(
                "database: not the URL of a database; expected a file name or"
                " dialect://user@host/name"
            ) from None
        except ImportError as error:
            raise StoreUnusable(f"{name}: its driver is not installed ({error})") from error
        if self._engine.dialect.name == "sqlite":
            event.listen(self._engine, "connect", _prepare_sqlite)
            event.listen(self._engine, "begin", _begin_sqlite)
        try:
            self._refuse_other_schema(name)
            metadata.create_all(self._engine)
            with self.transaction() as connection:
                self._about(connection, "schema", str(SCHEMA_VERSION))
                self.server_gen = self._about(connection, "server_gen", secrets.token_hex(8))
        except SQLAlchemyError as error:
            self.close()
            raise StoreUnusable(
                f"{name}: {cause(error)}; is the folder there and writable?"
                " Keep the file, it is the ledger."
            ) from error
        except StoreUnusable:
            self.close()
            raise

    def _refuse_other_schema(self, name: str) -> None:
        """Before anything is written into a database of another version."""
        with self.reading() as connection:
            if not inspect(connection).has_table(about_table.name):
                return
            version = connection.execute(
                select(about_table.c.value).where(about_table.c.name == "schema")
            ).scalar_one_or_none()
        if version not in (None, str(SCHEMA_VERSION)):
            raise StoreUnusable(
                f"{name}: schema {version}, this version knows {SCHEMA_VERSION};"
                " install the version that wrote it"
            )

    def close(self) -> None:
        """Release every connection."""
        self._engine.dispose()

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """One transaction: committed (and durable) at the end of the block, or undone. Raises
        SQLAlchemyError; ``failure`` says why until the next one succeeds.
        """
        try:
            with self._engine.begin() as connection:
                yield connection
        except SQLAlchemyError as error:
            self.failure = cause(error)
            raise
        self.failure = ""

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection that only reads: it works while nothing can be written."""
        with self._engine.connect().execution_options(**{_READING: True}) as connection:
            yield connection

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
        row = event_row(own.src, own, digest, raw, now_ms)
        connection.execute(insert(event_table).values(row))
        keep_mark(connection, own.src, own.epoch, own.seq, digest)
        return digest

    def knows_nonce(self, nonce: int) -> bool:
        """Whether a visit has this nonce already. Raises SQLAlchemyError."""
        with self.reading() as connection:
            query = select(visit_table.c.nonce).where(visit_table.c.nonce == nonce)
            return connection.execute(query).one_or_none() is not None

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
        """Bring the tables up to ``events``; returns the tickets that got their rating by them.

        What the queue would refuse changes nothing here either: an outcome is written once, by an
        event of the counter that has the ticket.
        """
        rated: list[str] = []
        for item in events:
            match item:
                case TicketIssued(data=data):
                    connection.execute(
                        insert(ticket_table).values(
                            id=item.id, number=data.number, business_date=data.business_date,
                            service=data.service, segment=data.segment, node=item.src,
                            issued_at=item.ts,
                        )
                    )  # fmt: skip
                case TicketPrinted():
                    self._set(connection, item, paper="printed")
                case TicketPrintFailed(data=failed):
                    self._set(connection, item, paper=failed.paper)
                case TicketVoided():
                    self._set(connection, item, *UNCALLED, outcome="voided", ended_at=item.ts)
                case TicketCalled(data=called):
                    self._set(
                        connection, item, *WAITING, counter=called.counter, called_at=item.ts
                    )
                case TicketMissed(data=missed):
                    self._set(
                        connection, item, OPEN, at_counter(missed.counter), UNSTARTED,
                        outcome="missed", ended_at=item.ts,
                    )  # fmt: skip
                case TicketAbandoned():
                    self._set(connection, item, *WAITING, outcome="abandoned", ended_at=item.ts)
                case ServiceStarted(data=started):
                    self._set(
                        connection, item, OPEN, at_counter(started.counter), UNSTARTED,
                        started_at=item.ts,
                    )  # fmt: skip
                case ServiceEnded(data=ended):
                    served = self._set(
                        connection, item, OPEN, at_counter(ended.counter),
                        outcome="served", ended_at=item.ts,
                    )  # fmt: skip
                    if served and ended.nonce:
                        connection.execute(
                            insert(visit_table).values(
                                nonce=ended.nonce, ticket=item.sub, counter=ended.counter
                            )
                        )
                case RatingSubmitted():
                    ticket = self._rate(connection, item)
                    if ticket is not None:
                        rated.append(ticket)
                case RatingUnsolicited(data=press):
                    kind = "unsolicited" if press.score_1to5 in SCORES else "invalid"
                    self._keep_press(
                        connection, item, press.counter, press.score_1to5, kind,
                        press.pad.interpreter,
                    )  # fmt: skip
                case DeviceChanged():
                    self._device(connection, item)
                case _:
                    pass
        return rated

    def _rate(self, connection: Connection, item: RatingSubmitted) -> str | None:
        """Store a rating for the visit of its nonce: one a visit; any other press is kept
        apart.
        """
        data = item.data
        visit = connection.execute(
            select(visit_table.c.ticket).where(
                visit_table.c.nonce == data.nonce, visit_table.c.counter == data.counter
            )
        ).one_or_none()
        if data.score_1to5 not in SCORES:
            kind, ticket = "invalid", None
        elif visit is None:
            kind, ticket = "unsolicited", None
        else:
            taken = connection.execute(
                select(rating_table.c.event_id).where(rating_table.c.ticket == visit.ticket)
            ).one_or_none()
            kind, ticket = ("rating", visit.ticket) if taken is None else ("repeated", None)
        self._keep_press(
            connection, item, data.counter, data.score_1to5, kind, data.pad.interpreter, ticket
        )
        return ticket

    @staticmethod
    def _keep_press(
        connection: Connection,
        item: Event,
        counter: int,
        score_1to5: int,
        kind: str,
        interpreter: str,
        ticket: str | None = None,
    ) -> None:
        connection.execute(
            insert(rating_table).values(
                event_id=item.id, ticket=ticket, counter=counter, score_1to5=score_1to5,
                kind=kind, at=item.ts, interpreter=interpreter[:40],
            )
        )  # fmt: skip

    @staticmethod
    def _device(connection: Connection, item: DeviceChanged) -> None:
        data = item.data
        values = {
            "kind": data.kind, "state": data.state, "detail": data.detail[:80], "at": item.ts,
        }  # fmt: skip
        dialect: Any = sqlite if connection.dialect.name == "sqlite" else postgresql
        statement = dialect.insert(device_table).values(
            node=item.src, device=data.device, **values
        )
        connection.execute(
            statement.on_conflict_do_update(index_elements=["node", "device"], set_=values)
        )

    @staticmethod
    def _set(
        connection: Connection, item: Event, *only_if: ColumnElement[bool], **values: object
    ) -> bool:
        changed = connection.execute(
            update(ticket_table)
            .where(ticket_table.c.id == item.sub, *only_if)
            .values(**values)
            .returning(ticket_table.c.id)
        )
        return changed.one_or_none() is not None

    @staticmethod
    def _about(connection: Connection, name: str, default: str) -> str:
        row = connection.execute(
            select(about_table.c.value).where(about_table.c.name == name)
        ).one_or_none()
        if row is not None:
            return str(row.value)
        connection.execute(insert(about_table).values(name=name, value=default))
        return default


def cause(error: SQLAlchemyError) -> str:
    """What the database said, without the statement and its parameters."""
    return str(error.orig if isinstance(error, DBAPIError) else error).splitlines()[0]


def _begin_sqlite(connection: Connection) -> None:
    # The driver would begin at the first write only: neither the reads before it nor a savepoint
    # would belong to the transaction.
    reading = connection.get_execution_options().get(_READING)
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA busy_timeout = 5000")
    cursor.close()
