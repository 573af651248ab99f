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
    insert,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from sync.errors import BadMessage
from sync.identity import CHAIN_START, chain
from sync.messages import AnyEvent, UnknownEvent, decode_event, unknown_fields

metadata = MetaData()

event_table = Table(
    "event",
    metadata,
    Column("node", String(32), primary_key=True),
    Column("epoch", Integer, primary_key=True),
    Column("seq", BigInteger, primary_key=True),
    Column("id", String(36), nullable=False),
    Column("type", String(40), nullable=False),
    Column("sub", String(36)),
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
        known = connection.execute(
            select(node_table.c.node).where(node_table.c.node == node)
        ).one_or_none()
        for raw in raws:
            try:
                event = decode_event(raw)
            except BadMessage as error:
                self._quarantine(connection, node, now_ms, str(error), raw, accepted)
                continue
            if event.src != node:
                reason = f"src {event.src!r} in a message of {node!r}"
                self._quarantine(connection, node, now_ms, reason, raw, accepted)
                continue
            self._take(connection, node, event, raw, now_ms, accepted)
        values = {"epoch": accepted.epoch, "hw": accepted.hw, "digest": accepted.digest}
        if known is None:
            connection.execute(insert(node_table).values(node=node, **values))
        else:
            connection.execute(
                update(node_table).where(node_table.c.node == node).values(**values)
            )
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
            if stored == digest:
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
            .values(
                node=node,
                epoch=event.epoch,
                seq=event.seq,
                id=event.id,
                type=type_of(event),
                sub=event.sub,
                ts=event.ts,
                received_at=now_ms,
                place=next_place(),
                digest=digest,
                raw=raw,
            )
            .on_conflict_do_nothing()
            .returning(event_table.c.id)
        )
        return connection.execute(statement).one_or_none() is not None

    @staticmethod
    def _quarantine(
        connection: Connection,
        node: str,
        now_ms: int,
        reason: str,
        raw: bytes,
        accepted: Accepted,
    ) -> None:
        accepted.quarantined += 1
        connection.execute(
            _dialect(connection)
            .insert(quarantine_table)
            .values(node=node, digest=chain(raw), received_at=now_ms, reason=reason[:200], raw=raw)
            .on_conflict_do_nothing()
        )


def next_place() -> ScalarSelect[int]:
    """The place of the next event in the order of commit; the server is the only writer."""
    return select(func.coalesce(func.max(event_table.c.place), 0) + 1).scalar_subquery()


def _dialect(connection: Connection) -> Any:
    """The dialect's own module: only its insert knows ON CONFLICT."""
    return sqlite if connection.dialect.name == "sqlite" else postgresql


def type_of(event: AnyEvent | UnknownEvent) -> str:
    """The event's wire name."""
    if isinstance(event, UnknownEvent):
        return event.type
    return str(event.__struct_config__.tag)
