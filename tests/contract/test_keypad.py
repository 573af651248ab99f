"""One suite over all keypads: key events over a memory pair, letters over a memory pair and a real
pty; far end: hal.sim.keypad.
"""

import asyncio
import os
import tty
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from hal.api import HealthState
from hal.body import GuideKey, KeyPad, KeyStroke
from hal.errors import LinkUnavailable
from hal.link import Descriptor, MemoryLink, link_to, memory_pair
from hal.registry import backend
from hal.sim.keypad import SimKeyboard, SimKeys, SimSerialKeys

KINDS: dict[str, type[SimKeyboard] | type[SimSerialKeys]] = {
    "keyboard": SimKeyboard,
    "serial": SimSerialKeys,
}


@dataclass
class Rig:
    pad: KeyPad
    sim: SimKeys
    far: MemoryLink | None = None

    async def next(self) -> KeyStroke:
        async with asyncio.timeout(5):
            return await self.pad.next_stroke()


def memory_rig(kind: str) -> Rig:
    link, far = memory_pair()
    return Rig(backend("keypad", kind)(link, name="keys"), KINDS[kind](far), far)


@pytest.fixture(params=["keyboard", "serial", "pty"])
async def rig(request: pytest.FixtureRequest) -> AsyncIterator[Rig]:
    fds: tuple[int, ...] = ()
    if request.param == "pty":
        fds = os.openpty()
        tty.setraw(fds[1])
        link = link_to(f"serial:{os.ttyname(fds[1])}")
        pad = backend("keypad", "serial")(link, name="keys")
        rig = Rig(pad, SimSerialKeys(Descriptor(fds[0], "pty")))
    else:
        rig = memory_rig(request.param)
        assert rig.far is not None
        await rig.far.open()
    await rig.pad.open()
    await rig.pad.open()
    yield rig
    await rig.pad.close()
    await rig.pad.close()
    for fd in fds:
        os.close(fd)


async def test_each_key_goes_down_and_up(rig: Rig) -> None:
    for key in GuideKey:
        for down in (True, False):
            await rig.sim.move(key, down=down)
            assert await rig.next() == KeyStroke(key, down)
    assert (rig.pad.health.state, rig.pad.health.counters) == (HealthState.OK, {"pressed": 4})


async def test_a_held_key_is_one_stroke(rig: Rig) -> None:
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


async def test_two_keys_at_a_time(rig: Rig) -> None:
    strokes = [
        KeyStroke(GuideKey.REPEAT, down=True),
        KeyStroke(GuideKey.NEXT, down=True),
        KeyStroke(GuideKey.REPEAT, down=False),
        KeyStroke(GuideKey.NEXT, down=False),
    ]
    for stroke in strokes:
        await rig.sim.move(stroke.key, down=stroke.down)
    assert [await rig.next() for _ in strokes] == strokes


@pytest.mark.parametrize("kind", KINDS)
async def test_unplugged_with_a_key_held_it_is_let_go_and_found_again(kind: str) -> None:
    rig = memory_rig(kind)
    assert rig.far is not None
    await rig.far.open()
    seen: list[HealthState] = []
    rig.pad.on_health(lambda health: seen.append(health.state))
    await rig.pad.open()
    await rig.sim.move(GuideKey.NEXT, down=True)
    assert await rig.next() == KeyStroke(GuideKey.NEXT, down=True)
    await rig.far.close()
    assert await rig.next() == KeyStroke(GuideKey.NEXT, down=False)
    await rig.far.open()
    await rig.sim.move(GuideKey.SELECT, down=True)
    assert await rig.next() == KeyStroke(GuideKey.SELECT, down=True)
    assert seen == [HealthState.OK, HealthState.LOST, HealthState.OK]
    await rig.pad.close()


@pytest.mark.parametrize("kind", KINDS)
async def test_not_there_at_the_start_is_an_error_and_looked_for(kind: str) -> None:
    rig = memory_rig(kind)
    assert rig.far is not None
    await rig.far.open()
    await rig.far.close()
    with pytest.raises(LinkUnavailable):
        await rig.pad.open()
    assert (rig.pad.health.state, rig.pad.health.detail) == (HealthState.LOST, "link")
    await rig.far.open()
    await rig.sim.move(GuideKey.NEXT, down=True)
    assert await rig.next() == KeyStroke(GuideKey.NEXT, down=True)
    await rig.pad.close()


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
    ],
)
def test_codes_that_cannot_be(kind: str, codes: dict[str, list[int]], words: str) -> None:
    link, _ = memory_pair()
    with pytest.raises(ValueError, match=words):
        backend("keypad", kind)(link, name="keys", codes=codes)


async def test_a_keypad_that_is_not_plugged_in_is_named(tmp_path: Path) -> None:
    pad = backend("keypad", "keyboard")(link_to(f"evdev:{tmp_path / 'event9'}"), name="keys")
    with pytest.raises(LinkUnavailable, match="plugged in"):
        await pad.open()
    await pad.close()
