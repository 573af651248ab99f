"""Journals each jump of the machine's wall clock, once, also over a restart of the program."""

from collections import deque
from collections.abc import Callable

import structlog

from sync.clock import Clock
from sync.errors import JournalFull
from sync.journal import Journal
from sync.messages import ClockJumpedData

MARK = "wall_offset"
"""In the journal: boot, and wall clock less the boot's count when it was last journalled (ms)."""

log = structlog.get_logger()


class ClockWatch:
    """Looks when it is told to. ``appended`` is told that the journal has grown."""

    def __init__(self, clock: Clock, journal: Journal, appended: Callable[[], None]) -> None:
        self._clock = clock
        self._journal = journal
        self._appended = appended
        self._owed: deque[ClockJumpedData] = deque()
        boot, _, offset = journal.mark(MARK, "").partition(" ")
        self._marked = boot == clock.boot
        if self._marked and clock.keeper is not None:
            clock.keeper.resume(int(offset))

    def look(self) -> None:
        """Look at the wall clock; what cannot be journalled now is tried again at the next
        look.
        """
        jump = self._clock.jumped()
        if jump is not None:
            log.warning("clock.jumped", before_ms=jump.before_ms, after_ms=jump.after_ms)
            self._owed.append(jump)
        offset_ms = self._clock.wall_offset_ms()
        if offset_ms is None or (self._marked and not self._owed):
            return
        try:
            with self._journal.transaction() as transaction:
                for owed in self._owed:
                    transaction.append("clock.jumped", owed)
                transaction.set_mark(MARK, f"{self._clock.boot} {offset_ms}")
        except JournalFull:
            return
        self._marked = True
        if self._owed:
            self._owed.clear()
            self._appended()
