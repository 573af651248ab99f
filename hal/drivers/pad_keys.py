"""A teller's keys between a pad's driver and whoever carries them out: each handed on once, and
answered as often as the pad asks.
"""

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable

from firmware.pad import link as wire
from hal.api import PadKey
from hal.errors import LinkLost

MAX_WAITING = 8
"""Keys nobody has fetched; further ones stay in the pad, which repeats them."""
MAX_SEEN = 256
"""Remembered keys: 64 times what a pad can hold."""

DONE = b""
"""The answer to a key that was carried out; any other is a code for the digits."""

Send = Callable[[int, int, int, bytes], Awaitable[None]]


def code_bytes(code: str) -> bytes:
    """The code as the pad gets it. Raises ValueError for what four digits cannot hold."""
    try:
        return wire.unpack_deny(wire.pack_deny(code.encode("ascii")))
    except (wire.BadBody, UnicodeError) as error:
        raise ValueError(str(error)) from error


class KeyDesk:
    """A bounded queue, and a bounded memory of answers. ``send`` writes a frame."""

    def __init__(self, send: Send) -> None:
        self.waiting: asyncio.Queue[PadKey] = asyncio.Queue(MAX_WAITING)
        self._answers: OrderedDict[tuple[str, int, int], bytes | None] = OrderedDict()
        self._send = send

    async def take(self, key: PadKey) -> None:
        """Hand on a key that was not seen before, answer one that has its answer. Raises
        LinkLost.
        """
        name = (key.unique_id, key.boot_id, key.seq)
        answer = self._answers.get(name)
        if answer is not None:
            await self._tell(key, answer)
        elif name not in self._answers and not self.waiting.full():
            self._remember(key, None)
            self.waiting.put_nowait(key)

    async def answer(self, key: PadKey, answer: bytes) -> None:
        """Tell the pad what became of the key. Never raises: a repeat is answered again."""
        self._remember(key, answer)
        with contextlib.suppress(LinkLost):
            await self._tell(key, answer)

    def _remember(self, key: PadKey, answer: bytes | None) -> None:
        self._answers[key.unique_id, key.boot_id, key.seq] = answer
        if len(self._answers) > MAX_SEEN:
            self._answers.popitem(last=False)

    async def _tell(self, key: PadKey, answer: bytes) -> None:
        await self._send(wire.DENY if answer else wire.ACK, key.boot_id, key.seq, answer)


class TellersKeys:
    """The part of a pad's driver that a teller's keys go through; ``_keys`` is its desk."""

    _keys: KeyDesk

    async def next_key(self) -> PadKey:
        """Wait for the next key of the teller; the pad repeats it until it is answered."""
        return await self._keys.waiting.get()

    async def acknowledge_key(self, key: PadKey) -> None:
        """Tell the pad that the key was carried out. Never raises: a repeat is answered again."""
        await self._keys.answer(key, DONE)

    async def deny_key(self, key: PadKey, code: str) -> None:
        """Tell the pad that the key was not carried out: a tone, and four characters that say why.

        Raises ValueError for a code that four digits cannot hold.
        """
        await self._keys.answer(key, code_bytes(code))
