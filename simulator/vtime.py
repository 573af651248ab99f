"""Virtual time for asyncio: a loop whose clock jumps to the next deadline, or runs at a multiple
of real time.

When nothing is ready, a :class:`PacedLoop` of infinite speed moves its clock to the next timer at
once; one of
speed N waits a N-th of the time. Everything in the loop (sleeps, timeouts, call_later) follows.
Blocking work
given to the default executor runs in the loop, at once, so that a jump cannot overtake it. Not
modelled: other
threads (an awaited thread would see time jump), and file descriptors in a jumping loop are polled
only.
"""

import asyncio
import math
import random
import selectors
import time
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from sync.clock import Clock

_T = TypeVar("_T")

BOOT = "simulated"
RESOLUTION_S = 1e-6
"""What asyncio adds to "now" when it looks for due timers. Its own 1 ns vanishes in a float beyond
97 days: then the timer that the clock has jumped to is never due.
"""


class Deadlock(RuntimeError):
    """Nothing is ready and no timer is set: on virtual time nothing can ever happen again."""


class _PacedSelector(selectors.DefaultSelector):
    """Waits on behalf of the loop: by moving its clock, or by waiting a fraction of the time."""

    def __init__(self) -> None:
        super().__init__()
        self.speed = math.inf
        self.jumped_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if not math.isinf(self.speed):
            return super().select(None if timeout is None else timeout / self.speed)
        ready = super().select(0)
        if ready:
            return ready
        if timeout is None:
            raise Deadlock("every task waits and no timer is set")
        if timeout > 0:
            self.jumped_s += timeout
        return ready


class PacedLoop(asyncio.SelectorEventLoop):
    """An event loop on virtual time. ``speed`` is virtual seconds a real second; infinity
    jumps.
    """

    def __init__(self, speed: float = math.inf) -> None:
        self._paced = _PacedSelector()
        self._paced.speed = speed
        self._began_s = time.monotonic()
        super().__init__(self._paced)
        if not speed > 0:
            self.close()
            raise ValueError(f"speed {speed}: expected more than 0")
        self._clock_resolution = RESOLUTION_S

    def time(self) -> float:
        """Virtual seconds since the loop was made."""
        if math.isinf(self._paced.speed):
            return self._paced.jumped_s
        return (time.monotonic() - self._began_s) * self._paced.speed

    def run_in_executor(  # type: ignore[override]
        self, executor: Any, func: Callable[..., _T], *args: Any
    ) -> "asyncio.Future[_T]":
        """Run ``func`` now, in the loop."""
        future: asyncio.Future[_T] = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:  # noqa: BLE001 - it belongs to whoever awaits the future
            future.set_exception(error)
        return future


def run(work: Coroutine[Any, Any, _T], *, speed: float = math.inf) -> _T:
    """``asyncio.run`` on a paced loop. Raises Deadlock when nothing can happen any more."""
    with asyncio.Runner(loop_factory=lambda: PacedLoop(speed)) as runner:
        return runner.run(work)


def virtual_clock(start_ms: int, seed: int) -> Clock:
    """A clock that follows the running loop from ``start_ms`` (Unix), with chance from
    ``seed``.
    """
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    chance = random.Random(seed)

    def passed_ms() -> int:
        return round((loop.time() - began_s) * 1000)

    return Clock(
        wall_ms=lambda: start_ms + passed_ms(),
        mono_ms=passed_ms,
        boot=BOOT,
        random_bits=chance.getrandbits,
    )
