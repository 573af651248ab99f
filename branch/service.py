"""The branch server's heart: commands from tellers, events from devices, one ledger, one queue.

Commands are synchronous between their checks and their commit, so two tellers that call at the
same instant
get two tickets. The queue is changed only after the commit.
"""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from datetime import tzinfo

import structlog
from sqlalchemy.exc import SQLAlchemyError

from branch.config import BranchConfig
from branch.displays import Displays
from branch.errors import NotStored
from branch.ingest import Ingest
from branch.pads import PadControl
from branch.queue import Discipline, Engine, ImpossibleEvent, QueueTicket, TicketPhase
from branch.store import Store
from branch.view import BoardView, CommandRefused, CounterState, CounterView, WaitingTicket
from sync.clock import Clock
from sync.identity import CHAIN_START
from sync.messages import (
    EVENT_TYPES,
    AbandonedData,
    AnyEvent,
    AtCounterData,
    CalledData,
    EndedData,
    Payload,
    State,
    TicketCalled,
    UnknownEvent,
    encode,
)
from sync.topics import SRV_STATE
from sync.transport import Transport

UP_NEXT = 6
PUBLISH_EVERY_S = 30.0
"""Displays are published again at this pace: their messages expire after 90 s."""
NONCE_BITS = 32

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
    ) -> None:
        self._config = config
        self._store = store
        self._transport = transport
        self._clock = clock
        self._version = version
        self.engine = Engine.of(
            ((c.number, tuple(c.services)) for c in config.counters),
            discipline or Discipline(head_start_min=config.queue.head_start_min),
        )
        self.skipped_events = 0
        self._configured = {c.number for c in config.counters}
        self._displays = Displays(config, self.engine, clock, tz)
        self._rebuild()
        self._pads = PadControl(config, transport, clock, self._bump)
        self.ingest = Ingest(
            store,
            transport,
            clock,
            self._apply,
            self._pads.answered,
            node_changed=self._pads.node_changed,
            own_node=config.node,
        )
        self._revision = 1
        self._waiters: set[asyncio.Future[None]] = set()
        self._publishing: asyncio.Task[None] | None = None
        self._dirty = asyncio.Event()
        transport.listen(
            on_up=self._connected,
            on_down=lambda reason: log.warning("feed.down", reason=reason),
            on_messages=self.ingest.receive,
        )
        self.ingest.subscribe()

    async def open(self) -> None:
        """Join the feed and begin to publish the displays."""
        await self._transport.start()
        self._publishing = asyncio.create_task(self._keep_publishing())

    async def close(self) -> None:
        """Leave the feed in good order."""
        if self._publishing is not None:
            self._publishing.cancel()
            await asyncio.gather(self._publishing, return_exceptions=True)
        await self._pads.stop()
        self.ingest.close()
        if self._transport.connected:
            self._announce("stopped")
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
        slot = self.engine.counters[counter]
        now_ms = self._clock.wall_ms()
        ticket = slot.ticket
        names = [self._displays.services[letter] for letter in slot.services]
        # A ticket may be of a service that the configuration has no longer.
        service = self._displays.services.get(ticket.service) if ticket else None
        return CounterView(
            revision=self._revision,
            counter=counter,
            state=_state(ticket),
            services_zh="、".join(s.zh for s in names),
            services_en=", ".join(s.en for s in names),
            number=ticket.number if ticket else None,
            service_zh=service.zh if service else "",
            service_en=service.en if service else "",
            waited_min=_waited_min(ticket) if ticket else None,
            since_ms=max(0, now_ms - slot.since) if slot.since else 0,
            calls=ticket.calls if ticket else 0,
            pad=self._pads.state(counter),
            waiting=self.engine.waiting(slot.services),
            up_next=tuple(
                WaitingTicket(
                    waiting.number,
                    self._displays.services[waiting.service].zh,
                    self._displays.services[waiting.service].en,
                    max(0, now_ms - waiting.issued_at) // 60_000,
                )
                for waiting in self.engine.up_next(counter, now_ms, UP_NEXT)
            ),
            clock=self._displays.clock_text(now_ms),
        )

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
        counters = self.ingest.counters
        return {
            "ok": not self._store.failure,
            "store": self._store.failure or "ok",
            "mqtt": "online" if self._transport.connected else "offline",
            "version": self._version,
            "waiting": self.engine.waiting(self._displays.services),
            "events": counters.events,
            "duplicates": counters.duplicates,
            "quarantined": counters.quarantined,
            "bad_messages": counters.bad_messages,
            "failed_commits": counters.failed_commits,
            "failed_handlers": counters.failed_handlers,
            "skipped_events": self.skipped_events,
            "unreadable_events": self._store.unreadable,
            "nodes": {name: row.status for name, row in sorted(self.ingest.nodes.items())},
        }

    # --- commands ---------------------------------------------------------------------------

    async def call_next(self, counter: int, key: str) -> CounterView:
        return self._once("ticket.called", counter, key, self._call_next)

    async def recall(self, counter: int, key: str) -> CounterView:
        return self._once("ticket.recalled", counter, key, self._recall)

    async def start(self, counter: int, key: str) -> CounterView:
        return self._once("service.started", counter, key, self._start)

    async def miss(self, counter: int, key: str) -> CounterView:
        return self._once("ticket.missed", counter, key, self._miss)

    async def finish(self, counter: int, key: str) -> CounterView:
        return self._once("service.ended", counter, key, self._finish)

    def _once(
        self, event_type: str, counter: int, key: str, command: Callable[[int, str], None]
    ) -> CounterView:
        """Carry a command out unless this counter's ``key`` made its event already."""
        if not self.engine.done(event_type, counter, key):
            command(counter, key)
        return self.counter(counter)

    def _call_next(self, counter: int, key: str) -> None:
        slot = self.engine.counters[counter]
        if slot.ticket is not None:
            raise CommandRefused("busy", f"{slot.ticket.number} is still at counter {counter}")
        now_ms = self._clock.wall_ms()
        ticket = self.engine.next_for(counter, now_ms)
        if ticket is None:
            raise CommandRefused("nobody_waiting", f"nobody waits for counter {counter}")
        wait_ms = max(0, now_ms - ticket.issued_at)
        self._record(
            "ticket.called", CalledData(counter=counter, wait_ms=wait_ms, key=key), ticket
        )
        self._pads.disarm(counter, key)

    def _recall(self, counter: int, key: str) -> None:
        ticket = self._called(counter)
        self._record("ticket.recalled", AtCounterData(counter=counter, key=key), ticket)

    def _start(self, counter: int, key: str) -> None:
        ticket = self._called(counter)
        self._record("service.started", AtCounterData(counter=counter, key=key), ticket)

    def _miss(self, counter: int, key: str) -> None:
        ticket = self._called(counter)
        self._record("ticket.missed", AtCounterData(counter=counter, key=key), ticket)

    def _finish(self, counter: int, key: str) -> None:
        ticket = self._current(counter)
        began_ms = ticket.started_at or ticket.called_at or 0
        nonce = 0
        if self._pads.node_of(counter):
            nonce = self._new_nonce()
        data = EndedData(
            counter=counter,
            key=key,
            service_ms=max(0, self._clock.wall_ms() - began_ms),
            nonce=nonce,
        )
        self._record("service.ended", data, ticket)
        if nonce:
            self._pads.arm(counter, ticket.id, nonce, key)

    def _new_nonce(self) -> int:
        """One that no visit has: 32 bits meet again after some ten thousand visits."""
        try:
            while True:
                nonce = self._clock.random_bits(NONCE_BITS)
                if nonce and not self._store.knows_nonce(nonce):
                    return nonce
        except SQLAlchemyError as error:
            raise NotStored("the visits cannot be read; try again") from error

    def _current(self, counter: int) -> QueueTicket:
        ticket = self.engine.counters[counter].ticket
        if ticket is None:
            raise CommandRefused("no_ticket", f"no ticket is at counter {counter}")
        return ticket

    def _called(self, counter: int) -> QueueTicket:
        ticket = self._current(counter)
        if ticket.phase is TicketPhase.SERVING:
            raise CommandRefused("already_serving", f"{ticket.number} is being served")
        return ticket

    # --- the ledger -------------------------------------------------------------------------

    def abandon(self, ticket_id: str) -> None:
        """Note that the holder of a waiting ticket has left. Raises KeyError, ImpossibleEvent,
        NotStored.
        """
        ticket = self.engine.tickets[ticket_id]
        wait_ms = max(0, self._clock.wall_ms() - ticket.issued_at)
        self._record("ticket.abandoned", AbandonedData(wait_ms=wait_ms), ticket)

    def _record(self, event_type: str, data: Payload, ticket: QueueTicket) -> None:
        """Commit one event of our own with its projections, then change the queue. Raises
        ImpossibleEvent, NotStored; nothing is changed then.
        """
        try:
            event = self._append(event_type, data, ticket)
        except SQLAlchemyError as error:
            log.error("service.not_stored", event_type=event_type, error=self._store.failure)
            raise NotStored(
                f"{event_type} of {ticket.number} was not stored ({self._store.failure});"
                " nothing has changed, try again"
            ) from error
        self._apply([event], [])

    def _append(self, event_type: str, data: Payload, ticket: QueueTicket) -> AnyEvent:
        now_ms = self._clock.wall_ms()
        node = self._config.node
        with self._store.transaction() as connection:
            seq, prev = self._store.top(connection, node) or (0, CHAIN_START)
            event: AnyEvent = EVENT_TYPES[event_type](  # type: ignore[assignment]
                id=self._clock.new_id(),
                src=node,
                epoch=1,
                seq=seq + 1,
                prev=prev,
                ts=now_ms,
                clk=self._clock.stamp(),
                sub=ticket.id,
                data=data,  # type: ignore[call-arg]
            )
            self.engine.check(event)
            self._store.append_own(connection, event, now_ms)
            self._store.project(connection, [event])
        return event

    def _apply(self, events: Sequence[AnyEvent | UnknownEvent], rated: Sequence[str]) -> None:
        for event in events:
            try:
                self.engine.apply(event)
                self._displays.note(event)
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

    def _rebuild(self) -> None:
        """The queue as it was: every event of the ledger, folded again. Raises SQLAlchemyError."""
        called = set[str]()
        for event, error in self.engine.rebuild(self._store.events()):
            if error is not None:
                self._skip(event, error)
                continue
            self._displays.note(event)
            if isinstance(event, TicketCalled) and event.data.counter not in self._configured:
                called.add(event.sub or "")
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

    def _bump(self) -> None:
        self._revision += 1
        self._dirty.set()
        waiters, self._waiters = self._waiters, set()
        for future in waiters:
            if not future.done():
                future.set_result(None)

    def _connected(self) -> None:
        self._announce("online")
        self._dirty.set()

    def _announce(self, status: str) -> None:
        state = State(
            node=self._config.node,
            status=status,  # type: ignore[arg-type]
            connect=0,
            version=self._version,
            server_gen=self._store.server_gen,
        )
        self._transport.publish(SRV_STATE, SRV_STATE.of(), encode(state))

    async def _keep_publishing(self) -> None:
        while True:
            self._dirty.clear()
            try:
                if self._transport.connected:
                    for topic, name, payload in self._displays.messages():
                        self._transport.publish(topic, name, payload)
            except Exception:
                # The next change is another try; a dead task would leave the boards stale.
                log.exception("displays.not_published")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(PUBLISH_EVERY_S):
                    await self._dirty.wait()
            await asyncio.sleep(0.05)


def _state(ticket: QueueTicket | None) -> CounterState:
    if ticket is None:
        return CounterState.FREE
    if ticket.phase is TicketPhase.SERVING:
        return CounterState.SERVING
    return CounterState.CALLING


def _waited_min(ticket: QueueTicket) -> int:
    return max(0, (ticket.called_at or 0) - ticket.issued_at) // 60_000
