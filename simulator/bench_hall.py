"""A full hall: 40 counters, 3 kiosks, 100 open boards of which 2 are real Chromium, a page and for
some counters number displays above the window. From a teller's request to each of them.

Real parts: the server's own process with its sign-in, mosquitto, SQLite with FULL, Chromium by
playwright, the kiosks' controllers with journal, outbox and printer. Simulated: the far ends of
printers and number displays. Times of pages are taken in the page, by a MutationObserver.
"""

import asyncio
import contextlib
import itertools
import math
import os
import secrets
import sys
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import quantiles
from urllib.parse import urlsplit

import httpx

from hal.link import memory_pair
from hal.registry import backend
from hal.sim.alpha_sign import SignLine
from hal.sim.printer import SimPrinter
from hal.sim.printer_ports import MemoryPrinter, TcpPrinter
from kiosk.config import BranchName, KioskConfig, PrinterConfig, ServiceConfig
from kiosk.controller import KioskController
from kiosk.flow import Phase
from kiosk.view import CONTROL_DONE
from simulator.bench_branch import DEADLINE_S
from simulator.bench_hall_eyes import BoardTopic, Browsers, Reader, Seen
from simulator.demo_accounts import make_accounts
from simulator.errors import NotStarted
from simulator.figure import Figure
from simulator.mosquitto import Mosquitto, free_port
from sync.clock import system_clock
from sync.journal import Journal
from sync.mqtt import MqttTransport
from sync.settings import BrokerConfig

COUNTERS, KIOSKS, BOARDS, BROWSERS = 40, 3, 100, 2
LINES, DISPLAYS_A_LINE = 2, 4
"""Number displays above the first counters."""
LETTERS = "ABCD"
CALLS, SHORT_CALLS = 200, 40
GAP_S = 0.25
"""Between two calls: 40 counters with visits of ten seconds, busier than any branch."""
AHEAD = 20
"""So many wait before the first call."""
PROMISE_S = 1.0
LATEST_S = 5.0
"""What is not seen so long after the last call is lost."""

_Say = Callable[[str], None]


def configuration(folder: Path, port: int, broker: Mosquitto, lines: list[str]) -> Path:
    """branch.toml of the hall."""
    text = [
        'node = "branch-1"', "[branch]", 'zh = "测量"', 'en = "Bench"', "[http]", f"port = {port}",
        "[broker]", f"port = {broker.port}",
    ]  # fmt: skip
    for letter in LETTERS:
        text += ["[[services]]", f'letter = "{letter}"', f'zh = "{letter}"', f'en = "{letter}"']
    for number in range(1, COUNTERS + 1):
        text += ["[[counters]]", f"number = {number}", f"services = {list(LETTERS)}"]
    for index, address in enumerate(lines):
        for station in range(1, DISPLAYS_A_LINE + 1):
            counter = index * DISPLAYS_A_LINE + station
            text += [
                "[[windows.displays]]", f"counter = {counter}", f'address = "{address}"',
                f"station = {station}",
            ]  # fmt: skip
    path = folder / "branch.toml"
    path.write_text("\n".join(text), "utf-8")
    return path


@contextlib.asynccontextmanager
async def server(config: Path, port: int) -> AsyncIterator[str]:
    """The branch server's own process; gives its address. Raises NotStarted."""
    url = f"http://127.0.0.1:{port}"
    path = config.parent / "server.log"
    with path.open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "lobby", "branch", "--config", str(config),
            stdout=log, stderr=log, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )  # fmt: skip
    try:
        async with asyncio.timeout(DEADLINE_S), httpx.AsyncClient() as http:
            while True:
                if process.returncode is not None:
                    words = path.read_text("utf-8", "replace").strip().splitlines()[-1:]
                    raise NotStarted(f"the branch server ended: {''.join(words)}")
                with contextlib.suppress(httpx.TransportError):
                    if (await http.get(f"{url}/healthz")).json()["mqtt"] == "online":
                        break
                await asyncio.sleep(0.05)
        yield url
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


class Kiosk:
    """A kiosk without its window: visitors touch it one after the other."""

    def __init__(self, folder: Path, number: int, broker: Mosquitto) -> None:
        node, clock = f"kiosk-{number}", system_clock()
        near, far = memory_pair(f"printer-{number}")
        self._port = MemoryPrinter(SimPrinter(), far)
        self._journal = Journal(folder / f"{node}.db", node=node, clock=clock)
        self._letters = itertools.cycle(LETTERS)
        self._in_front = asyncio.Lock()
        self.controller = KioskController(
            KioskConfig(
                node=node, production=False, branch=BranchName("测量", "Bench"), band=number,
                show_band=True, spare_bands=[], data_dir=str(folder),
                services=[ServiceConfig(letter, letter, letter) for letter in LETTERS],
                printer=PrinterConfig(address="tcp://127.0.0.1:9100"),
                broker=BrokerConfig(broker.host, broker.port),
            ),
            journal=self._journal, printer=backend("printer", "escpos")(near, name="printer"),
            pads={}, clock=clock, show=lambda _view: None, version="bench",
            transport=MqttTransport(host=broker.host, port=broker.port, client_id=node),
        )  # fmt: skip

    async def start(self) -> None:
        """Switch it on."""
        await self._port.plug_in()
        await self.controller.start()

    async def visit(self) -> None:
        """One visitor takes a ticket."""
        touch = secrets.token_hex(6)
        async with asyncio.timeout(DEADLINE_S), self._in_front:
            self.controller.tap(f"service.{next(self._letters)}", touch)
            while self.controller.visit.phase is not Phase.TICKET:  # noqa: ASYNC110
                await asyncio.sleep(0.005)
            self.controller.tap(CONTROL_DONE, f"{touch}-done")

    async def stop(self) -> None:
        """Switch it off."""
        await self.controller.stop()
        await self._port.unplug()
        self._journal.close()


@dataclass
class Hall:
    """What is open, and what each has seen of which call."""

    http: httpx.AsyncClient
    kiosks: list[Kiosk]
    called: dict[str, tuple[int, float]] = field(default_factory=dict)  # number: counter, moment
    refused: int = 0

    async def call(self, counter: int) -> None:
        """One teller is done with the last customer and calls the next."""
        for action in ("finish", "call-next"):
            began_s = time.time()
            answer = await self.http.post(
                f"/api/counters/{counter}/{action}",
                headers={"Idempotency-Key": secrets.token_hex(8)},
            )
        if answer.status_code == httpx.codes.CONFLICT:
            self.refused += 1
            return
        answer.raise_for_status()
        self.called[str(answer.json()["number"])] = (counter, began_s)


async def measure(folder: Path, broker: Mosquitto, say: _Say, *, short: bool) -> list[Figure]:
    """T14: each call on every board, page and display within a second."""
    calls = SHORT_CALLS if short else CALLS
    say(
        f"full hall: {calls} calls, {COUNTERS} counters, {KIOSKS} kiosks, {BOARDS} boards,"
        f" {BROWSERS} of them Chromium"
    )
    seen = {kind: Seen() for kind in ("board", "chromium", "window", "display", "mqtt")}
    async with contextlib.AsyncExitStack() as stack:
        signs = [SignLine(tuple(range(1, DISPLAYS_A_LINE + 1))) for _ in range(LINES)]
        ports = [TcpPrinter(line) for line in signs]
        for index, (line, port) in enumerate(zip(signs, ports, strict=True)):
            await port.plug_in()
            stack.push_async_callback(port.unplug)
            for station, sign in line.signs.items():
                sign.on_text = seen["display"].at(index * DISPLAYS_A_LINE + station)
        http_port = free_port("127.0.0.1")
        config = configuration(folder, http_port, broker, [port.address for port in ports])
        token = make_accounts(folder).token
        url = await stack.enter_async_context(server(config, http_port))
        http = await stack.enter_async_context(
            httpx.AsyncClient(
                base_url=url, timeout=30, headers={"Authorization": f"Bearer {token}"}
            )
        )
        hall = Hall(http, [Kiosk(folder, n, broker) for n in range(1, KIOSKS + 1)])
        for kiosk in hall.kiosks:
            await kiosk.start()
            stack.push_async_callback(kiosk.stop)
        address = urlsplit(url)
        readers = [
            *(
                Reader(address, "/events/board", seen["board"].at(n))
                for n in range(BOARDS - BROWSERS)
            ),
            *(
                Reader(address, f"/events/window/{n}", seen["window"].at(n))
                for n in range(1, COUNTERS + 1)
            ),
        ]
        for reader in readers:
            await reader.open()
            stack.push_async_callback(reader.close)
        topic = BoardTopic(broker, seen["mqtt"].at(0))
        await topic.open()
        stack.push_async_callback(topic.close)
        browsers = await stack.enter_async_context(Browsers(url, BROWSERS).open())
        await _play(hall, calls)
        await asyncio.sleep(0 if short else PROMISE_S)
        end_s = time.time() + LATEST_S
        while time.time() < end_s:
            await asyncio.sleep(0.2)
            await browsers.look(seen["chromium"])
            if all(_late(hall, kind, seen[kind])[1] == 0 for kind in seen):
                break
    if hall.refused:
        say(f"full hall: {hall.refused} calls found nobody waiting")
    return [_figure(hall, kind, seen[kind]) for kind in seen]


async def _play(hall: Hall, calls: int) -> None:
    """Visitors come to the kiosks in turn, tellers call in turn."""
    kiosks = itertools.cycle(hall.kiosks)
    for _ in range(AHEAD):
        await next(kiosks).visit()
    await asyncio.sleep(0.5)  # the last of them are on their way
    began_s = asyncio.get_running_loop().time()
    under_way = set[asyncio.Task[None]]()
    for number in range(calls):
        rest_s = began_s + number * GAP_S - asyncio.get_running_loop().time()
        await asyncio.sleep(max(0.0, rest_s))
        under_way.add(asyncio.create_task(hall.call(number % COUNTERS + 1)))
        under_way.add(asyncio.create_task(next(kiosks).visit()))
    await asyncio.gather(*under_way)


def _expected(hall: Hall, kind: str, counter: int) -> list[int]:
    """Which of a kind must show a call of this counter."""
    if kind == "board":
        return list(range(BOARDS - BROWSERS))
    if kind == "chromium":
        return list(range(BROWSERS))
    if kind == "mqtt":
        return [0]
    return [counter] if kind == "window" or counter <= LINES * DISPLAYS_A_LINE else []


def _late(hall: Hall, kind: str, seen: Seen) -> tuple[list[float], int]:
    """Seconds from request to view of all that were seen, and how many were not."""
    late, lost = [], 0
    for number, (counter, began_s) in hall.called.items():
        for index in _expected(hall, kind, counter):
            at_s = seen.first.get((index, number))
            if at_s is None:
                lost += 1
            else:
                late.append(at_s - began_s)
    return late, lost


WHAT = {
    "board": f"the last of {BOARDS - BROWSERS} board streams",
    "chromium": f"the page of {BROWSERS} Chromium boards",
    "window": "the display page of the counter",
    "display": f"the number displays of {LINES * DISPLAYS_A_LINE} counters",
    "mqtt": "the board's topic",
}


def _figure(hall: Hall, kind: str, seen: Seen) -> Figure:
    late, lost = _late(hall, kind, seen)
    worst_s = math.inf if lost or not late else max(late)
    cuts = quantiles(late, n=100, method="inclusive") if len(late) > 1 else [math.nan] * 99
    p50, p99, most = (1e3 * s for s in (cuts[49], cuts[98], max(late, default=math.nan)))
    ours = f"p50 {p50:.0f}, p99 {p99:.0f}, max {most:.0f} ms"
    return Figure(
        f"T14 {kind}", f"call to {WHAT[kind]} / 1 s", worst_s / PROMISE_S, 1.0, at_most=True,
        ours=f"{ours} of {len(late):,}" + (f", {lost} NOT SEEN" if lost else ""), anchor="1 s",
    )  # fmt: skip
