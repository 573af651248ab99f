"""Puts the panel's touches where the finger is, before any control sees them."""

from typing import Any

from kivy.base import EventLoop

from kiosk.ui.touch_map import TouchMap

BENCH = "bench"
"""The bench's fingers know the picture: they need no calibration."""


class Calibrated:
    """A step of Kivy's input. A release comes with the place that was set before it: that one is
    left alone.
    """

    def __init__(self, touch_map: TouchMap) -> None:
        self._map = touch_map
        self._placed: dict[int, tuple[float, float]] = {}

    def process(self, events: list[tuple[str, Any]]) -> list[tuple[str, Any]]:
        """Move the events; called by Kivy once a frame."""
        for kind, event in events:
            if event.device == BENCH or not event.is_touch:
                continue
            if self._placed.get(event.uid) != (event.sx, event.sy):
                x, y = self._map.at(event.sx, 1 - event.sy)
                event.sx, event.sy = x, 1 - y
                self._placed[event.uid] = (event.sx, event.sy)
            if kind == "end":
                del self._placed[event.uid]
        return events


def calibrate(touch_map: TouchMap) -> None:
    """From now on; before Kivy looks for double taps and the like."""
    EventLoop.postproc_modules.insert(0, Calibrated(touch_map))
