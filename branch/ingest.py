"""The server's end of the feed: hellos are welcomed, events committed and then acknowledged.

Nothing that a device sends may stop the feed. What cannot be read is counted; an event that the
tables cannot take stays in the ledger and a copy is set aside; a burst that cannot be committed is
not acknowledged, so its devices send it again. The broker gets its PUBACK in every case: a device
waits for our ``ack`` only, and messages held back would fill the broker's window until nothing
came through any more.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import DataError, IntegrityError, SQLAlchemyError

from branch.store import Store
from sync.clock import Clock
from sync.errors import BadMessage
from sync.inbox import Accepted, Inbox
from sync.messages import (
    Ack,
    AnyEvent,
    CommandResult,
    Hello,
    State,
    UnknownEvent,
    Welcome,
    decode,
    encode,
    split_batch,
)
from sync.topics import ACK, EVT, HELLO, RES, STATE, WELCOME, node_of
from sync.transport import Message, Transport

ACK_DELAY_S = 0.02
"""Acks of one burst are sent as one; far below the 200 ms that the design allows."""

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


_Apply = Callable[[Sequence[AnyEvent | UnknownEvent], Sequence[str]], None]


@dataclass(slots=True)
class Ingest:
    """``apply(events, rated tickets)`` is called after the commit, before the acknowledgement;
    ``node_changed(node, online)`` when a node connects or goes.
    """

    store: Store
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
    _marks: dict[str, Accepted] = field(default_factory=dict)
    _timer: asyncio.TimerHandle | None = None

    def subscribe(self) -> None:
        """Ask for everything that devices send."""
        self.transport.subscribe(HELLO.everyone, EVT.everyone, STATE.everyone, RES.everyone)

    def receive(self, messages: list[Message]) -> None:
        """Take one burst: all of its events are one commit. Raises nothing."""
        evts: list[tuple[str, Message]] = []
        for message in messages:
            node = node_of(message.topic)
            kind = message.topic.rsplit("/", 1)[-1]
            if node is None:
                message.done()
            elif node == self.own_node:
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
            self._timer.cancel()
            self._acknowledge()

    def _commit(self, evts: list[tuple[str, Message]]) -> None:
        taken: list[tuple[str, Accepted]] = []
        rated: list[str] = []
        try:
            with self.store.transaction() as connection:
                for node, message in evts:
                    accepted = self._take(connection, node, message, rated)
                    if accepted is not None:
                        taken.append((node, accepted))
        except Exception as error:
            self.counters.failed_commits += 1
            if isinstance(error, SQLAlchemyError):
                log.error("ingest.not_committed", messages=len(evts), error=self.store.failure)
            else:
                log.exception("ingest.not_committed", messages=len(evts))
        else:
            self._committed(taken, rated)
        for _, message in evts:
            message.done()

    def _take(
        self, connection: Connection, node: str, message: Message, rated: list[str]
    ) -> Accepted | None:
        """One message in a savepoint of its own; None when it cannot be read or stored."""
        now_ms = self.clock.wall_ms()
        try:
            raws = split_batch(message.payload)
            with connection.begin_nested():
                accepted = self.inbox.accept(connection, node, raws, now_ms)
        except (BadMessage, *_UNFIT) as error:
            self._bad(message, error)
            return None
        try:
            with connection.begin_nested():
                rated += self.store.project(connection, accepted.new)
        except _UNFIT:
            for event in accepted.new:
                rated += self._project_one(connection, node, event, accepted)
        return accepted

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

    def _committed(self, taken: list[tuple[str, Accepted]], rated: list[str]) -> None:
        for node, accepted in taken:
            self.counters.events += len(accepted.new)
            self.counters.duplicates += accepted.duplicates
            self.counters.early += accepted.early
            self.counters.quarantined += accepted.quarantined
            self.counters.unknown_fields += accepted.unknown_fields
            self._marks[node] = accepted
        if self._marks and self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(ACK_DELAY_S, self._acknowledge)
        try:
            self.apply([event for _, accepted in taken for event in accepted.new], rated)
        except Exception:
            self.counters.failed_handlers += 1
            log.exception("ingest.not_applied")

    def _acknowledge(self) -> None:
        self._timer = None
        marks, self._marks = self._marks, {}
        for node, mark in marks.items():
            ack = Ack(epoch=mark.epoch, hw=mark.hw, server_gen=self.store.server_gen)
            self.transport.publish(ACK, ACK.of(node=node), encode(ack))

    def _control(self, node: str, kind: str, message: Message) -> None:
        try:
            if kind == "hello":
                self._welcome(node, decode(message.payload, Hello))
            elif kind == "state":
                self._state(node, decode(message.payload, State))
            elif kind == "res":
                self.result(decode(message.payload, CommandResult))
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
        self.nodes[node] = NodeRow(state.status, state.version, state.connect)
        if (before.status, before.connect) != (state.status, state.connect):
            self.node_changed(node, state.status == "online")

    def _welcome(self, node: str, hello: Hello) -> None:
        with self.store.reading() as connection:
            mark = self.inbox.high_water(connection, node)
        welcome = Welcome(
            epoch=mark.epoch,
            connect=hello.connect,
            hw=mark.hw,
            digest=mark.digest,
            server_gen=self.store.server_gen,
            server_ts=self.clock.wall_ms(),
            verdict="ok" if hello.node == node else "unknown",
        )
        self.transport.publish(WELCOME, WELCOME.of(node=node), encode(welcome))

    def _bad(self, message: Message, error: Exception) -> None:
        self.counters.bad_messages += 1
        log.warning("ingest.bad_message", topic=message.topic, error=str(error))
