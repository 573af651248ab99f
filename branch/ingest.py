"""The server's end of the feed: hellos are welcomed, events committed and then acknowledged.

Nothing that a device sends may stop the feed. What cannot be read is counted; an event that the
tables cannot take stays in the ledger and a copy is set aside; a burst that cannot be committed is
not acknowledged, so its devices send it again. The broker gets its PUBACK in every case: a device
waits for our ``ack`` only, and messages held back would fill the broker's window until nothing
came through any more.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Protocol

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import DataError, IntegrityError, SQLAlchemyError

from sync.clock import Clock
from sync.crashpoint import reach
from sync.errors import BadMessage
from sync.inbox import Accepted, Inbox
from sync.messages import (
    Ack,
    Answer,
    AnyEvent,
    AppliedConfig,
    Ask,
    CommandResult,
    Hello,
    LastNumber,
    State,
    UnknownEvent,
    Welcome,
    decode,
    encode,
    split_batch,
)
from sync.personal import SENT, sent
from sync.session import WINDOW
from sync.topics import (
    ACK,
    ANSWER,
    ASK,
    CFG_APPLIED,
    COUNTER_CMD,
    EVT,
    FEED,
    HELLO,
    RES,
    STATE,
    WELCOME,
    Topic,
    node_of,
)
from sync.transport import Message, Transport

ACK_DELAY_S = 0.02
"""Acks of one burst are sent as one; far below the 200 ms that the design allows."""
ACK_AT_ONCE = 50
"""So many new events of a node are acknowledged without delay: its window is a few of these."""

_UNFIT = (DataError, IntegrityError, ArithmeticError, ValueError)
"""What the database or its driver raises for values it cannot take; a second try is no use."""

log = structlog.get_logger()


@dataclass(slots=True)
class IngestCounters:
    """Since start."""

    events: int = 0
    duplicates: int = 0
    early: int = 0
    quarantined: int = 0
    bad_messages: int = 0
    unknown_fields: int = 0
    failed_commits: int = 0
    failed_handlers: int = 0


@dataclass(slots=True)
class NodeRow:
    """What a node last said of itself."""

    status: str = "unknown"
    version: str = ""
    connect: int = 0
    alerts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Pace:
    """What a welcome allows a device: events under way, and events a second (0: no limit)."""

    window: int = WINDOW
    rate_per_s: int = 0


_OWN_ANSWER = b'{"type":"counter.result",'

_Batches = list[tuple[str, Message, list[bytes]]]
_Taken = tuple[dict[str, Accepted], list[AnyEvent | UnknownEvent], list[str]]
_Apply = Callable[[Sequence[AnyEvent | UnknownEvent], Sequence[str]], None]


class LedgerStore(Protocol):
    """What the ingest needs of a database."""

    server_gen: str
    failure: str

    def transaction(self) -> AbstractContextManager[Connection]:
        """All or nothing."""

    def reading(self) -> AbstractContextManager[Connection]:
        """A connection that only reads."""

    def project(
        self, connection: Connection, events: Sequence[AnyEvent | UnknownEvent]
    ) -> list[str]:
        """Bring the other tables up to ``events``; returns the tickets that were rated."""


@dataclass(slots=True)
class Ingest:
    """``apply(events, rated tickets)`` is called after the commit, before the acknowledgement;
    ``node_changed(node, online)`` when a node connects or goes.
    """

    store: LedgerStore
    transport: Transport
    clock: Clock
    apply: _Apply
    result: Callable[[CommandResult], None]
    node_changed: Callable[[str, bool], None] = lambda _node, _online: None
    own_node: str = ""
    """The server's own name: its events are written here, nobody sends them."""
    inbox: Inbox = field(default_factory=Inbox)
    counters: IngestCounters = field(default_factory=IngestCounters)
    nodes: dict[str, NodeRow] = field(default_factory=dict)
    root: str = FEED
    ask: Callable[[str, Ask], Answer | None] | None = None
    """Answers a node that asks for a number or pressed a teller's key; None where nobody may."""
    greeted: Callable[[str, Hello, Accepted], list[LastNumber]] = lambda *_: []
    """Told of each hello and of the ledger's mark; gives the numbers for the welcome."""
    applied: Callable[[str, AppliedConfig], None] | None = None
    """Told what a node has of its configuration; None where nobody is configured."""
    command: Callable[[Message], None] | None = None
    """Carries out and answers what comes to this server's ``cmd``; None where nothing may."""
    pace: Pace = field(default_factory=Pace)
    _marks: dict[str, Accepted] = field(default_factory=dict)
    _unsaid: dict[str, int] = field(default_factory=dict)  # events since a node's last ack
    _timer: asyncio.TimerHandle | None = None

    def subscribe(self) -> None:
        """Ask for everything that devices send."""
        self.transport.subscribe(*(topic.every(self.root) for topic in (HELLO, EVT, STATE, RES)))
        if self.ask is not None:
            self.transport.subscribe(ASK.every(self.root))
        if self.command is not None:
            self.transport.subscribe(COUNTER_CMD.of(branch=self.own_node, root=self.root))
        if self.applied is not None:
            self.transport.subscribe(CFG_APPLIED.every(self.root))

    def receive(self, messages: list[Message]) -> None:
        """Take one burst: all of its events are one commit. Raises nothing."""
        evts: list[tuple[str, Message]] = []
        for message in messages:
            node = node_of(message.topic, self.root)
            kind = message.topic.rsplit("/", 1)[-1]
            if node is None:
                message.done()
            elif kind == "res" and message.payload.startswith(_OWN_ANSWER):
                message.done()  # to whoever commanded a counter: our own word, heard again
            elif node == self.own_node and not (kind == "cmd" and self.command):
                self._bad(message, BadMessage(f"{node!r} is this server; a device took its name"))
                message.done()
            elif kind == "evt":
                evts.append((node, message))
            else:
                if evts:
                    self._commit(evts)
                    evts = []
                self._control(node, kind, message)
        if evts:
            self._commit(evts)

    def close(self) -> None:
        """Send the acknowledgements that wait."""
        if self._timer is not None:
            self._acknowledge()

    def _commit(self, evts: list[tuple[str, Message]]) -> None:
        """Commit a burst as a whole; where the tables cannot take something of it, message by
        message.
        """
        batches = self._split(evts)
        for attempt in (self._take_all, self._take_each):
            try:
                with self.store.transaction() as connection:
                    marks, new, rated = attempt(connection, batches)
            except _UNFIT as error:
                if attempt == self._take_all:
                    continue
                self._failed(evts, error)
            except Exception as error:  # noqa: BLE001 - told; the devices send it again
                self._failed(evts, error)
            else:
                reach("ingest.committed")
                self._committed(marks, new, rated)
            break
        for _, message in evts:
            message.done()

    def _failed(self, evts: list[tuple[str, Message]], error: Exception) -> None:
        self.counters.failed_commits += 1
        if isinstance(error, SQLAlchemyError):
            log.error("ingest.not_committed", messages=len(evts), error=self.store.failure)
        else:
            log.error("ingest.not_committed", messages=len(evts), exc_info=error)

    def _split(self, evts: list[tuple[str, Message]]) -> list[tuple[str, Message, list[bytes]]]:
        batches = []
        for node, message in evts:
            try:
                batches.append((node, message, split_batch(message.payload)))
            except BadMessage as error:
                self._bad(message, error)
        return batches

    def _take_all(self, connection: Connection, batches: _Batches) -> _Taken:
        marks, new = self.inbox.accept_all(
            connection, [(node, raws) for node, _, raws in batches], self.clock.wall_ms()
        )
        rated = self.store.project(connection, new)
        reach("ingest.projected")
        return marks, new, rated

    def _take_each(self, connection: Connection, batches: _Batches) -> _Taken:
        """Each message in a savepoint of its own, and each event if it must be."""
        marks: dict[str, Accepted] = {}
        all_new: list[AnyEvent | UnknownEvent] = []
        rated: list[str] = []
        for node, message, raws in batches:
            try:
                with connection.begin_nested():
                    taken = self.inbox.accept(connection, node, raws, self.clock.wall_ms())
            except _UNFIT as error:
                self._bad(message, error)
                continue
            marks[node] = taken.after(marks.get(node))
            all_new += taken.new
            try:
                with connection.begin_nested():
                    rated += self.store.project(connection, taken.new)
            except _UNFIT:
                for event in taken.new:
                    rated += self._project_one(connection, node, event, marks[node])
        return marks, all_new, rated

    def _project_one(
        self,
        connection: Connection,
        node: str,
        event: AnyEvent | UnknownEvent,
        accepted: Accepted,
    ) -> list[str]:
        try:
            with connection.begin_nested():
                return self.store.project(connection, [event])
        except _UNFIT as error:
            accepted.quarantined += 1
            reason = f"{event.epoch}/{event.seq} is in the ledger, not in the tables: {error}"
            log.error("ingest.not_projected", node=node, seq=event.seq, error=str(error))
            self.inbox.set_aside(connection, node, self.clock.wall_ms(), reason, encode(event))
            return []

    def _committed(
        self,
        marks: dict[str, Accepted],
        new: Sequence[AnyEvent | UnknownEvent],
        rated: list[str],
    ) -> None:
        at_once = False
        for node, accepted in marks.items():
            self.counters.events += len(accepted.new)
            self.counters.duplicates += accepted.duplicates
            self.counters.early += accepted.early
            self.counters.quarantined += accepted.quarantined
            self.counters.unknown_fields += accepted.unknown_fields
            self._unsaid[node] = self._unsaid.get(node, 0) + len(accepted.new)
            self._marks[node] = accepted
            at_once = at_once or bool(accepted.gaps) or self._unsaid[node] >= ACK_AT_ONCE
        try:
            self.apply(new, rated)
        except Exception:
            self.counters.failed_handlers += 1
            log.exception("ingest.not_applied")
        reach("ingest.applied")
        if at_once:
            self._acknowledge()
        elif self._marks and self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(ACK_DELAY_S, self._acknowledge)

    def _acknowledge(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        marks, self._marks = self._marks, {}
        self._unsaid.clear()
        for node, mark in marks.items():
            ack = Ack(
                epoch=mark.epoch,
                hw=mark.hw,
                server_gen=self.store.server_gen,
                gaps=mark.gaps,
                digest=mark.digest,
            )
            self._publish(ACK, node, encode(ack))
        reach("ingest.acknowledged")

    def _publish(self, topic: Topic, node: str, payload: bytes) -> None:
        self.transport.publish(topic, topic.of(node=node, root=self.root), payload)

    def _control(self, node: str, kind: str, message: Message) -> None:
        try:
            if kind != "cmd" and sent(message.payload):  # a counter's command is always answered
                raise BadMessage(SENT)
            if kind == "hello":
                self._welcome(node, decode(message.payload, Hello))
            elif kind == "state":
                self._state(node, decode(message.payload, State))
            elif kind == "cmd" and self.command is not None:
                self.command(message)
            elif kind == "res":
                self.result(decode(message.payload, CommandResult))
            elif kind == "applied" and self.applied is not None:
                self.applied(node, decode(message.payload, AppliedConfig))
            elif kind == "ask" and self.ask is not None:
                asked: Ask = decode(message.payload, Ask)  # type: ignore[arg-type]
                answer = self.ask(node, asked)
                if answer is not None:
                    self._publish(ANSWER, node, encode(answer))
        except BadMessage as error:
            self._bad(message, error)
        except Exception:
            # A hello without its welcome comes again; a state or a result is followed by others.
            self.counters.failed_handlers += 1
            log.exception("ingest.not_handled", topic=message.topic)
        message.done()

    def _state(self, node: str, state: State) -> None:
        if state.node != node:
            raise BadMessage(f"a state of {state.node!r} on the topic of {node!r}")
        before = self.nodes.get(node, NodeRow())
        alerts = tuple(alert[:40] for alert in state.alerts[:10])
        self.nodes[node] = NodeRow(state.status, state.version, state.connect, alerts)
        if alerts != before.alerts:
            log.warning("node.alerts", node=node, alerts=alerts)
        if (before.status, before.connect) != (state.status, state.connect):
            self.node_changed(node, state.status == "online")

    def _welcome(self, node: str, hello: Hello) -> None:
        with self.store.reading() as connection:
            mark = self.inbox.high_water(connection, node)
        if hello.epoch > mark.epoch:
            mark = Accepted(epoch=hello.epoch)  # kept with the first event of the new epoch
        known = self.clock.stamp()
        welcome = Welcome(
            epoch=mark.epoch,
            connect=hello.connect,
            hw=mark.hw,
            digest=mark.digest,
            server_gen=self.store.server_gen,
            server_ts=self.clock.wall_ms(),
            verdict="ok" if hello.node == node else "unknown",
            hello_mono_ms=hello.mono_ms,
            window=self.pace.window,
            rate_per_s=self.pace.rate_per_s,
            numbers=self.greeted(node, hello, mark),
            quality=known.quality,
            err_ms=known.err_ms,
        )
        self._publish(WELCOME, node, encode(welcome))
        reach("ingest.welcomed")

    def _bad(self, message: Message, error: Exception) -> None:
        self.counters.bad_messages += 1
        log.warning("ingest.bad_message", topic=message.topic, error=str(error))
