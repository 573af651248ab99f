"""Which releases count. Pure: the time is an argument."""

import uuid

from kiosk.ui.tokens import SWALLOW_S


class TouchGuard:
    """Swallows touches for 400 ms after an accepted release, and names each accepted one.

    Panels deliver a touch twice when two input layers see it, and hands tremble. ``now_s`` is any
    monotonic clock in seconds.
    """

    def __init__(self, swallow_s: float = SWALLOW_S) -> None:
        self._swallow_s = swallow_s
        self._accepted_at_s: float | None = None
        self._run = uuid.uuid4().hex  # so that a name is not reused after a restart
        self.accepted = 0
        self.swallowed = 0

    def admit(self, now_s: float) -> bool:
        """Whether a touch that goes down now may press something; counts it if not."""
        if self._quiet(now_s):
            self.swallowed += 1
            return False
        return True

    def accept(self, now_s: float) -> str | None:
        """The name of the touch released now on its target, or None (counted) if too soon."""
        if self._quiet(now_s):
            self.swallowed += 1
            return None
        self._accepted_at_s = now_s
        self.accepted += 1
        return f"{self._run}-{self.accepted}"

    def _quiet(self, now_s: float) -> bool:
        return self._accepted_at_s is not None and now_s - self._accepted_at_s < self._swallow_s
