"""docs/examples/consumer.py is where another team starts from: it must work as it stands."""

import ast
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from simulator.mosquitto import Mosquitto, free_port
from sync.contract_examples import AT_BRANCH, AT_KIOSK
from sync.messages import encode
from sync.topics import EVT, Topic

ROOT = Path(__file__).parents[2]
CONSUMER = ROOT / "docs/examples/consumer.py"
MAX_LINES = 30
DEMO_S = 110

pytestmark = pytest.mark.broker


class Consumer:
    """The example in a process of its own."""

    def __init__(self, folder: Path, port: int, eventually: Callable[..., None]) -> None:
        self._out, self._said = folder / "consumer.out", folder / "consumer.err"
        with self._out.open("wb") as out, self._said.open("wb") as said:
            self.process = subprocess.Popen(
                [sys.executable, str(CONSUMER), "127.0.0.1", str(port)], stdout=out, stderr=said
            )
        eventually(lambda: "Success" in self.said or self.process.poll() is not None, within_s=20)
        assert self.process.poll() is None, self.said

    @property
    def lines(self) -> list[str]:
        return self._out.read_text("utf-8").splitlines()

    @property
    def said(self) -> str:
        return self._said.read_text("utf-8")


@contextmanager
def consumer_of(folder: Path, port: int, eventually: Callable[..., None]) -> Iterator[Consumer]:
    consumer = Consumer(folder, port, eventually)
    try:
        yield consumer
    finally:
        consumer.process.terminate()
        consumer.process.wait()


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    mosquitto = Mosquitto(tmp_path)
    yield mosquitto
    mosquitto.stop()


@pytest.fixture
def say(broker: Mosquitto) -> Iterator[Callable[[Topic, str, bytes], None]]:
    """Publish as a node does."""
    client = paho.Client(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
    client.connect(broker.host, broker.port)
    client.loop_start()

    def publish(topic: Topic, node: str, payload: bytes) -> None:
        client.publish(topic.of(node=node), payload, qos=topic.qos).wait_for_publish(10)

    yield publish
    client.loop_stop()  # first: a thread that disconnect has ended cannot be joined
    client.disconnect()


def test_it_counts_each_event_once(
    tmp_path: Path,
    broker: Mosquitto,
    say: Callable[[Topic, str, bytes], None],
    eventually: Callable[..., None],
) -> None:
    raw = [encode(event) for event in AT_KIOSK]
    with consumer_of(tmp_path, broker.port, eventually) as consumer:
        say(Topic("{node}/note", 1, False, None), "kiosk-1", b"\xff")
        say(EVT, "kiosk-1", raw[0])
        say(EVT, "kiosk-1", b"[" + b",".join(raw[1:5]) + b"]")
        say(EVT, "kiosk-1", b"[" + b",".join(raw[:5]) + b"]")
        for rubbish in (b"\xff\xfe", b"{", b"null", b"[7]", b"{}"):
            say(EVT, "kiosk-2", rubbish)
        say(EVT, "branch-1", encode(AT_BRANCH[0]))
        eventually(lambda: consumer.said.count("not an event") == 5)
        eventually(lambda: len(consumer.lines) >= 6)
        told = [tuple(line.split()[:3]) for line in consumer.lines]
        assert told == [
            (event.src, str(event.seq), type(event).__struct_config__.tag)
            for event in (*AT_KIOSK[:5], AT_BRANCH[0])
        ]
        assert consumer.process.poll() is None


def test_without_a_broker_it_says_where_it_looked() -> None:
    port = str(free_port())
    done = subprocess.run(
        [sys.executable, str(CONSUMER), "127.0.0.1", port],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.startswith(f"no MQTT broker at 127.0.0.1:{port}: ")
    assert done.stderr.count("\n") == 1


def test_it_is_short_and_needs_only_paho() -> None:
    text = CONSUMER.read_text("utf-8")
    assert sum(1 for line in text.splitlines() if line.strip()) <= MAX_LINES
    imported = {
        (node.module if isinstance(node, ast.ImportFrom) else node.names[0].name) or ""
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Import | ast.ImportFrom)
    }
    assert {name.partition(".")[0] for name in imported} == {"json", "sys", "paho"}


@pytest.mark.window
@pytest.mark.micropython
@pytest.mark.browser
@pytest.mark.timeout(DEMO_S + 10)
def test_beside_the_demo_it_sees_what_the_branch_stored(
    tmp_path: Path, eventually: Callable[..., None]
) -> None:
    log, report = tmp_path / "log", tmp_path / "r.json"
    with log.open("w") as file:
        demo = subprocess.Popen(
            [sys.executable, "-m", "lobby", "demo", "--headless", "--minutes", "4",
             "--out", str(tmp_path / "out"), "--report", str(report)],
            cwd=ROOT, stdout=file, stderr=subprocess.STDOUT,
        )  # fmt: skip
    try:
        address = re.compile(r"mosquitto \S+ on 127\.0\.0\.1:(\d+)")
        found: list[str] = []

        def announced() -> bool:
            found[:] = address.findall(log.read_text("utf-8"))
            return bool(found) or demo.poll() is not None

        eventually(announced, within_s=30)
        assert found, log.read_text("utf-8")
        with consumer_of(tmp_path, int(found[0]), eventually) as consumer:
            assert demo.wait(DEMO_S) == 0, log.read_text("utf-8")
            table: dict[str, Any] = json.loads(report.read_text("utf-8"))
            eventually(lambda: len(consumer.lines) >= table["events"]["stored"])
            told = [line.split()[:3] for line in consumer.lines]
    finally:
        demo.kill()
        demo.wait()
    assert len(told) == table["events"]["stored"]
    issued = [seq for _, seq, kind in told if kind == "ticket.issued"]
    assert len(issued) == len(set(issued)) == table["tickets"]["tapped"] > 0
