"""Numbers of band 0, given to kiosks one at a time, and what the server knows of all numbers.

A number is durable here before the kiosk hears of it, so no other kiosk gets it. One key of a node
is one number, however often it is asked for.

A server whose database was copied back does not know what it gave since the copy was made. Two
rules keep it from giving a number again:

* After each start it gives none until every kiosk that used band 0 in the last 14 days has greeted
  it and has delivered what it had then.
* A greeting that shows lost events (the kiosk has them acknowledged, the ledger has not) closes
  band 0 for this business date. That is kept in the database.

Meanwhile the kiosks give numbers of their own bands. What remains: a kiosk that used band 0 for
the first time after the copy was made and is away now; a number that it holds can be given again
if every kiosk that has greeted lost nothing.
"""

from collections.abc import Collection, Sequence
from datetime import date, datetime, timedelta, tzinfo

import structlog
from sqlalchemy import Connection, Table, func, insert, select, union
from sqlalchemy.exc import SQLAlchemyError

from branch.store import Store
from branch.tables import about_table, grant_table, seen_table
from sync.clock import Clock
from sync.errors import BadMessage
from sync.inbox import Accepted
from sync.ledger import dialect, node_table
from sync.messages import AskNumber, Hello, NumberGrant

LAST_IN_BAND = 999
WATCHED_DAYS = 14
"""Kiosks that used band 0 so recently must greet a server that has just started."""
KEY_LENGTH = 64
EXHAUSTED, CLOSED, WAITING_FOR, NOT_STORED, KEY_REUSED = (
    "exhausted",
    "closed_until_next_day",
    "waiting_for_kiosks",
    "not_stored",
    "key_reused",
)
"""Why no number is given: the kiosk gives one of its own."""
_CLOSED_ROW = "band0_closed"

log = structlog.get_logger()


class Grants:
    """``services`` are the letters that exist here, ``tz`` is the branch's time zone. Raises
    SQLAlchemyError when the database cannot be read.
    """

    def __init__(
        self, store: Store, clock: Clock, services: Collection[str], tz: tzinfo | None = None
    ) -> None:
        self._store = store
        self._clock = clock
        self._services = services
        self._tz = tz
        self._greeted: dict[str, tuple[int, int]] = {}  # node -> epoch and top at its hello
        with store.reading() as connection:
            self._closed = _about(connection)
            self._missing = _users(connection)

    @property
    def waits_for(self) -> frozenset[str]:
        """Nodes that have not greeted this start of the server, or have not delivered yet."""
        return frozenset(self._missing)

    def greeted(self, node: str, hello: Hello, mark: Accepted) -> None:
        """A node's hello, and what the ledger has of it. Raises nothing: the welcome must go."""
        self._greeted[node] = (hello.epoch, hello.top_seq)
        behind = hello.epoch > mark.epoch or (hello.epoch == mark.epoch and hello.acked > mark.hw)
        if behind and hello.acked:
            self._close(node)

    def ask(self, node: str, ask: AskNumber) -> NumberGrant:
        """The number for ``ask``, durable; or 0 with the reason. Raises BadMessage."""
        self._check(ask)
        number, reason = 0, ""
        try:
            with self._store.transaction() as connection:
                number, reason = self._give(connection, node, ask)
        except SQLAlchemyError:
            number, reason = 0, NOT_STORED
            log.error("grants.not_stored", node=node, error=self._store.failure)
        return NumberGrant(
            key=ask.key,
            service=ask.service,
            business_date=ask.business_date,
            number=number,
            reason=reason,
        )

    def _check(self, ask: AskNumber) -> None:
        try:
            fits = date.fromisoformat(ask.business_date).isoformat() == ask.business_date
        except ValueError:
            fits = False
        if not fits:
            raise BadMessage(f"business_date {ask.business_date!r}: expected YYYY-MM-DD")
        if ask.service not in self._services:
            raise BadMessage(f"service {ask.service!r} is not one of this branch")
        if not 0 < len(ask.key) <= KEY_LENGTH:
            raise BadMessage(f"key of {len(ask.key)} characters: expected 1 to {KEY_LENGTH}")
        if not 0 <= ask.floor <= LAST_IN_BAND:
            raise BadMessage(f"floor {ask.floor}: expected 0 to {LAST_IN_BAND}")

    def _give(self, connection: Connection, node: str, ask: AskNumber) -> tuple[int, str]:
        if ask.business_date <= self._closed:
            return 0, CLOSED
        if self._still_missing(connection):
            return 0, WAITING_FOR
        given = connection.execute(
            select(grant_table).where(grant_table.c.node == node, grant_table.c.key == ask.key)
        ).one_or_none()
        if given is not None:
            same = (given.business_date, given.service) == (ask.business_date, ask.service)
            return (given.number, "") if same else (0, KEY_REUSED)
        last = max(ask.floor, *(self._highest(connection, table, ask) for table in _SOURCES))
        if last >= LAST_IN_BAND:
            return 0, EXHAUSTED
        connection.execute(
            insert(grant_table).values(
                business_date=ask.business_date, service=ask.service, number=last + 1, node=node,
                key=ask.key, at=self._clock.wall_ms(),
            )
        )  # fmt: skip
        return last + 1, ""

    @staticmethod
    def _highest(connection: Connection, table: Table, ask: AskNumber) -> int:
        query = select(func.max(_SOURCES[table])).where(
            table.c.business_date == ask.business_date, table.c.service == ask.service
        )
        if table is seen_table:
            query = query.where(table.c.band == 0)
        return int(connection.execute(query).scalar_one() or 0)

    def _still_missing(self, connection: Connection) -> bool:
        for node in tuple(self._missing):
            if node not in self._greeted:
                continue
            mark = connection.execute(
                select(node_table.c.epoch, node_table.c.hw).where(node_table.c.node == node)
            ).one_or_none()
            epoch, top = self._greeted[node]
            if not top or (mark is not None and mark.epoch == epoch and mark.hw >= top):
                self._missing.discard(node)
        return bool(self._missing)

    def _close(self, node: str) -> None:
        """Close band 0 up to today, and up to the newest date of any ticket or grant."""
        today = datetime.fromtimestamp(self._clock.wall_ms() / 1000, self._tz).date().isoformat()
        newest = ""
        try:
            with self._store.transaction() as connection:
                for table in _SOURCES:
                    query = select(func.max(table.c.business_date))
                    newest = max(newest, connection.execute(query).scalar_one() or "")
                closed = max(today, newest, self._closed)
                if closed == self._closed:
                    return
                statement = dialect(connection).insert(about_table)
                connection.execute(
                    statement.values(name=_CLOSED_ROW, value=closed).on_conflict_do_update(
                        index_elements=["name"], set_={"value": closed}
                    )
                )
        except SQLAlchemyError:
            log.error("grants.not_stored", node=node, error=self._store.failure)
        self._closed = max(today, newest, self._closed)
        log.error("grants.closed", node=node, until_after=self._closed, cause="lost events")


_SOURCES = {grant_table: grant_table.c.number, seen_table: seen_table.c.last}
"""Where numbers that are taken stand."""


def _about(connection: Connection) -> str:
    row = connection.execute(
        select(about_table.c.value).where(about_table.c.name == _CLOSED_ROW)
    ).one_or_none()
    return str(row.value) if row else ""


def _users(connection: Connection) -> set[str]:
    """Nodes that used band 0 within WATCHED_DAYS of the newest date that anybody did."""
    used = union(
        select(grant_table.c.node, grant_table.c.business_date),
        select(seen_table.c.node, seen_table.c.business_date).where(seen_table.c.band == 0),
    ).subquery()
    newest = connection.execute(select(func.max(used.c.business_date))).scalar_one()
    try:
        since = date.fromisoformat(newest or "") - timedelta(days=WATCHED_DAYS)
    except (ValueError, OverflowError):
        return {row.node for row in connection.execute(select(used.c.node).distinct())}
    query = select(used.c.node).where(used.c.business_date >= since.isoformat()).distinct()
    nodes: Sequence[str] = connection.execute(query).scalars().all()
    return set(nodes)
