"""The printer's end of its cable with a hand on it: something is done when the host's bytes have
come to a place inside a slip. Imports nothing of the driver: the places are found in the bytes.

    asked       the answers to DLE EOT are on their way, no byte of a slip was sent yet
    begun       ESC @ has come, the slip's first command
    inside      any byte of the slip
    before_cut  all of it, GS V is the next command
    after_cut   GS V was worked off, the GS r behind it has not come
    confirmed   GS r was answered: the paper is out, the answer is on its way
"""

import asyncio
import random
from collections.abc import Callable

from hal.link import MemoryLink

PLACES = ("asked", "begun", "inside", "before_cut", "after_cut", "confirmed")
ASKED = b"\x10\x04\x04"  # DLE EOT 4, the last of the four questions
BEGIN = b"\x1b@"
CUT = b"\x1dV"
CUT_SIZE = 4  # GS V 66 n
SHORTEST_SLIP = 100
"""A cut that parts scrap from the next slip is a dozen bytes."""
AT_ONCE = 1 << 16
"""A slip is written at once, so it is read at once: all a memory link holds."""


def place_in(data: bytes, place: str, chance: random.Random) -> int | None:
    """How many bytes of ``data`` come before ``place``; None: not here."""
    if place == "asked":
        found = data.find(ASKED)
        return found + len(ASKED) if found >= 0 else None
    begin, cut = data.find(BEGIN), data.rfind(CUT)
    if begin < 0 or cut - begin < SHORTEST_SLIP:
        return None
    return {
        "begun": begin + len(BEGIN),
        "inside": chance.randrange(begin + 1, cut),
        "before_cut": cut,
        "after_cut": cut + CUT_SIZE,
        "confirmed": len(data),
    }[place]


class PrinterWire:
    """A memory link's far end. ``deaf`` swallows what the host sends, ``mute`` what the printer
    answers; :meth:`at` arms the hand.
    """

    def __init__(self, far: MemoryLink, chance: random.Random) -> None:
        self.deaf = self.mute = False
        self._far = far
        self._chance = chance
        self._place = ""
        self._action: Callable[[], None] = lambda: None
        self._rest = b""
        self._reached = False

    @property
    def address(self) -> str:
        return self._far.address

    @property
    def armed(self) -> bool:
        """Whether the place was not reached yet."""
        return bool(self._place)

    def at(self, place: str, action: Callable[[], None]) -> None:
        """Do ``action`` once, when the next slip (or question) has come to ``place``."""
        self._place, self._action = place, action

    def disarm(self) -> None:
        """Do nothing any more."""
        self._place, self._reached = "", False

    async def open(self) -> None:
        await self._far.open()

    async def close(self) -> None:
        self._rest, self._reached = b"", False
        await self._far.close()

    async def read(self, limit: int = 4096) -> bytes:
        """As the link's; ``limit`` is not kept."""
        if self._reached:
            self._reached = False
            self._action()
            await asyncio.sleep(0)  # a cable that is pulled now takes the rest with it
            rest, self._rest = self._rest, b""
            if rest and not self.deaf:
                return rest
        while True:
            data = await self._far.read(AT_ONCE)
            if self.deaf:
                continue
            size = place_in(data, self._place, self._chance) if self._place else None
            if size is None:
                return data
            self._place, self._reached, self._rest = "", True, data[size:]
            return data[:size]

    async def write(self, data: bytes) -> None:
        if not self.mute:
            await self._far.write(data)
