"""The queue as a fold of events: the server, the replay and the estimate apply the same ones.

    phase     event                       next
    -         ticket.issued               ISSUED    reserved: nobody holds it yet, nobody is called
    by it
    ISSUED    ticket.printed              WAITING   by its time of issue
    ISSUED    ticket.print_failed         WAITING   the number is on the screen
    ISSUED    ticket.voided               VOIDED
    WAITING   ticket.voided               VOIDED
    WAITING   ticket.called               CALLED    at a free counter
    WAITING   ticket.abandoned            ABANDONED
    CALLED    ticket.recalled             CALLED
    CALLED    ticket.missed               MISSED
    CALLED    service.started             SERVING
    CALLED    service.ended               DONE      (a teller may finish without "start")
    SERVING   service.ended               DONE

Paper news about a ticket past WAITING changes nothing (a slip may come out late); every other pair
raises
ImpossibleEvent. Events that the queue does not know are ignored.
"""

import bisect
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum

from branch.queue.discipline import Discipline
from sync.messages import (
    AnyEvent,
    ServiceEnded,
    ServiceStarted,
    TicketAbandoned,
    TicketCalled,
    TicketIssued,
    TicketMissed,
    TicketPrinted,
    TicketPrintFailed,
    TicketRecalled,
    TicketVoided,
    UnknownEvent,
)

REMEMBERED_KEYS = 10_000
"""Idempotency keys kept: more than a branch's commands of one day."""


class ImpossibleEvent(Exception):
    """An event that the ticket's phase or the counter's state cannot meet."""


class TicketPhase(Enum):
    """Where a ticket is."""

    ISSUED = "issued"
    WAITING = "waiting"
    CALLED = "called"
    SERVING = "serving"
    DONE = "done"
    MISSED = "missed"
    VOIDED = "voided"
    ABANDONED = "abandoned"


@dataclass(slots=True)
class QueueTicket:
    """One ticket; ``order`` is (issue time, node, sequence number): no two are equal."""

    id: str
    number: str
    service: str
    segment: str
    order: tuple[int, str, int]
    phase: TicketPhase = TicketPhase.ISSUED
    counter: int | None = None
    calls: int = 0
    called_at: int | None = None
    started_at: int | None = None

    @property
    def issued_at(self) -> int:
        """Unix time of issue, ms."""
        return self.order[0]


@dataclass(slots=True)
class Counter:
    """One counter: the services it serves and the ticket it has."""

    number: int
    services: tuple[str, ...]
    ticket: QueueTicket | None = None
    since: int = 0  # Unix ms: when the present state began


_LineKey = tuple[str, str]


@dataclass(slots=True)
class Engine:
    """``lines`` hold waiting tickets per (service, segment), in order; a head of a line is all
    that can be next.
    """

    counters: dict[int, Counter]
    discipline: Discipline = field(default_factory=Discipline)
    tickets: dict[str, QueueTicket] = field(default_factory=dict)
    lines: dict[_LineKey, list[QueueTicket]] = field(default_factory=dict)
    keys: OrderedDict[str, str] = field(default_factory=OrderedDict)

    @classmethod
    def of(
        cls, counters: Iterable[tuple[int, tuple[str, ...]]], discipline: Discipline | None = None
    ) -> "Engine":
        """An empty engine for these (counter, services)."""
        table = {number: Counter(number, services) for number, services in counters}
        return cls(table, discipline or Discipline())

    def next_for(self, counter: int, now_ms: int) -> QueueTicket | None:
        """The ticket to call at ``counter``: highest score, ties by order; None when nobody waits
        for it.
        """
        services = self.counters[counter].services
        heads = [
            line[0] for (service, _), line in self.lines.items() if line and service in services
        ]
        if not heads:
            return None
        return min(
            heads, key=lambda t: (-self.discipline.score(t.segment, now_ms - t.issued_at), t.order)
        )

    def up_next(self, counter: int, now_ms: int, limit: int) -> list[QueueTicket]:
        """The first ``limit`` tickets that ``counter`` may call, best first, as things stand
        now.
        """
        waiting = [
            ticket
            for (service, _), line in self.lines.items()
            if service in self.counters[counter].services
            for ticket in line[:limit]
        ]
        score = self.discipline.score
        waiting.sort(key=lambda t: (-score(t.segment, now_ms - t.issued_at), t.order))
        return waiting[:limit]

    def waiting(self, services: Iterable[str]) -> int:
        """How many wait for any of ``services``."""
        wanted = set(services)
        return sum(len(line) for (service, _), line in self.lines.items() if service in wanted)

    def apply(self, event: AnyEvent | UnknownEvent) -> None:
        """Fold one event. Raises ImpossibleEvent; the state is then unchanged."""
        match event:
            case TicketIssued(data=data):
                if event.id in self.tickets:
                    raise ImpossibleEvent(f"ticket {data.number} ({event.id}) issued twice")
                self.tickets[event.id] = QueueTicket(
                    event.id,
                    data.number,
                    data.service,
                    data.segment,
                    (event.ts, event.src, event.seq),
                )
            case TicketPrinted() | TicketPrintFailed():
                ticket = self._ticket(event)
                if ticket.phase is TicketPhase.ISSUED:
                    ticket.phase = TicketPhase.WAITING
                    line = self.lines.setdefault((ticket.service, ticket.segment), [])
                    bisect.insort(line, ticket, key=lambda t: t.order)
            case TicketVoided():
                ticket = self._ticket(event)
                self._expect(ticket, event, TicketPhase.ISSUED, TicketPhase.WAITING)
                self._leave_line(ticket)
                ticket.phase = TicketPhase.VOIDED
            case TicketAbandoned():
                ticket = self._ticket(event)
                self._expect(ticket, event, TicketPhase.WAITING)
                self._leave_line(ticket)
                ticket.phase = TicketPhase.ABANDONED
            case TicketCalled(data=called):
                self._call(event, self._ticket(event), self._counter(called.counter))
                self._remember(called.key, event.id)
            case TicketRecalled(data=data):
                ticket = self._ticket(event)
                self._expect(ticket, event, TicketPhase.CALLED)
                ticket.calls += 1
                self._remember(data.key, event.id)
            case ServiceStarted(data=data):
                ticket = self._ticket(event)
                self._expect(ticket, event, TicketPhase.CALLED)
                ticket.phase, ticket.started_at = TicketPhase.SERVING, event.ts
                self._counter(data.counter).since = event.ts
                self._remember(data.key, event.id)
            case TicketMissed(data=data):
                ticket = self._ticket(event)
                self._expect(ticket, event, TicketPhase.CALLED)
                self._free(ticket, TicketPhase.MISSED, event.ts)
                self._remember(data.key, event.id)
            case ServiceEnded(data=ended):
                ticket = self._ticket(event)
                self._expect(ticket, event, TicketPhase.CALLED, TicketPhase.SERVING)
                self._free(ticket, TicketPhase.DONE, event.ts)
                self._remember(ended.key, event.id)
            case _:
                pass

    def _call(self, event: TicketCalled, ticket: QueueTicket, counter: Counter) -> None:
        self._expect(ticket, event, TicketPhase.WAITING)
        if counter.ticket is not None:
            raise ImpossibleEvent(
                f"counter {counter.number} has {counter.ticket.number},"
                f" cannot call {ticket.number}"
            )
        self._leave_line(ticket)
        ticket.phase, ticket.counter = TicketPhase.CALLED, counter.number
        ticket.calls, ticket.called_at = 1, event.ts
        counter.ticket, counter.since = ticket, event.ts

    def _free(self, ticket: QueueTicket, phase: TicketPhase, at: int) -> None:
        ticket.phase = phase
        counter = self.counters[ticket.counter or 0]
        counter.ticket, counter.since = None, at

    def _leave_line(self, ticket: QueueTicket) -> None:
        if ticket.phase is TicketPhase.WAITING:
            self.lines[ticket.service, ticket.segment].remove(ticket)

    def _ticket(self, event: AnyEvent) -> QueueTicket:
        ticket = self.tickets.get(event.sub or "")
        if ticket is None:
            raise ImpossibleEvent(
                f"{type(event).__name__} about a ticket never issued: {event.sub}"
            )
        return ticket

    def _counter(self, number: int) -> Counter:
        counter = self.counters.get(number)
        if counter is None:
            raise ImpossibleEvent(f"counter {number} is not configured")
        return counter

    @staticmethod
    def _expect(ticket: QueueTicket, event: AnyEvent, *phases: TicketPhase) -> None:
        if ticket.phase not in phases:
            raise ImpossibleEvent(
                f"{type(event).__name__}: {ticket.number} is {ticket.phase.value}"
            )

    def _remember(self, key: str, event_id: str) -> None:
        self.keys[key] = event_id
        while len(self.keys) > REMEMBERED_KEYS:
            self.keys.popitem(last=False)
