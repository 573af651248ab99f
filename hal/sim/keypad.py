"""Keypads at the far end of their wire. Not modelled: a key that bounces, the raised marks.

Those of a pad of ours are pressed at the pad itself: hal.sim.pad, its firmware under MicroPython
or its core in this process.
"""

import asyncio
from typing import Protocol

from firmware.pad.strokes import REPEAT_MS
from hal.body import GuideKey
from hal.key_codes import EV_KEY, PRESSED, RELEASED
from hal.sim.card import EV_SYN, Wire, event
from hal.sim.pad import CorePad
from hal.sim.pad_bench import PadBench

FELT_S = 0.05
"""A pad debounces for 20 ms."""
REPEATED = 2
"""What the kernel sends while a key is held."""
ARROWS = {
    GuideKey.PREVIOUS: 103,
    GuideKey.NEXT: 108,
    GuideKey.SELECT: 28,
    GuideKey.REPEAT: 138,
}


class SimKeys(Protocol):
    """Four keys under somebody's fingers."""

    async def move(self, key: GuideKey, *, down: bool) -> None:
        """Push a key down, or let it go."""

    async def rest(self) -> None:
        """What comes from the pad while a key is held and nothing happens."""


class SimKeyboard:
    """A USB keypad with arrows, enter and help."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._held = 0

    async def move(self, key: GuideKey, *, down: bool) -> None:
        """Push a key down, or let it go."""
        self._held = ARROWS[key] if down else 0
        value = PRESSED if down else RELEASED
        await self._wire.write(event(EV_KEY, ARROWS[key], value) + event(EV_SYN, 0, 0))

    async def rest(self) -> None:
        """The kernel repeats a key that is held."""
        await self._wire.write(event(EV_KEY, self._held, REPEATED) + event(EV_SYN, 0, 0))


class SimSerialKeys:
    """A board that sends a letter a stroke."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    async def move(self, key: GuideKey, *, down: bool) -> None:
        """Push a key down, or let it go."""
        letter = key.value[0]
        await self._wire.write((letter if down else letter.upper()).encode())

    async def rest(self) -> None:
        """Noise that is no letter of ours."""
        await self._wire.write(b"\r\n?")


class SimPadKeys:
    """The four keys of a pad in the role ``keys``."""

    def __init__(self, pad: PadBench | CorePad) -> None:
        self._pad = pad

    async def move(self, key: GuideKey, *, down: bool) -> None:
        """Push a key down, or let it go, for long enough to be felt."""
        (self._pad.down if down else self._pad.up)(1 + tuple(GuideKey).index(key))
        await asyncio.sleep(FELT_S)

    async def rest(self) -> None:
        """Long enough for the pad to say again what was not taken."""
        await asyncio.sleep(2 * REPEAT_MS / 1000)


async def press(keys: SimKeys, key: GuideKey, hold_s: float = 0.05) -> None:
    """Press a key for so long."""
    await keys.move(key, down=True)
    await asyncio.sleep(hold_s)
    await keys.move(key, down=False)
