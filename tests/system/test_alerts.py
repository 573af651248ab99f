"""Alerts over a real mosquitto: in time by the wall clock, and once, whatever is killed."""

import asyncio
import logging
import os
import signal
import sqlite3
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from branch.service import BranchService
from branch.standards_config import StandardsConfig
from branch.store import Store
from simulator.mosquitto import Mosquitto
from sync.clock import system_clock
from sync.identity import CHAIN_START
from sync.messages import Alert, Hello, decode, encode
from sync.mqtt import MqttTransport
from sync.topics import ALERT, EVT, HELLO
from tests.system.test_calling_kills import free_port
from tests.system.test_feed import CONFIG, Client, ready, until
from tests.unit.branch.events import START_MS, Stream

pytestmark = pytest.mark.broker

ROOT = Path(__file__).parents[2]
log = logging.getLogger(__name__)
LIMIT_MS = 1_500
BREACH_S, PRESS_S = 5.0, 2.0
"""Promised: from a breach, and from a press, to the message."""


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    mosquitto = Mosquitto(tmp_path)
    yield mosquitto
    mosquitto.stop()


class Hearer(Client):
    """Reads the topic of alerts; ``at`` is when each word came (Unix ms)."""

    def __init__(self, broker: Mosquitto) -> None:
        super().__init__(broker, "reader")
        self.alerts: list[tuple[float, Alert]] = []
        self.transport.listen(on_up=self._up, on_down=self.downs.append, on_messages=self._hear)
        self.transport.subscribe(ALERT.of(), "bq/1/test/note")

    def _hear(self, messages: list[Any]) -> None:
        now_ms = time.time_ns() / 1e6
        for message in messages:
            message.done()
            if message.topic == ALERT.of():
                self.alerts.append((now_ms, decode(message.payload, Alert)))
            else:
                self.messages.append(message)

    @property
    def said(self) -> list[tuple[str, str]]:
        return [(alert.state, alert.kind) for _, alert in self.alerts]


class Kiosk(Client):
    """Says what happened at a kiosk, now."""

    def __init__(self, broker: Mosquitto) -> None:
        super().__init__(broker, "kiosk-1")
        self.stream = Stream()

    @property
    def now(self) -> int:
        return time.time_ns() // 1_000_000 - START_MS

    def send(self, first: int = 0) -> None:
        """What the stream has from ``first`` on."""
        batch = b"[" + b",".join(self.stream.raws[first:]) + b"]"
        self.transport.publish(EVT, EVT.of(node="kiosk-1"), batch)

    def ticket(self, number: str) -> tuple[str, int]:
        """Its id, and when it was issued (Unix ms)."""
        at, first = self.now, len(self.stream.raws)
        ticket = self.stream.issued(number, at=at).id
        self.stream.printed(ticket, at)
        self.send(first)
        return ticket, START_MS + at


@asynccontextmanager
async def people(broker: Mosquitto) -> AsyncIterator[tuple[Kiosk, Hearer]]:
    kiosk, hearer = Kiosk(broker), Hearer(broker)
    async with kiosk, hearer:
        await ready(hearer)
        yield kiosk, hearer


# --- in time -----------------------------------------------------------------------------------


async def test_a_breach_is_told_within_five_seconds_and_a_press_within_two(
    broker: Mosquitto, tmp_path: Path
) -> None:
    config = msgspec.structs.replace(
        CONFIG, standards=StandardsConfig(max_wait_min=LIMIT_MS / 60_000, max_idle_min=0)
    )
    store = Store(f"sqlite:///{tmp_path}/branch.db")
    transport = MqttTransport(host=broker.host, port=broker.port, client_id="branch-1")
    server = BranchService(
        config, store=store, transport=transport, clock=system_clock(), version="1"
    )
    try:
        await server.open()
        async with people(broker) as (kiosk, hearer):
            await until(lambda: transport.connected)
            _, issued_ms = kiosk.ticket("A001")
            await until(lambda: hearer.alerts)
            told_ms, word = hearer.alerts[0]
            breach_ms = told_ms - issued_ms - LIMIT_MS
            assert (word.kind, word.number) == ("wait", "A001")
            assert 0 <= breach_ms <= BREACH_S * 1000
            await server.call_next(1, "k1")
            await server.finish(1, "k2")
            await until(lambda: hearer.said[-1] == ("cleared", "wait"))
            with store.reading() as connection:
                nonce = connection.exec_driver_sql("SELECT nonce FROM visit").scalar_one()
            first, pressed_ms = len(kiosk.stream.raws), time.time_ns() / 1e6
            kiosk.stream.rated(1, nonce, 1, kiosk.now)
            kiosk.send(first)
            await until(lambda: hearer.said[-1] == ("raised", "unhappy"))
            press_ms = hearer.alerts[-1][0] - pressed_ms
            assert press_ms <= PRESS_S * 1000
            log.info("breach to message %.0f ms, press to message %.0f ms", breach_ms, press_ms)
    finally:
        await server.close()
        store.close()


# --- once --------------------------------------------------------------------------------------


class Server:
    """``lobby branch`` as a process."""

    def __init__(self, folder: Path, broker: Mosquitto) -> None:
        self.config = folder / "branch.toml"
        self.config.write_text(
            "\n".join((
                'node = "branch-1"', 'database = "branch.db"', "[branch]", 'zh = "行"', 'en = "B"',
                "[http]", f"port = {free_port()}", "[broker]", f"port = {broker.port}",
                "[standards]", f"max_wait_min = {LIMIT_MS / 60_000}", "max_idle_min = 0.0",
                "[[services]]", 'letter = "A"', 'zh = "业务"', 'en = "Service"',
                "[[counters]]", "number = 1", 'services = ["A"]',
            )),
            "utf-8",
        )  # fmt: skip
        self.database = folder / "branch.db"
        self.process: asyncio.subprocess.Process | None = None

    async def start(self, crash_at: str = "") -> None:
        with self.config.with_suffix(".log").open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable, str(ROOT / "lobby.py"), "branch", "--config", str(self.config),
                stdout=log, stderr=log, cwd=ROOT,
                env={**os.environ, "PYTHONPATH": str(ROOT), "LOBBY_CRASH_AT": crash_at},
            )  # fmt: skip

    async def died(self) -> None:
        assert self.process is not None
        async with asyncio.timeout(20):
            assert await self.process.wait() == -signal.SIGKILL

    async def kill(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        await self.died()

    def ledger(self) -> list[str]:
        """The alerts in the file, in order."""
        connection = sqlite3.connect(self.database)
        try:
            rows = connection.execute(
                "SELECT type FROM event WHERE type LIKE 'alert.%' ORDER BY place"
            )
            return [kind for (kind,) in rows]
        finally:
            connection.close()


@pytest.mark.timeout(120)
@pytest.mark.parametrize("crash_at", ["service.begun:1", "service.recorded:1"])
async def test_a_kill_between_raise_and_clear_makes_no_second_alert(
    broker: Mosquitto, tmp_path: Path, crash_at: str
) -> None:
    """Killed before the commit of the alert or between commit and message; then between raise
    and clear; then after the clear.
    """
    server = Server(tmp_path, broker)
    async with people(broker) as (kiosk, hearer):
        await server.start(crash_at)
        try:
            await greeted(kiosk, hearer)
            ticket, _ = kiosk.ticket("A001")
            await server.died()
            assert hearer.alerts == []
            await server.start()
            await until(lambda: hearer.alerts)
            for _ in range(2):
                await server.kill()
                await server.start()
                await greeted(kiosk, hearer)
                await a_while()
            first = len(kiosk.stream.raws)
            kiosk.stream.abandoned(ticket, kiosk.now)
            kiosk.send(first)
            await until(lambda: hearer.said[-1] == ("cleared", "wait"))
            await server.kill()
            await server.start()
            await greeted(kiosk, hearer)
            await a_while()
        finally:
            await server.kill()
        words = {alert.id: alert.state for _, alert in hearer.alerts}
        assert list(words.values()) == ["raised", "cleared"]  # a repeat has the same id
        assert server.ledger() == ["alert.raised", "alert.cleared"]


async def greeted(kiosk: Kiosk, hearer: Hearer) -> None:
    """A server is there and takes events: it acknowledges those that it has."""
    kiosk.transport.subscribe("bq/1/kiosk-1/welcome")
    before = len(kiosk.messages)
    async with asyncio.timeout(30):
        while len(kiosk.messages) == before:
            hello(kiosk)
            await asyncio.sleep(0.1)


def hello(kiosk: Kiosk) -> None:
    word = Hello(
        node="kiosk-1", epoch=1, top_seq=0, acked=0, digest=CHAIN_START, boot="b", connect=1,
        version="1", ts=START_MS + kiosk.now, mono_ms=kiosk.now, quality="ntp", err_ms=1,
    )  # fmt: skip
    kiosk.transport.publish(HELLO, HELLO.of(node="kiosk-1"), encode(word))


async def a_while() -> None:
    """Longer than a server needs to look at its standards after its start."""
    loop = asyncio.get_running_loop()
    end_s = loop.time() + 1.0
    await until(lambda: loop.time() > end_s)
