"""Print again: the same number, at most once, only when a slip would come out."""

import asyncio
from pathlib import Path

import pytest

from kiosk.printing import STORAGE_FULL
from kiosk.view import HomeView, NoSlipView, Printing, TicketView
from tests.unit.kiosk.bench import Bench, until, virtual
from tests.unit.kiosk.test_controller_crash import answer, copies, kept, papers
from tests.unit.kiosk.test_controller_paper import FAULTS


@pytest.mark.parametrize("fault", FAULTS)
@virtual
async def test_once_the_printer_is_mended_the_number_can_be_printed(
    tmp_path: Path, fault: str
) -> None:
    make, mend, cause, paper, _ = FAULTS[fault]
    async with Bench(tmp_path, with_branch=True) as bench:
        await bench.start()
        make(bench)
        view = await bench.take(dismiss=False)
        assert isinstance(view, NoSlipView)
        assert (view.number, view.may_reprint) == ("A001", False)
        bench.tap("reprint")
        assert bench.showing(NoSlipView) == view, "the printer cannot: the reprint is not spent"
        mend(bench)
        await asyncio.sleep(5)
        assert bench.showing(NoSlipView).may_reprint
        bench.tap("reprint")
        bench.tap("reprint")  # the same finger, bouncing
        assert bench.showing(TicketView).printing is Printing.RUNNING
        await until(lambda: bench.kiosk.visit.phase.value == "ticket")
        bench.tap("reprint")
        bench.tap("done")
        await asyncio.sleep(60)
        assert papers(bench) == [(1, paper, cause), (2, "printed", "")]
        assert kept(bench) == [("printed", 2)]
        assert bench.slips == ["A001"]
        assert copies(bench) == [paper == "unknown"]
        await until(lambda: bench.branch.engine.waiting(["A"]) == 1)
        await bench.stop()


@virtual
async def test_unplugged_with_the_slip_half_sent(tmp_path: Path) -> None:
    async with Bench(tmp_path, bytes_per_s=400) as bench:
        await bench.start()
        bench.tap("service.A")
        await asyncio.sleep(0.3)
        await bench.port.unplug()
        await until(lambda: isinstance(bench.view, NoSlipView), within_s=40)
        assert papers(bench)[0][:2] == (1, "unknown")
        await bench.port.plug_in()
        await until(lambda: bench.showing(NoSlipView).may_reprint)
        await answer(bench, "reprint")
        assert (bench.slips, copies(bench)) == (["A001"], [True])
        await bench.stop()


@virtual
async def test_a_reprint_that_cannot_begin_is_not_spent(tmp_path: Path) -> None:
    async with Bench(tmp_path) as bench:
        await bench.start()
        bench.paper.tear_mid_slip(3)
        await bench.take(dismiss=False)
        bench.paper.load_paper()
        await until(lambda: bench.showing(NoSlipView).may_reprint)
        bench.paper.open_cover()  # between two looks of the kiosk: it still offers the reprint
        await answer(bench, "reprint")
        assert papers(bench) == [(1, "unknown", "paper_out")]
        assert kept(bench) == [("unknown", 1)]
        bench.paper.close_cover()
        await until(lambda: bench.showing(NoSlipView).may_reprint)
        await answer(bench, "reprint")
        assert papers(bench)[1:] == [(2, "printed", "")]
        assert (bench.slips, copies(bench)) == (["A001"], [True])
        await bench.stop()


@virtual
async def test_a_reprint_that_fails_is_the_last_one(tmp_path: Path) -> None:
    """Nothing came out of either attempt, but of the first nobody is certain."""
    async with Bench(tmp_path) as bench:
        await bench.start()
        bench.paper.tear_mid_slip(3)
        await bench.take(dismiss=False)
        bench.paper.load_paper()
        await until(lambda: bench.showing(NoSlipView).may_reprint)
        bench.paper.at_line(2, bench.paper.open_cover)
        await answer(bench, "reprint")
        assert papers(bench) == [(1, "unknown", "paper_out"), (2, "unknown", "cover_open")]
        bench.paper.close_cover()
        await asyncio.sleep(10)
        view = bench.showing(NoSlipView)
        assert (view.number, view.may_reprint) == ("A001", False)
        bench.tap("reprint")
        await asyncio.sleep(10)
        bench.showing(NoSlipView)
        bench.tap("acknowledge")
        assert kept(bench) == [("shown", 2)]
        assert bench.slips == []
        await bench.stop()


@virtual
async def test_a_slip_that_came_out_but_not_to_the_visitor(tmp_path: Path) -> None:
    async with Bench(tmp_path) as bench:
        await bench.start()
        await bench.take("A", dismiss=False)
        bench.tap("no_slip")
        assert bench.showing(NoSlipView).may_reprint
        await answer(bench, "reprint")
        assert (bench.slips, copies(bench)) == (["A001", "A001"], [False, True])
        assert papers(bench) == [(1, "printed", ""), (2, "printed", "")]
        bench.tap("no_slip")
        assert not bench.showing(NoSlipView).may_reprint
        bench.tap("acknowledge")
        assert kept(bench) == [("printed", 2)]
        # The next visitor's ticket has a reprint of its own.
        await bench.take("A", dismiss=False)
        bench.tap("no_slip")
        assert bench.showing(NoSlipView).may_reprint
        bench.tap("language")
        await answer(bench, "reprint")
        assert any("Sample Bank" in line for line in bench.paper.slips[-1].lines)
        await bench.stop()


@virtual
async def test_no_byte_before_the_journal_has_it(tmp_path: Path) -> None:
    """The disk dies between the number and the slip: the number is on the screen, no slip."""
    async with Bench(tmp_path) as bench:
        await bench.start()
        await asyncio.sleep(1)
        received = bench.paper.received
        bench.tap("service.A")
        bench.refuse_writes()  # before the print begins
        await until(lambda: isinstance(bench.view, NoSlipView))
        assert bench.paper.received - received < 24, "questions, no slip"
        view = bench.showing(NoSlipView)
        assert (view.number, view.may_reprint) == ("A001", True)
        bench.tap("reprint")
        await asyncio.sleep(0.5)
        assert bench.showing(NoSlipView).may_reprint, "not tried: not spent"
        assert bench.slips == []
        bench.refuse_writes(False)
        await asyncio.sleep(2)
        assert papers(bench) == [(1, "not_printed", STORAGE_FULL)]
        await answer(bench, "reprint")
        assert (bench.slips, copies(bench)) == (["A001"], [False])
        bench.tap("done")
        bench.showing(HomeView)
        await bench.stop()


@virtual
async def test_what_the_visitor_confirmed_on_a_dying_disk_is_kept_later(tmp_path: Path) -> None:
    async with Bench(tmp_path) as bench:
        await bench.start()
        bench.paper.tear_mid_slip(3)
        bench.paper.at_line(2, bench.refuse_writes)
        await bench.take()
        bench.showing(HomeView)
        assert kept(bench) == [("printing", 1)]
        bench.refuse_writes(False)
        await asyncio.sleep(2)
        assert papers(bench) == [(1, "unknown", "paper_out")]
        assert kept(bench) == [("shown", 1)]
        await bench.stop()


@virtual
async def test_a_word_after_the_deadline_changes_nothing(tmp_path: Path) -> None:
    """The printer pauses for half a minute in the middle of a slip, then goes on."""
    async with Bench(tmp_path, bytes_per_s=4000) as bench:
        await bench.start()

        def pause() -> None:
            bench.paper._bytes_per_s = 0.25  # eight bytes in 32 s
            asyncio.get_running_loop().call_later(1, setattr, bench.paper, "_bytes_per_s", 4000)

        bench.paper.at_line(3, pause)
        bench.tap("service.A")
        await until(lambda: isinstance(bench.view, NoSlipView), within_s=60)
        assert papers(bench) == [(1, "unknown", "silent")]
        assert bench.slips == []
        await until(lambda: bench.slips, within_s=120)
        await asyncio.sleep(30)
        assert papers(bench) == [(1, "unknown", "silent")]
        view = bench.showing(NoSlipView)
        assert (view.number, view.may_reprint, bench.slips) == ("A001", True, ["A001"])
        bench.tap("acknowledge")
        assert kept(bench) == [("shown", 1)]
        await bench.stop()
