"""The server's end of the ledger: each event once, in order, in the caller's transaction.

The high-water mark of a node is the last sequence number below which nothing is missing. Events
above a gap
are not taken: the device sends them again from the mark. An event that is there already counts as
a
duplicate; the same place with other content is quarantined, never dropped.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    ScalarSelect,
    String,
    Table,
    UniqueConstraint,
    func,
    select,
)
from sqlalchemy.dialects import postgresql, sqlite

from sync.errors import BadMessage
from sync.identity import CHAIN_START, chain
from sync.messages import AnyEvent, Event, UnknownEvent, decode_event, unknown_fields

metadata = MetaData()

TS_END = 253_402_300_800_000
"""10000-01-01 in Unix ms: later times are in no calendar, and far below 64 bits."""
ID_LENGTH = 36
"""A UUID as text."""

event_table = Table(
    "event",
    metadata,
    Column("node", String(32), primary_key=True),
    Column("epoch", Integer, primary_key=True),
    Column("seq", BigInteger, primary_key=True),
    Column("id", String(ID_LENGTH), nullable=False),
    Column("type", String(40), nullable=False),
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


@dataclass(slots=True)
class Accepted:
    """What came of one message. ``new`` are the events to apply, in order; ``hw`` is valid once
    committed.
    """

    epoch: int = 1
    hw: int = 0
    digest: str = CHAIN_START
    new: list[AnyEvent | UnknownEvent] = field(default_factory=list)
    duplicates: int = 0
    early: int = 0
    quarantined: int = 0
    unknown_fields: int = 0


class Inbox:
    """Takes events of every node inside the caller's transactions."""

    def high_water(self, connection: Connection, node: str) -> Accepted:
        """Where ``node`` stands: epoch, mark and chain digest at the mark."""
        row = connection.execute(select(node_table).where(node_table.c.node == node)).one_or_none()
        if row is None:
            return Accepted()
        return Accepted(epoch=row.epoch, hw=row.hw, digest=row.digest)

    def accept(
        self, connection: Connection, node: str, raws: Sequence[bytes], now_ms: int
    ) -> Accepted:
        """Take the encoded events of one message from ``node``. The caller commits, then
        acknowledges.
        """
        accepted = self.high_water(connection, node)
        for raw in raws:
            try:
                event = decode_event(raw)
            except BadMessage as error:
                self._quarantine(connection, node, now_ms, str(error), raw, accepted)
                continue
            reason = _unfit(node, event)
            if reason:
                self._quarantine(connection, node, now_ms, reason, raw, accepted)
                continue
            self._take(connection, node, event, raw, now_ms, accepted)
        keep_mark(connection, node, accepted.epoch, accepted.hw, accepted.digest)
        return accepted

    def _take(
        self,
        connection: Connection,
        node: str,
        event: AnyEvent | UnknownEvent,
        raw: bytes,
        now_ms: int,
        accepted: Accepted,
    ) -> None:
        if event.epoch != accepted.epoch or event.seq > accepted.hw + 1:
            accepted.early += 1
            return
        digest = chain(raw)
        if event.seq <= accepted.hw:
            stored = connection.execute(
                select(event_table.c.digest).where(
                    event_table.c.node == node,
                    event_table.c.epoch == event.epoch,
                    event_table.c.seq == event.seq,
                )
            ).scalar_one_or_none()
            # No row below the mark: its id was there under another place when it came.
            if stored is None or stored == digest:
                accepted.duplicates += 1
            else:
                reason = f"{event.epoch}/{event.seq} is stored with another content"
                self._quarantine(connection, node, now_ms, reason, raw, accepted)
            return
        if event.prev != accepted.digest:
            reason = f"{event.epoch}/{event.seq} does not follow the stored chain"
            self._quarantine(connection, node, now_ms, reason, raw, accepted)
            return
        if self._insert(connection, node, event, digest, raw, now_ms):
            accepted.new.append(event)
            accepted.unknown_fields += unknown_fields(raw, event)
        else:
            accepted.duplicates += 1
        accepted.hw, accepted.digest = event.seq, digest

    @staticmethod
    def _insert(
        connection: Connection,
        node: str,
        event: AnyEvent | UnknownEvent,
        digest: str,
        raw: bytes,
        now_ms: int,
    ) -> bool:
        """Insert the row; False when an event of the same id is there. Counted by RETURNING, never
        by rowcount.
        """
        statement = (
            _dialect(connection)
            .insert(event_table)
            .values(event_row(node, event, digest, raw, now_ms))
            # Ids only: a collision of places or sequence numbers must not pass for a repeat.
            .on_conflict_do_nothing(index_elements=["id"])
            .returning(event_table.c.id)
        )
        return connection.execute(statement).one_or_none() is not None

    def _quarantine(
        self,
        connection: Connection,
        node: str,
        now_ms: int,
        reason: str,
        raw: bytes,
        accepted: Accepted,
    ) -> None:
        accepted.quarantined += 1
        self.set_aside(connection, node, now_ms, reason, raw)

    @staticmethod
    def set_aside(connection: Connection, node: str, now_ms: int, reason: str, raw: bytes) -> None:
        """Keep ``raw`` for a technician; the same bytes of a node are kept once."""
        connection.execute(
            _dialect(connection)
            .insert(quarantine_table)
            .values(node=node, digest=chain(raw), received_at=now_ms, reason=reason[:200], raw=raw)
            .on_conflict_do_nothing()
        )


def _unfit(node: str, event: AnyEvent | UnknownEvent) -> str:
    """Why the ledger cannot take the event, "" if it can."""
    if event.src != node:
        return f"src {event.src!r} in a message of {node!r}"
    if not 0 <= event.ts < TS_END:
        return f"ts {event.ts}: expected Unix ms before the year 10000"
    if len(event.id) > ID_LENGTH or len(event.sub or "") > ID_LENGTH:
        return f"id or sub is longer than {ID_LENGTH} characters"
    return ""


def event_row(
    node: str, event: Event | UnknownEvent, digest: str, raw: bytes, now_ms: int
) -> dict[str, Any]:
    """The ledger's row for ``event`` as it was encoded, at the next place."""
    return {
        "node": node,
        "epoch": event.epoch,
        "seq": event.seq,
        "id": event.id,
        "type": type_of(event),
        "sub": event.sub,
        "ts": event.ts,
        "received_at": now_ms,
        "place": next_place(),
        "digest": digest,
        "raw": raw,
    }


def keep_mark(connection: Connection, node: str, epoch: int, hw: int, digest: str) -> None:
    """Note where ``node`` stands, whether or not it was heard of before."""
    values = {"epoch": epoch, "hw": hw, "digest": digest}
    connection.execute(
        _dialect(connection)
        .insert(node_table)
        .values(node=node, **values)
        .on_conflict_do_update(index_elements=["node"], set_=values)
    )


def next_place() -> ScalarSelect[int]:
    """The place of the next event in the order of commit; the server is the only writer."""
    return select(func.coalesce(func.max(event_table.c.place), 0) + 1).scalar_subquery()


def _dialect(connection: Connection) -> Any:
    """The dialect's own module: only its insert knows ON CONFLICT."""
    return sqlite if connection.dialect.name == "sqlite" else postgresql


def type_of(event: Event | UnknownEvent) -> str:
    """The event's wire name."""
    if isinstance(event, UnknownEvent):
        return event.type
    return str(event.__struct_config__.tag)
