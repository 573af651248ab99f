"""The rows of one business date, read from the tables: the ledger is not folded for a page."""

from datetime import date as date_type, datetime, time, timedelta, tzinfo

from sqlalchemy import Connection, select

from branch.feedback_tables import voices
from branch.figures import DayRows, ForecastRow, PartRow, PressRow, ShiftRow, TicketRow
from branch.tables import forecast_table, leg_table, rating_table, shift_table, ticket_table

FIRST_YEAR, LAST_YEAR = 1971, 9998


def bounds_ms(date: str, tz: tzinfo | None) -> tuple[int, int]:
    """Begin and end of the calendar day (Unix ms); (0, 0) for one that no clock of ours can show.
    Raises ValueError for what is no ISO date.
    """
    day = date_type.fromisoformat(date)
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        return 0, 0
    begin, end = (
        datetime.combine(one, time(), tz).timestamp() for one in (day, day + timedelta(days=1))
    )
    return round(begin * 1000), round(end * 1000)


def read_day(connection: Connection, date: str, tz: tzinfo | None) -> DayRows:
    """Everything of a business date (ISO); presses that belong to no visit by the calendar. Raises
    SQLAlchemyError, ValueError.
    """
    begin_ms, end_ms = bounds_ms(date, tz)
    ticket = ticket_table.c
    of_day = ticket.business_date == date
    tickets = [
        TicketRow(
            row.id, row.number, row.service, row.segment, row.issued_at, row.paper == "none",
            row.outcome, row.counter, row.called_at, row.started_at, row.ended_at,
        )
        for row in connection.execute(
            select(ticket_table).where(of_day).order_by(ticket.issued_at, ticket.id)
        )
    ]  # fmt: skip
    leg = leg_table.c
    parts = connection.execute(
        select(leg.ticket, leg.service, leg.called_at, leg.started_at, leg.ended_at)
        .join(ticket_table, ticket.id == leg.ticket)
        .where(of_day)
    )
    press = rating_table.c
    columns = (press.ticket, press.counter, press.score_1to5, press.kind)
    rated = connection.execute(
        select(*columns).join(ticket_table, ticket.id == press.ticket).where(of_day)
    )
    apart = connection.execute(
        select(*columns).where(press.ticket.is_(None), press.at >= begin_ms, press.at < end_ms)
    )
    made = forecast_table.c
    forecasts = connection.execute(
        select(
            made.ticket, made.service, made.rung, made.ahead, made.p10_ms, made.p50_ms,
            made.p90_ms,
        )
        .join(ticket_table, ticket.id == made.ticket)
        .where(of_day)
    )  # fmt: skip
    # A business date need not be the calendar's: visits may begin before it and end after it.
    first_ms = min((row.issued_at for row in tickets), default=begin_ms)
    last_ms = max((row.ended_at or 0 for row in tickets), default=0)
    return DayRows(
        tickets=tickets,
        parts=[PartRow(*row) for row in parts],
        presses=[PressRow(*row) for row in (*rated, *apart)],
        forecasts=[ForecastRow(*row) for row in forecasts],
        shifts=_shifts(connection, min(first_ms, begin_ms), max(last_ms + 1, end_ms)),
        voices=[*voices(connection, date)],
    )


def _shifts(connection: Connection, begin_ms: int, end_ms: int) -> list[ShiftRow]:
    """Who came to a counter in this time, and who was there before."""
    shift = shift_table.c
    columns = (shift.counter, shift.at, shift.teller)
    found: list[ShiftRow] = []
    for counter in connection.execute(select(shift.counter).distinct()).scalars().all():
        before = connection.execute(
            select(*columns)
            .where(shift.counter == counter, shift.at < begin_ms)
            .order_by(shift.at.desc(), shift.event_id.desc())
            .limit(1)
        )
        within = connection.execute(
            select(*columns)
            .where(shift.counter == counter, shift.at >= begin_ms, shift.at < end_ms)
            .order_by(shift.at, shift.event_id)
        )
        found += [ShiftRow(*row) for row in (*before, *within)]
    return found
