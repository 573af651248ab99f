"""One suite over all card readers: serial line over a memory pair and a real pty, key events over
a memory pair; far end: hal.sim.card.
"""

import asyncio
import os
import tty
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from hal.api import ByteLink, CardReader, HealthState
from hal.drivers.card import KEPT, HidCardReader, SerialCardReader
from hal.errors import LinkUnavailable
from hal.link import Descriptor, link_to, memory_pair
from hal.sim.card import SimHidReader, SimSerialReader

SALT = bytes(range(32))
OTHER_SALT = bytes(range(1, 33))
CARD = "6222021234567890123"


@dataclass
class Rig:
    reader: CardReader
    sim: SimSerialReader | SimHidReader

    async def read(self, text: str) -> tuple[str, str]:
        await self.sim.swipe(text)
        async with asyncio.timeout(5):
            found = await self.reader.next_read()
        return found.token, found.code


@pytest.fixture(params=["memory", "pty", "keys"])
async def rig(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Rig]:
    link: ByteLink
    fds: tuple[int, ...] = ()
    if request.param == "pty":
        fds = os.openpty()
        tty.setraw(fds[1])
        stream = Descriptor(fds[0], "pty")
        link = link_to(f"serial:{os.ttyname(fds[1])}?baud=9600")
        rig = Rig(SerialCardReader(link, name="card", salt=SALT), SimSerialReader(stream))
    else:
        link, far = memory_pair()
        await far.open()
        if request.param == "keys":
            rig = Rig(HidCardReader(link, name="card", salt=SALT), SimHidReader(far))
        else:
            rig = Rig(SerialCardReader(link, name="card", salt=SALT), SimSerialReader(far))
    await rig.reader.open()
    yield rig
    await rig.reader.close()
    await rig.reader.close()
    for fd in fds:
        os.close(fd)


async def test_a_card_is_a_token_and_never_a_number(rig: Rig):
    token, code = await rig.read(CARD)
    assert (len(token), code) == (32, "")
    assert int(token, 16) >= 0
    assert await rig.read(CARD) == (token, "")
    assert (await rig.read("6222021234567890124"))[0] != token
    assert CARD not in repr(vars(rig.reader))
    assert rig.reader.health.state is HealthState.OK
    assert rig.reader.health.counters["read"] == 3


async def test_a_track_is_its_account(rig: Rig):
    plain, _ = await rig.read(CARD)
    assert await rig.read(f";{CARD}=29121010000012345678?") == (plain, "")
    assert await rig.read(f"%B{CARD}^WANG/XIAOMING^2912101?") == (plain, "")


async def test_a_code_of_our_own_is_handed_on(rig: Rig):
    assert (await rig.read("L1:7f3a-9C21"))[1] == "7f3a-9C21"
    assert (await rig.read("L1:" + "x" * 41))[1] == ""
    assert (await rig.read("http://example.org/?q=1"))[1] == ""


async def test_half_a_reading_does_not_meet_the_next(rig: Rig):
    whole, _ = await rig.read(CARD)
    await rig.sim.swipe_partly("622202")
    while not rig.reader.health.counters.get("partial"):  # noqa: ASYNC110 - the driver's own time
        await asyncio.sleep(0.05)
    assert await rig.read(CARD) == (whole, "")


async def test_what_is_too_long_is_dropped(rig: Rig):
    await rig.sim.swipe("9" * 300)
    whole, _ = await rig.read(CARD)
    assert (await rig.read(CARD))[0] == whole
    assert rig.reader.health.counters["too_long"] == 1


async def test_only_the_newest_readings_wait(rig: Rig):
    codes = [f"L1:{n}" for n in range(KEPT + 2)]
    for code in codes:
        await rig.sim.swipe(code)
    while rig.reader.health.counters.get("read", 0) < len(codes):  # noqa: ASYNC110 - it counts
        await asyncio.sleep(0.01)
    found = [(await rig.reader.next_read()).code for _ in range(KEPT)]
    assert found == [str(n) for n in range(2, KEPT + 2)]
    assert rig.reader.health.counters["dropped"] == 2


# --- a memory pair is enough for these ---------------------------------------------------------


async def test_another_branch_has_another_token():
    tokens = set()
    for salt in (SALT, OTHER_SALT):
        link, far = memory_pair()
        await far.open()
        rig = Rig(SerialCardReader(link, name="card", salt=salt), SimSerialReader(far))
        await rig.reader.open()
        tokens.add((await rig.read(CARD))[0])
        await rig.reader.close()
    assert len(tokens) == 2


async def test_unplugged_it_is_lost_and_found_again():
    link, far = memory_pair()
    reader = SerialCardReader(link, name="card", salt=SALT)
    seen: list[HealthState] = []
    reader.on_health(lambda health: seen.append(health.state))
    await far.open()
    await reader.open()
    await far.close()
    async with asyncio.timeout(5):
        while HealthState.LOST not in seen:  # noqa: ASYNC110 - the listener is not awaitable
            await asyncio.sleep(0.01)
    await far.open()
    await SimSerialReader(far).swipe("L1:1")
    async with asyncio.timeout(5):
        assert (await reader.next_read()).code == "1"
    assert seen == [HealthState.OK, HealthState.LOST, HealthState.OK]
    await reader.close()


async def test_not_there_at_the_start_is_an_error_and_looked_for():
    link, far = memory_pair()
    await far.open()
    await far.close()
    reader = SerialCardReader(link, name="card", salt=SALT)
    with pytest.raises(LinkUnavailable):
        await reader.open()
    assert reader.health.state is HealthState.LOST
    await far.open()
    await SimSerialReader(far).swipe("L1:1")
    async with asyncio.timeout(5):
        assert (await reader.next_read()).code == "1"
    await reader.close()


def test_a_short_salt_is_refused():
    link, _ = memory_pair()
    with pytest.raises(ValueError, match="expected 32"):
        SerialCardReader(link, name="card", salt=b"x")


async def test_what_is_no_input_device_is_not_held(tmp_path: Path):
    path = tmp_path / "event0"
    link = link_to(f"evdev:{path}")
    with pytest.raises(LinkUnavailable, match="plugged in"):
        await link.open()
    path.write_bytes(b"")
    with pytest.raises(LinkUnavailable, match="held alone"):
        await link.open()
