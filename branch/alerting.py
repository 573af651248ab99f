"""Alerts at work: what is wrong in the hall is raised and cleared in the ledger, and told to
everybody who listens.

The alerts are events of the server's own. So a restart, or a kill between two of them, finds the
same alerts open and says nothing twice, and who saw to one stands in the ledger.
"""

import asyncio
import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import structlog
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from branch.alert_book import (
    BY_HAND,
    DEVICE,
    HELP,
    NO_SLIP,
    UNHAPPY,
    VIP,
    AlertBook,
    OpenAlert,
)
from branch.alert_spool import AlertSpool
from branch.errors import NotStored
from branch.help_calls import HelpCalls
from branch.ingest import NodeRow
from branch.queue import Engine, QueueTicket
from branch.standards import Standards
from branch.store import Store
from branch.tables import rating_table, ticket_table
from branch.view import CommandRefused
from sync.alerts import (
    Alert,
    AlertCleared,
    AlertData,
    AlertRaised,
    AlertReopened,
    AlertTaken,
    OfAlertData,
)
from sync.clock import Clock
from sync.errors import BadMessage
from sync.messages import (
    AnyEvent,
    AssistanceRequested,
    DeviceChanged,
    Payload,
    RatingSubmitted,
    TicketPrinted,
    TicketPrintFailed,
    UnknownEvent,
    decode,
    encode,
)
from sync.topics import ALERT
from sync.transport import Message, Transport

LOOK_EVERY_S = 4.0
"""What no event tells of (nodes, the server's own parts) is looked at this often."""
LOOK_ANYWAY_S = 60.0
"""All of it is looked at this often, and at each event, and when a standard will be broken."""
LOW_SCORES = (1, 2)
ASKS_FOR_A_PERSON = "priority"
"""The segment of a kiosk's "a person, please"."""
TOLD = {ASKS_FOR_A_PERSON: HELP, "vip": VIP}
"""Segments that somebody should go to, and the kind of the alert: it ends with the call."""
WRONG_STATES = ("fault", "lost")
PRINTER = "printer"

log = structlog.get_logger()

Record = Callable[[str, Payload, QueueTicket | None], None]


@dataclass(slots=True)
class _Faults:
    """The last word on each device, and on the paper of each waiting ticket."""

    devices: dict[tuple[str, str], AlertData] = field(default_factory=dict)
    no_slip: dict[str, tuple[str, int]] = field(default_factory=dict)  # ticket: node, since
    calls: HelpCalls = field(default_factory=HelpCalls)


@dataclass(frozen=True, slots=True)
class Watched:
    """What the alerts look at besides the queue. ``date_of`` tells the business date of a time
    (Unix ms).
    """

    node: str
    nodes: Callable[[], Mapping[str, NodeRow]]
    own_alerts: Callable[[], Sequence[str]]
    date_of: Callable[[int], str]


class Alerting:
    """``note`` takes every event once the queue has it, those of the ledger at the start too."""

    def __init__(
        self,
        engine: Engine,
        standards: Standards,
        clock: Clock,
        store: Store,
        transport: Transport,
        record: Record,
        watched: Watched,
    ) -> None:
        self.book = AlertBook()
        self._engine = engine
        self._standards = standards
        self._clock = clock
        self._store = store
        self._transport = transport
        self._record = record
        self._watched = watched
        self._faults = _Faults()
        self._presses: dict[str, AlertData | None] = {}  # by event; None: not looked up yet
        self._pressed_at: dict[str, int] = {}
        self._node_since: dict[str, int] = {}
        self._spool = AlertSpool(store, watched.node, "mqtt")
        self._untold = True  # there may be words that were not published
        self._told = 0  # the place of the last one that was, since the channel came up
        self._under_way: dict[str, int] = {}  # places of those that did not come back yet
        self._polled: object = None  # what was looked at last of that which no event tells
        self._news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    # --- what happens -------------------------------------------------------------------------

    def note(self, event: AnyEvent | UnknownEvent) -> None:
        """An event that the queue has taken."""
        if isinstance(event, UnknownEvent):
            return
        at = self._engine.at(event)
        match event:
            case RatingSubmitted(data=press) if press.score_1to5 in LOW_SCORES:
                self._presses[event.id], self._pressed_at[event.id] = None, at
            case DeviceChanged(data=said):
                device = (event.src, said.device)
                if said.state in WRONG_STATES:
                    self._faults.devices[device] = AlertData(
                        kind=DEVICE,
                        breach=f"{DEVICE}:{event.src}:{said.device}",
                        since_ms=at,
                        node=event.src,
                        device=said.device,
                        detail=said.detail or said.state,
                    )
                else:
                    self._faults.devices.pop(device, None)
            case AssistanceRequested():
                ticket = self._engine.tickets.get(event.sub or "")
                self._faults.calls.note(event, at, ticket, self.book)
            case TicketPrintFailed() if event.src != self._watched.node:
                self._faults.no_slip[event.sub or ""] = (event.src, at)
            case TicketPrinted():
                self._faults.no_slip.pop(event.sub or "", None)
            case AlertRaised() | AlertCleared() | AlertReopened() | AlertTaken():
                self.book.note(event, at)
                self._untold = True
            case _:
                pass
        self._news.set()

    async def open(self) -> None:
        """Begin to look."""
        self._task = asyncio.create_task(self._keep_looking(), name="alerts")

    async def close(self) -> None:
        """Look no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def look(self) -> float:
        """Raise and clear what is due; returns after how many seconds to look again. Raises
        NotStored, SQLAlchemyError.
        """
        now_ms = self._clock.wall_ms()
        self._polled = self._poll()
        broken, upcoming_ms = self._standards.breaches(now_ms, self.book.open)
        wrong = {one.breach: one for one in (*broken, *self._others(now_ms))}
        for cleared in self.book.clears(wrong, now_ms):
            self._say("alert.cleared", cleared, self.book.open[cleared.breach].data.ticket)
        for one in self.book.raises(wrong):
            self._say("alert.raised", one, one.ticket)
        self._tell()
        due_ms = [at for at in (upcoming_ms, self.book.held_until()) if at is not None]
        return max(0.0, min([LOOK_ANYWAY_S, *((at - now_ms) / 1000 for at in due_ms)]))

    def _poll(self) -> object:
        nodes = self._watched.nodes()
        heard = [(name, row.status, row.alerts) for name, row in nodes.items()]
        return heard, list(self._watched.own_alerts())

    async def _keep_looking(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            self._news.clear()
            wait_s = LOOK_EVERY_S
            try:
                wait_s = self.look()
            except NotStored:
                pass  # logged already; the next look is another try
            except SQLAlchemyError as error:
                log.error("alerts.not_read", error=str(error))
            except Exception:
                # The next look is another try; a dead task would raise nothing any more.
                log.exception("alerts.broken")
            until_s = loop.time() + wait_s
            while (left_s := until_s - loop.time()) > 0 and not self._news.is_set():
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(min(left_s, LOOK_EVERY_S)):
                        await self._news.wait()
                if self._poll() != self._polled or (self._untold and self._transport.connected):
                    break

    def _tell(self) -> None:
        """Publish the words that have not been: while the channel is down they wait. One is done
        with when the broker has sent it back to us, as to everybody.
        """
        now_ms = self._clock.wall_ms()
        while self._untold and self._transport.connected:
            found = self._spool.next(self._told)
            if found is None:
                self._untold = False
                return
            place, alert = found
            if now_ms - alert.ts > (ALERT.expiry_s or 0) * 1000:
                self._spool.done(place)  # nobody would get it any more
            elif not self._transport.publish(ALERT, ALERT.of(), encode(alert)):
                return
            else:
                self._under_way[alert.id] = place
            self._told = place

    def connected(self) -> None:
        """The channel is up: what did not come back is published again."""
        self._told, self._untold = 0, True
        self._under_way.clear()
        self._news.set()

    def heard(self, messages: list[Message]) -> list[Message]:
        """Those that are not our own alerts."""
        others = []
        for message in messages:
            if message.topic != ALERT.of():
                others.append(message)
                continue
            with contextlib.suppress(BadMessage, SQLAlchemyError):  # it is published again
                place = self._under_way.pop(decode(message.payload, Alert).id, None)
                if place is not None:
                    self._spool.done(place)
            message.done()
        return others

    def _say(self, event_type: str, data: Payload, ticket: str) -> None:
        self._record(event_type, data, self._engine.tickets.get(ticket))

    # --- what people say ------------------------------------------------------------------------

    def settle(self, alert_id: str, key: str, by: str) -> None:
        """Somebody has seen to the alert. Raises CommandRefused (unknown_alert, not_by_hand),
        NotStored.
        """
        if key in self.book.done:
            return
        alert = self._find(alert_id)
        reason = BY_HAND.get(alert.data.kind)
        if reason is None:
            raise CommandRefused("not_by_hand", "it is cleared when what is wrong is over")
        if alert.data.breach in self.book.seen:
            return  # somebody else was quicker
        now_ms = self._clock.wall_ms()
        self._say(
            "alert.cleared", self.book.cleared(alert, now_ms, reason, key, by), alert.data.ticket
        )

    def reopen(self, alert_id: str, key: str, by: str) -> None:
        """Take that back. Raises CommandRefused (unknown_alert), NotStored."""
        self._of("alert.reopened", alert_id, key, by)

    def take(self, alert_id: str, key: str, by: str) -> None:
        """Somebody goes. Raises CommandRefused (unknown_alert), NotStored."""
        self._of("alert.taken", alert_id, key, by)

    def _of(self, event_type: str, alert_id: str, key: str, by: str) -> None:
        if key in self.book.done:
            return
        alert = self._find(alert_id)
        data = OfAlertData(alert=alert.id, breach=alert.data.breach, key=key, by=by)
        self._say(event_type, data, alert.data.ticket)

    def _find(self, alert_id: str) -> OpenAlert:
        alert = self.book.find(alert_id)
        if alert is None:
            raise CommandRefused("unknown_alert", "this alert is over")
        return alert

    # --- what is wrong besides the standards ----------------------------------------------------

    def _others(self, now_ms: int) -> Iterator[AlertData]:
        yield from self._faults.devices.values()
        yield from self._nodes(now_ms)
        yield from self._unhappy(now_ms)
        yield from self._faults.calls.wanted(self.book, now_ms)
        waiting = [t for line in self._engine.lines.by_key.values() for t in line]
        for ticket in waiting:
            if kind := TOLD.get(ticket.segment):
                yield AlertData(
                    kind=kind,
                    breach=f"{kind}:{ticket.id}",
                    since_ms=ticket.issued_at,
                    service=ticket.service,
                    ticket=ticket.id,
                    number=ticket.number,
                    node=ticket.order[1],
                )
        yield from self._no_slips(waiting)

    def _no_slips(self, waiting: Sequence[QueueTicket]) -> Iterator[AlertData]:
        """One for each kiosk whose printer works again: while it does not, that is the alert."""
        found: dict[str, list[tuple[int, QueueTicket]]] = {}
        known = self._faults.no_slip
        for ticket in waiting if known else ():
            if ticket.id in known:
                node, since_ms = known[ticket.id]
                found.setdefault(node, []).append((since_ms, ticket))
        for gone in known.keys() - self._engine.tickets.keys():
            del known[gone]
        for node, tickets in found.items():
            if (node, PRINTER) in self._faults.devices:
                continue
            since_ms, first = min(tickets, key=lambda one: (one[0], one[1].order))
            yield AlertData(
                kind=NO_SLIP,
                breach=f"{NO_SLIP}:{node}",
                since_ms=since_ms,
                service=first.service,
                ticket=first.id,
                number=first.number,
                node=node,
                people=len(tickets),
            )

    def _nodes(self, now_ms: int) -> Iterator[AlertData]:
        found = dict[str, AlertData]()

        def add(node: str, detail: str) -> None:
            breach = f"{DEVICE}:{node}::{detail}"
            since_ms = self._node_since.setdefault(breach, now_ms)
            found[breach] = AlertData(
                kind=DEVICE, breach=breach, since_ms=since_ms, node=node, detail=detail
            )

        nodes = self._watched.nodes()
        for name, row in nodes.items():
            if row.status == "lost":
                add(name, "lost")
            for detail in row.alerts:
                add(name, detail)
        for detail in self._watched.own_alerts():
            add(self._watched.node, detail)
        for breach in self._node_since.keys() - found.keys():
            del self._node_since[breach]
        for breach, open_alert in self.book.open.items():
            # Nothing was heard of it since the start: what was wrong is wrong until it says so.
            data = open_alert.data
            unheard = data.node not in nodes and data.node != self._watched.node
            if data.kind == DEVICE and not data.device and unheard:
                found.setdefault(breach, data)
        yield from found.values()

    def _unhappy(self, now_ms: int) -> Iterator[AlertData]:
        today = self._watched.date_of(now_ms)
        for event_id, at in list(self._pressed_at.items()):
            if self._watched.date_of(at) != today:
                del self._pressed_at[event_id], self._presses[event_id]
                continue
            data = self._presses[event_id]
            if data is None:
                data = self._looked_up(event_id, at)
                if data is None:
                    del self._pressed_at[event_id], self._presses[event_id]
                    continue
                self._presses[event_id] = data
            yield data

    def _looked_up(self, event_id: str, at: int) -> AlertData | None:
        """The press, if it is its visit's rating."""
        query = (
            select(
                rating_table.c.counter, rating_table.c.score_1to5, ticket_table.c.id,
                ticket_table.c.number, ticket_table.c.service,
            )
            .join(ticket_table, ticket_table.c.id == rating_table.c.ticket)
            .where(rating_table.c.event_id == event_id)
        )  # fmt: skip
        with self._store.reading() as connection:
            row = connection.execute(query).one_or_none()
        if row is None:
            return None
        return AlertData(
            kind=UNHAPPY,
            breach=f"{UNHAPPY}:{event_id}",
            since_ms=at,
            service=row.service,
            counter=row.counter,
            ticket=row.id,
            number=row.number,
            score_1to5=row.score_1to5,
        )
