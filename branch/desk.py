"""Tellers' commands besides the five of every visit: each is checked against the queue, then
becomes one event.
"""

from collections.abc import Callable
from typing import Protocol

from branch.commands import (
    CallTicket,
    CloseCounter,
    DeskCommand,
    OpenCounter,
    Park,
    PauseCounter,
    Postpone,
    Rejoin,
    ServeNow,
    TagTicket,
    Transfer,
    Unpark,
    said_as,
)
from branch.config import BranchConfig
from branch.queue import (
    GIVEN_BY_STAFF,
    Counter,
    CounterState,
    Engine,
    QueueTicket,
    TicketPhase,
)
from branch.rules import segment_names
from branch.typed import refuse_personal
from branch.view import CommandRefused
from sync.clock import Clock
from sync.messages import (
    CalledData,
    IssuedData,
    NotOpenData,
    OpenedData,
    ParkedData,
    Payload,
    RejoinedData,
    ReturnedData,
    TaggedData,
    TransferredData,
    UnparkedData,
)

MS_PER_MIN = 60_000
WALK_IN_BAND = 10
"""Numbers of walk-ins, like AW001: nobody holds them, no kiosk gives them."""
LAST_IN_BAND = 999

_SET_ASIDE = (TicketPhase.WAITING, TicketPhase.PARKED)


class Record(Protocol):
    """Commits one event of the server's own, then changes the queue. Raises NotStored."""

    def __call__(
        self, event_type: str, data: Payload, ticket: QueueTicket | None = None
    ) -> None: ...


class Desk:
    """``last_walk_in(service)`` is the highest walk-in number of today, and the date."""

    def __init__(
        self,
        config: BranchConfig,
        engine: Engine,
        clock: Clock,
        record: Record,
        last_walk_in: Callable[[str], tuple[int, str]],
    ) -> None:
        self._queue = config.queue
        self._notes = config.notes
        self._services = {service.letter for service in config.services}
        self._segments = segment_names(config)
        self._engine = engine
        self._clock = clock
        self._record = record
        self._last_walk_in = last_walk_in

    def carry_out(self, counter: int, command: DeskCommand, key: str) -> None:
        """Do it, once. Raises CommandRefused, NotStored."""
        refuse_personal(command, self._notes)
        match command:
            case Transfer():
                self._transfer(counter, command, key)
            case Park():
                self._park(counter, command, key)
            case Postpone():
                self._postpone(counter, command, key)
            case Unpark():
                self._unpark(counter, command, key)
            case CallTicket():
                self._call(counter, command, key)
            case Rejoin():
                self._rejoin(counter, command, key)
            case TagTicket():
                self._tag(counter, command, key)
            case ServeNow():
                self._walk_in(counter, command, key)
            case OpenCounter():
                self._open(counter, command, key)
            case PauseCounter():
                self._pause(counter, command, key)
            case _:
                self._close(counter, command, key)

    def wake(self) -> None:
        """Take back the parked tickets whose time is over. Raises NotStored."""
        for ticket in self._engine.due(self._clock.wall_ms()):
            data = UnparkedData(
                counter=0,
                key=f"due:{ticket.id}:{ticket.due_at}",
                reason="due",
                to_counter=ticket.parked_by,
                hold_ms=self._hold_ms() if ticket.parked_by else 0,
            )
            self._record("ticket.unparked", data, ticket)

    def goes_on(self, counter: int, ticket: QueueTicket, key: str) -> bool:
        """Whether the visit has another part: then the ticket goes there. Raises NotStored."""
        done_ms = self.service_ms(ticket)
        if ticket.return_to:
            back = ReturnedData(
                counter=counter,
                key=key,
                service=ticket.return_service,
                to_counter=ticket.return_to,
                hold_ms=self._hold_ms(),
                service_ms=done_ms,
            )
            self._record("ticket.returned", back, ticket)
            return True
        following = next((s for s in ticket.agenda if s in self._services), None)
        if following is None:
            return False
        moved = TransferredData(
            counter=counter, key=key, service=following, service_ms=done_ms, reason="next_service"
        )
        self._record("ticket.transferred", moved, ticket)
        return True

    def may_recall(self, ticket: QueueTicket) -> None:
        """Raises CommandRefused (call_limit, too_soon)."""
        if ticket.calls >= self._queue.calls:
            raise CommandRefused("call_limit", f"{ticket.number} was called {ticket.calls} times")
        gone_s = (self._clock.wall_ms() - ticket.called_last_at) / 1000
        if gone_s < self._queue.call_gap_s:
            left_s = self._queue.call_gap_s - gone_s
            raise CommandRefused("too_soon", f"{ticket.number} can be called in {left_s:.0f} s")

    def must_be_open(self, counter: int) -> None:
        """Raises CommandRefused (paused, not_open)."""
        state = self._engine.counters[counter].state
        if state is not CounterState.OPEN:
            code = "paused" if state is CounterState.PAUSED else "not_open"
            raise CommandRefused(code, f"counter {counter} is {state.value}")

    def service_ms(self, ticket: QueueTicket) -> int:
        """How long the counter has had the ticket."""
        began_ms = ticket.started_at or ticket.called_at or 0
        return max(0, self._clock.wall_ms() - began_ms)

    # --- the current ticket -------------------------------------------------------------------

    def _transfer(self, counter: int, command: Transfer, key: str) -> None:
        ticket = self._current(counter)
        self._known(command.service)
        if command.counter:
            target = self._engine.counters.get(command.counter)
            if target is None or not self._serves(target, command.service):
                raise CommandRefused(
                    "not_served_there",
                    f"counter {command.counter} does not serve {command.service}",
                )
        if command.service == ticket.service and command.counter in (0, counter):
            raise CommandRefused("no_change", f"{ticket.number} is of {ticket.service} already")
        data = TransferredData(
            counter=counter,
            key=key,
            service=command.service,
            to_counter=command.counter,
            hold_ms=self._hold_ms() if command.counter else 0,
            back=command.back,
            note=command.note,
            service_ms=self.service_ms(ticket),
        )
        self._record("ticket.transferred", data, ticket)

    def _park(self, counter: int, command: Park, key: str) -> None:
        ticket = self._current(counter)
        data = ParkedData(
            counter=counter,
            key=key,
            for_ms=round(command.minutes * MS_PER_MIN),
            note=command.note,
            service_ms=self.service_ms(ticket),
        )
        self._record("ticket.parked", data, ticket)

    # --- a ticket that is not here ------------------------------------------------------------

    def _postpone(self, counter: int, command: Postpone, key: str) -> None:
        ticket = self._find(command.number, TicketPhase.WAITING)
        lobby, its_key = said_as(counter, command, key)
        for_ms = round(command.minutes * MS_PER_MIN)
        self._record(
            "ticket.parked", ParkedData(counter=lobby, key=its_key, for_ms=for_ms), ticket
        )

    def _unpark(self, counter: int, command: Unpark, key: str) -> None:
        ticket = self._find(command.number, TicketPhase.PARKED)
        serves = self._serves(self._engine.counters[counter], ticket.service)
        data = UnparkedData(
            counter=counter,
            key=key,
            to_counter=counter if serves else 0,
            hold_ms=self._hold_ms() if serves else 0,
        )
        self._record("ticket.unparked", data, ticket)

    def _call(self, counter: int, command: CallTicket, key: str) -> None:
        if command.reason not in GIVEN_BY_STAFF:
            raise CommandRefused(
                "bad_reason",
                f"{command.reason!r}; expected one of {', '.join(sorted(GIVEN_BY_STAFF))}",
            )
        slot = self._free(counter)
        ticket = self._find(command.number, *_SET_ASIDE)
        if not self._serves(slot, ticket.service):
            raise CommandRefused(
                "not_served_here", f"counter {counter} does not serve {ticket.service}"
            )
        now_ms = self._clock.wall_ms()
        data = CalledData(
            counter=counter,
            key=key,
            wait_ms=max(0, now_ms - ticket.issued_at),
            reason=command.reason,
            score_ms=self._engine.discipline.score_ms(ticket, now_ms),
        )
        self._record("ticket.called", data, ticket)

    def _rejoin(self, counter: int, command: Rejoin, key: str) -> None:
        ticket = self._find(command.number, TicketPhase.MISSED)
        away_min = (self._clock.wall_ms() - ticket.missed_at) / MS_PER_MIN
        if away_min > self._queue.missed_back_min:
            raise CommandRefused(
                "too_late",
                f"{ticket.number} was away {away_min:.0f} min; after"
                f" {self._queue.missed_back_min:g} a new ticket is needed",
            )
        penalty_ms = round(self._queue.missed_penalty_min * MS_PER_MIN)
        data = RejoinedData(counter=counter, key=key, penalty_ms=penalty_ms)
        self._record("ticket.rejoined", data, ticket)

    def _tag(self, counter: int, command: TagTicket, key: str) -> None:
        ticket = self._find(command.number, TicketPhase.WAITING)
        self._segment(command.segment)
        data = TaggedData(counter=counter, key=key, segment=command.segment)
        self._record("ticket.tagged", data, ticket)

    def _walk_in(self, counter: int, command: ServeNow, key: str) -> None:
        slot = self._free(counter)
        self._known(command.service)
        self._segment(command.segment)
        if not self._serves(slot, command.service):
            raise CommandRefused(
                "not_served_here", f"counter {counter} does not serve {command.service}"
            )
        last, today = self._last_walk_in(command.service)
        if last >= LAST_IN_BAND:
            raise CommandRefused("no_number", f"{last} walk-ins of {command.service} today")
        data = IssuedData(
            number=f"{command.service}W{last + 1:03}",
            service=command.service,
            segment=command.segment,
            language="",
            business_date=today,
            band=WALK_IN_BAND,
            request=key,
            counter=counter,
        )
        self._record("ticket.issued", data)

    # --- the counter ----------------------------------------------------------------------------

    def _open(self, counter: int, command: OpenCounter, key: str) -> None:
        slot = self._engine.counters[counter]
        if slot.state is not CounterState.OPEN or slot.teller != command.teller:
            data = OpenedData(counter=counter, key=key, teller=command.teller)
            self._record("counter.opened", data)

    def _pause(self, counter: int, command: PauseCounter, key: str) -> None:
        slot = self._engine.counters[counter]
        if slot.state is CounterState.PAUSED:
            return
        self.must_be_open(counter)
        data = NotOpenData(counter=counter, key=key, reason=command.reason)
        self._record("counter.paused", data)

    def _close(self, counter: int, command: CloseCounter, key: str) -> None:
        slot = self._engine.counters[counter]
        if slot.ticket is not None:
            raise CommandRefused("busy", f"{slot.ticket.number} is still at counter {counter}")
        if slot.staffed:
            data = NotOpenData(counter=counter, key=key, reason=command.reason)
            self._record("counter.closed", data)

    # --- what there is ---------------------------------------------------------------------------

    def _hold_ms(self) -> int:
        return round(self._queue.same_teller_min * MS_PER_MIN)

    def _serves(self, slot: Counter, service: str) -> bool:
        return service in self._engine.selection.services(slot)

    def _free(self, counter: int) -> Counter:
        slot = self._engine.counters[counter]
        if slot.ticket is not None:
            raise CommandRefused("busy", f"{slot.ticket.number} is still at counter {counter}")
        self.must_be_open(counter)
        return slot

    def _current(self, counter: int) -> QueueTicket:
        ticket = self._engine.counters[counter].ticket
        if ticket is None:
            raise CommandRefused("no_ticket", f"no ticket is at counter {counter}")
        return ticket

    def _find(self, number: str, *phases: TicketPhase) -> QueueTicket:
        """The newest ticket of this number that is where the command needs it."""
        found = [t for t in self._engine.tickets.values() if t.number == number]
        fits = [t for t in found if t.phase in phases]
        if fits:
            return max(fits, key=lambda t: t.order)
        if found:
            newest = max(found, key=lambda t: t.order)
            raise CommandRefused("wrong_phase", f"{number} is {newest.phase.value}")
        raise CommandRefused("unknown_ticket", f"there is no ticket {number}")

    def _known(self, service: str) -> None:
        if service not in self._services:
            raise CommandRefused("unknown_service", f"there is no service {service}")

    def _segment(self, segment: str) -> None:
        if segment not in self._segments:
            raise CommandRefused(
                "unknown_segment",
                f"{segment!r}; the segments are {', '.join(sorted(self._segments))}",
            )
