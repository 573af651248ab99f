"""The branch server's heart: commands from tellers, events from devices, one ledger, one queue.

Commands are synchronous between their checks and their commit, so two tellers that call at the
same instant get two tickets. The queue is changed only after the commit.
"""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from datetime import datetime, tzinfo

import structlog
from sqlalchemy.exc import SQLAlchemyError

from branch.alerting import Watched
from branch.answers import Answers
from branch.caller_displays import CallerDisplays
from branch.card_table import card_table_of
from branch.codes import Codes
from branch.commands import (
    AnyCommand,
    CallNext,
    Finish,
    Miss,
    OpenCounter,
    PauseCounter,
    Recall,
    Start,
)
from branch.config import BranchConfig
from branch.configuration import ConfigurationDesk, Wanted
from branch.counter_feed import CounterFeed
from branch.dating import Dating
from branch.day import REASON, DayEnd
from branch.day_book import DayBook
from branch.desk import WALK_IN_BAND, Desk
from branch.desk_list import desk_view
from branch.desk_view import DeskView
from branch.displays import Displays
from branch.errors import NotStored
from branch.grants import Grants
from branch.hall import Hall
from branch.health import health_of
from branch.ingest import Ingest
from branch.intents import Intents
from branch.pads import PadControl
from branch.publishing import Publishing
from branch.queue import (
    Discipline,
    ImpossibleEvent,
    QueueTicket,
    TicketPhase,
    rebuild,
)
from branch.rules import engine_of
from branch.seen import last_numbers
from branch.store import Store
from branch.teller_keys import TellerKeys
from branch.teller_view import counter_view
from branch.ticket_page import TicketPages
from branch.timing import Timing
from branch.view import BoardView, CommandRefused, CounterView
from branch.visits import Visits
from branch.wait_clock import WaitClock
from sync.clock import Clock
from sync.crashpoint import reach
from sync.identity import CHAIN_START
from sync.inbox import Accepted
from sync.messages import (
    EVENT_TYPES,
    AbandonedData,
    Answer,
    AnyEvent,
    Ask,
    AskCode,
    Hello,
    LastNumber,
    Payload,
    TellerKey,
    TicketCalled,
    TicketIssued,
    TicketRejoined,
    UnknownEvent,
)
from sync.topics import ALERT
from sync.transport import Transport

log = structlog.get_logger()


class BranchService:
    """Implements :class:`branch.view.Branch` on a store, a transport and a clock."""

    def __init__(
        self,
        config: BranchConfig,
        *,
        store: Store,
        transport: Transport,
        clock: Clock,
        version: str,
        tz: tzinfo | None = None,
        discipline: Discipline | None = None,
        start: int | None = None,
        on_commit: Callable[[], None] = lambda: None,
        wanted: Wanted | None = None,
    ) -> None:
        """``start`` tells this start of the server from others: devices greet a new one.
        ``on_commit`` is told when the ledger has grown. ``wanted`` of the kiosks, None: nothing.
        """
        self._on_commit = on_commit
        self.head_office: Callable[[], dict[str, object]] | None = None
        """What ``/healthz`` says of head office; None where nothing is forwarded."""
        self.listeners: list[Callable[[AnyEvent | UnknownEvent], None]] = []
        """Told of each event once it is committed and the queue has taken it."""
        self.speaker: Callable[[], dict[str, object]] | None = None
        """What ``/healthz`` says of the announcements; None where there are none."""
        self.windows: Callable[[], dict[str, object]] | None = None
        """What ``/healthz`` says of the displays above the counters; None where there are none."""
        self.webhook: Callable[[], dict[str, object]] | None = None
        """What ``/healthz`` says of the webhook; None where there is none."""
        self.own_alerts: Callable[[], list[str]] = list
        self._config = config
        start = clock.wall_ms() if start is None else start
        self._store = store
        self._transport = transport
        self._dating = store.dating = Dating(store, clock, config.node)
        self._clock = clock = self._dating.clock()
        self._version = version
        self.engine = engine_of(config, discipline)
        self.engine.at = self._dating.at
        self._desk = Desk(config, self.engine, clock, self._record, self._last_walk_in)
        self._timing = Timing(self._dating, clock, self.engine, self._record, self._bump)
        self.skipped_events = 0
        self._configured = {c.number for c in config.counters}
        self.waits = WaitClock(config, self.engine, clock)
        store.forecasts = self.waits.rows
        self._displays = Displays(config, self.engine, clock, tz, self.waits)
        self._tz = tz
        self.hall = Hall(
            config, self.engine, clock, store, transport, self._displays, self._desk, self._record,
            Watched(
                config.node, lambda: self.ingest.nodes, self._alerts, self._date_of
            ),
            last_walk_in=self._last_walk_in, revision=lambda: self._revision,
        )  # fmt: skip
        self.day_book = DayBook(config, store, clock, tz)
        self.tickets = TicketPages(
            config, self.engine, store, clock, self._say_of, self.hall.standards, self.waits
        )
        self.codes = Codes(
            config, self.engine, clock, store, self._desk, self.hall.standards, self._record,
            self._date_of, tz,
        )  # fmt: skip
        self._rebuild()
        self.grants = Grants(store, clock, [s.letter for s in config.services], tz)
        self._day_end = DayEnd()
        with store.reading() as connection:
            self._day_end.restore(connection, self._today(), self._date_of)
        self._pads = PadControl(config, transport, clock, self._bump)
        self._visits = Visits(
            self.engine,
            clock,
            self._record,
            self._desk,
            self._pads,
            store,
        )
        self._intents = Intents(
            self.engine, Answers(store), self._visits, self._desk, self._pads, clock.wall_ms
        )
        nodes = sorted({n for c in config.counters for n in (c.pad_node, c.caller_node) if n})
        self.configuration = ConfigurationDesk(
            wanted, nodes, store=store, transport=transport, clock=clock,
            cards=card_table_of(config),
        )  # fmt: skip
        callers = {c.number: c.caller_node for c in config.counters if c.caller_node}
        self._callers = CallerDisplays(callers, self.engine, transport, start)
        self._publishing = Publishing(
            config.node, store, transport, self._displays, self._callers,
            version=version, start=start, look=self._look,
        )  # fmt: skip
        self.teller_keys = TellerKeys(
            callers,
            self.engine.counters,
            done=self.engine.done,
            commands={
                "call_next": self._visits.call_next,
                "recall": self._visits.recall,
                "start": self._visits.start,
                "miss": self._visits.miss,
                "finish": self._visits.finish,
                "pause": lambda c, k: self._desk.carry_out(c, PauseCounter(), k),
                "open": lambda c, k: self._desk.carry_out(c, OpenCounter(), k),
            },
            now_ms=clock.wall_ms,
            since_ms=self._dating.since_ms,
        )
        self.ingest = Ingest(
            store,
            transport,
            clock,
            self._arrived,
            self._pads.answered,
            node_changed=self._pads.node_changed,
            own_node=config.node,
            ask=self._asked,
            greeted=self._greeted,
            applied=self.configuration.applied,
            command=CounterFeed(config.node, transport, self._intents, self.counters).receive
            if config.commands.mqtt
            else None,
        )
        self._revision = 1
        self._waiters: set[asyncio.Future[None]] = set()
        transport.listen(
            on_up=self._connected,
            on_down=lambda reason: log.warning("feed.down", reason=reason),
            on_messages=lambda messages: self.ingest.receive(self.hall.heard(messages)),
        )
        self.ingest.subscribe()
        transport.subscribe(ALERT.of())

    async def open(self) -> None:
        """Join the feed and begin to publish the displays."""
        self._timing.look()
        self._end_day()
        await self._transport.start()
        self._publishing.start()
        await self.hall.open()

    async def close(self) -> None:
        """Leave the feed in good order."""
        await self.hall.close()
        await self._publishing.stop()
        await self._pads.stop()
        self.ingest.close()
        if self._transport.connected:
            self._publishing.announce("stopped")
        await self._transport.stop()

    # --- what the pages see -----------------------------------------------------------------

    def board(self) -> BoardView:
        return self._displays.board(self._revision)

    @property
    def revision(self) -> int:
        """Rises with every change; what ``changed`` waits for."""
        return self._revision

    def counters(self) -> tuple[int, ...]:
        return tuple(self.engine.counters)

    def counter(self, counter: int) -> CounterView:
        pad = self._pads.state(counter)
        return counter_view(self.engine, self._displays, self._revision, counter, pad)

    def desk(self, counter: int) -> DeskView:
        return desk_view(self.engine, self._displays.now_ms(), self._config, counter)

    async def changed(self, revision: int, timeout_s: float) -> int:
        if self._revision > revision:
            return self._revision
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.add(future)
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(timeout_s):  # wait_for may swallow a cancel
                    await future
        finally:
            self._waiters.discard(future)
        return self._revision

    def health(self) -> dict[str, object]:
        return {
            **health_of(self._store, self._transport, self.ingest, self._own_alerts()),
            "hq": self.head_office() if self.head_office else None,
            "speaker": self.speaker() if self.speaker else None,
            "windows": self.windows() if self.windows else None,
            "webhook": self.webhook() if self.webhook else None,
            "version": self._version,
            "waiting": self.engine.waiting(self._displays.services),
            "skipped_events": self.skipped_events,
            "configuration": self.configuration.health(),
            "offer_refused": self.configuration.offer_refused,
        }

    def _own_alerts(self) -> list[str]:
        return [f"{self._config.node}: {alert}" for alert in self._alerts()]

    def _alerts(self) -> list[str]:
        return [*self.own_alerts(), *self.configuration.alerts()]

    def now_ms(self) -> int:
        """The branch's time (Unix ms)."""
        return self._clock.wall_ms()

    # --- commands ---------------------------------------------------------------------------

    async def call_next(self, counter: int, key: str, turn: int | None = None) -> CounterView:
        return await self.perform(counter, CallNext(), key, turn)

    async def recall(self, counter: int, key: str, turn: int | None = None) -> CounterView:
        return await self.perform(counter, Recall(), key, turn)

    async def start(self, counter: int, key: str, turn: int | None = None) -> CounterView:
        return await self.perform(counter, Start(), key, turn)

    async def miss(self, counter: int, key: str, turn: int | None = None) -> CounterView:
        return await self.perform(counter, Miss(), key, turn)

    async def finish(self, counter: int, key: str, turn: int | None = None) -> CounterView:
        return await self.perform(counter, Finish(), key, turn)

    async def perform(
        self, counter: int, command: AnyCommand, key: str, turn: int | None = None
    ) -> CounterView:
        self._intents.carry_out(counter, command, key, turn)
        return self.counter(counter)

    def _asked(self, node: str, ask: Ask) -> Answer | None:
        if isinstance(ask, TellerKey):
            return self.teller_keys.press(node, ask)
        if isinstance(ask, AskCode):
            return self.codes.ask(ask)
        return self.grants.ask(node, ask)

    # --- the ledger -------------------------------------------------------------------------

    def abandon(self, ticket_id: str) -> None:
        """Note that the holder of a waiting ticket has left. Raises KeyError, ImpossibleEvent,
        NotStored.
        """
        ticket = self.engine.tickets[ticket_id]
        wait_ms = max(0, self._clock.wall_ms() - ticket.issued_at)
        self._record("ticket.abandoned", AbandonedData(wait_ms=wait_ms), ticket)

    def _record(self, event_type: str, data: Payload, ticket: QueueTicket | None = None) -> None:
        """Commit one event of our own with its projections, then change the queue. Raises
        ImpossibleEvent, NotStored; nothing is changed then.
        """
        try:
            event = self._append(event_type, data, ticket)
        except SQLAlchemyError as error:
            log.error("service.not_stored", event_type=event_type, error=self._store.failure)
            raise NotStored(
                f"{event_type} of {ticket.number if ticket else 'the server'} was not stored"
                f" ({self._store.failure}); nothing has changed, try again"
            ) from error
        reach("service.recorded")
        self._apply([event], [])
        if isinstance(event, TicketIssued):
            self._day_end.note([event], self._today())
        elif isinstance(event, TicketRejoined) and not self._day_end.knows(event.sub or ""):
            with self._store.reading() as connection:
                self._day_end.again(connection, event.sub or "", self._date_of)

    def _say_of(self, event_type: str, data: Payload, ticket_id: str) -> None:
        """An event about a ticket that was accepted, ended long ago or not."""
        if (ticket := self.engine.tickets.get(ticket_id)) is None:
            raise CommandRefused("unknown_ticket", "this ticket ended long ago")
        self._record(event_type, data, ticket)

    def _append(self, event_type: str, data: Payload, ticket: QueueTicket | None) -> AnyEvent:
        now_ms = self._clock.wall_ms()
        node, new_id = self._config.node, self._clock.new_id()
        with self._store.transaction() as connection:
            seq, prev = self._store.top(connection, node) or (0, CHAIN_START)
            event: AnyEvent = EVENT_TYPES[event_type](  # type: ignore[assignment]
                id=new_id,
                src=node,
                epoch=1,
                seq=seq + 1,
                prev=prev,
                ts=now_ms,
                clk=self._clock.stamp(),
                sub=ticket.id if ticket else new_id if event_type == "ticket.issued" else None,
                data=data,  # type: ignore[call-arg]
            )
            self.engine.check(event)
            self._store.append_own(connection, event, now_ms)
            self._store.project(connection, [event])
            reach("service.begun")
        return event

    def _apply(self, events: Sequence[AnyEvent | UnknownEvent], rated: Sequence[str]) -> None:
        self._on_commit()
        for event in events:
            try:
                self.engine.apply(event)
                self._displays.note(event)
                self.hall.note(event)
                self.codes.note(event)
                for listener in self.listeners:
                    listener(event)
            except ImpossibleEvent as error:
                self._skip(event, error)
            except Exception:
                # It is committed: those after it must reach the queue all the same.
                self.ingest.counters.failed_handlers += 1
                log.exception("service.not_applied", node=event.src, seq=event.seq)
        for ticket in rated:
            self._pads.rated(ticket)
        if events:
            self._bump()

    def _arrived(self, events: Sequence[AnyEvent | UnknownEvent], rated: Sequence[str]) -> None:
        self._apply(events, rated)
        self._timing.redate()
        self.codes.settle()
        self._day_end.note(events, self._today())
        self._end_day()
        self._timing.look()

    def _end_day(self) -> None:
        """Close what still waits from a day that is over; what cannot be stored waits for the
        next event.
        """
        if self._config.queue.overnight:
            return
        now_ms = self._clock.wall_ms()
        try:
            for ticket in self._day_end.over(self.engine):
                data = AbandonedData(wait_ms=max(0, now_ms - ticket.issued_at), reason=REASON)
                self._record("ticket.abandoned", data, ticket)
        except NotStored:
            return  # logged already
        self._day_end.closed()

    def _greeted(self, node: str, hello: Hello, mark: Accepted) -> list[LastNumber]:
        self._dating.greeted(node, hello)
        self._timing.redate()
        self.grants.greeted(node, hello, mark)
        self._callers.forgotten(node)
        self.configuration.greeted(node)
        with self._store.reading() as connection:
            return last_numbers(connection, node)

    def _last_walk_in(self, service: str) -> tuple[int, str]:
        today = self._today()
        return self._store.last_number(self._config.node, today, service, WALK_IN_BAND), today

    def _today(self) -> str:
        return self._date_of(self._clock.wall_ms())

    def _date_of(self, ts: int) -> str:
        return datetime.fromtimestamp(ts / 1000, self._tz).date().isoformat()

    def _rebuild(self) -> None:
        """The queue as it was: every event of the ledger, folded again. Raises SQLAlchemyError."""
        called = set[str]()
        self._dating.remember()
        for event, error in rebuild(self.engine, self._store.events()):
            if error is not None:
                self._skip(event, error)
                continue
            self._displays.note(event)
            self.hall.note(event)
            self.codes.note(event)
            if isinstance(event, TicketCalled) and event.data.counter not in self._configured:
                called.add(event.sub or "")
        self._dating.forget()
        returned = [
            ticket
            for ticket in called
            if (found := self.engine.tickets.get(ticket)) and found.phase is TicketPhase.WAITING
        ]
        if returned:
            log.warning("queue.counter_gone", tickets=len(returned))
            self._store.return_to_line(returned)

    def _skip(self, event: AnyEvent | UnknownEvent, error: ImpossibleEvent) -> None:
        self.skipped_events += 1
        log.error("queue.impossible", node=event.src, seq=event.seq, error=str(error))

    # --- the feed ---------------------------------------------------------------------------

    def _connected(self) -> None:
        self._publishing.connected()
        self.hall.connected()
        self.configuration.connected()

    def _look(self) -> None:
        self._timing.look()
        self.configuration.look()
        self.codes.settle()
        with contextlib.suppress(NotStored):  # logged already
            self._desk.wake()

    def _bump(self) -> None:
        self._revision += 1
        self._publishing.changed()
        waiters, self._waiters = self._waiters, set()
        for future in waiters:
            if not future.done():
                future.set_result(None)
