"""What every teller's pad keeps to: the firmware's core in this process, and the firmware under
MicroPython.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from random import Random

import pytest

from firmware.pad import link as wire
from hal.api import KeyAction, PadIdentity, PadKey
from hal.drivers.pad import SerialPad
from hal.errors import DeviceRefused
from hal.link import link_to, memory_pair
from hal.sim.pad import CorePad, PtyPad
from simulator import vtime
from tests.contract.test_rating_pad import (
    Crackles,
    Doubles,
    Lab,
    LosesOneInFive,
    OneByteAtATime,
    Through,
    insist,
    until,
)

SOON_S = 10.0
Scenario = Callable[[Lab], Awaitable[None]]


@pytest.fixture(params=["core", "keyed core", pytest.param("pty", marks=pytest.mark.micropython)])
def run(request: pytest.FixtureRequest, tmp_path: Path, rng: Random) -> Callable[[Scenario], None]:
    """Run a scenario on this backend, with a pad for tellers only."""
    key = None if request.param == "core" else rng.randbytes(wire.KEY_SIZE)

    async def on_core(scenario: Scenario) -> None:
        loop = asyncio.get_running_loop()
        near, far = memory_pair()

        def now_ms() -> int:
            return int(loop.time() * 1000)

        pad = CorePad(
            far, now_ms=now_ms, boot_ids=lambda: rng.getrandbits(32), key=key,
            random=rng.randbytes, roles=wire.CALLER,
        )  # fmt: skip
        async with AsyncExitStack() as stack:
            await pad.start()
            stack.push_async_callback(pad.stop)
            await scenario(Lab(pad, near, now_ms, rng, key))

    async def on_pty(scenario: Scenario) -> None:
        pad = PtyPad(tmp_path, "pad-1", key=key, roles=("caller",))
        async with AsyncExitStack() as stack:
            await pad.start()
            stack.push_async_callback(pad.stop)
            link = link_to(pad.address)
            await scenario(Lab(pad, link, lambda: time.monotonic_ns() // 1_000_000, rng, key))
        assert pad.error_path.read_text() == ""

    def run_it(scenario: Scenario) -> None:
        if "core" in request.param:
            vtime.run(on_core(scenario))
        else:
            asyncio.run(on_pty(scenario))

    return run_it


async def key_of(driver: SerialPad) -> PadKey:
    return await asyncio.wait_for(driver.next_key(), SOON_S)


async def nothing_comes(driver: SerialPad) -> None:
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(driver.next_key(), 0.7)


def test_each_key_comes_once_and_is_repeated_until_it_is_answered(
    run: Callable[[Scenario], None],
) -> None:
    async def scenario(lab: Lab) -> None:
        async with lab.driver() as driver:
            await driver.show("A042", 3, 0)
            for action in KeyAction:
                await lab.pad.press_teller(action)
                key = await key_of(driver)
                assert (key.action, key.unique_id) == (action, lab.pad.unique_id)
                await nothing_comes(driver)
                await driver.acknowledge_key(key)
            await lab.pad.press_teller(KeyAction.NEXT)
            assert (await key_of(driver)).seq == key.seq + 1

    run(scenario)


def test_a_denied_key_is_told_with_its_code(run: Callable[[Scenario], None]) -> None:
    async def scenario(lab: Lab) -> None:
        async with lab.driver() as driver:
            await driver.show("A042", None, 0)
            await lab.pad.press_teller(KeyAction.NEXT)
            await driver.deny_key(await key_of(driver), "E-02")
            await until(lambda: lab.pad.digits() == "E-02")
            await until(lambda: lab.pad.digits() == "A042")
            await nothing_comes(driver)

    run(scenario)


def test_a_key_that_nobody_answers_is_given_up_by_the_pad(
    run: Callable[[Scenario], None],
) -> None:
    async def scenario(lab: Lab) -> None:
        async with lab.driver() as driver:
            await driver.show("A042", None, 0)
            await lab.pad.press_teller(KeyAction.NEXT)
            key = await key_of(driver)
            await until(lambda: lab.pad.digits() == "E-04")
            await driver.acknowledge_key(key)
            await lab.pad.press_teller(KeyAction.NEXT)
            assert (await key_of(driver)).seq == key.seq + 1

    run(scenario)


@pytest.mark.parametrize("fault", [LosesOneInFive, Doubles, OneByteAtATime, Crackles])
def test_every_key_is_taken_and_answered_once_on_a_bad_line(
    run: Callable[[Scenario], None], fault: type[Through]
) -> None:
    async def scenario(lab: Lab) -> None:
        async with lab.driver(fault) as driver:
            await insist(driver.show, "A042", None, 0)
            seqs = []
            for number in range(6):
                finish = number % 2
                await lab.pad.press_teller(KeyAction.FINISH if finish else KeyAction.RECALL)
                key = await key_of(driver)
                seqs.append(key.seq)
                if finish:
                    await driver.acknowledge_key(key)
                else:
                    await driver.deny_key(key, "E-03")
                    await until(lambda: lab.pad.digits() == "E-03", SOON_S)
                await asyncio.sleep(1)  # a lost answer is given again
            assert seqs == sorted(set(seqs))

    run(scenario)


def test_the_next_start_of_the_host_gets_what_was_not_answered(
    run: Callable[[Scenario], None],
) -> None:
    async def scenario(lab: Lab) -> None:
        # A pad may be greeted more than once: it says HELLO of its own accord and when asked.
        first: list[PadIdentity] = []
        second: list[PadIdentity] = []
        async with lab.driver() as driver:
            driver.on_greeting(first.append)
            await driver.show("A042", None, 0)
            await lab.pad.press_teller(KeyAction.NEXT)
            before = await key_of(driver)
        async with lab.driver() as driver:
            driver.on_greeting(second.append)
            again = await key_of(driver)
            assert (again.boot_id, again.seq, again.age_ms > before.age_ms) == (
                before.boot_id, before.seq, True,
            )  # fmt: skip
            await driver.acknowledge_key(again)
        for greeted in (first, second):
            assert {identity.roles for identity in greeted} == {wire.CALLER}

    run(scenario)


def test_a_pad_for_tellers_is_not_armed(run: Callable[[Scenario], None]) -> None:
    async def scenario(lab: Lab) -> None:
        async with lab.driver() as driver:
            with pytest.raises(DeviceRefused):
                await driver.arm(7, 1_000)

    run(scenario)
