"""The device's journal and outbox in one SQLite file: what is written here is durable, and kept
until the server has it.

WAL with ``synchronous=FULL``: the commit returns after the data is on the medium. One writer, one
connection.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import resources
from pathlib import Path
from typing import Any

from sync.clock import Clock
from sync.errors import JournalFull, JournalUnusable
from sync.identity import CHAIN_START, chain
from sync.messages import EVENT_TYPES, Event, Payload, decode_event, encode

SCHEMA_VERSION = 1
BUSY_TIMEOUT_S = 5.0
ROOM_BYTES = 16 * 1024
"""Four pages: a ticket's row, its two indexes and its number split at most that many."""


class Transaction:
    """What may be done inside one journal transaction; all of it becomes durable together, or
    none.
    """

    def __init__(self, journal: "Journal", cursor: sqlite3.Cursor) -> None:
        self._journal = journal
        self._cursor = cursor
        self.events: list[Event] = []
        self.top_seq, self.digest = journal.top_seq, journal.digest

    def request(self, request: str) -> Event | None:
        """The event that an earlier transaction appended for this request id, if any."""
        row = self._cursor.execute(
            "SELECT raw FROM event WHERE request = ?", (request,)
        ).fetchone()
        if row is None:
            return None
        event = decode_event(row[0])
        assert isinstance(event, Event)
        return event

    def last_number(self, business_date: str, service: str, band: int) -> int:
        """The last number given in this band, 0 for none."""
        return self._journal.last_number(business_date, service, band)

    def keep_number(self, business_date: str, service: str, band: int, number: int) -> None:
        """Remember ``number`` as given."""
        self._cursor.execute(
            "INSERT INTO number (business_date, service, band, last) VALUES (?, ?, ?, ?)"
            " ON CONFLICT DO UPDATE SET last = excluded.last",
            (business_date, service, band, number),
        )

    def try_room(self, size: int) -> None:
        """Write ``size`` bytes and delete them again."""
        self._cursor.execute(
            "INSERT OR REPLACE INTO meta (name, value) VALUES ('room', ?)", ("0" * size,)
        )
        self._cursor.execute("DELETE FROM meta WHERE name = 'room'")

    def append(
        self,
        event_type: str,
        data: Payload,
        *,
        sub: str | None = None,
        event_id: str | None = None,
        request: str | None = None,
    ) -> Event:
        """Append one event; its sequence number follows the last without a gap. ``sub`` "self"
        names its own id.
        """
        clock = self._journal.clock
        new_id = event_id or clock.new_id()
        event = EVENT_TYPES[event_type](
            id=new_id,
            src=self._journal.node,
            epoch=self._journal.epoch,
            seq=self.top_seq + 1,
            prev=self.digest,
            ts=clock.wall_ms(),
            clk=clock.stamp(),
            sub=new_id if sub == "self" else sub,
            data=data,  # type: ignore[call-arg]
        )
        raw = encode(event)
        digest = chain(raw)
        self._cursor.execute(
            "INSERT INTO event (epoch, seq, id, type, sub, request, ts, digest, raw)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                event.epoch, event.seq, new_id, event_type, event.sub, request, event.ts,
                digest, raw,
            ),
        )  # fmt: skip
        self.events.append(event)
        self.top_seq, self.digest = event.seq, digest
        return event


class Journal:
    """One node's durable event stream: appended by the device, read by the outbox until
    acknowledged.
    """

    def __init__(self, path: Path | str, *, node: str, clock: Clock) -> None:
        """Open or create the file. Raises JournalUnusable (damaged, another node's, a newer
        version).
        """
        self.node = node
        self.clock = clock
        self.path = str(path)
        try:
            self._db = sqlite3.connect(
                self.path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
            )
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            self._prepare()
        except sqlite3.Error as error:
            raise JournalUnusable(
                f"{self.path}: {error}; is the folder there and writable, is the disk healthy?"
                " Keep the file: it may hold tickets that the server has not got."
            ) from error
        self.epoch = int(self._meta("epoch", "1"))
        self.acked = int(self._meta("acked", "0"))
        self._connects = int(self._meta("connect", "0"))
        self.top_seq, self.digest = self._top()

    def close(self) -> None:
        """Close the file; harmless when closed already."""
        self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """One durable transaction. Raises JournalFull when it cannot be made durable; then nothing
        was written.
        """
        try:
            cursor = self._db.cursor()
            cursor.execute("BEGIN IMMEDIATE")
        except sqlite3.Error as error:
            raise JournalFull(f"{self.path}: {error}") from error
        transaction = Transaction(self, cursor)
        try:
            yield transaction
            cursor.execute("COMMIT")
        except BaseException as error:
            with suppress(sqlite3.Error):  # the first error is the one to tell
                if self._db.in_transaction:
                    cursor.execute("ROLLBACK")
            if isinstance(error, sqlite3.Error):
                raise JournalFull(f"{self.path}: {error}") from error
            raise
        self.top_seq, self.digest = transaction.top_seq, transaction.digest

    def append(self, event_type: str, data: Payload, *, sub: str | None = None) -> Event:
        """Append one event in a transaction of its own. Raises JournalFull."""
        with self.transaction() as transaction:
            return transaction.append(event_type, data, sub=sub)

    def after(self, seq: int, limit: int) -> list[tuple[int, bytes]]:
        """Up to ``limit`` (seq, raw) of this epoch above ``seq``, in order."""
        return self._db.execute(
            "SELECT seq, raw FROM event WHERE epoch = ? AND seq > ? ORDER BY seq LIMIT ?",
            (self.epoch, seq, limit),
        ).fetchall()

    def last_number(self, business_date: str, service: str, band: int) -> int:
        """The last number given in this band, 0 for none."""
        row = self._db.execute(
            "SELECT last FROM number WHERE business_date = ? AND service = ? AND band = ?",
            (business_date, service, band),
        ).fetchone()
        return int(row[0]) if row else 0

    def last_business_date(self) -> str:
        """The newest business date that a number was given on, "" for none (ISO dates sort as
        text).
        """
        row = self._db.execute("SELECT max(business_date) FROM number").fetchone()
        return str(row[0] or "")

    def has_room(self) -> bool:
        """Whether a ticket could be made durable now: writes as much as it needs and frees it."""
        try:
            with self.transaction() as transaction:
                transaction.try_room(ROOM_BYTES)
        except JournalFull:
            return False
        return True

    def last_of(self, event_type: str) -> Event | None:
        """The newest event of a type, None before the first."""
        row = self._db.execute(
            "SELECT raw FROM event WHERE type = ? ORDER BY epoch DESC, seq DESC LIMIT 1",
            (event_type,),
        ).fetchone()
        event = decode_event(row[0]) if row else None
        return event if isinstance(event, Event) else None

    def first_alone(self, event_type: str) -> list[Event]:
        """Every event of a type that began something of which nothing more is known, in order.

        One pass over the file: for the start of a program.
        """
        rows = self._db.execute(
            "SELECT raw FROM event WHERE type = ?1 AND id NOT IN"
            " (SELECT sub FROM event WHERE sub IS NOT NULL AND type <> ?1) ORDER BY epoch, seq",
            (event_type,),
        ).fetchall()
        return [event for (raw,) in rows if isinstance(event := decode_event(raw), Event)]

    def events_of(self, event_type: str, since_ts: int) -> list[Event]:
        """Every event of a type whose ``ts`` is at least ``since_ts``, in order."""
        rows = self._db.execute(
            "SELECT raw FROM event WHERE type = ? AND ts >= ? ORDER BY epoch, seq",
            (event_type, since_ts),
        ).fetchall()
        return [event for (raw,) in rows if isinstance(event := decode_event(raw), Event)]

    def ids(self) -> set[str]:
        """Every event id in the file: for tests and inspections."""
        return {row[0] for row in self._db.execute("SELECT id FROM event")}

    def events_about(self, sub: str) -> list[Event]:
        """Every event of one ticket, in order."""
        rows = self._db.execute(
            "SELECT raw FROM event WHERE sub = ? ORDER BY epoch, seq", (sub,)
        ).fetchall()
        return [event for (raw,) in rows if isinstance(event := decode_event(raw), Event)]

    def digest_at(self, seq: int) -> str:
        """The chain digest after ``seq`` (of this epoch); the start value for 0, "" when not
        there.
        """
        if seq == 0:
            return CHAIN_START
        row = self._db.execute(
            "SELECT digest FROM event WHERE epoch = ? AND seq = ?", (self.epoch, seq)
        ).fetchone()
        return str(row[0]) if row else ""

    def mark_acked(self, seq: int) -> None:
        """Raise the cursor of what the server has committed (a lower value changes nothing)."""
        if seq > self.acked:
            self.acked = min(seq, self.top_seq)
            # On a full disk the cursor is kept in memory: the worst is that a restart sends again.
            with suppress(sqlite3.Error):
                self._set_meta("acked", str(self.acked))

    def count_connect(self) -> int:
        """The next connect number, durable unless the disk is full: a full kiosk must connect."""
        self._connects += 1
        with suppress(sqlite3.Error):
            self._set_meta("connect", str(self._connects))
        return self._connects

    def _prepare(self) -> None:
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        if version > SCHEMA_VERSION:
            raise JournalUnusable(
                f"{self.path}: written by a newer version (schema {version}, this one knows"
                f" {SCHEMA_VERSION}); install that version again"
            )
        if version == 0:
            script = resources.files("sync.schema").joinpath("journal_001.sql").read_text("utf-8")
            self._db.executescript(f"BEGIN;\n{script}\nCOMMIT;")
            self._set_meta("node", self.node)
        owner = self._meta("node", self.node)
        if owner != self.node:
            raise JournalUnusable(
                f"{self.path}: belongs to node {owner!r}, this is {self.node!r};"
                " give each node a file of its own"
            )

    def _top(self) -> tuple[int, str]:
        row = self._db.execute(
            "SELECT seq, digest FROM event WHERE epoch = ? ORDER BY seq DESC LIMIT 1",
            (self.epoch,),
        ).fetchone()
        return (int(row[0]), str(row[1])) if row else (0, CHAIN_START)

    def _meta(self, name: str, default: str) -> str:
        row: Any = self._db.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        return str(row[0]) if row else default

    def _set_meta(self, name: str, value: str) -> None:
        self._db.execute(
            "INSERT INTO meta (name, value) VALUES (?, ?)"
            " ON CONFLICT DO UPDATE SET value = excluded.value",
            (name, value),
        )


def pack(rows: list[tuple[int, bytes]]) -> bytes:
    """One ``evt`` payload: a single event as it is, several as a JSON array."""
    return rows[0][1] if len(rows) == 1 else b"[" + b",".join(raw for _, raw in rows) + b"]"
