"""One suite over every backend of number displays and every kind of line to them; at the far end
stands the simulated sign.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from hal.api import DisplayLine, HealthState
from hal.errors import DeviceRefused, DeviceSilent, LinkLost, LinkUnavailable
from hal.link import link_to, memory_pair
from hal.registry import BACKENDS, backend
from hal.sim.alpha_sign import SignLine
from hal.sim.printer_ports import MemoryPrinter, Port, PtyPrinter, TcpPrinter

FAR_ENDS = {"alpha": SignLine}
LINES = ("memory", "pty", "tcp")


@dataclass
class Rig:
    signs: SignLine
    port: Port
    line: DisplayLine


@pytest_asyncio.fixture(params=[(b, kind) for b in BACKENDS["window_display"] for kind in LINES],
                        ids=lambda one: "-".join(one))  # fmt: skip
async def rig(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Rig]:
    name, kind = request.param
    signs = FAR_ENDS[name](stations=(1, 2, 0x1F))
    near, far = memory_pair()
    ports: dict[str, Port] = {
        "memory": MemoryPrinter(signs, far),
        "pty": PtyPrinter(signs, tmp_path / "line"),
        "tcp": TcpPrinter(signs),
    }
    port = ports[kind]
    await port.plug_in()
    line = backend("window_display", name)(
        near if kind == "memory" else link_to(port.address), answer_s=0.15
    )
    yield Rig(signs, port, line)
    await line.close()
    await line.close()
    await port.unplug()


async def test_a_number_is_shown_where_it_belongs(rig: Rig) -> None:
    one, other = rig.line.display(1), rig.line.display(0x1F)
    assert one.health.state is HealthState.UNKNOWN
    await one.show("A035", blink=True)
    await other.show("AW001")
    assert [(s.text, s.blinking) for s in rig.signs.signs.values()] == [
        ("A035", True), ("", False), ("AW001", False),
    ]  # fmt: skip
    assert (one.health.state, one.health.counters) == (
        HealthState.OK, {"shown": 1, "repeated": 0, "failed": 0},
    )  # fmt: skip
    await one.show("A035")
    assert not rig.signs.sign(1).blinking
    await one.show("")
    assert rig.signs.sign(1).text == ""
    assert rig.signs.sign(1).errors == 0


@pytest.mark.parametrize(("percent", "level"), [(100, 0), (86, 1), (70, 2), (60, 3), (0, 4)])
async def test_the_nearest_brightness_is_set(rig: Rig, percent: int, level: int) -> None:
    await rig.line.display(2, brightness=percent).show("A001")
    assert rig.signs.sign(2).level == level


async def test_displays_of_one_line_are_told_at_the_same_instant(rig: Rig) -> None:
    displays = {n: rig.line.display(n) for n in (1, 2, 0x1F)}
    await asyncio.gather(*(d.show(f"A{n:03}") for n, d in displays.items() for _ in range(5)))
    assert {n: s.text for n, s in rig.signs.signs.items()} == {
        1: "A001", 2: "A002", 0x1F: "A031",
    }  # fmt: skip


async def test_noise_costs_repeats_and_never_a_wrong_number(rig: Rig) -> None:
    display = rig.line.display(1)
    rig.signs.noise = 0.005
    for number in range(30):
        wanted = f"B{number:03}"
        for _ in range(20):
            with contextlib.suppress(DeviceSilent, DeviceRefused):
                await display.show(wanted)
                break
        assert rig.signs.sign(1).text == wanted
    assert display.health.state is HealthState.OK
    assert display.health.counters["repeated"] > 0
    # Damaged text has a wrong checksum: it was never on the display.
    assert rig.signs.sign(1).shown == [f"B{n:03}" for n in range(30)]


async def test_a_display_that_is_not_there_is_named_and_disturbs_no_other(rig: Rig) -> None:
    missing, there = rig.line.display(9), rig.line.display(1)
    with pytest.raises(DeviceSilent, match=r"display 9: no answer; .* address 09"):
        await missing.show("A001")
    assert (missing.health.state, missing.health.detail) == (HealthState.LOST, "silent")
    rig.signs.sign(2).deaf = True
    with pytest.raises(DeviceSilent):
        await rig.line.display(2).show("A001")
    await there.show("A002")
    assert rig.signs.sign(1).text == "A002"


async def test_unplugged_and_plugged_in_again(rig: Rig) -> None:
    display = rig.line.display(1)
    await display.show("A001")
    await rig.port.unplug()
    with pytest.raises((LinkLost, LinkUnavailable, DeviceSilent)):
        await display.show("A002")
    assert display.health.detail in ("link", "silent", "unavailable")
    with pytest.raises((LinkUnavailable, LinkLost, DeviceSilent)):
        await display.show("A002")
    rig.signs.sign(1).power_cut()
    await rig.port.plug_in()
    async with asyncio.timeout(5):
        while True:
            with contextlib.suppress(LinkLost, LinkUnavailable, DeviceSilent):
                await display.show("A003")
                break
    assert rig.signs.sign(1).text == "A003"
    assert display.health.state == HealthState.OK


async def test_one_that_shows_something_else_is_a_fault(rig: Rig) -> None:
    sign = rig.signs.sign(1)
    sign.take = lambda body: b"AA\x1b bOLD" if body[:1] == b"B" else None  # type: ignore[method-assign]
    display = rig.line.display(1)
    with pytest.raises(DeviceRefused, match=r"shows .*OLD"):
        await display.show("A001")
    assert (display.health.state, display.health.detail) == (HealthState.FAULT, "garbled")


@pytest.mark.parametrize("text", ["请", "A\x02", "A\n"])
async def test_what_it_cannot_show_is_refused(rig: Rig, text: str) -> None:
    with pytest.raises(ValueError, match="printable ASCII"):
        await rig.line.display(1).show(text)
    with pytest.raises(ValueError, match="station 0"):
        rig.line.display(0)
    assert rig.signs.sign(1).shown == []
