"""The driver brings firmware to a pad of this process, on virtual time and on bad lines."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from firmware.pad import link as wire
from hal.api import ByteLink, PadTrial, UpdatablePad
from hal.drivers import pad_update
from hal.drivers.pad import SerialPad
from hal.errors import DeviceBusy, DeviceRefused, DeviceSilent, LinkLost
from hal.link import memory_pair
from hal.sim.pad import CorePad
from simulator import vtime
from tests.firmware.slot_bench import KEY, files_of, hash_of, install, manifest_of

NEW = files_of("1.1.0")
MANIFEST = manifest_of("1.1.0", NEW)
SIZE = sum(len(data) for name, data in NEW.items() if "same" not in name)


class Line:
    """A link that loses, doubles or delays frames of the host, and counts them by kind."""

    def __init__(self, inner: ByteLink, rng: random.Random) -> None:
        self.inner = inner
        self.rng = rng
        self.loss = 0.0
        self.doubled = False
        self.left = 1 << 30
        self.sent: list[int] = []
        self.refuse = False

    @property
    def address(self) -> str:
        return self.inner.address

    async def open(self) -> None:
        await self.inner.open()

    async def read(self, limit: int = 4096) -> bytes:
        while True:
            data = await self.inner.read(limit)
            if self.rng.random() >= self.loss:
                return data

    async def write(self, data: bytes) -> None:
        for frame in wire.Decoder().feed(data):
            if not isinstance(frame, wire.Wrong):
                self.sent.append(frame.kind)
        self.left -= len(data)
        if self.left < 0:
            await self.inner.write(data[: self.left])
            self.left = 1 << 30
            await self.inner.close()
            raise LinkLost("cut")
        if self.rng.random() >= self.loss:
            await self.inner.write(data * (1 + self.doubled))

    async def close(self) -> None:
        await self.inner.close()


class Lab:
    def __init__(self, folder: Path, **options: object) -> None:
        loop = asyncio.get_running_loop()
        self.rng = random.Random(5)
        self.old = hash_of(install(folder, "1.0.0"))
        self.new = hash_of(MANIFEST)
        near, far = memory_pair()
        self.line = Line(near, self.rng)
        self.now_ms = lambda: int(loop.time() * 1000)
        self.pad = CorePad(
            far,
            now_ms=self.now_ms,
            boot_ids=lambda: self.rng.getrandbits(32),
            key=KEY,
            random=self.rng.randbytes,
            root=str(folder),
            **options,  # type: ignore[arg-type]
        )
        self.key: bytes | None = KEY

    @asynccontextmanager
    async def driver(self) -> AsyncIterator[SerialPad]:
        driver = SerialPad(
            self.line,
            name="pad 1",
            now_ms=self.now_ms,
            key_of=lambda _: self.key,
            random=self.rng.randbytes,
        )
        await self.pad.start()
        await driver.open()
        try:
            await until(lambda: driver.trial)
            yield driver
        finally:
            await driver.close()
            await self.pad.stop()


async def until(condition: Callable[[], object], within_s: float = 120.0) -> None:
    async with asyncio.timeout(within_s):
        while not condition():  # noqa: ASYNC110 - virtual: it costs nothing
            await asyncio.sleep(0.01)


def virtual(scenario):
    def test(tmp_path):
        vtime.run(scenario(tmp_path))

    test.__name__ = scenario.__name__
    return test


def runs(driver: SerialPad) -> str:
    return driver.identity.firmware_hash if driver.identity else ""


@virtual
async def test_it_brings_what_is_wanted_and_the_pad_confirms_it(folder):
    lab = Lab(folder)
    async with lab.driver() as driver:
        assert isinstance(driver, UpdatablePad)
        assert runs(driver) == lab.old
        told: list[tuple[int, int]] = []
        await driver.update(MANIFEST, NEW, progress=lambda done, size: told.append((done, size)))
        assert (told[0], told[-1]) == ((0, SIZE + 2400), (SIZE + 2400, SIZE + 2400))
        assert told == sorted(told)
        await until(lambda: runs(driver) == lab.new)
        await until(lambda: driver.trial == PadTrial(on_trial=True, went_back=False))
        await until(lambda: driver.trial == PadTrial(on_trial=False, went_back=False))
        # The next one goes to the other slot, where the old version's file is the same one.
        third = files_of("1.2.0")
        lab.line.sent.clear()
        await driver.update(manifest_of("1.2.0", third), third)
        await until(lambda: driver.identity and driver.identity.firmware == "1.2.0")
        parts = lab.line.sent.count(wire.FILE_PART)
        assert parts == -(-len(third["firmware/pad/core.mpy"]) // wire.MAX_PART)


@virtual
async def test_a_bad_line_costs_time_and_nothing_else(folder):
    lab = Lab(folder)
    async with lab.driver() as driver:
        lab.line.loss = 0.2
        lab.line.doubled = True
        await driver.update(MANIFEST, NEW)
        await until(lambda: runs(driver) == lab.new)


@virtual
async def test_a_line_that_breaks_anywhere_is_gone_on_with(folder):
    lab = Lab(folder)
    async with lab.driver() as driver:
        cuts = 0
        while True:
            lab.line.left = 700 + 61 * cuts
            lab.line.sent.clear()
            try:
                await driver.update(MANIFEST, NEW)
            except LinkLost:
                cuts += 1
                lab.line.left = 1 << 30
                await asyncio.sleep(3)  # it opens the line again
                continue
            break
        lab.line.left = 1 << 30
        await until(lambda: runs(driver) == lab.new)
        assert cuts > 5


@virtual
async def test_a_pad_that_restarts_in_the_middle_is_offered_it_again(folder):
    lab = Lab(folder)
    async with lab.driver() as driver:
        restarts = 0

        def progress(done: int, size: int) -> None:
            nonlocal restarts
            if done > size // 2 and not restarts:
                restarts += 1
                lab.pad._boot()

        await driver.update(MANIFEST, NEW, progress=progress)
        assert restarts == 1
        assert lab.line.sent.count(wire.OFFER) >= 2
        await until(lambda: runs(driver) == lab.new)


@virtual
async def test_a_pad_that_restarts_every_time_is_given_up(folder):
    lab = Lab(folder)
    async with lab.driver() as driver:

        def progress(done: int, _size: int) -> None:
            if done:
                lab.pad._boot()

        with pytest.raises(DeviceSilent, match="restarts again and again"):
            await driver.update(MANIFEST, NEW, progress=progress)
        assert runs(driver) == lab.old


@virtual
async def test_an_armed_pad_is_left_in_peace_and_its_press_counts(folder):
    lab = Lab(folder)
    async with lab.driver() as driver:
        armed: list[asyncio.Task[None]] = []

        def progress(done: int, size: int) -> None:
            if done > size // 2 and not armed:
                armed.append(asyncio.create_task(driver.arm(7, 10_000)))

        with pytest.raises(DeviceBusy, match="somebody rates"):
            await driver.update(MANIFEST, NEW, progress=progress)
        await armed[0]
        await lab.pad.press(4)
        press = await asyncio.wait_for(driver.next_press(), 5)
        assert (press.nonce, press.score_1to5) == (7, 4)
        with pytest.raises(DeviceBusy):
            await driver.update(MANIFEST, NEW)
        await driver.acknowledge(press)
        await asyncio.sleep(3)
        await driver.update(MANIFEST, NEW)
        await until(lambda: runs(driver) == lab.new)


@virtual
async def test_a_press_in_the_middle_of_an_update_arrives(folder):
    lab = Lab(folder)
    async with lab.driver() as driver:
        pressed: list[asyncio.Task[None]] = []

        def progress(done: int, size: int) -> None:
            if done > size // 2 and not pressed:
                lab.line.loss = 0.1  # so that time passes
                pressed.append(asyncio.create_task(lab.pad.press(2)))

        await driver.update(MANIFEST, NEW, progress=progress)
        lab.line.loss = 0.0
        press = await asyncio.wait_for(driver.next_press(), 30)
        assert (press.nonce, press.score_1to5) == (0, 2)


@virtual
async def test_the_pad_s_own_words_are_told(folder):
    lab = Lab(folder)
    async with lab.driver() as driver:
        other = manifest_of("1.1.0", NEW, chip="rp2")
        with pytest.raises(DeviceRefused, match="the pad says: firmware for 'rp2'"):
            await driver.update(other, NEW)
        with pytest.raises(DeviceRefused, match=r"0\.9\.0 is older than 1\.0\.0"):
            await driver.update(manifest_of("0.9.0", NEW), NEW)
        damaged = NEW | {"firmware/pad/core.mpy": bytes(len(NEW["firmware/pad/core.mpy"]))}
        with pytest.raises(DeviceRefused, match="file 0 arrives damaged every time"):
            await driver.update(MANIFEST, damaged)
        with pytest.raises(ValueError, match=r"names 'firmware/pad/core\.mpy'"):
            await driver.update(MANIFEST, {})
        for text in (b"[]", b"{", b'{"files": [1]}'):
            with pytest.raises(ValueError, match="not a manifest"):
                await driver.update(text, {})
        lab.key = None
        with pytest.raises(DeviceRefused, match="only a pad with a key"):
            await driver.update(MANIFEST, NEW)
        assert runs(driver) == lab.old


@virtual
async def test_a_pad_that_does_not_know_of_updates_is_silent(folder):
    lab = Lab(folder)
    async with lab.driver() as driver:
        core: Any = lab.pad.core
        core._updating = lambda *_: None  # as firmware before it does
        with pytest.raises(DeviceSilent, match="no answer to a step of its update within 15 s"):
            await driver.update(MANIFEST, NEW)


@virtual
async def test_a_lost_last_answer_is_no_fault(folder):
    lab = Lab(folder)
    async with lab.driver() as driver:
        await driver.update(MANIFEST, NEW, switching=lambda: setattr(lab.line, "loss", 1.0))
        lab.line.loss = 0.0
        # Nothing came through: the pad goes on with what it had, and is asked again.
        assert runs(driver) == lab.old
        await driver.update(MANIFEST, NEW)
        await until(lambda: runs(driver) == lab.new)


@virtual
async def test_firmware_that_crashes_goes_back_and_the_pad_says_so(folder):
    lab = Lab(folder, bad_versions=frozenset({"1.1.0"}))
    async with lab.driver() as driver:
        boots = driver.health.counters["boots"]
        await driver.update(MANIFEST, NEW)
        await until(lambda: driver.health.counters["boots"] > boots and driver.trial)
        assert runs(driver) == lab.old
        assert driver.trial == PadTrial(on_trial=False, went_back=True)


@virtual
async def test_the_answer_to_an_earlier_step_changes_nothing(folder):
    lab = Lab(folder)
    async with lab.driver() as driver:
        stale = wire.Frame(wire.PROGRESS, 1, 1, wire.pack_progress(wire.NOT_TAKEN))
        driver._update.answered(stale)
        await driver.update(MANIFEST, NEW, progress=lambda *_: driver._update.answered(stale))
        assert pad_update.STEP_TRIES * pad_update.STEP_RETRY_S == 15.0
