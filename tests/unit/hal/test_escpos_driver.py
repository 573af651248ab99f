"""The driver against printers that answer late, wrongly or not at all, on virtual time."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import example, given, strategies as st

from hal.api import Align, HealthState, Pair, Paper, PrintResult, Qr, Rule, Slip, Text
from hal.drivers.escpos import CONFIRM_TIMEOUT_S, EscposPrinter
from hal.errors import DeviceSilent, LinkLost
from hal.link import MemoryLink, memory_pair
from hal.sim.printer import SimPrinter
from hal.sim.printer_ports import MemoryPrinter
from simulator.vtime import run

SLIP = Slip((Text("A001"),))
ASK = b"\x10\x04\x01\x10\x04\x02\x10\x04\x03\x10\x04\x04"
FINE = b"\x12\x12\x12\x12"
IN_ORDER = b"\x1dr\x01"


class Puppet:
    """A far end that answers status questions and leaves GS r to the test."""

    def __init__(self, far: MemoryLink) -> None:
        self.far = far
        self.status = FINE
        self.asked_in_order = 0
        self.confirms = True
        self.got = b""
        self.arrived = asyncio.Event()

    async def until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            self.arrived.clear()
            await self.arrived.wait()

    async def run(self) -> None:
        await self.far.open()
        while True:
            try:
                data = await self.far.read()
            except LinkLost:
                await self.far.close()
                await self.far.open()
                continue
            self.got += data
            self.arrived.set()
            for _ in range(data.count(ASK)):
                await self.far.write(self.status)
            for _ in range(data.count(IN_ORDER)):
                self.asked_in_order += 1
                if self.confirms:
                    await self.far.write(b"\x00")


def with_puppet(play: Callable[[EscposPrinter, Puppet], Awaitable[None]]) -> None:
    async def main() -> None:
        near, far = memory_pair()
        puppet = Puppet(far)
        running = asyncio.create_task(puppet.run())
        printer = EscposPrinter(near, name="printer")
        try:
            await play(printer, puppet)
        finally:
            await printer.close()
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    run(main())


def test_a_silent_printer_is_not_printed_within_seconds_and_lost():
    async def play(printer: EscposPrinter, puppet: Puppet) -> None:
        puppet.status = b""
        with pytest.raises(DeviceSilent, match="memory:near does not answer"):
            await printer.open()
        before = asyncio.get_running_loop().time()
        assert await printer.print_slip(SLIP) == PrintResult(Paper.NOT_PRINTED, "silent")
        assert asyncio.get_running_loop().time() - before < 5
        assert (printer.health.state, printer.health.detail) == (HealthState.LOST, "silent")
        assert b"A001" not in puppet.got
        puppet.status = FINE
        assert (await printer.check()).state is HealthState.OK
        assert await printer.print_slip(SLIP) == PrintResult(Paper.PRINTED)

    with_puppet(play)


def test_bytes_sent_are_not_paper_out():
    async def play(printer: EscposPrinter, puppet: Puppet) -> None:
        await printer.open()
        puppet.confirms = False
        before = asyncio.get_running_loop().time()
        assert await printer.print_slip(SLIP) == PrintResult(Paper.UNKNOWN, "silent")
        waited = asyncio.get_running_loop().time() - before
        assert CONFIRM_TIMEOUT_S <= waited < CONFIRM_TIMEOUT_S + 1

    with_puppet(play)


def test_a_late_confirmation_does_not_confirm_the_next_slip():
    async def play(printer: EscposPrinter, puppet: Puppet) -> None:
        await printer.open()
        puppet.confirms = False
        assert (await printer.print_slip(SLIP)).paper is Paper.UNKNOWN
        second = asyncio.create_task(printer.print_slip(SLIP))
        # open, the first slip, then what settles it
        await puppet.until(lambda: puppet.asked_in_order == 3)
        await puppet.far.write(b"\x00")  # the first slip's own answer, late
        await asyncio.sleep(0.5)
        assert puppet.got.count(b"A001") == 1  # the second slip waits: one answer is still owed
        await puppet.far.write(b"\x00")
        await puppet.until(lambda: puppet.got.count(b"A001") == 2)
        await asyncio.sleep(0.5)
        assert not second.done()
        await puppet.far.write(b"\x00")
        assert await second == PrintResult(Paper.PRINTED)

    with_puppet(play)


def test_each_owed_answer_must_come_before_a_late_printer_is_trusted():
    async def play(printer: EscposPrinter, puppet: Puppet) -> None:
        await printer.open()
        puppet.confirms = False
        assert (await printer.print_slip(SLIP)).paper is Paper.UNKNOWN
        assert (await printer.check()).detail == "silent"  # asked again, in vain
        await puppet.far.write(b"\x00")  # the slip's answer; that of the check is still owed
        second = asyncio.create_task(printer.print_slip(SLIP))
        await asyncio.sleep(0.5)
        await puppet.far.write(b"\x00")
        await asyncio.sleep(0.5)
        assert not second.done()
        assert puppet.got.count(b"A001") == 1
        puppet.confirms = True
        await puppet.far.write(b"\x00")
        assert await second == PrintResult(Paper.PRINTED)

    with_puppet(play)


def test_after_a_question_that_was_given_up_the_line_is_opened_anew():
    async def play(printer: EscposPrinter, puppet: Puppet) -> None:
        await printer.open()
        puppet.status = FINE[:2]  # the other two may come any time
        assert (await printer.check()).detail == "silent"
        puppet.status = FINE
        assert (await printer.check()).state is HealthState.OK
        assert printer.health.counters["opened"] == 2
        asking = asyncio.create_task(printer.check())
        await asyncio.sleep(0)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        assert (await printer.check()).state is HealthState.OK
        assert printer.health.counters["opened"] == 3

    with_puppet(play)


def test_an_answer_nobody_asked_for_confirms_nothing():
    async def play(printer: EscposPrinter, puppet: Puppet) -> None:
        await printer.open()
        await puppet.far.write(b"\x00\x00\x03")
        puppet.confirms = False
        assert (await printer.print_slip(SLIP)).paper is Paper.UNKNOWN
        assert printer.health.counters["stray"] == 3

    with_puppet(play)


def test_a_confirmation_that_comes_with_the_fault_counts():
    async def play(printer: EscposPrinter, puppet: Puppet) -> None:
        await printer.open()
        puppet.confirms = False
        printing = asyncio.create_task(printer.print_slip(SLIP))
        await puppet.until(lambda: b"A001" in puppet.got)
        puppet.status = b"\x00" + bytes([0x1A, 0x32, 0x12, 0x7E])  # the roll ended at the cut
        assert await printing == PrintResult(Paper.PRINTED)

    with_puppet(play)


def test_a_printer_that_talks_all_the_time_fills_no_memory():
    async def play(printer: EscposPrinter, puppet: Puppet) -> None:
        await printer.open()
        for _ in range(100):
            await puppet.far.write(b"\x14\x00\x00\x0f" * 50)
            await asyncio.sleep(0)
        await asyncio.sleep(0.1)
        assert printer.health.counters["dropped"] > 4000
        assert await printer.print_slip(SLIP) == PrintResult(Paper.PRINTED)

    with_puppet(play)


def test_it_works_off_a_slow_line():
    async def main() -> None:
        near, far = memory_pair()
        sim = SimPrinter(bytes_per_s=960)
        port = MemoryPrinter(sim, far)
        await port.plug_in()
        printer = EscposPrinter(near, name="printer")
        await printer.open()
        slip = Slip(tuple(Text("请留意大屏和叫号" * 2) for _ in range(40)))
        before = asyncio.get_running_loop().time()
        assert await printer.print_slip(slip) == PrintResult(Paper.PRINTED)
        assert 1.5 < asyncio.get_running_loop().time() - before < 3.0
        await printer.close()
        await port.unplug()

    run(main())


class BreakingLink:
    """A link that hangs up once, after so many bytes of the host's."""

    def __init__(self, link: MemoryLink) -> None:
        self.link = link
        self.left: int | None = None
        self.address = link.address
        self.open, self.read, self.close = link.open, link.read, link.close

    async def write(self, data: bytes) -> None:
        if self.left is not None and len(data) > self.left:
            await self.link.write(data[: self.left])
            self.left = None
            raise LinkLost("broken by the test")
        if self.left is not None:
            self.left -= len(data)
        await self.link.write(data)


LONG_SLIP = Slip(
    (
        Text("A001", 8, 8, bold=True, align=Align.CENTRE),
        Pair("前面", "6 人", 2, 2),
        Rule(),
        Qr("https://q.example/A001"),
        Text("A001 请留意大屏", bold=True),
    )
)
NEXT_SLIP = Slip((Text("A002", 8, 8), Text("A002 请留意大屏")))


@given(st.integers(0, 500))
@example(220)  # inside the QR code's data
def test_wherever_the_line_breaks_the_next_slip_is_whole(after: int):
    async def main() -> None:
        near, far = memory_pair()
        sim = SimPrinter()
        port = MemoryPrinter(sim, far)
        await port.plug_in()
        link = BreakingLink(near)
        printer = EscposPrinter(link, name="printer")
        await printer.open()
        link.left = after
        first = await printer.print_slip(LONG_SLIP)
        assert first.paper in (Paper.UNKNOWN, Paper.PRINTED)
        link.left = None
        assert await printer.print_slip(NEXT_SLIP) == PrintResult(Paper.PRINTED)
        last = sim.slips[-1]
        assert (last.lines, last.complete) == (("A002", "A002 请留意大屏"), True)
        whole = [slip for slip in sim.slips if slip.complete and slip.number == "A001"]
        assert len(whole) <= 1
        if first.paper is Paper.PRINTED:
            assert whole
        await printer.close()
        await port.unplug()

    run(main())
