"""The branch's clock at work: its jumps are journalled, and the queue follows what becomes known
better.
"""

from collections import deque
from collections.abc import Callable

from branch.dating import Dating
from branch.errors import NotStored
from branch.queue import Engine
from sync.clock import Clock
from sync.messages import ClockJumpedData


class Timing:
    """``record(event type, data)`` commits an event of the server's own or raises NotStored;
    ``changed`` is told when tickets have other times than before.
    """

    def __init__(
        self,
        dating: Dating,
        clock: Clock,
        engine: Engine,
        record: Callable[[str, ClockJumpedData], None],
        changed: Callable[[], None],
    ) -> None:
        self._dating = dating
        self._clock = clock
        self._engine = engine
        self._record = record
        self._changed = changed
        self._jumps: deque[ClockJumpedData] = deque()  # not journalled yet

    def redate(self) -> None:
        """A boot may be known better now: its tickets take the place that is theirs."""
        issued_at = self._dating.settle()
        if issued_at:
            self._engine.redate(issued_at)
            self._changed()

    def look(self) -> None:
        """Note a jump of the machine's wall clock; follow NTP."""
        jump = self._clock.jumped()
        if jump is not None:
            self._jumps.append(jump)
        while self._jumps:
            try:
                self._record("clock.jumped", self._jumps[0])
            except NotStored:
                return  # logged already; tried again at the next look
            self._jumps.popleft()
            self._dating.seen()
        since_ms = self._dating.boot_began_ms
        moved_ms = self._dating.look()
        if moved_ms:
            self._engine.shift(moved_ms, since_ms)
            self._changed()
