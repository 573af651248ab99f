"""The kiosk of ``lobby prove presses``: a process that may be killed at any instruction, with the
real drivers, PressKeeper and journal of a kiosk; screen, printer and feed are left out.

It is forked by a server that has imported everything, so a start costs milliseconds. It ends when
whoever started it does.
"""

import asyncio
import ctypes
import multiprocessing
import os
import random
import signal
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from hal.api import PadPress, RatingPad
from hal.errors import HalError
from kiosk.cli import build_devices
from kiosk.config import BranchName, KioskConfig, PadConfig, PrinterConfig, ServiceConfig
from kiosk.presses import PressKeeper
from sync import crashpoint
from sync.clock import system_clock
from sync.journal import Journal
from sync.logs import configure_logging
from sync.messages import ArmPad

WINDOW_MS = 90_000
LATE_S = 0.2
"""Without the promise "journal" a press is written so long after it was acknowledged."""
TOLD_S = 0.05
POINTS = ("journal.begun", "journal.written", "journal.committed")
POINT_SHARE, POINT_PASSINGS = 0.6, 12
"""Share of the lives that are to end at a crash point, and the most passings before it kills."""
PAUSE_S = (0.0, 0.5)
LAST_S = 2.0
"""A process whose line ended is dead within this time."""
PR_SET_PDEATHSIG = 1

_context = multiprocessing.get_context("forkserver")


@dataclass(frozen=True, slots=True)
class Place:
    """A kiosk's place: its folder, and the ports of its pads by counter."""

    folder: str
    ports: dict[int, str]
    journal_first: bool

    @property
    def journal(self) -> Path:
        """The journal's file."""
        return Path(self.folder) / "journal.db"


class _Keeper(PressKeeper):
    """Counts what outlived a power cut; without ``journal_first`` it breaks the promise."""

    restored = 0
    journal_first = True

    async def _take(self, counter: int, pad: RatingPad, press: PadPress) -> None:
        self.restored += press.restored
        if not self.journal_first:
            await pad.acknowledge(press)
            await asyncio.sleep(LATE_S)
        await super()._take(counter, pad, press)


def serve(place: Place, line: Connection, point: str) -> None:
    """Be the kiosk; ``point`` is the crash point at which it dies, "": none."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # its end is a kill, always
    configure_logging(quiet=True)
    asyncio.run(_serve(place, line, point))


async def _serve(place: Place, line: Connection, point: str) -> None:
    clock = system_clock()
    config = KioskConfig(
        node="kiosk-1",
        production=False,
        branch=BranchName("示例银行", "Sample Bank"),
        services=[ServiceConfig("A", "现金业务", "Cash")],
        printer=PrinterConfig("tcp://127.0.0.1:9100"),
        data_dir=place.folder,
        pads=[PadConfig(counter, f"serial:{port}") for counter, port in place.ports.items()],
    )
    journal = Journal(place.journal, node=config.node, clock=clock)
    _, pads, _ = build_devices(config, clock)
    keeper = _Keeper(journal, pads, clock, lambda: None)
    keeper.journal_first = place.journal_first
    asked: set[asyncio.Task[None]] = set()

    async def arm(counter: int, nonce: int) -> None:
        command = ArmPad(
            key=str(nonce), counter=counter, ticket=f"t-{nonce}", nonce=nonce, window_ms=WINDOW_MS
        )
        try:
            await keeper.arm(command)
        except HalError:
            line.send(("armed", nonce, False))
        except Exception as error:  # noqa: BLE001 - whatever it is, the proof must hear of it
            line.send(("fault", repr(error)))
            line.send(("armed", nonce, False))
        else:
            line.send(("armed", nonce, True))

    def readable() -> None:
        try:
            counter, nonce = line.recv()
        except (EOFError, OSError):
            os._exit(1)
        task = asyncio.create_task(arm(counter, nonce))
        asked.add(task)
        task.add_done_callback(asked.discard)

    asyncio.get_running_loop().add_reader(line.fileno(), readable)
    await keeper.start()
    crashpoint.arm(point)
    while True:
        repeats = sum(pad.health.counters["repeats"] for pad in pads.values())
        line.send(("counts", repeats, keeper.restored))
        await asyncio.sleep(TOLD_S)


class Kiosk:
    """The kiosk from outside: started, killed, started again after a pause."""

    def __init__(self, place: Place, chance: random.Random) -> None:
        self.cuts: Counter[str] = Counter()
        self.faults: list[str] = []
        self.repeats = 0
        self.restored = 0
        self._place = place
        self._chance = chance
        self._process: Any = None
        self._line: Connection | None = None
        self._up = asyncio.Event()
        self._armed: dict[int, asyncio.Future[bool]] = {}
        self._counts = (0, 0)
        self._again: asyncio.Task[None] | None = None
        self._steady = False
        _context.set_forkserver_preload(["__main__", __name__])

    def start(self, *, steady: bool = False) -> None:
        """Start it; a ``steady`` one dies only by ``kill``."""
        self._line, theirs = _context.Pipe()
        point = ""
        self._steady = steady
        if not steady and self._chance.random() < POINT_SHARE:
            passings = self._chance.randint(1, POINT_PASSINGS)
            point = f"{self._chance.choice(POINTS)}:{passings}"
        self._process = _context.Process(
            target=serve, args=(self._place, theirs, point), daemon=True
        )
        self._process.start()
        theirs.close()
        asyncio.get_running_loop().add_reader(self._line.fileno(), self._readable)
        self._up.set()

    def kill(self) -> None:
        """kill -9; it is started again after a pause. Harmless while it is down."""
        if self._up.is_set():
            self.cuts["kiosk_killed"] += 1
            self._end(pause_s=self._chance.uniform(*PAUSE_S))

    async def arm(self, counter: int, nonce: int) -> bool:
        """Ask for one press; whether the pad confirmed. The kiosk's last word: no repeat of it is
        under way afterwards.
        """
        await self._up.wait()
        assert self._line is not None
        answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._armed[nonce] = answer
        try:
            self._line.send((counter, nonce))
            return await answer
        except OSError:
            return False
        finally:
            self._armed.pop(nonce, None)

    async def stop(self) -> None:
        """Kill it for good."""
        if self._again is not None:
            self._again.cancel()
            await asyncio.gather(self._again, return_exceptions=True)
        if self._up.is_set():
            self._end(pause_s=None)

    async def restart_steady(self) -> None:
        """Whatever it does, kill it and start one that lives on."""
        await self.stop()
        self.start(steady=True)

    def _readable(self) -> None:
        assert self._line is not None
        try:
            told = self._line.recv()
        except (EOFError, OSError):
            self._process.join(LAST_S)
            status = self._process.exitcode
            self._end(pause_s=self._chance.uniform(*PAUSE_S))
            if self._steady or status != -signal.SIGKILL:
                self.faults.append(f"the kiosk ended by itself, status {status}")
            else:
                self.cuts["kiosk_at_point"] += 1
            return
        if told[0] == "counts":
            self._counts = told[1:]
        elif told[0] == "fault":
            self.faults.append(f"the kiosk, arming a pad: {told[1]}")
        elif not (answer := self._armed.get(told[1])) or answer.done():
            return
        else:
            answer.set_result(told[2])

    def _end(self, pause_s: float | None) -> None:
        assert self._line is not None
        self._up.clear()
        asyncio.get_running_loop().remove_reader(self._line.fileno())
        self._line.close()
        self._process.kill()
        self._process.join()
        self.repeats += self._counts[0]
        self.restored += self._counts[1]
        self._counts = (0, 0)
        for answer in self._armed.values():
            if not answer.done():
                answer.set_result(False)
        if pause_s is not None:
            self._again = asyncio.create_task(self._later(pause_s, self.start))

    @staticmethod
    async def _later(pause_s: float, do: Callable[[], None]) -> None:
        await asyncio.sleep(pause_s)
        do()
