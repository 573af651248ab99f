"""Calls for help from the kiosks, until somebody of the staff has answered them. Pure.

A kiosk has one call at a time: pressing again while nobody has come changes nothing. One that was
answered can be taken back for UNDO_MS, or until that kiosk calls again.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from branch.alert_book import HELP, AlertBook
from branch.queue import QueueTicket
from sync.alerts import AlertData
from sync.messages import AssistanceRequested

UNDO_MS = 10 * 60_000
FORGOTTEN_MS = 60 * 60_000
"""Nobody stands at a kiosk for so long: a call that nobody answered is over, and one that arrives
so late is none.
"""


@dataclass(slots=True)
class HelpCalls:
    """The call of each kiosk."""

    _calls: dict[str, AlertData] = field(default_factory=dict)

    def note(
        self, event: AssistanceRequested, at: int, ticket: QueueTicket | None, book: AlertBook
    ) -> None:
        """A kiosk calls; ``at`` is when (Unix ms), ``ticket`` whose visit it is about."""
        current = self._calls.get(event.src)
        if current is not None and current.breach not in book.seen:
            return
        self._calls[event.src] = AlertData(
            kind=HELP,
            breach=f"{HELP}:{event.id}",
            since_ms=at,
            node=event.src,
            counter=event.data.counter,
            ticket=ticket.id if ticket else "",
            number=ticket.number if ticket else "",
            service=ticket.service if ticket else "",
            detail=event.data.place,
        )

    def wanted(self, book: AlertBook, now_ms: int) -> Iterator[AlertData]:
        """The calls that somebody has to answer, or could take back."""
        for node, call in list(self._calls.items()):
            answered = book.seen.get(call.breach)
            if answered is not None:
                over = now_ms - answered.cleared_ms > UNDO_MS
            else:
                over = now_ms - call.since_ms > FORGOTTEN_MS
            if over:
                del self._calls[node]
            else:
                yield call
