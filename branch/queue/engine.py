"""The queue as a fold of events: the server, the replay and the forecast of the wait apply the
same ones.

The engine is only state and what one event makes of it: which events are possible stands in
``transitions`` (tickets) and ``counter`` (counters), who is next in ``selection``. Events that the
queue does not know are ignored.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field

from branch.queue.counter import Counter, CounterState
from branch.queue.discipline import KEPT_MS, Discipline
from branch.queue.errors import ImpossibleEvent
from branch.queue.lines import Lines
from branch.queue.memory import Memory
from branch.queue.selection import Choice, Reason, Selection, Turns
from branch.queue.ticket import AT_COUNTER, ENDED, LineKey, QueueTicket, TicketPhase
from branch.queue.transitions import phase_after
from sync.messages import (
    AnyEvent,
    CounterClosed,
    CounterOpened,
    CounterPaused,
    Event,
    ServiceEnded,
    ServiceStarted,
    TicketAbandoned,
    TicketCalled,
    TicketIssued,
    TicketMissed,
    TicketParked,
    TicketPrinted,
    TicketPrintFailed,
    TicketRecalled,
    TicketRejoined,
    TicketReturned,
    TicketTagged,
    TicketTransferred,
    TicketUnparked,
    TicketVoided,
    UnknownEvent,
)

_ABOUT_COUNTERS = (CounterOpened, CounterPaused, CounterClosed)
_ABOUT_TICKETS = (
    TicketPrinted, TicketPrintFailed, TicketVoided, TicketAbandoned, TicketCalled, TicketRecalled,
    ServiceStarted, TicketMissed, ServiceEnded, TicketParked, TicketUnparked, TicketTransferred,
    TicketReturned, TicketRejoined, TicketTagged,
)  # fmt: skip
_FREES = (TicketMissed, ServiceEnded, TicketParked, TicketTransferred, TicketReturned)
"""Events that take the ticket from its counter."""


def by_own_clock(event: Event) -> int:
    """When an event happened, as its device knew (Unix ms)."""
    return event.ts


@dataclass(slots=True)
class Engine:
    """``at`` dates an event (Unix ms), all of them in one scale. ``cash`` are the services that
    only a cash counter may serve. ``parked`` are the tickets that were set aside.
    """

    counters: dict[int, Counter]
    discipline: Discipline = field(default_factory=Discipline)
    cash: frozenset[str] = frozenset()
    tickets: dict[str, QueueTicket] = field(default_factory=dict)
    lines: Lines = field(default_factory=Lines)
    parked: dict[str, QueueTicket] = field(default_factory=dict)
    turns: Turns = field(default_factory=Turns)
    memory: Memory = field(default_factory=Memory)
    at: Callable[[Event], int] = field(default=by_own_clock, compare=False, repr=False)

    @classmethod
    def of(
        cls, counters: Iterable[tuple[int, tuple[str, ...]]], discipline: Discipline | None = None
    ) -> "Engine":
        """An empty engine for these (counter, services)."""
        table = {number: Counter(number, services) for number, services in counters}
        return cls(table, discipline or Discipline())

    @property
    def selection(self) -> Selection:
        """Who is next, as things stand."""
        return Selection(self.lines, self.counters, self.discipline, self.turns, self.cash)

    def choose(self, counter: int, now_ms: int) -> Choice | None:
        """Whom ``counter`` calls now and why; None when nobody waits for it."""
        return self.selection.choose(counter, now_ms)

    def next_for(self, counter: int, now_ms: int) -> QueueTicket | None:
        """The ticket to call at ``counter``; None when nobody waits for it."""
        choice = self.choose(counter, now_ms)
        return choice.ticket if choice else None

    def up_next(self, counter: int, now_ms: int, limit: int) -> list[QueueTicket]:
        """The first ``limit`` tickets that ``counter`` may call, best first, as things stand
        now.
        """
        return self.selection.up_next(counter, now_ms, limit)

    def waiting(self, services: Collection[str]) -> int:
        """How many wait for any of ``services``."""
        return self.lines.waiting(services)

    def waiting_from_ms(self, ticket: QueueTicket) -> int:
        """From when on (Unix ms) figures and standards count the ticket's wait: its issue or its
        slot, and what it was served since then does not count. Its place may count from earlier.
        """
        return self.discipline.not_before_slot(ticket, ticket.issued_at) + ticket.served_ms

    def due(self, now_ms: int) -> list[QueueTicket]:
        """Parked tickets whose time is over, the longest over first."""
        found = [t for t in self.parked.values() if t.due_at and t.due_at <= now_ms]
        return sorted(found, key=lambda t: (t.due_at, t.order))

    def line_of(self, ticket: QueueTicket) -> LineKey:
        """The line that the ticket waits in, if it waits."""
        return (ticket.service, self.discipline.class_of(ticket), ticket.held_for)

    def done(self, event_type: str, counter: int, key: str) -> bool:
        """Whether the command ``key`` of this counter has made its event already. The same key
        for another command or at another counter is another intent.
        """
        return self.memory.done(event_type, counter, key)

    def check(self, event: AnyEvent | UnknownEvent) -> None:
        """Raise ImpossibleEvent if ``event`` does not fit the state; changes nothing."""
        self._possible(event)
        match event:
            case TicketCalled(data=called):
                self._fits(called.counter, self._ticket(event).service)
            case TicketIssued(data=issued) if issued.counter:
                self._fits(issued.counter, issued.service)
            case _:
                pass

    def apply(self, event: AnyEvent | UnknownEvent) -> None:
        """Fold one event. Raises ImpossibleEvent; the state is then unchanged."""
        self.check(event)
        self._fold(event)

    def replay(self, event: AnyEvent | UnknownEvent) -> None:
        """Fold an event of the ledger: it fitted the configuration of its day. Raises
        ImpossibleEvent.
        """
        self._possible(event)
        self._fold(event)

    def redate(self, issued_at: Mapping[str, int]) -> None:
        """Tickets were issued at another time than was known: ticket id -> Unix ms. Those that
        wait take the place that belongs to it.
        """
        for ticket_id, at in issued_at.items():
            ticket = self.tickets.get(ticket_id)
            if ticket is None:
                continue
            self.lines.leave(ticket)
            ticket.order = (at, *ticket.order[1:])
            ticket.place = self.discipline.place(ticket)
            if ticket.wanted_ms:
                ticket.held_until = at + ticket.wanted_ms
            if ticket.phase is TicketPhase.WAITING:
                self._wait(ticket)

    def shift(self, delta_ms: int, since_ms: int) -> None:
        """What was dated from ``since_ms`` on was ``delta_ms`` later than that."""

        def moved(at: int) -> int:
            return at if at < since_ms else at + delta_ms

        for ticket in self.tickets.values():
            if ticket.called_at is not None:
                ticket.called_at = moved(ticket.called_at)
            if ticket.started_at is not None:
                ticket.started_at = moved(ticket.started_at)
            ticket.called_last_at, ticket.missed_at = (
                moved(ticket.called_last_at), moved(ticket.missed_at),
            )  # fmt: skip
            ticket.held_until, ticket.due_at = moved(ticket.held_until), moved(ticket.due_at)
            ticket.came_back_at = moved(ticket.came_back_at)
        for counter in self.counters.values():
            counter.since = moved(counter.since)
        issued = {ticket.id: ticket.issued_at for ticket in self.tickets.values()}
        self.redate({k: at + delta_ms for k, at in issued.items() if at >= since_ms})

    def return_to_line(self, ticket: QueueTicket) -> None:
        """Undo the call of a ticket whose counter is gone."""
        self.counters[ticket.counter or 0].ticket = None
        ticket.counter = ticket.called_at = ticket.started_at = None
        ticket.calls, ticket.reason = 0, ""
        self._wait(ticket)

    # --- what is possible -------------------------------------------------------------------

    def _possible(self, event: AnyEvent | UnknownEvent) -> None:
        if isinstance(event, TicketIssued):
            if event.id in self.tickets:
                raise ImpossibleEvent(f"ticket {event.data.number} ({event.id}) issued twice")
            if event.data.counter:
                self._free(event.data.counter, event.data.number)
        elif isinstance(event, _ABOUT_COUNTERS):
            self._counter(event.data.counter).after(event)
        elif isinstance(event, _ABOUT_TICKETS):
            ticket = self._ticket(event)
            phase_after(ticket, event)
            if isinstance(event, TicketCalled):
                self._free(event.data.counter, ticket.number)

    def _fits(self, number: int, service: str) -> None:
        """What the configuration says; a ledger may be of a time when it said something else."""
        counter = self.counters[number]
        if counter.state is not CounterState.OPEN:
            raise ImpossibleEvent(f"counter {number} is {counter.state.value}")
        if service in self.cash and not counter.cash:
            raise ImpossibleEvent(f"counter {number} has no cash; {service} needs it")

    def _free(self, number: int, ticket: str) -> None:
        counter = self._counter(number)
        if counter.ticket is not None:
            raise ImpossibleEvent(
                f"counter {number} has {counter.ticket.number}, cannot call {ticket}"
            )

    def _counter(self, number: int) -> Counter:
        counter = self.counters.get(number)
        if counter is None:
            raise ImpossibleEvent(f"counter {number} is not configured")
        return counter

    def _ticket(self, event: AnyEvent) -> QueueTicket:
        ticket = self.tickets.get(event.sub or "")
        if ticket is None:
            raise ImpossibleEvent(
                f"{type(event).__name__} about a ticket never issued, or long ended: {event.sub}"
            )
        return ticket

    # --- what an event makes of it ------------------------------------------------------------

    def _fold(self, event: AnyEvent | UnknownEvent) -> None:
        if isinstance(event, TicketIssued):
            self._issue(event)
        elif isinstance(event, _ABOUT_COUNTERS):
            counter = self.counters[event.data.counter]
            counter.state = counter.after(event)
            counter.teller = event.data.teller if isinstance(event, CounterOpened) else (
                counter.teller if counter.staffed else ""
            )  # fmt: skip
            self._turn(counter, self.at(event) if counter.ticket is None else counter.since)
        elif isinstance(event, _ABOUT_TICKETS):
            self._move(event, self.tickets[event.sub or ""])
        else:
            return
        self._remember(event)

    def ticket_of(self, event: TicketIssued) -> QueueTicket:
        """The ticket that the event issues, not in the queue."""
        data, at = event.data, self.at(event)
        ticket = QueueTicket(
            event.id,
            data.number,
            data.service,
            data.segment,
            (at, event.src, event.seq),
            appointment_at=data.appointment_ms,
            waited_ms=min(max(data.waited_ms, 0), KEPT_MS),
            agenda=list(data.services),
        )
        self._hold(ticket, data.wanted_counter, at + data.hold_ms)
        ticket.wanted_ms = data.hold_ms if data.wanted_counter else 0
        ticket.place = self.discipline.place(ticket)
        return ticket

    def _issue(self, event: TicketIssued) -> None:
        ticket = self.tickets[event.id] = self.ticket_of(event)
        if event.data.counter:
            at = ticket.issued_at
            self._seat(ticket, event.data.counter, at)
            ticket.phase, ticket.started_at, ticket.calls = TicketPhase.SERVING, at, 0

    def _move(self, event: Event, ticket: QueueTicket) -> None:
        """Fold an event about a ticket that the table allows."""
        at, before = self.at(event), ticket.phase
        after = phase_after(ticket, event)
        if before is after is not TicketPhase.CALLED and not isinstance(event, TicketTagged):
            return  # late news about its slip
        self.lines.leave(ticket)
        self.parked.pop(ticket.id, None)
        if before is TicketPhase.MISSED:
            self.memory.resume(ticket.id)
        if before in AT_COUNTER and isinstance(event, _FREES):
            counter = self.counters[ticket.counter or 0]
            counter.ticket = None
            self._turn(counter, at)
        ticket.phase = after
        if after is TicketPhase.WAITING and before not in (after, TicketPhase.ISSUED):
            ticket.came_back_at = at
        self._note(event, ticket, at)
        if after is TicketPhase.WAITING:
            self._wait(ticket)
        elif after in ENDED:
            for forgotten in self.memory.end(ticket.id):
                del self.tickets[forgotten]

    def _note(self, event: Event, ticket: QueueTicket, at: int) -> None:
        """What the ticket keeps of an event besides its phase."""
        match event:
            case TicketCalled(data=called):
                self._seat(ticket, called.counter, at)
                ticket.reason = called.reason
                if called.reason == Reason.RATIO:
                    self.turns.count(favoured=self.selection.favoured(ticket))
            case TicketRecalled():
                ticket.calls, ticket.called_last_at = ticket.calls + 1, at
                counter = self.counters[ticket.counter or 0]
                self._turn(counter, counter.since)
            case ServiceStarted():
                ticket.started_at = at
                self._turn(self.counters[ticket.counter or 0], at)
            case TicketMissed():
                ticket.missed_at = at
            case TicketParked(data=parked):
                self._unseat(ticket, parked.service_ms, parked.note, parked.counter)
                ticket.parked_by = parked.counter
                ticket.due_at = at + parked.for_ms if parked.for_ms else 0
                self.parked[ticket.id] = ticket
            case TicketUnparked(data=back):
                ticket.parked_by = ticket.due_at = 0
                self._hold(ticket, back.to_counter, at + back.hold_ms)
            case TicketTransferred(data=moved):
                if moved.back and not ticket.return_to:
                    ticket.return_to, ticket.return_service = moved.counter, ticket.service
                self._tick_off(ticket, moved.service, moved.reason)
                self._unseat(ticket, moved.service_ms, moved.note, moved.counter)
                ticket.service = moved.service
                self._hold(ticket, moved.to_counter, at + moved.hold_ms)
            case TicketReturned(data=moved):
                self._unseat(ticket, moved.service_ms, moved.note, moved.counter)
                ticket.service, ticket.return_to, ticket.return_service = moved.service, 0, ""
                self._hold(ticket, moved.to_counter, at + moved.hold_ms)
            case TicketRejoined(data=back):
                self._unseat(ticket, 0, "", 0)
                ticket.penalty_ms += back.penalty_ms
                ticket.missed_at = 0
            case TicketTagged(data=tagged):
                ticket.segment = tagged.segment
                ticket.appointment_at = tagged.appointment_ms or ticket.appointment_at
            case _:
                pass

    def _seat(self, ticket: QueueTicket, number: int, at: int) -> None:
        """The ticket is at this counter now."""
        counter = self.counters[number]
        ticket.counter, ticket.calls, ticket.called_at = number, 1, at
        ticket.called_last_at, ticket.started_at = at, None
        ticket.parked_by = ticket.due_at = 0
        self._hold(ticket, 0, 0)
        counter.ticket = ticket
        self._turn(counter, at)

    @staticmethod
    def _unseat(ticket: QueueTicket, service_ms: int, note: str, counter: int) -> None:
        """The ticket has left its counter, and its visit goes on."""
        ticket.counter = ticket.called_at = ticket.started_at = None
        ticket.calls, ticket.reason = 0, ""
        ticket.served_ms += service_ms
        if note:
            ticket.note, ticket.note_by = note, counter

    @staticmethod
    def _tick_off(ticket: QueueTicket, service: str, reason: str) -> None:
        """A service of the visit is at hand: what stands before it is no more to be had."""
        if service in ticket.agenda:
            at = ticket.agenda.index(service)
            del ticket.agenda[at if reason != "next_service" else 0 : at + 1]

    @staticmethod
    def _hold(ticket: QueueTicket, counter: int, until: int) -> None:
        ticket.held_for, ticket.held_until = counter, until if counter else 0
        ticket.wanted_ms = 0

    @staticmethod
    def _turn(counter: Counter, since: int) -> None:
        counter.turn += 1
        counter.since = since

    def _wait(self, ticket: QueueTicket) -> None:
        ticket.phase = TicketPhase.WAITING
        self.lines.join(ticket, self.line_of(ticket), self.discipline.place(ticket))

    def _remember(self, event: AnyEvent) -> None:
        """The key of the command that made the event, if one did."""
        data = event.data
        key = getattr(data, "key", "")
        if isinstance(event, TicketIssued) and event.data.counter:
            key = event.data.request
        if key:
            name = str(event.__struct_config__.tag)
            self.memory.keep(name, getattr(data, "counter", 0), key, event.id)
