"""New firmware over a pad's own line: a real MicroPython on a littlefs, the real driver."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from firmware.flash.bundle import Bundle
from firmware.pad import link as wire
from hal.api import PadTrial
from hal.drivers.pad import SerialPad
from hal.link import link_to
from hal.sim.slot_pad import SlotPad, make_flash
from simulator.firmware_builds import build_firmware

pytestmark = pytest.mark.micropython

KEY = bytes(range(32))
SOON_S = 20.0


def now_ms() -> int:
    return time.monotonic_ns() // 1_000_000


async def until(condition: Callable[[], object], within_s: float = SOON_S) -> None:
    async with asyncio.timeout(within_s):
        while not condition():  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.01)


def made(folder: Path, version: str, **more: str) -> Bundle:
    return build_firmware(folder, version, floor="1.4.0", **more)


@asynccontextmanager
async def pad_with(folder: Path, bundle: Bundle, **options: Any) -> AsyncIterator[SlotPad]:
    pad = SlotPad(folder, "pad-1", key=KEY, confirm_ms=300, **options)
    make_flash(pad.flash, bundle.path, KEY)
    await pad.start()
    try:
        yield pad
    finally:
        await pad.stop()


@asynccontextmanager
async def driver_of(pad: SlotPad) -> AsyncIterator[SerialPad]:
    driver = SerialPad(link_to(pad.address), name="pad 1", now_ms=now_ms, key_of=lambda _: KEY)
    await driver.open()
    try:
        await until(lambda: driver.identity)
        yield driver
    finally:
        await driver.close()


def runs(driver: SerialPad, bundle: Bundle) -> bool:
    return driver.identity is not None and driver.identity.firmware_hash == bundle.hash


async def test_a_pad_gets_new_firmware_over_its_line_and_keeps_it(tmp_path):
    old, new = made(tmp_path, "1.4.0"), made(tmp_path, "1.5.0")
    async with pad_with(tmp_path, old) as pad, driver_of(pad) as driver:
        assert runs(driver, old)
        told: list[tuple[int, int]] = []
        await driver.update(
            new.manifest, new.slot_files, progress=lambda done, size: told.append((done, size))
        )
        await until(lambda: runs(driver, new))
        assert told[0] == (0, new.size)
        assert told[-1] == (new.size, new.size)
        await until(lambda: driver.trial == PadTrial(on_trial=False, went_back=False))
        await pad.restart()
        await until(lambda: driver.health.counters["boots"] == 3)
        assert runs(driver, new)
        await driver.arm(5, wire.MAX_WINDOW_MS)
        await pad.press(4)
        assert (await asyncio.wait_for(driver.next_press(), SOON_S)).nonce == 5
    assert pad.error_path.read_text() == ""
