"""Calling against its anchors: from a teller's HTTP request to the board's message, the full hall,
and the queue engine alone at growing lines.

The server is the real one (HTTP, broker, SQLite with FULL), in this process but for the full hall.
"""

import asyncio
import contextlib
import math
import os
import secrets
import sqlite3
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import httpx

from branch.displays import ZONE
from branch.rules import engine_of
from branch.web.app import create_app
from branch.web.server import bind, serve
from simulator import bench_hall
from simulator.anchors import publish
from simulator.bench_branch import DEADLINE_S, LETTERS, NODE, Server, branch_config
from simulator.bench_sync import batches, stream
from simulator.figure import Figure
from simulator.mosquitto import Mosquitto
from sync.clock import system_clock
from sync.messages import (
    EVENT_TYPES,
    AnyEvent,
    BoardState,
    CalledData,
    Clk,
    EndedData,
    IssuedData,
    Payload,
    PrintedData,
    decode,
)
from sync.mqtt import MqttTransport
from sync.topics import BOARD, EVT
from sync.transport import Message

CALLS = 200
LINES = (10, 100, 1_000, 10_000)
ENGINE_CALLS = 200
RECORD_BYTES = 228
SEGMENTS = ("ordinary", "vip", "elderly", "corporate")

_Say = Callable[[str], None]


class Board:
    """What the board's topic said last, with its moment."""

    def __init__(self, broker: Mosquitto) -> None:
        self.newest = ""
        self.at_s = 0.0
        self.echo = asyncio.Event()
        self._came = asyncio.Event()
        self.transport = MqttTransport(host=broker.host, port=broker.port, client_id="bench-board")
        self.transport.listen(
            on_up=lambda: None, on_down=lambda _: None, on_messages=self._received
        )
        self.transport.subscribe(BOARD.of(zone=ZONE))
        self.transport.subscribe("bench/echo")

    def _received(self, messages: list[Message]) -> None:
        for message in messages:
            message.done()
            if message.topic == "bench/echo":
                self.echo.set()
                continue
            state = decode(message.payload, BoardState)
            if state.calls:
                self.newest, self.at_s = state.calls[0].number, time.perf_counter()
                self._came.set()

    async def shows(self, number: str) -> float:
        """The moment at which the number came first."""
        async with asyncio.timeout(DEADLINE_S):
            while self.newest != number:
                self._came.clear()
                await self._came.wait()
        return self.at_s


@dataclass(frozen=True, slots=True)
class Teller:
    """The page's buttons at counter 1."""

    http: httpx.AsyncClient

    async def press(self, action: str) -> str:
        """One press; the number at the counter then."""
        answer = await self.http.post(
            f"/api/counters/1/{action}", headers={"Idempotency-Key": secrets.token_hex(8)}
        )
        answer.raise_for_status()
        return str(answer.json()["number"])


@contextlib.asynccontextmanager
async def calling(folder: Path, broker: Mosquitto) -> AsyncIterator[httpx.AsyncClient]:
    """A branch with a line of CALLS tickets, served on a free port."""
    waiting = 2 * CALLS
    async with Server(folder, broker) as server:
        feeder = publish(broker.host, broker.port, EVT.of(node=NODE), batches(stream(waiting)))
        await server.has(waiting)
        await asyncio.to_thread(feeder.join)
        listener = bind("127.0.0.1", 0)
        stop, started = asyncio.Event(), asyncio.Event()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        app = create_app(server.service, version="bench")
        serving = asyncio.create_task(serve(app, listener, stop=stop, started=started))
        await started.wait()
        try:
            async with httpx.AsyncClient(base_url=url, timeout=30) as http:
                yield http
        finally:
            stop.set()
            await serving


async def to_the_board(
    folder: Path, broker: Mosquitto, http: httpx.AsyncClient, say: _Say
) -> list[Figure]:
    """T4: from the request to the board's message, against one FULL commit and one round trip."""
    say(f"call to board: {CALLS} calls over HTTP")
    board = Board(broker)
    await board.transport.start()
    await asyncio.sleep(0.3)  # its subscriptions
    teller = Teller(http)
    ours: list[float] = []
    anchor: list[float] = []
    with full_commits(folder) as commit:
        for _ in range(CALLS):
            began_s = time.perf_counter()
            commit()
            board.echo.clear()
            board.transport.publish(EVT, "bench/echo", b"x" * 200)
            await board.echo.wait()
            anchor.append(time.perf_counter() - began_s)
            began_s = time.perf_counter()
            number = await teller.press("call-next")
            ours.append(await board.shows(number) - began_s)
            await teller.press("miss")
            await asyncio.sleep(0.1)  # tellers do not press at this pace
    await board.transport.stop()
    a, b = median(ours), median(anchor)
    return [
        Figure(
            "T4", "call next, HTTP in to board out / FULL commit + QoS 1 round trip", a / b, 5.0,
            at_most=True, ours=f"{a * 1e3:.2f} ms", anchor=f"{b * 1e3:.2f} ms",
        )
    ]  # fmt: skip


@contextlib.contextmanager
def full_commits(folder: Path) -> Iterator[Callable[[], None]]:
    """A way to commit one record to a database of its own, as durably as the ledger."""
    connection = sqlite3.connect(folder / "anchor.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("CREATE TABLE record (body BLOB)")

    def commit() -> None:
        connection.execute("INSERT INTO record VALUES (?)", (os.urandom(RECORD_BYTES),))

    try:
        yield commit
    finally:
        connection.close()


class Line:
    """A queue engine with a line of one length at one counter."""

    def __init__(self, waiting: int) -> None:
        self._clock = system_clock()
        self._seq = 0
        self.engine = engine_of(branch_config())
        for _ in range(waiting):
            self.join()

    def event(self, event_type: str, ticket: str, data: Payload) -> AnyEvent:
        """The next event about a ticket."""
        self._seq += 1
        event_id = ticket if event_type == "ticket.issued" else self._clock.new_id()
        return EVENT_TYPES[event_type](  # type: ignore[return-value]
            id=event_id, src=NODE, epoch=1, seq=self._seq, prev="",
            ts=self._clock.wall_ms(), clk=Clk(boot="bench", mono_ms=self._seq),
            sub=ticket, data=data,  # type: ignore[call-arg]
        )  # fmt: skip

    def join(self) -> None:
        """One more customer; services and segments in turn."""
        ticket, service = self._clock.new_id(), LETTERS[self._seq // 2 % len(LETTERS)]
        issued = IssuedData(
            number=f"{service}{self._seq // 2 % 999 + 1:03}", service=service,
            segment=SEGMENTS[self._seq // 8 % len(SEGMENTS)], language="en",
            business_date="2026-11-24", band=1, request=f"bench-{self._seq}",
        )  # fmt: skip
        self.engine.apply(self.event("ticket.issued", ticket, issued))
        printed = PrintedData(attempt=1, took_ms=900)
        self.engine.apply(self.event("ticket.printed", ticket, printed))

    def call(self) -> float:
        """Seconds to choose and to fold the call; then the visit ends and another customer
        comes.
        """
        began_s = time.perf_counter()
        choice = self.engine.choose(1, self._clock.wall_ms())
        assert choice is not None
        chosen_s = time.perf_counter() - began_s
        key = f"k{self._seq}"
        ticket = choice.ticket.id
        called = self.event("ticket.called", ticket, CalledData(counter=1, wait_ms=0, key=key))
        began_s = time.perf_counter()
        self.engine.apply(called)
        took_s = chosen_s + time.perf_counter() - began_s
        ended = EndedData(counter=1, key=key, service_ms=1, nonce=0)
        self.engine.apply(self.event("service.ended", ticket, ended))
        self.join()
        return took_s


def engine_alone(say: _Say) -> list[Figure]:
    """The engine's time a call at lines of 10 to 10,000, and the exponent of its growth (least
    squares through the logarithms).
    """
    say(f"engine: {ENGINE_CALLS} calls at lines of {', '.join(f'{n:,}' for n in LINES)}")
    took_s = []
    for waiting in LINES:
        line = Line(waiting)
        took_s.append(median(line.call() for _ in range(ENGINE_CALLS)))
    points = [(math.log(n), math.log(s)) for n, s in zip(LINES, took_s, strict=True)]
    x0, y0 = (sum(axis) / len(points) for axis in zip(*points, strict=True))
    order = sum((x - x0) * (y - y0) for x, y in points) / sum((x - x0) ** 2 for x, _ in points)
    each = ", ".join(f"{s * 1e6:.0f}" for s in took_s)
    return [
        Figure(
            "engine", "growth of a call with the line's length, exponent", order, 0.5,
            at_most=True, ours=f"{each} us at {', '.join(str(n) for n in LINES)}", anchor="n^1",
        )
    ]  # fmt: skip


async def measure(say: _Say, *, short: bool = False) -> list[Figure]:
    """T4, T14 and the engine alone; the ``short`` form is T14 with fewer calls."""
    figures = [] if short else engine_alone(say)
    with tempfile.TemporaryDirectory(prefix="lobby-bench-") as name:
        folder = Path(name)
        broker = Mosquitto(folder)
        try:
            if not short:
                async with calling(folder, broker) as http:
                    figures += await to_the_board(folder, broker, http, say)
            figures += await bench_hall.measure(folder, broker, say, short=short)
        finally:
            broker.stop()
    return figures
