"""One scale of time for everything that happens at a branch, whatever the wall clocks say.

The scale is the server's own count of its boot plus an offset that is fixed when the boot is first
seen, so a wall clock that is moved later moves nothing. Each boot of a device has an offset into
it, from what was heard of that boot (sync/timekeeping.py). When a boot becomes known better, every
ticket of it is dated again; the events in the ledger stay as they came.

    source  the offset of a boot is known from                    error
    srv     its own greetings: heard as they were made            the delay, 60 s at most
    ntp rtc none    a boot that was over before it could greet: its events' ``ts``, if they are of
            the last month and not of the future                  what the device said
    late    the same, without a usable ``ts``: when its events arrived     unknown
    ntp rtc none    the server's own boots: its wall clock, at the boot's first start

A device in the server's own boot (on the same machine) has the server's count: no error.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import structlog
from sqlalchemy import Connection, Row, select, update
from sqlalchemy.exc import SQLAlchemyError

from branch.database import Database
from branch.tables import boot_table, leg_table, rating_table, shift_table, ticket_table
from sync.clock import Clock
from sync.errors import BadMessage
from sync.ledger import dialect, event_table
from sync.messages import AnyEvent, Event, Hello, UnknownEvent, decode_envelope
from sync.timekeeping import JUMP_MS, Judgement, Mapping, drift_ms

HELLO_EXPIRES_MS = 60_000
"""A broker keeps a greeting no longer: so late it is heard at most."""
REDATE_MS = 200
"""A boot whose offset was wrong by more is dated again."""
KEEP_MS = 50
"""A smaller change of an offset is not written."""
ALIGN_MS = 500
"""A server that NTP has set follows it if it is off by more."""
USABLE_MS = 31 * 86_400_000
"""How old a device's word about a boot that is over may be."""
CLOSED_MS = 366 * 86_400_000
"""How long a branch may have been off, when nothing but a hardware clock says so."""
AHEAD_MS = 1_000
"""A device's word may lie so far ahead of the server."""
COUNT_LIMIT_MS = 2**45
BOOT_LENGTH = 64
SCAN_ROWS = 500

_RANK = {"late": 0, "none": 1, "rtc": 2, "ntp": 3, "srv": 4}
_BootName = tuple[str, str]  # node, boot

log = structlog.get_logger()


@dataclass(slots=True)
class _Boot:
    """A device's boot. ``dated_ms`` is the offset by which its tickets stand in the tables,
    ``kept_ms`` the one in the boot table.
    """

    mapping: Mapping
    source: str
    err_ms: int | None
    scale: str
    dated_ms: float
    kept_ms: float | None = None


class Dating:
    """Time at the branch. ``now_ms`` and ``at`` are in one scale."""

    def __init__(self, store: Database, clock: Clock, node: str) -> None:
        """``node`` is the server's own name. Raises SQLAlchemyError if nothing can be read."""
        self._store = store
        self._clock = clock
        self._node = node
        self._offset_ms = 0
        self._boots: dict[_BootName, _Boot] = {}
        self._stored: dict[str, int] = {}
        self._fresh: set[_BootName] = set()  # to be looked at by settle
        with store.reading() as connection:
            rows = connection.execute(select(boot_table)).all()
            last_ms = connection.execute(
                select(event_table.c.received_at).order_by(event_table.c.place.desc()).limit(1)
            ).scalar_one_or_none()
        own = [row for row in rows if row.node == node]
        self._own_boots: dict[str, int] = {
            row.boot: row.offset_ms for row in own if row.boot != clock.boot
        }
        for row in rows:
            if row.node != node:
                self._boots[row.node, row.boot] = _read(row)
        mine = next((row for row in own if row.boot == clock.boot), None)
        if mine is None:
            self._begin(last_ms)
        else:
            self._offset_ms, self._source = mine.offset_ms, mine.source
            if clock.keeper is not None and mine.wall_offset_ms is not None:
                clock.keeper.resume(mine.wall_offset_ms)

    # --- the scale ----------------------------------------------------------------------------

    def now_ms(self) -> int:
        """The branch's time (Unix ms): it never jumps within a boot of the server, but when NTP
        says so.
        """
        return self._clock.mono_ms() + self._offset_ms

    def judge(self) -> Judgement:
        """How well ``now_ms`` is known."""
        known = self._clock.judge()
        if known.quality == "ntp":
            return known if self._follows(ALIGN_MS) else Judgement()
        return Judgement("rtc" if self._source != "none" else "none")

    def clock(self) -> Clock:
        """The branch's time as a clock."""
        return replace(self._clock, wall_ms=self.now_ms, judge=self.judge)

    def _begin(self, last_ms: int | None) -> None:
        """The first start in this boot: take the wall clock's word, unless the ledger knows
        better.
        """
        wall_ms, mono_ms = self._clock.wall_ms(), self._clock.mono_ms()
        quality = self._clock.judge().quality
        if (
            quality != "ntp"
            and last_ms is not None
            and not last_ms - JUMP_MS <= wall_ms <= last_ms + CLOSED_MS
        ):
            log.error("clock.implausible", wall_ms=wall_ms, last_known_ms=last_ms)
            wall_ms, quality = last_ms, "none"
        elif last_ms is not None and wall_ms < last_ms:
            wall_ms = last_ms
        self._offset_ms, self._source = wall_ms - mono_ms, quality
        self._keep_own()

    def look(self) -> int:
        """Follow NTP if it has set the machine's clock; returns by how much (ms) the scale has
        moved for what is dated in this boot. Call it now and then.
        """
        if self._clock.judge().quality != "ntp":
            return 0
        if self._follows(ALIGN_MS):
            if self._source != "ntp":
                self._source = "ntp"
                self._keep_own()
            return 0
        since_ms = self._offset_ms
        delta_ms = (self._clock.wall_offset_ms() or 0) - since_ms
        boots = {name: boot for name, boot in self._boots.items() if self._is_mine(boot)}
        try:
            with self._store.transaction() as connection:
                _shift(connection, delta_ms, since_ms)
                for name, boot in boots.items():
                    moved = boot.mapping.offset_ms + delta_ms
                    self._write(connection, name, replace(boot, mapping=_at(boot.mapping, moved)))
                self._write_own(connection, since_ms + delta_ms, "ntp")
        except SQLAlchemyError:
            log.error("clock.not_aligned", error=self._store.failure)
            return 0
        for boot in boots.values():
            boot.mapping = _at(boot.mapping, boot.mapping.offset_ms + delta_ms)
            boot.dated_ms += delta_ms
            boot.kept_ms = boot.mapping.offset_ms
        self._offset_ms, self._source = since_ms + delta_ms, "ntp"
        log.warning("clock.aligned", by_ms=delta_ms)
        return delta_ms

    @property
    def boot_began_ms(self) -> int:
        """When the server's machine was started, in the branch's time."""
        return self._offset_ms

    def seen(self) -> None:
        """The wall clock has been looked at and what was seen is journalled."""
        self._keep_own()

    def _follows(self, within_ms: int) -> bool:
        offset_ms = self._clock.wall_offset_ms()
        return offset_ms is not None and abs(offset_ms - self._offset_ms) <= within_ms

    def since_ms(self, node: str, boot: str, mono_ms: int) -> int:
        """How long ago a device's boot had counted ``mono_ms``, at least (ms); 0 where nothing is
        known of the boot.
        """
        known = self._boots.get((node, boot))
        if known is not None and known.source == "srv" and self._is_mine(known):
            return self.now_ms() - known.mapping.latest_ms(mono_ms)
        return self._clock.mono_ms() - mono_ms if self._shares(boot, mono_ms) else 0

    # --- devices --------------------------------------------------------------------------------

    def at(self, event: Event) -> int:
        """When ``event`` happened, in the branch's time (Unix ms)."""
        stored = self._stored.get(event.id) if self._stored else None
        return stored if stored is not None else self._date(event.src, event.clk.boot, event)

    def _date(self, node: str, boot: str, event: Event | UnknownEvent) -> int:
        mono_ms = event.clk.mono_ms
        known = self._boots.get((node, boot))
        if known is not None:
            return known.mapping.time_ms(mono_ms)
        if boot == self._clock.boot:
            return mono_ms + self._offset_ms
        if node == self._node and boot in self._own_boots:
            return mono_ms + self._own_boots[boot]
        return event.ts

    def greeted(self, node: str, hello: Hello) -> None:
        """A device's hello has just come."""
        if not _countable(hello.boot, hello.mono_ms) or self._shares(hello.boot, hello.mono_ms):
            return
        now_ms = self.now_ms()
        name = (node, hello.boot)
        boot = self._boots.get(name)
        if boot is None:
            self._know(name, Mapping.first(hello.mono_ms, now_ms), "srv", HELLO_EXPIRES_MS)
        elif boot.source != "srv" or not self._is_mine(boot):
            boot.mapping = Mapping.first(hello.mono_ms, now_ms)
            boot.source, boot.err_ms, boot.scale = "srv", HELLO_EXPIRES_MS, self._clock.boot
        else:
            boot.mapping = boot.mapping.heard(hello.mono_ms, now_ms)
        boot = self._boots[name]
        known = self.judge()  # what a device has from a server or by NTP is NTP's time
        if known.quality == "ntp" and hello.quality in ("ntp", "srv") and hello.err_ms is not None:
            delay_ms = now_ms - hello.ts + hello.err_ms + (known.err_ms or 0)
            if 0 <= delay_ms < (boot.err_ms or HELLO_EXPIRES_MS):
                boot.err_ms = delay_ms
        self._fresh.add(name)

    def heard(self, events: Iterable[AnyEvent | UnknownEvent]) -> None:
        """These have just come: they were made before now. Call it before ``at`` dates them."""
        newest: dict[_BootName, AnyEvent | UnknownEvent] = {}
        for event in events:
            name = (event.src, event.clk.boot)
            if name in newest and event.clk.mono_ms <= newest[name].clk.mono_ms:
                continue
            if event.src == self._node or not _countable(event.clk.boot, event.clk.mono_ms):
                continue
            if name in self._boots or not self._shares(event.clk.boot, event.clk.mono_ms):
                newest[name] = event
        now_ms = self.now_ms() if newest else 0
        for name, event in newest.items():
            self._heard(name, event, now_ms)

    def _heard(self, name: _BootName, event: AnyEvent | UnknownEvent, now_ms: int) -> None:
        mono_ms, quality = event.clk.mono_ms, event.clk.quality
        boot = self._boots.get(name)
        said = "ntp" if quality == "srv" else quality
        usable = now_ms - USABLE_MS <= event.ts <= now_ms + AHEAD_MS
        limit = Mapping.first(mono_ms, now_ms)
        by_word = Mapping(float(min(event.ts - mono_ms, now_ms - mono_ms)), mono_ms)
        if boot is None:
            if usable:
                self._know(name, by_word, said, event.clk.err_ms)
            else:
                self._know(name, limit, "late", None)
        elif boot.source == "srv":
            if self._is_mine(boot):
                boot.mapping = boot.mapping.heard(mono_ms, now_ms)
        elif usable and _RANK[said] > _RANK[boot.source]:
            boot.mapping, boot.source, boot.err_ms = by_word, said, event.clk.err_ms
            boot.scale = self._clock.boot
        else:
            offset_ms = min(boot.mapping.offset_ms, limit.offset_ms)
            boot.mapping = Mapping(offset_ms, max(mono_ms, boot.mapping.at_ms))
        self._fresh.add(name)

    def settle(self) -> dict[str, int]:
        """Write what has become known; date again what stands wrong in the tables. Returns the
        tickets that were: id -> when it was issued (Unix ms). What cannot be written now is tried
        with the next call.
        """
        dated: dict[str, int] = {}
        due = [name for name in self._fresh if self._is_due(self._boots[name])]
        self._fresh.clear()
        if not due:
            return dated
        try:
            with self._store.transaction() as connection:
                for name in due:
                    boot = self._boots[name]
                    if _is_wrong(boot):
                        dated |= self._date_again(connection, name, boot)
                    self._write(connection, name, boot)
        except SQLAlchemyError:
            self._fresh.update(due)
            log.error("dating.not_stored", error=self._store.failure)
            return {}
        for name in due:
            boot = self._boots[name]
            if _is_wrong(boot):
                log.info("dating.again", node=name[0], boot=name[1], source=boot.source)
            boot.dated_ms = boot.kept_ms = boot.mapping.offset_ms
        return dated

    def remember(self) -> None:
        """Until ``forget``, date tickets as the tables have them: the queue is folded again."""
        with self._store.reading() as connection:
            rows = connection.execute(select(ticket_table.c.id, ticket_table.c.issued_at))
            self._stored = {row.id: row.issued_at for row in rows}

    def forget(self) -> None:
        """The queue is folded."""
        self._stored = {}

    def _shares(self, boot: str, mono_ms: int) -> bool:
        """Whether this is the server's own count: a program on the same machine."""
        return boot == self._clock.boot and mono_ms <= self._clock.mono_ms()

    def _is_mine(self, boot: _Boot) -> bool:
        return boot.scale == self._clock.boot

    def _know(self, name: _BootName, mapping: Mapping, source: str, err_ms: int | None) -> None:
        self._boots[name] = _Boot(mapping, source, err_ms, self._clock.boot, mapping.offset_ms)

    @staticmethod
    def _is_due(boot: _Boot) -> bool:
        if boot.kept_ms is None or _is_wrong(boot):
            return True
        boot.dated_ms = boot.mapping.offset_ms
        return abs(boot.kept_ms - boot.mapping.offset_ms) >= KEEP_MS

    def _date_again(self, connection: Connection, name: _BootName, boot: _Boot) -> dict[str, int]:
        """Set the times of everything that the tables have of this boot."""
        issued: dict[str, int] = {}
        lower = boot.source == "srv" and boot.mapping.offset_ms < boot.dated_ms
        for event in _of_boot(connection, name):
            mono_ms = event.clk.mono_ms
            at = boot.mapping.time_ms(mono_ms)
            if lower:  # it stood right, or too late: drift may explain a part
                drifted = at + drift_ms(boot.mapping.at_ms - mono_ms)
                at = min(round(mono_ms + boot.dated_ms), drifted)
            if event.type == "ticket.issued":
                issued[event.id] = at
                _set_time(connection, ticket_table.c.id == event.id, issued_at=at)
            elif event.type == "ticket.voided":
                voided = ticket_table.c.outcome == "voided"
                _set_time(connection, (ticket_table.c.id == event.sub) & voided, ended_at=at)
            else:
                connection.execute(
                    update(rating_table).where(rating_table.c.event_id == event.id).values(at=at)
                )
        return issued

    # --- the boot table -------------------------------------------------------------------------

    def _write(self, connection: Connection, name: _BootName, boot: _Boot) -> None:
        values = {
            "offset_ms": round(boot.mapping.offset_ms), "at_ms": boot.mapping.at_ms,
            "err_ms": boot.err_ms, "source": boot.source, "scale": boot.scale,
        }  # fmt: skip
        _upsert(connection, name, values)

    def _write_own(self, connection: Connection, offset_ms: int, source: str) -> None:
        values = {
            "offset_ms": offset_ms, "at_ms": self._clock.mono_ms(),
            "err_ms": self._clock.judge().err_ms, "source": source, "scale": self._clock.boot,
            "wall_offset_ms": self._clock.wall_offset_ms(),
        }  # fmt: skip
        _upsert(connection, (self._node, self._clock.boot), values)

    def _keep_own(self) -> None:
        try:
            with self._store.transaction() as connection:
                self._write_own(connection, self._offset_ms, self._source)
        except SQLAlchemyError:
            log.error("dating.not_stored", error=self._store.failure)


def _read(row: Row[Any]) -> _Boot:
    mapping = Mapping(float(row.offset_ms), row.at_ms)
    offset_ms = mapping.offset_ms
    return _Boot(mapping, row.source, row.err_ms, row.scale, offset_ms, offset_ms)


def _at(mapping: Mapping, offset_ms: float) -> Mapping:
    return Mapping(offset_ms, mapping.at_ms)


def _is_wrong(boot: _Boot) -> bool:
    """Whether what is in the tables of this boot is off by more than its drift."""
    return abs(boot.dated_ms - boot.mapping.offset_ms) > REDATE_MS


def _countable(boot: str, mono_ms: int) -> bool:
    return 0 < len(boot) <= BOOT_LENGTH and 0 <= mono_ms < COUNT_LIMIT_MS


def _of_boot(connection: Connection, name: _BootName) -> Iterator[UnknownEvent]:
    """A boot's rows that date something, newest first. A node's boots follow each other."""
    node, boot = name
    dating = ("ticket.issued", "ticket.voided", "rating.submitted", "rating.unsolicited")
    below, found, others = None, False, 0
    while True:
        query = (
            select(event_table.c.place, event_table.c.raw)
            .where(event_table.c.node == node, event_table.c.type.in_(dating))
            .order_by(event_table.c.place.desc())
            .limit(SCAN_ROWS)
        )
        if below is not None:
            query = query.where(event_table.c.place < below)
        rows = connection.execute(query).all()
        for row in rows:
            try:
                event = decode_envelope(row.raw)
            except BadMessage:
                continue  # the store tells of rows that it cannot read
            if event.clk.boot == boot:
                found, others = True, 0
                yield event
            else:
                others += 1
        if len(rows) < SCAN_ROWS or (found and others >= SCAN_ROWS):
            return
        below = rows[-1].place


def _set_time(connection: Connection, which: object, **values: int) -> None:
    connection.execute(update(ticket_table).where(which).values(**values))  # type: ignore[arg-type]


def _shift(connection: Connection, delta_ms: int, since_ms: int) -> None:
    """Move every time from ``since_ms`` on."""
    table = ticket_table.c
    for column in (table.issued_at, table.called_at, table.started_at, table.ended_at):
        connection.execute(
            update(ticket_table).where(column >= since_ms).values({column.name: column + delta_ms})
        )
    leg = leg_table.c
    for column in (leg.called_at, leg.started_at, leg.ended_at):
        connection.execute(
            update(leg_table).where(column >= since_ms).values({column.name: column + delta_ms})
        )
    connection.execute(
        update(rating_table)
        .where(rating_table.c.at >= since_ms)
        .values(at=rating_table.c.at + delta_ms)
    )
    shift = shift_table.c.at
    connection.execute(update(shift_table).where(shift >= since_ms).values(at=shift + delta_ms))


def _upsert(connection: Connection, name: _BootName, values: dict[str, Any]) -> None:
    insert = dialect(connection).insert(boot_table).values(node=name[0], boot=name[1], **values)
    connection.execute(insert.on_conflict_do_update(index_elements=["node", "boot"], set_=values))
