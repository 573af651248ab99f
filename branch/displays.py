"""What the board and the public topics show, from the queue as it stands."""

from collections import Counter, deque
from collections.abc import Iterator
from datetime import datetime, tzinfo
from math import ceil

from branch.calling_config import service_day
from branch.commitments import Commitments
from branch.config import BranchConfig, ServiceConfig
from branch.queue import Engine, Joining
from branch.standards import standards_of
from branch.view import BoardView, Call, PromiseLine, ServiceLine
from branch.wait_clock import WaitClock
from sync.clock import Clock
from sync.messages import (
    AnyEvent,
    BoardCall,
    BoardState,
    QueueState,
    TicketAbandoned,
    TicketCalled,
    TicketIssued,
    TicketRecalled,
    UnknownEvent,
    encode,
)
from sync.topics import BOARD, QUEUE, Topic

RECENT_CALLS = 5
ZONE = "hall"
WEEKDAYS_ZH = "一二三四五六日"
WEEKDAYS_EN = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MONTHS_EN = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class Displays:
    """Keeps the recent calls; everything else is read from the engine when asked."""

    def __init__(
        self,
        config: BranchConfig,
        engine: Engine,
        clock: Clock,
        tz: tzinfo | None,
        waits: WaitClock,
    ) -> None:
        self._waits = waits
        self._config = config
        self._engine = engine
        self._clock = clock
        self._tz = tz
        self.services: dict[str, ServiceConfig] = {s.letter: s for s in config.services}
        self._calls: deque[BoardCall] = deque(maxlen=RECENT_CALLS)
        self._days = {s.letter: service_day(s) for s in config.services}
        self._given: Counter[tuple[str, str]] = Counter()  # by business date and service
        standards = standards_of(config.standards, self.services)
        self._commitments = Commitments({k: s.max_wait_ms for k, s in standards.items()})

    def now_ms(self) -> int:
        """The branch's time (Unix ms)."""
        return self._clock.wall_ms()

    def note(self, event: AnyEvent | UnknownEvent) -> None:
        """An event that the queue has taken: a call, or a repeated one, is the newest call; a
        ticket counts for its day, and its first call for the promise.
        """
        self._waits.note(event)
        if isinstance(event, TicketCalled | TicketAbandoned):
            self._note_promise(event)
        if isinstance(event, TicketIssued):
            self._given[event.data.business_date, event.data.service] += 1
        if isinstance(event, TicketCalled | TicketRecalled):
            ticket = self._engine.tickets[event.sub or ""]
            calls = [call for call in self._calls if call.number != ticket.number]
            self._calls = deque(calls, maxlen=RECENT_CALLS)
            self._calls.appendleft(
                BoardCall(number=ticket.number, counter=event.data.counter, ts=event.ts)
            )

    def _note_promise(self, event: TicketCalled | TicketAbandoned) -> None:
        ticket = self._engine.tickets.get(event.sub or "")
        if ticket is None:
            return  # it has ended and is forgotten already
        note = self._commitments.called
        if isinstance(event, TicketAbandoned):
            note = self._commitments.left
        waited_ms = self._engine.at(event) - self._engine.waiting_from_ms(ticket)
        note(self.date_text(ticket.issued_at), ticket.id, ticket.service, waited_ms)

    def date_text(self, ts_ms: int) -> str:
        """``2026-11-23``, local."""
        return datetime.fromtimestamp(ts_ms / 1000, self._tz).date().isoformat()

    def promises(self) -> tuple[PromiseLine, ...]:
        """Today's public commitments, in the order of the services."""
        now_ms = self._clock.wall_ms()
        today = self.date_text(now_ms)
        found = self._commitments.of(today, self._late(now_ms, today))
        return tuple(
            PromiseLine(s.letter, s.zh, s.en, promised_ms / 60_000, *found[s.letter])
            for s in self._config.services
            if (promised_ms := self._commitments.promised_ms.get(s.letter))
        )

    def _late(self, now_ms: int, today: str) -> Iterator[tuple[str, str, int]]:
        """The tickets of today that wait longer than promised: the first of each line."""
        for (service, *_), line in self._engine.lines.by_key.items():
            latest_ms = now_ms - self._commitments.promised_ms.get(service, now_ms)
            for ticket in line:
                if ticket.place[0] >= latest_ms:
                    break
                if self.date_text(ticket.issued_at) == today:
                    yield ticket.id, service, now_ms - self._engine.waiting_from_ms(ticket)

    def waits_min(self) -> dict[str, tuple[int, int] | None]:
        """The wait interval for a ticket of each service issued now, in minutes, by letter."""
        now = self._waits.now(tuple(self.services))
        return {letter: found.interval_min for letter, found in now.items()}

    def joining(self, letter: str, wait_min: tuple[int, int] | None) -> Joining:
        """Whether a ticket of this service should be given now, if it would wait so long."""
        now = datetime.fromtimestamp(self._clock.wall_ms() / 1000, self._tz)
        return self._days[letter].joining(
            now.hour * 60 + now.minute + now.second / 60,
            self._given[now.date().isoformat(), letter],
            wait_min[1] if wait_min else None,
        )

    def board(self, revision: int) -> BoardView:
        """The call board now."""
        now = datetime.fromtimestamp(self._clock.wall_ms() / 1000, self._tz)
        waits = self.waits_min()
        calls = [Call(c.number, c.counter, self.clock_text(c.ts), c.ts) for c in self._calls]
        return BoardView(
            revision=revision,
            branch_zh=self._config.branch.zh,
            branch_en=self._config.branch.en,
            date_zh=f"{now.month}月{now.day}日 星期{WEEKDAYS_ZH[now.weekday()]}",
            date_en=f"{WEEKDAYS_EN[now.weekday()]} {now.day} {MONTHS_EN[now.month - 1]}",
            clock=f"{now:%H:%M}",
            latest=calls[0] if calls else None,
            recent=tuple(calls[1:]),
            services=tuple(
                ServiceLine(
                    s.letter,
                    s.zh,
                    s.en,
                    self._engine.waiting([s.letter]),
                    waits[s.letter],
                    self.joining(s.letter, waits[s.letter]).value,
                )
                for s in self._config.services
            ),
            hours=self._config.branch.hours,
            complaints_phone=self._config.branch.complaints_phone,
            promises=self.promises(),
        )

    def clock_text(self, ts_ms: int) -> str:
        """``10:24``, local."""
        return f"{datetime.fromtimestamp(ts_ms / 1000, self._tz):%H:%M}"

    def messages(self) -> list[tuple[Topic, str, bytes]]:
        """Everything public, as (topic, name, payload)."""
        now_ms = self._clock.wall_ms()
        found: list[tuple[Topic, str, bytes]] = []
        promises = {one.letter: one for one in self.promises()}
        for letter, low_high in self.waits_min().items():
            promise = promises.get(letter)
            state = QueueState(
                service=letter,
                waiting=self._engine.waiting([letter]),
                wait_low_min=low_high[0] if low_high else None,
                wait_high_min=low_high[1] if low_high else None,
                ts=now_ms,
                joining=self.joining(letter, low_high).value,
                promise_min=ceil(promise.max_wait_min) if promise else 0,
                promised=promise.people if promise else 0,
                kept=promise.kept if promise else 0,
            )
            found.append((QUEUE, QUEUE.of(service=letter), encode(state)))
        board = BoardState(zone=ZONE, calls=list(self._calls), ts=now_ms)
        found.append((BOARD, BOARD.of(zone=ZONE), encode(board)))
        return found
