"""Which releases count. Pure: the time is an argument."""

import uuid

from kiosk.ui.tokens import REST_S, SWALLOW_S


class TouchGuard:
    """Swallows touches for 400 ms after an accepted release, and names each accepted one; rests
    for 500 ms when a screen comes that no touch asked for.

    Panels deliver a touch twice when two input layers see it, and hands tremble. A finger that is
    on its way when the screen changes was meant for another question, perhaps another visitor's.
    ``now_s`` is any monotonic clock in seconds.
    """

    def __init__(self, swallow_s: float = SWALLOW_S, rest_s: float = REST_S) -> None:
        self._swallow_s = swallow_s
        self._rest_s = rest_s
        self._accepted_at_s: float | None = None
        self._rested_at_s: float | None = None  # when the rest is over
        self._run = uuid.uuid4().hex  # so that a name is not reused after a restart
        self.accepted = 0
        self.swallowed = 0

    def rest(self, now_s: float) -> None:
        """A screen comes now that no touch asked for."""
        self._rested_at_s = now_s + self._rest_s

    def admit(self, now_s: float) -> bool:
        """Whether a touch that goes down now may press something; counts it if not."""
        if self._quiet(now_s) or self._resting(now_s):
            self.swallowed += 1
            return False
        return True

    def accept(self, now_s: float, began_s: float | None = None) -> str | None:
        """The name of what is pressed now, or None (counted) if too soon. ``began_s``: when its
        touch went down, which must be after the rest; None for a key, which meets no other
        control than the one that was said.
        """
        if self._quiet(now_s) or (began_s is not None and self._resting(began_s)):
            self.swallowed += 1
            return None
        self._accepted_at_s = now_s
        self.accepted += 1
        return f"{self._run}-{self.accepted}"

    def _quiet(self, now_s: float) -> bool:
        return self._accepted_at_s is not None and now_s - self._accepted_at_s < self._swallow_s

    def _resting(self, began_s: float) -> bool:
        return self._rested_at_s is not None and began_s < self._rested_at_s
