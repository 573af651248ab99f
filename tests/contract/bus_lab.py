"""A bus with the pad of the contract at address 5 and a neighbour at 6, for test_rating_pad."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from hal.drivers.pad_bus import PolledBus
from hal.link import link_to
from hal.sim.bus import BusHub, CoreStation
from hal.sim.pad import PtyPad, micropython_path

ADDRESS = 5


def loop_ms() -> int:
    return int(asyncio.get_running_loop().time() * 1000)


@asynccontextmanager
async def bus_of(
    stack: AsyncExitStack, rng: random.Random
) -> AsyncIterator[tuple[BusHub, PolledBus]]:
    hub = BusHub(rng)
    stack.push_async_callback(hub.close)
    bus = PolledBus(hub.link, name="bus")
    bus.seat(ADDRESS + 1)
    try:
        yield hub, bus
    finally:
        await bus.close()


def station(hub: BusHub, rng: random.Random, address: int, key: bytes) -> CoreStation:
    return CoreStation(
        hub.wire(),
        address=address,
        now_ms=loop_ms,
        boot_ids=lambda: rng.getrandbits(32),
        unique_id=f"c07e{address:02x}",
        key=key,
        random=rng.randbytes,
    )


async def core_on_bus(
    stack: AsyncExitStack, rng: random.Random, key: bytes
) -> tuple[CoreStation, PolledBus]:
    """The firmware's core on virtual time."""
    hub, bus = await stack.enter_async_context(bus_of(stack, rng))
    for address in (ADDRESS + 1, ADDRESS):
        pad = station(hub, rng, address, key)
        await pad.start()
        stack.push_async_callback(pad.stop)
    return pad, bus


async def pty_on_bus(
    stack: AsyncExitStack, rng: random.Random, key: bytes, folder: Path
) -> tuple[PtyPad, PolledBus]:
    """The firmware's program under MicroPython."""
    hub, bus = await stack.enter_async_context(bus_of(stack, rng))
    for address in (ADDRESS + 1, ADDRESS):
        pad = PtyPad(
            folder,
            f"pad-{address}",
            key=key,
            address=address,
            interpreter=micropython_path(),
        )
        await pad.start()
        stack.push_async_callback(pad.stop)
        hub.join(link_to(pad.address))
    return pad, bus
