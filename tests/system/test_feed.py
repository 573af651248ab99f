"""The feed over a real mosquitto: nothing lost, nothing twice, whatever the broker does."""

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import sync.mqtt as mqtt_module
import sync.session as session
from branch.config import BranchConfig, BranchName, CounterConfig, ServiceConfig
from branch.service import BranchService
from branch.store import Store
from simulator.mosquitto import Mosquitto
from sync.clock import system_clock
from sync.journal import Journal
from sync.messages import (
    Command,
    IssuedData,
    PadRef,
    PrintedData,
    RatingData,
    State,
    decode,
    encode,
)
from sync.mqtt import MqttTransport, Will
from sync.outbox import Outbox
from sync.topics import CMD, STATE, Topic
from sync.transport import NO_SUBSCRIBER, Message

pytestmark = pytest.mark.broker

NOTE = Topic("{node}/note", qos=1, retain=False, expiry_s=None)
NOTE_NAME = NOTE.of(node="test")
SOON_S = 15.0
CONFIG = BranchConfig(
    node="branch-1",
    branch=BranchName(zh="示例支行", en="Example branch"),
    services=[ServiceConfig("A", "个人", "Personal")],
    counters=[CounterConfig(1, ["A"], "kiosk-1")],
    rating_window_s=60.0,
)


async def until(condition: Callable[[], object], within_s: float = SOON_S) -> None:
    async with asyncio.timeout(within_s):
        while not condition():  # noqa: ASYNC110 - several parts, no common event
            await asyncio.sleep(0.01)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    mosquitto = Mosquitto(tmp_path)
    yield mosquitto
    mosquitto.stop()


def start_again(broker: Mosquitto) -> None:
    """A new mosquitto on the same port; it remembers nothing."""
    broker._process.wait()
    broker._start()
    assert broker._answers()


class Client:
    """A transport that keeps what it receives."""

    def __init__(self, broker: Mosquitto, name: str, *filters: str, will: Will | None = None):
        self.transport = MqttTransport(
            host=broker.host, port=broker.port, client_id=name, will=will
        )
        self.messages: list[Message] = []
        self.ups = 0
        self.downs: list[str] = []
        self.transport.listen(
            on_up=self._up, on_down=self.downs.append, on_messages=self.messages.extend
        )
        self.transport.subscribe(*filters)

    def _up(self) -> None:
        self.ups += 1

    @property
    def texts(self) -> list[str]:
        return [message.payload.decode() for message in self.messages]

    def say(self, text: str, **options: Any) -> bool:
        return self.transport.publish(NOTE, NOTE_NAME, text.encode(), **options)

    async def __aenter__(self) -> "Client":
        await self.transport.start()
        await until(lambda: self.transport.connected)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.transport.stop()


async def ready(client: Client, *, at: str = NOTE_NAME) -> None:
    """Its subscriptions stand: a message of its own comes back."""
    before = len(client.messages)
    client.transport.publish(Topic(at, 1, False, None), at, b"echo")
    await until(lambda: len(client.messages) > before)
    for message in client.messages:
        message.done()
    client.messages.clear()


# --- the transport --------------------------------------------------------------------------


async def test_messages_carry_response_topic_and_correlation(broker: Mosquitto) -> None:
    async with Client(broker, "one", NOTE_NAME) as one, Client(broker, "two") as two:
        await ready(one)
        assert two.say("x", response_topic="bq/1/two/res", correlation=b"\0\1")
        await until(lambda: one.messages)
        (message,) = one.messages
        assert (message.response_topic, message.correlation) == ("bq/1/two/res", b"\0\1")
        assert (message.topic, message.payload, message.retained) == (NOTE_NAME, b"x", False)


async def test_nodelay_is_set_on_each_socket(broker: Mosquitto) -> None:
    async with Client(broker, "one") as one:
        for _ in range(2):
            sock = one.transport._client.socket()
            assert isinstance(sock, socket.socket)
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0
            ups = one.ups
            sock.shutdown(socket.SHUT_RDWR)
            await until(lambda ups=ups: one.ups > ups)  # type: ignore[misc]


async def test_the_will_is_published_when_a_client_vanishes(broker: Mosquitto) -> None:
    lost = State(node="kiosk-1", status="lost", connect=3)
    name = STATE.of(node="kiosk-1")
    kiosk = Client(broker, "kiosk-1", will=Will(STATE, name, encode(lost)))
    async with Client(broker, "server", name) as server:
        await ready(server, at=name)
        async with kiosk:
            sock = kiosk.transport._client.socket()
            assert isinstance(sock, socket.socket)
            sock.shutdown(socket.SHUT_RDWR)
            await until(lambda: server.messages)
            assert decode(server.messages[0].payload, State) == lost
            await until(lambda: kiosk.ups == 2)
        assert kiosk.downs  # it noticed as well
        server.messages.clear()
        await ready(server, at=name)  # a goodbye in good order has no will
    async with Client(broker, "late", name) as late:
        await until(lambda: late.messages)
        assert late.messages[0].retained


async def test_no_subscriber_is_counted(broker: Mosquitto) -> None:
    async with Client(broker, "one") as one:
        assert one.say("x")
        await until(lambda: one.transport.refused_publishes.get(NO_SUBSCRIBER))


async def test_the_broker_sends_no_more_than_is_acknowledged(
    broker: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Acknowledged by hand, and never by the number of another connection."""
    monkeypatch.setattr(mqtt_module, "RECEIVE_MAXIMUM", 1)
    async with Client(broker, "one", NOTE_NAME) as one, Client(broker, "two") as two:
        await ready(one)
        for text in ("a", "b"):
            two.say(text)
        await until(lambda: one.texts == ["a"])
        stale = one.messages[0]
        broker.stop()
        await until(lambda: one.downs and two.downs)
        start_again(broker)
        await until(lambda: one.ups == 2 and two.ups == 2)
        one.messages.clear()
        echo = asyncio.create_task(ready(one))
        await echo
        for text in ("c", "d"):
            two.say(text)
        await until(lambda: one.texts == ["c"])
        stale.done()
        # Once our own next message is through, the broker has seen what we sent before it.
        async with Client(broker, "three", "bq/1/three/note") as three:
            await ready(three, at="bq/1/three/note")
            name = NOTE.of(node="three")
            one.transport.publish(NOTE, name, b"mark")
            await until(lambda: three.texts == ["mark"])
        await asyncio.sleep(0.1)
        assert one.texts == ["c"]
        one.messages[0].done()
        await until(lambda: one.texts == ["c", "d"])


async def test_what_a_dead_connection_did_not_get_through_is_dropped(broker: Mosquitto) -> None:
    """An arm command must not reach its pad minutes later, for another customer."""
    kept = Topic(NOTE.pattern, qos=1, retain=True, expiry_s=None)
    mark = NOTE.of(node="mark")
    async with Client(broker, "one") as one, Client(broker, "two", mark) as two:
        await ready(two, at=mark)
        os.kill(broker.pid, signal.SIGSTOP)
        assert one.transport.publish(kept, NOTE_NAME, b"stale")
        os.kill(broker.pid, signal.SIGKILL)
        await until(lambda: one.downs and two.downs)
        assert one.say("not sent at all") is False
        start_again(broker)
        await until(lambda: one.ups == 2 and two.ups == 2)
        await ready(two, at=mark)
        one.transport.publish(NOTE, mark, b"fresh")  # whatever was left would go first
        await until(lambda: two.texts == ["fresh"])
        async with Client(broker, "late", NOTE_NAME) as late:
            late.say("echo")
            await until(lambda: late.texts)
            assert late.texts == ["echo"]


async def test_waiting_publishes_are_bounded(
    broker: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mqtt_module, "QUEUED", 10)
    async with Client(broker, "one") as one:
        os.kill(broker.pid, signal.SIGSTOP)
        try:
            sent = [one.say(str(n)) for n in range(15)]
        finally:
            os.kill(broker.pid, signal.SIGCONT)
        assert sent == [True] * 10 + [False] * 5
        assert one.transport.unsent_publishes == 5
        await until(lambda: one.say("room again"))


async def test_an_exception_in_a_callback_is_counted_and_the_thread_lives(
    broker: Mosquitto,
) -> None:
    async with Client(broker, "one", NOTE_NAME) as one:
        await ready(one)

        def fail(*_: object) -> None:
            raise RuntimeError("a mistake of ours")

        transport, client = one.transport, one.transport._client
        good = client.on_message
        client.on_message = transport._guard(fail)  # in paho's thread
        one.say("lost")
        await until(lambda: transport.failed_callbacks == 1)
        client.on_message = good
        transport._on_messages = fail  # in the event loop
        one.say("lost too")
        await until(lambda: transport.failed_callbacks == 2)
        transport._on_messages = one.messages.extend
        one.say("heard")
        await until(lambda: one.texts == ["heard"])
        assert client._thread is not None
        assert client._thread.is_alive()


async def test_it_may_start_before_the_broker_and_stop_without_it(broker: Mosquitto) -> None:
    broker.stop()
    one = Client(broker, "one", NOTE_NAME)
    await one.transport.stop()  # never started: harmless
    await one.transport.start()
    assert one.say("too early") is False
    start_again(broker)
    await until(lambda: one.transport.connected)
    await ready(one)
    broker.stop()
    await until(lambda: one.downs)
    async with asyncio.timeout(10):
        await one.transport.stop()


# --- kiosk and branch server ----------------------------------------------------------------


class Feed:
    """A kiosk's outbox and a branch server, each with a connection and a database of its own."""

    def __init__(self, broker: Mosquitto, folder: Path) -> None:
        self.broker, self.folder = broker, folder
        self.clock = system_clock()
        self.commands: list[Any] = []
        self.journal = Journal(folder / "journal.db", node="kiosk-1", clock=self.clock)
        self.kiosk_transport = MqttTransport(
            host=broker.host, port=broker.port, client_id="kiosk-1"
        )
        self.outbox = Outbox(
            self.journal, self.kiosk_transport, version="1", on_command=self._serve
        )
        self.server_running = False

    async def _serve(self, command: Command) -> None:
        self.commands.append(command)

    async def start_server(self) -> None:
        self.store = Store(f"sqlite:///{self.folder}/branch.db")
        self.transport = MqttTransport(
            host=self.broker.host, port=self.broker.port, client_id="branch-1"
        )
        self.branch = BranchService(
            CONFIG, store=self.store, transport=self.transport, clock=self.clock, version="1"
        )
        await self.branch.open()
        self.server_running = True

    async def stop_server(self) -> None:
        if self.server_running:
            self.server_running = False
            await self.branch.close()
            self.store.close()

    async def stop(self) -> None:
        await self.outbox.stop()
        await self.stop_server()
        self.journal.close()

    def issue(self, number: str) -> str:
        data = IssuedData(
            number=number, service="A", segment="", language="en", business_date="2025-10-09",
            band=1, request=f"touch-{number}",
        )  # fmt: skip
        with self.journal.transaction() as transaction:
            ticket = transaction.append("ticket.issued", data, sub="self").id
            transaction.append("ticket.printed", PrintedData(attempt=1, took_ms=1), sub=ticket)
        self.outbox.appended()
        return ticket

    def stored(self) -> list[bytes]:
        with self.store.reading() as connection:
            rows = connection.exec_driver_sql(
                "SELECT raw FROM event WHERE node = 'kiosk-1' ORDER BY place"
            )
            return [raw for (raw,) in rows]

    def journalled(self) -> list[bytes]:
        return [raw for _, raw in self.journal.after(0, 100_000)]

    def complete(self) -> bool:
        return not self.outbox.unacknowledged and self.stored() == self.journalled()


@pytest.fixture
async def feed(broker: Mosquitto, tmp_path: Path) -> AsyncIterator[Feed]:
    made = Feed(broker, tmp_path)
    yield made
    await made.stop()


async def test_every_event_once_while_the_broker_dies_and_comes_back(feed: Feed) -> None:
    await feed.start_server()
    await feed.outbox.start()
    await until(lambda: feed.outbox.online)
    number = 0
    for rest in (False, True):
        for _ in range(40):
            feed.issue(f"A{number:03}")
            number += 1
            await asyncio.sleep(0)
        if rest:
            break
        os.kill(feed.broker.pid, signal.SIGKILL)  # in the middle of the stream
        for _ in range(40):
            feed.issue(f"A{number:03}")
            number += 1
        await until(lambda: not feed.outbox.online)
        start_again(feed.broker)
    await until(feed.complete)
    assert len(feed.journalled()) == 240
    assert feed.outbox.unacknowledged == 0
    assert feed.branch.counter(1).waiting == 120
    assert feed.branch.skipped_events == 0


async def test_the_kiosk_starts_first_and_the_server_twice(
    feed: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "GREETING_MS", 300)  # 3 s, where nobody watches
    feed.broker.stop()
    await feed.outbox.start()
    for number in range(10):
        feed.issue(f"A{number:03}")
    start_again(feed.broker)
    await until(lambda: feed.kiosk_transport.connected)
    assert not feed.outbox.online
    await feed.start_server()
    await until(feed.complete)
    await feed.stop_server()
    for number in range(10, 20):
        feed.issue(f"A{number:03}")
    assert feed.outbox.unacknowledged
    await feed.start_server()
    await until(feed.complete)
    assert feed.branch.counter(1).waiting == 20


async def test_a_burst_whose_handler_failed_comes_again(feed: Feed) -> None:
    await feed.start_server()
    await feed.outbox.start()
    await until(lambda: feed.outbox.online)
    good, failed = feed.transport._on_messages, []

    def fail_once(messages: list[Message]) -> None:
        feed.transport._on_messages = good
        failed.extend(messages)
        raise RuntimeError("a mistake of ours")

    feed.transport._on_messages = fail_once
    feed.issue("A001")
    await until(feed.complete)
    assert failed
    assert feed.transport.failed_callbacks == 1


async def test_a_visit_until_its_rating(feed: Feed) -> None:
    await feed.start_server()
    await feed.outbox.start()
    ticket = feed.issue("A001")
    await until(feed.complete)
    await feed.branch.call_next(1, "c")
    await feed.branch.finish(1, "f")
    await until(lambda: feed.commands)
    (arm,) = feed.commands
    assert (arm.ticket, arm.counter, arm.window_ms) == (ticket, 1, 60_000)
    await until(lambda: not feed.branch._pads._pending)  # the answer came by the response topic
    assert feed.branch.counter(1).pad == "armed"
    # The same command again, as a broker may deliver it: done once, answered.
    feed.transport.publish(CMD, CMD.of(node="kiosk-1"), encode(arm))
    rating = RatingData(
        counter=1, score_1to5=5, nonce=arm.nonce, delay_ms=900,
        pad=PadRef(unique_id="pad", boot_id=1, seq=1),
    )  # fmt: skip
    feed.journal.append("rating.submitted", rating, sub=ticket)
    feed.outbox.appended()
    await until(lambda: feed.branch.counter(1).pad == "rated")
    assert len(feed.commands) == 1
    with feed.store.reading() as connection:
        rows = connection.exec_driver_sql("SELECT ticket, score_1to5, kind FROM rating").fetchall()
    assert [tuple(row) for row in rows] == [(ticket, 5, "rating")]


async def test_a_broker_that_lets_a_device_say_hello_only_is_told_of(tmp_path: Path) -> None:
    """The access list forbids events: PUBACK 0x87 is an alarm, not a success."""
    rules = tmp_path / "acl"
    rules.write_text("topic readwrite #\ntopic deny bq/1/+/evt\n")
    broker = Mosquitto(tmp_path, more=f"acl_file {rules}\nuser root\n")
    feed = Feed(broker, tmp_path)
    try:
        await feed.start_server()
        await feed.outbox.start()
        await until(lambda: feed.outbox.online)
        feed.issue("A001")
        await until(lambda: feed.outbox.report.startswith("not_authorised"))
        assert not feed.outbox.online
        assert feed.outbox.unacknowledged
        await until(lambda: feed.branch.health()["alerts"] == ["kiosk-1: not_authorised"])
    finally:
        await feed.stop()
        broker.stop()


async def test_a_device_waits_while_nobody_listens(feed: Feed) -> None:
    """PUBACK 0x10 to its hello; the server's start wakes it."""
    await feed.outbox.start()
    feed.issue("A001")
    await until(lambda: feed.kiosk_transport.refused_publishes.get(NO_SUBSCRIBER))
    assert not feed.outbox.online
    await feed.start_server()
    await until(feed.complete)
