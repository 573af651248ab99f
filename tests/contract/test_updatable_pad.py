"""What every pad does with new firmware: the core on virtual time; MicroPython with a littlefs on
a pty.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from hal.api import PadTrial
from hal.drivers.pad import SerialPad
from hal.errors import DeviceBusy, DeviceRefused
from hal.link import link_to, memory_pair
from hal.sim.pad import CorePad
from hal.sim.slot_pad import SlotPad, make_flash
from simulator import vtime
from simulator.firmware_builds import build_firmware
from tests.firmware.slot_bench import KEY, files_of, hash_of, install, manifest_of

SOON_S = 30.0


class Firmware:
    """A version as the driver takes it."""

    def __init__(self, manifest: bytes, files: dict[str, bytes]) -> None:
        self.manifest = manifest
        self.files = files
        self.hash = hash_of(manifest)


class Lab:
    """A pad that runs ``old``, its greeted driver, and a version to come."""

    def __init__(self, pad: Any, driver: SerialPad, versions: dict[str, Firmware]) -> None:
        self.pad = pad
        self.driver = driver
        self.old, self.new, self.other_chip = (
            versions[name] for name in ("old", "new", "other chip")
        )

    async def update(self, **options: Any) -> None:
        await self.driver.update(self.new.manifest, self.new.files, **options)

    @property
    def runs(self) -> str:
        return self.driver.identity.firmware_hash if self.driver.identity else ""


Scenario = Callable[[Lab], Awaitable[None]]


async def until(condition: Callable[[], object], within_s: float = SOON_S) -> None:
    async with asyncio.timeout(within_s):
        while not condition():  # noqa: ASYNC110 - the far end is another process
            await asyncio.sleep(0.01)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("builds")
    return {
        "old": build_firmware(folder, "1.0.0"),
        "new": build_firmware(folder, "1.1.0", floor="1.0.0"),
        "other chip": build_firmware(folder, "1.1.0", chip="rp2", name="other"),
    }


@pytest.fixture(params=["core", pytest.param("pty", marks=pytest.mark.micropython)])
def run(request, tmp_path, rng) -> Callable[[Scenario], None]:
    """Run a scenario on this backend."""

    async def on_core(scenario: Scenario) -> None:
        loop = asyncio.get_running_loop()
        near, far = memory_pair()
        install(tmp_path, "1.0.0")
        pad = CorePad(
            far,
            now_ms=lambda: int(loop.time() * 1000),
            boot_ids=lambda: rng.getrandbits(32),
            key=KEY,
            random=rng.randbytes,
            root=str(tmp_path),
        )
        files = files_of("1.1.0")
        versions = {
            "old": Firmware(manifest_of("1.0.0", files_of("1.0.0")), files_of("1.0.0")),
            "new": Firmware(manifest_of("1.1.0", files), files),
            "other chip": Firmware(manifest_of("1.1.0", files, chip="rp2"), files),
        }
        await play(scenario, pad, near, lambda: int(loop.time() * 1000), versions)

    async def on_pty(scenario: Scenario) -> None:
        built = request.getfixturevalue("built")
        pad = SlotPad(tmp_path, "pad-1", key=KEY, confirm_ms=500)
        make_flash(pad.flash, built["old"].path, KEY)
        versions = {
            name: Firmware(bundle.manifest, bundle.slot_files) for name, bundle in built.items()
        }
        await pad.start()
        link = link_to(pad.address)
        await play(scenario, pad, link, lambda: time.monotonic_ns() // 1_000_000, versions)
        assert pad.error_path.read_text() == ""

    async def play(scenario: Scenario, pad: Any, link: Any, now_ms: Any, versions: Any) -> None:
        driver = SerialPad(
            link, name="pad 1", now_ms=now_ms, key_of=lambda _: KEY, random=rng.randbytes
        )
        await pad.start()
        try:
            await driver.open()
            await until(lambda: driver.trial)
            await scenario(Lab(pad, driver, versions))
        finally:
            await driver.close()
            await pad.stop()

    def run_it(scenario: Scenario) -> None:
        if request.param == "core":
            vtime.run(on_core(scenario))
        else:
            request.getfixturevalue("built")
            asyncio.run(on_pty(scenario))

    return run_it


def test_new_firmware_runs_and_is_confirmed(run):
    async def scenario(lab: Lab) -> None:
        assert lab.runs == lab.old.hash
        switched: list[bool] = []
        await lab.update(switching=lambda: switched.append(True))
        await until(lambda: lab.runs == lab.new.hash)
        assert switched == [True]
        await until(lambda: lab.driver.trial == PadTrial(on_trial=False, went_back=False))
        await lab.pad.restart()
        await until(lambda: lab.driver.health.counters["boots"] == 3)
        assert lab.runs == lab.new.hash

    run(scenario)


def test_what_came_before_a_power_cut_is_not_sent_again(run):
    async def scenario(lab: Lab) -> None:
        sizes: list[int] = []

        class Stopped(Exception):
            pass

        def stop(done: int, size: int) -> None:
            sizes.append(size)
            if done > size * 3 // 4:
                raise Stopped

        with pytest.raises(Stopped):
            await lab.update(progress=stop)
        boots = lab.driver.health.counters["boots"]
        await lab.pad.restart()
        await until(lambda: lab.driver.health.counters["boots"] > boots)
        assert lab.runs == lab.old.hash
        again: list[int] = []
        await lab.update(progress=lambda _, size: again.append(size))
        assert again[0] < sizes[0]
        await until(lambda: lab.runs == lab.new.hash)

    run(scenario)


def test_an_armed_pad_is_busy_and_its_press_comes(run):
    async def scenario(lab: Lab) -> None:
        await lab.driver.arm(7, 60_000)
        with pytest.raises(DeviceBusy):
            await lab.update()
        await lab.pad.press(4)
        press = await asyncio.wait_for(lab.driver.next_press(), SOON_S)
        assert (press.nonce, press.score_1to5) == (7, 4)
        await lab.driver.acknowledge(press)
        assert lab.runs == lab.old.hash

    run(scenario)


def test_a_press_just_before_the_restart_is_not_lost(run):
    async def scenario(lab: Lab) -> None:
        pressing: list[asyncio.Task[None]] = []

        def progress(done: int, size: int) -> None:
            if done > size // 3 and not pressing:
                pressing.append(asyncio.create_task(lab.pad.press(2)))

        await lab.update(progress=progress)
        await until(lambda: lab.runs == lab.new.hash)
        press = await asyncio.wait_for(lab.driver.next_press(), SOON_S)
        assert (press.nonce, press.score_1to5) == (0, 2)

    run(scenario)


def test_firmware_for_another_chip_is_refused_in_the_pad_s_words(run):
    async def scenario(lab: Lab) -> None:
        with pytest.raises(DeviceRefused, match="firmware for 'rp2'"):
            await lab.driver.update(lab.other_chip.manifest, lab.other_chip.files)
        assert lab.runs == lab.old.hash

    run(scenario)
