"""The queue figures that the server sends, as long as they are true."""

from collections.abc import Iterable

from kiosk.config import ServiceConfig
from kiosk.sheets import Promise
from kiosk.view import Wait, Words
from sync.clock import Clock
from sync.messages import QueueState

STALE_MS = 90_000
"""The retained queue messages expire after 90 s: older figures are unknown."""


class Figures:
    """The newest figure of each service and when it came."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._queues: dict[str, tuple[QueueState, int]] = {}

    def keep(self, state: QueueState) -> None:
        """Remember a figure that has just come."""
        self._queues[state.service] = (state, self._clock.mono_ms())

    def wait(self, letter: str) -> Wait:
        """The wait for one service, unknown when never told or too old."""
        state, at_ms = self._queues.get(letter, (None, 0))
        if state is None or self._clock.mono_ms() - at_ms > STALE_MS:
            return Wait()
        return Wait(state.waiting, state.wait_low_min, state.wait_high_min)

    def joining(self, letter: str) -> str:
        """Whether a ticket of the service makes sense, as the branch last said: "open" when never
        told or too old, because tickets are given without the branch as well.
        """
        state, at_ms = self._queues.get(letter, (None, 0))
        if state is None or self._clock.mono_ms() - at_ms > STALE_MS:
            return "open"
        return state.joining

    def promises(self, services: Iterable[ServiceConfig]) -> list[Promise]:
        """What the branch promises of each service, as it last said; how often it was kept today
        only while that is not too old.
        """
        found = []
        for service in services:
            state, at_ms = self._queues.get(service.letter, (None, 0))
            if state is None or not state.promise_min:
                continue
            name = Words(zh_CN=service.zh, en=service.en)
            old = self._clock.mono_ms() - at_ms > STALE_MS
            people, kept = (0, 0) if old else (state.promised, state.kept)
            found.append(Promise(name, state.promise_min, people, kept))
        return found

    def changes_in_ms(self) -> int | None:
        """Time until the next figure becomes too old, None while there is none."""
        now_ms = self._clock.mono_ms()
        ends_ms = (at_ms + STALE_MS + 1 - now_ms for _, at_ms in self._queues.values())
        return min((end_ms for end_ms in ends_ms if end_ms > 0), default=None)
