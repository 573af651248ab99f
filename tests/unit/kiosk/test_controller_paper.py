"""One touch, one ticket, one slip; and what happens when the paper fails."""

import asyncio
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hal.api import Health, HealthState, Paper, PrintResult, Slip
from kiosk.config import BranchName
from kiosk.printing import DEADLINE_S
from kiosk.view import AccessView, HomeView, IdleView, NoSlipView, Printing, TicketView
from sync.messages import (
    DeviceChanged,
    QueueState,
    TicketIssued,
    TicketPrinted,
    TicketPrintFailed,
)
from tests.unit.kiosk.bench import KIOSK, Bench, until, virtual


@pytest.mark.parametrize("told", [False, True], ids=["alone", "a figure has just come"])
@virtual
async def test_the_printer_is_asked_before_the_screen_is_built(tmp_path: Path, told: bool) -> None:
    async with Bench(tmp_path) as bench:
        await bench.start()
        asked: list[bool] = []
        far, near = bench.near.write, bench.near

        async def write(data: bytes) -> None:
            asked.append(isinstance(bench.view, TicketView))
            await far(data)

        near.write = write  # type: ignore[method-assign]
        if told:
            bench.kiosk._queue_changed(QueueState(service="A", waiting=3, ts=0))
        bench.tap("service.A")
        await until(lambda: bench.slips)
        assert asked[0] is False, "a screen takes longer to build than a slip to begin"
        assert asked[1:]
        bench.showing(TicketView)


@virtual
async def test_one_tap_is_one_ticket_and_one_slip(tmp_path: Path) -> None:
    async with Bench(tmp_path) as bench:
        await bench.start()
        touch = bench.tap("service.A")
        await asyncio.sleep(0)  # its slip has had its turn
        view = bench.showing(TicketView)
        assert (view.number, view.printing, view.issued_clock) == (
            "A001",
            Printing.RUNNING,
            "09:00",
        )
        assert bench.story() == ["ticket.issued"], "on the screen only when it is durable"
        await until(lambda: bench.kiosk.visit.phase.value == "ticket")
        assert bench.showing(TicketView).printing is Printing.DONE
        bench.tap("done")
        bench.showing(HomeView)
        await bench.stop()
        issued, printed = bench.events("ticket.issued", "ticket.printed")
        assert isinstance(issued, TicketIssued)
        assert issued.data == msgspec.structs.replace(
            issued.data,
            number="A001", service="A", segment="ordinary", language="zh_CN",
            business_date="2026-11-23", band=1, request=touch,
        )  # fmt: skip
        assert isinstance(printed, TicketPrinted)
        assert (issued.sub, printed.sub) == (issued.id, issued.id)
        assert bench.slips == ["A001"]
        assert any("2026-11-23 09:00" in line for line in bench.paper.slips[0].lines)


@virtual
async def test_a_double_touch_is_one_ticket(tmp_path: Path) -> None:
    async with Bench(tmp_path) as bench:
        await bench.start()
        bench.tap("service.A", "touch-1")
        bench.tap("service.A", "touch-1")
        bench.tap("service.B", "touch-2")  # the finger slid
        await until(lambda: bench.kiosk.visit.phase.value == "ticket")
        bench.tap("service.A", "touch-3")
        bench.tap("done")
        assert bench.story() == ["ticket.issued", "ticket.printed"]
        bench.tap("service.A", "touch-1")  # the same touch once more, late
        bench.showing(HomeView)
        await asyncio.sleep(20)
        assert bench.story() == ["ticket.issued", "ticket.printed"]
        assert bench.slips == ["A001"], "a number is never printed twice"
        assert (await bench.take()).number == "A002"
        await bench.stop()


@virtual
async def test_numbers_of_services_are_apart_and_survive_a_restart(tmp_path: Path) -> None:
    async with Bench(tmp_path) as bench:
        await bench.start()
        numbers = [(await bench.take(letter)).number for letter in "AABAP"]
        await bench.stop()
        await bench.start()
        numbers += [(await bench.take(letter)).number for letter in "ABP"]
        assert numbers == ["A001", "A002", "B001", "A003", "P001", "A004", "B002", "P002"]
        assert bench.slips == numbers
        segments = [
            e.data.segment for e in bench.events("ticket.issued") if isinstance(e, TicketIssued)
        ]
        assert segments[:5] == ["ordinary"] * 4 + ["priority"]
        bench.kiosk.identify("vip")
        await bench.take("A")
        last = bench.events("ticket.issued")[-1]
        assert isinstance(last, TicketIssued)
        assert last.data.segment == "vip"
        await bench.stop()


@virtual
async def test_the_visitor_s_language_is_on_screen_slip_and_record(tmp_path: Path) -> None:
    async with Bench(tmp_path) as bench:
        await bench.start()
        bench.tap("language")
        await bench.take("A")
        assert bench.showing(HomeView).language == "zh_CN", (
            "the next visitor finds the branch's own"
        )
        issued = bench.events("ticket.issued")[0]
        assert isinstance(issued, TicketIssued)
        assert issued.data.language == "en"
        assert any("Sample Bank" in line for line in bench.paper.slips[0].lines)
        bench.tap("language")
        await asyncio.sleep(44)
        assert bench.view.language == "en"
        await asyncio.sleep(2)
        warning = bench.showing(IdleView)
        assert (warning.language, warning.left_s, warning.whole_s) == ("en", 19, 20)
        assert isinstance(warning.behind, HomeView)
        for _ in range(12):  # one touch keeps everything, ten times and more
            bench.tap("stay")
            await asyncio.sleep(46)
            assert bench.showing(IdleView).left_s == 19
        await asyncio.sleep(20)
        assert bench.showing(HomeView).language == "zh_CN"
        seen = len(bench.views)
        await asyncio.sleep(50)
        assert len(bench.views) - seen <= 1, "nobody is asked: at most the next minute is drawn"
        await bench.stop()


@virtual
async def test_simple_mode_has_two_services_no_hurry_and_ends_with_the_visit(
    tmp_path: Path,
) -> None:
    async with Bench(tmp_path) as bench:
        await bench.start()
        bench.tap("access")
        bench.tap("access.simple")
        assert bench.showing(AccessView).chosen.simple
        bench.tap("access.go")
        home = bench.showing(HomeView)
        assert ([tile.letter for tile in home.tiles], home.modes.simple) == (["A", "B", "P"], True)
        await asyncio.sleep(89)
        assert bench.showing(HomeView).modes.simple
        await asyncio.sleep(2)
        assert bench.showing(IdleView).whole_s == 60
        bench.tap("stay")
        await bench.take("A", dismiss=False)
        ticket = bench.showing(TicketView)
        assert ticket.modes.simple
        await asyncio.sleep(58)
        assert bench.showing(TicketView).number == ticket.number
        await asyncio.sleep(4)
        assert not bench.showing(HomeView).modes.simple
        await bench.stop()


@virtual
async def test_the_ticket_screen_ends_by_itself_and_no_slip_can_be_said(tmp_path: Path) -> None:
    async with Bench(tmp_path) as bench:
        await bench.start()
        await bench.take("A", dismiss=False)
        await asyncio.sleep(KIOSK.ticket_screen_s - 0.5)
        bench.showing(TicketView)
        await asyncio.sleep(1)
        bench.showing(HomeView)
        await bench.take("A", dismiss=False)
        bench.tap("no_slip")
        await asyncio.sleep(3600)
        view = bench.showing(NoSlipView)  # it stays until it is acknowledged
        assert (view.number, view.cause) == ("A002", "other")
        bench.tap("acknowledge")
        bench.showing(HomeView)
        await bench.stop()


FAULTS = {
    # name: (make it, mend it, cause in the event, paper in the event, cause on the screen)
    "paper out": (
        lambda b: b.paper.paper_out(), lambda b: b.paper.load_paper(),
        "paper_out", "not_printed", "paper_out",
    ),
    "cover open": (
        lambda b: b.paper.open_cover(), lambda b: b.paper.close_cover(),
        "cover_open", "not_printed", "other",
    ),
    "paper out mid-slip": (
        lambda b: b.paper.tear_mid_slip(4), lambda b: b.paper.load_paper(),
        "paper_out", "unknown", "paper_out",
    ),
    "cover open mid-slip": (
        lambda b: b.paper.at_line(4, b.paper.open_cover), lambda b: b.paper.close_cover(),
        "cover_open", "unknown", "other",
    ),
    "cutter jam": (
        lambda b: b.paper.jam_cutter(), lambda b: b.paper.free_cutter(),
        "cutter", "unknown", "other",
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
@virtual
async def test_a_printer_fault_costs_the_slip_not_the_number(tmp_path: Path, fault: str) -> None:
    make, mend, cause, paper, shown = FAULTS[fault]
    async with Bench(tmp_path) as bench:
        await bench.start()
        assert (await bench.take()).number == "A001"
        make(bench)
        view = await bench.take(dismiss=False)
        assert isinstance(view, NoSlipView)
        assert (view.number, view.cause, view.staff_told) == ("A002", shown, False)
        failed = bench.events("ticket.print_failed")
        assert len(failed) == 1
        assert isinstance(failed[0], TicketPrintFailed)
        assert (failed[0].data.cause, failed[0].data.paper) == (cause, paper)
        bench.tap("acknowledge")
        await asyncio.sleep(10)
        mend(bench)
        await asyncio.sleep(10)
        assert isinstance(await bench.take(), TicketView)
        await asyncio.sleep(60)
        assert bench.slips == ["A001", "A003"], "no ghost of A002"
        assert bench.story("ticket.printed", "ticket.print_failed") == [
            "ticket.printed", "ticket.print_failed", "ticket.printed",
        ]  # fmt: skip
        states = [
            (e.data.state, e.data.detail)
            for e in bench.events("device.changed")
            if isinstance(e, DeviceChanged)
        ]
        assert states[0] == ("ok", "")
        assert ("fault", cause) in states
        assert states[-1] == ("ok", "")
        await bench.stop()


@virtual
async def test_a_printer_unplugged_or_silent(tmp_path: Path) -> None:
    async with Bench(tmp_path) as bench:
        await bench.start()
        await bench.port.unplug()
        unplugged = await bench.take()
        await bench.port.plug_in()
        await asyncio.sleep(10)
        assert isinstance(unplugged, NoSlipView)
        assert isinstance(await bench.take(), TicketView)
        # Power off: the port stays, nobody answers.
        task = bench.port._task
        assert task is not None
        task.cancel()
        silent = await bench.take()
        bench.port._task = asyncio.create_task(bench.port._serve(bench.far))
        bench.paper.power_cycle()
        await asyncio.sleep(10)
        assert isinstance(silent, NoSlipView)
        assert isinstance(await bench.take(), TicketView)
        assert bench.slips == ["A002", "A004"]
        causes = [
            (e.data.cause, e.data.paper)
            for e in bench.events("ticket.print_failed")
            if isinstance(e, TicketPrintFailed)
        ]
        assert causes == [("unavailable", "not_printed"), ("silent", "not_printed")]
        await bench.stop()


@virtual
async def test_a_printer_missing_at_the_start_is_found(tmp_path: Path) -> None:
    async with Bench(tmp_path) as bench:
        await bench.port.unplug()
        await bench.start()
        assert isinstance(await bench.take(), NoSlipView)
        await bench.port.plug_in()
        await asyncio.sleep(5)
        assert isinstance(await bench.take(), TicketView)
        states = [e.data.state for e in bench.events() if isinstance(e, DeviceChanged)]
        assert states == ["lost", "ok"]
        await bench.stop()


@virtual
async def test_every_change_of_the_printer_s_trouble_is_told(tmp_path: Path) -> None:
    """New paper with the cover left open: staff must not read "paper out" any longer."""
    async with Bench(tmp_path) as bench:
        await bench.start()
        for action in (
            bench.paper.paper_out, bench.paper.open_cover, bench.paper.load_paper,
            bench.paper.close_cover, bench.paper.paper_near_end,
        ):  # fmt: skip
            action()
            await asyncio.sleep(5)  # the promise: staff know within 5 s
        told = [
            (e.data.state, e.data.detail)
            for e in bench.events("device.changed")
            if isinstance(e, DeviceChanged)
        ]
        assert told[0] == ("ok", "")
        assert told[1] == ("fault", "paper_out")
        assert told[-3:] == [("fault", "cover_open"), ("ok", ""), ("warning", "paper_near_end")]
        await bench.stop()


@virtual
async def test_text_that_no_printer_prints(tmp_path: Path) -> None:
    odd = msgspec.structs.replace(KIOSK, branch=BranchName(zh="示\x07例", en="Sample"))
    async with Bench(tmp_path, config=odd) as bench:
        await bench.start()
        view = await bench.take()
        assert isinstance(view, NoSlipView)
        (failed,) = bench.events("ticket.print_failed")
        assert isinstance(failed, TicketPrintFailed)
        assert (failed.data.cause, failed.data.paper) == ("unprintable", "not_printed")
        bench.tap("language")
        assert isinstance(await bench.take(), TicketView), "the English text is fine"
        await bench.stop()


class BrokenPrinter:
    """A driver with a defect: raises or never returns, as ``way`` says."""

    def __init__(self) -> None:
        self.way = "raise"
        self.checked = 0

    health = Health(HealthState.OK)

    async def open(self) -> None:
        pass

    async def print_slip(
        self, slip: Slip, *, sending: Callable[[], bool] | None = None
    ) -> PrintResult:
        if self.way == "raise":
            raise RuntimeError("a defect in a driver")
        if self.way == "hang":
            await asyncio.Event().wait()
        return PrintResult(Paper.PRINTED)

    async def check(self) -> Health:
        self.checked += 1
        if self.way == "raise":
            raise RuntimeError("a defect in a driver")
        return self.health

    async def close(self) -> None:
        pass


@virtual
async def test_a_defective_driver_never_freezes_the_screen(tmp_path: Path) -> None:
    printer = BrokenPrinter()
    async with Bench(tmp_path, printer=printer) as bench:
        await bench.start()
        assert isinstance(await bench.take(), NoSlipView)
        await asyncio.sleep(20)
        assert printer.checked > 3, "the watch goes on"
        printer.way = "hang"
        began_s = asyncio.get_running_loop().time()
        bench.tap("service.A")
        await until(lambda: isinstance(bench.view, NoSlipView), within_s=DEADLINE_S + 1)
        assert asyncio.get_running_loop().time() - began_s == pytest.approx(DEADLINE_S, abs=0.1)
        bench.tap("acknowledge")
        printer.way = "work"
        assert isinstance(await bench.take(), TicketView)
        assert bench.story("ticket.printed", "ticket.print_failed") == [
            "ticket.print_failed", "ticket.print_failed", "ticket.printed",
        ]  # fmt: skip
        await bench.stop()


@virtual
async def test_stop_waits_for_a_slip_in_print(tmp_path: Path) -> None:
    async with Bench(tmp_path, bytes_per_s=400) as bench:
        await bench.start()
        bench.tap("service.A")
        await asyncio.sleep(0.5)
        assert bench.slips == []
        await bench.stop()
        assert bench.slips == ["A001"]
        assert bench.story() == ["ticket.issued", "ticket.printed"]


@virtual
async def test_stop_does_not_wait_for_a_printer_that_hangs(tmp_path: Path) -> None:
    printer = BrokenPrinter()
    printer.way = "hang"
    async with Bench(tmp_path, printer=printer) as bench:
        await bench.start()
        bench.tap("service.A")
        await asyncio.sleep(1)
        began_s = asyncio.get_running_loop().time()
        await bench.stop()
        assert asyncio.get_running_loop().time() - began_s <= 7
        failed = bench.events("ticket.print_failed")[0]
        assert isinstance(failed, TicketPrintFailed)
        assert (failed.data.cause, failed.data.paper) == ("stopped", "unknown")


def _is_ours(task: asyncio.Task[Any]) -> bool:
    """Whether it runs code of the kiosk's program, not of the bench."""
    code = inspect.unwrap(task.get_coro()).cr_code  # type: ignore[arg-type]
    return any(f"/{part}/" in code.co_filename for part in ("kiosk", "sync", "drivers"))


@virtual
async def test_a_stopped_kiosk_leaves_nothing_behind(tmp_path: Path) -> None:
    async with Bench(tmp_path, pads=(1,)) as bench:
        before = asyncio.all_tasks()
        await bench.start()
        await bench.take(dismiss=False)  # its timer runs
        await bench.stop()
        events = len(bench.events())
        bench.tap("service.A")
        bench.kiosk.identify("vip")
        drawn = len(bench.views)
        await asyncio.sleep(3600)
        assert not [task for task in asyncio.all_tasks() - before if _is_ours(task)]
        assert (len(bench.views), len(bench.events())) == (drawn, events)
        assert bench.kiosk.visits._timer is None


@virtual
async def test_a_window_that_cannot_draw_costs_one_drawing(tmp_path: Path) -> None:
    async with Bench(tmp_path, with_branch=True) as bench:
        await bench.start()
        bench.fails_to_draw = True
        bench.tap("service.A")
        await until(lambda: bench.kiosk.visit.phase.value == "ticket")
        await until(lambda: not bench.kiosk.outbox.unacknowledged)
        bench.fails_to_draw = False
        await asyncio.sleep(KIOSK.ticket_screen_s + 60)
        assert bench.showing(HomeView).online
        assert (await bench.take()).number == "A002"
        await bench.stop()
