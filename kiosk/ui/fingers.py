"""Touches that come from the bench, through the same dispatch as those of the panel."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from kivy.base import EventLoop
from kivy.core.window import Window
from kivy.input.motionevent import MotionEvent
from kivy.input.provider import MotionEventProvider

from kiosk.ui import WindowError

MOST = 10  # fingers at a time, as panels have
Point = tuple[float, float]  # window pixels, y downwards


class Finger(MotionEvent):
    """One touch of the bench."""

    def __init__(self, number: int, at: Point) -> None:
        super().__init__("bench", number, at, is_touch=True, type_id="touch")

    def depack(self, args: Point) -> None:
        """Take window pixels."""
        width, height = Window.size
        self.sx = args[0] / max(width - 1, 1)
        self.sy = 1 - args[1] / max(height - 1, 1)
        self.profile = ("pos",)
        super().depack(args)


@dataclass(frozen=True, slots=True)
class Felt:
    """What came of a touch: the control and the touch's id if it was accepted; when it was asked
    for, when a frame showed it, when it was lifted (seconds of the machine's monotonic clock).
    """

    accepted: tuple[str, str] | None
    asked_at_s: float
    seen_at_s: float
    lifted_at_s: float


class _Press:
    """A finger on its way: down in one frame, up in a later one."""

    def __init__(self, start: Point, end: Point, hold_s: float) -> None:
        self.start, self.end, self.hold_s = start, end, hold_s
        self.finger: Finger | None = None
        self.down_at_s = 0.0
        self.asked_at_s = time.monotonic()
        self.seen_at_s = 0.0
        self.lifted_at_s = 0.0
        self.lifted: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    def see(self) -> None:
        """A frame has shown it."""
        self.seen_at_s = self.seen_at_s or time.monotonic()


class Fingers(MotionEventProvider):
    """Dispatches the bench's touches: begin, one move if it slides, end on a later frame."""

    def __init__(self) -> None:
        super().__init__("bench", "")
        self._presses: list[_Press] = []
        self._count = 0
        EventLoop.add_input_provider(self)
        Window.bind(on_flip=self._flipped)

    def stop(self) -> None:
        """Take no more touches."""
        EventLoop.remove_input_provider(self)
        Window.unbind(on_flip=self._flipped)
        for press in self._presses:
            press.lifted.cancel()
        self._presses.clear()

    async def press(self, start: Point, end: Point, hold_s: float) -> Felt:
        """Touch ``start``, slide to ``end``, lift."""
        width, height = Window.size
        for x, y in (start, end):
            if not (0 <= x < width and 0 <= y < height):
                raise WindowError(f"({x:g}, {y:g}) is outside the window of {width} × {height}")
        if len(self._presses) >= MOST:
            raise WindowError(f"{MOST} fingers are down already; wait for their answers")
        press = _Press(start, end, hold_s)
        self._presses.append(press)
        finger: Finger = await press.lifted
        return Felt(
            finger.ud.get("accepted"), press.asked_at_s, press.seen_at_s, press.lifted_at_s
        )

    def update(self, dispatch_fn: Callable[[str, MotionEvent], None]) -> None:
        """Called by Kivy once a frame."""
        loop = asyncio.get_running_loop()
        for press in list(self._presses):
            if press.finger is None:
                self._count += 1
                press.finger = Finger(self._count, press.start)
                press.down_at_s = loop.time()
                dispatch_fn("begin", press.finger)
                continue
            if press.start != press.end:
                press.start = press.end
                press.finger.move(press.end)
                dispatch_fn("update", press.finger)
                continue
            if loop.time() - press.down_at_s < press.hold_s:
                continue
            self._presses.remove(press)
            press.lifted_at_s = time.monotonic()
            dispatch_fn("end", press.finger)
            # After this frame's dispatch, which follows in the same turn of the loop.
            loop.call_soon(_resolve, press)

    def _flipped(self, *_: Any) -> None:
        # Kivy tells first and flips then: the next turn of the loop is behind it.
        loop = asyncio.get_running_loop()
        for press in self._presses:
            if press.finger is not None and not press.seen_at_s:
                loop.call_soon(press.see)


def _resolve(press: _Press) -> None:
    if not press.lifted.done():
        press.lifted.set_result(press.finger)
