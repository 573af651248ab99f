"""A bus with pads of the firmware's core, a driver for each, on virtual time."""

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable
from typing import Any

from firmware.pad import link as wire
from hal.api import ByteLink
from hal.drivers.pad import SerialPad
from hal.drivers.pad_bus import PolledBus
from hal.errors import LinkUnavailable
from hal.sim.bus import BusHub, CoreStation
from simulator import vtime


class BusBench:
    """``add`` hangs a pad on the line, ``driver`` opens its address. Addresses are given first."""

    def __init__(
        self, rng: random.Random, addresses: int, *, wrap: Any = None, **hub: Any
    ) -> None:
        self.rng = rng
        self.hub = BusHub(rng, **hub)
        self.notes: list[str] = []
        link: ByteLink = self.hub.link if wrap is None else wrap(self.hub.link)
        self.bus = PolledBus(link, name="bus-1", note=self.notes.append)
        self.rows: list[tuple[str, str]] = []
        self.bus.on_health(lambda health: self.rows.append((health.state.value, health.detail)))
        self.keys: dict[str, bytes] = {}
        self.pads: list[CoreStation] = []
        self.drivers: dict[int, SerialPad] = {}
        self.links = {n: self.bus.seat(n) for n in range(1, addresses + 1)}

    @property
    def row(self) -> tuple[str, str]:
        """The bus's health row."""
        return self.bus.health.state.value, self.bus.health.detail

    def pad_row(self, address: int) -> tuple[str, str]:
        """A pad's health row."""
        health = self.drivers[address].health
        return health.state.value, health.detail

    def now_ms(self) -> int:
        return int(asyncio.get_running_loop().time() * 1000)

    async def add(self, address: int, unique_id: str = "") -> CoreStation:
        """A pad with a key of its own, started."""
        unique_id = unique_id or f"ab{address:02x}"
        self.keys[unique_id] = self.rng.randbytes(wire.KEY_SIZE)
        pad = CoreStation(
            self.hub.wire(),
            address=address,
            now_ms=self.now_ms,
            boot_ids=lambda: self.rng.getrandbits(32),
            unique_id=unique_id,
            key=self.keys[unique_id],
            random=self.rng.randbytes,
        )
        self.pads.append(pad)
        await pad.start()
        return pad

    async def driver(self, address: int) -> SerialPad:
        """A driver at an address, opened. Raises LinkUnavailable."""
        driver = self.drivers[address] = SerialPad(
            self.links[address],
            name=f"pad {address}",
            now_ms=self.now_ms,
            key_of=self.keys.get,
            trouble=lambda: self.bus.trouble(address),
            random=self.rng.randbytes,
        )
        await driver.open()
        return driver

    async def full(self) -> None:
        """A pad and a driver at every address, all greeted."""
        for address in self.links:
            await self.add(address)
        for address in self.links:
            for _ in range(10):  # on a noisy line somebody looks more often, as the kiosk does
                with contextlib.suppress(LinkUnavailable):
                    await self.driver(address)
                    break
                await asyncio.sleep(1)
        await self.until(lambda: all(self.pad_row(n)[0] == "ok" for n in self.links), 30)

    async def until(self, condition: Callable[[], object], within_s: float = 10.0) -> float:
        """Wait for a condition; how long it took, in virtual seconds."""
        began_s = asyncio.get_running_loop().time()
        async with asyncio.timeout(within_s):
            while not condition():  # noqa: ASYNC110 - of many parts
                await asyncio.sleep(0.001)
        return asyncio.get_running_loop().time() - began_s

    async def close(self) -> None:
        """Everything down."""
        for driver in self.drivers.values():
            await driver.close()
        await self.bus.close()
        await self.hub.close()
        for pad in self.pads:
            await pad.stop()


def on_bus(
    scenario: Callable[[BusBench], Awaitable[None]],
    rng: random.Random,
    addresses: int,
    **how: Any,
) -> None:
    """Play a scenario on virtual time."""

    async def play() -> None:
        bench = BusBench(rng, addresses, **how)
        try:
            await scenario(bench)
        finally:
            await bench.close()

    vtime.run(play())
