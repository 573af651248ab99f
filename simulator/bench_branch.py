"""What the benches of the exchange share: a real server, a kiosk's events, the configurations."""

import asyncio
import secrets
import time
from pathlib import Path

from branch.config import BranchConfig, BranchName, CounterConfig, ServiceConfig
from branch.service import BranchService
from branch.store import Store
from kiosk.config import (
    BranchName as KioskBranch,
    KioskConfig,
    PrinterConfig,
    ServiceConfig as KioskService,
)
from simulator.mosquitto import Mosquitto
from sync.clock import system_clock
from sync.messages import IssuedData
from sync.mqtt import MqttTransport

NODE = "kiosk-1"
DEADLINE_S = 120.0
LETTERS = "ABCD"


def ticket_data(seq: int) -> IssuedData:
    """The payload of a ticket for a stream of events."""
    return IssuedData(
        number=f"A{seq // 2 % 999 + 1:03}",
        service="A",
        segment="ordinary",
        language="en",
        business_date="2026-11-24",
        band=1,
        request=f"bench-{seq}",
    )


class Server:
    """The branch server on a database of its own."""

    def __init__(self, folder: Path, broker: Mosquitto) -> None:
        self._store = Store(f"sqlite:///{folder / secrets.token_hex(4)}.db")
        self.began_s = 0.0
        self.service = BranchService(
            branch_config(),
            store=self._store,
            transport=MqttTransport(host=broker.host, port=broker.port, client_id="branch-1"),
            clock=system_clock(),
            version="bench",
            on_commit=self._committed,
        )

    def _committed(self) -> None:
        self.began_s = self.began_s or time.perf_counter()

    async def __aenter__(self) -> "Server":
        await self.service.open()
        async with asyncio.timeout(DEADLINE_S):
            while self.service.health()["mqtt"] != "online":  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.2)  # its subscriptions
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.service.close()
        self._store.close()

    async def has(self, events: int) -> float:
        """Seconds from the first commit until ``events`` are committed and applied."""
        async with asyncio.timeout(DEADLINE_S):
            while self.service.ingest.counters.events < events:  # noqa: ASYNC110
                await asyncio.sleep(0.002)
        return time.perf_counter() - self.began_s


def branch_config() -> BranchConfig:
    """A branch with four services and one counter."""
    return BranchConfig(
        node="branch-1",
        branch=BranchName(zh="测量", en="Bench"),
        services=[ServiceConfig(letter, letter, letter) for letter in LETTERS],
        counters=[CounterConfig(1, list(LETTERS))],
    )


def kiosk_config(band: int) -> KioskConfig:
    """A kiosk with its own band."""
    return KioskConfig(
        node=f"kiosk-{band}",
        production=False,
        branch=KioskBranch(zh="测量", en="Bench"),
        services=[KioskService(letter, letter, letter) for letter in LETTERS],
        printer=PrinterConfig(address="tcp://127.0.0.1:9100"),
        band=band,
        show_band=True,
    )
