"""The five commands of every visit: next, recall, start, no-show, finish.

Each is synchronous between its checks and its commit, so two tellers that call at the same instant
get two tickets.
"""

from sqlalchemy.exc import SQLAlchemyError

from branch.desk import Desk, Record
from branch.errors import NotStored
from branch.pads import PadControl
from branch.queue import Engine, QueueTicket, TicketPhase
from branch.store import Store
from branch.view import CommandRefused
from sync.clock import Clock
from sync.messages import AtCounterData, CalledData, EndedData

NONCE_BITS = 32


class Visits:
    """Commands are carried out, or raise CommandRefused or NotStored and change nothing."""

    def __init__(
        self,
        engine: Engine,
        clock: Clock,
        record: Record,
        desk: Desk,
        pads: PadControl,
        store: Store,
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._record = record
        self._desk = desk
        self._pads = pads
        self._store = store

    def call_next(self, counter: int, key: str) -> None:
        slot = self._engine.counters[counter]
        if slot.ticket is not None:
            raise CommandRefused("busy", f"{slot.ticket.number} is still at counter {counter}")
        self._desk.must_be_open(counter)
        self._desk.wake()
        now_ms = self._clock.wall_ms()
        choice = self._engine.choose(counter, now_ms)
        if choice is None:
            raise CommandRefused("nobody_waiting", f"nobody waits for counter {counter}")
        data = CalledData(
            counter=counter,
            wait_ms=max(0, now_ms - choice.ticket.issued_at),
            key=key,
            reason=choice.reason,
            score_ms=choice.score_ms,
        )
        self._record("ticket.called", data, choice.ticket)
        self._pads.disarm(counter, key)

    def recall(self, counter: int, key: str) -> None:
        ticket = self._called(counter)
        self._desk.may_recall(ticket)
        self._record("ticket.recalled", AtCounterData(counter=counter, key=key), ticket)

    def start(self, counter: int, key: str) -> None:
        ticket = self._called(counter)
        self._record("service.started", AtCounterData(counter=counter, key=key), ticket)

    def miss(self, counter: int, key: str) -> None:
        ticket = self._called(counter)
        self._record("ticket.missed", AtCounterData(counter=counter, key=key), ticket)

    def finish(self, counter: int, key: str) -> None:
        ticket = self._current(counter)
        if self._desk.goes_on(counter, ticket, key):
            return
        service_ms = self._desk.service_ms(ticket)
        nonce = 0
        if self._pads.node_of(counter):
            nonce = self._new_nonce()
        data = EndedData(
            counter=counter,
            key=key,
            service_ms=service_ms,
            nonce=nonce,
            visit_ms=ticket.served_ms + service_ms,
        )
        self._record("service.ended", data, ticket)
        if nonce:
            self._pads.arm(counter, ticket.id, nonce, key)

    def _new_nonce(self) -> int:
        """One that no visit has: 32 bits meet again after some ten thousand visits."""
        try:
            while True:
                nonce = self._clock.random_bits(NONCE_BITS)
                if nonce and not self._store.knows_nonce(nonce):
                    return nonce
        except SQLAlchemyError as error:
            raise NotStored("the visits cannot be read; try again") from error

    def _current(self, counter: int) -> QueueTicket:
        ticket = self._engine.counters[counter].ticket
        if ticket is None:
            raise CommandRefused("no_ticket", f"no ticket is at counter {counter}")
        return ticket

    def _called(self, counter: int) -> QueueTicket:
        ticket = self._current(counter)
        if ticket.phase is TicketPhase.SERVING:
            raise CommandRefused("already_serving", f"{ticket.number} is being served")
        return ticket
