"""What is done to the journal's rows as a whole: placed under a new epoch, thrown away when old
and acknowledged, checked.

The age of a row is never taken from a wall clock: one that jumps ten years ahead would throw away
everything, one that jumps back would keep everything for ten years. It is counted in the time that
the journal has been served, by CLOCK_BOOTTIME over all boots. A machine that is switched off at
night ages its rows more slowly than the calendar does: they are kept longer, never shorter.
"""

import sqlite3
from dataclasses import dataclass

import msgspec

from sync.clock import Clock
from sync.errors import BadMessage
from sync.identity import CHAIN_START, chain
from sync.messages import decode_envelope

DAY_MS = 24 * 3600 * 1000
RETENTION_MS = 30 * DAY_MS
"""How long acknowledged events are kept: a server restored from a backup asks for them again."""
AGE_EVERY_MS = DAY_MS // 4
"""How exactly the age of a row is known."""
RE_PLACED_AT_A_TIME = 1_000
SETTLED_PAPER = ("printed", "shown", "voided")

_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])
_encoder = msgspec.json.Encoder()


@dataclass(frozen=True, slots=True)
class Place:
    """A row's place in its epoch, and the chain's digest after it."""

    seq: int = 0
    digest: str = CHAIN_START


def meta(db: sqlite3.Connection | sqlite3.Cursor, name: str, default: str) -> str:
    """The value kept under ``name``."""
    row = db.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
    return str(row[0]) if row else default


SET_META = (
    "INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value"
)


# --- epochs --------------------------------------------------------------------------------


def re_place(cursor: sqlite3.Cursor, epoch: int, base: Place) -> Place:
    """Place every row under ``epoch``, in its order; returns the last. All but the place stays
    byte for byte, fields that this version does not know included. ``base`` is what was pruned.
    """
    seq, digest = 0, CHAIN_START
    at = (0, 0)
    number = _encoder.encode(epoch)
    while rows := cursor.execute(
        "SELECT epoch, seq, raw FROM event WHERE (epoch, seq) > (?, ?) AND epoch < ?"
        " ORDER BY epoch, seq LIMIT ?",
        (*at, epoch, RE_PLACED_AT_A_TIME),
    ).fetchall():
        moved = []
        for old_epoch, old_seq, raw in rows:
            seq += 1
            fields = _fields.decode(raw)
            fields["epoch"] = msgspec.Raw(number)
            fields["seq"] = msgspec.Raw(_encoder.encode(seq))
            fields["prev"] = msgspec.Raw(_encoder.encode(digest))
            again = _encoder.encode(fields)
            digest = chain(again)
            moved.append((epoch, seq, digest, again, old_epoch, old_seq))
        cursor.executemany(
            "UPDATE event SET epoch = ?, seq = ?, digest = ?, raw = ? WHERE epoch = ? AND seq = ?",
            moved,
        )
        at = rows[-1][:2]
    cursor.execute("UPDATE age SET seq = max(seq - ?, 0)", (base.seq,))
    for name, value in (("epoch", epoch), ("acked", 0)):
        cursor.execute(SET_META, (name, str(value)))
    set_base(cursor, Place())
    return Place(seq, digest)


# --- age -----------------------------------------------------------------------------------


def read_base(db: sqlite3.Connection) -> Place:
    """What lies just below the oldest row that is kept."""
    return Place(int(meta(db, "base_seq", "0")), meta(db, "base_digest", CHAIN_START))


def set_base(cursor: sqlite3.Cursor, base: Place) -> None:
    """Remember ``base``, in the transaction that makes it true."""
    cursor.execute(SET_META, ("base_seq", str(base.seq)))
    cursor.execute(SET_META, ("base_digest", base.digest))


class Served:
    """How long the file has been served, over all boots: each boot counts from its start, which
    is never too much.
    """

    def __init__(self, db: sqlite3.Connection, clock: Clock) -> None:
        self._clock = clock
        self._ms = int(meta(db, "lived_ms", "0"))
        self._boot = meta(db, "lived_boot", clock.boot)
        self._mono_ms = int(meta(db, "lived_mono_ms", str(clock.mono_ms())))

    def count(self, cursor: sqlite3.Cursor, top_seq: int, *, now: bool) -> int:
        """Go on counting; returns the time in ms. Notes that everything up to ``top_seq`` is
        older than what comes: each AGE_EVERY_MS, and at once if ``now``.
        """
        mono_ms, boot = self._clock.mono_ms(), self._clock.boot
        self._ms += max(mono_ms - self._mono_ms, 0) if boot == self._boot else mono_ms
        self._boot, self._mono_ms = boot, mono_ms
        values = (("lived_ms", self._ms), ("lived_boot", boot), ("lived_mono_ms", mono_ms))
        for name, value in values:
            cursor.execute(SET_META, (name, str(value)))
        last = cursor.execute("SELECT max(lived_ms) FROM age").fetchone()[0]
        if now or last is None or self._ms - last >= AGE_EVERY_MS:
            cursor.execute("INSERT OR REPLACE INTO age VALUES (?, ?)", (self._ms, top_seq))
        return self._ms


def old_enough(cursor: sqlite3.Cursor, served_ms: int, keep_ms: int) -> int:
    """The newest seq that is certainly older than ``keep_ms``, 0 for none."""
    row = cursor.execute(
        "SELECT max(seq) FROM age WHERE lived_ms <= ?", (served_ms - keep_ms,)
    ).fetchone()
    return int(row[0] or 0)


def delete_up_to(cursor: sqlite3.Cursor, epoch: int, base: Place, last: int) -> Place:
    """Delete the rows above ``base`` up to ``last``, with their settled paper; returns the new
    base.
    """
    row = cursor.execute(
        "SELECT digest FROM event WHERE epoch = ? AND seq = ?", (epoch, last)
    ).fetchone()
    cursor.execute(
        f"DELETE FROM paper WHERE state IN ({', '.join('?' * len(SETTLED_PAPER))}) AND ticket IN"
        " (SELECT id FROM event WHERE epoch = ? AND seq > ? AND seq <= ?)",
        (*SETTLED_PAPER, epoch, base.seq, last),
    )
    cursor.execute("DELETE FROM event WHERE epoch = ? AND seq <= ?", (epoch, last))
    below = Place(last, str(row[0]))
    set_base(cursor, below)
    # The oldest mark above stays, and of those at or below only the newest says anything.
    cursor.execute(
        "DELETE FROM age WHERE lived_ms < (SELECT max(lived_ms) FROM age WHERE seq <= ?)", (last,)
    )
    return below


# --- check ---------------------------------------------------------------------------------


def wrongs(db: sqlite3.Connection, node: str) -> list[str]:
    """Each wrong thing of the file in a sentence; none where everything is right."""
    found = [
        f"The database is damaged: {text}."
        for (text,) in db.execute("PRAGMA integrity_check(20)")
        if text != "ok"
    ]
    epoch, acked = int(meta(db, "epoch", "1")), int(meta(db, "acked", "0"))
    base = read_base(db)
    seq, digest = base.seq, base.digest
    rows = db.execute(
        "SELECT epoch, seq, id, type, sub, ts, digest, raw FROM event ORDER BY epoch, seq"
    )
    for row_epoch, row_seq, event_id, kind, sub, ts, row_digest, raw in rows:
        name = f"Event {row_epoch}/{row_seq}"
        if row_epoch != epoch:
            found.append(f"{name} is not of epoch {epoch}, the only one there should be.")
            continue
        if row_seq != seq + 1:
            found.append(f"{name} follows {epoch}/{seq}: {row_seq - seq - 1} are missing.")
        seq = row_seq
        try:
            event = decode_envelope(raw)
        except BadMessage as error:
            found.append(f"{name} cannot be read: {error}.")
            digest = row_digest
            continue
        if event.prev != digest:
            found.append(f"{name} is chained to {event.prev}, before it is {digest}.")
        said = (event.epoch, event.seq, event.id, event.type, event.sub, event.ts, event.src)
        if said != (epoch, row_seq, event_id, kind, sub, ts, node):
            found.append(f"{name} is filed under other values than it says itself.")
        if chain(raw) != row_digest:
            found.append(f"{name} has the digest {chain(raw)}, filed is {row_digest}.")
        digest = row_digest
    if not base.seq <= acked <= seq:
        found.append(f"Acknowledged is {epoch}/{acked}, the newest event is {epoch}/{seq}.")
    return found
