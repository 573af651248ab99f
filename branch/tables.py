"""The tables that pages and reports read, and the queue's phases as conditions on them."""

from sqlalchemy import BigInteger, Column, ColumnElement, Integer, String, Table

from sync.inbox import metadata

about_table = Table(
    "about",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("value", String(64), nullable=False),
)

ticket_table = Table(
    "ticket",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("number", String(8), nullable=False),
    Column("business_date", String(10), nullable=False),
    Column("service", String(1), nullable=False),
    Column("segment", String(16), nullable=False),
    Column("node", String(32), nullable=False),
    Column("issued_at", BigInteger, nullable=False),
    Column("paper", String(12), nullable=False, default="pending"),
    Column("outcome", String(12), nullable=False, default="open"),
    Column("counter", Integer),
    Column("called_at", BigInteger),
    Column("started_at", BigInteger),
    Column("ended_at", BigInteger),
)

rating_table = Table(
    "rating",
    metadata,
    Column("event_id", String(36), primary_key=True),
    Column("ticket", String(36), unique=True),
    Column("counter", Integer, nullable=False),
    Column("score_1to5", Integer, nullable=False),
    Column("kind", String(12), nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("interpreter", String(40), nullable=False, default=""),
)

visit_table = Table(
    "visit",
    metadata,
    Column("nonce", BigInteger, primary_key=True),
    Column("ticket", String(36), nullable=False),
    Column("counter", Integer, nullable=False),
)

device_table = Table(
    "device",
    metadata,
    Column("node", String(32), primary_key=True),
    Column("device", String(32), primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("state", String(16), nullable=False),
    Column("detail", String(80), nullable=False),
    Column("at", BigInteger, nullable=False),
)

# The phases of branch.queue as the table shows them.
OPEN = ticket_table.c.outcome == "open"
UNSTARTED = ticket_table.c.started_at.is_(None)
UNCALLED = (OPEN, ticket_table.c.called_at.is_(None))
WAITING = (*UNCALLED, ticket_table.c.paper != "pending")


def at_counter(counter: int) -> ColumnElement[bool]:
    """The ticket is, or was last, at this counter."""
    return ticket_table.c.counter == counter
