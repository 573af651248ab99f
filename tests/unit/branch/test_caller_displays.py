"""What the tellers' digits are told: each change, not more than twice a second, again on hello."""

import asyncio
import itertools
from pathlib import Path

from branch.caller_displays import PACE_S
from tests.unit.branch.bench import BranchBench, on_virtual_time, settle
from tests.unit.branch.tellers import WITH_CALLERS, Tellers


@on_virtual_time
async def test_the_number_and_who_waits(tmp_path: Path) -> None:
    async with BranchBench(tmp_path, WITH_CALLERS) as bench, Tellers(bench) as tellers:
        await bench.kiosk.tickets("A001", "B001", service="A")
        await bench.kiosk.tickets("B002", service="B")
        assert tellers.digits(1) == [("", 1), ("", 2), ("", 3)]
        assert tellers.digits(2) == [("", 1), ("", 2)], "counter 2 has no B"
        await tellers.press("next")
        await tellers.press("pause")
        assert tellers.digits(1)[3:] == [("A001", 2), ("A001", 2)]
        assert [shown.paused for _, shown in tellers.shown if shown.counter == 1][-2:] == [
            False, True,
        ]  # fmt: skip
        await tellers.press("finish")
        assert tellers.digits(1)[-1] == ("", 2)
        assert {shown.counter for _, shown in tellers.shown} == {1, 2}, "3 has no such pad"
        assert len({shown.key for _, shown in tellers.shown}) == len(tellers.shown)


@on_virtual_time
async def test_a_burst_is_told_twice_a_second_and_its_end_is_told(tmp_path: Path) -> None:
    async with BranchBench(tmp_path, WITH_CALLERS) as bench, Tellers(bench) as tellers:
        await bench.kiosk.tickets("A001")
        began = len(tellers.digits(1))
        for number in range(2, 42):
            at = round(asyncio.get_running_loop().time() * 1000)
            issued = bench.kiosk.stream.issued(f"A{number:03}", "A", "", at)
            bench.kiosk.stream.printed(issued.id, at)
            bench.kiosk.send(*bench.kiosk.stream.raws[-2:])
            await asyncio.sleep(0.05)
        await asyncio.sleep(1)
        told = [at for at, shown in tellers.shown if shown.counter == 1][began:]
        assert 4 <= len(told) <= 6, "2 s of changes"
        assert all(b - a >= PACE_S - 0.001 for a, b in itertools.pairwise(told))
        assert tellers.digits(1)[-1] == ("", 41)


@on_virtual_time
async def test_a_kiosk_that_comes_back_is_told_everything_again(tmp_path: Path) -> None:
    async with BranchBench(tmp_path, WITH_CALLERS) as bench, Tellers(bench) as tellers:
        await bench.kiosk.tickets("A001")
        await tellers.press("next")
        await asyncio.sleep(1)
        tellers.shown.clear()
        await asyncio.sleep(60)
        assert tellers.shown == [], "nothing has changed"
        for _ in range(2):
            tellers.hello()
        await settle()
        assert tellers.digits(1) == [("A001", 0)]
        assert tellers.digits(2) == [("", 0)]
        async with Tellers(bench, "kiosk-2") as others:
            others.hello()
            await settle()
        assert len(tellers.shown) == 2
        await bench.restart()
        await asyncio.sleep(1)
        assert tellers.digits(1)[1:] == [("A001", 0)], "a new server tells what it knows"


@on_virtual_time
async def test_what_found_no_line_is_told_when_there_is_one(tmp_path: Path) -> None:
    async with BranchBench(tmp_path, WITH_CALLERS) as bench, Tellers(bench) as tellers:
        await bench.kiosk.tickets("A001")
        await asyncio.sleep(1)
        tellers.shown.clear()
        bench.transport.lose()
        await bench.branch.call_next(1, "page")
        await asyncio.sleep(1)
        assert tellers.shown == []
        await bench.transport.start()
        await asyncio.sleep(1)
        assert tellers.digits(1) == [("A001", 0)]
