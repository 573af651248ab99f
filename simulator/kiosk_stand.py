"""The real ``lobby kiosk`` with its window, printer and bench socket, as a program under Xvfb."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from hal.sim.printer import SimPrinter
from hal.sim.printer_ports import PtyPrinter, Served
from kiosk.heartbeat import ADDRESS_VARIABLE, READY
from simulator import branch_plan
from simulator.errors import NotStarted
from simulator.parts import Part, Parts
from simulator.screen import Screen

START_S = 60.0


class Words:
    """The watcher's end of NOTIFY_SOCKET: what programs say of themselves, with the time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._socket.bind(str(path))
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._socket, self._hear)
        self._heard: asyncio.Queue[tuple[float, str]] = asyncio.Queue()

    def _hear(self) -> None:
        self._heard.put_nowait((self._loop.time(), self._socket.recv(4096).decode()))

    async def await_word(self, start: str, part: Part) -> tuple[float, str]:
        """The next word that begins so, and when it came. Raises NotStarted."""
        try:
            async with asyncio.timeout(START_S):
                while True:
                    at_s, word = await self._heard.get()
                    if word.startswith(start):
                        return at_s, word.removeprefix(start)
        except TimeoutError:
            raise NotStarted(f"{part.name} did not say {start!r}: {part.last_words()}") from None

    def close(self) -> None:
        """Hear nothing more."""
        self._loop.remove_reader(self._socket)
        self._socket.close()
        self.path.unlink()


@dataclass
class KioskStand:
    """A folder with everything of one kiosk. ``broker_port`` may be one where nobody listens."""

    folder: Path
    parts: Parts
    display: str
    broker_port: int
    size: tuple[int, int, float] = branch_plan.LARGE
    printer: Served = field(default_factory=SimPrinter)
    more: Sequence[str] = ()
    """Lines behind the others in kiosk.toml."""
    environment: dict[str, str] = field(default_factory=dict)
    took_s: float = 0.0
    """From the start of the program to its first frame that takes touches."""

    async def __aenter__(self) -> Self:
        """Start it. Raises NotStarted."""
        self.port = PtyPrinter(self.printer, self.folder / "printer")
        await self.port.plug_in()
        places = branch_plan.Places(self.folder, self.broker_port, self.port.address, {}, {})
        file = self.folder / "kiosk.toml"
        toml = branch_plan.kiosk_toml(places, self.size, fullscreen=False)
        file.write_text(toml + "\n".join(("", *self.more, "")), "utf-8")
        words = Words(self.folder / "words")
        began_s = asyncio.get_running_loop().time()
        self.part = await self.parts.start(
            "kiosk", sys.executable, "-m", "kiosk", str(file),
            env={"DISPLAY": self.display, ADDRESS_VARIABLE: str(words.path), **self.environment},
        )  # fmt: skip
        try:
            at_s, _ = await words.await_word(READY, self.part)
            self.took_s = at_s - began_s
            self.screen = await Screen.connect(places.bench, START_S)
        except BaseException:
            await self._end()
            raise
        finally:
            words.close()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.screen.close()
        await self._end()

    async def _end(self) -> None:
        await self.parts.stop(self.part)
        await self.port.unplug()

    @property
    def pid(self) -> int:
        """The kiosk's process."""
        return self.part.process.pid

    def stop_it(self) -> None:
        """Freeze the process, as a driver that hangs does."""
        os.kill(self.pid, signal.SIGSTOP)
