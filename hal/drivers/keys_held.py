"""Which of the guide's keys are down, and the strokes that nobody has read yet."""

import asyncio
from collections.abc import MutableMapping

from hal.body import GuideKey, KeyStroke


class KeysHeld:
    """Takes strokes in the order of the line and hands on those that change something."""

    def __init__(self, counters: MutableMapping[str, int]) -> None:
        """``counters["pressed"]`` counts strokes down."""
        self._counters = counters
        self._down: set[GuideKey] = set()
        self._strokes: asyncio.Queue[KeyStroke] = asyncio.Queue()

    def take(self, stroke: KeyStroke) -> None:
        """Keep a stroke, unless the key is so already: two codes may be one key."""
        if stroke.down == (stroke.key in self._down):
            return
        (self._down.add if stroke.down else self._down.remove)(stroke.key)
        if stroke.down:
            self._counters["pressed"] = self._counters.get("pressed", 0) + 1
        self._strokes.put_nowait(stroke)

    def let_go(self) -> None:
        """Nobody holds a key of a line that is lost."""
        for key in sorted(self._down):
            self.take(KeyStroke(key, down=False))

    async def next_stroke(self) -> KeyStroke:
        """Wait for the next stroke."""
        return await self._strokes.get()
