"""The server's end of the feed: hellos are welcomed, events committed and then acknowledged."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import structlog
from sqlalchemy.exc import SQLAlchemyError

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


@dataclass(slots=True)
class NodeRow:
    """What a node last said of itself."""

    status: str = "unknown"
    version: str = ""
    connect: int = 0


_Apply = Callable[[Sequence[AnyEvent | UnknownEvent], Sequence[str]], None]


@dataclass(slots=True)
class Ingest:
    """``apply(events, rated tickets)`` is called after the commit, before the acknowledgement."""

    store: Store
    transport: Transport
    clock: Clock
    apply: _Apply
    result: Callable[[CommandResult], None]
    inbox: Inbox = field(default_factory=Inbox)
    counters: IngestCounters = field(default_factory=IngestCounters)
    nodes: dict[str, NodeRow] = field(default_factory=dict)
    _marks: dict[str, Accepted] = field(default_factory=dict)
    _timer: asyncio.TimerHandle | None = None

    def subscribe(self) -> None:
        """Ask for everything that devices send."""
        self.transport.subscribe(HELLO.everyone, EVT.everyone, STATE.everyone, RES.everyone)

    def receive(self, messages: list[Message]) -> None:
        """Take one burst: all of its events are one commit. What cannot be committed is not
        acknowledged.
        """
        evts: list[tuple[str, Message]] = []
        for message in messages:
            node = node_of(message.topic)
            kind = message.topic.rsplit("/", 1)[-1]
            if node is None:
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

    def _commit(self, evts: list[tuple[str, Message]]) -> None:
        now_ms = self.clock.wall_ms()
        new: list[AnyEvent | UnknownEvent] = []
        rated: list[str] = []
        marks: dict[str, Accepted] = {}
        taken: list[Accepted] = []
        try:
            with self.store.transaction() as connection:
                for node, message in evts:
                    try:
                        raws = split_batch(message.payload)
                    except BadMessage as error:
                        self._bad(message, error)
                        continue
                    accepted = self.inbox.accept(connection, node, raws, now_ms)
                    rated += self.store.project(connection, accepted.new)
                    new += accepted.new
                    marks[node] = accepted
                    taken.append(accepted)
        except SQLAlchemyError as error:
            self.counters.failed_commits += 1
            log.error("ingest.not_committed", messages=len(evts), error=str(error))
            return
        for accepted in taken:
            self.counters.events += len(accepted.new)
            self.counters.duplicates += accepted.duplicates
            self.counters.early += accepted.early
            self.counters.quarantined += accepted.quarantined
            self.counters.unknown_fields += accepted.unknown_fields
        self.apply(new, rated)
        for _, message in evts:
            message.done()
        self._marks.update(marks)
        if self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(ACK_DELAY_S, self._acknowledge)

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
                state = decode(message.payload, State)
                self.nodes[node] = NodeRow(state.status, state.version, state.connect)
            elif kind == "res":
                self.result(decode(message.payload, CommandResult))
        except BadMessage as error:
            self._bad(message, error)
        message.done()

    def _welcome(self, node: str, hello: Hello) -> None:
        with self.store.transaction() as connection:
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

    def _bad(self, message: Message, error: BadMessage) -> None:
        self.counters.bad_messages += 1
        log.warning("ingest.bad_message", topic=message.topic, error=str(error))
