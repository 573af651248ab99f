"""The programs of one simulated branch: devices and the server, each on files and a link of its
own, to be started, stopped, killed and put back to a copy.
"""

import asyncio
import random
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable
from datetime import UTC
from pathlib import Path

import msgspec

from branch.config import BranchConfig, BranchName, CounterConfig, ServiceConfig
from branch.errors import NotStored
from branch.service import BranchService
from branch.store import Store
from branch.view import CommandRefused
from simulator.prove.network import Network
from simulator.prove.seed_oracle import Oracle
from sync.clock import Clock
from sync.inbox import Inbox
from sync.journal import Journal
from sync.journal_transaction import Transaction
from sync.messages import (
    Command,
    DeviceData,
    IssuedData,
    PadRef,
    Payload,
    PrintedData,
    PrintFailedData,
    State,
    UnsolicitedData,
    VoidedData,
    encode,
)
from sync.mqtt import Will
from sync.outbox import Outbox
from sync.topics import SRV_STATE, STATE

BRANCH = "branch"
LEDGER = "ledger.db"
START_MS = 1_767_225_600_000
"""2026-01-01 00:00 UTC."""
DATE = "2026-01-01"
SERVICES = "A"
COUNTERS = (1, 2)
PRINTED, FAILED, VOIDED = 0.7, 0.15, 0.1
"""Shares of the tickets; the rest is never heard of again."""

Card = dict[str, bytes]
"""A database's files at one moment: what is found when the power comes back."""


class Node(ABC):
    """What devices and server have in common: a folder, a clock, an on/off switch."""

    def __init__(self, name: str, folder: Path, network: Network, chance: random.Random) -> None:
        self.name = name
        self.folder = folder / name
        self.folder.mkdir()
        self.network = network
        self.chance = chance
        self.figures: Counter[str] = Counter()
        self.complaints: list[str] = []
        """What the program counted that honest peers never cause."""
        self.on = False
        self.not_before_s = 0.0
        self._link = network.link(name)  # one that never connects, until the first start
        self._skew_ms = chance.randint(-3000, 3000)
        self._starts = 0

    @abstractmethod
    async def start(self) -> None:
        """Open the files and join the feed."""

    @abstractmethod
    async def stop(self, *, kill: bool) -> None:
        """End in good order, or without a word: a killed program writes nothing any more."""

    @property
    def path(self) -> Path:
        """The file that must not be lost."""
        return self.folder / LEDGER

    def clock(self) -> Clock:
        """A clock of a new boot."""
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        self._starts += 1
        return Clock(
            wall_ms=lambda: START_MS + self._skew_ms + round(loop.time() * 1000),
            mono_ms=lambda: round((loop.time() - began_s) * 1000),
            boot=f"{self.name}-{self._starts}",
            random_bits=self.chance.getrandbits,
        )

    def copy(self) -> Card:
        """The files as they are on the medium now."""
        paths = (self.path, self.path.with_name(self.path.name + "-wal"))
        return {path.name: path.read_bytes() for path in paths if path.exists()}

    def put_back(self, card: Card) -> None:
        """Another medium is in the machine now."""
        for path in list(self.folder.iterdir()):
            path.unlink()
        for name, content in card.items():
            (self.folder / name).write_bytes(content)

    def complain(self, **counts: int) -> None:
        """Note counters that must be 0."""
        for name, count in counts.items():
            if count:
                self.complaints.append(f"{self.name} counts {name} {count}")


class Device(Node):
    """A kiosk as the exchange knows it: a journal, and an outbox that sends it."""

    def __init__(
        self,
        number: int,
        folder: Path,
        network: Network,
        chance: random.Random,
        oracle: Oracle,
        *,
        server_file: Path,
        check_chain: bool,
    ) -> None:
        """``server_file`` is the server's ledger, to look into."""
        super().__init__(f"kiosk-{number}", folder, network, chance)
        self._band = number
        self._server_file = server_file
        self._oracle = oracle
        self._check_chain = check_chain
        self._given = 0
        self._pending: list[str] = []  # tickets of which nothing more was said
        self._journal: Journal | None = None
        self._outbox: Outbox | None = None

    async def start(self) -> None:
        journal = Journal(self.path, node=self.name, clock=self.clock())
        lost = State(node=self.name, status="lost", connect=0)
        self._link = self.network.link(
            self.name, Will(STATE, STATE.of(node=self.name), encode(lost))
        )

        async def refuse(command: Command) -> None:
            raise ValueError(f"no pad here for {command}")

        self._journal = journal
        self._outbox = Outbox(
            journal, self._link, version="seeds", on_command=refuse, check_chain=self._check_chain
        )
        self.on = True
        await self._outbox.start()

    async def stop(self, *, kill: bool) -> None:
        assert self._journal is not None
        assert self._outbox is not None
        journal, outbox = self._journal, self._outbox
        self.on = False
        self.complain(bad_messages=outbox.bad_messages, failed_handlers=outbox.failed_handlers)
        self.figures["events_resent"] += outbox._session.resent  # noqa: SLF001 - has no other way out
        if kill:
            self._link.abandon()
            journal.close()
        await outbox.stop()
        journal.close()

    @property
    def at_rest(self) -> bool:
        """Whether the outbox believes that all is done."""
        return bool(self.on and self._outbox and self._outbox.online) and (
            self._outbox is not None and not self._outbox.unacknowledged
        )

    @property
    def state(self) -> str:
        """Where the session stands, for a sentence."""
        if self._journal is None or self._outbox is None:
            return f"{self.name} never started"
        greeted = "greeted" if self._outbox.online else "not greeted"
        return (
            f"{self.name} {'on' if self.on else 'off'}, {greeted},"
            f" {self._outbox.unacknowledged} unacknowledged, journal at"
            f" {self._journal.epoch}/{self._journal.top_seq} {self._outbox.report}".rstrip()
        )

    def serve(self, customers: int) -> int:
        """So many people do something at once; returns how many events were journalled."""
        if not self.on:
            return 0
        assert self._journal is not None
        assert self._outbox is not None
        before = len(self._oracle.journalled)
        for _ in range(customers):
            with self._journal.transaction() as transaction:
                self._one(transaction)
        self._outbox.appended()
        return len(self._oracle.journalled) - before

    def prune(self) -> None:
        """Throw away everything that the server is known to have: a month has passed."""
        if not self.on or self._journal is None:
            return
        if self._oracle.lacks(self.name, self._server_file):
            return  # a disk that was put back is never older than what is pruned
        self.figures["events_pruned"] += self._journal.prune(self._journal.clock.wall_ms(), 10_000)

    def _one(self, transaction: Transaction) -> None:
        draw = self.chance.random()
        if draw < 0.08:
            detail = str(self.chance.getrandbits(8))
            device = DeviceData(device="printer", kind="printer", state="ok", detail=detail)
            self._append(transaction, "device.changed", device)
        elif draw < 0.16:
            pad = PadRef(unique_id="e660", boot_id=1, seq=self.chance.getrandbits(30))
            press = UnsolicitedData(counter=1, score_1to5=self.chance.randint(1, 5), pad=pad)
            self._append(transaction, "rating.unsolicited", press)
        elif draw < 0.55 and self._pending:
            self._settle(transaction, self._pending.pop(0))
        else:
            self._issue(transaction)

    def _issue(self, transaction: Transaction) -> None:
        """A ticket; its paper is settled at once or later, or never."""
        self._given += 1
        service = self.chance.choice(SERVICES)
        ticket = self._append(
            transaction,
            "ticket.issued",
            IssuedData(
                number=f"{service}{self._band}{self._given:03d}",
                service=service,
                segment="normal",
                language="en",
                business_date=DATE,
                band=self._band,
                request=f"{self.name}-{self._given}",
            ),
            sub="self",
        )
        if self.chance.random() < 0.5:
            self._settle(transaction, ticket)
        else:
            self._pending.append(ticket)

    def _settle(self, transaction: Transaction, ticket: str) -> None:
        draw = self.chance.random()
        if draw < PRINTED:
            printed = PrintedData(attempt=1, took_ms=900)
            self._append(transaction, "ticket.printed", printed, ticket)
        elif draw < PRINTED + FAILED:
            failed = PrintFailedData(attempt=1, paper="not_printed", cause="paper_out")
            self._append(transaction, "ticket.print_failed", failed, ticket)
        elif draw < PRINTED + FAILED + VOIDED:
            self._append(transaction, "ticket.voided", VoidedData(reason="not_taken"), ticket)

    def _append(
        self, transaction: Transaction, event_type: str, data: Payload, sub: str | None = None
    ) -> str:
        event = transaction.append(event_type, data, sub=sub)
        said = {
            "type": event_type,
            "ts": START_MS + self._skew_ms + round(asyncio.get_running_loop().time() * 1000),
            "sub": event.id if sub == "self" else sub,
            "data": msgspec.to_builtins(data),
        }
        self._oracle.said(self.name, event.id, said)
        return event.id

    def put_back(self, card: Card) -> None:
        super().put_back(card)
        known = self._oracle.card_restored(self.name, self.path)
        self._pending = [ticket for ticket in self._pending if ticket in known]


class Server(Node):
    """The branch server without its web pages."""

    def __init__(
        self,
        folder: Path,
        network: Network,
        chance: random.Random,
        oracle: Oracle,
        journals: Callable[[], list[Path]],
        *,
        check_chain: bool,
    ) -> None:
        super().__init__(BRANCH, folder, network, chance)
        self._oracle = oracle
        self._journals = journals
        self._check_chain = check_chain
        self._service: BranchService | None = None
        self._store: Store | None = None
        self._keys = 0
        services = [ServiceConfig(letter, letter, letter) for letter in SERVICES]
        self._config = BranchConfig(
            node=BRANCH,
            branch=BranchName("", ""),
            services=services,
            counters=[CounterConfig(number, list(SERVICES)) for number in COUNTERS],
        )

    async def start(self) -> None:
        store = self._store = Store(f"sqlite:///{self.path}")
        clock = self.clock()
        lost = State(node=BRANCH, status="lost", connect=0, server_gen=store.server_gen)
        self._link = self.network.link(BRANCH, Will(SRV_STATE, SRV_STATE.of(), encode(lost)))
        service = self._service = BranchService(
            self._config,
            store=store,
            transport=self._link,
            clock=clock,
            version="seeds",
            tz=UTC,
        )
        service.ingest.inbox = Inbox(check_chain=self._check_chain)
        self.on = True
        await service.open()

    async def stop(self, *, kill: bool) -> None:
        assert self._service is not None
        assert self._store is not None
        service, store = self._service, self._store
        self.on = False
        counters = service.ingest.counters
        for name in ("duplicates", "early", "quarantined"):
            self.figures[f"events_{name}"] += getattr(counters, name)
        self.complain(
            bad_messages=counters.bad_messages,
            failed_commits=counters.failed_commits,
            failed_handlers=counters.failed_handlers,
            unknown_fields=counters.unknown_fields,
            # Of a ticket that no file has any more, what its kiosk says later is skipped.
            skipped_events=0 if self._oracle.gone else service.skipped_events,
            unreadable=store.unreadable,
        )
        self._oracle.looked(self.path)
        if kill:
            self._link.abandon()
            store.close()
        await service.close()
        store.close()

    async def work(self, counter: int) -> None:
        """A teller does the next thing at a counter."""
        if not self.on:
            return
        assert self._service is not None
        service = self._service
        self._keys += 1
        key = f"key-{self._keys}"
        here = service.engine.counters[counter].ticket
        does = self.chance.choice((service.start, service.miss, service.finish))
        try:
            await (service.call_next if here is None else does)(counter, key)
        except (CommandRefused, NotStored):
            return
        self.figures["teller_commands"] += 1
        self._oracle.looked(self.path)

    def put_back(self, card: Card) -> None:
        super().put_back(card)
        self._oracle.server_restored(self.path, self._journals())
