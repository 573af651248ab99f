"""Branches to head office: relay, real mosquitto, real PostgreSQL and SQLite, head office's
process killed in the middle of the drain.
"""

import asyncio
import json
import sqlite3
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from branch.errors import StoreUnusable
from branch.hq.store import HqStore
from branch.relay import Relay
from branch.store import Store
from simulator.mosquitto import Mosquitto, free_port
from simulator.postgres import Postgres
from sync.clock import system_clock
from sync.inbox import Inbox
from sync.journal import Journal
from sync.mqtt import MqttTransport
from tests.unit.branch.events import Stream
from tests.unit.sync.test_inbox import odd_stream

pytestmark = pytest.mark.broker

BRANCHES = ("branch-1", "branch-2")
TICKETS = 1_500
DEADLINE_S = 40.0


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    started = Mosquitto(tmp_path)
    yield started
    started.stop()


@pytest.fixture(params=["postgresql", "sqlite"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/hq.db"
        return
    folder = tmp_path / "pg"
    folder.mkdir()
    server = Postgres(folder)
    yield server.url
    server.stop()


class Branch:
    """A branch's database with a day in it, and its relay."""

    def __init__(self, name: str, folder: Path, broker: Mosquitto) -> None:
        self.store = Store(f"sqlite:///{folder}/{name}.db")
        self.fill(f"{name}-kiosk", TICKETS)
        self.journal = Journal(folder / f"{name}-hq.db", node=name, clock=system_clock())
        transport = MqttTransport(host=broker.host, port=broker.port, client_id=f"{name}-relay")
        self.relay = Relay(self.store, self.journal, transport, version="1")

    def fill(self, kiosk: str, tickets: int) -> None:
        stream = Stream(kiosk)
        for number in range(tickets):
            stream.printed(stream.issued(f"A{number % 999 + 1:03}").id)
        with self.store.transaction() as connection:
            taken = Inbox().accept(connection, kiosk, stream.raws, 1)
            assert len(taken.new) == 2 * tickets
            self.store.project(connection, taken.new)

    def ids(self) -> set[str]:
        with sqlite3.connect(self.store.name.removeprefix("sqlite:///")) as db:
            return {row[0] for row in db.execute("SELECT id FROM event")}

    async def close(self) -> None:
        await self.relay.close()
        self.journal.close()
        self.store.close()


class HeadOffice:
    """``lobby hq`` as a program, started and killed."""

    def __init__(self, folder: Path, broker: Mosquitto, database: str) -> None:
        self.port = free_port()
        self.config = folder / "hq.toml"
        self.config.write_text(
            f'node = "hq-1"\ndatabase = "{database}"\n[http]\nport = {self.port}\n'
            f"[broker]\nport = {broker.port}\n[sync]\nrate_per_s = 0\n"
        )
        self.log = (folder / "hq.log").open("ab")

    async def start(self) -> None:
        self.process = subprocess.Popen(  # noqa: ASYNC220 - it returns at once
            [sys.executable, "-m", "lobby", "hq", "--config", str(self.config)],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
        )  # fmt: skip
        async with asyncio.timeout(DEADLINE_S):
            while not await self.stored():
                assert self.process.poll() is None
                await asyncio.sleep(0.02)

    async def stored(self) -> int:
        """Events that it says to have; 0 while it does not answer."""
        try:
            said = await asyncio.to_thread(self._ask)
        except OSError:
            return 0
        return sum(branch["events"] for branch in said["branches"])

    def _ask(self) -> dict:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/healthz", timeout=5) as answer:
            said: dict = json.load(answer)
            return said

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        self.process.terminate()
        assert self.process.wait(20) == 0
        self.log.close()


def rows(database: str, query: str) -> list[tuple]:
    """Straight from the database, past all of our code."""
    if database.startswith("sqlite"):
        with sqlite3.connect(database.removeprefix("sqlite:///")) as db:
            return db.execute(query).fetchall()
    with psycopg.connect(database.replace("+psycopg", "")) as pg:
        return pg.execute(query).fetchall()


async def test_head_office_is_killed_in_the_drain_and_has_every_event_once(
    broker: Mosquitto, database: str, tmp_path: Path
) -> None:
    branches = [Branch(name, tmp_path, broker) for name in BRANCHES]
    office = HeadOffice(tmp_path, broker, database)
    for branch in branches:
        await branch.relay.open()
    kills = 0
    try:
        await office.start()
        for _ in range(3):
            before = await office.stored()
            if before >= len(BRANCHES) * 2 * TICKETS:
                break
            office.kill()
            kills += 1
            await office.start()
        branches[0].fill("late-kiosk", 20)
        branches[0].relay.committed()
        async with asyncio.timeout(DEADLINE_S):
            while await office.stored() < len(BRANCHES) * 2 * TICKETS + 40:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
            for branch in branches:
                assert await branch.relay.outbox.drained(DEADLINE_S)
                assert branch.relay.health() == {"online": True, "behind": 0}
    finally:
        office.stop()
        for branch in branches:
            await branch.close()
    assert kills, "the drain was over before the first kill: send more"
    stored = rows(database, "SELECT id, node, epoch, seq FROM event")
    sent = [branch.ids() for branch in branches]
    assert len(stored) == len({row[0] for row in stored}) == len({row[1:] for row in stored})
    assert {row[0] for row in stored} == sent[0] | sent[1]
    for name, ids in zip(BRANCHES, sent, strict=True):
        assert {row[0] for row in stored if row[1] == name} == ids
        seqs = sorted(row[3] for row in stored if row[1] == name)
        assert seqs == list(range(1, len(ids) + 1))
    tally = dict(rows(database, "SELECT branch, sum(events) FROM tally GROUP BY branch"))
    assert {name: int(tally[name]) for name in BRANCHES} == {
        name: len(ids) for name, ids in zip(BRANCHES, sent, strict=True)
    }
    assert rows(database, "SELECT * FROM quarantine") == []


def test_what_postgresql_takes_in_no_column_stops_no_branch(database: str) -> None:
    store = HqStore(database)
    raws = odd_stream()
    with store.transaction() as connection:
        taken = Inbox().accept(connection, "kiosk-1", raws, 1)
        store.project(connection, taken.new)
    assert taken.hw == len(raws)
    assert rows(database, "SELECT count(*) FROM event") == [(len(raws),)]
    store.close()


def test_a_second_writer_of_a_file_is_refused(tmp_path: Path) -> None:
    code = (
        "import sys; from branch.hq.store import HqStore\n"
        "try: HqStore(sys.argv[1])\n"
        "except Exception as error: print(error)"
    )
    url = f"sqlite:///{tmp_path}/hq.db"
    first = HqStore(url)
    command = [sys.executable, "-c", code, url]
    second = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "has it open" in second.stdout
    first.close()
    third = subprocess.run(command, capture_output=True, text=True, check=True)
    assert third.stdout == ""


def test_a_second_writer_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "pg"
    folder.mkdir()
    server = Postgres(folder)
    try:
        first = HqStore(server.url)
        with pytest.raises(StoreUnusable, match="another lobby hq writes this database"):
            HqStore(server.url)
        first.close()
        HqStore(server.url).close()
    finally:
        server.stop()
