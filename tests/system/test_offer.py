"""From the branch's file to the kiosk's screen and back: real server, real mosquitto, a real file
that is edited while both run.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from branch.config import BranchConfig, BranchName, CounterConfig, ServiceConfig, UpdatesConfig
from branch.configuration import read_wanted
from branch.service import BranchService
from branch.store import Store
from firmware.flash.keys import make_signing_key, sign
from hal.link import link_to
from hal.registry import backend
from kiosk import config as kiosk_config
from kiosk.controller import KioskController
from kiosk.view import HomeView, View
from simulator.mosquitto import Mosquitto
from sync.clock import system_clock
from sync.configuration import DesiredConfig, signed_bytes
from sync.journal import Journal
from sync.messages import encode
from sync.mqtt import MqttTransport
from sync.topics import CFG

pytestmark = [pytest.mark.broker, pytest.mark.timeout(90)]

CASH = '[[services]]\nletter = "A"\nzh = "现金业务"\nen = "Cash"\n'
CARDS = '[[services]]\nletter = "B"\nzh = "卡"\nen = "Cards"\n'
SERVICES = [ServiceConfig("A", "现金", "Cash"), ServiceConfig("B", "卡", "Cards")]


async def until(condition: Callable[[], object], within_s: float = 20.0) -> None:
    async with asyncio.timeout(within_s):
        while not condition():  # noqa: ASYNC110 - several programs, no common event
            await asyncio.sleep(0.02)


class House:
    """A branch and a kiosk without any pad; both take what ``file`` says."""

    def __init__(self, folder: Path, broker: Mosquitto) -> None:
        self.folder, self.broker = folder, broker
        self.file = folder / "kiosk-offer.toml"
        self.file.write_text(CASH, "utf-8")
        self.key = folder / "config.key"
        make_signing_key(self.key)
        self.views: list[View] = []

    def transport(self, name: str) -> MqttTransport:
        return MqttTransport(host=self.broker.host, port=self.broker.port, client_id=name)

    @asynccontextmanager
    async def branch(self) -> AsyncIterator[BranchService]:
        store = Store(f"sqlite:///{self.folder}/branch.db")
        updates = UpdatesConfig(str(self.key), offer=str(self.file))
        service = BranchService(
            BranchConfig(
                node="branch-1",
                branch=BranchName(zh="示例支行", en="Example branch"),
                services=SERVICES,
                counters=[CounterConfig(1, ["A", "B"])],
            ),
            store=store,
            transport=self.transport("branch-1"),
            clock=system_clock(),
            version="test",
            wanted=read_wanted(updates, services=SERVICES),
        )
        await service.open()
        try:
            yield service
        finally:
            await service.close()
            store.close()

    @asynccontextmanager
    async def kiosk(self) -> AsyncIterator[KioskController]:
        data = self.folder / "kiosk"
        data.mkdir(exist_ok=True)
        config = kiosk_config.KioskConfig(
            node="kiosk-1",
            production=False,
            branch=kiosk_config.BranchName(zh="示例银行", en="Sample Bank"),
            services=[kiosk_config.ServiceConfig("A", "自己的", "Its own")],
            printer=kiosk_config.PrinterConfig(address="tcp://127.0.0.1:9"),
            data_dir=str(data),
            updates=kiosk_config.UpdatesConfig(f"{self.key}.pub"),
        )
        journal = Journal(data / "journal.db", node="kiosk-1", clock=system_clock())
        controller = KioskController(
            config,
            journal=journal,
            printer=backend("printer", "escpos")(link_to(config.printer.address), name="printer"),
            pads={},
            transport=self.transport("kiosk-1"),
            clock=system_clock(),
            show=self.views.append,
            version="test",
        )
        await controller.start()
        try:
            yield controller
        finally:
            await controller.stop()
            journal.close()

    def names(self) -> list[str]:
        view = self.views[-1]
        assert isinstance(view, HomeView), view
        return [tile.name["en"] for tile in view.tiles]


def row(branch: BranchService) -> dict[str, Any]:
    configuration: Any = branch.health()["configuration"]
    found: dict[str, Any] = configuration.get("kiosk-1", {})
    return found


async def test_an_edited_file_reaches_the_screen_and_a_mistake_comes_back(tmp_path: Path) -> None:
    broker = Mosquitto(tmp_path)
    house = House(tmp_path, broker)
    try:
        async with house.branch() as branch, house.kiosk():
            await until(lambda: house.names() == ["Cash"])
            await until(lambda: row(branch).get("applied") == 1)
            house.file.write_text(CASH + CARDS, "utf-8")
            branch.configuration.look()
            await until(lambda: house.names() == ["Cash", "Cards"])
            await until(lambda: row(branch).get("applied") == 2)

            # A slip of the pen stays at the branch,
            house.file.write_text(CASH + CARDS.replace("zh", "hz"), "utf-8")
            branch.configuration.look()
            assert "services[1].hz: unknown key" in str(branch.health()["offer_refused"])
            assert "branch-1: offer_refused" in branch.health()["alerts"]  # type: ignore[operator]
            # and what another program signs wrongly is refused by the kiosk, in the same words.
            text = (
                '{"node":"kiosk-1","version":3,"issued_ms":0,"offer":{"file":"kiosk-offer.toml",'
                '"services":[{"letter":"A","zh":"现金","en":"Cash","machine_min":90}]}}'
            )
            wrong = DesiredConfig(config=text, signature=sign(house.key, signed_bytes(text)))
            branch._transport.publish(CFG, CFG.of(node="kiosk-1"), encode(wrong))
            says = "kiosk-offer.toml: services[0].machine_min: 90; expected 0 to 60"
            await until(lambda: row(branch).get("refused") == f"3: {says}")
            assert row(branch)["applied"] == 2
            alerts: Any = branch.health()["alerts"]
            assert "branch-1: config_refused kiosk-1" in alerts
            assert house.names() == ["Cash", "Cards"]
        async with house.kiosk():  # the branch is away
            await until(lambda: house.names() == ["Cash", "Cards"])
    finally:
        broker.stop()
