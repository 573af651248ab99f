"""What may be done inside one journal transaction; all of it becomes durable together, or none."""

import sqlite3
from collections.abc import Callable, Iterable
from typing import Any, Protocol, TypeVar

import msgspec

from sync.clock import Clock
from sync.crashpoint import reach
from sync.identity import chain
from sync.journal_upkeep import SET_META
from sync.messages import (
    EVENT_TYPES,
    Event,
    LastNumber,
    Payload,
    UnknownEvent,
    decode_event,
    encode,
)

Write = tuple[str, tuple[Any, ...]]

_E = TypeVar("_E", Event, UnknownEvent)


class Owner(Protocol):
    """What a transaction needs of its journal."""

    node: str
    clock: Clock
    epoch: int
    top_seq: int
    digest: str

    def last_number(self, business_date: str, service: str, band: int) -> int: ...

    def admit(self, event_type: str) -> None: ...


class Transaction:
    """One open transaction of ``journal``. Its writes are kept: ``again`` makes room on a full
    disk and carries them all out once more, raising where that is no use.
    """

    def __init__(
        self,
        journal: Owner,
        cursor: sqlite3.Cursor,
        again: Callable[[sqlite3.Error, list[Write]], None],
    ) -> None:
        self._journal = journal
        self._cursor = cursor
        self._again = again
        self._writes: list[Write] = []
        self.events: list[Event | UnknownEvent] = []
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
        """Remember ``number`` as given; a lower one than the last changes nothing."""
        self._write(
            "INSERT INTO number (business_date, service, band, last) VALUES (?, ?, ?, ?)"
            " ON CONFLICT DO UPDATE SET last = max(last, excluded.last)",
            (business_date, service, band, number),
        )

    def raise_numbers(self, numbers: Iterable[LastNumber]) -> None:
        """Remember the highest numbers of several bands as given."""
        for given in numbers:
            self.keep_number(given.business_date, given.service, given.band, given.last)

    def keep_paper(self, ticket: str, state: str, attempt: int) -> None:
        """Keep what is known of a ticket's slip."""
        self._write(
            "INSERT INTO paper (ticket, state, attempt) VALUES (?, ?, ?) ON CONFLICT DO"
            " UPDATE SET state = excluded.state, attempt = excluded.attempt",
            (ticket, state, attempt),
        )

    def set_mark(self, name: str, value: str) -> None:
        """Keep a small text under ``name``."""
        self._write(SET_META, (f"mark.{name}", value))

    def try_room(self, size: int) -> None:
        """Write ``size`` bytes and delete them again."""
        self._write(SET_META, ("room", "0" * size))
        self._write("DELETE FROM meta WHERE name = ?", ("room",))

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
        names its own id. Raises JournalFull for a type that waits until there is more room.
        """
        self._journal.admit(event_type)
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
        self._file(event, event_type, request)
        return event

    def append_copy(self, event: _E, *, origin: str) -> _E | None:
        """Append an event that ``origin`` recorded: its id, type, time, subject and payload as
        they are, a place of this journal's own. None where that id is in the file already. An
        event read by ``decode_envelope`` keeps fields of its payload that are not known here.
        """
        known = self._cursor.execute("SELECT 1 FROM event WHERE id = ?", (event.id,))
        if known.fetchone():
            return None
        copied = msgspec.structs.replace(
            event,
            src=self._journal.node,
            epoch=self._journal.epoch,
            seq=self.top_seq + 1,
            prev=self.digest,
            origin=origin,
        )
        self._file(copied, type_of(copied), None)
        return copied

    def commit(self) -> None:
        """Make it durable. Raises sqlite3.Error; then nothing was written."""
        self._write("COMMIT", ())

    def _file(self, event: Event | UnknownEvent, event_type: str, request: str | None) -> None:
        raw = encode(event)
        digest = chain(raw)
        self._write(
            "INSERT INTO event (epoch, seq, id, type, sub, request, ts, digest, raw)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                event.epoch, event.seq, event.id, event_type, event.sub, request, event.ts,
                digest, raw,
            ),
        )  # fmt: skip
        self.events.append(event)
        self.top_seq, self.digest = event.seq, digest
        reach("journal.written")

    def _write(self, sql: str, values: tuple[Any, ...]) -> None:
        self._writes.append((sql, values))
        try:
            self._cursor.execute(sql, values)
        except sqlite3.Error as error:
            self._again(error, self._writes)


def type_of(event: Event | UnknownEvent) -> str:
    """The event's wire name."""
    if isinstance(event, UnknownEvent):
        return event.type
    return str(event.__struct_config__.tag)
