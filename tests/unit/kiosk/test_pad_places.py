"""Pads as kiosk.toml places them: by path on USB, by address on a bus; under MicroPython."""

import asyncio
import os
import random
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from firmware.pad import link as wire
from hal.api import HealthState, RatingPad
from hal.errors import LinkUnavailable
from hal.link import BUS_ADDRESSES, link_to
from hal.sim.bus import BusHub, PtyAdapter
from hal.sim.pad import PtyPad
from kiosk import config
from kiosk.buses import Buses
from kiosk.cli import build_devices
from sync.clock import system_clock

pytestmark = pytest.mark.micropython

SAMPLE = (Path(__file__).parents[3] / "deploy/kiosk.toml").read_text("utf-8")
BY_PATH = "platform-xhci-hcd.1-usb-0:1.{}:1.0"


def pads_of(folder: Path, tables: list[str]) -> tuple[dict[int, RatingPad], Buses]:
    """The pads that a kiosk with these tables of [[pads]] would have."""
    before, _, _ = SAMPLE.partition("# One for each counter")
    text = before.replace("/var/lib/lobby/kiosk", "data")
    text += "".join(f"[[pads]]\n{table}\n" for table in tables)
    path = folder / "kiosk.toml"
    path.write_text(text, "utf-8")
    kiosk = config.read(path)
    buses = Buses(kiosk)
    return build_devices(kiosk, system_clock(), buses)[1], buses


async def until(condition: Callable[[], object], within_s: float = 15.0) -> None:
    async with asyncio.timeout(within_s):
        while not condition():  # noqa: ASYNC110 - other processes
            await asyncio.sleep(0.02)


async def plugged_in(folder: Path, stack: AsyncExitStack, number: int, address: int = 0) -> PtyPad:
    """A pad with a key, which the kiosk in that folder has too."""
    port = folder / BY_PATH.format(number)
    pad = PtyPad(folder, f"pad-{number}", key=os.urandom(32), address=address, port=port)
    keys = folder / "data/pads"
    keys.mkdir(parents=True, exist_ok=True)
    pad.share_key(keys)
    await pad.start()
    stack.push_async_callback(pad.stop)
    return pad


async def rates(driver: RatingPad, pad: PtyPad, nonce: int) -> None:
    await driver.arm(nonce, 10_000)
    await pad.press(4)
    press = await asyncio.wait_for(driver.next_press(), 10)
    assert (press.nonce, press.score_1to5, press.unique_id) == (nonce, 4, pad.unique_id)
    await driver.acknowledge(press)


async def test_a_usb_pad_is_found_by_its_path_whatever_its_number_is(tmp_path):
    async with AsyncExitStack() as stack:
        pads = [await plugged_in(tmp_path, stack, number) for number in (1, 2)]
        tables = [
            f'counter = {n + 1}\naddress = "serial:{pad.port}"' for n, pad in enumerate(pads)
        ]
        drivers, _ = pads_of(tmp_path, tables)
        for driver in drivers.values():
            stack.push_async_callback(driver.close)
            await driver.open()
        await until(lambda: all(d.health.state is HealthState.OK for d in drivers.values()))
        # Both out, and in again the other way round: the numbers change, the sockets do not.
        before = [os.readlink(pad.port) for pad in pads]
        for pad in pads:
            await pad.stop()
        await until(lambda: all(d.health.detail == "link" for d in drivers.values()))
        for fd in os.openpty():
            stack.callback(os.close, fd)
        for pad in reversed(pads):
            await pad.start()
        assert [os.readlink(pad.port) for pad in pads] != before
        await until(lambda: all(d.health.state is HealthState.OK for d in drivers.values()))
        for counter, pad in enumerate(pads, 1):
            await rates(drivers[counter], pad, 70 + counter)


@pytest.mark.parametrize(
    ("wanted", "detail"),
    [
        ('oldest_firmware = "99.0.0"', "firmware_old"),
        (f'firmware_hashes = ["{"0" * 15}1"]', "firmware_unknown"),
        (f'oldest_firmware = "0.1.0"\nfirmware_hashes = ["{"0" * 16}"]', ""),
    ],
)
async def test_old_and_unknown_firmware_is_named_in_the_row(tmp_path, wanted, detail):
    async with AsyncExitStack() as stack:
        pad = await plugged_in(tmp_path, stack, 1)
        drivers, _ = pads_of(tmp_path, [f'counter = 1\naddress = "serial:{pad.port}"\n{wanted}'])
        stack.push_async_callback(drivers[1].close)
        await drivers[1].open()
        state = HealthState.WARNING if detail else HealthState.OK
        await until(lambda: drivers[1].health.state is state)
        assert drivers[1].health.detail == detail
        await rates(drivers[1], pad, 5)


async def test_pads_of_one_bus_by_their_addresses(tmp_path):
    async with AsyncExitStack() as stack:
        adapter = PtyAdapter(tmp_path / BY_PATH.format(9))
        hub = BusHub(random.Random(1), adapter=adapter)
        stack.push_async_callback(hub.close)
        pads = {}
        for counter, address in ((1, 5), (2, 31)):
            pads[counter] = await plugged_in(tmp_path, stack, counter, address)
            hub.join(link_to(pads[counter].address))
        drivers, buses = pads_of(
            tmp_path,
            [
                f'counter = 1\naddress = "{adapter.address}#5"',
                f'counter = 2\naddress = "{adapter.address}?baud=115200#31"',
                f'counter = 3\naddress = "{adapter.address}#6"',
            ],
        )
        (bus,) = buses.by_name.values()
        stack.push_async_callback(bus.close)
        await until((tmp_path / BY_PATH.format(9)).exists)
        for counter in (1, 2):
            stack.push_async_callback(drivers[counter].close)
            await drivers[counter].open()
        with pytest.raises(LinkUnavailable, match="no pad answers at address 6"):
            await drivers[3].open()
        await until(lambda: all(drivers[n].health.state is HealthState.OK for n in pads))
        await asyncio.gather(*[rates(drivers[n], pads[n], 70 + n) for n in pads])
        await hub.unplug()
        await until(lambda: (bus.health.state, bus.health.detail) == (HealthState.LOST, "link"))
        await until(lambda: all(drivers[n].health.detail == "link" for n in pads))
        hub.plug_in()
        await until(lambda: all(drivers[n].health.state is HealthState.OK for n in pads))
        await asyncio.gather(*[rates(drivers[n], pads[n], 80 + n) for n in pads])
        assert bus.health.state is HealthState.OK
    for pad in pads.values():
        assert pad.error_path.read_text() == ""


def test_both_ends_know_the_same_addresses():
    assert BUS_ADDRESSES == wire.ADDRESSES
