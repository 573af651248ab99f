"""The outbox over time: what it throws away, what it tells staff, how it cuts messages."""

import asyncio
from pathlib import Path

import pytest

from sync import outbox as outbox_module
from sync.journal_space import SpaceLevel
from sync.messages import DeviceData
from tests.unit.sync.test_outbox import Bench, on_virtual_time


@on_virtual_time
async def test_long_events_go_in_messages_that_a_server_takes(tmp_path: Path) -> None:
    async with Bench(tmp_path) as bench:
        detail = "x" * 6_000
        for number in range(100):
            data = DeviceData(device=f"d{number}", kind="pad", state="ok", detail=detail)
            bench.journal.append("device.changed", data)
        before = bench.server.messages
        bench.outbox.appended()
        assert await bench.outbox.drained(5)
        assert bench.server.messages - before == 3
        assert len(bench.server.kept) == 100


@on_virtual_time
async def test_a_full_disk_is_told_within_seconds_and_taken_back(tmp_path: Path) -> None:
    async with Bench(tmp_path) as bench:
        for space, alerts in (
            (SpaceLevel.LOW, ["storage_low"]),
            (SpaceLevel.ESSENTIAL_ONLY, ["storage_full"]),
            (SpaceLevel.FULL, ["storage_full"]),
            (SpaceLevel.AMPLE, []),
        ):
            bench.journal.space = space
            await asyncio.sleep(5)
            assert bench.server.states[-1].alerts == alerts


@on_virtual_time
async def test_what_the_server_has_had_for_long_is_thrown_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox_module, "RETENTION_MS", 6 * 3_600_000)
    async with Bench(tmp_path) as bench:
        bench.append(9)
        await asyncio.sleep(5 * 3600)
        assert bench.journal.first_seq == 1
        await asyncio.sleep(10 * 3600)
        assert bench.journal.first_seq == 10
        bench.append(1)
        assert await bench.outbox.drained(5)
