"""Commands over MQTT: the same as over HTTP, each once, each answered."""

import asyncio
import inspect
import json
import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest

from branch.commands import (
    AnyCommand,
    CallNext,
    CallTicket,
    CloseCounter,
    Finish,
    Miss,
    OpenCounter,
    Park,
    PauseCounter,
    Postpone,
    Recall,
    Rejoin,
    ServeNow,
    Start,
    TagTicket,
    Transfer,
    Unpark,
)
from branch.view import CommandRefused, UnknownCounter
from sync.counter_messages import CounterCommand, CounterResult
from sync.messages import UnknownEvent, decode, encode
from sync.topics import COUNTER_CMD, COUNTER_RES, RES, Topic
from sync.transport import Message
from tests.unit.branch.bench import BranchBench, on_virtual_time, settle

CMD = COUNTER_CMD.of(branch="branch-1")
MINE = RES.of(node="desk-1")


class Commander:
    """A program beside the branch that commands its counters over the feed."""

    def __init__(self, bench: BranchBench) -> None:
        self.answers: list[tuple[str, bytes | None, CounterResult]] = []
        self.transport = bench.broker.transport()
        self.transport.listen(
            on_up=lambda: None, on_down=lambda _: None, on_messages=self._receive
        )
        self.transport.subscribe(MINE, COUNTER_RES.of(branch="branch-1"))

    def _receive(self, messages: list[Message]) -> None:
        for one in messages:
            result = decode(one.payload, CounterResult)
            self.answers.append((one.topic, one.correlation, result))
            one.done()

    async def send(
        self,
        payload: bytes,
        *,
        topic: Topic = COUNTER_CMD,
        response_topic: str | None = MINE,
        correlation: bytes | None = b"c1",
    ) -> CounterResult:
        before = len(self.answers)
        assert self.transport.publish(
            topic, CMD, payload, response_topic=response_topic, correlation=correlation
        )
        await settle()
        assert len(self.answers) == before + 1, "one answer a command"
        return self.answers[-1][2]

    async def does(
        self, command: AnyCommand, key: str, counter: int = 2, **more: Any
    ) -> CounterResult:
        asked = CounterCommand(key=key, counter=counter, command=command, **more)
        return await self.send(encode(asked))


def with_commander(test: Callable[..., Any]) -> Any:
    async def play(tmp_path: Path, **given: Any) -> None:
        async with BranchBench(tmp_path) as bench:
            commander = Commander(bench)
            await commander.transport.start()
            await test(bench, commander, **given)

    wrapped = on_virtual_time(play)
    names = [name for name in inspect.signature(test).parameters if name not in ("bench", "it")]
    parameters = [inspect.Parameter(n, inspect.Parameter.KEYWORD_ONLY) for n in names]
    path = inspect.Parameter("tmp_path", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    wrapped.__name__ = test.__name__
    wrapped.__signature__ = inspect.Signature([path, *parameters])  # type: ignore[attr-defined]
    wrapped.__dict__.update(pytestmark=getattr(test, "pytestmark", []))
    return wrapped


@with_commander
async def test_a_command_is_carried_out_and_answered(bench: BranchBench, it: Commander) -> None:
    [ticket] = await bench.kiosk.tickets("A001")
    result = await it.does(CallNext(), "k1")
    [(topic, correlation, _)] = it.answers
    assert (topic, correlation) == (MINE, b"c1")
    assert (result.ok, result.code, result.number) == (True, "", "A001")
    assert (result.ticket, result.counter, result.command) == (ticket, 2, "call-next")
    assert (result.event,) == bench.rows("event WHERE type = 'ticket.called'", "id")[0]
    assert bench.branch.counter(2).number == "A001"


@with_commander
async def test_the_answer_to_a_repeat_is_the_first_one(bench: BranchBench, it: Commander) -> None:
    refused = await it.does(CallNext(), "k0")
    assert (refused.ok, refused.code) == (False, "nobody_waiting")
    await bench.kiosk.tickets("A001", "A002")
    called = await it.does(CallNext(), "k1")
    opened = await it.does(OpenCounter(), "k2")  # is open: nothing to do
    assert (opened.ok, opened.event) == (True, "")
    assert (await it.does(Miss(), "k3")).ok
    await it.does(PauseCounter(), "k4")
    for restart in (False, True):
        if restart:
            await bench.restart()
        assert await it.does(CallNext(), "k0") == refused
        assert await it.does(CallNext(), "k1") == called
        assert await it.does(OpenCounter(), "k2") == opened
        assert bench.branch.counter(2).window == "paused"
        assert bench.ledger() == ["ticket.called", "ticket.missed", "counter.paused"]


@with_commander
async def test_one_key_is_one_command_by_http_and_mqtt(bench: BranchBench, it: Commander) -> None:
    with pytest.raises(CommandRefused, match="nobody waits"):
        await bench.branch.call_next(2, "k0")
    await bench.kiosk.tickets("A001", "A002")
    assert (await it.does(CallNext(), "k0")).code == "nobody_waiting"
    view = await bench.branch.call_next(2, "k1")
    assert (await it.does(CallNext(), "k1")).number == view.number == "A001"
    assert (await it.does(Finish(), "k2")).ok
    assert (await bench.branch.finish(2, "k2")).number is None
    assert bench.ledger() == ["ticket.called", "service.ended"]
    with pytest.raises(CommandRefused, match="nobody waits"):
        await bench.branch.call_next(2, "k0")


@with_commander
async def test_http_and_mqtt_at_one_instant_get_two_tickets(
    bench: BranchBench, it: Commander
) -> None:
    await bench.kiosk.tickets("A001", "A002")
    result, view = await asyncio.gather(
        it.does(CallNext(), "k", counter=1), bench.branch.call_next(2, "k")
    )
    assert {result.number, view.number} == {"A001", "A002"}
    assert len(bench.rows("event WHERE type = 'ticket.called'", "DISTINCT sub")) == 2


@with_commander
async def test_what_comes_too_late_is_expired(bench: BranchBench, it: Commander) -> None:
    await bench.kiosk.tickets("A001", "A002")
    now = bench.clock.wall_ms()
    late = await it.does(CallNext(), "k1", expires_ms=now - 1_500)
    assert late.code == "expired"
    assert "1.5 s after expires_ms" in late.message
    turn = bench.branch.counter(2).turn
    assert (await it.does(CallNext(), "k2", turn=turn + 1)).code == "expired"
    assert bench.ledger() == []
    assert (await it.does(CallNext(), "k3", turn=turn, expires_ms=now + 60_000)).ok
    await bench.restart()
    # What was carried out is not undone by its age, what was refused is not done by its repeat.
    assert (await it.does(CallNext(), "k3", turn=turn, expires_ms=now - 1)).ok
    assert (await it.does(CallNext(), "k1")).code == "expired"


GOOD = {"type": "counter.command", "key": "k1", "counter": 2, "command": {"type": "call-next"}}
WRONG: list[tuple[Any, str, str]] = [
    (b"\xff\x00", "", "not a command; .* no more is said"),
    ({**GOOD, "command": {"type": "138 1234 5678"}}, "", "no more is said"),
    (b"[]", "", "Expected `object`"),
    ({**GOOD, "counter": "2"}, "k1", r"Expected `int`, got `str` - at `\$.counter`"),
    ({**GOOD, "command": {"type": "fly"}}, "k1", r"unknown \$.command.type.*call-next, "),
    (
        {**GOOD, "command": {"type": "transfer"}},
        "k1",
        r"missing required field `service`.*command",
    ),
    (
        {**GOOD, "command": {"type": "recall", "x": 1}},
        "k1",
        r"unknown field `x` - at `\$.command`",
    ),
    ({**GOOD, "key": "a b"}, "a b", r"\$.key"),
    ({**GOOD, "key": "k" * 65}, "k" * 64, r"length <= 64 - at `\$.key`"),
    ({**GOOD, "type": "pad.arm"}, "k1", "Invalid value"),
    ({**GOOD, "type": None}, "k1", "Expected `str`"),
]


@pytest.mark.parametrize("case", range(len(WRONG)))
@with_commander
async def test_what_cannot_be_read_says_what_was_expected(
    bench: BranchBench, it: Commander, case: int
) -> None:
    payload, key, says = WRONG[case]
    await bench.kiosk.tickets("A001")
    raw = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    result = await it.send(raw)
    assert (result.ok, result.code, result.key) == (False, "bad_request", key)
    assert re.search(says, result.message), result.message
    assert bench.ledger() == []
    assert (await it.send(json.dumps(GOOD).encode())).number == "A001"


@with_commander
async def test_what_may_not_be_is_answered_and_not_done(bench: BranchBench, it: Commander) -> None:
    await bench.kiosk.tickets("A001")
    gone = await it.does(CallNext(), "k1", counter=9)
    assert (gone.code, gone.message) == (
        "unknown_counter", "there is no counter 9; the counters are 1, 2, 3",
    )  # fmt: skip
    asked = encode(CounterCommand(key="k2", counter=2, command=CallNext()))
    for topic in (
        "bq/1/kiosk-1/ack",
        "bq/1/pub/board/hall",
        "elsewhere",
        "bq/1/srv/res",
        "bq/1/+/res",
    ):
        result = await it.send(asked, response_topic=topic)
        assert result.code == "response_topic", topic
        assert it.answers[-1][0] == COUNTER_RES.of(branch="branch-1")
    kept = Topic("{branch}/cmd", qos=1, retain=True, expiry_s=None)
    assert (await it.send(asked, topic=kept)).ok  # who listens gets it as any other
    await bench.branch.finish(2, "f")
    asked = encode(CounterCommand(key="k3", counter=2, command=PauseCounter()))
    assert (await it.send(asked, topic=kept)).ok
    await bench.branch.perform(2, OpenCounter(), "o")
    await bench.restart()
    assert it.answers[-1][2].code == "retained"
    assert bench.branch.counter(2).window == "open"
    assert bench.branch.health()["ok"]


@with_commander
async def test_without_a_response_topic_the_server_s_own_has_the_answer(
    bench: BranchBench, it: Commander
) -> None:
    asked = encode(CounterCommand(key="k1", counter=2, command=CallNext()))
    await it.send(asked, response_topic=None, correlation=None)
    topic, correlation, result = it.answers[-1]
    assert (topic, correlation) == (COUNTER_RES.of(branch="branch-1"), b"k1")
    assert result.code == "nobody_waiting"
    assert bench.branch.ingest.counters.bad_messages == 0, "its own answer is no surprise"


@with_commander
async def test_a_full_disk_is_told_and_the_repeat_is_carried_out(
    bench: BranchBench, it: Commander
) -> None:
    await bench.kiosk.tickets(*(f"A{n:03}" for n in range(1, 5)))
    bench.limit_disk(full=True)
    # The last page has room for a few.
    failed = await it.does(CallNext(), "k0")
    for n in range(1, 100):
        if failed.code == "not_stored":
            break
        failed = await it.does(Miss() if n % 2 else CallNext(), f"k{n}")
    assert failed.code == "not_stored"
    assert "nothing has changed" in failed.message
    refused = await it.does(CallNext(), "r", counter=3)  # nobody waits there; it cannot be kept
    assert refused.code == "nobody_waiting"
    bench.limit_disk(full=False)
    called = failed.command == "call-next"
    assert (await it.does(CallNext() if called else Miss(), failed.key)).ok
    assert await it.does(CallNext(), "r", counter=3) == refused


@with_commander
async def test_nobody_commands_where_the_configuration_says_so(
    bench: BranchBench, it: Commander
) -> None:
    commands = msgspec.structs.replace(bench.config.commands, mqtt=False)
    await bench.restart(msgspec.structs.replace(bench.config, commands=commands))
    asked = CounterCommand(key="k1", counter=2, command=CallNext())
    it.transport.publish(COUNTER_CMD, CMD, encode(asked), response_topic=MINE)
    await settle()
    assert it.answers == []


SCRIPT: list[tuple[int, AnyCommand]] = [
    (2, CallNext()), (2, Recall()), (2, Start()),
    (2, Transfer(service="B", counter=3, back=True, note="已填单")),
    (3, CallNext()), (3, Finish()), (2, CallNext()), (2, Park(minutes=5, note="fills in a form")),
    (2, Unpark(number="A001")), (2, Postpone(number="A002")), (2, Unpark(number="A002")),
    (2, TagTicket(number="A003", segment="elderly")),
    (2, CallTicket(number="A003", reason="frail")),
    (2, Miss()), (2, Rejoin(number="A003")), (1, ServeNow(service="A")), (1, Finish()),
    (1, PauseCounter(reason="break")), (1, OpenCounter(teller="t-1")), (1, CloseCounter()),
    (1, CallNext()), (2, TagTicket(number="A001", segment="king")), (9, CallNext()),
]  # fmt: skip


@on_virtual_time
async def test_every_command_does_the_same_by_either_way(tmp_path: Path) -> None:
    told: dict[str, list[tuple[Any, ...]]] = {}
    for way in ("http", "mqtt"):
        (tmp_path / way).mkdir()
        async with BranchBench(tmp_path / way) as bench:
            commander = Commander(bench)
            await commander.transport.start()
            await bench.kiosk.tickets("A001", "A002", "A003")
            answers: list[tuple[Any, ...]] = []
            for number, (counter, command) in enumerate(SCRIPT):
                await asyncio.sleep(30)  # recalls are 20 s apart
                began_s = asyncio.get_running_loop().time()
                if way == "mqtt":
                    result = await commander.does(command, f"k{number}", counter)
                    answers.append((result.code, result.message))
                else:
                    try:
                        bench.branch.counter(counter)
                        await bench.branch.perform(counter, command, f"k{number}")
                        answers.append(("", ""))
                    except CommandRefused as refused:
                        answers.append((refused.code, str(refused)))
                    except KeyError:
                        known = bench.branch.counters()
                        answers.append(("unknown_counter", str(UnknownCounter(counter, known))))
                await asyncio.sleep(began_s + 1 - asyncio.get_running_loop().time())
            kept = [
                (event.__struct_config__.tag, _without_times(msgspec.to_builtins(event.data)))
                for event in bench.store.events()
                if event.src == "branch-1" and not isinstance(event, UnknownEvent)
            ]
            told[way] = [*answers, *kept]
    assert told["mqtt"] == told["http"]
    assert {type(command) for _, command in SCRIPT} == set(get_args(AnyCommand))
    codes = [answer[0] for answer in told["mqtt"][: len(SCRIPT)]]
    assert codes == [""] * 20 + ["not_open", "unknown_segment", "unknown_counter"]


def _without_times(data: dict[str, Any]) -> dict[str, Any]:
    """The message takes a moment that the call does not."""
    return {key: value for key, value in data.items() if not key.endswith("_ms")}


@with_commander
async def test_whatever_comes_is_answered_once_and_stops_nothing(
    bench: BranchBench, it: Commander
) -> None:
    chance = random.Random(7)
    good = encode(CounterCommand(key="k", counter=2, command=Transfer(service="B", note="n")))
    values: list[Any] = [None, -1, 2**70, 1.5, "", "é", [], {}, True, "x" * 300]
    for number in range(300):
        raw = bytearray(good)
        if number % 3 == 0:
            for _ in range(chance.randint(1, 6)):
                raw[chance.randrange(len(raw))] = chance.randrange(256)
        elif number % 3 == 1:
            del raw[chance.randrange(len(raw)) :]
        else:
            table = json.loads(good)
            inner = table["command"] if chance.random() < 0.5 else table
            inner[chance.choice([*inner, "more"])] = chance.choice(values)
            raw = bytearray(json.dumps(table).encode())
        result = await it.send(bytes(raw))
        assert result.ok or result.code, raw
        assert result.ok or result.message, raw
    await bench.kiosk.tickets("A001")
    assert (await it.does(CallNext(), "after-all")).number == "A001"
    assert bench.branch.ingest.counters.failed_handlers == 0


@with_commander
async def test_a_person_s_number_is_refused_and_not_repeated(
    bench: BranchBench, it: Commander
) -> None:
    await bench.kiosk.tickets("A001")
    key = "13812345678"
    result = await it.does(CallNext(), key)
    assert (result.code, result.key) == ("personal_data", "")
    assert (await it.does(CallNext(), "k1")).ok
    for note, code in (("Zhang San", "unknown_note"), ("张三", "unknown_note"), ("已填单", "")):
        result = await it.does(Transfer(service="B", note=note), f"k-{len(it.answers)}")
        assert result.code == code
        assert "San" not in result.message
    assert bench.branch.ingest.counters.bad_messages == 0, "its own answers, in Chinese too"
    kept = [row for table in ("event", "command") for row in bench.rows(table)]
    assert not any(key in str(row) or "张" in str(row) for row in kept)
