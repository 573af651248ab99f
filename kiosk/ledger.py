"""What has happened already, journalled in its order; owed while the disk has no room."""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from kiosk.paper import TicketPaper
from sync.errors import JournalFull
from sync.journal import Journal
from sync.journal_space import is_essential
from sync.messages import DeviceData, Payload

RETRY_S = 1.0

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Note:
    event_type: str
    data: Payload
    sub: str | None
    paper: TicketPaper | None


@dataclass(frozen=True, slots=True)
class _Mark:
    ticket: str
    paper: TicketPaper


class Ledger:
    """Notes facts. A fact that cannot be journalled now is kept and tried again each second.

    What is owed stays small: no ticket is issued while a ticket's fact is owed, and of a device
    only its newest state is kept.
    """

    def __init__(self, journal: Journal, appended: Callable[[], None]) -> None:
        self._journal = journal
        self._appended = appended
        self._owed: deque[_Note | _Mark] = deque()
        self._retry: asyncio.TimerHandle | None = None

    @property
    def owed(self) -> int:
        """Facts that are not journalled yet."""
        return len(self._owed)

    def note(
        self,
        event_type: str,
        data: Payload,
        sub: str | None = None,
        *,
        paper: TicketPaper | None = None,
    ) -> None:
        """Journal one fact, now or as soon as there is room; ``sub`` is the ticket's id and
        ``paper`` what is known of its paper with it: both become durable together.
        """
        if isinstance(data, DeviceData):
            self._owed = deque(note for note in self._owed if not _is_about(note, data.device))
        self._owed.append(_Note(event_type, data, sub, paper))
        self.pay()

    def keep_paper(self, ticket: str, paper: TicketPaper) -> None:
        """Keep what is known of a ticket's paper where no event tells it, behind what is owed."""
        self._owed.append(_Mark(ticket, paper))
        self.pay()

    def pay(self) -> bool:
        """Journal what is owed, oldest first; False if a ticket's fact is still owed. What is not
        about a ticket holds up nobody: it may find no room where tickets still do.
        """
        waiting: deque[_Note | _Mark] = deque()
        while self._owed:
            note = self._owed[0]
            try:
                self._write(note)
            except JournalFull as error:
                log.error("journal.full", owed=len(self._owed), error=str(error))
                if self._retry is None:
                    loop = asyncio.get_running_loop()
                    self._retry = loop.call_later(RETRY_S, self._pay_again)
                if _is_essential(note):
                    break
                waiting.append(self._owed.popleft())
                continue
            self._owed.popleft()
            if isinstance(note, _Note):
                self._appended()
        paid = not self._owed
        self._owed.extendleft(reversed(waiting))
        return paid

    def _write(self, note: _Note | _Mark) -> None:
        with self._journal.transaction() as transaction:
            ticket = note.ticket if isinstance(note, _Mark) else note.sub
            if isinstance(note, _Note):
                transaction.append(note.event_type, note.data, sub=note.sub)
            if note.paper is not None and ticket is not None:
                transaction.keep_paper(ticket, note.paper.state.value, note.paper.attempt)

    def close(self) -> None:
        """Try once more, then stop trying."""
        self.pay()
        if self._retry is not None:
            self._retry.cancel()

    def _pay_again(self) -> None:
        self._retry = None
        self.pay()


def _is_essential(note: _Note | _Mark) -> bool:
    return isinstance(note, _Mark) or is_essential(note.event_type)


def _is_about(note: _Note | _Mark, device: str) -> bool:
    return (
        isinstance(note, _Note)
        and isinstance(note.data, DeviceData)
        and note.data.device == device
    )
