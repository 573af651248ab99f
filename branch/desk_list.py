"""What a teller may choose from, from the queue as it stands."""

from collections.abc import Iterable
from itertools import islice

from branch.calling_config import segments_of
from branch.config import BranchConfig
from branch.desk_view import DeskView, ListedTicket, NamedService, OtherCounter
from branch.queue import Counter, Engine, QueueTicket, TicketPhase

MS_PER_MIN = 60_000
LISTED = 40
"""Tickets of one list; the teller can type any other number."""
ENDED_LOOKED_AT = 500
"""The newest ended tickets among which missed ones are looked for: hours of a branch."""


def desk_view(engine: Engine, now_ms: int, config: BranchConfig, counter: int) -> DeskView:
    """The choices at ``counter`` now. Raises KeyError for a counter that there is not."""
    slot = engine.counters[counter]
    names = {service.letter: service for service in config.services}
    here = set(engine.selection.services(slot))

    def listed(ticket: QueueTicket, whose: int = 0, minutes: int | None = None) -> ListedTicket:
        service = names.get(ticket.service)
        return ListedTicket(
            ticket.number,
            service.zh if service else ticket.service,
            service.en if service else ticket.service,
            max(0, now_ms - ticket.issued_at) // MS_PER_MIN,
            ticket.segment,
            ticket.note,
            whose,
            minutes,
            ticket.service in here,
        )

    return DeskView(
        services=tuple(
            NamedService(s.letter, s.zh, s.en, s.letter in here) for s in names.values()
        ),
        counters=tuple(
            OtherCounter(c.number, "".join(engine.selection.services(c)), c.state.value)
            for c in engine.counters.values()
            if c is not slot
        ),
        segments=tuple(s.name for s in segments_of(config.queue, config.segments)),
        notes=tuple(config.notes),
        waiting=tuple(listed(t) for t in _waiting(engine, slot, now_ms)),
        parked=tuple(
            listed(t, t.parked_by, _minutes_until(t.due_at, now_ms))
            for t in _own_first(engine.parked.values(), counter)
        ),
        missed=tuple(
            listed(t, t.counter or 0, max(0, now_ms - t.missed_at) // MS_PER_MIN)
            for t in _missed(engine, counter, now_ms, config.queue.missed_back_min)
        ),
    )


def _waiting(engine: Engine, slot: Counter, now_ms: int) -> list[QueueTicket]:
    """Who may be called here, best first, then the others by their place."""
    mine = engine.up_next(slot.number, now_ms, LISTED)
    known = {ticket.id for ticket in mine}
    others = (t for line in engine.lines.by_key.values() for t in islice(line, LISTED))
    rest = sorted((t for t in others if t.id not in known), key=lambda t: t.place)
    return [*mine, *rest][:LISTED]


def _own_first(tickets: Iterable[QueueTicket], counter: int) -> list[QueueTicket]:
    """The counter's own, then the lobby's, then those of other counters; by their place."""
    ranks = {counter: 0, 0: 1}
    return sorted(tickets, key=lambda t: (ranks.get(t.parked_by, 2), t.place))[:LISTED]


def _minutes_until(due_at: int, now_ms: int) -> int | None:
    return max(0, -((now_ms - due_at) // MS_PER_MIN)) if due_at else None


def _missed(engine: Engine, counter: int, now_ms: int, back_min: float) -> list[QueueTicket]:
    """Missed customers whom the server would still take back, the last one first."""
    newest = islice(reversed(engine.memory.finished), ENDED_LOOKED_AT)
    found = [engine.tickets[ticket_id] for ticket_id in newest]
    missed = [
        t
        for t in found
        if t.phase is TicketPhase.MISSED and now_ms - t.missed_at <= back_min * MS_PER_MIN
    ]
    return sorted(missed, key=lambda t: t.counter != counter)[:LISTED]
