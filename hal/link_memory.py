"""A byte link inside one process: two joined ends, for tests and for the simulated branch."""

import asyncio
from enum import Enum, auto

from hal.errors import LinkLost, LinkUnavailable

MEMORY_LIMIT = 1 << 16
"""Most bytes unread in one direction, as a Linux pipe holds; a writer waits for room."""


class _State(Enum):
    NEW = auto()  # never opened: bytes wait for it
    OPEN = auto()
    CLOSED = auto()


class _End:
    """What one end of the cable knows: its unread bytes, its state, whether the other left."""

    def __init__(self) -> None:
        self.unread = bytearray()
        self.state = _State.NEW
        self.hung_up = False
        self.changed = asyncio.Event()

    async def change(self) -> None:
        self.changed.clear()
        await self.changed.wait()


class MemoryLink:
    """One end of a :func:`memory_pair`; what one end writes the other reads, whole, in order."""

    def __init__(self, name: str, mine: _End, other: _End, *, is_host: bool) -> None:
        self._name = name
        self._mine = mine
        self._other = other
        self._is_host = is_host

    @property
    def address(self) -> str:
        return self._name

    async def open(self) -> None:
        if self._mine.state is _State.OPEN:
            raise LinkUnavailable(f"{self._name}: already open; a port has one owner")
        if self._is_host and self._other.state is _State.CLOSED:
            raise LinkUnavailable(
                f"{self._name}: nothing at the far end; is the device plugged in?"
            )
        self._mine.state = _State.OPEN
        self._mine.hung_up = self._other.hung_up = False

    async def read(self, limit: int = 4096) -> bytes:
        mine = self._mine
        while not mine.unread:
            if mine.state is not _State.OPEN or mine.hung_up:
                raise LinkLost(f"{self._name}: closed")
            await mine.change()
        data = bytes(mine.unread[:limit])
        del mine.unread[:limit]
        self._other.changed.set()
        return data

    async def write(self, data: bytes) -> None:
        mine, other = self._mine, self._other
        rest = memoryview(data)
        while rest:
            if mine.state is not _State.OPEN or mine.hung_up:
                raise LinkLost(f"{self._name}: closed")
            room = MEMORY_LIMIT - len(other.unread)
            if room > 0:
                other.unread += rest[:room]
                rest = rest[room:]
                other.changed.set()
            else:
                await mine.change()

    async def close(self) -> None:
        if self._mine.state is not _State.OPEN:
            return
        self._mine.state = _State.CLOSED
        self._mine.unread.clear()
        self._mine.changed.set()
        self._other.hung_up = True
        self._other.changed.set()


def memory_pair(name: str = "memory") -> tuple[MemoryLink, MemoryLink]:
    """Two joined ends, the host's first, the device's second.

    While the device's end is closed the host's cannot be opened, as with a cable pulled out.
    Not modelled: line speed, noise, partial writes.
    """
    host, device = _End(), _End()
    return (
        MemoryLink(f"{name}:near", host, device, is_host=True),
        MemoryLink(f"{name}:far", device, host, is_host=False),
    )
