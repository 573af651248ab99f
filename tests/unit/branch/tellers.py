"""A kiosk with tellers' pads, as the wire shows it: keys go up, answers and digits come down."""

import asyncio
import itertools
from typing import Any

import msgspec

from sync.messages import Ask, Hello, ShowPad, TellerAnswer, TellerKey, decode, encode
from sync.pad_messages import TellerAction
from sync.topics import ANSWER, ASK, CMD, HELLO
from sync.transport import Message
from tests.unit.branch.bench import CONFIG, BranchBench, settle

WITH_CALLERS = msgspec.structs.replace(
    CONFIG,
    counters=[msgspec.structs.replace(c, caller_node="kiosk-1") for c in CONFIG.counters[:2]]
    + [CONFIG.counters[2]],
)
BOOT = "boot-of-kiosk"


class Tellers:
    """Presses keys at a kiosk whose boot counts as the loop does, plus ``ahead_ms``."""

    def __init__(self, bench: BranchBench, node: str = "kiosk-1") -> None:
        self.node = node
        self.answers: list[TellerAnswer] = []
        self.shown: list[tuple[float, ShowPad]] = []
        self.ahead_ms = 5_000_000
        self._names = itertools.count(1)
        self.transport = bench.broker.transport()
        self.transport.listen(
            on_up=lambda: None, on_down=lambda _: None, on_messages=self._receive
        )
        self.transport.subscribe(ANSWER.of(node=node), CMD.of(node=node))

    async def __aenter__(self) -> "Tellers":
        await self.transport.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.transport.stop()

    @property
    def mono_ms(self) -> int:
        return round(asyncio.get_running_loop().time() * 1000) + self.ahead_ms

    def key(self, action: TellerAction, counter: int = 1, **fields: Any) -> TellerKey:
        given: dict[str, Any] = {"key": f"pad:1:{next(self._names)}", "age_ms": 30, "boot": BOOT}
        given |= {"mono_ms": self.mono_ms, **fields}
        return TellerKey(action=action, counter=counter, **given)

    def send(self, ask: Ask) -> None:
        self.transport.publish(ASK, ASK.of(node=self.node), encode(ask))

    async def told(self, key: TellerKey) -> str:
        """What became of a key: "ok", or the reason."""
        self.send(key)
        await settle()
        answer = self.answers[-1]
        assert answer.key == key.key
        assert answer.ok is not bool(answer.reason)
        return answer.reason or "ok"

    async def press(self, action: TellerAction, counter: int = 1, **fields: Any) -> str:
        await asyncio.sleep(0.4)  # nobody is faster from key to key
        return await self.told(self.key(action, counter, **fields))

    def hello(self) -> None:
        """Greet the server, as after a connect."""
        hello = Hello(
            node=self.node, epoch=1, top_seq=0, acked=0, digest="0" * 16, boot=BOOT, connect=1,
            version="1", ts=0, mono_ms=self.mono_ms,
        )  # fmt: skip
        self.transport.publish(HELLO, HELLO.of(node=self.node), encode(hello))

    def digits(self, counter: int = 1) -> list[tuple[str, int | None]]:
        """Number and people waiting, each time they were told."""
        return [(s.number, s.waiting) for _, s in self.shown if s.counter == counter]

    def _receive(self, messages: list[Message]) -> None:
        for message in messages:
            if message.topic.endswith("/answer"):
                self.answers.append(decode(message.payload, TellerAnswer))
            elif b'"pad.show"' in message.payload:
                now_s = asyncio.get_running_loop().time()
                self.shown.append((now_s, decode(message.payload, ShowPad)))
