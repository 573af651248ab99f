"""One suite over all keypads: key events over a memory pair, letters over a memory pair and a real
pty, a pad's firmware in this process and under MicroPython on a pty; far end: hal.sim.keypad.
"""

import asyncio
import os
import secrets
import time
import tty
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest

from firmware.pad import link as wire
from hal.api import ByteLink, HealthState
from hal.body import GuideKey, KeyPad, KeyStroke
from hal.drivers.pad_strokes import KeysPad
from hal.errors import LinkUnavailable
from hal.link import Descriptor, link_to, memory_pair
from hal.registry import backend
from hal.sim.keypad import SimKeyboard, SimKeys, SimPadKeys, SimSerialKeys, press
from hal.sim.pad import CorePad, PtyPad
from simulator import vtime
from tests.contract.bus_lab import loop_ms
from tests.contract.test_rating_pad import (
    Crackles,
    Doubles,
    LosesOneInFive,
    OneByteAtATime,
    Through,
)

KINDS: dict[str, type[SimKeyboard] | type[SimSerialKeys]] = {
    "keyboard": SimKeyboard,
    "serial": SimSerialKeys,
}
PAD_KEY = bytes(range(32))
PADS = ["pad", "unkeyed pad", pytest.param("pty pad", marks=pytest.mark.micropython)]
ALL = [*KINDS, "pty", *PADS]
PLUGGED = [*KINDS, *PADS]

Verb = Callable[[], Awaitable[None]]


@dataclass
class Rig:
    pad: KeyPad
    sim: SimKeys
    plug_in: Verb
    unplug: Verb

    async def next(self) -> KeyStroke:
        async with asyncio.timeout(5):
            return await self.pad.next_stroke()

    async def heard(self) -> None:
        """Wait until the keypad would hear a key; one that says nothing by itself does at once."""
        async with asyncio.timeout(5):
            while self.pad.health.state is not HealthState.OK:  # noqa: ASYNC110 - its own time
                await asyncio.sleep(0.02)


def now_ms() -> int:
    return time.monotonic_ns() // 1_000_000


def wire_rig(kind: str) -> Rig:
    link, far = memory_pair()
    return Rig(backend("keypad", kind)(link, name="keys"), KINDS[kind](far), far.open, far.close)


def pad_rig(kind: str, folder: Path) -> Rig:
    key = None if kind == "unkeyed pad" else PAD_KEY
    if kind == "pty pad":
        pty_pad = PtyPad(folder, "pad-1", key=key, roles=("keys",))
        link: ByteLink = link_to(pty_pad.address)
        pad: PtyPad | CorePad = pty_pad
    else:
        link, far = memory_pair()
        pad = CorePad(
            far, now_ms=now_ms, boot_ids=lambda: secrets.randbits(32), key=key, roles=wire.GUIDE
        )
    driver = backend("keypad", "pad")(
        link, name="keys", now_ms=now_ms, key_of=lambda _: key, allow_unkeyed=key is None
    )
    return Rig(driver, SimPadKeys(pad), pad.start, pad.stop)


@pytest.fixture
async def rig(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Rig]:
    """Not opened; its far end is there."""
    fds: tuple[int, ...] = ()
    if request.param == "pty":
        fds = os.openpty()
        tty.setraw(fds[1])
        link = link_to(f"serial:{os.ttyname(fds[1])}")
        pad = backend("keypad", "serial")(link, name="keys")
        rig = Rig(pad, SimSerialKeys(Descriptor(fds[0], "pty")), nothing, nothing)
    elif request.param in KINDS:
        rig = wire_rig(request.param)
    else:
        rig = pad_rig(request.param, tmp_path)
    await rig.plug_in()
    yield rig
    await rig.pad.close()
    await rig.pad.close()
    await rig.unplug()
    for fd in fds:
        os.close(fd)


async def nothing() -> None:
    """A pty stays."""


async def opened(rig: Rig) -> None:
    await rig.pad.open()
    await rig.pad.open()
    await rig.heard()


@pytest.mark.parametrize("rig", ALL, indirect=True)
async def test_each_key_goes_down_and_up(rig: Rig) -> None:
    await opened(rig)
    for key in GuideKey:
        for down in (True, False):
            await rig.sim.move(key, down=down)
            assert await rig.next() == KeyStroke(key, down)
    assert (rig.pad.health.state, rig.pad.health.counters["pressed"]) == (HealthState.OK, 4)


@pytest.mark.parametrize("rig", ALL, indirect=True)
async def test_a_held_key_is_one_stroke(rig: Rig) -> None:
    await opened(rig)
    await rig.sim.move(GuideKey.NEXT, down=True)
    for _ in range(3):
        await rig.sim.rest()
    await rig.sim.move(GuideKey.SELECT, down=True)
    await rig.sim.move(GuideKey.NEXT, down=False)
    assert [await rig.next() for _ in range(3)] == [
        KeyStroke(GuideKey.NEXT, down=True),
        KeyStroke(GuideKey.SELECT, down=True),
        KeyStroke(GuideKey.NEXT, down=False),
    ]


@pytest.mark.parametrize("rig", ALL, indirect=True)
async def test_two_keys_at_a_time(rig: Rig) -> None:
    await opened(rig)
    strokes = [
        KeyStroke(GuideKey.REPEAT, down=True),
        KeyStroke(GuideKey.NEXT, down=True),
        KeyStroke(GuideKey.REPEAT, down=False),
        KeyStroke(GuideKey.NEXT, down=False),
    ]
    for stroke in strokes:
        await rig.sim.move(stroke.key, down=stroke.down)
    assert [await rig.next() for _ in strokes] == strokes


@pytest.mark.parametrize("rig", PLUGGED, indirect=True)
async def test_unplugged_with_a_key_held_it_is_let_go_and_found_again(rig: Rig) -> None:
    seen: list[HealthState] = []
    rig.pad.on_health(lambda health: seen.append(health.state))
    await opened(rig)
    await rig.sim.move(GuideKey.NEXT, down=True)
    assert await rig.next() == KeyStroke(GuideKey.NEXT, down=True)
    await rig.unplug()
    assert await rig.next() == KeyStroke(GuideKey.NEXT, down=False)
    await rig.plug_in()
    await rig.heard()
    await rig.sim.move(GuideKey.SELECT, down=True)
    assert await until(rig, GuideKey.SELECT) == KeyStroke(GuideKey.SELECT, down=True)
    known = [state for state in seen if state is not HealthState.UNKNOWN]
    assert known == [HealthState.OK, HealthState.LOST, HealthState.OK]


async def until(rig: Rig, key: GuideKey) -> KeyStroke:
    """The next stroke of that key; another one may still be under a finger."""
    while (stroke := await rig.next()).key is not key:
        pass
    return stroke


@pytest.mark.parametrize("rig", PLUGGED, indirect=True)
async def test_not_there_at_the_start_is_an_error_and_looked_for(rig: Rig) -> None:
    await rig.unplug()
    with pytest.raises(LinkUnavailable):
        await rig.pad.open()
    assert (rig.pad.health.state, rig.pad.health.detail) == (HealthState.LOST, "link")
    await rig.plug_in()
    await rig.heard()
    await rig.sim.move(GuideKey.NEXT, down=True)
    assert await rig.next() == KeyStroke(GuideKey.NEXT, down=True)


@pytest.mark.parametrize("rig", PADS, indirect=True)
async def test_what_was_pressed_before_a_restart_or_a_host_does_not_come(rig: Rig) -> None:
    await press(rig.sim, GuideKey.SELECT)
    await rig.unplug()
    await rig.plug_in()
    await press(rig.sim, GuideKey.SELECT)
    await opened(rig)
    await rig.sim.move(GuideKey.NEXT, down=True)
    assert await rig.next() == KeyStroke(GuideKey.NEXT, down=True)


@pytest.mark.parametrize("fault", [LosesOneInFive, Doubles, OneByteAtATime, Crackles])
def test_every_stroke_counts_once_and_in_order_on_a_bad_line(
    fault: type[Through], rng: Random
) -> None:
    async def scenario() -> None:
        near, far = memory_pair()
        pad = CorePad(
            far, now_ms=loop_ms, boot_ids=lambda: 7, key=PAD_KEY, random=rng.randbytes,
            roles=wire.GUIDE,
        )  # fmt: skip
        driver = KeysPad(
            fault(near, rng), name="keys", now_ms=loop_ms, key_of=lambda _: PAD_KEY,
            random=rng.randbytes,
        )  # fmt: skip
        await pad.start()
        await driver.open()
        while pad.leds()[:4] != (True,) * 4:  # noqa: ASYNC110 - its own time
            await asyncio.sleep(0.1)
        pressed = [*GuideKey] * 5
        for key in pressed:
            await press(SimPadKeys(pad), key)
            await asyncio.sleep(0.4)
        await asyncio.sleep(2)
        strokes = [await driver.next_stroke() for _ in range(driver._held._strokes.qsize())]
        await driver.close()
        await pad.stop()
        felt = [stroke.key for stroke in strokes[::2]]
        assert [s.down for s in strokes] == [True, False] * (len(strokes) // 2)
        assert felt == [stroke.key for stroke in strokes[1::2]]
        rest = iter(pressed)
        assert all(key in rest for key in felt), "in the order of the fingers, none twice"
        assert len(felt) >= len(pressed) - pad.core._strokes.failed
        assert len(felt) > len(pressed) // 2

    vtime.run(scenario())


async def test_another_make_has_other_codes() -> None:
    link, far = memory_pair()
    pad = backend("keypad", "keyboard")(link, name="keys", codes={"select": [191], "repeat": [28]})
    await far.open()
    await pad.open()
    await SimKeyboard(far).move(GuideKey.SELECT, down=True)  # enter, which is "repeat" here
    async with asyncio.timeout(5):
        assert await pad.next_stroke() == KeyStroke(GuideKey.REPEAT, down=True)
    await pad.close()


@pytest.mark.parametrize(
    ("kind", "codes", "words"),
    [
        ("keyboard", {"help": [1]}, "help"),
        ("keyboard", {"select": [103]}, "two keys"),
        ("serial", {"select": [1]}, "only a keyboard"),
        ("pad", {"select": [1]}, "only a keyboard"),
    ],
)
def test_codes_that_cannot_be(kind: str, codes: dict[str, list[int]], words: str) -> None:
    link, _ = memory_pair()
    options = {"now_ms": now_ms} if kind == "pad" else {}
    with pytest.raises(ValueError, match=words):
        backend("keypad", kind)(link, name="keys", codes=codes, **options)


async def test_a_keypad_that_is_not_plugged_in_is_named(tmp_path: Path) -> None:
    pad = backend("keypad", "keyboard")(link_to(f"evdev:{tmp_path / 'event9'}"), name="keys")
    with pytest.raises(LinkUnavailable, match="plugged in"):
        await pad.open()
    await pad.close()
