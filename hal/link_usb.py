"""A USB printer as a byte link, through the kernel's usblp: ``usb:/dev/usb/lp0``.

usblp gives what the printer says in the packets in which it came, and an empty one reads as no
bytes: that is silence here, and no hang-up. A pulled cable is an error of the file.
"""

import asyncio
import os

from hal.errors import LinkLost, LinkUnavailable
from hal.link import Address, Descriptor

SILENCE_S = 0.02
"""After an empty read: usblp is ready again at once, so nothing else would keep the loop free."""


class UsbLink:
    """One owner at a time: the kernel refuses a second opener."""

    def __init__(self, text: str, address: Address) -> None:
        self._text = text
        self._path = address.target
        self._stream: _QuietDescriptor | None = None
        self._fd = -1

    @property
    def address(self) -> str:
        return self._text

    async def open(self) -> None:
        if self._stream is not None:
            raise LinkUnavailable(f"{self._text}: already open; a printer has one owner")
        try:
            self._fd = os.open(self._path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
        except OSError as error:
            raise LinkUnavailable(
                f"{self._text}: cannot open the printer ({error.strerror}); is it plugged in and"
                " on, is the user in the group `lp`, does another program (cups) hold it?"
            ) from error
        self._stream = _QuietDescriptor(self._fd, self._text)

    async def read(self, limit: int = 4096) -> bytes:
        while True:
            if data := await self._live().read(limit):
                return data
            await asyncio.sleep(SILENCE_S)

    async def write(self, data: bytes) -> None:
        await self._live().write(data)

    async def close(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.release()
            os.close(self._fd)

    def _live(self) -> "_QuietDescriptor":
        if self._stream is None:
            raise LinkLost(f"{self._text}: closed")
        return self._stream


class _QuietDescriptor(Descriptor):
    """A descriptor on which an empty read is no end."""

    ends_empty = False
