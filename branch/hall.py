"""The lobby manager's desk: what the hall looks like, and what can be done about it."""

from collections.abc import Callable, Iterator
from typing import Any

from branch.alert_book import BY_HAND, OpenAlert
from branch.alerting import Alerting, Watched
from branch.calling_config import segments_of
from branch.commands import CloseCounter, OpenCounter, TagTicket
from branch.complaint_page import ComplaintPages
from branch.complaints import Complaints
from branch.config import BranchConfig
from branch.desk import LAST_IN_BAND, WALK_IN_BAND, Desk, Record
from branch.displays import Displays
from branch.hall_view import (
    AlertLine,
    AnsweredLine,
    ComplaintLine,
    ComplaintList,
    HallCounter,
    HallService,
    HallTicket,
    HallView,
    ShownTicket,
)
from branch.queue import CounterState, Engine, QueueTicket, TicketPhase
from branch.standards import Standards, standards_of
from branch.store import Store
from branch.view import CommandRefused
from sync.alerts import ReissuedData, TicketReissued
from sync.clock import Clock
from sync.messages import AnyEvent, IssuedData, PrintFailedData, TicketIssued, UnknownEvent
from sync.transport import Message, Transport

SHOWN = "shown_on_phone"
"""The cause in the ledger of a ticket without a slip: its number was shown by the manager."""
LOBBY = 0
_PHASES = (TicketPhase.WAITING, TicketPhase.PARKED, TicketPhase.CALLED)
KEYS = 1000


class Hall:
    """Implements :class:`branch.hall_view.HallDesk`. ``revision`` and ``last_walk_in`` are the
    service's.
    """

    def __init__(
        self,
        config: BranchConfig,
        engine: Engine,
        clock: Clock,
        store: Store,
        transport: Transport,
        displays: Displays,
        desk: Desk,
        record: Record,
        watched: Watched,
        *,
        last_walk_in: Callable[[str], tuple[int, str]],
        revision: Callable[[], int],
    ) -> None:
        self._config = config
        self._engine = engine
        self._clock = clock
        self._displays = displays
        self._desk = desk
        self._record = record
        self._last_walk_in = last_walk_in
        self._revision = revision
        self._segments = [s.name for s in segments_of(config.queue, config.segments)]
        self.standards = Standards(standards_of(config.standards, displays.services), engine)
        self.alerting = Alerting(engine, self.standards, clock, store, transport, record, watched)
        self.complaints = Complaints(store, lambda kind, data: record(kind, data, None))
        self.complaint_pages = ComplaintPages(
            self.complaints, clock, displays.date_text,
            {"zh": config.branch.zh, "en": config.branch.en}, config.branch.complaints_phone,
        )  # fmt: skip
        self._issued: dict[str, str] = {}  # ticket by request
        self._reissued: dict[str, int] = {}  # times by ticket
        self._keys: dict[str, str] = {}  # of reissues: ticket by request

    def note(self, event: AnyEvent | UnknownEvent) -> None:
        """An event that the queue has taken."""
        if isinstance(event, TicketIssued):
            if event.data.band == WALK_IN_BAND and not event.data.counter:
                _keep(self._issued, event.data.request, event.id)
        elif isinstance(event, TicketReissued):
            _keep(self._keys, event.data.key, event.sub or "")
            _keep(self._reissued, event.sub or "", event.data.times)
        self.complaints.note(event)
        self.alerting.note(event)

    def connected(self) -> None:
        """The channel is up."""
        self.alerting.connected()

    def heard(self, messages: list[Message]) -> list[Message]:
        """Those that are not our own alerts."""
        return self.alerting.heard(messages)

    async def open(self) -> None:
        """Begin to watch the hall."""
        await self.alerting.open()

    async def close(self) -> None:
        """Watch it no more."""
        await self.alerting.close()

    # --- what it looks like ---------------------------------------------------------------------

    def view(self) -> HallView:
        now_ms = self._clock.wall_ms()
        book = self.alerting.book
        lines = [
            *(self._line(alert, now_ms, is_open=True) for alert in book.open.values()),
            *(self._line(alert, now_ms, is_open=False) for alert in book.seen.values()),
        ]
        tickets = self._tickets(now_ms)
        return HallView(
            revision=self._revision(),
            branch_zh=self._config.branch.zh,
            branch_en=self._config.branch.en,
            clock=self._displays.clock_text(now_ms),
            alerts=tuple(lines),
            tickets=tuple(tickets),
            counters=tuple(
                HallCounter(
                    counter.number,
                    counter.state.value,
                    counter.ticket.number if counter.ticket else "",
                    max(0, now_ms - counter.since) if counter.since else 0,
                    "".join(counter.services),
                )
                for counter in self._engine.counters.values()
            ),
            services=tuple(
                HallService(
                    service.letter,
                    service.zh,
                    service.en,
                    self._engine.waiting([service.letter]),
                    max(
                        (
                            t.waited_ms
                            for t in tickets
                            if t.service == service.letter and t.phase == "waiting"
                        ),
                        default=0,
                    ),
                    self.standards.of(service.letter).max_wait_ms,
                )
                for service in self._config.services
            ),
            segments=tuple(self._segments),
            complaints=tuple(self._complaints(now_ms)),
        )

    def _complaints(self, now_ms: int) -> Iterator[ComplaintLine]:
        today = self._displays.date_text(now_ms)
        for one in self.complaints.open():
            yield ComplaintLine(
                id=one.id,
                number=one.number,
                topic=one.topic,
                due_date=one.due_date,
                overdue=today > one.due_date,
                age_ms=max(0, now_ms - one.at),
                taken=one.owner is not None,
                owner=one.owner or "",
            )

    def _line(self, alert: OpenAlert, now_ms: int, *, is_open: bool) -> AlertLine:
        data = alert.data
        return AlertLine(
            id=alert.id,
            about=data,
            age_ms=max(0, now_ms - data.since_ms),
            open=is_open,
            taken=alert.taken_by is not None,
            taken_by=alert.taken_by or "",
            by_hand=data.kind in BY_HAND,
            clock=self._displays.clock_text(data.since_ms),
        )

    def _tickets(self, now_ms: int) -> list[HallTicket]:
        """Who waits, the longest first; then who is parked or on the way."""
        found = [t for line in self._engine.lines.by_key.values() for t in line]
        found += self._engine.parked.values()
        found += [
            c.ticket
            for c in self._engine.counters.values()
            if c.ticket is not None and c.ticket.phase is TicketPhase.CALLED
        ]
        made = [self._ticket(ticket, now_ms) for ticket in found]
        return sorted(made, key=lambda t: (t.phase != "waiting", -t.waited_ms, t.number))

    def _ticket(self, ticket: QueueTicket, now_ms: int) -> HallTicket:
        waited_ms = max(0, now_ms - self._engine.waiting_from_ms(ticket))
        limit_ms = self.standards.of(ticket.service).max_wait_ms
        waiting = ticket.phase is TicketPhase.WAITING
        return HallTicket(
            id=ticket.id,
            number=ticket.number,
            service=ticket.service,
            segment=ticket.segment,
            phase=ticket.phase.value,
            waited_ms=waited_ms,
            over=waiting and bool(limit_ms) and waited_ms >= limit_ms,
            reissued=self._reissued.get(ticket.id, 0),
        )

    # --- what can be done -----------------------------------------------------------------------

    def settle(self, alert: str, key: str, by: str) -> None:
        self.alerting.settle(alert, key, by)

    def reopen(self, alert: str, key: str, by: str) -> None:
        self.alerting.reopen(alert, key, by)

    def take(self, alert: str, key: str, by: str) -> None:
        self.alerting.take(alert, key, by)

    def take_complaint(self, complaint: str, key: str, by: str) -> None:
        self.complaints.take(complaint, key, by)

    def complaint_list(self) -> ComplaintList:
        answered = (
            AnsweredLine(
                one.id, one.number, one.topic, one.due_date,
                self._displays.date_text(one.answered_at or 0), one.outcome, one.answered_by,
            )
            for one in self.complaints.answered()
        )  # fmt: skip
        return ComplaintList(tuple(self._complaints(self._clock.wall_ms())), tuple(answered))

    def answer_complaint(self, complaint: str, key: str, by: str, outcome: str = "") -> None:
        self.complaints.answer(complaint, key, by, outcome)

    def reopen_complaint(self, complaint: str, key: str, by: str) -> None:
        self.complaints.reopen(complaint, key, by)

    def open_counter(self, counter: int, key: str, by: str) -> None:
        state = self._engine.counters[counter].state
        if self._engine.done("counter.opened", counter, key) or state is CounterState.OPEN:
            return
        if state is CounterState.PAUSED:
            raise CommandRefused("paused", f"the teller of counter {counter} is on a break")
        # Who opens it from the hall is not who will sit there.
        self._desk.carry_out(counter, OpenCounter(), key)

    def close_counter(self, counter: int, key: str, by: str) -> None:
        self._engine.counters[counter]  # KeyError
        if not self._engine.done("counter.closed", counter, key):
            self._desk.carry_out(counter, CloseCounter(), key)

    def tag(self, number: str, segment: str, key: str) -> None:
        if not self._engine.done("ticket.tagged", LOBBY, key):
            self._desk.carry_out(LOBBY, TagTicket(number=number, segment=segment), key)

    def issue(self, service: str, segment: str, key: str, by: str) -> ShownTicket:
        if key not in self._issued:
            if service not in self._displays.services:
                raise CommandRefused("unknown_service", f"there is no service {service}")
            if segment not in self._segments:
                raise CommandRefused(
                    "unknown_segment",
                    f"{segment!r}; the segments are {', '.join(sorted(self._segments))}",
                )
            last, today = self._last_walk_in(service)
            if last >= LAST_IN_BAND:
                raise CommandRefused("no_number", f"{last} numbers of {service} were given today")
            data = IssuedData(
                number=f"{service}W{last + 1:03}",
                service=service,
                segment=segment,
                language="",
                business_date=today,
                band=WALK_IN_BAND,
                request=key,
            )
            self._record("ticket.issued", data)
        ticket = self._engine.tickets.get(self._issued[key])
        if ticket is None:
            raise CommandRefused("unknown_ticket", "this ticket ended long ago")
        if ticket.phase is TicketPhase.ISSUED:
            # The phone shows the number: from now on somebody holds it, and it may be called.
            shown = PrintFailedData(attempt=1, paper="not_printed", cause=SHOWN)
            self._record("ticket.print_failed", shown, ticket)
        return self._shown(ticket)

    def reissue(self, number: str, key: str, by: str) -> ShownTicket:
        if key in self._keys:
            ticket = self._engine.tickets.get(self._keys[key])
            if ticket is None:
                raise CommandRefused("unknown_ticket", "this ticket ended long ago")
            return self._shown(ticket)
        found = [t for t in self._engine.tickets.values() if t.number == number]
        if not found:
            raise CommandRefused("unknown_ticket", f"there is no ticket {number}")
        ticket = max(found, key=lambda t: (t.phase in _PHASES, t.order))
        if ticket.phase not in _PHASES:
            raise CommandRefused("wrong_phase", f"{number} is {ticket.phase.value}")
        times = self._reissued.get(ticket.id, 0) + 1
        self._record("ticket.reissued", ReissuedData(key=key, times=times, by=by), ticket)
        return self._shown(ticket)

    def _shown(self, ticket: QueueTicket) -> ShownTicket:
        line = [
            t
            for key, line in self._engine.lines.by_key.items()
            if key[0] == ticket.service
            for t in line
        ]
        ahead = sum(t.place < ticket.place for t in line) if ticket.line else 0
        return ShownTicket(
            ticket=ticket.id,
            number=ticket.number,
            service=ticket.service,
            ahead=ahead,
            reissued=self._reissued.get(ticket.id, 0),
        )


def _keep(kept: dict[str, Any], key: str, value: Any) -> None:
    kept.pop(key, None)
    kept[key] = value
    while len(kept) > KEYS:
        del kept[next(iter(kept))]
