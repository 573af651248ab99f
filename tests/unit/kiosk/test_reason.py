"""A low press on a pad and its one reason, from the pad to the branch's tables."""

import asyncio
import sqlite3
from pathlib import Path

import msgspec

from kiosk.view import HomeView, Screen, SheetView
from tests.unit.kiosk.bench import KIOSK, Bench, until, virtual


async def press(bench: Bench, score: int, key: str) -> str:
    """One visit at counter 1 with its press; returns the ticket."""
    await bench.take("A")
    await until(lambda: bench.branch.engine.waiting(["A"]) == 1)
    await bench.branch.call_next(1, f"call-{key}")
    ticket = bench.branch.engine.counters[1].ticket
    assert ticket is not None
    await bench.branch.finish(1, f"finish-{key}")
    await until(lambda: any(bench.pads[1].leds()))
    rated = len(bench.events("rating.submitted"))
    await bench.pads[1].press(score)
    await until(lambda: len(bench.events("rating.submitted")) > rated)
    await asyncio.sleep(0.1)
    return ticket.id


def reasons(bench: Bench) -> list[tuple[str, str, str, int]]:
    with sqlite3.connect(bench.folder / "branch.db") as db:
        return db.execute("SELECT ticket, reason, channel, counter FROM reason").fetchall()


@virtual
async def test_a_low_press_is_asked_for_one_reason(tmp_path: Path) -> None:
    async with Bench(tmp_path, pads=(1,), with_branch=True) as bench:
        await bench.start()
        await until(lambda: bench.showing(HomeView).online)
        await bench.pads[1].start()
        ticket = await press(bench, 2, "a")
        sheet = bench.showing(SheetView)
        assert sheet.screen is Screen.REASON
        assert dict(sheet.lines[0].values) == {"number": "A001", "w": 1}
        bench.tap("why.attitude")
        assert bench.showing(SheetView).screen is Screen.THANKS
        bench.tap("done")
        await until(lambda: reasons(bench) == [(ticket, "attitude", "kiosk", 1)])
        await press(bench, 4, "b")
        bench.showing(HomeView)
        await press(bench, 1, "c")
        assert bench.showing(SheetView).screen is Screen.REASON
        bench.tap("skip")
        bench.showing(HomeView)
        await press(bench, 1, "d")
        await until(lambda: isinstance(bench.view, HomeView), within_s=40)
        assert len(reasons(bench)) == 1, "a skipped question is no answer"
        await bench.stop()


@virtual
async def test_who_stands_at_the_kiosk_is_not_disturbed(tmp_path: Path) -> None:
    async with Bench(tmp_path, pads=(1,), with_branch=True) as bench:
        await bench.start()
        await until(lambda: bench.showing(HomeView).online)
        await bench.pads[1].start()
        await bench.take("A")
        await until(lambda: bench.branch.engine.waiting(["A"]) == 1)
        await bench.branch.call_next(1, "call")
        await bench.branch.finish(1, "finish")
        await until(lambda: any(bench.pads[1].leds()))
        bench.tap("language")
        before = bench.view
        await bench.pads[1].press(1)
        await until(lambda: len(bench.events("rating.submitted")) == 1)
        await asyncio.sleep(0.1)
        assert bench.view == before
        await bench.stop()


@virtual
async def test_a_kiosk_far_from_the_counters_does_not_ask(tmp_path: Path) -> None:
    screen = msgspec.structs.replace(KIOSK.screen, ask_reason=False)
    config = msgspec.structs.replace(KIOSK, screen=screen)
    async with Bench(tmp_path, config=config, pads=(1,), with_branch=True) as bench:
        await bench.start()
        await until(lambda: bench.showing(HomeView).online)
        await bench.pads[1].start()
        await press(bench, 1, "a")
        bench.showing(HomeView)
        await bench.stop()
