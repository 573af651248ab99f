"""Alerts on their way out: the ledger is the spool, each way out has a cursor in it.

A word is given up to its way out in the order of the ledger and again until it is done with: at
least once, also over a restart; ``Alert.id`` tells a repeat.
"""

from sqlalchemy import ColumnElement, func, insert, select, update

from branch.store import Store
from branch.tables import about_table
from sync.alerts import Alert, AlertCleared, AlertData, AlertRaised, AlertReopened
from sync.ledger import event_table
from sync.messages import decode_event

_STATE = {"alert.raised": "raised", "alert.cleared": "cleared", "alert.reopened": "reopened"}


class AlertSpool:
    """The alerts that the way out ``name`` has not had; begins with what comes after its first
    start. Every method raises SQLAlchemyError.
    """

    def __init__(self, store: Store, node: str, name: str) -> None:
        self._store = store
        self._node = node
        self._about = f"alerts_{name}"
        self.dropped = 0
        """Words that were given up, since start."""
        with store.transaction() as connection:
            row = connection.execute(
                select(about_table.c.value).where(about_table.c.name == self._about)
            ).one_or_none()
            if row is None:
                top = connection.execute(select(func.max(event_table.c.place))).scalar() or 0
                connection.execute(insert(about_table).values(name=self._about, value=str(top)))
            self._place = int(row.value) if row is not None else top

    def next(self, after: int = 0) -> tuple[int, Alert] | None:
        """The oldest word that is not done, beyond the place ``after``, and its place; None when
        there is none.
        """
        found = self._rows(after)
        if not found:
            return None
        place, raw = found[0]
        return place, self._told(raw)

    def done(self, place: int) -> None:
        """The word at ``place`` and all before it are out."""
        if place <= self._place:
            return
        with self._store.transaction() as connection:
            connection.execute(
                update(about_table)
                .where(about_table.c.name == self._about)
                .values(value=str(place))
            )
        self._place = place

    def keep(self, most: int) -> None:
        """Give up the oldest words until ``most`` are left."""
        with self._store.reading() as connection:
            places = connection.execute(
                select(event_table.c.place).where(*self._those()).order_by(event_table.c.place)
            ).scalars().all()  # fmt: skip
        if len(places) > most:
            self.done(places[-most - 1])
            self.dropped += len(places) - most

    @property
    def waiting(self) -> int:
        """How many are not done."""
        with self._store.reading() as connection:
            query = select(func.count()).select_from(event_table).where(*self._those())
            return connection.execute(query).scalar_one()

    def _those(self) -> tuple[ColumnElement[bool], ...]:
        columns = event_table.c
        return (
            columns.place > self._place, columns.node == self._node, columns.type.in_(_STATE),
        )  # fmt: skip

    def _rows(self, after: int) -> list[tuple[int, bytes]]:
        columns = event_table.c
        query = (
            select(columns.place, columns.raw)
            .where(*self._those(), columns.place > after)
            .order_by(columns.place)
            .limit(1)
        )
        with self._store.reading() as connection:
            return [(row.place, row.raw) for row in connection.execute(query)]

    def _told(self, raw: bytes) -> Alert:
        event = decode_event(raw)
        if isinstance(event, AlertRaised):
            return told(event.id, event.id, "raised", event.ts, event.data)
        assert isinstance(event, AlertCleared | AlertReopened)
        reason = event.data.reason if isinstance(event, AlertCleared) else ""
        state = _STATE[str(event.__struct_config__.tag)]
        return told(event.id, event.data.alert, state, event.ts, self._raised(event), reason)

    def _raised(self, event: AlertCleared | AlertReopened) -> AlertData:
        with self._store.reading() as connection:
            query = select(event_table.c.raw).where(event_table.c.id == event.data.alert)
            raw = connection.execute(query).scalar_one_or_none()
        first = decode_event(raw) if raw is not None else None
        if isinstance(first, AlertRaised):
            return first.data
        return AlertData(kind="", breach=event.data.breach, since_ms=event.ts)


def told(word: str, alert: str, state: str, ts: int, data: AlertData, reason: str = "") -> Alert:
    """The message for one event of an alert."""
    return Alert(
        id=word, alert=alert, state=state, ts=ts, reason=reason,  # type: ignore[arg-type]
        **{name: getattr(data, name) for name in data.__struct_fields__},
    )  # fmt: skip
