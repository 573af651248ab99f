"""A Linux input device as a byte link: ``struct input_event`` after ``struct input_event``.

The device is grabbed (EVIOCGRAB): what a reader types must not reach the kiosk's window, nor a
console.
"""

import fcntl
import os

from hal.errors import LinkLost, LinkUnavailable
from hal.link import Address, Descriptor

EVIOCGRAB = 0x40044590
"""_IOW('E', 0x90, int), linux/input.h."""


class EvdevLink:
    """``evdev:/dev/input/by-id/NAME``; it is read only."""

    def __init__(self, text: str, address: Address) -> None:
        self._text = text
        self._path = address.target
        self._fd = -1
        self._stream: Descriptor | None = None

    @property
    def address(self) -> str:
        return self._text

    async def open(self) -> None:
        if self._stream is not None:
            raise LinkUnavailable(f"{self._text}: already open; a reader has one owner")
        try:
            fd = os.open(self._path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            raise LinkUnavailable(
                f"{self._text}: cannot open the device ({error.strerror}); is the reader plugged"
                " in, is the user in the group `input`?"
            ) from error
        try:
            fcntl.ioctl(fd, EVIOCGRAB, 1)
        except OSError as error:
            os.close(fd)
            raise LinkUnavailable(
                f"{self._text}: cannot be held alone ({error.strerror}); is it an input device,"
                " does another program hold it?"
            ) from error
        self._fd, self._stream = fd, Descriptor(fd, self._text)

    async def read(self, limit: int = 4096) -> bytes:
        if self._stream is None:
            raise LinkLost(f"{self._text}: closed")
        return await self._stream.read(limit)

    async def write(self, data: bytes) -> None:
        raise LinkLost(f"{self._text}: a reader takes nothing; {len(data)} bytes were not sent")

    async def close(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.release()
            os.close(self._fd)
