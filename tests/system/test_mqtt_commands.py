"""Counters commanded over a real broker, with a real server that is killed in the middle of it.

What was done is read from the ledger by an oracle that knows nothing of the server.
"""

import asyncio
import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from simulator.mosquitto import Mosquitto
from sync.counter_commands import AnyCommand, CallNext, Finish, Miss, Rejoin, Transfer
from sync.counter_messages import CounterCommand, CounterResult
from sync.messages import decode, decode_event, encode
from sync.mqtt import MqttTransport
from sync.topics import COUNTER_CMD, EVT, RES
from sync.transport import NOT_AUTHORISED, Message
from tests.system.test_calling_kills import ROOT, RULES, Ledger, configure, fill, free_port, let_in

pytestmark = pytest.mark.broker

EXAMPLE = ROOT / "docs" / "examples" / "commander.py"
ANSWER_S = 1.0
"""A command that is not answered by then is sent again with its key."""
DEADLINE_S = 45.0
CMD = COUNTER_CMD.of(branch="branch-1")


class Desk:
    """A program that commands counters over MQTT and waits for the answer to each."""

    def __init__(self, broker: Mosquitto, name: str, password: str | None = None) -> None:
        self.answer_at = RES.of(node=name)
        self.up = asyncio.Event()
        self.refused: list[int] = []
        self.waiting: dict[bytes, asyncio.Future[CounterResult]] = {}
        self.transport = MqttTransport(
            host=broker.host, port=broker.port, client_id=name,
            username=None if password is None else name, password=password,
        )  # fmt: skip
        self.transport.listen(
            on_up=self.up.set, on_down=lambda _: None, on_messages=self._received,
            on_refused=lambda _name, code: self.refused.append(code),
        )  # fmt: skip
        self.transport.subscribe(self.answer_at)

    def _received(self, messages: list[Message]) -> None:
        for message in messages:
            message.done()
            asked = self.waiting.get(message.correlation or b"")
            if asked is not None and not asked.done():
                asked.set_result(decode(message.payload, CounterResult))

    async def asks(
        self, counter: int, command: AnyCommand, key: str, tries: int = 60
    ) -> CounterResult:
        """The same command with the same key until somebody answers. Raises TimeoutError."""
        self.waiting[key.encode()] = asyncio.get_running_loop().create_future()
        raw = encode(CounterCommand(key=key, counter=counter, command=command))
        for _ in range(tries):
            self.transport.publish(
                COUNTER_CMD, CMD, raw, response_topic=self.answer_at, correlation=key.encode()
            )
            done, _ = await asyncio.wait([self.waiting[key.encode()]], timeout=ANSWER_S)
            if done:
                return self.waiting.pop(key.encode()).result()
        raise TimeoutError(key)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    broker = Mosquitto(tmp_path)
    yield broker
    broker.stop()


class Server:
    """The branch server's own process on ``folder``."""

    def __init__(self, folder: Path, broker: Mosquitto, more: str = "") -> None:
        self.port = free_port()
        self.config = configure(folder, self.port)
        text = self.config.read_text("utf-8")
        other = text.split("[broker]\nport = ")[1].split("\n")[0]
        self.config.write_text(text.replace(f"port = {other}", f"port = {broker.port}") + more)
        self.url = f"http://127.0.0.1:{self.port}"
        self.process: asyncio.subprocess.Process | None = None

    async def start(self, crash_at: str = "") -> None:
        self.process = await asyncio.create_subprocess_exec(
            sys.executable, str(ROOT / "lobby.py"), "branch", "--config", str(self.config),
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL, cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT), "LOBBY_CRASH_AT": crash_at},
        )  # fmt: skip

    async def answers(self) -> None:
        async with httpx.AsyncClient() as client, asyncio.timeout(DEADLINE_S):
            while True:
                try:
                    health = (await client.get(f"{self.url}/healthz")).json()
                    if health["mqtt"] == "online":
                        return
                except httpx.TransportError:
                    pass
                await asyncio.sleep(0.05)

    async def kill(self) -> None:
        assert self.process is not None
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGKILL)
        await self.process.wait()


@pytest_asyncio.fixture
async def desk(broker: Mosquitto) -> AsyncIterator[Desk]:
    desk = Desk(broker, "desk-1")
    await desk.transport.start()
    await desk.up.wait()
    yield desk
    await desk.transport.stop()


def judge(folder: Path) -> tuple[Counter[str], dict[str, str]]:
    """Calls by ticket number as the ledger has them, and what became of each ticket; every event
    must be possible for the oracle.
    """
    with sqlite3.connect(folder / "branch.db") as db:
        raws = [raw for (raw,) in db.execute("SELECT raw FROM event ORDER BY place")]
        rows = dict(db.execute("SELECT id, number FROM ticket"))
        outcomes = dict(db.execute("SELECT number, outcome FROM ticket"))
    db.close()
    oracle, calls = Ledger(RULES), Counter[str]()
    for raw in raws:
        event = decode_event(raw)
        if not str(event.__struct_config__.tag).startswith(("ticket.", "service.", "counter.")):
            continue  # alerts and the like: nobody's call
        assert oracle.possible(event), event
        if event.src == "kiosk-1":
            oracle.now = min(oracle.now, event.ts)  # prefilled: all of it before the first call
        oracle.read(event)
        if event.__struct_config__.tag == "ticket.called":
            calls[rows[event.sub or ""]] += 1
    return calls, outcomes


@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    ("people", "kills"), [(60, 2), pytest.param(400, 6, marks=pytest.mark.slow)]
)
async def test_a_killed_server_carries_out_each_command_of_mqtt_once(
    tmp_path: Path, broker: Mosquitto, desk: Desk, people: int, kills: int
) -> None:
    fill(tmp_path, people)
    server = Server(tmp_path, broker)
    served: Counter[str] = Counter()
    extra: Counter[str] = Counter()  # calls besides the first, as this side remembers them
    answers: dict[tuple[int, str], tuple[AnyCommand, CounterResult]] = {}

    async def does(counter: int, command: AnyCommand, key: str) -> CounterResult:
        result = await desk.asks(counter, command, key)
        answers[counter, key] = (command, result)
        return result

    async def teller(counter: int) -> None:
        for number in range(10_000):
            result = await does(counter, CallNext(), f"{counter}-{number}-call")
            if result.code == "nobody_waiting":
                return
            assert result.ok, result
            if number % 5 == 4:
                assert (await does(counter, Miss(), f"{counter}-{number}-miss")).ok
                back = Rejoin(number=result.number)
                assert (await does(counter, back, f"{counter}-{number}-back")).ok
                extra[result.number] += 1
            elif number % 7 == 6:
                other = Transfer(service="B" if result.number[0] == "A" else "A")
                moved = await does(counter, other, f"{counter}-{number}-move")
                if moved.ok:
                    extra[result.number] += 1
                else:  # it was there already
                    assert moved.code == "no_change", moved
                    assert (await does(counter, Finish(), f"{counter}-{number}-end")).ok
                    served[result.number] += 1
            else:
                end = await does(counter, Finish(), f"{counter}-{number}-end")
                assert (end.ok, end.number) == (True, result.number)
                served[result.number] += 1

    # In the middle of a command, too: after its commit and before its answer.
    await server.start(crash_at="service.recorded:10")
    try:
        tellers = [asyncio.create_task(teller(n)) for n in range(1, 6)]
        for number in range(1, kills + 1):
            while sum(served.values()) < people * number // (kills + 1):
                await asyncio.sleep(0.02)
                for task in tellers:
                    if task.done():
                        task.result()
                assert server.process is not None
                if server.process.returncode is not None:
                    await server.start()
            await server.kill()
            # And before a commit: then it was not done, and the same key does it.
            await server.start(crash_at="service.begun:12" if number == 1 else "")
        while not all(task.done() for task in tellers):
            assert server.process is not None
            if server.process.returncode is not None:
                await server.start()
            await asyncio.sleep(0.02)
        await asyncio.gather(*tellers)
        # Every answer once more: the server of now was started after most of them.
        await server.kill()
        await server.start()
        for (counter, key), (command, first) in list(answers.items())[:: max(1, people // 20)]:
            assert await desk.asks(counter, command, key) == first
    finally:
        await server.kill()
    calls, outcomes = judge(tmp_path)
    assert set(outcomes.values()) == {"served"}
    assert len(outcomes) == people
    assert served == Counter(outcomes.keys()), "each was served once, as the tellers remember"
    assert calls == Counter(outcomes.keys()) + extra, "and called as often as they were told"


@pytest.mark.timeout(120)
async def test_two_tellers_by_http_and_mqtt_get_two_tickets_each_time(
    tmp_path: Path, broker: Mosquitto, desk: Desk
) -> None:
    fill(tmp_path, 40)
    server = Server(tmp_path, broker)
    await server.start()
    try:
        await server.answers()
        async with httpx.AsyncClient(base_url=server.url, headers=let_in(tmp_path)) as client:

            async def by_http(path: str, key: str) -> str:
                headers = {"Idempotency-Key": key}
                answer = await client.post(f"/api/counters/2/{path}", headers=headers)
                answer.raise_for_status()
                return str(answer.json()["number"])

            for number in range(20):
                key = f"k{number}"
                one, other = await asyncio.gather(
                    desk.asks(1, CallNext(), key), by_http("call-next", key)
                )
                assert one.ok
                assert one.number != other
                await asyncio.gather(desk.asks(1, Finish(), key), by_http("finish", key))
    finally:
        await server.kill()
    calls, outcomes = judge(tmp_path)
    assert calls == Counter(outcomes.keys())
    assert len(calls) == 40


@pytest.mark.timeout(120)
async def test_the_example_commands_a_counter(tmp_path: Path, broker: Mosquitto) -> None:
    fill(tmp_path, 4)
    server = Server(tmp_path, broker)
    await server.start()

    def run(*words: str) -> tuple[int, Any]:
        command = [sys.executable, str(EXAMPLE), broker.host, str(broker.port), *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
        return done.returncode, json.loads(done.stdout) if done.stdout else done.stderr

    try:
        await server.answers()
        status, result = await asyncio.to_thread(run, "2", "call-next")
        assert (status, result["ok"]) == (0, True)
        number = result["number"]
        other = "service=A" if number.startswith("B") else "service=B"
        status, result = await asyncio.to_thread(run, "2", "transfer", other, "back=true")
        assert (status, result["number"]) == (0, number)
        status, result = await asyncio.to_thread(run, "2", "transfer", "titel=B")
        assert (status, result["code"]) == (1, "bad_request")
        assert "`titel` - at `$.command`" in result["message"]
    finally:
        await server.kill()


ACL = """
user root
allow_anonymous false
password_file {folder}/passwords
acl_file {folder}/acl
"""


async def test_the_access_list_of_the_documents_says_who_may_command(tmp_path: Path) -> None:
    document = (ROOT / "docs" / "protocol-mqtt.md").read_text("utf-8")
    acl = document.partition("(`acl_file`):\n\n```\n")[2].partition("```")[0]
    assert "desk-1" in acl
    (tmp_path / "acl").write_text(acl, "utf-8")
    passwords = tmp_path / "passwords"
    passwords.touch(mode=0o600)
    for name in ("branch-1", "desk-1", "kiosk-1"):
        command = ["mosquitto_passwd", "-b", str(passwords), name, f"of {name}"]
        await asyncio.to_thread(subprocess.run, command, check=True)
    broker = Mosquitto(tmp_path, more=ACL.format(folder=tmp_path))
    desks = [Desk(broker, name, f"of {name}") for name in ("branch-1", "desk-1", "kiosk-1")]
    server, desk, kiosk = desks
    heard = list[bytes]()

    def received(messages: list[Message]) -> None:
        for message in messages:
            heard.append(message.payload)
            message.done()

    server.transport.listen(on_up=server.up.set, on_down=lambda _: None, on_messages=received)
    server.transport.subscribe(CMD)
    try:
        for one in desks:
            await one.transport.start()
            await asyncio.wait_for(one.up.wait(), 10)
        await asyncio.sleep(0.3)  # the subscription
        kiosk.transport.publish(COUNTER_CMD, CMD, b"forged")
        desk.transport.publish(COUNTER_CMD, CMD, b"asked")
        desk.transport.publish(EVT, EVT.of(node="kiosk-1"), b"forged")
        async with asyncio.timeout(10):
            while not (heard and kiosk.refused and desk.refused):  # noqa: ASYNC110 - three
                await asyncio.sleep(0.02)
        assert heard == [b"asked"]
        assert (kiosk.refused, desk.refused) == ([NOT_AUTHORISED], [NOT_AUTHORISED])
    finally:
        for one in desks:
            await one.transport.stop()
        broker.stop()
