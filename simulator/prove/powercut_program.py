"""The programs whose file system calls ``lobby prove powercut`` records: a kiosk that issues
tickets into its journal, and a branch that takes in events.

``python -m simulator.prove.powercut_program kiosk FOLDER WITNESS SEED [without-fsync]``

A promise is a line of JSON in the witness file, written after the product said that the thing is
durable: the number on the screen, the acknowledgement to a device. What a line may hold is said at
``tell``. Left out: screen, printer, MQTT and the outbox; nothing of theirs is written to these
files.

Both programs checkpoint each few pages instead of each 1,000, so that a short recording holds many
checkpoints; ``without-fsync`` turns ``PRAGMA synchronous`` down to NORMAL. Both are done where the
product opens its database: the product has no such switches.
"""

import json
import os
import random
import re
import sqlite3
import sqlite3.dbapi2
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from branch.store import Store
from kiosk import flow
from kiosk.config import BranchName, KioskConfig, PrinterConfig, ServiceConfig
from kiosk.issuing import Issuer
from sync.clock import Clock
from sync.identity import CHAIN_START, chain, uuid7
from sync.inbox import Inbox
from sync.journal import Journal
from sync.messages import (
    CalledData,
    Clk,
    Event,
    IssuedData,
    PrintedData,
    TicketCalled,
    TicketIssued,
    TicketPrinted,
    encode,
)

JOURNAL, STORE = "journal.db", "branch.db"
NODE, SERVER = "kiosk-1", "srv"
DEVICES = ("kiosk-1", "kiosk-2")
TODAY = "2026-03-02"
BEGAN_MS = 1_772_409_600_000
LETTERS = "AB"
BAND = 1
TICKETS = 60
ROUNDS = 36
CHECKPOINT_PAGES = 24
PRUNED = 10
FOREVER_MS = 10**9
"""A time that is not past: everything that is acknowledged may go."""
_SYNCHRONOUS = re.compile(r"PRAGMA\s+synchronous\s*=\s*\w+", re.IGNORECASE)

Tell = Callable[..., None]


def config() -> KioskConfig:
    """A kiosk with two services and one band."""
    return KioskConfig(
        node=NODE,
        production=False,
        branch=BranchName(zh="分行", en="Branch"),
        services=[ServiceConfig(letter=each, zh=each, en=each) for each in LETTERS],
        printer=PrinterConfig(address="none"),
        band=BAND,
    )


def clock(seed: int, began_ms: int = BEGAN_MS) -> Clock:
    """A clock of which every look takes a millisecond, and chance from ``seed``."""
    chance = random.Random(seed)
    ticks = iter(range(sys.maxsize))
    return Clock(
        wall_ms=lambda: began_ms + next(ticks),
        mono_ms=lambda: next(ticks),
        boot=f"boot-{seed}",
        random_bits=chance.getrandbits,
    )


# --- the kiosk ---------------------------------------------------------------------------------


def run_kiosk(folder: Path, seed: int, tell: Tell) -> None:
    """Issue tickets; in between whatever else a kiosk does to its journal."""
    chance = random.Random(seed)
    time = clock(seed)
    journal = Journal(folder / JOURNAL, node=NODE, clock=time)
    issuer = Issuer(config(), journal, time, lambda: TODAY)
    for index in range(TICKETS):
        if index % 10 == 0:
            tell(connect=journal.count_connect())
        issued = issuer.issue(chance.choice(LETTERS), f"touch-{index}", "", "zh_CN")
        assert isinstance(issued, flow.Issued)
        tell(number=issued.ticket.number, id=issued.ticket.id)
        if chance.random() < 0.6:
            data = PrintedData(attempt=1, took_ms=900)
            printed = journal.append("ticket.printed", data, sub=issued.ticket.id)
            tell(id=printed.id)
        if index % 7 == 6:
            journal.mark_acked(journal.top_seq - 3)
        if index == TICKETS // 3:
            journal.close()
            journal = Journal(folder / JOURNAL, node=NODE, clock=time)
            issuer = Issuer(config(), journal, time, lambda: TODAY)
        if index in (TICKETS // 2, TICKETS * 5 // 6):
            _prune(journal, tell)
        if index == TICKETS * 2 // 3:
            journal.begin_epoch(journal.epoch + 1)
            tell(epoch=journal.epoch)
    journal.close()


def _prune(journal: Journal, tell: Tell) -> None:
    """Let go the oldest of what the server has."""
    rows = journal.after(journal.first_seq - 1, PRUNED)
    tell(may_go=[json.loads(raw)["id"] for seq, raw in rows if seq <= journal.acked])
    journal.prune(BEGAN_MS + FOREVER_MS, PRUNED)


# --- the branch --------------------------------------------------------------------------------


class Device:
    """What one kiosk has sent; ``next`` makes its next event."""

    def __init__(self, node: str, seq: int = 0, digest: str = CHAIN_START, seed: int = 0) -> None:
        self.node, self.seq, self.digest = node, seq, digest
        self._chance = random.Random(f"{node} {seed}")
        self._ticket = ""
        self._count = 0

    def next(self) -> tuple[str, bytes]:
        """Id and bytes: tickets, each printed."""
        self.seq += 1
        now_ms = BEGAN_MS + self.seq
        new_id = uuid7(now_ms, self._chance.getrandbits(74))
        common: dict[str, Any] = {
            "id": new_id, "src": self.node, "epoch": 1, "seq": self.seq, "prev": self.digest,
            "ts": now_ms, "clk": Clk(boot=self.node, mono_ms=self.seq),
        }  # fmt: skip
        event: Event
        if self.seq % 2:
            self._count += 1
            self._ticket = new_id
            data = IssuedData(
                number=f"A{DEVICES.index(self.node) + 1}{self._count:03d}", service="A",
                segment="ordinary", language="zh_CN", business_date=TODAY,
                band=DEVICES.index(self.node) + 1, request=f"{self.node}-{self.seq}",
            )  # fmt: skip
            event = TicketIssued(**common, sub=new_id, data=data)
        else:
            printed = PrintedData(attempt=1, took_ms=900)
            event = TicketPrinted(**common, sub=self._ticket, data=printed)
        raw = encode(event)
        self.digest = chain(raw)
        return new_id, raw


def run_branch(folder: Path, seed: int, tell: Tell) -> None:
    """Take in events of two kiosks and call some tickets, as ingest and service do it: ledger row
    and projection in one transaction, then the acknowledgement.
    """
    chance = random.Random(seed)
    devices = [Device(node, seed=seed) for node in DEVICES]
    store, inbox = _open_store(folder), Inbox()
    tell(server_gen=store.server_gen)
    caller = _Caller(seed)
    for index in range(ROUNDS):
        device = chance.choice(devices)
        sent = [device.next() for _ in range(chance.choice((1, 1, 2, 5, 20)))]
        with store.transaction() as connection:
            raws = [raw for _, raw in sent]
            accepted = inbox.accept(connection, device.node, raws, BEGAN_MS + index)
            store.project(connection, accepted.new)
        tell(node=device.node, hw=accepted.hw, ids=[each for each, _ in sent])
        if index % 3 == 2:
            event = caller.call(sent[0][0])
            with store.transaction() as connection:
                store.append_own(connection, event, BEGAN_MS + index)
                store.project(connection, [event])
            tell(node=SERVER, hw=event.seq, ids=[event.id])
        if index == ROUNDS // 2:
            store.close()
            store, inbox = _open_store(folder), Inbox()
    store.close()


def _open_store(folder: Path) -> Store:
    return Store(f"sqlite:///{folder / STORE}")


class _Caller:
    """Makes the server's own events, each the next of its chain."""

    def __init__(self, seed: int) -> None:
        self._clock = clock(seed)
        self._seq, self._digest = 0, CHAIN_START

    def call(self, ticket: str) -> TicketCalled:
        """The ticket is called to counter 1."""
        self._seq += 1
        event = TicketCalled(
            id=self._clock.new_id(), src=SERVER, epoch=1, seq=self._seq, prev=self._digest,
            ts=self._clock.wall_ms(), clk=self._clock.stamp(), sub=ticket,
            data=CalledData(counter=1, wait_ms=5, key=f"key-{self._seq}"),
        )  # fmt: skip
        self._digest = chain(encode(event))
        return event


# --- how it is recorded ------------------------------------------------------------------------


def tell(witness: int, **line: object) -> None:
    """One promise, by one write: ``number`` and ``id`` of a ticket that is shown, ``id`` of an
    event that is kept, ``connect``, ``epoch``; ``node``, ``hw`` and ``ids`` that are acknowledged,
    ``server_gen``. ``may_go`` takes promises back: these ids may be pruned from here on.
    """
    os.write(witness, json.dumps(line).encode() + b"\n")


def _tune(without_fsync: bool) -> None:
    """Let every connection of this program checkpoint often, and sync less if so wanted."""

    class TunedCursor(sqlite3.Cursor):
        def execute(self, sql: str, parameters: Any = ()) -> Self:
            if without_fsync:
                sql = _SYNCHRONOUS.sub("PRAGMA synchronous = NORMAL", sql)
            return super().execute(sql, parameters)

    class TunedConnection(sqlite3.Connection):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            self.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")

        def cursor(self, _factory: Any = None) -> Any:
            return super().cursor(TunedCursor)

        def execute(self, sql: str, parameters: Any = ()) -> sqlite3.Cursor:
            cursor: sqlite3.Cursor = self.cursor()
            return cursor.execute(sql, parameters)

    plain: Any = sqlite3.connect

    def connect(*arguments: Any, **options: Any) -> Any:
        return plain(*arguments, **{**options, "factory": TunedConnection})

    sqlite3.connect = connect
    sqlite3.dbapi2.connect = connect


def main(arguments: list[str]) -> None:
    """Run one program; see the module."""
    name, folder, witness_path, seed, *rest = arguments
    _tune("without-fsync" in rest)
    witness = os.open(witness_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    run = {"kiosk": run_kiosk, "branch": run_branch}[name]
    run(Path(folder), int(seed), lambda **line: tell(witness, **line))
    os.close(witness)


if __name__ == "__main__":
    main(sys.argv[1:])
