"""An RS-485 bus: one half-duplex line that joins a host's adapter and any number of pads.

    BusHub      the line: who speaks is heard by all others, two at once by nobody
    PtyAdapter  the host's end as a serial port
    CoreStation firmware.pad in this process, at an address of a bus
    Babbler     a transmitter that does not stop

Time is the event loop's. Bytes take their time at the line's speed; they are delivered in pieces
of PIECE bytes, each at its end. Pieces of two speakers that overlap reach everybody as noise.
A station that speaks hears nothing meanwhile.

Not modelled: levels, reflections, bias and termination; a driver that holds the line without
sending; the time that an adapter takes; the single byte that survives a collision. A pad under
MicroPython is joined by its pty: its direction pin is not seen, and its bytes enter the line when
the operating system hands them over, not when its UART would send them.
"""

import asyncio
import contextlib
import os
import pty
import tty
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

from firmware.pad import link
from firmware.pad.state import BAUD
from firmware.pad.station import READ_SIZE, Station
from hal.api import ByteLink
from hal.errors import LinkLost, LinkUnavailable
from hal.link import Descriptor
from hal.link_memory import MemoryLink, memory_pair
from hal.sim.pad import CorePad

PIECE = 8
"""Half of a UART's FIFO: 0.7 ms at 115200 baud."""
BITS_PER_BYTE = 10
AGAIN_S = 0.05
"""How soon a station whose link broke is looked for again."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes on the line from ``begins_s`` to ``ends_s``."""

    sender: "Tap"
    begins_s: float
    ends_s: float
    data: bytes


class Tap:
    """Where one station hangs on the line; ``link`` leads to it."""

    def __init__(self, hub: "BusHub", link: ByteLink) -> None:
        self._hub = hub
        self._link = link
        self.free_at_s = 0.0  # when everything that it has to send is out
        self.joined = False
        self._heard: asyncio.Queue[bytes] = asyncio.Queue()
        self._tasks = [asyncio.create_task(self._speak()), asyncio.create_task(self._hear())]

    def hear(self, data: bytes) -> None:
        """Bytes of another station."""
        if self.joined:
            self._heard.put_nowait(data)

    async def leave(self) -> None:
        """Off the bus; leaving twice is harmless."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.joined = False
        await self._link.close()

    async def _speak(self) -> None:
        while True:
            try:
                await self._link.open()
                self.joined = True
                while True:
                    self._hub.send(self, await self._link.read())
            except LinkUnavailable:
                pass
            except LinkLost:
                self.joined = False
                await self._link.close()
            await asyncio.sleep(AGAIN_S)

    async def _hear(self) -> None:
        while True:
            data = await self._heard.get()
            with contextlib.suppress(LinkLost):
                await self._link.write(data)


class BusHub:
    """The line. ``link`` is the host's end, unless an ``adapter`` leads to the host; ``noise`` and
    ``loss`` are shares of all pieces, one byte of a noisy one is another.
    """

    def __init__(
        self,
        rng: Random,
        *,
        baud: int = BAUD,
        noise: float = 0.0,
        loss: float = 0.0,
        adapter: ByteLink | None = None,
    ) -> None:
        self.noise = noise
        self.loss = loss
        self.collisions = 0
        self._rng = rng
        self._byte_s = BITS_PER_BYTE / baud
        self._air: list[Piece] = []
        self._taps: list[Tap] = []
        self._loop = asyncio.get_running_loop()
        self.link, far_end = memory_pair("rs485")
        self._adapter = adapter or far_end
        self._host: Tap | None = None
        self.plug_in()

    def plug_in(self) -> None:
        """The host's adapter is there."""
        if self._host is None:
            self._host = self.join(self._adapter)

    async def unplug(self) -> None:
        """The host's adapter is pulled out of the machine."""
        host, self._host = self._host, None
        if host is not None:
            self._taps.remove(host)
            await host.leave()

    def join(self, station: ByteLink) -> Tap:
        """Hang a station on the line, by the link that leads to it (not opened)."""
        tap = Tap(self, station)
        self._taps.append(tap)
        return tap

    def wire(self) -> MemoryLink:
        """The far end of a new memory link that hangs on the line."""
        near, far = memory_pair("station")
        self.join(near)
        return far

    async def close(self) -> None:
        """Take the line down."""
        taps, self._taps = self._taps, []
        for tap in taps:
            await tap.leave()

    def send(self, sender: Tap, data: bytes) -> None:
        """Bytes of a station: on the line as soon as what it sent before is out."""
        begins_s = max(self._loop.time(), sender.free_at_s)
        for at in range(0, len(data), PIECE):
            part = data[at : at + PIECE]
            ends_s = begins_s + len(part) * self._byte_s
            piece = Piece(sender, begins_s, ends_s, part)
            self._air.append(piece)
            self._loop.call_at(ends_s, self._deliver, piece)
            begins_s = ends_s
        sender.free_at_s = begins_s

    def _deliver(self, piece: Piece) -> None:
        # A piece that overlaps this one is no longer than this one's length older.
        oldest_s = piece.begins_s - PIECE * self._byte_s
        self._air = [other for other in self._air if other.ends_s > oldest_s]
        slack_s = self._byte_s / 8  # a bit more than rounding, less than a start bit
        speakers = {
            other.sender
            for other in self._air
            if other.begins_s < piece.ends_s - slack_s and other.ends_s > piece.begins_s + slack_s
        }
        data = piece.data
        if len(speakers) > 1:
            self.collisions += 1
            data = self._rng.randbytes(len(data))
        elif self.loss and self._rng.random() < self.loss:
            return
        elif self.noise and self._rng.random() < self.noise:
            at = self._rng.randrange(len(data))
            other = data[at] ^ self._rng.randrange(1, 256)
            data = data[:at] + bytes([other]) + data[at + 1 :]
        for tap in self._taps:
            if tap not in speakers:
                tap.hear(data)


class PtyAdapter:
    """The adapter in the host's machine, a ByteLink for the bus: open, it is a serial port at
    ``path``; closed, the path is gone.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fds: tuple[int, int] | None = None
        self._stream: Descriptor | None = None

    @property
    def address(self) -> str:
        """The port as a link address of a host, without the pad's address on the bus."""
        return f"rs485:{self._path}"

    async def open(self) -> None:
        if self._fds is not None:
            raise LinkUnavailable(f"{self._path}: already open; a port has one owner")
        master, slave = pty.openpty()
        tty.setraw(slave)
        self._fds = (master, slave)
        self._stream = Descriptor(master, str(self._path))
        self._path.symlink_to(os.ttyname(slave))

    async def read(self, limit: int = 4096) -> bytes:
        return await self._live().read(limit)

    async def write(self, data: bytes) -> None:
        await self._live().write(data)

    async def close(self) -> None:
        if self._fds is None:
            return
        self._path.unlink(missing_ok=True)
        self._live().release()
        for fd in self._fds:
            os.close(fd)
        self._fds = self._stream = None

    def _live(self) -> Descriptor:
        if self._stream is None:
            raise LinkLost(f"{self._path}: closed")
        return self._stream


class CoreStation(CorePad):
    """A CorePad with an address, which answers ``answer_s`` after its poll. Not modelled: a
    program that looks at the line too late.
    """

    def __init__(
        self,
        far_end: ByteLink,
        *,
        address: int,
        now_ms: Callable[[], int],
        boot_ids: Callable[[], int],
        unique_id: str = "c07e",
        key: bytes | None = None,
        random: Callable[[int], bytes],
        answer_s: float = 0.002,
    ) -> None:
        self._address = address
        self._answer_s = answer_s
        self._answer_at_s = 0.0
        self._unique_id = bytes.fromhex(unique_id)
        self._station = Station(0, b"", 0)
        super().__init__(
            far_end,
            now_ms=now_ms,
            boot_ids=boot_ids,
            unique_id=unique_id,
            key=key,
            random=random,
        )

    def _start_line(self) -> None:
        self._station = Station(self._address, self._unique_id, self._ticks())

    def _hear(self, data: bytes) -> None:
        station = self._station
        for at in range(0, len(data), READ_SIZE - 1):
            station.look(self._ticks())
            station.look(self._ticks())  # it has looked all the time
            for result in station.feed(data[at : at + READ_SIZE - 1]):
                if not isinstance(result, link.Wrong):
                    self._core.received(result, self._ticks())
        self._core.bad_frames = station.bad
        if station.spoken_to:
            self._answer_at_s = self._now_s() + self._answer_s

    async def _speak(self, buffer: bytearray) -> None:
        if self._now_s() >= self._answer_at_s:
            size = self._station.answer_into(buffer, self._core.due, self._ticks())
            if size:
                await self._write(bytes(buffer[:size]))

    def _rest_ms(self) -> int:
        left_s = self._answer_at_s - self._now_s()
        if left_s > 0:
            return max(round(left_s * 1000), 1)
        return self._station.rest_ms(self._core.rest_ms(self._ticks()))

    @staticmethod
    def _now_s() -> float:
        return asyncio.get_running_loop().time()


class Babbler:
    """A station that sends ``data`` over and over, or chance where there is none; ``pause_s``
    between two times.
    """

    def __init__(
        self, wire: ByteLink, rng: Random, data: bytes = b"", pause_s: float = 0.0
    ) -> None:
        self._wire = wire
        self._rng = rng
        self._data = data
        self._pause_s = pause_s
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin. Raises LinkUnavailable."""
        await self._wire.open()
        self._task = asyncio.create_task(self._babble())

    async def stop(self) -> None:
        """Off the bus; stopping twice is harmless."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        await self._wire.close()

    async def _babble(self) -> None:
        while True:
            data = self._data or self._rng.randbytes(PIECE)
            await self._wire.write(data)
            await asyncio.sleep(len(data) * BITS_PER_BYTE / BAUD + self._pause_s)
