"""The branch's database through SQLAlchemy Core: the ledger of events and the tables that pages
and reports read.

One transaction holds the inbox row and every projection of it. SQLite runs in WAL with
``synchronous=FULL``.
"""

import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Integer,
    String,
    Table,
    create_engine,
    event,
    insert,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError

from branch.errors import StoreUnusable
from sync.identity import chain
from sync.inbox import event_table, metadata, next_place, node_table
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

about_table = Table(
    "about",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("value", String(64), nullable=False),
)

ticket_table = Table(
    "ticket",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("number", String(8), nullable=False),
    Column("business_date", String(10), nullable=False),
    Column("service", String(1), nullable=False),
    Column("segment", String(16), nullable=False),
    Column("node", String(32), nullable=False),
    Column("issued_at", BigInteger, nullable=False),
    Column("paper", String(12), nullable=False, default="pending"),
    Column("outcome", String(12), nullable=False, default="open"),
    Column("counter", Integer),
    Column("called_at", BigInteger),
    Column("started_at", BigInteger),
    Column("ended_at", BigInteger),
)

rating_table = Table(
    "rating",
    metadata,
    Column("event_id", String(36), primary_key=True),
    Column("ticket", String(36), unique=True),
    Column("counter", Integer, nullable=False),
    Column("score_1to5", Integer, nullable=False),
    Column("kind", String(12), nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("interpreter", String(40), nullable=False, default=""),
)

visit_table = Table(
    "visit",
    metadata,
    Column("nonce", BigInteger, primary_key=True),
    Column("ticket", String(36), nullable=False),
    Column("counter", Integer, nullable=False),
)

device_table = Table(
    "device",
    metadata,
    Column("node", String(32), primary_key=True),
    Column("device", String(32), primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("state", String(16), nullable=False),
    Column("detail", String(80), nullable=False),
    Column("at", BigInteger, nullable=False),
)


class Store:
    """One database. Every write goes through ``transaction``; every event through ``project``."""

    def __init__(self, url: str) -> None:
        """Open or create the database. Raises StoreUnusable."""
        try:
            self._engine = create_engine(url)
            if self._engine.dialect.name == "sqlite":
                event.listen(self._engine, "connect", _set_sqlite_pragmas)
            metadata.create_all(self._engine)
            with self.transaction() as connection:
                self.server_gen = self._about(connection, "server_gen", secrets.token_hex(8))
                version = self._about(connection, "schema", str(SCHEMA_VERSION))
        except SQLAlchemyError as error:
            raise StoreUnusable(
                f"{url}: {error}; is the folder there and writable?"
                " Keep the file, it is the ledger."
            ) from error
        if version != str(SCHEMA_VERSION):
            raise StoreUnusable(
                f"{url}: schema {version}, this version knows {SCHEMA_VERSION};"
                " install the version that wrote it"
            )

    def close(self) -> None:
        """Release every connection."""
        self._engine.dispose()

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """One transaction: committed (and durable) at the end of the block, or undone."""
        with self._engine.begin() as connection:
            yield connection

    def events(self) -> Iterator[AnyEvent | UnknownEvent]:
        """Every event, as the queue must apply them: in the order in which they were committed
        here.
        """
        with self._engine.connect() as connection:
            rows = connection.execute(select(event_table.c.raw).order_by(event_table.c.place))
            for (raw,) in rows:
                yield decode_event(raw)

    def top(self, connection: Connection, node: str) -> tuple[int, str] | None:
        """Last sequence number and chain digest of ``node``, None before its first event."""
        row = connection.execute(
            select(node_table.c.hw, node_table.c.digest).where(node_table.c.node == node)
        ).one_or_none()
        return None if row is None else (row.hw, row.digest)

    def append_own(self, connection: Connection, own: Event, event_type: str, now_ms: int) -> str:
        """Add an event of the server itself to the ledger; returns the chain digest after it."""
        raw = encode(own)
        digest = chain(raw)
        connection.execute(
            insert(event_table).values(
                node=own.src, epoch=own.epoch, seq=own.seq, id=own.id, type=event_type,
                sub=own.sub, ts=own.ts, received_at=now_ms,
                place=next_place(), digest=digest, raw=raw,
            )
        )  # fmt: skip
        values = {"epoch": own.epoch, "hw": own.seq, "digest": digest}
        if own.seq == 1:
            connection.execute(insert(node_table).values(node=own.src, **values))
        else:
            connection.execute(
                update(node_table).where(node_table.c.node == own.src).values(**values)
            )
        return digest

    def project(
        self, connection: Connection, events: Sequence[AnyEvent | UnknownEvent]
    ) -> list[str]:
        """Bring the tables up to ``events``; returns the tickets that got their rating by them."""
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
                    self._set(connection, item, outcome="voided", ended_at=item.ts)
                case TicketCalled(data=called):
                    self._set(connection, item, counter=called.counter, called_at=item.ts)
                case TicketMissed():
                    self._set(connection, item, outcome="missed", ended_at=item.ts)
                case TicketAbandoned():
                    self._set(connection, item, outcome="abandoned", ended_at=item.ts)
                case ServiceStarted():
                    self._set(connection, item, started_at=item.ts)
                case ServiceEnded(data=ended):
                    self._set(connection, item, outcome="served", ended_at=item.ts)
                    if ended.nonce:
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
                    self._keep_press(
                        connection, item, press.counter, press.score_1to5, "unsolicited",
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
        if visit is None:
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
    def _set(connection: Connection, item: Event, **values: object) -> None:
        connection.execute(
            update(ticket_table).where(ticket_table.c.id == item.sub).values(**values)
        )

    @staticmethod
    def _about(connection: Connection, name: str, default: str) -> str:
        row = connection.execute(
            select(about_table.c.value).where(about_table.c.name == name)
        ).one_or_none()
        if row is not None:
            return str(row.value)
        connection.execute(insert(about_table).values(name=name, value=default))
        return default


def _set_sqlite_pragmas(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA busy_timeout = 5000")
    cursor.close()
