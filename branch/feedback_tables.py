"""What visitors said besides a rating, as tables, and from events to them. Inside the caller's
transaction.
"""

from collections.abc import Iterator

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Index,
    Integer,
    String,
    Table,
    delete,
    func,
    select,
    update,
)

from branch.figures import Voice
from branch.tables import ticket_table
from sync.ledger import dialect, metadata
from sync.messages import (
    ComplaintAnswered,
    ComplaintOpened,
    ComplaintReopened,
    ComplaintTaken,
    Event,
    FeedbackGiven,
    SuggestionMade,
    UnknownEvent,
)

CODE_LENGTH = 16
BY_LENGTH = 64

complaint_table = Table(
    "complaint",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("number", String(16), nullable=False),
    Column("topic", String(CODE_LENGTH), nullable=False),
    Column("business_date", String(10), nullable=False),
    Column("due_date", String(10), nullable=False),
    Column("node", String(32), nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("owner", String(BY_LENGTH)),  # "": taken where nobody signs in
    Column("answered_at", BigInteger),
    Column("answered_by", String(BY_LENGTH)),
    Index("complaint_by_date", "business_date"),
)

answer_table = Table(
    "complaint_answer",
    metadata,
    Column("complaint", String(36), primary_key=True),
    Column("outcome", String(CODE_LENGTH), nullable=False),  # "": nobody said which
)
"""How a complaint was answered; no row while it is open."""

reason_table = Table(
    "reason",
    metadata,
    Column("event_id", String(36), primary_key=True),
    Column("ticket", String(36), unique=True),  # null: whose it is, is not known
    Column("reason", String(CODE_LENGTH), nullable=False),
    Column("channel", String(CODE_LENGTH), nullable=False),
    Column("counter", Integer, nullable=False),
    Column("at", BigInteger, nullable=False),
    Index("reason_by_time", "at"),
)
"""One a ticket: the first."""

suggestion_table = Table(
    "suggestion",
    metadata,
    Column("event_id", String(36), primary_key=True),
    Column("topic", String(CODE_LENGTH), nullable=False),
    Column("direction", String(CODE_LENGTH), nullable=False),
    Column("business_date", String(10), nullable=False),
    Column("at", BigInteger, nullable=False),
    Index("suggestion_by_date", "business_date"),
)


def project_feedback(connection: Connection, item: Event | UnknownEvent, at: int) -> None:
    """Bring the tables up to ``item``, which happened ``at`` (Unix ms); any other event changes
    nothing.
    """
    match item:
        case FeedbackGiven(data=given):
            _add(
                connection, reason_table, event_id=item.id, ticket=item.sub,
                reason=given.reason[:CODE_LENGTH], channel=given.channel[:CODE_LENGTH],
                counter=given.counter, at=at,
            )  # fmt: skip
        case SuggestionMade(data=made):
            _add(
                connection, suggestion_table, event_id=item.id, topic=made.topic[:CODE_LENGTH],
                direction=made.direction[:CODE_LENGTH], business_date=made.business_date[:10],
                at=at,
            )  # fmt: skip
        case ComplaintOpened(data=opened):
            _add(
                connection, complaint_table, id=item.id, number=opened.number[:16],
                topic=opened.topic[:CODE_LENGTH], business_date=opened.business_date[:10],
                due_date=opened.due_date[:10], node=item.src, at=at,
            )  # fmt: skip
        case ComplaintTaken(data=taken):
            _of(connection, taken.complaint, owner=taken.by[:BY_LENGTH])
        case ComplaintAnswered(data=answered):
            first = _of(
                connection, answered.complaint, answered_at=at,
                answered_by=answered.by[:BY_LENGTH],
            )  # fmt: skip
            if first:
                _add(
                    connection, answer_table, complaint=answered.complaint,
                    outcome=answered.outcome[:CODE_LENGTH],
                )  # fmt: skip
        case ComplaintReopened(data=reopened):
            _reopen(connection, reopened.complaint)
        case _:
            pass


def voices(connection: Connection, date: str) -> Iterator[Voice]:
    """What was said on a business date, and how often. Raises SQLAlchemyError."""
    reason, ticket = reason_table.c, ticket_table.c
    asked = {
        "reason": select(reason.reason, func.count())
        .join(ticket_table, ticket.id == reason.ticket)
        .where(ticket.business_date == date)
        .group_by(reason.reason),
    }
    for kind, table in (("suggestion", suggestion_table), ("complaint", complaint_table)):
        columns = table.c
        asked[kind] = (
            select(columns.topic, func.count())
            .where(columns.business_date == date)
            .group_by(columns.topic)
        )
    for kind, query in asked.items():
        for code, n in connection.execute(query):
            yield Voice(kind, code, n)


def _add(connection: Connection, table: Table, **values: object) -> None:
    connection.execute(dialect(connection).insert(table).values(**values).on_conflict_do_nothing())


def _of(connection: Connection, complaint: str, **values: object) -> bool:
    """An answer is given once: nothing is changed after it; returns whether it was."""
    columns = complaint_table.c
    changed = connection.execute(
        update(complaint_table)
        .where(columns.id == complaint, columns.answered_at.is_(None))
        .values(**values)
    )
    return changed.rowcount > 0


def _reopen(connection: Connection, complaint: str) -> None:
    connection.execute(
        update(complaint_table)
        .where(complaint_table.c.id == complaint)
        .values(answered_at=None, answered_by=None)
    )
    connection.execute(delete(answer_table).where(answer_table.c.complaint == complaint))
