"""The server's end of the ledger: each event once, in order, in the caller's transaction.

The high-water mark of a node is the last sequence number below which nothing is missing. Events
above a gap are not stored: they are kept in memory until the gap is filled, and the gap is told
to the device. An event that is there already counts as a duplicate; the same place or the same id
with another content is quarantined, never dropped. Of an event that holds a person's data only the
place is kept (:mod:`sync.withheld`). A node's new epoch begins with its first event:
what it holds is recognised by the ids.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection, func, select

from sync import personal
from sync.crashpoint import reach
from sync.errors import BadMessage
from sync.identity import CHAIN_START, chain
from sync.ledger import (
    ID_LENGTH,
    TS_END,
    TYPE_LENGTH,
    dialect,
    event_row,
    event_table,
    fit,
    keep_mark,
    last_place,
    node_table,
    quarantine_table,
    type_of,
)
from sync.messages import (
    AnyEvent,
    UnknownEvent,
    decode_envelope,
    decode_event,
    encode,
    unknown_fields,
)
from sync.withheld import withheld, withheld_bytes

EPOCH_END = 2**31
SEQ_END = 2**53
"""What every database column and every reader of JSON can hold."""
STASH = 400
"""Events kept in memory above a node's gap: twice the window of a device."""
REASON_LENGTH = 200
QUARANTINE_ROWS = 1_000
"""Rows of rubbish kept a node; more is only counted. What has a place in the ledger is always
kept.
"""


@dataclass(slots=True)
class Accepted:
    """What came of a node's messages. ``new`` are the events to apply, in order; ``hw`` is valid
    once committed; ``gaps`` are the runs that are missing above it.
    """

    epoch: int = 1
    hw: int = 0
    digest: str = CHAIN_START
    new: list[AnyEvent | UnknownEvent] = field(default_factory=list)
    gaps: list[tuple[int, int]] = field(default_factory=list)
    duplicates: int = 0
    early: int = 0
    quarantined: int = 0
    unknown_fields: int = 0

    def after(self, earlier: "Accepted | None") -> "Accepted":
        """The same, with what came of an earlier message of the node added."""
        if earlier is not None:
            self.new = earlier.new + self.new
            for name in ("duplicates", "early", "quarantined", "unknown_fields"):
                setattr(self, name, getattr(self, name) + getattr(earlier, name))
        return self


@dataclass(slots=True)
class _Row:
    """One event that follows the mark; ``event`` is what of it can be read."""

    node: str
    event: AnyEvent | UnknownEvent
    raw: bytes
    digest: str
    problem: str = ""


class Inbox:
    """Takes events of every node inside the caller's transactions. ``check_chain`` False trusts
    sequence numbers alone: a proof shows what is lost then.
    """

    def __init__(self, *, check_chain: bool = True) -> None:
        self._check_chain = check_chain
        self._stash: dict[str, dict[int, tuple[int, bytes]]] = {}  # node -> seq -> (epoch, raw)
        self._rubbish: dict[str, int] = {}

    def high_water(self, connection: Connection, node: str) -> Accepted:
        """Where ``node`` stands: epoch, mark and chain digest at the mark."""
        return self._marks(connection, [node])[node]

    def accept(
        self, connection: Connection, node: str, raws: Sequence[bytes], now_ms: int
    ) -> Accepted:
        """Take the encoded events of one message from ``node``. The caller commits, then
        acknowledges.
        """
        return self.accept_all(connection, [(node, raws)], now_ms)[0][node]

    def accept_all(
        self,
        connection: Connection,
        messages: Iterable[tuple[str, Sequence[bytes]]],
        now_ms: int,
    ) -> tuple[dict[str, Accepted], list[AnyEvent | UnknownEvent]]:
        """Take a burst of messages in their order. Returns what came of each node, and the new
        events of all of them in the order in which the ledger has them.
        """
        messages = list(messages)
        marks = self._marks(connection, dict.fromkeys(node for node, _ in messages))
        rows: list[_Row] = []
        for node, raws in messages:
            mark = marks[node]
            doubtful = personal.sent(b"\n".join(raws))
            for raw in raws:
                hidden = doubtful and personal.sent(raw)
                self._sort(connection, node, raw, mark, rows, now_ms, hidden=hidden)
            self._unstash(connection, node, mark, rows, now_ms)
        new = self._store(connection, rows, marks, now_ms)
        for node, mark in marks.items():
            keep_mark(connection, node, mark.epoch, mark.hw, mark.digest)
            mark.gaps = self._gaps(node, mark)
        return marks, new

    @staticmethod
    def _marks(connection: Connection, nodes: Iterable[str]) -> dict[str, Accepted]:
        found = {node: Accepted() for node in nodes}
        query = select(node_table).where(node_table.c.node.in_(found))
        for row in connection.execute(query):
            found[row.node] = Accepted(epoch=row.epoch, hw=row.hw, digest=row.digest)
        return found

    def _sort(
        self,
        connection: Connection,
        node: str,
        raw: bytes,
        mark: Accepted,
        rows: list[_Row],
        now_ms: int,
        *,
        hidden: bool,
    ) -> None:
        """Find an event's place: it follows the mark, comes early, is there already, or is not
        for the ledger. Of one that is ``hidden``, for a person's data in it, only the place is
        kept.
        """
        problem, kept = "", withheld_bytes(raw) if hidden else raw
        event: AnyEvent | UnknownEvent
        try:
            event = decode_event(raw)
        except BadMessage as error:
            problem = str(error)
            try:
                event = decode_envelope(raw)
            except BadMessage:
                problem = personal.SENT if hidden else problem
                self._quarantine(connection, node, now_ms, problem, kept, mark)
                return
        foreign = _foreign(node, event)
        if hidden:
            event, problem = withheld(event, chain(raw)), personal.SENT
            foreign = personal.SENT if foreign or personal.sent(encode(event)) else ""
        if foreign:
            self._quarantine(connection, node, now_ms, foreign, kept, mark)
            return
        kept = encode(event) if hidden else raw
        problem = problem or _unfit(event)
        if event.epoch > mark.epoch and event.seq == 1 and event.prev == CHAIN_START:
            mark.epoch, mark.hw, mark.digest = event.epoch, 0, CHAIN_START
            self._stash.pop(node, None)
        if event.epoch < mark.epoch:
            mark.duplicates += 1  # of before a new epoch, which holds it again
        elif event.epoch > mark.epoch or event.seq > mark.hw + 1:
            mark.early += 1
            below = mark.hw if event.epoch == mark.epoch else 0
            if event.seq <= below + STASH:
                self._stash.setdefault(node, {})[event.seq] = (event.epoch, raw)
        elif event.seq <= mark.hw:
            self._compare(connection, node, event, raw, kept, mark, rows, now_ms)
        elif event.prev != mark.digest and self._check_chain:
            reason = f"{event.epoch}/{event.seq} does not follow the stored chain"
            self._quarantine(connection, node, now_ms, reason, kept, mark)
        else:
            digest = chain(raw)
            rows.append(_Row(node, event, kept, digest, problem))
            mark.hw, mark.digest = event.seq, digest

    def _unstash(
        self, connection: Connection, node: str, mark: Accepted, rows: list[_Row], now_ms: int
    ) -> None:
        """Take what waited in memory for the gap that is filled now. It stays there until the
        mark has passed it for good: the transaction may yet be undone.
        """
        stash = self._stash.get(node)
        if not stash:
            return
        for seq in [seq for seq in stash if seq < mark.hw - STASH]:
            del stash[seq]
        while (found := stash.get(mark.hw + 1)) and found[0] == mark.epoch:
            before = mark.hw
            hidden = personal.sent(found[1])
            self._sort(connection, node, found[1], mark, rows, now_ms, hidden=hidden)
            if mark.hw == before:
                stash.pop(before + 1, None)
                return

    def _gaps(self, node: str, mark: Accepted) -> list[tuple[int, int]]:
        """The missing runs between the mark and the last event that is kept in memory."""
        stash = self._stash.get(node, {})
        seqs = sorted(s for s, (epoch, _) in stash.items() if s > mark.hw and epoch == mark.epoch)
        gaps: list[tuple[int, int]] = []
        at = mark.hw
        for seq in seqs:
            if seq > at + 1:
                gaps.append((at + 1, seq - 1))
            at = seq
        return gaps

    def _compare(
        self,
        connection: Connection,
        node: str,
        event: AnyEvent | UnknownEvent,
        raw: bytes,
        kept: bytes,
        mark: Accepted,
        rows: list[_Row],
        now_ms: int,
    ) -> None:
        """At or below the mark: the same again, or another content in the same place."""
        digest = chain(raw)
        place = (node, event.epoch, event.seq)
        stored = next(
            (row.digest for row in rows if (row.node, row.event.epoch, row.event.seq) == place),
            None,
        )
        if stored is None:
            stored = connection.execute(
                select(event_table.c.digest).where(
                    event_table.c.node == node,
                    event_table.c.epoch == event.epoch,
                    event_table.c.seq == event.seq,
                )
            ).scalar_one_or_none()
        # No row below the mark: its id was there under another place when it came.
        if stored is None or stored == digest or not self._check_chain:
            mark.duplicates += 1
        else:
            # Two contents for one place are evidence, and no rubbish that a bound may drop.
            mark.quarantined += 1
            reason = f"{event.epoch}/{event.seq} is stored with another content"
            self.set_aside(connection, node, now_ms, reason, kept)

    def _store(
        self,
        connection: Connection,
        rows: list[_Row],
        marks: dict[str, Accepted],
        now_ms: int,
    ) -> list[AnyEvent | UnknownEvent]:
        """Insert the rows; those whose id is there already are duplicates, or quarantined if
        their content differs. Counted by RETURNING, never by rowcount.
        """
        if not rows:
            return []
        reach("ingest.begun")
        first = last_place(connection) + 1
        statement = (
            dialect(connection)
            .insert(event_table)
            # Ids only: a collision of places or sequence numbers must not pass for a repeat.
            .on_conflict_do_nothing(index_elements=["id"])
            .returning(event_table.c.place)
        )
        values = [
            event_row(row.node, row.event, row.digest, row.raw, now_ms, first + index)
            for index, row in enumerate(rows)
        ]
        inserted = set(connection.execute(statement, values).scalars())
        reach("ingest.inserted")
        new: list[AnyEvent | UnknownEvent] = []
        for index, row in enumerate(rows):
            mark = marks[row.node]
            if first + index not in inserted:
                self._meet(connection, row, mark, now_ms)
            elif row.problem:
                mark.quarantined += 1
                self.set_aside(connection, row.node, now_ms, row.problem, row.raw)
            else:
                new.append(row.event)
                mark.new.append(row.event)
                mark.unknown_fields += unknown_fields(row.raw, row.event)
        return new

    def _meet(self, connection: Connection, row: _Row, mark: Accepted, now_ms: int) -> None:
        """An id that is there: the same event in a new epoch, or another under its name."""
        stored = connection.execute(
            select(event_table.c.raw).where(event_table.c.id == fit(row.event.id, ID_LENGTH))
        ).scalar_one()
        if _content(stored) == _content(row.raw):
            mark.duplicates += 1
            return
        mark.quarantined += 1
        reason = f"id {row.event.id} is stored with another content"
        self.set_aside(connection, row.node, now_ms, reason, row.raw)

    def _quarantine(
        self,
        connection: Connection,
        node: str,
        now_ms: int,
        reason: str,
        raw: bytes,
        mark: Accepted,
    ) -> None:
        mark.quarantined += 1
        kept = self._rubbish.get(node)
        if kept is None:
            kept = connection.execute(
                select(func.count()).where(quarantine_table.c.node == node)
            ).scalar_one()
        if kept < QUARANTINE_ROWS:
            kept += self.set_aside(connection, node, now_ms, reason, raw)
        self._rubbish[node] = kept

    @staticmethod
    def set_aside(connection: Connection, node: str, now_ms: int, reason: str, raw: bytes) -> bool:
        """Keep ``raw`` for a technician; False when the same bytes of the node are there."""
        kept = connection.execute(
            dialect(connection)
            .insert(quarantine_table)
            .values(
                node=node,
                digest=chain(raw),
                received_at=now_ms,
                reason=fit(reason, REASON_LENGTH),
                raw=raw,
            )
            .on_conflict_do_nothing()
            .returning(quarantine_table.c.digest)
        )
        return kept.one_or_none() is not None


def _content(raw: bytes) -> tuple[object, ...]:
    """What an event says, wherever it stands in whichever node's stream."""
    event = decode_envelope(raw)
    return (event.type, event.ts, event.clk, event.sub, bytes(event.data))


def _foreign(node: str, event: AnyEvent | UnknownEvent) -> str:
    """Why the event has no place in the node's stream, "" if it has one."""
    if event.src != node:
        return f"src {event.src!r} in a message of {node!r}"
    if event.epoch >= EPOCH_END or event.seq >= SEQ_END:
        return f"epoch {event.epoch}, seq {event.seq}: beyond what a device can have counted"
    return ""


def _unfit(event: AnyEvent | UnknownEvent) -> str:
    """Why the event has its place but is not applied, "" if it is: the stream goes on."""
    if not 0 <= event.ts < TS_END:
        return f"ts {event.ts}: expected Unix ms before the year 10000"
    for text, length in ((event.id, ID_LENGTH), (event.sub or "", ID_LENGTH)):
        if fit(text, length) != text:
            return f"id or sub {text[:80]!r}: expected at most {length} characters, and no NUL"
    if fit(type_of(event), TYPE_LENGTH) != type_of(event):
        return f"type {type_of(event)[:80]!r}: expected at most {TYPE_LENGTH} characters, no NUL"
    return ""
