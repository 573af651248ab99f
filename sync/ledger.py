"""The tables of a server's ledger, and how a row of them is written."""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    UniqueConstraint,
    func,
    select,
)
from sqlalchemy.dialects import postgresql, sqlite

from sync.messages import Event, UnknownEvent

metadata = MetaData()

ID_LENGTH = 36
"""A UUID as text."""
TYPE_LENGTH = 40
TS_END = 253_402_300_800_000
"""10000-01-01 in Unix ms: later times are in no calendar, and far below 64 bits."""

event_table = Table(
    "event",
    metadata,
    Column("node", String(32), primary_key=True),
    Column("epoch", Integer, primary_key=True),
    Column("seq", BigInteger, primary_key=True),
    Column("id", String(ID_LENGTH), nullable=False),
    Column("type", String(TYPE_LENGTH), nullable=False),
    Column("sub", String(ID_LENGTH)),
    Column("ts", BigInteger, nullable=False),
    Column("received_at", BigInteger, nullable=False),
    Column("place", BigInteger, nullable=False),  # order of commit here, over all nodes
    Column("digest", String(16), nullable=False),
    Column("raw", LargeBinary, nullable=False),
    UniqueConstraint("id", name="event_id_once"),
    UniqueConstraint("place", name="event_place_once"),
    Index("event_by_sub", "sub"),
)

node_table = Table(
    "node",
    metadata,
    Column("node", String(32), primary_key=True),
    Column("epoch", Integer, nullable=False),
    Column("hw", BigInteger, nullable=False),
    Column("digest", String(16), nullable=False),
)

quarantine_table = Table(
    "quarantine",
    metadata,
    Column("node", String(32), primary_key=True),
    Column("digest", String(16), primary_key=True),
    Column("received_at", BigInteger, nullable=False),
    Column("reason", String(200), nullable=False),
    Column("raw", LargeBinary, nullable=False),
)


def event_row(
    node: str, event: Event | UnknownEvent, digest: str, raw: bytes, now_ms: int, place: int
) -> dict[str, Any]:
    """The ledger's row for ``event`` as it was encoded, at ``place`` in the order of commit."""
    return {
        "node": node,
        "epoch": event.epoch,
        "seq": event.seq,
        "id": fit(event.id, ID_LENGTH),
        "type": fit(type_of(event), TYPE_LENGTH),
        "sub": None if event.sub is None else fit(event.sub, ID_LENGTH),
        "ts": min(max(event.ts, 0), TS_END - 1),
        "received_at": now_ms,
        "place": place,
        "digest": digest,
        "raw": raw,
    }


def fit(text: str, length: int) -> str:
    """``text`` as every database takes it: PostgreSQL knows no NUL, and no longer texts."""
    return text.replace("\0", "")[:length]


def keep_mark(connection: Connection, node: str, epoch: int, hw: int, digest: str) -> None:
    """Note where ``node`` stands, whether or not it was heard of before."""
    values = {"epoch": epoch, "hw": hw, "digest": digest}
    connection.execute(
        dialect(connection)
        .insert(node_table)
        .values(node=node, **values)
        .on_conflict_do_update(index_elements=["node"], set_=values)
    )


def last_place(connection: Connection) -> int:
    """The last place that is taken, 0 for none; the server is the only writer."""
    query = select(func.coalesce(func.max(event_table.c.place), 0))
    return int(connection.execute(query).scalar_one())


def dialect(connection: Connection) -> Any:
    """The dialect's own module: only its insert knows ON CONFLICT."""
    return sqlite if connection.dialect.name == "sqlite" else postgresql


def type_of(event: Event | UnknownEvent) -> str:
    """The event's wire name."""
    if isinstance(event, UnknownEvent):
        return event.type
    return str(event.__struct_config__.tag)
