"""From events to the tables that pages and reports read, inside the caller's transaction.

What the queue would refuse changes nothing here either: an outcome is written once, by an event
of the counter that has the ticket. Tickets and the word about their paper are most of what comes:
they are written in bulk.
"""

from collections.abc import Callable, Sequence

from sqlalchemy import ColumnElement, Connection, bindparam, insert, select, update

from branch.feedback_tables import project_feedback
from branch.legs import project_leg
from branch.tables import (
    OPEN,
    SEGMENT_LENGTH,
    TELLER_LENGTH,
    UNSTARTED,
    UNTOLD,
    WAITING,
    at_counter,
    device_table,
    rating_table,
    shift_table,
    ticket_table,
    visit_table,
)
from sync.ledger import dialect
from sync.messages import (
    AnyEvent,
    CounterClosed,
    CounterOpened,
    DeviceChanged,
    Event,
    RatingSubmitted,
    RatingUnsolicited,
    ServiceEnded,
    ServiceStarted,
    TicketAbandoned,
    TicketCalled,
    TicketIssued,
    TicketMissed,
    TicketParked,
    TicketPrinted,
    TicketPrintFailed,
    TicketRejoined,
    TicketReturned,
    TicketTagged,
    TicketTransferred,
    TicketVoided,
    UnknownEvent,
)

SCORES = range(1, 6)
"""A pad has five keys."""

_PAPER = (
    update(ticket_table)
    # A slip that came out stays out, whatever became of a second one.
    .where(
        ticket_table.c.id == bindparam("ticket"),
        ticket_table.c.paper != "printed",
        ticket_table.c.paper != "none",
    )
    .values(paper=bindparam("said"))
)

At = Callable[[Event], int]


def by_own_clock(event: Event) -> int:
    """When an event happened, as its device knew (Unix ms)."""
    return event.ts


def project(
    connection: Connection, events: Sequence[AnyEvent | UnknownEvent], at: At = by_own_clock
) -> list[str]:
    """Bring the tables up to ``events``; returns the tickets that got their rating by them.
    ``at`` dates an event (Unix ms).
    """
    issued = [_row(item, at(item)) for item in events if isinstance(item, TicketIssued)]
    if issued:  # first of all: what else is said of a ticket comes after its issue
        connection.execute(insert(ticket_table), issued)
    rated: list[str] = []
    papers: list[dict[str, object]] = []
    for item in events:
        if isinstance(item, TicketIssued):
            continue
        if isinstance(item, TicketPrinted | TicketPrintFailed):
            said = "printed" if isinstance(item, TicketPrinted) else item.data.paper
            papers.append({"ticket": item.sub, "said": said})
            continue
        _say(connection, papers)
        _project_one(connection, item, at, rated)
    _say(connection, papers)
    return rated


def _row(item: TicketIssued, at: int) -> dict[str, object]:
    data = item.data
    walk_in = data.counter > 0
    return {
        "id": item.id,
        "number": data.number,
        "business_date": data.business_date,
        "service": data.service,
        "segment": data.segment,
        "node": item.src,
        "issued_at": at,
        "paper": "none" if walk_in else "pending",
        "counter": data.counter if walk_in else None,
        "called_at": at if walk_in else None,
        "started_at": at if walk_in else None,
    }


def _say(connection: Connection, papers: list[dict[str, object]]) -> None:
    if papers:
        connection.execute(_PAPER, papers)
        papers.clear()


def _project_one(
    connection: Connection, item: AnyEvent | UnknownEvent, at: At, rated: list[str]
) -> None:
    match item:
        case TicketVoided():
            _set(connection, item, *UNTOLD, outcome="voided", ended_at=at(item))
        case TicketCalled(data=called):
            _set(connection, item, *WAITING, counter=called.counter, called_at=at(item))
        case TicketMissed(data=missed):
            _set(
                connection, item, OPEN, at_counter(missed.counter), UNSTARTED,
                outcome="missed", ended_at=at(item),
            )  # fmt: skip
        case TicketAbandoned():
            _set(connection, item, *WAITING, outcome="abandoned", ended_at=at(item))
        case ServiceStarted(data=started):
            _set(
                connection, item, OPEN, at_counter(started.counter), UNSTARTED,
                started_at=at(item),
            )  # fmt: skip
        case ServiceEnded(data=ended):
            served = _set(
                connection, item, OPEN, at_counter(ended.counter),
                outcome="served", ended_at=at(item),
            )  # fmt: skip
            if served and ended.nonce:
                connection.execute(
                    insert(visit_table).values(
                        nonce=ended.nonce, ticket=item.sub, counter=ended.counter
                    )
                )
        case TicketParked() | TicketTransferred() | TicketReturned() | TicketRejoined():
            project_leg(connection, item, at(item))
        case TicketTagged(data=tagged):
            _set(connection, item, *WAITING, segment=tagged.segment[:SEGMENT_LENGTH])
        case RatingSubmitted():
            ticket = _rate(connection, item, at)
            if ticket is not None:
                rated.append(ticket)
        case RatingUnsolicited(data=press):
            kind = "unsolicited" if press.score_1to5 in SCORES else "invalid"
            _keep_press(
                connection, item, at, press.counter, press.score_1to5, kind,
                press.pad.interpreter,
            )  # fmt: skip
        case CounterOpened(data=there):
            _shift(connection, item, at, there.counter, there.teller)
        case CounterClosed(data=gone):
            _shift(connection, item, at, gone.counter, "")
        case DeviceChanged():
            _device(connection, item, at)
        case _:
            project_feedback(connection, item, at(item) if isinstance(item, Event) else 0)


def _rate(connection: Connection, item: RatingSubmitted, at: At) -> str | None:
    """Store a rating for the visit of its nonce: one a visit; any other press is kept
    apart.
    """
    data = item.data
    visit = connection.execute(
        select(visit_table.c.ticket).where(
            visit_table.c.nonce == data.nonce, visit_table.c.counter == data.counter
        )
    ).one_or_none()
    if data.score_1to5 not in SCORES:
        kind, ticket = "invalid", None
    elif visit is None:
        kind, ticket = "unsolicited", None
    else:
        taken = connection.execute(
            select(rating_table.c.event_id).where(rating_table.c.ticket == visit.ticket)
        ).one_or_none()
        kind, ticket = ("rating", visit.ticket) if taken is None else ("repeated", None)
    _keep_press(
        connection, item, at, data.counter, data.score_1to5, kind, data.pad.interpreter, ticket
    )
    return ticket


def _keep_press(
    connection: Connection,
    item: Event,
    at: At,
    counter: int,
    score_1to5: int,
    kind: str,
    interpreter: str,
    ticket: str | None = None,
) -> None:
    connection.execute(
        insert(rating_table).values(
            event_id=item.id, ticket=ticket, counter=counter, score_1to5=score_1to5,
            kind=kind, at=at(item), interpreter=interpreter[:40],
        )
    )  # fmt: skip


def _shift(connection: Connection, item: Event, at: At, counter: int, teller: str) -> None:
    connection.execute(
        insert(shift_table).values(
            event_id=item.id, counter=counter, at=at(item), teller=teller[:TELLER_LENGTH]
        )
    )


def _device(connection: Connection, item: DeviceChanged, at: At) -> None:
    data = item.data
    values = {
        "kind": data.kind, "state": data.state, "detail": data.detail[:80], "at": at(item),
    }  # fmt: skip
    statement = (
        dialect(connection)
        .insert(device_table)
        .values(node=item.src, device=data.device, **values)
    )
    connection.execute(
        statement.on_conflict_do_update(index_elements=["node", "device"], set_=values)
    )


def _set(
    connection: Connection, item: Event, *only_if: ColumnElement[bool], **values: object
) -> bool:
    changed = connection.execute(
        update(ticket_table)
        .where(ticket_table.c.id == item.sub, *only_if)
        .values(**values)
        .returning(ticket_table.c.id)
    )
    return changed.one_or_none() is not None
