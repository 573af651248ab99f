"""Where a simulated printer is plugged in: a real pty, a TCP port, a memory pair; and its tray.

printer = SimPrinter(on_slip=SlipTray(directory).take)
port = PtyPrinter(printer, directory / "printer")
await port.plug_in()      # the kiosk's configuration says serial:/…/printer
...
await port.unplug()       # the cable is out: whoever holds the line sees it hang up
"""

import asyncio
import json
import os
import tty
from pathlib import Path
from typing import Protocol

from hal.errors import LinkLost
from hal.link import Descriptor
from hal.sim.paper import PrintedSlip
from hal.sim.printer import Stream

TRAY_FILE = "slips.jsonl"


class Port(Protocol):
    """A socket in the wall: the printer can be plugged in and out any number of times."""

    @property
    def address(self) -> str:
        """What the kiosk's configuration says."""

    async def plug_in(self) -> None:
        """Connect the printer; harmless when it is."""

    async def unplug(self) -> None:
        """Pull the cable; harmless when it is out."""


class Served(Protocol):
    """A device that can stand at the far end: a printer, a line of displays."""

    async def serve(self, stream: Stream) -> None:
        """Be there until the host hangs up."""


class FarEnd(Stream, Protocol):
    """The device's end of a memory pair, or something that stands before it."""

    @property
    def address(self) -> str:
        """Its name."""

    async def open(self) -> None:
        """Plug it in."""

    async def close(self) -> None:
        """Pull it out; twice is harmless."""


class PtyPrinter:
    """The printer behind a pseudo-terminal; ``path`` is a link to the terminal of the moment."""

    def __init__(self, printer: Served, path: Path) -> None:
        self.path = path
        self._printer = printer
        self._fds: tuple[int, int] = (-1, -1)
        self._stream: Descriptor | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def address(self) -> str:
        return f"serial:{self.path}"

    async def plug_in(self) -> None:
        if self._task is not None:
            return
        master, slave = os.openpty()
        tty.setraw(slave)
        # The slave stays open here: else the master would see each close of the host as an error.
        self._fds = master, slave
        self._stream = Descriptor(master, self.address)
        fresh = self.path.with_name(f"{self.path.name}.new")
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(os.ttyname(slave))
        fresh.replace(self.path)
        self._task = asyncio.create_task(self._printer.serve(self._stream), name="pty printer")

    async def unplug(self) -> None:
        task, self._task = self._task, None
        if task is None or self._stream is None:
            return
        task.cancel()  # what the line has not delivered is lost
        await asyncio.gather(task, return_exceptions=True)
        self._stream.release()
        for fd in self._fds:
            os.close(fd)
        self.path.unlink(missing_ok=True)

    async def serve(self) -> None:
        """Be plugged in until cancelled."""
        await self.plug_in()
        try:
            await asyncio.Event().wait()
        finally:
            await self.unplug()


class TcpPrinter:
    """The printer behind a TCP port; a new connection takes over from the old."""

    def __init__(self, printer: Served, port: int = 0, host: str = "127.0.0.1") -> None:
        self._printer = printer
        self._host = host
        self._port = port
        self._server: asyncio.Server | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def address(self) -> str:
        return f"tcp://{self._host}:{self._port}"

    async def plug_in(self) -> None:
        if self._server is None:
            self._server = await asyncio.start_server(self._accept, self._host, self._port)
            self._port = self._server.sockets[0].getsockname()[1]

    async def unplug(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.close()
            await self._hang_up()
            await server.wait_closed()

    async def _hang_up(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()  # what the line has not delivered is lost
            await asyncio.gather(task, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._hang_up()
        serving = self._printer.serve(_TcpStream(reader, writer))
        self._task = task = asyncio.create_task(serving, name="tcp printer")
        await asyncio.gather(task, return_exceptions=True)
        writer.transport.abort()


class _TcpStream:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def read(self, limit: int = 4096) -> bytes:
        try:
            data = await self._reader.read(limit)
        except OSError as error:
            raise LinkLost(str(error)) from error
        if not data:
            raise LinkLost("the host hung up")
        return data

    async def write(self, data: bytes) -> None:
        try:
            self._writer.write(data)
            await self._writer.drain()
        except OSError as error:
            raise LinkLost(str(error)) from error


class MemoryPrinter:
    """The printer behind the device's end of a memory pair."""

    def __init__(self, printer: Served, far: FarEnd) -> None:
        self._printer = printer
        self._far = far
        self._task: asyncio.Task[None] | None = None

    @property
    def address(self) -> str:
        return self._far.address

    async def plug_in(self) -> None:
        if self._task is None:
            await self._far.open()
            self._task = asyncio.create_task(self._serve(self._far), name="memory printer")

    async def unplug(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await self._far.close()

    async def _serve(self, stream: Stream) -> None:
        while True:  # the host closed its end, and may open it again
            await self._printer.serve(stream)
            await self._far.close()
            await self._far.open()


class SlipTray:
    """Where slips fall for people of another process: one JSON line each in ``slips.jsonl``.

    Fields: sequence, number, lines, qr (or null), cut, complete, png (file name, or null). With
    ``draw`` each slip is a picture beside it, written before its line.
    """

    def __init__(self, directory: Path, *, draw: bool = False) -> None:
        self.path = directory / TRAY_FILE
        self._directory = directory
        self._draw = draw

    def take(self, slip: PrintedSlip) -> None:
        """Write one slip; give this to ``SimPrinter(on_slip=...)``."""
        png = f"slip-{slip.sequence:04}.png" if self._draw else None
        if png is not None:
            (self._directory / png).write_bytes(slip.png())
        row = {
            "sequence": slip.sequence,
            "number": slip.number,
            "lines": slip.lines,
            "qr": slip.qr,
            "cut": slip.cut,
            "complete": slip.complete,
            "png": png,
        }
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
