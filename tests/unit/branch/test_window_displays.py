"""The number displays above the counters: a real server, the real driver, simulated signs, on
virtual time.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from branch.commands import CloseCounter, OpenCounter, PauseCounter
from branch.window_config import WindowDisplay, WindowsConfig, window_problems
from branch.window_displays import WindowDisplays
from hal.api import ByteLink
from hal.errors import UnknownBackend
from hal.link import memory_pair
from hal.sim.alpha_sign import SignLine
from hal.sim.printer_ports import MemoryPrinter
from tests.unit.branch.bench import BranchBench, on_virtual_time

PLAN = WindowsConfig(
    displays=[
        WindowDisplay(1, "one", 1), WindowDisplay(2, "one", 2), WindowDisplay(3, "other", 7),
    ],
)  # fmt: skip
SOON_S = 0.9
"""A call is promised on its display within a second."""


class Signs:
    """The displays and their two lines."""

    def __init__(self) -> None:
        self.lines = {"one": SignLine((1, 2)), "other": SignLine((7,))}
        self.ports: dict[str, MemoryPrinter] = {}

    def link(self, address: str) -> ByteLink:
        near, far = memory_pair(address)
        self.ports[address] = MemoryPrinter(self.lines[address], far)
        return near

    def shows(self, counter: int) -> tuple[str, bool]:
        line, station = {1: ("one", 1), 2: ("one", 2), 3: ("other", 7)}[counter]
        sign = self.lines[line].sign(station)
        return sign.text, sign.blinking


@contextlib.asynccontextmanager
async def shown(bench: BranchBench, signs: Signs, **changes: Any) -> AsyncIterator[WindowDisplays]:
    windows = WindowDisplays(
        WindowsConfig(displays=PLAN.displays, **changes), bench.branch.engine.counters,
        bench.branch.now_ms, link=signs.link,
    )  # fmt: skip
    for port in signs.ports.values():
        await port.plug_in()
    bench.branch.listeners.append(windows.told)
    await windows.open()
    await asyncio.sleep(SOON_S)
    yield windows
    await windows.close()
    for port in signs.ports.values():
        await port.unplug()


@on_virtual_time
async def test_a_call_blinks_then_stands_and_goes(tmp_path: Path) -> None:
    async with BranchBench(tmp_path) as bench:
        branch, signs = bench.branch, Signs()
        async with shown(bench, signs):
            await bench.kiosk.tickets("A001", "B001", service="A")
            await branch.call_next(2, "k1")
            await asyncio.sleep(SOON_S)
            assert signs.shows(2) == ("A001", True)
            await asyncio.sleep(10)
            assert signs.shows(2) == ("A001", False)
            await asyncio.sleep(20)
            await branch.recall(2, "k2")
            await asyncio.sleep(SOON_S)
            assert signs.shows(2) == ("A001", True)
            await branch.start(2, "k3")
            await asyncio.sleep(SOON_S)
            assert signs.shows(2) == ("A001", False)
            await branch.finish(2, "k4")
            await asyncio.sleep(SOON_S)
            assert signs.shows(2) == ("", False)
            assert signs.lines["one"].sign(1).shown == []


@on_virtual_time
async def test_paused_says_so_and_closed_is_dark(tmp_path: Path) -> None:
    async with BranchBench(tmp_path) as bench:
        signs = Signs()
        async with shown(bench, signs):
            for command, text in (
                (PauseCounter(), "----"), (OpenCounter(), ""), (PauseCounter(), "----"),
                (CloseCounter(), ""),
            ):  # fmt: skip
                await bench.branch.perform(3, command, f"k{bench.clock.wall_ms()}")
                await asyncio.sleep(SOON_S)
                assert signs.shows(3) == (text, False)
            await bench.branch.perform(3, OpenCounter(), "again")
            await bench.kiosk.tickets("B001", service="B")
            await bench.branch.call_next(3, "k1")
            await bench.branch.perform(3, PauseCounter(), "after this one")
            await asyncio.sleep(SOON_S)
            assert signs.shows(3) == ("B001", True)  # the customer is still called


@on_virtual_time
async def test_a_restart_shows_what_there_is_and_a_stop_leaves_nothing(tmp_path: Path) -> None:
    async with BranchBench(tmp_path) as bench:
        signs = Signs()
        await bench.kiosk.tickets("A001")
        await bench.branch.call_next(1, "k1")
        await asyncio.sleep(60)
        async with shown(bench, signs):
            assert signs.shows(1) == ("A001", False)
        assert signs.shows(1) == ("", False)


@on_virtual_time
async def test_a_lost_display_is_an_alert_and_calls_go_on(tmp_path: Path) -> None:
    async with BranchBench(tmp_path) as bench:
        branch, signs = bench.branch, Signs()
        async with shown(bench, signs) as windows:
            assert windows.alerts() == []
            await signs.ports["one"].unplug()
            signs.lines["other"].sign(7).power_cut()
            await bench.kiosk.tickets("A001", "A002")
            await bench.kiosk.tickets("B001", service="B")
            for counter in (1, 2, 3):
                await branch.call_next(counter, f"k{counter}")
            await asyncio.sleep(SOON_S)
            assert signs.shows(3) == ("B001", True)
            assert windows.alerts() == ["display_lost 1", "display_lost 2"]
            rows: Any = windows.health()
            assert [rows[n]["state"] for n in "123"] == ["lost", "lost", "ok"]
            assert rows["1"]["failed"] > 0
            await signs.ports["one"].plug_in()
            await asyncio.sleep(3)
            assert [signs.shows(n)[0] for n in (1, 2)] == ["A001", "A002"]
            assert windows.alerts() == []


@on_virtual_time
async def test_one_that_is_off_leaves_the_others_of_its_line_in_time(tmp_path: Path) -> None:
    async with BranchBench(tmp_path) as bench:
        signs = Signs()
        signs.lines["one"].sign(1).deaf = True
        async with shown(bench, signs) as windows:
            await asyncio.sleep(5)
            assert windows.alerts() == ["display_lost 1"]
            late = []
            for number in range(5):
                await bench.kiosk.tickets(f"A{number:03}")
                began = asyncio.get_running_loop().time()
                await bench.branch.call_next(2, f"c{number}")
                while signs.shows(2)[0] != f"A{number:03}":  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
                late.append(asyncio.get_running_loop().time() - began)
                await bench.branch.finish(2, f"f{number}")
            assert max(late) < 2.0, "at most one try of the lost one is before it"


@on_virtual_time
async def test_one_that_lost_its_power_is_told_again(tmp_path: Path) -> None:
    async with BranchBench(tmp_path) as bench:
        signs = Signs()
        async with shown(bench, signs, brightness=58):
            await bench.kiosk.tickets("A001")
            await bench.branch.call_next(1, "k1")
            await asyncio.sleep(SOON_S)
            signs.lines["one"].sign(1).power_cut()
            assert signs.shows(1) == ("", False)
            await asyncio.sleep(61)
            assert signs.shows(1) == ("A001", False)
            assert signs.lines["one"].sign(1).level == 3


@pytest.mark.parametrize(
    ("config", "key"),
    [
        (WindowsConfig(blink_s=-1), "windows.blink_s"),
        (WindowsConfig(brightness=0), "windows.brightness"),
        (WindowsConfig(refresh_s=1), "windows.refresh_s"),
        (WindowsConfig(retry_s=0), "windows.retry_s"),
        (WindowsConfig(paused_text="暂停"), "windows.paused_text"),
        (WindowsConfig(paused_text="123456789"), "windows.paused_text"),
        (WindowsConfig(displays=[WindowDisplay(9, "a")]), "windows.displays[0].counter"),
        (WindowsConfig(displays=[WindowDisplay(1, "a", 0)]), "windows.displays[0].station"),
        (
            WindowsConfig(displays=[WindowDisplay(1, "a"), WindowDisplay(2, "a")]),
            "windows.displays[1].station",
        ),
    ],
)
def test_what_cannot_be_shown_is_refused(config: WindowsConfig, key: str) -> None:
    [(found, problem)] = window_problems(config, [1, 2])
    assert found == key
    assert problem


def test_an_address_or_backend_that_there_is_not_is_refused() -> None:
    with pytest.raises(ValueError, match="expected serial"):
        WindowDisplays(WindowsConfig(displays=[WindowDisplay(1, "usb")]), {}, lambda: 0)
    plan = WindowsConfig(backend="neon", displays=PLAN.displays)
    with pytest.raises(UnknownBackend, match="alpha"):
        WindowDisplays(plan, {}, lambda: 0)
    assert list(window_problems(PLAN, [1, 2, 3])) == []
