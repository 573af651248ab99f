"""What every rating pad does: the core on virtual time, with a key and without; MicroPython on a
pty; both at an address of a bus.
"""

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from firmware.pad import link as wire
from hal.api import ByteLink, HealthState, PadIdentity, PadPress
from hal.drivers.pad import SerialPad
from hal.drivers.pad_line import no_trouble
from hal.errors import DeviceSilent, LinkLost
from hal.link import link_to, memory_pair
from hal.sim.pad import ALL_DARK, ALL_LIT, CorePad, PtyPad, micropython_path
from simulator import vtime
from tests.contract.bus_lab import ADDRESS, core_on_bus, loop_ms, pty_on_bus

WINDOW_MS = 10_000
SOON_S = 10.0
SAVED_S = 1.5
"""Longer than a press waits for the host before it is saved."""
QUIET_S = 0.7
"""Longer than the pad's pause between the first repeats."""


class Through:
    """A link that passes everything; the faults below change one thing each."""

    def __init__(self, inner: ByteLink, rng: random.Random) -> None:
        self.inner = inner
        self.rng = rng

    @property
    def address(self) -> str:
        return self.inner.address

    async def open(self) -> None:
        await self.inner.open()

    async def read(self, limit: int = 4096) -> bytes:
        return await self.inner.read(limit)

    async def write(self, data: bytes) -> None:
        await self.inner.write(data)

    async def close(self) -> None:
        await self.inner.close()


class LosesOneInFive(Through):
    async def read(self, limit: int = 4096) -> bytes:
        while True:
            data = await self.inner.read(limit)
            if self.rng.random() >= 0.2:
                return data

    async def write(self, data: bytes) -> None:
        if self.rng.random() >= 0.2:
            await self.inner.write(data)


class Doubles(Through):
    async def read(self, limit: int = 4096) -> bytes:
        return await self.inner.read(limit) * 2

    async def write(self, data: bytes) -> None:
        await self.inner.write(data * 2)


class OneByteAtATime(Through):
    async def read(self, limit: int = 4096) -> bytes:
        return await self.inner.read(1)

    async def write(self, data: bytes) -> None:
        for byte in data:
            await self.inner.write(bytes([byte]))


class Crackles(Through):
    """Junk before every eighth piece, a flipped bit in every sixteenth."""

    def disturbed(self, data: bytes) -> bytes:
        if not self.rng.randrange(8):
            data = self.rng.randbytes(self.rng.randrange(1, 400)) + data
        if not self.rng.randrange(16):
            at = self.rng.randrange(len(data))
            data = data[:at] + bytes([data[at] ^ 1 << self.rng.randrange(8)]) + data[at + 1 :]
        return data

    async def read(self, limit: int = 4096) -> bytes:
        return self.disturbed(await self.inner.read(limit))

    async def write(self, data: bytes) -> None:
        await self.inner.write(self.disturbed(data))


class LosesAcknowledgements(Through):
    """Drops the first three ACK frames."""

    left = 3

    async def write(self, data: bytes) -> None:
        kinds = [f.kind for f in wire.Decoder().feed(data) if not isinstance(f, wire.Wrong)]
        if wire.ACK in kinds and self.left:
            self.left -= 1
            return
        await self.inner.write(data)


class Lab:
    """One pad on the bench, and the drivers that are opened on it."""

    def __init__(
        self, pad: "CorePad | PtyPad", link: ByteLink, now_ms, rng, key, bus=None
    ) -> None:
        self.pad = pad
        self.trouble = no_trouble if bus is None else lambda: bus.trouble(ADDRESS)
        self.link = link
        self.now_ms = now_ms
        self.rng = rng
        self.key: bytes | None = key

    @asynccontextmanager
    async def driver(self, fault: type[Through] = Through) -> AsyncIterator[SerialPad]:
        driver = SerialPad(
            fault(self.link, self.rng),
            name="pad 1",
            now_ms=self.now_ms,
            key_of=lambda unique_id: self.key if unique_id == self.pad.unique_id else None,
            allow_unkeyed=self.key is None,
            random=self.rng.randbytes,
            trouble=self.trouble,
        )
        await driver.open()
        try:
            yield driver
        finally:
            await driver.close()


Scenario = Callable[[Lab], Awaitable[None]]


@pytest.fixture(
    params=[
        "core",
        "keyed core",
        "bus core",
        pytest.param("pty", marks=pytest.mark.micropython),
        pytest.param("bus pty", marks=pytest.mark.micropython),
    ]
)
def run(request, tmp_path, rng) -> Callable[[Scenario], None]:
    """Run a scenario on this backend."""

    async def on_core(scenario: Scenario) -> None:
        loop = asyncio.get_running_loop()
        near, far = memory_pair()

        def now_ms() -> int:
            return int(loop.time() * 1000)

        key = rng.randbytes(wire.KEY_SIZE) if request.param == "keyed core" else None
        pad = CorePad(
            far,
            now_ms=now_ms,
            boot_ids=lambda: rng.getrandbits(32),
            key=key,
            random=rng.randbytes,
        )
        async with AsyncExitStack() as stack:
            await pad.start()
            stack.push_async_callback(pad.stop)
            await scenario(Lab(pad, near, now_ms, rng, key))

    async def on_pty(scenario: Scenario) -> None:
        key = rng.randbytes(wire.KEY_SIZE)
        pad = PtyPad(tmp_path, "pad-1", key=key, interpreter=micropython_path())
        async with AsyncExitStack() as stack:
            await pad.start()
            stack.push_async_callback(pad.stop)
            link = link_to(pad.address)
            await scenario(Lab(pad, link, lambda: time.monotonic_ns() // 1_000_000, rng, key))
        assert pad.error_path.read_text() == ""

    async def on_bus(scenario: Scenario) -> None:
        key = rng.randbytes(wire.KEY_SIZE)
        async with AsyncExitStack() as stack:
            if request.param == "bus core":
                core, bus = await core_on_bus(stack, rng, key)
                await scenario(Lab(core, bus.seat(ADDRESS), loop_ms, rng, key, bus))
            else:
                pty, bus = await pty_on_bus(stack, rng, key, tmp_path)
                await scenario(Lab(pty, bus.seat(ADDRESS), loop_ms, rng, key, bus))
                assert pty.error_path.read_text() == ""

    def run_it(scenario: Scenario) -> None:
        if request.param == "bus core":
            vtime.run(on_bus(scenario))
        elif request.param == "bus pty":
            asyncio.run(on_bus(scenario))
        elif "core" in request.param:
            vtime.run(on_core(scenario))
        else:
            asyncio.run(on_pty(scenario))

    return run_it


async def until(condition: Callable[[], object], within_s: float = SOON_S) -> None:
    async with asyncio.timeout(within_s):
        while not condition():  # noqa: ASYNC110 - the far end is another process
            await asyncio.sleep(0.01)


async def insist(command: Callable[..., Awaitable[None]], *said: object) -> None:
    """What the driver's owner does on a bad line: say it again when the pad was not heard."""
    async with asyncio.timeout(3 * SOON_S):
        while True:
            with contextlib.suppress(DeviceSilent):
                return await command(*said)


async def identity_of(driver: SerialPad) -> PadIdentity:
    await until(lambda: driver.identity)
    assert driver.identity is not None
    return driver.identity


async def press_of(driver: SerialPad, within_s: float = SOON_S) -> PadPress:
    return await asyncio.wait_for(driver.next_press(), within_s)


async def nothing_comes(driver: SerialPad, for_s: float = QUIET_S) -> None:
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(driver.next_press(), for_s)


def test_hello_says_who_it_is(run):
    async def scenario(lab: Lab) -> None:
        async with lab.driver() as driver:
            identity = await identity_of(driver)
            assert identity.unique_id == lab.pad.unique_id
            assert identity.protocol == wire.PROTOCOL
            assert identity.interpreter == lab.pad.interpreter
            assert identity.keyed == (lab.key is not None)
            await until(lambda: driver.health.state is HealthState.OK)

    run(scenario)


def test_armed_press_is_delivered_once(run):
    async def scenario(lab: Lab) -> None:
        async with lab.driver() as driver:
            await driver.arm(2**32 - 1, WINDOW_MS)
            await until(lambda: lab.pad.leds() == ALL_LIT)
            await lab.pad.press(4)
            press = await press_of(driver)
            assert (press.nonce, press.score_1to5, press.seq) == (2**32 - 1, 4, 1)
            assert press.unique_id == lab.pad.unique_id
            assert press.boot_id == (await identity_of(driver)).boot_id
            assert press.age_ms < 1_000
            assert lab.pad.leds() == (False, False, False, True, False)
            await driver.acknowledge(press)
            await nothing_comes(driver)
            await until(lambda: lab.pad.leds() == ALL_DARK)

    run(scenario)


def test_second_press_does_not_count(run):
    async def scenario(lab: Lab) -> None:
        async with lab.driver() as driver:
            await driver.arm(5, WINDOW_MS)
            await lab.pad.press(2)
            await lab.pad.press(5)
            press = await press_of(driver)
            await driver.acknowledge(press)
            assert press.score_1to5 == 2
            await nothing_comes(driver)

    run(scenario)


def test_unarmed_press_has_nonce_0(run):
    async def scenario(lab: Lab) -> None:
        async with lab.driver() as driver:
            await identity_of(driver)
            await lab.pad.press(3)
            press = await press_of(driver)
            assert (press.nonce, press.score_1to5) == (0, 3)
            assert lab.pad.leds() == ALL_DARK

    run(scenario)


def test_window_ends_by_itself(run):
    async def scenario(lab: Lab) -> None:
        async with lab.driver() as driver:
            await driver.arm(5, 300)
            await until(lambda: lab.pad.leds() == ALL_LIT)
            await until(lambda: lab.pad.leds() == ALL_DARK)
            await lab.pad.press(3)
            assert (await press_of(driver)).nonce == 0

    run(scenario)


def test_disarm_ends_the_window(run):
    async def scenario(lab: Lab) -> None:
        async with lab.driver() as driver:
            await driver.arm(5, WINDOW_MS)
            await driver.disarm()
            await until(lambda: lab.pad.leds() == ALL_DARK)
            await lab.pad.press(3)
            assert (await press_of(driver)).nonce == 0

    run(scenario)


def test_press_is_repeated_until_acknowledged(run):
    async def scenario(lab: Lab) -> None:
        async with lab.driver() as driver:
            await driver.arm(5, WINDOW_MS)
            await lab.pad.press(3)
            press = await press_of(driver)
            await until(lambda: driver.health.counters["repeats"] >= 2)
            await driver.acknowledge(press)
            await driver.disarm()  # answered behind the acknowledgement
            repeats = driver.health.counters["repeats"]
            await nothing_comes(driver)
            assert driver.health.counters["repeats"] == repeats

    run(scenario)


def test_lost_acknowledgement_is_sent_again(run):
    async def scenario(lab: Lab) -> None:
        async with lab.driver(LosesAcknowledgements) as driver:
            await driver.arm(5, WINDOW_MS)
            await lab.pad.press(3)
            await driver.acknowledge(await press_of(driver))
            await until(lambda: driver.health.counters["repeats"] == 3)
            await nothing_comes(driver)
            assert driver.health.counters["repeats"] == 3

    run(scenario)


@pytest.mark.parametrize("fault", [LosesOneInFive, Doubles, OneByteAtATime, Crackles])
def test_every_press_counts_once_on_a_bad_line(run, fault):
    async def scenario(lab: Lab) -> None:
        async with lab.driver(fault) as driver:
            await identity_of(driver)
            for nonce in (11, 12, 13, 14):
                await insist(driver.arm, nonce, WINDOW_MS)
                await lab.pad.press(nonce - 10)
                press = await press_of(driver)
                assert (press.nonce, press.score_1to5) == (nonce, nonce - 10)
                await driver.acknowledge(press)
            await nothing_comes(driver)

    run(scenario)


def test_reset_gives_a_new_boot_id_and_disarms(run):
    async def scenario(lab: Lab) -> None:
        async with lab.driver() as driver:
            await driver.arm(5, WINDOW_MS)
            await lab.pad.press(3)
            first = await press_of(driver)
            await driver.acknowledge(first)
            await driver.arm(6, WINDOW_MS)
            await lab.pad.restart()
            await until(lambda: driver.health.counters["boots"] == 2)
            assert (await identity_of(driver)).boot_id != first.boot_id
            assert lab.pad.leds() == ALL_DARK
            await driver.arm(7, WINDOW_MS)
            await lab.pad.press(3)
            second = await press_of(driver)
            # The same sequence number, another boot: not a repeat.
            assert (second.seq, second.nonce) == (first.seq, 7)
            assert second.unique_id == first.unique_id

    run(scenario)


def test_next_start_of_the_host_gets_what_was_not_acknowledged(run):
    async def scenario(lab: Lab) -> None:
        async with lab.driver() as before:
            await before.arm(5, WINDOW_MS)
            await lab.pad.press(3)
            first = await press_of(before)
        async with lab.driver() as after:
            again = await press_of(after)
            assert (again.boot_id, again.seq, again.nonce) == (first.boot_id, first.seq, 5)
            assert again.age_ms > first.age_ms
            await after.acknowledge(again)
            await after.disarm()
            repeats = after.health.counters["repeats"]
            await nothing_comes(after)
            assert after.health.counters["repeats"] == repeats

    run(scenario)


def test_a_press_shown_as_accepted_outlives_a_power_cut(run):
    async def scenario(lab: Lab) -> None:
        async with lab.driver() as driver:
            await driver.arm(5, WINDOW_MS)
            await lab.pad.press(3)
            first = await press_of(driver)  # and never acknowledged
            assert not first.restored
            await asyncio.sleep(SAVED_S)
            await lab.pad.stop()
        await lab.pad.start()
        async with lab.driver() as after:
            again = await press_of(after)
            assert (again.unique_id, again.boot_id, again.seq, again.nonce, again.score_1to5) == (
                (first.unique_id, first.boot_id, first.seq, 5, 3)
            )
            assert (await identity_of(after)).boot_id != again.boot_id
            assert again.restored
            await after.acknowledge(again)
            await after.disarm()
            repeats = after.health.counters["repeats"]
            await nothing_comes(after)
            assert after.health.counters["repeats"] == repeats

    run(scenario)


def test_unplugged_and_plugged_in_again(run):
    async def scenario(lab: Lab) -> None:
        async with lab.driver() as driver:
            states = []
            driver.on_health(lambda health: states.append((health.state, health.detail)))
            await driver.arm(5, WINDOW_MS)
            await lab.pad.stop()
            await until(lambda: driver.health.detail == "link")
            with pytest.raises(LinkLost):
                await driver.arm(6, WINDOW_MS)
            await lab.pad.start()
            await until(lambda: driver.health.state is HealthState.OK)
            await driver.arm(7, WINDOW_MS)
            await lab.pad.press(1)
            assert (await press_of(driver)).nonce == 7
            assert states[-3:] == [
                (HealthState.LOST, "link"),
                (HealthState.UNKNOWN, ""),
                (HealthState.OK, ""),
            ]

    run(scenario)


def test_closing_twice_is_harmless_and_a_closed_pad_refuses(run):
    async def scenario(lab: Lab) -> None:
        async with lab.driver() as driver:
            await driver.arm(5, WINDOW_MS)
            await driver.close()
            await driver.close()
            with pytest.raises(LinkLost):
                await driver.disarm()
            await driver.open()
            await driver.disarm()

    run(scenario)
