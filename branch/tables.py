"""The tables that pages and reports read, and the queue's phases as conditions on them."""

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Index,
    Integer,
    String,
    Table,
    UniqueConstraint,
)

from sync.ledger import metadata

about_table = Table(
    "about",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("value", String(64), nullable=False),
)

SEGMENT_LENGTH = 16
TELLER_LENGTH = 64

ticket_table = Table(
    "ticket",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("number", String(8), nullable=False),
    Column("business_date", String(10), nullable=False),
    Column("service", String(1), nullable=False),
    Column("segment", String(SEGMENT_LENGTH), nullable=False),
    Column("node", String(32), nullable=False),
    Column("issued_at", BigInteger, nullable=False),
    Column("paper", String(12), nullable=False, default="pending"),  # "none": a walk-in
    Column("outcome", String(12), nullable=False, default="open"),
    Column("counter", Integer),
    Column("called_at", BigInteger),
    Column("started_at", BigInteger),
    Column("ended_at", BigInteger),
    Index("ticket_by_date", "business_date"),
)

leg_table = Table(
    "leg",
    metadata,
    Column("event_id", String(36), primary_key=True),  # of the event that ended it
    Column("ticket", String(36), nullable=False),
    Column("service", String(1), nullable=False),
    Column("counter", Integer, nullable=False),
    Column("called_at", BigInteger, nullable=False),
    Column("started_at", BigInteger),
    Column("ended_at", BigInteger, nullable=False),
    Column("ended_by", String(12), nullable=False),  # parked, transferred, returned, missed
    Index("leg_by_ticket", "ticket"),
)
"""Earlier parts of a visit; its last one stands in the ticket itself."""

forecast_table = Table(
    "wait_forecast",
    metadata,
    Column("ticket", String(36), primary_key=True),
    Column("service", String(1), nullable=False),
    Column("segment", String(SEGMENT_LENGTH), nullable=False),
    Column("rung", String(12), nullable=False),  # of branch.wait
    Column("ahead", Integer),
    Column("p10_ms", BigInteger),
    Column("p50_ms", BigInteger),
    Column("p90_ms", BigInteger),
)
"""What was forecast of a ticket's wait as it was accepted, for its service and segment of then; a
walk-in has none. No event makes these rows, so they cannot be made again.
"""

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
    Index("rating_by_time", "at"),
)

shift_table = Table(
    "shift",
    metadata,
    Column("event_id", String(36), primary_key=True),
    Column("counter", Integer, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("teller", String(TELLER_LENGTH), nullable=False),  # "": nobody known
    Index("shift_by_counter", "counter", "at"),
)
"""Who is at a counter from when on: opened, or closed again."""

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

seen_table = Table(
    "number_seen",
    metadata,
    Column("node", String(32), primary_key=True),
    Column("business_date", String(10), primary_key=True),
    Column("service", String(1), primary_key=True),
    Column("band", Integer, primary_key=True),
    Column("last", Integer, nullable=False),
    Index("number_seen_by_date", "business_date", "service", "band"),
)

grant_table = Table(
    "number_grant",
    metadata,
    Column("business_date", String(10), primary_key=True),
    Column("service", String(1), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("node", String(32), nullable=False),
    Column("key", String(64), nullable=False),
    Column("at", BigInteger, nullable=False),
    UniqueConstraint("node", "key", name="number_grant_key_once"),
)

command_table = Table(
    "command",
    metadata,
    Column("counter", Integer, primary_key=True),
    Column("command", String(16), primary_key=True),
    Column("key", String(64), primary_key=True),
    Column("code", String(32), nullable=False),  # "": there was nothing to do
    Column("message", String(200), nullable=False),
    Column("at", BigInteger, nullable=False),
    Index("command_by_time", "at"),
)
"""Answers to commands that made no event; the others' are in the ledger."""

configuration_table = Table(
    "configuration",
    metadata,
    Column("node", String(32), primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("wanted", String(64), nullable=False),  # SHA-256 of what is wanted, but for its version
    Column("issued_ms", BigInteger, nullable=False),
)

boot_table = Table(
    "boot",
    metadata,
    Column("node", String(32), primary_key=True),
    Column("boot", String(64), primary_key=True),
    Column("offset_ms", BigInteger, nullable=False),  # server's time less the boot's count
    Column("at_ms", BigInteger, nullable=False),  # the boot's count when that was known
    Column("err_ms", BigInteger),
    Column("source", String(8), nullable=False),
    Column("scale", String(64), nullable=False),  # the server's boot whose time it is
    Column("wall_offset_ms", BigInteger),  # of the server's own boot: its wall clock's
)

# The phases of branch.queue as the table shows them.
OPEN = ticket_table.c.outcome == "open"
UNSTARTED = ticket_table.c.started_at.is_(None)
UNCALLED = (OPEN, ticket_table.c.called_at.is_(None))
UNTOLD = (*UNCALLED, ticket_table.c.paper == "pending")
WAITING = (*UNCALLED, ticket_table.c.paper != "pending")


def at_counter(counter: int) -> ColumnElement[bool]:
    """The ticket is, or was last, at this counter."""
    return ticket_table.c.counter == counter
