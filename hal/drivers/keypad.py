"""Tactile keys beside the screen: a USB keypad, which is a keyboard, or a board on a serial line.

    CLOSED --open--> OPEN --link lost--> LOST --every RETRY_S--> OPEN

A key that is down when the line is lost counts as let go: nothing stays held by nobody.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from hal.api import ByteLink, Health, HealthState
from hal.body import GuideKey, KeyStroke
from hal.drivers.keypad_codes import KeyboardDecoder, LetterDecoder
from hal.errors import LinkLost, LinkUnavailable

RETRY_S = 1.0


class _LinkedPad:
    """A keypad at the end of a link, whose bytes ``decoder`` understands."""

    def __init__(
        self, link: ByteLink, name: str, decoder: KeyboardDecoder | LetterDecoder
    ) -> None:
        self._link = link
        self._name = name
        self._decoder = decoder
        self._state = HealthState.UNKNOWN
        self._down: set[GuideKey] = set()
        self._counters: Counter[str] = Counter()
        self._strokes: asyncio.Queue[KeyStroke] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None
        self._listeners: list[Callable[[Health], None]] = []

    @property
    def health(self) -> Health:
        """The last known health. Keys say nothing by themselves: ok means that their line is."""
        detail = "link" if self._state is HealthState.LOST else ""
        return Health(self._state, detail, dict(self._counters))

    def on_health(self, listener: Callable[[Health], None]) -> None:
        """Call ``listener`` at each change of state."""
        self._listeners.append(listener)

    async def open(self) -> None:
        """Listen from now on. Raises LinkUnavailable; it is tried again."""
        if self._task is not None:
            return
        try:
            await self._link.open()
            self._become(HealthState.OK)
        except LinkUnavailable:
            self._become(HealthState.LOST)
            raise
        finally:
            self._task = asyncio.create_task(self._listen(), name=f"{self._name} listens")

    async def next_stroke(self) -> KeyStroke:
        """Wait for the next stroke."""
        return await self._strokes.get()

    async def close(self) -> None:
        """Release the line; closing twice is harmless."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        await self._link.close()
        self._state = HealthState.UNKNOWN

    async def _listen(self) -> None:
        while True:
            if self._state is HealthState.OK:
                with contextlib.suppress(LinkLost):
                    while True:
                        for stroke in self._decoder.feed(await self._link.read()):
                            self._take(stroke)
                self._decoder.drop()
                for key in sorted(self._down):
                    self._take(KeyStroke(key, down=False))
                await self._link.close()
                self._become(HealthState.LOST)
            await asyncio.sleep(RETRY_S)
            with contextlib.suppress(LinkUnavailable):
                await self._link.open()
                self._become(HealthState.OK)

    def _take(self, stroke: KeyStroke) -> None:
        """Keep a stroke that changes something: two codes may be one key."""
        if stroke.down == (stroke.key in self._down):
            return
        (self._down.add if stroke.down else self._down.remove)(stroke.key)
        self._counters["pressed"] += stroke.down
        self._strokes.put_nowait(stroke)

    def _become(self, state: HealthState) -> None:
        if state is not self._state:
            self._state = state
            for listener in self._listeners:
                listener(self.health)


class KeyboardPad(_LinkedPad):
    """A USB keypad at ``evdev:/dev/input/by-id/NAME``, held alone: no key reaches a window.
    ``codes``: Linux key codes in the place of the usual ones, by the key's name. Raises ValueError
    for a key of another name, or a code given to two keys.
    """

    def __init__(
        self, link: ByteLink, *, name: str, codes: Mapping[str, Sequence[int]] | None = None
    ) -> None:
        table = {GuideKey(key): numbers for key, numbers in (codes or {}).items()}
        super().__init__(link, name, KeyboardDecoder(table))


class SerialKeyPad(_LinkedPad):
    """A board with four keys on a serial line: a byte a stroke (hal/drivers/keypad_codes.py)."""

    def __init__(
        self, link: ByteLink, *, name: str, codes: Mapping[str, Sequence[int]] | None = None
    ) -> None:
        if codes:
            raise ValueError("codes: only a keyboard has key codes")
        super().__init__(link, name, LetterDecoder())
