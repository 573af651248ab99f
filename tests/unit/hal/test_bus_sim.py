"""The simulated bus itself: its time, its collisions, its faults."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from hal.errors import LinkLost, LinkUnavailable
from hal.link import MemoryLink
from hal.sim.bus import PIECE, BusHub, PtyAdapter
from simulator import vtime

BYTE_S = 10 / 115_200


class Line:
    """A hub, the host's end, and two stations, all open."""

    def __init__(self, hub: BusHub) -> None:
        self.hub = hub
        self.ends: list[MemoryLink] = [hub.link, hub.wire(), hub.wire()]

    async def open(self) -> None:
        for end in self.ends:
            await end.open()
        await asyncio.sleep(0.01)

    async def heard(self, station: int, within_s: float = 1.0) -> bytes:
        """All that one station hears until nothing comes any more."""
        data = b""
        while True:
            try:
                async with asyncio.timeout(within_s):
                    data += await self.ends[station].read()
            except TimeoutError:
                return data


def on_line(scenario: Callable[[Line], Awaitable[None]], rng, **how) -> None:
    async def play() -> None:
        line = Line(BusHub(rng, **how))
        await line.open()
        try:
            await scenario(line)
        finally:
            await line.hub.close()

    vtime.run(play())


def test_everybody_but_the_speaker_hears_it_at_the_line_s_speed(rng):
    async def scenario(line: Line) -> None:
        now_s = asyncio.get_running_loop().time
        began_s = now_s()
        await line.ends[1].write(bytes(range(PIECE * 3)))
        first = await line.ends[0].read()
        assert first == bytes(range(PIECE))
        assert now_s() - began_s == pytest.approx(PIECE * BYTE_S, rel=0.01)
        assert first + await line.heard(0) == bytes(range(PIECE * 3))
        assert await line.heard(2) == bytes(range(PIECE * 3))
        assert await line.heard(1) == b""
        assert line.hub.collisions == 0

    on_line(scenario, rng)


def test_two_at_once_are_heard_by_nobody(rng):
    async def scenario(line: Line) -> None:
        await line.ends[1].write(b"\x11" * 40)
        await asyncio.sleep(10 * BYTE_S)
        await line.ends[2].write(b"\x22" * 40)
        data = await line.heard(0)
        assert data.startswith(b"\x11" * PIECE)
        assert data.endswith(b"\x22" * PIECE)
        assert len(data) == 80
        assert data.count(b"\x11") < 20
        assert data.count(b"\x22") < 20
        assert line.hub.collisions >= 8
        # Who speaks hears only what comes when he is done.
        assert await line.heard(2) == b"\x11" * PIECE
        assert await line.heard(1) == data[-len(b"\x22" * PIECE) :]

    on_line(scenario, rng)


def test_one_after_the_other_does_not_collide(rng):
    async def scenario(line: Line) -> None:
        await line.ends[1].write(b"\x11" * 40)
        await asyncio.sleep(40 * BYTE_S)
        await line.ends[2].write(b"\x22" * 40)
        assert await line.heard(0) == b"\x11" * 40 + b"\x22" * 40
        assert line.hub.collisions == 0

    on_line(scenario, rng)


@pytest.mark.parametrize("how", [{"noise": 0.25}, {"loss": 0.25}], ids=str)
def test_noise_and_loss_hit_their_share_of_pieces(rng, how):
    async def scenario(line: Line) -> None:
        sent = b"\x55" * PIECE * 2_000
        await line.ends[1].write(sent)
        data = await line.heard(0)
        if "loss" in how:
            hit = 2_000 - len(data) // PIECE
        else:
            assert len(data) == len(sent)
            hit = sum(byte != 0x55 for byte in data)
        assert 380 < hit < 620  # 500, and six deviations of 19

    on_line(scenario, rng, **how)


def test_an_unplugged_adapter_hears_nothing_and_the_rest_goes_on(rng):
    async def scenario(line: Line) -> None:
        await line.hub.unplug()
        await line.hub.unplug()
        with pytest.raises(LinkLost):
            await line.ends[0].read()
        await line.ends[1].write(b"hello")
        assert await line.heard(2) == b"hello"
        await line.ends[0].close()
        with pytest.raises(LinkUnavailable):
            await line.ends[0].open()
        line.hub.plug_in()
        line.hub.plug_in()
        await asyncio.sleep(0.01)
        await line.ends[0].open()
        await line.ends[1].write(b"again")
        assert await line.heard(0) == b"again"

    on_line(scenario, rng)


async def test_an_adapter_is_a_port_while_it_is_open(tmp_path):
    adapter = PtyAdapter(tmp_path / "adapter")
    assert adapter.address == f"rs485:{tmp_path}/adapter"
    with pytest.raises(LinkLost):
        await adapter.read()
    await adapter.open()
    assert (tmp_path / "adapter").is_symlink()
    with pytest.raises(LinkUnavailable, match="already open"):
        await adapter.open()
    await adapter.close()
    await adapter.close()
    assert not (tmp_path / "adapter").is_symlink()
