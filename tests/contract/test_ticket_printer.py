"""One suite over all ways to a printer: memory pair, real pty (as a serial port and as usblp's
file), real TCP; far end: SimPrinter.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from hal.api import (
    Align,
    ByteLink,
    Feed,
    Health,
    HealthState,
    Pair,
    Paper,
    PrintResult,
    Qr,
    Rule,
    Slip,
    Text,
)
from hal.drivers.escpos import EscposPrinter
from hal.drivers.escpos_codes import encode
from hal.errors import LinkUnavailable
from hal.link import link_to, memory_pair
from hal.registry import BACKENDS, backend
from hal.sim.escpos import Step
from hal.sim.printer import SimPrinter
from hal.sim.printer_ports import MemoryPrinter, Port, PtyPrinter, TcpPrinter

ALERT_S = 5.0
"""design.md's promise: staff know of a printer fault within this time."""
PRINTED = PrintResult(Paper.PRINTED)
FULL = Slip(
    (
        Text("示例银行 Sample", 2, 2, bold=True, align=Align.CENTRE),
        Text("A042", 8, 8, bold=True, align=Align.CENTRE),
        Rule(),
        Pair("前面", "12 人", 2, 2),
        Pair("取号时间", "2026-11-23 10:24"),
        Feed(2),
        Qr("https://q.example/t/7f3a-9c21"),
        Text("号码可能不按顺序叫，请留意大屏和广播。"),
    )
)


def slip(number: str) -> Slip:
    lines = [Text(f"{number} 第 {n} 行，请留意大屏") for n in range(10)]
    return Slip((Text(number, 8, 8, bold=True), *lines, Qr("https://q.example/" + number)))


@dataclass
class Rig:
    """A driver, the printer at the far end, and the socket between."""

    printer: EscposPrinter
    sim: SimPrinter
    port: Port

    def pieces(self) -> list[tuple[str, bool]]:
        return [(piece.number, piece.complete) for piece in self.sim.slips]


Plug = Callable[[SimPrinter], Awaitable[Rig]]


@pytest.fixture(params=["memory", "pty", "tcp", "usb"])
async def plug(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Plug]:
    """Make a rig round a SimPrinter."""
    rigs: list[Rig] = []

    async def make(sim: SimPrinter) -> Rig:
        link: ByteLink
        port: Port
        if request.param == "memory":
            link, far = memory_pair()
            port = MemoryPrinter(sim, far)
        elif request.param in ("pty", "usb"):
            port = PtyPrinter(sim, tmp_path / "printer")
        else:
            port = TcpPrinter(sim)
        await port.plug_in()
        if request.param != "memory":
            scheme = "usb" if request.param == "usb" else None
            address = port.address.replace("serial:", f"{scheme}:") if scheme else port.address
            link = link_to(address)
        rig = Rig(EscposPrinter(link, name="printer"), sim, port)
        rigs.append(rig)
        await rig.printer.open()
        return rig

    yield make
    for rig in rigs:
        await rig.printer.close()
        await rig.port.unplug()


@pytest.fixture
async def rig(plug: Plug) -> Rig:
    return await plug(SimPrinter())


async def test_a_slip_is_printed_confirmed_and_reads_as_asked(rig: Rig):
    assert await rig.printer.print_slip(slip("A042")) == PRINTED
    (piece,) = rig.sim.slips
    assert (piece.number, piece.qr, piece.complete) == ("A042", "https://q.example/A042", True)
    assert piece.lines[1] == "A042 第 0 行，请留意大屏"
    assert not rig.sim.refused
    assert rig.printer.health.state is HealthState.OK


async def test_concurrent_slips_do_not_interleave(rig: Rig):
    numbers = [f"A{n:03}" for n in range(8)]
    results = await asyncio.gather(*(rig.printer.print_slip(slip(n)) for n in numbers))
    assert results == [PRINTED] * 8
    assert rig.pieces() == [(number, True) for number in numbers]
    for piece in rig.sim.slips:
        assert all(piece.number in line for line in piece.lines)


@pytest.mark.parametrize(
    ("break_it", "mend_it", "cause"),
    [
        (SimPrinter.paper_out, SimPrinter.load_paper, "paper_out"),
        (SimPrinter.open_cover, SimPrinter.close_cover, "cover_open"),
    ],
)
async def test_a_fault_before_the_slip_prints_nothing_and_recovers(
    rig: Rig, break_it, mend_it, cause: str
):
    break_it(rig.sim)
    before = rig.sim.received
    assert await rig.printer.print_slip(slip("A001")) == PrintResult(Paper.NOT_PRINTED, cause)
    assert rig.sim.received - before < 60  # questions, no slip
    health = rig.printer.health
    assert (health.state, health.detail) == (HealthState.FAULT, cause)
    mend_it(rig.sim)
    assert (await rig.printer.check()).state is HealthState.OK
    assert not rig.sim.slips
    assert await rig.printer.print_slip(slip("A002")) == PRINTED
    assert rig.pieces() == [("A002", True)]


async def test_paper_near_its_end_prints_and_warns(rig: Rig):
    rig.sim.paper_near_end()
    assert await rig.printer.print_slip(slip("A001")) == PRINTED
    expected = (HealthState.WARNING, "paper_near_end")
    assert (rig.printer.health.state, rig.printer.health.detail) == expected
    rig.sim.load_paper()
    assert (await rig.printer.check()).state is HealthState.OK


async def test_near_end_seen_during_the_slip_warns(rig: Rig):
    rig.sim.at_line(3, rig.sim.paper_near_end)
    assert await rig.printer.print_slip(slip("A001")) == PRINTED
    assert (await rig.printer.check()).state is HealthState.WARNING


async def test_paper_torn_mid_slip_is_unknown_and_no_ghost_follows(rig: Rig):
    rig.sim.tear_mid_slip(after_lines=5)
    started = time.monotonic()
    result = await rig.printer.print_slip(slip("A001"))
    assert result == PrintResult(Paper.UNKNOWN, "paper_out")
    assert time.monotonic() - started < ALERT_S
    assert (await rig.printer.check()).detail == "paper_out"
    rig.sim.load_paper()
    assert rig.pieces() == [("A001", False)]  # the end of the old roll
    assert (await rig.printer.check()).state is HealthState.OK
    assert rig.pieces() == [("A001", False)]  # and nothing by itself
    assert await rig.printer.print_slip(slip("A002")) == PRINTED
    assert rig.pieces() == [("A001", False), ("A002", True)]


async def test_a_new_roll_put_in_before_the_line_is_empty_does_not_make_a_slip_whole(plug: Plug):
    # 9600 baud: the questions wait behind the slip, and the roll is new when they come.
    rig = await plug(SimPrinter(bytes_per_s=960, clears=False))
    torn = asyncio.Event()

    def tear() -> None:
        rig.sim.paper_out()
        torn.set()

    rig.sim.at_line(2, tear)
    printing = asyncio.create_task(rig.printer.print_slip(slip("A001")))
    await torn.wait()
    rig.sim.load_paper()
    assert await printing == PrintResult(Paper.UNKNOWN, "paper_out")
    assert await rig.printer.print_slip(slip("A002")) == PRINTED


async def test_cover_opened_mid_slip_leaves_scrap_that_is_cut_off(rig: Rig):
    rig.sim.at_line(5, rig.sim.open_cover)
    result = await rig.printer.print_slip(slip("A001"))
    assert result == PrintResult(Paper.UNKNOWN, "cover_open")
    rig.sim.close_cover()
    assert await rig.printer.print_slip(slip("A002")) == PRINTED
    assert rig.pieces() == [("A001", False), ("A002", True)]
    assert len(rig.sim.slips[0].lines) == 5


async def test_a_jammed_cutter_is_named_and_recovers_when_freed(rig: Rig):
    rig.sim.jam_cutter()
    result = await rig.printer.print_slip(slip("A001"))
    assert result == PrintResult(Paper.UNKNOWN, "cutter")
    result = await rig.printer.print_slip(slip("A002"))
    assert result == PrintResult(Paper.NOT_PRINTED, "cutter")
    rig.sim.free_cutter()
    assert await rig.printer.print_slip(slip("A003")) == PRINTED
    assert rig.pieces() == [("A001", False), ("A003", True)]


async def test_a_printer_that_cannot_clear_never_confirms_the_wrong_slip(plug: Plug):
    rig = await plug(SimPrinter(clears=False))
    rig.sim.at_line(5, rig.sim.open_cover)
    assert (await rig.printer.print_slip(slip("A001"))).paper is Paper.UNKNOWN
    assert rig.printer.health.counters["clear_unanswered"] >= 1
    rig.sim.close_cover()  # the rest of A001 comes out by itself
    rig.sim.at_line(5, rig.sim.open_cover)
    result = await rig.printer.print_slip(slip("A002"))
    assert result == PrintResult(Paper.UNKNOWN, "cover_open")
    rig.sim.close_cover()
    assert await rig.printer.print_slip(slip("A003")) == PRINTED
    assert rig.pieces()[-1] == ("A003", True)
    for piece in rig.sim.slips:
        assert all(piece.number in line for line in piece.lines)


class OpenedAfterAnAnswer(SimPrinter):
    """Somebody opens the cover just when the first GS r after ``armed`` was answered."""

    armed = False

    def _take(self, step: Step) -> None:
        super()._take(step)
        if self.armed and step.ask is not None:
            self.armed = False
            self.open_cover()


async def test_a_cover_opened_while_old_slips_are_settled_is_seen_and_confirms_nothing(plug: Plug):
    sim = OpenedAfterAnAnswer(clears=False)
    rig = await plug(sim)
    sim.jam_cutter()
    assert await rig.printer.print_slip(slip("A001")) == PrintResult(Paper.UNKNOWN, "cutter")
    sim.armed = True
    sim.free_cutter()
    health = await rig.printer.check()
    while health.detail == "cutter":  # the first question finds the error, and clears it
        health = await rig.printer.check()
    assert (health.state, health.detail) == (HealthState.FAULT, "cover_open")
    sim.close_cover()
    sim.jam_cutter()  # the answer that was owed must not vouch for this one
    assert (await rig.printer.print_slip(slip("A002"))).paper is not Paper.PRINTED


async def test_unplugged_is_unavailable_until_plugged_in_again(rig: Rig):
    await rig.port.unplug()
    result = await rig.printer.print_slip(slip("A001"))
    assert result == PrintResult(Paper.NOT_PRINTED, "unavailable")
    assert (await rig.printer.check()).state is HealthState.LOST
    await rig.port.plug_in()
    assert (await rig.printer.check()).state is HealthState.OK
    assert await rig.printer.print_slip(slip("A002")) == PRINTED
    assert rig.pieces() == [("A002", True)]


async def test_unplugged_mid_slip_is_unknown_and_the_scrap_is_parted(plug: Plug):
    rig = await plug(SimPrinter(bytes_per_s=20_000))
    unplugging = []
    rig.sim.at_line(5, lambda: unplugging.append(asyncio.create_task(rig.port.unplug())))
    result = await rig.printer.print_slip(slip("A001"))
    assert result == PrintResult(Paper.UNKNOWN, "link_lost")
    await unplugging[0]
    await rig.port.plug_in()
    assert await rig.printer.print_slip(slip("A002")) == PRINTED
    assert rig.pieces() == [("A001", False), ("A002", True)]


async def test_switched_off_and_on_between_slips_is_no_matter(rig: Rig):
    assert await rig.printer.print_slip(slip("A001")) == PRINTED
    rig.sim.power_cycle()
    assert await rig.printer.print_slip(slip("A002")) == PRINTED
    assert rig.pieces() == [("A001", True), ("A002", True)]


async def test_what_a_dead_process_left_in_a_stopped_printer_is_cleared(plug: Plug):
    sim = SimPrinter()
    sim.open_cover()
    sim.receive(b"A ghost\n\x1dVB\x00")
    rig = await plug(sim)
    assert rig.printer.health.detail == "cover_open"
    sim.close_cover()
    assert not sim.slips
    assert await rig.printer.print_slip(slip("A001")) == PRINTED
    assert rig.pieces() == [("A001", True)]


async def test_a_slip_given_up_by_its_caller_does_not_harm_the_next(plug: Plug):
    rig = await plug(SimPrinter(bytes_per_s=20_000))
    printing = asyncio.create_task(rig.printer.print_slip(slip("A001")))
    rig.sim.at_line(3, printing.cancel)
    with pytest.raises(asyncio.CancelledError):
        await printing
    assert await rig.printer.print_slip(slip("A002")) == PRINTED
    assert rig.pieces()[-1] == ("A002", True)
    for piece in rig.sim.slips:
        assert all(piece.number in line for line in piece.lines)


async def test_text_that_no_printer_can_print_is_refused_before_anything_is_sent(rig: Rig):
    before = rig.sim.received
    with pytest.raises(ValueError, match="U\\+001B"):
        await rig.printer.print_slip(Slip((Text("\x1b@"),)))
    assert rig.sim.received == before


async def test_the_caller_hears_that_the_slip_begins_before_its_first_byte(rig: Rig):
    heard: list[int] = []

    def sending() -> bool:
        heard.append(rig.sim.received)
        return True

    before = rig.sim.received
    assert await rig.printer.print_slip(slip("A001"), sending=sending) == PRINTED
    assert len(heard) == 1
    assert heard[0] - before <= 16, "questions only"
    assert rig.sim.received - heard[0] > 100
    rig.sim.paper_out()
    result = await rig.printer.print_slip(slip("A002"), sending=sending)
    assert result == PrintResult(Paper.NOT_PRINTED, "paper_out")
    assert len(heard) == 1, "a printer that cannot print is not sent anything"


async def test_a_slip_that_its_caller_takes_back_is_not_sent(rig: Rig):
    result = await rig.printer.print_slip(slip("A001"), sending=lambda: False)
    assert result == PrintResult(Paper.NOT_PRINTED, "refused")
    assert rig.printer.health.state is HealthState.OK
    assert await rig.printer.print_slip(slip("A002")) == PRINTED
    assert rig.pieces() == [("A002", True)]


async def test_closed_by_its_owner_it_stays_closed_until_opened(rig: Rig):
    await rig.printer.close()
    await rig.printer.close()
    assert rig.printer.health == Health(HealthState.UNKNOWN, "", rig.printer.health.counters)
    result = await rig.printer.print_slip(slip("A001"))
    assert result == PrintResult(Paper.NOT_PRINTED, "unavailable")
    await rig.printer.open()
    assert await rig.printer.print_slip(slip("A002")) == PRINTED


async def test_open_without_a_printer_names_the_address(plug: Plug):
    rig = await plug(SimPrinter())
    await rig.printer.close()
    await rig.port.unplug()
    with pytest.raises(LinkUnavailable, match=r"memory|printer|127"):
        await rig.printer.open()
    assert rig.printer.health.state is HealthState.LOST


@pytest.mark.parametrize("name", sorted(BACKENDS["printer_profile"]))
async def test_every_profile_prints_the_same_slip_on_its_paper(name: str):
    profile = backend("printer_profile", name)
    link, far = memory_pair()
    sim = SimPrinter(dots_wide=profile.dots_wide)
    port = MemoryPrinter(sim, far)
    await port.plug_in()
    printer = EscposPrinter(link, name="printer", profile=profile)
    await printer.open()
    assert await printer.print_slip(slip("A042")) == PRINTED
    (piece,) = sim.slips
    assert piece.complete
    assert not sim.refused
    assert not sim.overflowed
    if not profile.raster:
        assert piece.number == "A042"
    sim.open_cover()
    assert (await printer.print_slip(slip("A043"))).cause == "cover_open"
    sim.close_cover()
    sim.tear_mid_slip(after_lines=3)
    assert await printer.print_slip(slip("A044")) == PrintResult(Paper.UNKNOWN, "paper_out")
    sim.load_paper()
    assert await printer.print_slip(slip("A045")) == PRINTED
    await printer.close()
    await port.unplug()


@pytest.mark.parametrize(
    ("native", "drawn"), [("generic-80", "raster-80"), ("generic-58", "raster-58")]
)
def test_drawn_dot_by_dot_it_looks_the_same(native: str, drawn: str):
    pictures = []
    for name in (native, drawn):
        profile = backend("printer_profile", name)
        sim = SimPrinter(dots_wide=profile.dots_wide)
        sim.receive(encode(FULL, profile))
        assert not sim.refused
        pictures.append(sim.slips[0].image())
    assert pictures[0].size == pictures[1].size
    assert pictures[0].tobytes() == pictures[1].tobytes()
