"""Card and QR readers: a serial one sends lines, a USB one types on a keyboard of its own.

    CLOSED --open--> OPEN --link lost--> LOST --every RETRY_S--> OPEN

A reading that is not finished within GAP_S is dropped: a torn cable, or a person at the keys.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable
from enum import Enum, auto

from hal.api import ByteLink, CardRead, Health, HealthState
from hal.drivers.card_codes import SALT_BYTES, KeyDecoder, LineDecoder, read_of
from hal.errors import LinkLost, LinkUnavailable

GAP_S = 0.5
"""A hundred characters take a tenth of a second, typed or at 9600 baud."""
RETRY_S = 1.0
KEPT = 4
"""Readings nobody asked for yet; an older one is of a visitor who has gone."""


class _State(Enum):
    CLOSED = auto()
    OPEN = auto()
    LOST = auto()


class SerialCardReader:
    """A reader that sends a line for each card or code. ``salt`` is the branch's."""

    _decoder_class: type[LineDecoder] | type[KeyDecoder] = LineDecoder

    def __init__(self, link: ByteLink, *, name: str, salt: bytes) -> None:
        if len(salt) < SALT_BYTES:
            raise ValueError(f"{name}: the salt has {len(salt)} bytes; expected {SALT_BYTES}")
        self._link = link
        self._name = name
        self._salt = salt
        self._decoder = self._decoder_class()
        self._state = _State.CLOSED
        self._counters: Counter[str] = Counter()
        self._reads: asyncio.Queue[CardRead] = asyncio.Queue(KEPT)
        self._task: asyncio.Task[None] | None = None
        self._listeners: list[Callable[[Health], None]] = []

    @property
    def health(self) -> Health:
        """The last known health. A reader says nothing by itself: ok means that its line is."""
        state = {
            _State.CLOSED: HealthState.UNKNOWN,
            _State.OPEN: HealthState.OK,
            _State.LOST: HealthState.LOST,
        }[self._state]
        counters = {**self._counters, "too_long": self._decoder.too_long}
        return Health(state, "link" if self._state is _State.LOST else "", counters)

    def on_health(self, listener: Callable[[Health], None]) -> None:
        """Call ``listener`` at each change of state."""
        self._listeners.append(listener)

    async def open(self) -> None:
        """Open the line and listen from now on. Raises LinkUnavailable; it is tried again."""
        if self._task is not None:
            return
        try:
            await self._link.open()
            self._become(_State.OPEN)
        except LinkUnavailable:
            self._become(_State.LOST)
            raise
        finally:
            self._task = asyncio.create_task(self._listen(), name=f"{self._name} listens")

    async def next_read(self) -> CardRead:
        """Wait for the next card or code."""
        return await self._reads.get()

    async def close(self) -> None:
        """Release the line; closing twice is harmless."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        self._decoder.drop()
        await self._link.close()
        self._state = _State.CLOSED

    async def _listen(self) -> None:
        while True:
            if self._state is _State.OPEN:
                with contextlib.suppress(LinkLost):
                    await self._read_on()
                self._decoder.drop()
                await self._link.close()
                self._become(_State.LOST)
            await asyncio.sleep(RETRY_S)
            with contextlib.suppress(LinkUnavailable):
                await self._link.open()
                self._become(_State.OPEN)

    async def _read_on(self) -> None:
        while True:
            try:
                async with asyncio.timeout(GAP_S if self._decoder.pending else None):
                    data = await self._link.read()
            except TimeoutError:
                self._decoder.drop()
                self._counters["partial"] += 1
                continue
            for reading in self._decoder.feed(data):
                self._keep(read_of(reading, self._salt))

    def _keep(self, read: CardRead) -> None:
        self._counters["read"] += 1
        if self._reads.full():
            self._reads.get_nowait()
            self._counters["dropped"] += 1
        self._reads.put_nowait(read)

    def _become(self, state: _State) -> None:
        if state is not self._state:
            self._state = state
            for listener in self._listeners:
                listener(self.health)


class HidCardReader(SerialCardReader):
    """A reader that is a USB keyboard: its device file, held alone, so that nothing it types
    reaches a window.
    """

    _decoder_class = KeyDecoder
