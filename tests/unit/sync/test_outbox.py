"""The device's end of the exchange, against a server that loses, repeats and garbles, on virtual
time."""

import asyncio
import functools
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import msgspec
import pytest

from simulator.broker import LocalBroker
from simulator.vtime import run, virtual_clock
from sync.identity import CHAIN_START, chain
from sync.journal import Journal
from sync.messages import (
    Ack,
    ArmPad,
    Command,
    CommandResult,
    DisarmPad,
    Hello,
    PrintedData,
    QueueState,
    State,
    Welcome,
    decode,
    decode_event,
    encode,
    split_batch,
)
from sync.outbox import HEARTBEAT_S, REMEMBERED_COMMANDS, Outbox
from sync.topics import ACK, CMD, EVT, HELLO, QUEUE, RES, SRV_STATE, STATE, WELCOME, Topic
from sync.transport import NO_SUBSCRIBER, NOT_AUTHORISED, Message

NODE = "kiosk-1"
SETTLED_S = 0.5


def on_virtual_time(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    @functools.wraps(test)
    def play(*args: Any, **kwargs: Any) -> None:
        run(test(*args, **kwargs))

    return play


class Server:
    """A server of a dozen lines: keeps what follows, acknowledges, and can be told to fail."""

    def __init__(self, broker: LocalBroker) -> None:
        self.kept: list[bytes] = []
        self.hellos: list[Hello] = []
        self.states: list[State] = []
        self.results: list[tuple[str, bytes | None, CommandResult]] = []
        self.messages = 0
        self.silent = False
        self.epoch = 1
        self.lies: dict[str, Any] = {}  # what its welcomes say instead of the truth
        self.insists = False
        self.starts = 0
        self.deaf = 0  # so many messages of events are lost
        self.transport = broker.transport()
        self.transport.listen(
            on_up=lambda: None, on_down=lambda _: None, on_messages=self._receive
        )
        self.transport.subscribe(HELLO.everyone, EVT.everyone, STATE.everyone, "bq/1/+/res")

    def _receive(self, messages: list[Message]) -> None:
        for message in messages:
            kind = message.topic.rsplit("/", 1)[-1]
            if kind == "hello":
                self.hellos.append(decode(message.payload, Hello))
                if not self.silent:
                    lies = self.lies
                    if not self.insists:
                        self.lies = {}
                    self.welcome(**lies)
            elif kind == "evt":
                self._take(message)
            elif kind == "state":
                self.states.append(decode(message.payload, State))
            else:
                result = decode(message.payload, CommandResult)
                self.results.append((message.topic, message.correlation, result))

    def _take(self, message: Message) -> None:
        self.messages += 1
        if self.deaf:
            self.deaf -= 1
            return
        for raw in split_batch(message.payload):
            event = decode_event(raw)
            if event.epoch > self.epoch and event.seq == 1:
                self.epoch, self.kept = event.epoch, []
            if event.epoch == self.epoch and event.seq == len(self.kept) + 1:
                self.kept.append(raw)
        if not self.silent:
            self.say(ACK, Ack(epoch=self.epoch, hw=len(self.kept), server_gen="g"))

    def welcome(self, **changes: Any) -> None:
        hello = self.hellos[-1]
        kept = self.kept if hello.epoch <= self.epoch else []
        digest = chain(kept[-1]) if kept else CHAIN_START
        welcome = Welcome(
            epoch=max(self.epoch, hello.epoch), connect=hello.connect, hw=len(kept),
            digest=digest, server_gen="g", server_ts=0,
        )  # fmt: skip
        self.say(WELCOME, msgspec.structs.replace(welcome, **changes))

    def start_again(self, **lies: Any) -> None:
        """Say that it has started: it is greeted, and answers with these ``lies``."""
        self.starts += 1
        self.lies = lies
        self.says("online", connect=self.starts)

    def says(self, status: Any, *, connect: int) -> None:
        """The state of that start, or its will."""
        state = State(node="branch-1", status=status, connect=connect, server_gen="g")
        self.transport.publish(SRV_STATE, SRV_STATE.of(), encode(state))

    def say(self, topic: Topic, message: msgspec.Struct, **options: Any) -> None:
        self.transport.publish(topic, topic.of(node=NODE), encode(message), **options)

    def command(self, command: Command, correlation: bytes = b"c", answer: str = "") -> None:
        self.say(CMD, command, response_topic=answer or RES.of(node=NODE), correlation=correlation)


class Bench:
    """A journal, its outbox, and the server at the other end."""

    def __init__(self, folder: Path) -> None:
        self.broker = LocalBroker()
        self.server = Server(self.broker)
        self.journal = Journal(folder / "journal.db", node=NODE, clock=virtual_clock(0, seed=1))
        self.done: list[str] = []
        self.queues: list[QueueState] = []
        self.online: list[bool] = []
        self.open_gate = asyncio.Event()
        self.open_gate.set()
        self.transport = self.broker.transport()
        self.outbox = Outbox(
            self.journal, self.transport, version="1", on_command=self._serve,
            on_queue=self.queues.append, on_online=self.online.append,
        )  # fmt: skip

    async def __aenter__(self) -> "Bench":
        await self.server.transport.start()
        await self.outbox.start()
        await asyncio.sleep(SETTLED_S)
        return self

    async def __aexit__(self, *_: object) -> None:
        async with asyncio.timeout(5):
            await self.outbox.stop()
        self.journal.close()

    async def _serve(self, command: Command) -> None:
        await self.open_gate.wait()
        self.done.append(command.key)
        if command.key.startswith("bad"):
            raise RuntimeError("no such pad")

    def append(self, count: int = 1) -> None:
        for _ in range(count):
            self.journal.append("ticket.printed", PrintedData(attempt=1, took_ms=1))
            self.outbox.appended()


def arm(key: str) -> ArmPad:
    return ArmPad(key=key, counter=1, ticket="t", nonce=1, window_ms=10_000)


@on_virtual_time
async def test_hello_welcome_events_ack_cursor(tmp_path: Path) -> None:
    async with Bench(tmp_path) as bench:
        assert bench.outbox.online
        assert bench.online == [True]
        hello = bench.server.hellos[0]
        assert (hello.node, hello.connect, hello.top_seq, hello.acked) == (NODE, 1, 0, 0)
        bench.append(120)
        assert bench.outbox.unacknowledged == 120
        began_s = asyncio.get_running_loop().time()
        assert await bench.outbox.drained(5)
        assert asyncio.get_running_loop().time() - began_s < 1
        await asyncio.sleep(SETTLED_S)
        assert bench.journal.acked == 120 == len(bench.server.kept)
        assert bench.server.messages == 120
        bench.transport.lose()
        assert (bench.outbox.online, bench.online) == (False, [True, False])
        bench.append(70)
        assert not await bench.outbox.drained(5)
        await bench.transport.start()
        assert await bench.outbox.drained(5)
        assert bench.server.messages == 121  # seventy events in one message
        assert [hello.connect for hello in bench.server.hellos] == [1, 2]


@on_virtual_time
async def test_lost_messages_are_sent_again(tmp_path: Path) -> None:
    async with Bench(tmp_path) as bench:
        bench.server.deaf = 3
        bench.append(5)
        assert await bench.outbox.drained(20)
        assert len(bench.server.kept) == 5
        bench.server.silent = True
        bench.append(1)
        await asyncio.sleep(60)
        assert len(bench.server.kept) == 6  # it has them; its acks were lost
        assert bench.outbox.unacknowledged == 1
        bench.server.silent = False
        assert await bench.outbox.drained(60)


@on_virtual_time
async def test_a_hello_is_repeated_until_it_is_answered(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.server.silent = True
    async with bench:
        bench.append(3)
        await asyncio.sleep(10)
        assert not bench.outbox.online
        assert len(bench.server.hellos) >= 3
        assert {hello.connect for hello in bench.server.hellos} == {1}
        bench.server.welcome(connect=99)  # an answer to somebody else's connect
        await asyncio.sleep(SETTLED_S)
        assert not bench.outbox.online
        bench.server.silent = False
        assert await bench.outbox.drained(10)


@on_virtual_time
async def test_another_history_sends_everything_again_with_the_same_ids(tmp_path: Path) -> None:
    async with Bench(tmp_path) as bench:
        bench.append(2)
        assert await bench.outbox.drained(5)
        ids = [decode_event(raw).id for raw in bench.server.kept]
        bench.server.start_again(digest="f" * 16)
        await asyncio.sleep(SETTLED_S)
        bench.append(1)
        assert await bench.outbox.drained(5)
        events = [decode_event(raw) for raw in bench.server.kept]
        assert [event.id for event in events[:2]] == ids
        assert [(event.epoch, event.seq) for event in events] == [(2, 1), (2, 2), (2, 3)]
        assert [event.prev for event in events] == [
            CHAIN_START,
            *(chain(raw) for raw in bench.server.kept[:2]),
        ]


@on_virtual_time
async def test_what_a_restored_server_lacks_is_not_thrown_away(tmp_path: Path) -> None:
    async with Bench(tmp_path) as bench:
        bench.append(9)
        assert await bench.outbox.drained(5)
        await asyncio.sleep(SETTLED_S)
        assert bench.journal.acked == 9
        del bench.server.kept[4:]
        bench.server.deaf = 10**6
        bench.server.start_again()
        await asyncio.sleep(SETTLED_S)
        assert bench.journal.acked == 4
        assert bench.journal.prune(bench.journal.clock.wall_ms() + 1, 100) == 4
        bench.server.deaf = 0
        assert await bench.outbox.drained(120)
        assert len(bench.server.kept) == 9


@on_virtual_time
async def test_a_server_that_never_agrees_is_reported(tmp_path: Path) -> None:
    async with Bench(tmp_path) as bench:
        bench.append(2)
        bench.server.insists = True
        bench.server.start_again(verdict="fork")
        await asyncio.sleep(SETTLED_S)
        assert "another device" in bench.outbox.report
        await asyncio.sleep(5)
        assert bench.server.states[-1].alerts == ["fork"]
        assert not bench.outbox.online
        bench.append(1)
        await asyncio.sleep(SETTLED_S)
        assert (bench.journal.top_seq, len(bench.server.kept)) == (3, 2)


@on_virtual_time
async def test_a_broker_that_passes_nothing_on_is_left_in_peace(tmp_path: Path) -> None:
    async with Bench(tmp_path) as bench:
        name = EVT.of(node=NODE)
        bench.append(1)
        bench.transport.refuse(name, NO_SUBSCRIBER)
        await asyncio.sleep(0)
        told = [bench.online[-1]]
        assert await bench.outbox.drained(5)
        bench.transport.refuse(STATE.of(node=NODE), NO_SUBSCRIBER)  # nobody needs to hear it
        told.append(bench.online[-1])
        bench.transport.refuse(name, NOT_AUTHORISED)
        assert bench.outbox.report.startswith("not_authorised: the broker does not let kiosk-1")
        await asyncio.sleep(100)
        assert [*told, bench.online[-1]] == [False, True, True]


@on_virtual_time
async def test_a_server_that_starts_is_greeted_at_once(tmp_path: Path) -> None:
    async with Bench(tmp_path) as bench:
        starts: list[tuple[Any, int, int]] = [
            ("online", 1, 2),
            ("online", 1, 2),
            ("lost", 2, 2),
            ("online", 2, 3),
        ]
        for status, connect, hellos in starts:
            bench.server.says(status, connect=connect)
            await asyncio.sleep(SETTLED_S)
            assert len(bench.server.hellos) == hellos


@pytest.mark.parametrize("status", ["lost", "stopped"])
@on_virtual_time
async def test_a_server_that_has_gone_is_missed_at_once(tmp_path: Path, status: Any) -> None:
    async with Bench(tmp_path) as bench:
        server = bench.server
        server.start_again()
        await asyncio.sleep(SETTLED_S)
        server.start_again()
        await asyncio.sleep(SETTLED_S)
        server.silent = True
        server.says(status, connect=1)  # the will of the start before comes late
        await asyncio.sleep(0)
        told = [bench.online[-1]]
        server.says(status, connect=2)
        await asyncio.sleep(0)
        told.append(bench.online[-1])
        await asyncio.sleep(60)
        bench.append(1)
        assert server.messages == 0, "there is nobody to send to"
        told.append(bench.outbox.online)
        server.silent = False
        server.says("online", connect=2)  # it was only the server's line to the broker
        await asyncio.sleep(SETTLED_S)
        assert [*told, bench.online[-1]] == [True, False, False, True]
        assert await bench.outbox.drained(5)


@on_virtual_time
async def test_rubbish_is_counted_and_harmless(tmp_path: Path) -> None:
    async with Bench(tmp_path) as bench:
        for topic in (WELCOME, ACK, CMD):
            bench.server.transport.publish(topic, topic.of(node=NODE), b"{}")
        bench.server.transport.publish(QUEUE, QUEUE.of(service="A"), b"\xff")
        state = QueueState(service="A", waiting=3, ts=1)
        bench.server.transport.publish(QUEUE, QUEUE.of(service="A"), encode(state))
        await asyncio.sleep(SETTLED_S)
        assert bench.outbox.bad_messages == 4
        assert bench.queues == [state]
        bench.append(1)
        assert await bench.outbox.drained(5)


@on_virtual_time
async def test_births_heartbeats_and_a_goodbye(tmp_path: Path) -> None:
    async with Bench(tmp_path) as bench:
        assert [state.status for state in bench.server.states] == ["online"]
        await asyncio.sleep(2.5 * HEARTBEAT_S)
        assert [state.status for state in bench.server.states] == ["online"] * 3
        # Also while much is to do: the beat does not wait for quiet.
        bench.server.silent = True
        bench.append(1)
        await asyncio.sleep(2.5 * HEARTBEAT_S)
        assert len(bench.server.states) in (5, 6)
    await asyncio.sleep(0)
    assert bench.server.states[-1].status == "stopped"


@on_virtual_time
async def test_commands_are_answered_with_their_correlation(tmp_path: Path) -> None:
    async with Bench(tmp_path) as bench:
        bench.server.command(arm("k1"), b"one", "bq/1/branch-1/res")
        bench.server.command(DisarmPad(key="bad", counter=9), b"two")
        bench.server.command(arm("k3"), b"three", "bq/1/+/res")  # no topic to publish on
        await asyncio.sleep(SETTLED_S)
        own = RES.of(node=NODE)
        assert bench.server.results == [
            ("bq/1/branch-1/res", b"one", CommandResult(key="k1", ok=True)),
            (own, b"two", CommandResult(key="bad", ok=False, error="no such pad")),
            (own, b"three", CommandResult(key="k3", ok=True)),
        ]


@on_virtual_time
async def test_a_repeated_command_is_done_once_and_answered_each_time(tmp_path: Path) -> None:
    async with Bench(tmp_path) as bench:
        bench.open_gate.clear()
        for correlation in (b"1", b"2"):  # again while the first is under way
            bench.server.command(arm("k"), correlation)
        await asyncio.sleep(SETTLED_S)
        assert bench.server.results == []
        bench.open_gate.set()
        await asyncio.sleep(SETTLED_S)
        bench.server.command(arm("k"), b"3")
        for _ in range(2):
            bench.server.command(arm("bad"), b"4")
        await asyncio.sleep(SETTLED_S)
        assert bench.done == ["k", "bad"]
        assert [(c, r.ok) for _, c, r in bench.server.results] == [
            (b"1", True), (b"2", True), (b"3", True), (b"4", False), (b"4", False),
        ]  # fmt: skip


@on_virtual_time
async def test_remembered_commands_are_bounded(tmp_path: Path) -> None:
    async with Bench(tmp_path) as bench:
        for number in range(REMEMBERED_COMMANDS + 10):
            bench.server.command(arm(f"k{number}"))
        await asyncio.sleep(SETTLED_S)
        assert len(bench.done) == REMEMBERED_COMMANDS + 10
        assert len(bench.outbox._results) == REMEMBERED_COMMANDS


@on_virtual_time
async def test_a_command_is_acknowledged_when_it_is_done(tmp_path: Path) -> None:
    async with Bench(tmp_path) as bench:
        acknowledged: list[bytes] = []
        bench.open_gate.clear()

        def message(payload: bytes, topic: Topic) -> Message:
            return Message(
                topic.of(node=NODE), payload, False, None, None,
                lambda: acknowledged.append(payload),
            )  # fmt: skip

        command = encode(arm("k"))
        bench.outbox._received([message(command, CMD), message(b"?", ACK)])
        await asyncio.sleep(SETTLED_S)
        assert acknowledged == [b"?"]
        bench.open_gate.set()
        await asyncio.sleep(SETTLED_S)
        assert acknowledged == [b"?", command]


@on_virtual_time
async def test_a_stop_ends_what_is_under_way(tmp_path: Path) -> None:
    async with Bench(tmp_path) as bench:
        bench.open_gate.clear()
        bench.server.command(arm("k"))
        await asyncio.sleep(SETTLED_S)
        bench.append(1)  # at the last moment
    assert bench.done == []


@on_virtual_time
async def test_a_full_disk_does_not_stop_the_exchange(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The journal must drain just then: neither its cursor nor a connect can be written."""

    def full(*_: object) -> None:
        raise OSError("disk full")

    async with Bench(tmp_path) as bench:
        with monkeypatch.context() as broken:
            broken.setattr(bench.journal, "_set_meta", full)
            bench.append(60)
            assert await bench.outbox.drained(30)
            bench.transport.lose()
            bench.append(60)
            await bench.transport.start()
            assert await bench.outbox.drained(30)
            await asyncio.sleep(2 * SETTLED_S)
            assert len(bench.server.kept) == 120
            assert bench.outbox.failed_handlers > 1
        with monkeypatch.context() as broken:
            broken.setattr(bench.journal, "after", full)
            bench.append(1)
            await asyncio.sleep(3)
        assert await bench.outbox.drained(30)


@on_virtual_time
async def test_an_exception_of_the_screen_does_not_stop_the_exchange(tmp_path: Path) -> None:
    async with Bench(tmp_path) as bench:

        def fail(*_: object) -> None:
            raise RuntimeError("a mistake of ours")

        bench.outbox._on_queue = fail
        state = QueueState(service="A", waiting=3, ts=1)
        bench.server.transport.publish(QUEUE, QUEUE.of(service="A"), encode(state))
        bench.append(1)
        assert await bench.outbox.drained(5)
        assert bench.outbox.failed_handlers == 1
