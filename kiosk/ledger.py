"""What has happened already, journalled in its order; owed while the disk has no room."""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from sync.errors import JournalFull
from sync.journal import Journal
from sync.messages import DeviceData, Payload

RETRY_S = 1.0

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Note:
    event_type: str
    data: Payload
    sub: str | None


class Ledger:
    """Notes facts. A fact that cannot be journalled now is kept and tried again each second.

    What is owed stays small: no ticket is issued while anything is owed, and of a device only its
    newest state is kept.
    """

    def __init__(self, journal: Journal, appended: Callable[[], None]) -> None:
        self._journal = journal
        self._appended = appended
        self._owed: deque[_Note] = deque()
        self._retry: asyncio.TimerHandle | None = None

    @property
    def owed(self) -> int:
        """Facts that are not journalled yet."""
        return len(self._owed)

    def note(self, event_type: str, data: Payload, sub: str | None = None) -> None:
        """Journal one fact, now or as soon as there is room; ``sub`` is the ticket's id."""
        if isinstance(data, DeviceData):
            self._owed = deque(note for note in self._owed if not _is_about(note, data.device))
        self._owed.append(_Note(event_type, data, sub))
        self.pay()

    def pay(self) -> bool:
        """Journal what is owed, oldest first; False if something is still owed."""
        while self._owed:
            note = self._owed[0]
            try:
                self._journal.append(note.event_type, note.data, sub=note.sub)
            except JournalFull as error:
                log.error("journal.full", owed=len(self._owed), error=str(error))
                if self._retry is None:
                    loop = asyncio.get_running_loop()
                    self._retry = loop.call_later(RETRY_S, self._pay_again)
                return False
            self._owed.popleft()
            self._appended()
        return True

    def close(self) -> None:
        """Try once more, then stop trying."""
        self.pay()
        if self._retry is not None:
            self._retry.cancel()

    def _pay_again(self) -> None:
        self._retry = None
        self.pay()


def _is_about(note: _Note, device: str) -> bool:
    return isinstance(note.data, DeviceData) and note.data.device == device
