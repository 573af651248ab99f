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
ImpossibleEvent, and so does an event that names another counter than the ticket's. Events that the
queue does not know are ignored.
"""

import bisect
from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from branch.queue.discipline import Discipline
from branch.queue.ticket import Counter, QueueTicket, TicketPhase
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
REMEMBERED_FINISHED = 10_000
"""Finished tickets kept: several days of a branch, for late paper news and for those who ask."""

_PAPER_NEWS = (TicketPrinted, TicketPrintFailed)
_COMMANDED = (TicketCalled, TicketRecalled, ServiceStarted, TicketMissed, ServiceEnded)
"""Events that a teller's command made: they carry its counter and its idempotency key."""


class ImpossibleEvent(Exception):
    """An event that the ticket's phase or the counter's state cannot meet."""


_LineKey = tuple[str, str]
_CommandKey = tuple[str, int, str]


@dataclass(slots=True)
class Engine:
    """``lines`` hold waiting tickets per (service, segment), in order; a head of a line is all
    that can be next. ``keys`` are the commands done, by (event type, counter, idempotency key).
    """

    counters: dict[int, Counter]
    discipline: Discipline = field(default_factory=Discipline)
    tickets: dict[str, QueueTicket] = field(default_factory=dict)
    lines: dict[_LineKey, list[QueueTicket]] = field(default_factory=dict)
    keys: OrderedDict[_CommandKey, str] = field(default_factory=OrderedDict)
    finished: deque[str] = field(default_factory=deque)

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

    def done(self, event_type: str, counter: int, key: str) -> bool:
        """Whether the command ``key`` of this counter has made its event already. The same key
        for another command or at another counter is another intent.
        """
        return (event_type, counter, key) in self.keys

    def check(self, event: AnyEvent | UnknownEvent) -> None:
        """Raise ImpossibleEvent if ``event`` does not fit the state; changes nothing."""
        match event:
            case TicketIssued(data=data):
                if event.id in self.tickets:
                    raise ImpossibleEvent(f"ticket {data.number} ({event.id}) issued twice")
            case TicketPrinted() | TicketPrintFailed():
                self._ticket(event)
            case TicketVoided():
                self._expect(event, TicketPhase.ISSUED, TicketPhase.WAITING)
            case TicketAbandoned():
                self._expect(event, TicketPhase.WAITING)
            case TicketCalled(data=called):
                ticket = self._expect(event, TicketPhase.WAITING)
                counter = self.counters.get(called.counter)
                if counter is None:
                    raise ImpossibleEvent(f"counter {called.counter} is not configured")
                if counter.ticket is not None:
                    raise ImpossibleEvent(
                        f"counter {counter.number} has {counter.ticket.number},"
                        f" cannot call {ticket.number}"
                    )
            case TicketRecalled(data=at) | ServiceStarted(data=at) | TicketMissed(data=at):
                self._expect_at(at.counter, self._expect(event, TicketPhase.CALLED), event)
            case ServiceEnded(data=ended):
                ticket = self._expect(event, TicketPhase.CALLED, TicketPhase.SERVING)
                self._expect_at(ended.counter, ticket, event)
            case _:
                pass

    def apply(self, event: AnyEvent | UnknownEvent) -> None:
        """Fold one event. Raises ImpossibleEvent; the state is then unchanged."""
        self.check(event)
        if isinstance(event, TicketIssued):
            self.tickets[event.id] = QueueTicket(
                event.id,
                event.data.number,
                event.data.service,
                event.data.segment,
                (event.ts, event.src, event.seq),
            )
            return
        ticket = self.tickets.get(event.sub or "")
        if ticket is None:
            return
        if isinstance(event, _PAPER_NEWS):
            if ticket.phase is TicketPhase.ISSUED:
                self._join_line(ticket)
        elif isinstance(event, TicketVoided):
            self._end(ticket, TicketPhase.VOIDED, event.ts)
        elif isinstance(event, TicketAbandoned):
            self._end(ticket, TicketPhase.ABANDONED, event.ts)
        elif isinstance(event, _COMMANDED):
            self._carry_out(event, ticket)
            self._remember(event)

    def rebuild(
        self, events: Iterable[AnyEvent | UnknownEvent]
    ) -> Iterator[tuple[AnyEvent | UnknownEvent, ImpossibleEvent | None]]:
        """Fold a ledger, yielding each event and why it was refused, if it was; exhaust it.

        The ledger may speak of counters that the configuration has no longer: what happened there
        is folded as it was, and a ticket still there at the end is back in its place of the line.
        """
        configured = set(self.counters)
        for event in events:
            if isinstance(event, TicketCalled):
                number = event.data.counter
                self.counters.setdefault(number, Counter(number, ()))
                ticket = self.tickets.get(event.sub or "")
                if ticket is not None and ticket.counter not in configured:
                    self._return_to_line(ticket)
            try:
                self.apply(event)
            except ImpossibleEvent as error:
                yield event, error
            else:
                yield event, None
        for number in set(self.counters) - configured:
            ticket = self.counters[number].ticket
            if ticket is not None:
                self._return_to_line(ticket)
            del self.counters[number]

    def _carry_out(
        self,
        event: TicketCalled | TicketRecalled | ServiceStarted | TicketMissed | ServiceEnded,
        ticket: QueueTicket,
    ) -> None:
        counter = self.counters[event.data.counter]
        match event:
            case TicketCalled():
                self._leave_line(ticket)
                ticket.phase, ticket.counter = TicketPhase.CALLED, counter.number
                ticket.calls, ticket.called_at = 1, event.ts
                counter.ticket, counter.since = ticket, event.ts
            case TicketRecalled():
                ticket.calls += 1
            case ServiceStarted():
                ticket.phase, ticket.started_at = TicketPhase.SERVING, event.ts
                counter.since = event.ts
            case TicketMissed():
                self._end(ticket, TicketPhase.MISSED, event.ts)
            case _:
                self._end(ticket, TicketPhase.DONE, event.ts)

    def _join_line(self, ticket: QueueTicket) -> None:
        ticket.phase = TicketPhase.WAITING
        line = self.lines.setdefault((ticket.service, ticket.segment), [])
        bisect.insort(line, ticket, key=lambda t: t.order)

    def _leave_line(self, ticket: QueueTicket) -> None:
        if ticket.phase is TicketPhase.WAITING:
            name = (ticket.service, ticket.segment)
            self.lines[name].remove(ticket)
            if not self.lines[name]:
                del self.lines[name]

    def _return_to_line(self, ticket: QueueTicket) -> None:
        """Undo the call of a ticket whose counter is gone."""
        if ticket.phase in (TicketPhase.CALLED, TicketPhase.SERVING):
            self.counters[ticket.counter or 0].ticket = None
            ticket.counter = ticket.called_at = ticket.started_at = None
            ticket.calls = 0
            self._join_line(ticket)

    def _end(self, ticket: QueueTicket, phase: TicketPhase, at: int) -> None:
        """The ticket leaves its line or frees its counter; only so many of these are kept."""
        self._leave_line(ticket)
        if ticket.phase in (TicketPhase.CALLED, TicketPhase.SERVING):
            counter = self.counters[ticket.counter or 0]
            counter.ticket, counter.since = None, at
        ticket.phase = phase
        self.finished.append(ticket.id)
        while len(self.finished) > REMEMBERED_FINISHED:
            del self.tickets[self.finished.popleft()]

    def _ticket(self, event: AnyEvent) -> QueueTicket:
        ticket = self.tickets.get(event.sub or "")
        if ticket is None:
            raise ImpossibleEvent(
                f"{type(event).__name__} about a ticket never issued, or long ended: {event.sub}"
            )
        return ticket

    def _expect(self, event: AnyEvent, *phases: TicketPhase) -> QueueTicket:
        ticket = self._ticket(event)
        if ticket.phase not in phases:
            raise ImpossibleEvent(
                f"{type(event).__name__}: {ticket.number} is {ticket.phase.value}"
            )
        return ticket

    @staticmethod
    def _expect_at(counter: int, ticket: QueueTicket, event: AnyEvent) -> None:
        if ticket.counter != counter:
            raise ImpossibleEvent(
                f"{type(event).__name__}: {ticket.number} is at counter {ticket.counter},"
                f" not {counter}"
            )

    def _remember(
        self, event: TicketCalled | TicketRecalled | ServiceStarted | TicketMissed | ServiceEnded
    ) -> None:
        name = str(event.__struct_config__.tag)
        self.keys[name, event.data.counter, event.data.key] = event.id
        while len(self.keys) > REMEMBERED_KEYS:
            self.keys.popitem(last=False)
