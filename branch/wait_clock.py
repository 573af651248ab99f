"""The wait clock: what a ticket's wait is forecast to be, for the displays and for the ledger.

The forecast of a ticket is written in the transaction that accepts its issue, so no ticket is
without one, and it is scored against what the ticket then waits.
"""

from collections.abc import Sequence
from typing import Any

import structlog

from branch.config import BranchConfig
from branch.estimate import round_outward
from branch.experience import Experience
from branch.queue import Engine, QueueTicket
from branch.queue.discipline import MS_PER_MIN
from branch.tables import SEGMENT_LENGTH
from branch.wait import Forecast, Rung, Stream, forecast
from sync.clock import Clock
from sync.messages import AnyEvent, ServiceEnded, TicketIssued, UnknownEvent

LATE_MS = 60_000
"""A ticket that is heard of so long after its issue gets no forecast: it has waited already."""

_Known = tuple[dict[str, float], list[Stream]]
"""Mean service times, and who is still to come: the same for a whole burst."""

log = structlog.get_logger()


class WaitClock:
    """Reads the engine and learns from what it has taken; changes nothing."""

    def __init__(self, config: BranchConfig, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock
        self._experience = Experience({s.letter: s.mean_service_s * 1000 for s in config.services})

    def note(self, event: AnyEvent | UnknownEvent) -> None:
        """An event that the queue has taken."""
        if isinstance(event, TicketIssued):
            at_ms = self._engine.at(event)
            self._experience.issued(event.data.service, event.data.segment, at_ms)
        elif isinstance(event, ServiceEnded):
            ticket = self._engine.tickets[event.sub or ""]
            self._experience.served(ticket.service, event.data.service_ms)

    def now(self, letters: Sequence[str]) -> dict[str, Forecast]:
        """The forecast for a ticket of each service that is issued now, of its usual segment."""
        now_ms = self._clock.wall_ms()
        known = self._known(now_ms)
        found: dict[str, Forecast] = {}
        for letter in letters:
            segment = self._experience.usual_segment(letter, now_ms)
            ticket = QueueTicket("now", "now", letter, segment, (now_ms, "~", 0))
            found[letter] = self._forecast(ticket, now_ms, (), known)
        return found

    def left_min(self, ticket: QueueTicket) -> tuple[int, int] | None:
        """What is left to wait for a ticket in line, as things are now: minutes, rounded outward;
        None where that is unknown.
        """
        now_ms = self._clock.wall_ms()
        found = self._forecast(ticket, now_ms, (), self._known(now_ms))
        if found.p10_ms is None or found.p90_ms is None:
            return None
        lag_ms = now_ms - ticket.issued_at
        low_min, high_min = round_outward(
            (found.p10_ms - lag_ms) / MS_PER_MIN, (found.p90_ms - lag_ms) / MS_PER_MIN
        )
        return low_min, max(high_min, 1)

    def rows(self, events: Sequence[AnyEvent | UnknownEvent]) -> list[dict[str, Any]]:
        """Rows of the table ``wait_forecast`` for the tickets that ``events``, not yet in the
        queue, issue. A forecast that fails is unknown and logged: the ticket is accepted.
        """
        rows: list[dict[str, Any]] = []
        before: list[TicketIssued] = []
        now_ms = self._clock.wall_ms()
        known: _Known | None = None
        for event in events:
            if not isinstance(event, TicketIssued) or event.data.counter:
                continue
            known = known or self._known(now_ms)
            rows.append(_row(event, self._of(event, before, now_ms, known)))
            before.append(event)
        return rows

    def _of(
        self, event: TicketIssued, before: Sequence[TicketIssued], now_ms: int, known: _Known
    ) -> Forecast:
        try:
            ticket = self._engine.ticket_of(event)
            if now_ms - ticket.issued_at > LATE_MS:
                return Forecast(Rung.LATE)
            also = [self._engine.ticket_of(one) for one in before]
            return self._forecast(ticket, now_ms, also, known)
        except Exception:
            log.exception("wait.not_forecast", node=event.src, seq=event.seq)
            return Forecast(Rung.UNKNOWN)

    def _known(self, now_ms: int) -> _Known:
        return self._experience.mean_ms(), self._experience.streams(now_ms)

    def _forecast(
        self, ticket: QueueTicket, now_ms: int, also: Sequence[QueueTicket], known: _Known
    ) -> Forecast:
        mean_ms, streams = known
        return forecast(self._engine, ticket, now_ms, mean_ms, also=also, streams=streams)


def _row(event: TicketIssued, found: Forecast) -> dict[str, Any]:
    return {
        "ticket": event.id,
        "service": event.data.service,
        "segment": event.data.segment[:SEGMENT_LENGTH],
        "rung": found.rung.value,
        "ahead": found.ahead,
        "p10_ms": found.p10_ms,
        "p50_ms": found.p50_ms,
        "p90_ms": found.p90_ms,
    }
