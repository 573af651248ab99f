"""Closing time: when a new ticket makes no sense any more, and when it does again."""

import asyncio
from pathlib import Path

import msgspec

from branch.calling_config import service_day
from branch.commands import OpenCounter, PauseCounter
from branch.config import CounterConfig, QueueConfig, ServiceConfig
from sync.messages import QueueState, decode
from sync.topics import QUEUE
from sync.transport import Message
from tests.unit.branch.bench import CONFIG, BranchBench, on_virtual_time, settle

# The bench begins on 2025-10-09 at 08:53:20 UTC.
HOURS = msgspec.structs.replace(
    CONFIG,
    services=[
        ServiceConfig("A", "现金", "Cash", opens="08:00", closes="09:30", mean_service_s=300),
        ServiceConfig("B", "对公", "Business", daily_limit=2),
    ],
    counters=[CounterConfig(1, ["A"]), CounterConfig(2, ["A"]), CounterConfig(3, ["B"])],
    queue=QueueConfig(),
)


def joining(bench: BranchBench) -> tuple[str, ...]:
    return tuple(line.joining for line in bench.branch.board().services)


@on_virtual_time
async def test_closing_and_open_again(tmp_path: Path) -> None:
    async with BranchBench(tmp_path, HOURS) as bench:
        heard: list[str] = []

        def listen(messages: list[Message]) -> None:
            for message in messages:
                state = decode(message.payload, QueueState)
                if state.service == "A":
                    heard.append(state.joining)

        reader = bench.broker.transport()
        reader.listen(on_up=lambda: None, on_down=lambda _: None, on_messages=listen)
        reader.subscribe(QUEUE.every())
        await reader.start()
        await bench.branch.perform(2, PauseCounter(), "p")
        assert joining(bench) == ("open", "open")
        await bench.kiosk.tickets(*(f"A{n:03}" for n in range(8)))
        assert joining(bench) == ("closing", "open")
        await settle()
        assert heard[-1] == "closing"
        await bench.branch.perform(2, OpenCounter(), "o")
        await settle()
        assert joining(bench) == ("open", "open"), "with a second counter the line fits"
        assert heard[-1] == "open"
        await asyncio.sleep(40 * 60)
        assert joining(bench) == ("closed", "open")


@on_virtual_time
async def test_a_service_gives_so_many_tickets_a_day(tmp_path: Path) -> None:
    async with BranchBench(tmp_path, HOURS) as bench:
        await bench.kiosk.tickets("B001", service="B")
        assert joining(bench)[1] == "open"
        await bench.kiosk.tickets("B002", service="B")
        assert joining(bench)[1] == "full"
        await bench.restart()
        assert joining(bench)[1] == "full"
        await asyncio.sleep(86_400)
        assert joining(bench)[1] == "open"


def test_a_service_without_hours_is_always_open() -> None:
    assert service_day(ServiceConfig("A", "", "")).left_min(1439) == 1
