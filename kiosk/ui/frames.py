"""Counts the frames that were drawn, and those that took too long for the screen's pace."""

import asyncio
import time
from typing import Any

from kiosk.ui.environment import MAX_FPS

PERIOD_S = 1 / MAX_FPS


class FrameCount:
    """``drawn`` frames; ``dropped`` is how many more the screen could have shown while those that
    took longer than a period were being drawn.
    """

    def __init__(self, window: Any) -> None:
        self.drawn = 0
        self.dropped = 0
        self._began_s = 0.0
        window.bind(on_draw=self._begun, on_flip=self._flipped)

    def _begun(self, *_: Any) -> None:
        self._began_s = time.monotonic()

    def _flipped(self, *_: Any) -> None:
        # Kivy tells first and flips then: the next turn of the loop is behind it.
        asyncio.get_running_loop().call_soon(self._shown, self._began_s)

    def _shown(self, began_s: float) -> None:
        self.drawn += 1
        self.dropped += int((time.monotonic() - began_s) / PERIOD_S)
