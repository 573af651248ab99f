"""Head office's database: the ledger of every branch, and a count by branch, day and type that is
kept in the same transaction.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy import Column, Connection, Integer, String, Table, func, select, text

from branch.database import Database
from branch.errors import StoreUnusable
from branch.tables import about_table
from sync.errors import JournalUnusable
from sync.journal_file import Lock
from sync.ledger import dialect, event_table, metadata, node_table, quarantine_table, type_of
from sync.messages import AnyEvent, UnknownEvent

WRITER_LOCK = 0x10BB_1FEE
"""PostgreSQL advisory lock of the one program that writes."""

tally_table = Table(
    "tally",
    metadata,
    Column("branch", String(32), primary_key=True),
    Column("day", String(10), primary_key=True),
    Column("type", String(40), primary_key=True),
    Column("events", Integer, nullable=False),
)


class HqStore(Database):
    """Head office's database. One program writes it: a second one is refused."""

    def __init__(self, url: str) -> None:
        """Open or create the database. Raises StoreUnusable."""
        tables = (event_table, node_table, quarantine_table, about_table, tally_table)
        super().__init__(url, tables)
        self._writer: Connection | None = None
        self._lock: Lock | None = None
        if self._engine.dialect.name == "postgresql":
            self._writer = self._lock_server()
        else:
            self._lock = self._lock_file(self._engine.url.database or "")

    def _lock_file(self, path: str) -> Lock:
        try:
            return Lock(path)
        except JournalUnusable as error:
            self.close()
            raise StoreUnusable(str(error)) from None

    def _lock_server(self) -> Connection:
        connection = self._engine.connect()
        locked = connection.execute(
            text("SELECT pg_try_advisory_lock(:key)"), {"key": WRITER_LOCK}
        ).scalar_one()
        connection.commit()
        if not locked:
            connection.close()
            self.close()
            raise StoreUnusable(
                f"{self.name}: another lobby hq writes this database; end it, or give this one a"
                " database of its own"
            )
        return connection

    def close(self) -> None:
        """Release every connection, and with them the lock."""
        writer = getattr(self, "_writer", None)
        if writer is not None:
            writer.close()
        lock = getattr(self, "_lock", None)
        if lock is not None:
            lock.release()
        super().close()

    def project(
        self, connection: Connection, events: Sequence[AnyEvent | UnknownEvent]
    ) -> list[str]:
        """Count ``events`` by branch, day (UTC, by the event's own time) and type."""
        counts = Counter((item.src, _day(item.ts), type_of(item)) for item in events)
        if counts:
            insert = dialect(connection).insert(tally_table)
            statement = insert.on_conflict_do_update(
                index_elements=["branch", "day", "type"],
                set_={"events": tally_table.c.events + insert.excluded.events},
            )
            rows = [
                {"branch": branch, "day": day, "type": kind, "events": count}
                for (branch, day, kind), count in sorted(counts.items())
            ]
            connection.execute(statement, rows)
        return []

    def branches(self) -> list[dict[str, object]]:
        """Each branch with its epoch, committed mark and number of events."""
        totals = select(tally_table.c.branch, func.sum(tally_table.c.events)).group_by(
            tally_table.c.branch
        )
        with self.reading() as connection:
            events: dict[str, int] = {row[0]: int(row[1]) for row in connection.execute(totals)}
            rows = connection.execute(select(node_table).order_by(node_table.c.node))
            return [
                {
                    "branch": row.node,
                    "epoch": row.epoch,
                    "hw": row.hw,
                    "events": events.get(row.node, 0),
                }
                for row in rows
            ]


def _day(ts_ms: int) -> str:
    return f"{datetime.fromtimestamp(ts_ms / 1000, UTC):%Y-%m-%d}"
