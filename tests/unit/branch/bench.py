"""A real branch server on a real SQLite file, with an in-process broker, on virtual time."""

import asyncio
import functools
from collections.abc import Callable, Coroutine
from datetime import UTC
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import text

from branch.config import (
    BranchConfig,
    BranchName,
    CounterConfig,
    QueueConfig,
    ServiceConfig,
)
from branch.service import BranchService
from branch.store import Store
from simulator.broker import LocalBroker
from simulator.vtime import run, virtual_clock
from sync.identity import CHAIN_START
from sync.messages import (
    Ack,
    Command,
    CommandResult,
    Hello,
    State,
    Welcome,
    decode,
    encode,
)
from sync.topics import ACK, CMD, EVT, HELLO, RES, STATE, WELCOME
from sync.transport import Message
from tests.unit.branch.events import START_MS, Stream

SETTLED_S = 0.1
"""Longer than the server holds an ack, far shorter than any timer that matters."""

SERVICES = [ServiceConfig("A", "个人", "Personal"), ServiceConfig("B", "对公", "Business")]
CONFIG = BranchConfig(
    node="branch-1",
    branch=BranchName(zh="示例支行", en="Example branch"),
    services=SERVICES,
    counters=[
        CounterConfig(1, ["A", "B"], "kiosk-1"),
        CounterConfig(2, ["A"], "kiosk-1"),
        CounterConfig(3, ["B"]),
    ],
    queue=QueueConfig(head_start_min={"priority": 5.0}),
)


def on_virtual_time(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run an async test on a loop whose clock jumps."""

    @functools.wraps(test)
    def play(*args: Any, **kwargs: Any) -> None:
        run(test(*args, **kwargs))

    return play


async def settle() -> None:
    """Let everything under way arrive."""
    await asyncio.sleep(SETTLED_S)


class Device:
    """A kiosk as the wire shows it: it sends what it is told and keeps what it is sent."""

    def __init__(self, broker: LocalBroker, node: str = "kiosk-1") -> None:
        self.node = node
        self.stream = Stream(node)
        self.acks: list[Ack] = []
        self.welcomes: list[Welcome] = []
        self.commands: list[Any] = []
        self.answers = True
        self.transport = broker.transport()
        self.transport.listen(
            on_up=lambda: None, on_down=lambda _: None, on_messages=self._receive
        )
        self.transport.subscribe(ACK.of(node=node), WELCOME.of(node=node), CMD.of(node=node))

    def send(self, *raws: bytes) -> None:
        """Publish these events, or all of the stream, as one message."""
        raws = raws or tuple(self.stream.raws)
        payload = raws[0] if len(raws) == 1 else b"[" + b",".join(raws) + b"]"
        self.transport.publish(EVT, EVT.of(node=self.node), payload)

    def hello(self, connect: int = 1, node: str | None = None) -> None:
        hello = Hello(
            node=node or self.node, epoch=1, top_seq=0, acked=0, digest=CHAIN_START, boot="b",
            connect=connect, version="1", ts=0, mono_ms=0,
        )  # fmt: skip
        self.transport.publish(HELLO, HELLO.of(node=self.node), encode(hello))

    def state(self, status: str, connect: int = 1, node: str | None = None) -> None:
        state = State(node=node or self.node, status=status, connect=connect)  # type: ignore[arg-type]
        self.transport.publish(STATE, STATE.of(node=self.node), encode(state))

    def answer(self, key: str, ok: bool = True) -> None:
        result = CommandResult(key=key, ok=ok, error="" if ok else "unplugged")
        self.transport.publish(RES, RES.of(node=self.node), encode(result))

    @property
    def acked(self) -> int:
        return self.acks[-1].hw if self.acks else 0

    async def tickets(self, *numbers: str, service: str = "A", segment: str = "") -> list[str]:
        """Issue, print and send tickets; returns their ids. One second passes for each."""
        ids = []
        for number in numbers:
            at = round(asyncio.get_running_loop().time() * 1000)
            first = len(self.stream.raws)
            ids.append(self.stream.issued(number, service, segment, at).id)
            self.stream.printed(ids[-1], at)
            self.send(*self.stream.raws[first:])
            await asyncio.sleep(1)
        return ids

    def _receive(self, messages: list[Message]) -> None:
        for message in messages:
            kind = message.topic.rsplit("/", 1)[-1]
            if kind == "ack":
                self.acks.append(decode(message.payload, Ack))
            elif kind == "welcome":
                self.welcomes.append(decode(message.payload, Welcome))
            else:
                command: Any = decode(message.payload, Command)  # type: ignore[arg-type]
                self.commands.append(command)
                assert message.response_topic == RES.of(node=self.node)
                assert message.correlation == command.key.encode()
                if self.answers:
                    self.answer(command.key)


class BranchBench:
    """The server and one kiosk. ``restart`` is a new process on the same file."""

    def __init__(self, folder: Path, config: BranchConfig = CONFIG) -> None:
        self.folder = folder
        self.config = config
        self.broker = LocalBroker()
        self.clock = virtual_clock(START_MS, seed=1)
        self.kiosk = Device(self.broker)

    async def __aenter__(self) -> "BranchBench":
        await self.start()
        await self.kiosk.transport.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        self.store = Store(f"sqlite:///{self.folder}/branch.db")
        self.transport = self.broker.transport()
        self.branch = BranchService(
            self.config, store=self.store, transport=self.transport, clock=self.clock,
            version="1", tz=UTC,
        )  # fmt: skip
        await self.branch.open()
        await settle()

    async def stop(self) -> None:
        await self.branch.close()
        self.store.close()

    async def restart(self, config: BranchConfig | None = None) -> None:
        await self.stop()
        self.config = config or self.config
        await self.start()

    def rows(self, table: str, columns: str = "*") -> list[tuple[Any, ...]]:
        """What the file holds, read by plain SQL."""
        with self.store.reading() as connection:
            return [
                tuple(row) for row in connection.execute(text(f"SELECT {columns} FROM {table}"))
            ]

    def ledger(self) -> list[str]:
        """The server's own events, in order, without its alerts: those follow the clock."""
        own = "event WHERE node = 'branch-1' AND type NOT LIKE 'alert.%' ORDER BY seq"
        return [t for (t,) in self.rows(own, "type")]

    def alerts(self) -> list[str]:
        """The server's events about alerts, in order."""
        own = "event WHERE node = 'branch-1' AND type LIKE 'alert.%' ORDER BY seq"
        return [t for (t,) in self.rows(own, "type")]

    def limit_disk(self, *, full: bool) -> None:
        """The file may not grow any more, or may again."""
        with self.store.reading() as connection:
            pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
            limit = pages if full else 1_000_000
            connection.exec_driver_sql(f"PRAGMA max_page_count = {limit}")

    def without_counter(self, number: int) -> BranchConfig:
        kept = [c for c in self.config.counters if c.number != number]
        return msgspec.structs.replace(self.config, counters=kept)
