"""Visits with several parts: what a ticket leaves behind when it goes on to its next one.

The ticket's own row says what it does now: a part that is over becomes a row of its own, and the
ticket waits again.
"""

from sqlalchemy import Connection, insert, select, update

from branch.tables import OPEN, at_counter, leg_table, ticket_table
from sync.messages import (
    TicketParked,
    TicketRejoined,
    TicketReturned,
    TicketTransferred,
)

_AGAIN = {"counter": None, "called_at": None, "started_at": None, "ended_at": None}

GoesOn = TicketParked | TicketTransferred | TicketReturned | TicketRejoined
_ENDED_BY = {
    TicketParked: "parked",
    TicketTransferred: "transferred",
    TicketReturned: "returned",
    TicketRejoined: "missed",
}


def project_leg(connection: Connection, event: GoesOn, at: int) -> None:
    """Close the part of the visit that ``event`` ends, at Unix ms ``at``; a ticket that is not
    where the event says stays as it is.
    """
    ticket = ticket_table.c
    if isinstance(event, TicketRejoined):
        where = [ticket.id == event.sub, ticket.outcome == "missed"]
    else:
        where = [ticket.id == event.sub, OPEN, at_counter(event.data.counter)]
    row = connection.execute(
        select(
            ticket.service, ticket.counter, ticket.called_at, ticket.started_at, ticket.ended_at
        ).where(*where, ticket.called_at.is_not(None))
    ).one_or_none()
    if row is None:
        return
    connection.execute(
        insert(leg_table).values(
            event_id=event.id,
            ticket=event.sub,
            service=row.service,
            counter=row.counter,
            called_at=row.called_at,
            started_at=row.started_at,
            ended_at=at if row.ended_at is None else row.ended_at,
            ended_by=_ENDED_BY[type(event)],
        )
    )
    values: dict[str, object] = {**_AGAIN, "outcome": "open"}
    if isinstance(event, TicketTransferred | TicketReturned):
        values["service"] = event.data.service[:1]
    connection.execute(update(ticket_table).where(ticket.id == event.sub).values(values))
