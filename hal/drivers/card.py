"""Card and QR readers: a serial one sends lines, a USB one types on a keyboard of its own.

A reading that is not finished within GAP_S is dropped: a torn cable, or a person at the keys.
"""

import asyncio

from hal.api import ByteLink, CardRead, Health
from hal.drivers.card_codes import SALT_BYTES, KeyDecoder, LineDecoder, read_of
from hal.drivers.listening import LinkListener

GAP_S = 0.5
"""A hundred characters take a tenth of a second, typed or at 9600 baud."""
KEPT = 4
"""Readings nobody asked for yet; an older one is of a visitor who has gone."""


class SerialCardReader(LinkListener):
    """A reader that sends a line for each card or code. ``salt`` is the branch's."""

    _decoder_class: type[LineDecoder] | type[KeyDecoder] = LineDecoder

    def __init__(self, link: ByteLink, *, name: str, salt: bytes) -> None:
        if len(salt) < SALT_BYTES:
            raise ValueError(f"{name}: the salt has {len(salt)} bytes; expected {SALT_BYTES}")
        super().__init__(link, name)
        self._salt = salt
        self._decoder = self._decoder_class()
        self._reads: asyncio.Queue[CardRead] = asyncio.Queue(KEPT)

    @property
    def health(self) -> Health:
        """The last known health. A reader says nothing by itself: ok means that its line is."""
        known = super().health
        counters = {**known.counters, "too_long": self._decoder.too_long}
        return Health(known.state, known.detail, counters)

    async def next_read(self) -> CardRead:
        """Wait for the next card or code."""
        return await self._reads.get()

    async def close(self) -> None:
        """Release the line; closing twice is harmless."""
        await super().close()
        self._forget()

    def _forget(self) -> None:
        self._decoder.drop()

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


class HidCardReader(SerialCardReader):
    """A reader that is a USB keyboard: its device file, held alone, so that nothing it types
    reaches a window.
    """

    _decoder_class = KeyDecoder
