"""What a teller's page shows of one counter, from the queue as it stands."""

from branch.config import ServiceConfig
from branch.displays import Displays
from branch.queue import Counter, CounterState, Engine, QueueTicket, TicketPhase
from branch.view import CounterState as ShownState, CounterView, WaitingTicket

UP_NEXT = 6
_EMPTY = {CounterState.OPEN: ShownState.FREE, CounterState.PAUSED: ShownState.PAUSED}


def counter_view(
    engine: Engine, displays: Displays, revision: int, counter: int, pad: str
) -> CounterView:
    """One counter now; ``pad`` is the state of its rating pad. Raises KeyError for a counter that
    there is not.
    """
    slot = engine.counters[counter]
    now_ms = displays.now_ms()
    ticket = slot.ticket
    names = [displays.services[letter] for letter in slot.services]
    # A ticket may be of a service that the configuration has no longer.
    service = displays.services.get(ticket.service) if ticket else None
    then = _then(ticket, displays)
    return CounterView(
        revision=revision,
        counter=counter,
        state=_state(slot),
        services_zh="、".join(s.zh for s in names),
        services_en=", ".join(s.en for s in names),
        number=ticket.number if ticket else None,
        service_zh=service.zh if service else "",
        service_en=service.en if service else "",
        waited_min=_waited_min(ticket) if ticket else None,
        since_ms=max(0, now_ms - slot.since) if slot.since else 0,
        calls=ticket.calls if ticket else 0,
        pad=pad,
        waiting=engine.selection.waiting_for(counter, now_ms),
        up_next=tuple(
            WaitingTicket(
                waiting.number,
                displays.services[waiting.service].zh,
                displays.services[waiting.service].en,
                max(0, now_ms - waiting.issued_at) // 60_000,
                waiting.segment,
                waiting.held_for == counter,
            )
            for waiting in engine.up_next(counter, now_ms, UP_NEXT)
        ),
        clock=displays.clock_text(now_ms),
        window=slot.state.value,
        turn=slot.turn,
        reason=ticket.reason if ticket else "",
        note=ticket.note if ticket else "",
        parked=tuple(
            sorted(t.number for t in engine.parked.values() if t.parked_by in (0, counter))
        ),
        segment=ticket.segment if ticket else "",
        note_by=ticket.note_by if ticket else 0,
        promise_min=engine.discipline.promise_min,
        earlier_ms=ticket.served_ms if ticket else 0,
        returns_to=ticket.return_to if ticket else 0,
        teller=slot.teller,
        then_zh=then.zh if then else "",
        then_en=then.en if then else "",
    )


def _then(ticket: QueueTicket | None, displays: Displays) -> ServiceConfig | None:
    """The service that follows this one, if the visit has one here."""
    agenda = ticket.agenda if ticket else ()
    return next((displays.services[s] for s in agenda if s in displays.services), None)


def _state(slot: Counter) -> ShownState:
    if slot.ticket is None:
        return _EMPTY.get(slot.state, ShownState.CLOSED)
    if slot.ticket.phase is TicketPhase.SERVING:
        return ShownState.SERVING
    return ShownState.CALLING


def _waited_min(ticket: QueueTicket) -> int:
    return max(0, (ticket.called_at or 0) - ticket.issued_at) // 60_000
