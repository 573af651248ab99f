"""A pad as the guide's keys: what comes late, twice, or from a pad that is none for it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from firmware.pad import link as wire
from hal.api import HealthState
from hal.body import GuideKey, KeyStroke
from hal.drivers.pad_strokes import DRAIN_MS, LATE_MS, KeysPad, Pauses
from hal.link import MemoryLink, memory_pair
from simulator import vtime

BOOT, NEXT = 0xB007, 2
DOWN = KeyStroke(GuideKey.NEXT, down=True)
UP = KeyStroke(GuideKey.NEXT, down=False)


class FarPad:
    """The pad's half of an unkeyed talk, word by word."""

    def __init__(self, far: MemoryLink, driver: KeysPad) -> None:
        self._far = far
        self.driver = driver
        self._decoder = wire.Decoder()

    async def greet(self, boot_id: int = BOOT, roles: int = wire.GUIDE) -> None:
        await self.say(
            wire.HELLO, 1, wire.pack_hello(wire.Hello(b"pad", "0.1.0", "far", roles)), boot_id
        )

    async def stroke(self, seq: int, down: bool, age_ms: int = 0, boot_id: int = BOOT) -> bool:
        """Say a stroke; whether it was acknowledged."""
        await self.heard()
        await self.say(wire.STROKE, seq, wire.pack_stroke(NEXT, down, age_ms), boot_id)
        return (wire.ACK, boot_id, seq) in await self.heard()

    async def say(self, kind: int, seq: int, body: bytes, boot_id: int = BOOT) -> None:
        await self._far.write(wire.encode(kind, boot_id, seq, body))

    async def heard(self) -> list[tuple[int, int, int]]:
        """Kind, boot id, sequence of what came within 10 ms."""
        found = []
        try:
            async with asyncio.timeout(0.01):
                while True:
                    for frame in self._decoder.feed(await self._far.read()):
                        assert isinstance(frame, wire.Frame)
                        found.append((frame.kind, frame.boot_id, frame.seq))
        except TimeoutError:
            return found

    def strokes(self) -> list[KeyStroke]:
        found = []
        while not self.driver._held._strokes.empty():
            found.append(self.driver._held._strokes.get_nowait())
        return found


@asynccontextmanager
async def greeted() -> AsyncIterator[FarPad]:
    near, far = memory_pair()
    loop = asyncio.get_running_loop()
    driver = KeysPad(
        near, name="keys", now_ms=lambda: int(loop.time() * 1000), allow_unkeyed=True, session=7
    )
    await far.open()
    await driver.open()
    pad = FarPad(far, driver)
    await pad.greet()
    await pad.heard()
    yield pad
    await driver.close()


def run(scenario: Callable[[FarPad], Awaitable[None]]) -> None:
    async def whole() -> None:
        async with greeted() as pad:
            await scenario(pad)

    vtime.run(whole())


def test_a_stroke_counts_once_and_each_repeat_is_acknowledged() -> None:
    async def scenario(pad: FarPad) -> None:
        assert await pad.stroke(1, True)
        assert await pad.stroke(1, True)
        assert await pad.stroke(2, False)
        assert await pad.stroke(1, True)
        assert pad.strokes() == [DOWN, UP]
        counters = pad.driver.health.counters
        assert (counters["pressed"], counters["repeats"], counters["late"]) == (1, 2, 0)

    run(scenario)


def test_the_next_boot_counts_anew_and_what_was_held_is_let_go() -> None:
    async def scenario(pad: FarPad) -> None:
        assert await pad.stroke(9, True)
        await pad.greet(BOOT + 1)
        await pad.heard()
        assert pad.strokes() == [DOWN, UP]
        assert await pad.stroke(1, True, boot_id=BOOT + 1)
        assert pad.strokes() == [DOWN]

    run(scenario)


def test_a_key_that_comes_late_is_nobody_s_and_a_key_let_go_always_counts() -> None:
    async def scenario(pad: FarPad) -> None:
        assert not await pad.stroke(1, True, LATE_MS + 1)
        assert await pad.stroke(1, True, LATE_MS), "the same again, in time"
        assert await pad.stroke(2, False, 3_000)
        assert pad.strokes() == [DOWN, UP]
        assert pad.driver.health.counters["late"] == 1

    run(scenario)


def test_a_silent_pad_holds_nothing() -> None:
    async def scenario(pad: FarPad) -> None:
        assert await pad.stroke(1, True)
        await asyncio.sleep(10)
        assert (pad.driver.health.state, pad.strokes()) == (HealthState.LOST, [DOWN, UP])

    run(scenario)


@pytest.mark.parametrize("roles", [wire.RATING, wire.CALLER, wire.RATING | wire.CALLER])
def test_a_pad_of_another_role_is_a_fault(roles: int) -> None:
    async def scenario(pad: FarPad) -> None:
        seen = []
        pad.driver.on_health(lambda health: seen.append((health.state, health.detail)))
        await pad.greet(BOOT + 1, roles)
        for seq in (3, 4):
            await pad.say(wire.PING, seq, wire.pack_ping(0, 0, 0, 0, 0), BOOT + 1)
            await pad.heard()
        assert seen == [(HealthState.FAULT, "not_keys")]

    run(scenario)


def test_a_stuck_key_is_a_fault() -> None:
    async def scenario(pad: FarPad) -> None:
        await pad.say(wire.PING, 3, wire.pack_ping(wire.FLAG_STUCK_KEY, 1, 0, 0, 0))
        await pad.heard()
        assert (pad.driver.health.state, pad.driver.health.detail) == (
            HealthState.FAULT,
            "stuck_key",
        )

    run(scenario)


def test_a_pause_of_this_program_is_known_whoever_wakes_first() -> None:
    now = 0

    def now_ms() -> int:
        return now

    pauses = Pauses(now_ms)
    now = LATE_MS
    assert not pauses.may_be_late()
    now += 1
    assert pauses.may_be_late(), "the line is read before the beat"
    pauses.beat()
    assert pauses.may_be_late(), "and behind it"
    now += DRAIN_MS - 1
    assert pauses.may_be_late()
    now += 1
    assert not pauses.may_be_late()
    pauses.beat()
    assert not pauses.may_be_late()
