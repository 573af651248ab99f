"""Help from the kiosk to the lobby manager's desk and back, over the wire, on virtual time."""

import asyncio
from pathlib import Path

from kiosk.view import HomeView, Screen, SheetView
from tests.unit.kiosk.bench import Bench, until, virtual


def said(bench: Bench) -> str:
    """The title of the sheet of the call."""
    sheet = bench.showing(SheetView)
    assert sheet.screen is Screen.HELP
    return sheet.title.key


def open_calls(bench: Bench) -> list[tuple[str, str]]:
    """Node and place of the calls that nobody has answered."""
    return [
        (line.about.node, line.about.detail)
        for line in bench.branch.hall.view().alerts
        if line.open and line.about.kind == "help"
    ]


@virtual
async def test_help_is_at_the_hall_within_two_seconds_and_cleared_there(tmp_path: Path) -> None:
    async with Bench(tmp_path, with_branch=True) as bench:
        await bench.start()
        await until(lambda: bench.showing(HomeView).online)
        bench.tap("help")
        assert said(bench) == "help.asking"
        await until(lambda: open_calls(bench) == [("kiosk-1", "home")], within_s=2)
        await until(lambda: said(bench) == "help.reached", within_s=2)
        (first,) = bench.branch.hall.view().alerts
        bench.tap("done")
        await asyncio.sleep(20)
        bench.tap("help")  # impatient: still one call
        await until(lambda: said(bench) == "help.reached", within_s=2)
        await asyncio.sleep(5)
        (line,) = bench.branch.hall.view().alerts
        assert line.id == first.id, "the age of the call goes on"
        bench.branch.hall.settle(line.id, "k1", "m-1")
        bench.branch.hall.settle(line.id, "k1", "m-1")
        assert open_calls(bench) == []
        bench.branch.hall.reopen(line.id, "k2", "m-1")
        assert len(open_calls(bench)) == 1
        bench.branch.hall.settle(line.id, "k3", "m-1")
        bench.tap("done")
        await asyncio.sleep(20)
        bench.tap("feedback")
        bench.tap("help")  # the next visitor's, from another screen
        await until(lambda: open_calls(bench) == [("kiosk-1", "menu")], within_s=2)
        await bench.stop()
        assert len(bench.events("assistance.requested")) == 3


@virtual
async def test_without_the_branch_the_screen_says_where_to_go(tmp_path: Path) -> None:
    async with Bench(tmp_path) as bench:
        await bench.start()
        bench.tap("help")
        assert said(bench) == "help.unreached"
        await bench.stop()
        assert len(bench.events("assistance.requested")) == 1, "it is kept for the branch"


@virtual
async def test_a_call_that_nobody_commits_is_unreached_until_it_is(tmp_path: Path) -> None:
    async with Bench(tmp_path, with_branch=True) as bench:
        await bench.start()
        await until(lambda: bench.showing(HomeView).online)
        bench.branch_transport.lose()
        bench.tap("help")
        assert said(bench) == "help.asking"
        await asyncio.sleep(3.5)
        assert said(bench) == "help.asking"
        await until(lambda: said(bench) == "help.unreached", within_s=1)
        await bench._close_branch()
        await bench.start_branch()
        await until(lambda: said(bench) == "help.reached", within_s=30)
        await bench.stop()


@virtual
async def test_two_touches_are_one_call_and_a_full_disk_says_where_to_go(tmp_path: Path) -> None:
    async with Bench(tmp_path) as bench:
        await bench.start()
        bench.tap("help")
        bench.tap("done")
        bench.tap("help")
        await asyncio.sleep(20)
        assert len(bench.events("assistance.requested")) == 1
        bench.tap("done")
        bench.refuse_writes()
        bench.tap("help")
        assert said(bench) == "help.unreached"
        bench.refuse_writes(False)
        await bench.stop()
        assert len(bench.events("assistance.requested")) == 1


@virtual
async def test_a_call_that_nobody_answers_or_that_comes_too_late_is_over(tmp_path: Path) -> None:
    async with Bench(tmp_path, with_branch=True) as bench:
        await bench.start()
        await until(lambda: bench.showing(HomeView).online)
        bench.tap("help")
        await until(lambda: len(open_calls(bench)) == 1)
        await asyncio.sleep(3700)
        assert open_calls(bench) == []
        bench.transport.lose()
        bench.tap("help")
        await bench.stop()
        await asyncio.sleep(3700)
        await bench.start()
        await asyncio.sleep(60)
        assert open_calls(bench) == []
        await bench.stop()


@virtual
async def test_an_answered_call_is_forgotten_after_ten_minutes(tmp_path: Path) -> None:
    async with Bench(tmp_path, with_branch=True) as bench:
        await bench.start()
        await until(lambda: bench.showing(HomeView).online)
        bench.tap("help")
        await until(lambda: len(open_calls(bench)) == 1)
        (line,) = bench.branch.hall.view().alerts
        bench.branch.hall.settle(line.id, "k1", "m-1")
        await asyncio.sleep(500)
        assert len(bench.branch.hall.view().alerts) == 1
        await asyncio.sleep(200)
        assert bench.branch.hall.view().alerts == ()
        await bench.stop()
