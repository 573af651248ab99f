"""The device's journal and outbox in one SQLite file: what is written here is durable, and kept
until the server has it.

WAL with ``synchronous=FULL``: the commit returns after the data is on the medium. One writer, one
connection, one process. Where the disk has no room, logs go first, then the reserve and pruned
rows make room for tickets and ratings alone, and then nothing is taken at all: no ticket is issued
that is not journalled.
"""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from sync import journal_upkeep as upkeep
from sync.clock import Clock
from sync.crashpoint import reach
from sync.errors import JournalFull, JournalUnusable
from sync.journal_file import SCHEMA_VERSION as SCHEMA_VERSION, Lock, open_file, unusable
from sync.journal_space import RESERVE_BYTES, Reserve, SpaceLevel, is_essential, lacks_space
from sync.journal_transaction import Transaction, Write
from sync.journal_upkeep import (
    DAY_MS,
    RETENTION_MS as RETENTION_MS,
    SET_META,
    SETTLED_PAPER,
    Place,
)
from sync.messages import Event, LastNumber, Payload, decode_event

ROOM_BYTES = 16 * 1024
"""Four pages: a ticket's row, its two indexes and its number split at most that many."""
PRUNED_AT_ONCE = 100
"""Rows pruned in one transaction on a full disk: half a MiB of pages, half the reserve."""
PRUNED_FOR_ROOM = 2_000
_TAKES_ALL = (SpaceLevel.AMPLE, SpaceLevel.LOW)


class Journal:
    """One node's durable event stream: appended by the device, read by the outbox until
    acknowledged. ``space`` is how much it takes now.
    """

    def __init__(
        self,
        path: Path | str,
        *,
        node: str,
        clock: Clock,
        on_low_space: Callable[[], None] = lambda: None,
    ) -> None:
        """Open or create the file. ``on_low_space`` drops what is dispensable on that disk. Raises
        JournalUnusable (damaged, another node's or process's, a newer version).
        """
        self.node = node
        self.clock = clock
        self.path = str(path)
        self._on_low_space = on_low_space
        self._reserve = Reserve(self.path)
        try:
            self._lock, self._db = self._open()
        except (sqlite3.Error, OSError) as error:
            raise unusable(self.path, error) from error
        try:
            self._own()
            self.epoch = int(upkeep.meta(self._db, "epoch", "1"))
            self._connects = int(upkeep.meta(self._db, "connect", "0"))
            self._base = upkeep.read_base(self._db)
            self.acked = max(int(upkeep.meta(self._db, "acked", "0")), self._base.seq)
            self._served = upkeep.Served(self._db, clock)
            self.top_seq, self.digest = self._top()
        except BaseException as error:
            self.close()
            if isinstance(error, sqlite3.Error):
                raise unusable(self.path, error) from error
            raise
        self.space = SpaceLevel.FULL
        self._weigh()

    def close(self) -> None:
        """Close the file; harmless when closed already."""
        self._db.close()
        self._lock.release()

    # --- writing --------------------------------------------------------------------------

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """One durable transaction. Raises JournalFull when it cannot be made durable; then nothing
        was written.
        """
        with self._exclusive() as cursor:

            def again(error: sqlite3.Error, writes: list[Write]) -> None:
                self._write_again(cursor, error, writes)

            transaction = Transaction(self, cursor, again)
            yield transaction
            transaction.commit()
        self.top_seq, self.digest = transaction.top_seq, transaction.digest
        reach("journal.committed")
        if self.space is not SpaceLevel.AMPLE:
            self._weigh()

    def append(self, event_type: str, data: Payload, *, sub: str | None = None) -> Event:
        """Append one event in a transaction of its own. Raises JournalFull."""
        with self.transaction() as transaction:
            return transaction.append(event_type, data, sub=sub)

    def keep_paper(self, ticket: str, state: str, attempt: int) -> None:
        """Keep what is known of a ticket's slip, durably. Raises JournalFull."""
        with self.transaction() as transaction:
            transaction.keep_paper(ticket, state, attempt)

    def raise_numbers(self, numbers: Sequence[LastNumber]) -> None:
        """Remember the highest numbers of several bands as given, durably; lower ones than the
        last change nothing. Raises JournalFull.
        """
        higher = [
            given
            for given in numbers
            if given.last > self.last_number(given.business_date, given.service, given.band)
        ]
        if higher:
            with self.transaction() as transaction:
                transaction.raise_numbers(higher)

    def mark_acked(self, seq: int) -> None:
        """Raise the cursor of what the server has committed (a lower value changes nothing)."""
        if seq > self.acked:
            self.acked = min(seq, self.top_seq)
            # On a full disk the cursor is kept in memory: the worst is that a restart sends again.
            with suppress(sqlite3.Error):
                self._set_meta("acked", str(self.acked))

    def lower_acked(self, seq: int) -> None:
        """Take back what was acknowledged above ``seq``: a restored server has it no longer, so
        it must not be thrown away here. A higher value changes nothing.
        """
        if seq < self.acked:
            self.acked = seq
            with suppress(sqlite3.Error):
                self._set_meta("acked", str(seq))

    def count_connect(self) -> int:
        """The next connect number, durable unless the disk is full: a full kiosk must connect."""
        self._connects += 1
        with suppress(sqlite3.Error):
            self._set_meta("connect", str(self._connects))
        return self._connects

    def begin_epoch(self, epoch: int) -> None:
        """Place every retained event under ``epoch``, in order and from 1, chained anew, all else
        as it is; nothing is acknowledged then. Raises ValueError for an epoch that is not new,
        JournalFull when it cannot be made durable; then nothing has changed.

        75,000 events took 2.3 to 3.4 s on two busy cores, and as much room again as the file has.
        """
        if epoch <= self.epoch:
            raise ValueError(f"epoch {epoch}: expected more than {self.epoch}")
        self._checkpoint()  # it takes as much room again as the rows have
        with self._exclusive() as cursor:
            top = upkeep.re_place(cursor, epoch, self._base)
            cursor.execute("COMMIT")
        self.epoch, self.acked, self._base = epoch, 0, Place()
        self.top_seq, self.digest = top.seq, top.digest
        reach("journal.committed")
        self._checkpoint()

    def prune(self, older_than_ts_ms: int, limit: int) -> int:
        """Delete up to ``limit`` acknowledged events, oldest first, that are older than the time
        from ``older_than_ts_ms`` until now (Unix ms); returns how many. Raises JournalFull.

        The age is counted in time served, not by the events' ``ts`` (see journal_upkeep): the
        argument only says how long they are kept, so a clock that jumped by years cancels out.
        Call it each hour or so; what was appended between two calls is no older than the later
        one. A time that is not past asks for everything that is acknowledged.
        """
        pruned = self._prune(max(self.clock.wall_ms() - older_than_ts_ms, 0), limit)
        self._weigh()
        return pruned

    # --- reading --------------------------------------------------------------------------

    @property
    def first_seq(self) -> int:
        """The oldest event of this epoch that is still here, ``top_seq`` + 1 for none."""
        return self._base.seq + 1

    def after(self, seq: int, limit: int) -> list[tuple[int, bytes]]:
        """Up to ``limit`` (seq, raw) of this epoch above ``seq``, in order."""
        return self._db.execute(
            "SELECT seq, raw FROM event WHERE epoch = ? AND seq > ? ORDER BY seq LIMIT ?",
            (self.epoch, seq, limit),
        ).fetchall()

    def digest_at(self, seq: int) -> str:
        """The chain digest after ``seq`` (of this epoch): of a retained event, or of the one just
        below the oldest; "" when it is not there.
        """
        if seq == self._base.seq:
            return self._base.digest
        row = self._db.execute(
            "SELECT digest FROM event WHERE epoch = ? AND seq = ?", (self.epoch, seq)
        ).fetchone()
        return str(row[0]) if row else ""

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

    def paper_of(self, ticket: str) -> tuple[str, int] | None:
        """(state, attempt) of a ticket's slip, None where none is kept."""
        row = self._db.execute(
            "SELECT state, attempt FROM paper WHERE ticket = ?", (ticket,)
        ).fetchone()
        return (str(row[0]), int(row[1])) if row else None

    def unsettled_paper(self) -> list[tuple[str, str, int]]:
        """(ticket, state, attempt) of the slips that are not printed, shown or voided, oldest
        ticket first.
        """
        marks = ", ".join("?" * len(SETTLED_PAPER))
        return self._db.execute(
            f"SELECT ticket, state, attempt FROM paper WHERE state NOT IN ({marks})"
            " ORDER BY ticket",
            SETTLED_PAPER,
        ).fetchall()

    def mark(self, name: str, default: str) -> str:
        """The small text kept under ``name``."""
        return upkeep.meta(self._db, f"mark.{name}", default)

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
        return self._events(
            "type = ?1 AND id NOT IN (SELECT sub FROM event WHERE sub IS NOT NULL AND type <> ?1)",
            event_type,
        )

    def events_of(self, event_type: str, since_ts: int) -> list[Event]:
        """Every event of a type whose ``ts`` is at least ``since_ts``, in order."""
        return self._events("type = ? AND ts >= ?", event_type, since_ts)

    def events_about(self, sub: str) -> list[Event]:
        """Every event of one ticket, in order."""
        return self._events("sub = ?", sub)

    def of_request(self, request: str) -> Event | None:
        """The event that was appended for this request id, if any."""
        return next(iter(self._events("request = ?", request)), None)

    def ids(self) -> set[str]:
        """Every event id in the file: for tests and inspections."""
        return {row[0] for row in self._db.execute("SELECT id FROM event")}

    def verify(self) -> list[str]:
        """Read the whole file; each wrong thing in a sentence, none where everything is right:
        pages, gaps, chain, columns against contents. For proofs and for a technician.
        """
        return upkeep.wrongs(self._db, self.node)

    # --- room -----------------------------------------------------------------------------

    def has_room(self) -> bool:
        """Whether a ticket could be made durable now: writes as much as it needs and frees it.
        ``space`` rises by this when there is room again.
        """
        try:
            with self.transaction() as transaction:
                transaction.try_room(ROOM_BYTES)
        except JournalFull:
            return False
        return True

    def admit(self, event_type: str) -> None:
        """Raises JournalFull if there is room for tickets and ratings alone, and this is none."""
        if is_essential(event_type) or self.space in _TAKES_ALL:
            return
        if self._reserve.make() or self._spare_bytes() >= RESERVE_BYTES:
            return
        raise JournalFull(
            f"{self.path}: {event_type} waits, what room is left is for tickets and ratings;"
            " make room on the disk"
        )

    def _write_again(
        self, cursor: sqlite3.Cursor, error: sqlite3.Error, writes: list[Write]
    ) -> None:
        """Make room, one measure after the other, and carry ``writes`` out once more; nobody else
        writes, so what was read before still holds. Raises the last error.
        """
        for make_room in (self._on_low_space, self._spend_reserve, self._checkpoint):
            if not lacks_space(error, self.path):
                break
            with suppress(sqlite3.Error):
                self._roll_back()
            make_room()
            try:
                cursor.execute("BEGIN IMMEDIATE")
                for sql, values in writes:
                    cursor.execute(sql, values)
            except sqlite3.Error as next_error:
                error = next_error
            else:
                return
        raise error

    def _spend_reserve(self) -> None:
        self._reserve.release()
        self._checkpoint("RESTART")
        for _ in range(0, PRUNED_FOR_ROOM, PRUNED_AT_ONCE):
            try:
                pruned = self._prune(DAY_MS, PRUNED_AT_ONCE)
            except JournalFull:
                break
            self._checkpoint("RESTART")  # the next ones are written over these
            if not pruned or self._spare_bytes() >= RESERVE_BYTES:
                break
        spare = self._spare_bytes() >= RESERVE_BYTES
        self.space = SpaceLevel.LOW if spare else SpaceLevel.ESSENTIAL_ONLY

    def _weigh(self) -> None:
        """Find the level after a write that went well."""
        if self._reserve.make():
            self.space = SpaceLevel.AMPLE
        elif self._spare_bytes() >= RESERVE_BYTES:
            self.space = SpaceLevel.LOW
        else:
            self.space = SpaceLevel.ESSENTIAL_ONLY

    def _spare_bytes(self) -> int:
        """Pages of the file that hold nothing. They stay the journal's: given back to a full disk,
        anybody's file could take them.
        """
        try:
            (pages,) = self._db.execute("PRAGMA freelist_count").fetchone()
            (size,) = self._db.execute("PRAGMA page_size").fetchone()
        except sqlite3.Error:
            return 0
        return int(pages) * int(size)

    def _prune(self, keep_ms: int, limit: int) -> int:
        with self._exclusive() as cursor:
            served_ms = self._served.count(cursor, self.top_seq, now=keep_ms == 0)
            old = upkeep.old_enough(cursor, served_ms, keep_ms)
            last = min(old, self.acked, self._base.seq + limit)
            base = self._base
            if last > base.seq:
                base = upkeep.delete_up_to(cursor, self.epoch, base, last)
                cursor.execute(SET_META, ("acked", str(self.acked)))
            cursor.execute("COMMIT")
        pruned = base.seq - self._base.seq
        self._base = base
        return pruned

    def _checkpoint(self, mode: str = "TRUNCATE") -> None:
        """RESTART keeps the log's room on the disk, TRUNCATE gives it back."""
        with suppress(sqlite3.Error):  # it is done again later
            self._db.execute(f"PRAGMA wal_checkpoint({mode})").fetchall()

    @contextmanager
    def _exclusive(self) -> Iterator[sqlite3.Cursor]:
        """An open transaction; the body commits. Raises JournalFull; then nothing was written."""
        cursor = None
        try:
            cursor = self._db.cursor()
            cursor.execute("BEGIN IMMEDIATE")
            reach("journal.begun")
            yield cursor
        except BaseException as error:
            with suppress(sqlite3.Error):  # the first error is the one to tell
                self._roll_back()
            if isinstance(error, sqlite3.Error):
                self.space = SpaceLevel.FULL
                raise JournalFull(f"{self.path}: {error}") from error
            raise
        finally:
            if cursor is not None:
                cursor.close()

    def _roll_back(self) -> None:
        if self._db.in_transaction:
            self._db.execute("ROLLBACK")

    # --- opening --------------------------------------------------------------------------

    def _open(self) -> tuple[Lock, sqlite3.Connection]:
        """Raises JournalUnusable, sqlite3.Error, OSError."""
        try:
            return self._open_once()
        except (sqlite3.Error, OSError) as error:
            if not (lacks_space(error, self.path) and self._reserve.release()):
                raise
        return self._open_once()

    def _open_once(self) -> tuple[Lock, sqlite3.Connection]:
        lock = Lock(self.path)
        try:
            return lock, open_file(self.path)
        except BaseException:
            lock.release()
            raise

    def _own(self) -> None:
        owner = upkeep.meta(self._db, "node", "")
        if not owner:
            self._set_meta("node", self.node)
        elif owner != self.node:
            raise JournalUnusable(
                f"{self.path}: belongs to node {owner!r}, this is {self.node!r};"
                " give each node a file of its own"
            )

    def _top(self) -> tuple[int, str]:
        row = self._db.execute(
            "SELECT seq, digest FROM event WHERE epoch = ? ORDER BY seq DESC LIMIT 1",
            (self.epoch,),
        ).fetchone()
        return (int(row[0]), str(row[1])) if row else (self._base.seq, self._base.digest)

    def _set_meta(self, name: str, value: str) -> None:
        self._db.execute(SET_META, (name, value))

    def _events(self, where: str, *values: str | int) -> list[Event]:
        rows = self._db.execute(f"SELECT raw FROM event WHERE {where} ORDER BY epoch, seq", values)
        return [event for (raw,) in rows if isinstance(event := decode_event(raw), Event)]


def pack(rows: list[tuple[int, bytes]]) -> bytes:
    """One ``evt`` payload: a single event as it is, several as a JSON array."""
    return rows[0][1] if len(rows) == 1 else b"[" + b",".join(raw for _, raw in rows) + b"]"
