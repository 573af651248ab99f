"""A branch whose hall is watched: what a listener of the topic hears, and when."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from branch.calling_config import CounterConfig
from branch.config import BranchConfig
from branch.standards_config import StandardsConfig
from simulator.broker import LocalBroker
from sync.messages import Alert, DeviceData, decode, encode
from sync.topics import ALERT
from sync.transport import Message
from tests.unit.branch.bench import CONFIG, BranchBench, settle

HALL = msgspec.structs.replace(
    CONFIG,
    counters=[*CONFIG.counters, CounterConfig(5, ["A", "B"], elastic=True)],
    standards=StandardsConfig(
        max_wait_min=10.0, max_service_min=5.0, max_idle_min=0.0, max_line=0
    ),
)


@dataclass
class Listener:
    """Whoever reads the topic: each word, and the second (of the loop) at which it came."""

    words: list[tuple[float, Alert]] = field(default_factory=list)

    @classmethod
    async def on(cls, broker: LocalBroker) -> "Listener":
        listener = cls()
        transport = broker.transport()
        transport.listen(on_up=lambda: None, on_down=lambda _: None, on_messages=listener._receive)
        transport.subscribe(ALERT.of())
        await transport.start()
        return listener

    def _receive(self, messages: list[Message]) -> None:
        now_s = asyncio.get_running_loop().time()
        self.words += [(now_s, decode(message.payload, Alert)) for message in messages]

    @property
    def said(self) -> list[tuple[str, str]]:
        """State and breach of each word, without the ids in it."""
        return [(word.state, word.breach.split(":")[0]) for _, word in self.words]


@asynccontextmanager
async def hall(
    folder: Path, config: BranchConfig = HALL
) -> AsyncIterator[tuple[BranchBench, Listener]]:
    """The branch and its listener."""
    bench = BranchBench(folder, config)
    async with bench:
        yield bench, await Listener.on(bench.broker)


async def unhappy(bench: BranchBench, number: str, score: int = 1, counter: int = 1) -> None:
    """A visit that ends in a press; the press is on its way when this returns."""
    await bench.kiosk.tickets(number)
    await bench.branch.call_next(counter, f"c-{number}")
    await bench.branch.finish(counter, f"f-{number}")
    await settle()
    (arm,) = [c for c in bench.kiosk.commands if c.key == f"arm:{counter}:f-{number}"]
    at = round(asyncio.get_running_loop().time() * 1000)
    bench.kiosk.send(encode(bench.kiosk.stream.rated(counter, arm.nonce, score, at)))


def device(bench: BranchBench, name: str, state: str, detail: str = "") -> None:
    """The kiosk says how a device is."""
    data = DeviceData(device=name, kind="printer", state=state, detail=detail)
    at = round(asyncio.get_running_loop().time() * 1000)
    bench.kiosk.send(encode(bench.kiosk.stream.make("device.changed", data, at=at)))
