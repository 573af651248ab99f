"""A rollout at one kiosk on virtual time: real drivers, pads with slots, one armed, one bad."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec

from hal.api import Health
from hal.drivers.pad import SerialPad
from hal.link import memory_pair
from hal.sim.pad import CorePad
from kiosk.config import PadConfig
from kiosk.desired import DesiredKeeper
from kiosk.pad_updates import STATE_FILE, PadUpdates
from simulator import vtime
from sync.configuration import AppliedConfig, PadApplied
from tests.firmware.slot_bench import CHIP, KEY, install
from tests.unit.kiosk.bench import KIOSK
from tests.unit.kiosk.test_desired import Branch


class Counter:
    """One counter's pad and its driver."""

    def __init__(self, folder: Path, counter: int, now_ms: Callable[[], int], bad: bool) -> None:
        rng = random.Random(counter)
        root = folder / f"flash-{counter}"
        install(root, "1.0.0")
        near, far = memory_pair(f"pad-{counter}")
        self.quiet_s = 1_000.0
        self.pad = CorePad(
            far,
            now_ms=now_ms,
            boot_ids=lambda: rng.getrandbits(32),
            unique_id=f"c0{counter:02}",
            key=KEY,
            random=rng.randbytes,
            root=str(root),
            bad_versions=frozenset({"1.1.0"} if bad else ()),
        )
        self.driver = SerialPad(
            near, name=f"pad-{counter}", now_ms=now_ms, key_of=lambda _: KEY, random=rng.randbytes
        )

    @property
    def version(self) -> str:
        return self.driver.identity.firmware if self.driver.identity else ""


class Kiosk:
    """The kiosk's updates, what it told, and how often each pad was armed."""

    def __init__(self, folder: Path, counters: int, bad: tuple[int, ...] = ()) -> None:
        loop = asyncio.get_running_loop()
        self.now_ms = lambda: int(loop.time() * 1000)
        self.folder = folder
        (folder / "branch").mkdir()
        self.branch = Branch(folder / "branch")
        self.counters = {
            n: Counter(folder, n, self.now_ms, n in bad) for n in range(1, counters + 1)
        }
        self.told: list[AppliedConfig] = []
        self.deaf = False
        self.devices: list[tuple[str, str, str]] = []
        self.most_at_once = 0

    def tell(self, applied: AppliedConfig) -> bool:
        if not self.deaf:
            self.told.append(applied)
        return not self.deaf

    def device(self, device: str, kind: str, health: Health) -> None:
        row = (device, health.state.value, health.detail)
        if row not in self.devices[-1:]:
            self.devices.append(row)

    def made(self) -> PadUpdates:
        config = msgspec.structs.replace(
            KIOSK,
            data_dir=str(self.folder / "data"),
            pads=[PadConfig(n, f"serial:/dev/pad{n}", chip=CHIP) for n in self.counters],
            updates=self.branch.settings,
        )
        keeper = DesiredKeeper(self.folder / "data", "kiosk-1", config.updates, frozenset({CHIP}))
        return PadUpdates(
            config,
            {n: counter.driver for n, counter in self.counters.items()},
            keeper,
            now_s=lambda: self.now_ms() / 1000,
            quiet_s=lambda n: self.counters[n].quiet_s,
            tell=self.tell,
            device=self.device,
        )

    @asynccontextmanager
    async def updates(self) -> AsyncIterator[PadUpdates]:
        updates = self.made()
        updates.start()
        watching = asyncio.create_task(self._watch(updates))
        try:
            yield updates
        finally:
            watching.cancel()
            await updates.stop()

    async def _watch(self, updates: PadUpdates) -> None:
        while True:
            self.most_at_once = max(self.most_at_once, len(updates.rollout.updating))
            await asyncio.sleep(0.05)

    def versions(self) -> list[str]:
        return [counter.version for counter in self.counters.values()]

    def states(self) -> dict[int, str]:
        return {pad.counter: pad.state for pad in self.told[-1].pads} if self.told else {}


def virtual(scenario: Callable[[Path], Coroutine[Any, Any, None]]) -> Callable[[Path], None]:
    def test(tmp_path: Path) -> None:
        vtime.run(scenario(tmp_path))

    test.__name__ = scenario.__name__
    return test


@asynccontextmanager
async def kiosk_with(folder: Path, counters: int, **options: Any) -> AsyncIterator[Kiosk]:
    async with AsyncExitStack() as stack:
        kiosk = Kiosk(folder, counters, **options)
        for counter in kiosk.counters.values():
            await counter.pad.start()
            stack.push_async_callback(counter.pad.stop)
            await counter.driver.open()
            stack.push_async_callback(counter.driver.close)
        await asyncio.sleep(3)
        yield kiosk


async def until(condition: Callable[[], object], within_s: float = 600.0) -> None:
    async with asyncio.timeout(within_s):
        while not condition():  # noqa: ASYNC110 - virtual: it costs nothing
            await asyncio.sleep(0.1)


@virtual
async def test_every_pad_gets_it_one_after_the_other(folder):
    async with kiosk_with(folder, 3) as kiosk, kiosk.updates() as updates:
        await updates.take(kiosk.branch.message(1, "1.1.0"))
        await until(lambda: kiosk.states() == dict.fromkeys((1, 2, 3), "current"))
        assert kiosk.versions() == ["1.1.0"] * 3
        assert kiosk.most_at_once == 1
        last = kiosk.told[-1]
        assert (last.version, last.refused, last.reason) == (1, 0, "")
        bundle = updates._keeper.now.bundles[CHIP]  # type: ignore[union-attr]
        assert last.pads[0] == PadApplied(
            counter=1, state="current", unique_id="c001", firmware="1.1.0",
            firmware_hash=bundle.hash,
        )  # fmt: skip
        seen = [row[1:] for row in kiosk.devices if row[0] == "pad-1-firmware"]
        assert seen[-1] == ("ok", "")
        told = len(kiosk.told)
        await asyncio.sleep(60)
        assert len(kiosk.told) == told
        kiosk.deaf = True
        updates.connected()  # a broker that lost what it kept, and is away again
        kiosk.deaf = False
        await asyncio.sleep(2)
        assert len(kiosk.told) == told + 1


@virtual
async def test_an_armed_pad_and_one_in_use_are_left_alone(folder):
    async with kiosk_with(folder, 2) as kiosk, kiosk.updates() as updates:
        busy = kiosk.counters[1]
        busy.quiet_s = 0.0
        await updates.take(kiosk.branch.message(1, "1.1.0"))
        await until(lambda: kiosk.states().get(2) == "current")
        assert kiosk.versions() == ["1.0.0", "1.1.0"]
        assert kiosk.states()[1] == "waiting"
        # Nobody told the kiosk, but the pad is armed: it refuses by itself, and is asked later.
        await busy.driver.arm(7, 20_000)
        busy.quiet_s = 1_000.0
        await until(lambda: "somebody rates" in kiosk.told[-1].pads[0].detail)
        await busy.pad.press(5)
        press = await asyncio.wait_for(busy.driver.next_press(), 5)
        assert (press.nonce, press.score_1to5) == (7, 5)
        await busy.driver.acknowledge(press)
        await until(lambda: kiosk.states().get(1) == "current")


@virtual
async def test_firmware_that_fails_on_one_pad_goes_to_no_other(folder):
    async with kiosk_with(folder, 3, bad=(1,)) as kiosk:
        async with kiosk.updates() as updates:
            await updates.take(kiosk.branch.message(1, "1.1.0"))
            await until(lambda: kiosk.states().get(1) == "failed")
            await asyncio.sleep(4_000)
            assert kiosk.versions() == ["1.0.0"] * 3
            assert kiosk.states() == {1: "failed", 2: "waiting", 3: "waiting"}
            assert kiosk.told[-1].pads[1].detail == "stopped: another pad went back"
            assert ("pad-1-firmware", "fault", "went_back") in kiosk.devices
            boots = kiosk.counters[1].driver.health.counters["boots"]
        async with kiosk.updates() as updates:  # the kiosk starts again, and knows it all
            await asyncio.sleep(300)
            assert kiosk.states() == {1: "failed", 2: "waiting", 3: "waiting"}
            assert kiosk.counters[1].driver.health.counters["boots"] == boots
            await updates.take(kiosk.branch.message(2, "1.2.0"))
            await until(lambda: kiosk.states() == dict.fromkeys((1, 2, 3), "current"))
            assert kiosk.versions() == ["1.2.0"] * 3


@virtual
async def test_a_kiosk_that_stops_in_the_middle_goes_on_afterwards(folder):
    async with kiosk_with(folder, 1) as kiosk:
        async with kiosk.updates() as updates:
            await updates.take(kiosk.branch.message(1, "1.1.0"))
            await until(lambda: updates.rollout.updating)
        assert kiosk.versions() == ["1.0.0"]
        async with kiosk.updates():
            await until(lambda: kiosk.states().get(1) == "current")


@virtual
async def test_what_is_refused_is_told_with_its_reason(folder):
    async with kiosk_with(folder, 1) as kiosk, kiosk.updates() as updates:
        await updates.take(kiosk.branch.message(5, "1.1.0"))
        await until(lambda: kiosk.states().get(1) == "current")
        await updates.take(kiosk.branch.message(4, "1.2.0"))
        last = kiosk.told[-1]
        assert (last.version, last.refused) == (5, 4)
        assert last.reason == "configuration 4 is older than 5, which is here"
        await updates.take(kiosk.branch.signed("{"))
        assert kiosk.told[-1].refused == 0
        assert "not a configuration" in kiosk.told[-1].reason
        await updates.take(kiosk.branch.message(6, "1.2.0"))
        assert (kiosk.told[-1].version, kiosk.told[-1].reason) == (6, "")


@virtual
async def test_a_pad_that_is_away_or_newer_is_said_so(folder):
    async with kiosk_with(folder, 2) as kiosk, kiosk.updates() as updates:
        await updates.take(kiosk.branch.message(1, "0.9.0", floor="0.9.0"))
        await kiosk.counters[2].pad.stop()
        await until(lambda: kiosk.states() == {1: "newer", 2: "absent"})
        await updates.take(kiosk.branch.message(2))
        await until(lambda: kiosk.states() == {1: "none", 2: "none"})


@virtual
async def test_a_state_file_that_cannot_be_read_or_written_is_no_reason_to_stop(folder):
    async with kiosk_with(folder, 1) as kiosk:
        (folder / "data").mkdir()
        (folder / "data" / STATE_FILE).write_text("[]")
        updates = kiosk.made()
        assert updates.rollout.given == {}
        (folder / "data" / STATE_FILE).unlink()
        (folder / "data" / STATE_FILE).mkdir()
        async with kiosk.updates() as updates:
            await updates.take(kiosk.branch.message(1, "1.1.0"))
            await until(lambda: kiosk.states().get(1) == "current")
