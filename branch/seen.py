"""The highest number that each kiosk gave, by business date, service and band: a small table kept
beside the tickets.

A kiosk whose card was restored learns from it where to go on; the server learns from it which
numbers of band 0 are taken.
"""

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, select

from branch.tables import seen_table
from sync.errors import BadMessage
from sync.ledger import dialect, event_table
from sync.messages import AnyEvent, LastNumber, TicketIssued, UnknownEvent, decode_event

NEWEST_DATES = 2
"""Business dates of a node that a welcome speaks of: today's and the one before."""
BACKFILL_ROWS = 1_000

_Place = tuple[str, str, str, int]  # node, business date, service, band


def note_numbers(connection: Connection, events: Iterable[AnyEvent | UnknownEvent]) -> None:
    """Raise the highest numbers to those of ``events``."""
    highest: dict[_Place, int] = {}
    for event in events:
        if isinstance(event, TicketIssued):
            data = event.data
            place = (event.src, data.business_date, data.service, data.band)
            highest[place] = max(highest.get(place, 0), _number(data.number))
    rows = [
        {"node": node, "business_date": day, "service": letter, "band": band, "last": last}
        for (node, day, letter, band), last in highest.items()
        if last
    ]
    if not rows:
        return
    insert = dialect(connection).insert(seen_table)
    connection.execute(
        insert.on_conflict_do_update(
            index_elements=["node", "business_date", "service", "band"],
            set_={"last": insert.excluded.last},
            where=seen_table.c.last < insert.excluded.last,
        ),
        rows,
    )


def note_all(connection: Connection) -> None:
    """Fill an empty table from the ledger, which may be of a version that had no such table."""
    if connection.execute(select(seen_table.c.node).limit(1)).one_or_none() is not None:
        return
    rows = connection.execute(
        select(event_table.c.raw).where(event_table.c.type == "ticket.issued")
    )
    for raws in rows.partitions(BACKFILL_ROWS):
        note_numbers(connection, _readable(raw for (raw,) in raws))


def last_numbers(connection: Connection, node: str) -> list[LastNumber]:
    """The highest number of each band and service that ``node`` gave on its newest dates."""
    dates: Sequence[str] = (
        connection.execute(
            select(seen_table.c.business_date)
            .where(seen_table.c.node == node)
            .distinct()
            .order_by(seen_table.c.business_date.desc())
            .limit(NEWEST_DATES)
        )
        .scalars()
        .all()
    )
    rows = connection.execute(
        select(seen_table)
        .where(seen_table.c.node == node, seen_table.c.business_date.in_(dates))
        .order_by(seen_table.c.business_date, seen_table.c.service, seen_table.c.band)
    )
    return [
        LastNumber(
            business_date=row.business_date, service=row.service, band=row.band, last=row.last
        )
        for row in rows
    ]


def _number(display: str) -> int:
    """The three digits of A1042 or A042, 0 for what is no number."""
    digits = display[-3:]
    return int(digits) if len(digits) == 3 and digits.isascii() and digits.isdigit() else 0


def _readable(raws: Iterable[bytes]) -> Iterable[AnyEvent | UnknownEvent]:
    for raw in raws:
        try:
            yield decode_event(raw)
        except BadMessage:
            continue  # the store tells of rows that it cannot read
