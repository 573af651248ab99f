"""From branch.toml's bundle to a pad's flash: real server, real mosquitto, real kiosk, a real
MicroPython under the pad.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from branch.config import BranchConfig, BranchName, CounterConfig, ServiceConfig, UpdatesConfig
from branch.configuration import read_wanted
from branch.service import BranchService
from branch.store import Store
from firmware.flash.bundle import Bundle
from firmware.flash.keys import make_signing_key
from hal.api import RatingPad
from hal.drivers import pad as pad_driver
from hal.link import link_to
from hal.registry import backend
from hal.sim.repl_pad import ReplPad
from hal.sim.slot_pad import SlotPad, make_flash
from kiosk import config as kiosk_config, pad_restore
from kiosk.cli import build_devices
from kiosk.controller import KioskController
from simulator.firmware_builds import build_firmware, public_key
from simulator.mosquitto import Mosquitto
from sync.clock import system_clock
from sync.journal import Journal
from sync.messages import DeviceChanged, decode_event
from sync.mqtt import MqttTransport

pytestmark = [pytest.mark.broker, pytest.mark.micropython, pytest.mark.timeout(150)]

KEY = bytes(range(32))
SOON_S = 30.0


async def until(condition: Callable[[], object], within_s: float = SOON_S) -> None:
    async with asyncio.timeout(within_s):
        while not condition():  # noqa: ASYNC110 - several programs, no common event
            await asyncio.sleep(0.02)


class Hall:
    """A branch, its broker, one kiosk and the pad of its first counter."""

    def __init__(self, folder: Path, broker: Mosquitto, **pad: Any) -> None:
        self.folder, self.broker = folder, broker
        self.clock = system_clock()
        self.config_key = folder / "config.key"
        make_signing_key(self.config_key)
        self.pad = SlotPad(folder, "pad-1", key=KEY, confirm_ms=500)
        self.pad_options: dict[str, Any] = {"address": self.pad.address, "chip": "linux"} | pad

    def kiosk_config(self) -> kiosk_config.KioskConfig:
        return kiosk_config.KioskConfig(
            node="kiosk-1",
            production=False,
            branch=kiosk_config.BranchName(zh="示例银行", en="Sample Bank"),
            services=[kiosk_config.ServiceConfig("A", "现金", "Cash")],
            printer=kiosk_config.PrinterConfig(address="tcp://127.0.0.1:9"),
            data_dir=str(self.folder / "kiosk"),
            pads=[kiosk_config.PadConfig(counter=1, **self.pad_options)],
            updates=kiosk_config.UpdatesConfig(
                config_key=f"{self.config_key}.pub",
                firmware_key=str(public_key(self.folder)),
                quiet_s=0.0,
            ),
        )

    @asynccontextmanager
    async def branch(self, *bundles: Bundle) -> AsyncIterator[BranchService]:
        updates = UpdatesConfig(
            config_key=str(self.config_key),
            firmware_key=str(public_key(self.folder)),
            bundles=[str(bundle.path) for bundle in bundles],
        )
        store = Store(f"sqlite:///{self.folder}/branch.db")
        service = BranchService(
            BranchConfig(
                node="branch-1",
                branch=BranchName(zh="示例支行", en="Example branch"),
                services=[ServiceConfig("A", "个人", "Personal")],
                counters=[CounterConfig(1, ["A"], "kiosk-1")],
            ),
            store=store,
            transport=MqttTransport(
                host=self.broker.host, port=self.broker.port, client_id="branch-1"
            ),
            clock=self.clock,
            version="test",
            wanted=read_wanted(updates),
        )
        await service.open()
        try:
            yield service
        finally:
            await service.close()
            store.close()

    @asynccontextmanager
    async def kiosk(self) -> AsyncIterator[KioskController]:
        config = self.kiosk_config()
        data = Path(config.data_dir)
        (data / "pads").mkdir(parents=True, exist_ok=True)
        if not (data / "pads" / f"{self.pad.unique_id}.key").exists():
            self.pad.share_key(data / "pads")
        journal = Journal(data / "journal.db", node="kiosk-1", clock=self.clock)
        _, pads, _ = build_devices(config, self.clock)
        printer = backend("printer", "escpos")(link_to(config.printer.address), name="printer")
        controller = KioskController(
            config,
            journal=journal,
            printer=printer,
            pads=pads,
            transport=MqttTransport(
                host=self.broker.host, port=self.broker.port, client_id="kiosk-1"
            ),
            clock=self.clock,
            show=lambda _: None,
            version="test",
        )
        await controller.start()
        try:
            yield controller
        finally:
            await controller.stop()
            journal.close()

    def events(self) -> list[Any]:
        """Everything that the kiosk journalled."""
        journal = Journal(self.folder / "kiosk/journal.db", node="kiosk-1", clock=self.clock)
        events = [decode_event(raw) for _, raw in journal.after(0, 1000)]
        journal.close()
        return events

    def types(self) -> list[str]:
        return [str(event.__struct_config__.tag) for event in self.events()]

    def devices(self) -> list[tuple[str, str, str]]:
        """(device, state, detail) of every change that the kiosk journalled."""
        return [
            (e.data.device, e.data.state, e.data.detail)
            for e in self.events()
            if isinstance(e, DeviceChanged)
        ]


@asynccontextmanager
async def hall(folder: Path, **pad: Any) -> AsyncIterator[Hall]:
    async with AsyncExitStack() as stack:
        broker = Mosquitto(folder)
        stack.callback(broker.stop)
        here = Hall(folder, broker, **pad)
        stack.push_async_callback(here.pad.stop)
        yield here


def running(pad: RatingPad) -> str:
    return pad.identity.firmware if pad.identity else ""


def row(branch: BranchService) -> dict[str, Any]:
    configuration: Any = branch.health()["configuration"]
    found: dict[str, Any] = configuration.get("kiosk-1", {})
    return found


def pad_row(branch: BranchService) -> dict[str, Any]:
    found: dict[str, Any] = row(branch).get("pads", {}).get("1", {})
    return found


async def test_a_pad_gets_the_firmware_that_the_branch_wants(tmp_path):
    old, new = (build_firmware(tmp_path, v, floor="1.4.0") for v in ("1.4.0", "1.5.0"))
    async with hall(tmp_path) as here:
        make_flash(here.pad.flash, old.path, KEY)
        await here.pad.start()
        async with here.branch(old) as branch, here.kiosk():
            await until(lambda: pad_row(branch).get("state") == "current")
            assert row(branch) | {"pads": 0} == {
                "wanted": 1, "applied": 1, "refused": "", "pads": 0,
            }  # fmt: skip
        async with here.branch(new) as branch, here.kiosk() as kiosk:
            await until(lambda: pad_row(branch).get("hash") == new.hash)
            await until(lambda: pad_row(branch).get("state") == "current")
            assert (row(branch)["wanted"], row(branch)["applied"]) == (2, 2)
            assert pad_row(branch)["firmware"] == "1.5.0"
            assert kiosk.updates.rollout.given == {here.pad.unique_id: new.hash}
        assert here.pad.error_path.read_text() == ""
        told = [detail for device, _, detail in here.devices() if device == "pad-1-firmware"]
        assert [one for one in told if one != "waiting"][-3:] == ["updating", "trial", ""]
        kept = list((tmp_path / "kiosk/firmware").iterdir())
        assert [folder.name for folder in kept] == [new.hash]


@pytest.mark.parametrize("restore", [True, False])
async def test_a_pad_that_lost_its_flash_is_put_back_where_that_is_allowed(
    tmp_path, monkeypatch, restore
):
    monkeypatch.setattr(pad_restore, "SILENT_S", 0.5)
    monkeypatch.setattr(pad_driver, "SILENT_AFTER_S", 3.0)
    new = build_firmware(tmp_path, "1.5.0")
    board = ReplPad(tmp_path, "board", unique_id="e661640843735001")  # nothing is on its flash
    options = {"unique_id": board.unique_id, "restore": restore, "address": f"serial:{board.port}"}
    async with hall(tmp_path, **options) as here:
        place = tmp_path / "kiosk/pads" / f"{board.unique_id}.json"
        place.parent.mkdir(parents=True)
        place.write_text('{"counter": 1, "role": "both"}')
        board.start()
        try:
            async with here.branch(new) as branch, here.kiosk() as kiosk:
                pad = kiosk.presses._pads[1]
                if restore:
                    await until(lambda: running(pad) == "1.5.0")
                    assert pad.identity is not None
                    assert (pad.identity.unique_id, pad.identity.roles) == (board.unique_id, 3)
                    await pad.arm(7, 10_000)
                    await board.bench.press(4)
                    await until(lambda: "rating.submitted" in here.types())
                    key = place.with_suffix(".key")
                    assert key.stat().st_mode & 0o777 == 0o600
                    assert key.read_bytes() not in (KEY, b"")
                    await until(lambda: pad_row(branch).get("state") in ("trial", "current"))
                else:
                    await until(lambda: ("pad-1", "fault", "blank") in here.devices())
                    assert not board.bench.leds()[0]
                    assert board.resets == 0
                    await asyncio.sleep(1.0)  # the driver is back on the line, and finds it silent
                    assert here.devices()[-1] == ("pad-1", "fault", "blank")
        finally:
            board.stop()
    rows = [row for row in here.devices() if row[0] == "pad-1"]
    assert (("pad-1", "warning", "restored") in rows) == restore
