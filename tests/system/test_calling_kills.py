"""Eight tellers at a real server that is killed in the middle: nobody is called twice, nobody is
lost, and each teller finds the counter as it was.
"""

import asyncio
import os
import random
import signal
import socket
import sqlite3
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from branch.access.accounts import Accounts
from branch.access.roles import Role
from branch.store import Store
from sync.inbox import Inbox
from sync.messages import decode_event
from tests.unit.branch.events import START_MS, Stream
from tests.unit.branch.queue_oracle import MIN, Oracle, Rules

ROOT = Path(__file__).parents[2]
COUNTERS = range(1, 9)
RULES = Rules(
    counters={n: ({"A": 1, "B": 1}, True, False, 1) for n in COUNTERS},
    head_ms={"priority": 5 * MIN},
    rate={"vip": 2.0, "priority": 2.0},
    cap_ms=30 * MIN,
)


class Ledger(Oracle):
    """Who is called is tried elsewhere: here the choice is some ms older than its event."""

    def _fair(self, data: Any, t: int, ticket: Any) -> None:
        pass


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def configure(folder: Path, port: int) -> Path:
    lines = [
        'node = "branch-1"', 'database = "branch.db"', "[branch]", 'zh = "行"', 'en = "Branch"',
        "[http]", f"port = {port}", "[broker]", f"port = {free_port()}",  # nobody is there
    ]  # fmt: skip
    for letter in "AB":
        lines += ["[[services]]", f'letter = "{letter}"', 'zh = "业务"', 'en = "Service"']
    for number in COUNTERS:
        lines += ["[[counters]]", f"number = {number}", 'services = ["A", "B"]']
    path = folder / "branch.toml"
    path.write_text("\n".join(lines), "utf-8")
    return path


def fill(folder: Path, people: int) -> None:
    """So many people wait already."""
    store, stream = Store(f"sqlite:///{folder}/branch.db"), Stream()
    now = time.time_ns() // 1_000_000
    for number in range(people):
        at = now - START_MS - 1_000 * (people - number) // 100
        segment = ("ordinary", "ordinary", "vip", "priority")[number % 4]
        ticket = stream.issued(f"{'AB'[number % 2]}{number:04}", "AB"[number % 2], segment, at)
        stream.printed(ticket.id, at)
    with store.transaction() as connection:
        for first in range(0, len(stream.raws), 100):
            burst = stream.raws[first : first + 100]
            taken = Inbox().accept(connection, "kiosk-1", burst, now)
            store.project(connection, taken.new)
    store.close()


def let_in(folder: Path) -> dict[str, str]:
    """What the tellers show the server with each request, of this life and the next."""
    accounts = Accounts(folder / "access.db")
    accounts.add("tellers", Role.TELLER, "no password", 0)
    token = accounts.add_program("tellers", 0)
    accounts.close()
    return {"Authorization": f"Bearer {token}"}


class Hall:
    """The server's process, and what the tellers were told."""

    def __init__(self, config: Path, port: int, people: int) -> None:
        self.config = config
        self.url = f"http://127.0.0.1:{port}"
        self.left = people
        self.process: asyncio.subprocess.Process | None = None
        self.has: dict[int, str | None] = dict.fromkeys(COUNTERS)
        self.busy: set[int] = set()  # a command is under way: the server may know more
        self.served = Counter[str]()
        self.kills = 0

    async def start(self) -> None:
        with self.config.with_suffix(".log").open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable, str(ROOT / "lobby.py"), "branch", "--config", str(self.config),
                stdout=log, stderr=log, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)},
            )  # fmt: skip

    async def kill(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        await self.process.wait()
        self.kills += 1

    async def ask(self, client: httpx.AsyncClient, path: str, key: str, body: Any) -> Any:
        """The same command with the same key until somebody answers."""
        while True:
            try:
                answer = await client.post(
                    f"{self.url}/api/counters/{path}", json=body,
                    headers={"Idempotency-Key": key},
                )  # fmt: skip
            except httpx.TransportError:
                await asyncio.sleep(0.05)
                continue
            if answer.status_code in (200, 409):
                return answer
            assert answer.status_code == 503, answer.text

    async def teller(self, counter: int, client: httpx.AsyncClient) -> None:
        """Call and serve until nobody waits; some are sent on, parked or missed."""
        chance, number = random.Random(counter), 0

        async def does(command: str, body: Any = None) -> Any:
            nonlocal number
            number += 1
            self.busy.add(counter)
            answer = await self.ask(client, f"{counter}/{command}", f"{counter}-{number}", body)
            if answer.status_code == 200:
                self.has[counter] = answer.json()["number"]
            self.busy.discard(counter)
            return answer

        while True:
            answer = await does("call-next")
            if answer.status_code == 409:
                assert answer.json()["code"] == "nobody_waiting", answer.text
                return
            called = answer.json()["number"]
            dice = chance.random()
            if dice < 0.1:
                for letter in "AB":  # one of them is what it is of already
                    if (await does("transfer", {"service": letter})).status_code == 200:
                        break
            elif dice < 0.15:
                await does("park", {})
                await does("unpark", {"number": called})
            elif dice < 0.2:
                await does("miss")
                await does("rejoin", {"number": called})
            else:
                answer = await does("finish")
                assert answer.json()["state"] == "free"
                self.served[called] += 1


def open_hall(folder: Path, people: int) -> AbstractAsyncContextManager[Hall]:
    fill(folder, people)
    port = free_port()
    return open_server(configure(folder, port), port, people)


@asynccontextmanager
async def open_server(config: Path, port: int, people: int = 0) -> AsyncIterator[Hall]:
    hall = Hall(config, port, people)
    await hall.start()
    try:
        yield hall
    finally:
        if hall.process is not None and hall.process.returncode is None:
            await hall.kill()


@pytest.mark.parametrize(
    ("people", "kills"),
    [(200, 2), pytest.param(1_600, 5, marks=[pytest.mark.slow, pytest.mark.timeout(900)])],
)
async def test_a_killed_server_calls_nobody_twice_and_loses_nobody(
    tmp_path: Path, people: int, kills: int
) -> None:
    async with (
        open_hall(tmp_path, people) as hall,
        httpx.AsyncClient(timeout=30, headers=let_in(tmp_path)) as client,
    ):
        tellers = [asyncio.create_task(hall.teller(n, client)) for n in COUNTERS]
        for number in range(1, kills + 1):
            while sum(hall.served.values()) < people * number // (kills + 1):
                await asyncio.sleep(0.01)
                for teller in tellers:
                    if teller.done():
                        teller.result()
            await hall.kill()
            expected = {n: hall.has[n] for n in COUNTERS if n not in hall.busy}
            await hall.start()
            while True:
                try:
                    pages = [await client.get(f"{hall.url}/api/counters/{n}") for n in expected]
                    break
                except httpx.TransportError:
                    await asyncio.sleep(0.02)
            for counter, page in zip(expected, pages, strict=True):
                if counter not in hall.busy:
                    assert page.json()["number"] == hall.has[counter]
        await asyncio.gather(*tellers)
    assert hall.kills == kills + 1
    _judge(tmp_path, hall, people)


def _judge(folder: Path, hall: Hall, people: int) -> None:
    with sqlite3.connect(folder / "branch.db") as db:
        raws = [raw for (raw,) in db.execute("SELECT raw FROM event ORDER BY place")]
        rows = dict(db.execute("SELECT number, outcome FROM ticket"))
    db.close()
    oracle = Ledger(RULES)
    calls = 0
    for raw in raws:
        event = decode_event(raw)
        if str(event.__struct_config__.tag).startswith("alert."):
            continue  # of a standard, and of no ticket
        assert oracle.possible(event), event
        if event.src == "kiosk-1":
            oracle.now = min(oracle.now, event.ts)  # prefilled: all of it before the first call
        oracle.read(event)
        calls += event.__struct_config__.tag == "ticket.called"
    assert set(rows.values()) == {"served"}
    assert len(rows) == people
    assert sorted(hall.served) == sorted(rows), "each was served, as the tellers remember"
    assert set(hall.served.values()) == {1}, "and once"
    assert calls == oracle.calls >= people
