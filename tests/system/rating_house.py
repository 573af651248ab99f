"""A counter with a rating pad, all of it real: mosquitto, branch server, kiosk controller, driver,
and a pad under MicroPython on a pty; somebody may listen and talk on the pad's cable.
"""

import asyncio
import itertools
import sqlite3
from collections.abc import Callable
from contextlib import AsyncExitStack, closing
from datetime import UTC
from pathlib import Path
from typing import Any, Self

from branch.config import (
    BranchConfig,
    BranchName as ServerName,
    CounterConfig,
    ServiceConfig as ServerService,
)
from branch.service import BranchService
from branch.store import Store
from branch.view import CommandRefused
from firmware.pad import link as wire
from hal.link import memory_pair
from hal.registry import backend
from hal.sim.pad import ALL_DARK, ALL_LIT, Leds, PtyPad
from hal.sim.printer import SimPrinter
from hal.sim.printer_ports import MemoryPrinter
from kiosk.cli import build_devices
from kiosk.config import BranchName, KioskConfig, PadConfig, PrinterConfig, ServiceConfig
from kiosk.controller import KioskController
from kiosk.flow import Phase
from kiosk.view import CONTROL_DONE
from simulator.mosquitto import Mosquitto
from simulator.prove.presses_pad import Cable
from sync.clock import system_clock
from sync.journal import Journal
from sync.messages import ArmPad, encode
from sync.mqtt import MqttTransport
from sync.topics import CMD

COUNTER = 1
KEY = bytes(range(32))
SOON_S = 15.0
NOTHING_S = 0.5
"""What has not come within this time, on an idle line, does not come."""


async def until(condition: Callable[[], object]) -> None:
    """Wait for what several parts bring about."""
    async with asyncio.timeout(SOON_S):
        while not condition():  # noqa: ASYNC110 - several parts, no common event
            await asyncio.sleep(0.01)


def _claims(frame: bytes) -> int:
    """The kind of a sealed frame, -1 for any other."""
    results = wire.Decoder().feed(frame)
    return results[0].kind if results and isinstance(results[0], wire.Sealed) else -1


class RatingHouse:
    """One counter. The teller's verbs are the server's, the visitor's are keys and lamps."""

    def __init__(self, folder: Path, *, window_s: float = 60.0) -> None:
        self._folder = folder
        self._window_s = window_s
        self._names = itertools.count(1)
        self.to_pad: list[bytes] = []
        """What the kiosk has said on the pad's cable, from its start."""

    async def __aenter__(self) -> Self:
        self._way_down = AsyncExitStack()
        folder, clock = self._folder, system_clock()
        broker = Mosquitto(folder)
        self._way_down.callback(broker.stop)
        self._broker = broker
        self.pad = PtyPad(folder, "pad-1", key=KEY)
        await self.pad.start()
        self._way_down.push_async_callback(self.pad.stop)
        self.cable = Cable(folder / "pad-1.line", self.to_pad.append)
        self.cable.join(self.pad.port)
        self._way_down.callback(self.cable.part)
        self.cable.plug()
        self._way_down.callback(self.cable.pull)
        (folder / "pads").mkdir()
        self.pad.share_key(folder / "pads")
        store = Store(f"sqlite:///{folder / 'branch.db'}")
        self._way_down.callback(store.close)
        self.branch = BranchService(
            BranchConfig(
                node="branch-1",
                branch=ServerName(zh="示例支行", en="Example branch"),
                services=[ServerService("A", "个人", "Personal")],
                counters=[CounterConfig(COUNTER, ["A"], "kiosk-1")],
                rating_window_s=self._window_s,
            ),
            store=store, transport=self._transport("branch-1"), clock=clock, version="test",
            tz=UTC,
        )  # fmt: skip
        await self.branch.open()
        self._way_down.push_async_callback(self.branch.close)
        near, far = memory_pair("printer")
        paper = MemoryPrinter(SimPrinter(), far)
        await paper.plug_in()
        self._way_down.push_async_callback(paper.unplug)
        config = KioskConfig(
            node="kiosk-1",
            production=False,
            branch=BranchName("示例支行", "Example branch"),
            services=[ServiceConfig("A", "个人", "Personal")],
            printer=PrinterConfig("tcp://127.0.0.1:9100"),
            data_dir=str(folder),
            pads=[PadConfig(COUNTER, f"serial:{self.cable.port}", unique_id=self.pad.unique_id)],
        )
        journal = Journal(folder / "journal.db", node="kiosk-1", clock=clock)
        self._way_down.callback(journal.close)
        _, pads, _ = build_devices(config, clock)
        self._driver = pads[COUNTER]
        self._kiosk = KioskController(
            config, journal=journal, printer=backend("printer", "escpos")(near, name="printer"),
            pads=pads, transport=self._transport("kiosk-1"), clock=clock, show=lambda _: None,
            version="test", tz=UTC,
        )  # fmt: skip
        await self._kiosk.start()
        self._way_down.push_async_callback(self._kiosk.stop)
        await until(lambda: self._kiosk.outbox.online and self._driver.identity)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._way_down.aclose()

    def _transport(self, name: str) -> MqttTransport:
        return MqttTransport(host=self._broker.host, port=self._broker.port, client_id=name)

    # --- the teller ---------------------------------------------------------------------------

    async def ticket(self) -> None:
        """A visitor takes a ticket; the branch has it."""
        sql = "SELECT count(*) FROM ticket"
        (before,) = self._rows(sql)
        self._kiosk.tap("service.A", f"touch-{next(self._names)}")
        await until(lambda: self._kiosk.visit.phase is Phase.TICKET)
        self._kiosk.tap(CONTROL_DONE, f"touch-{next(self._names)}")
        await until(lambda: self._rows(sql) != [before])

    async def call(self) -> None:
        """The teller calls the next visitor, as soon as the queue has one."""
        async with asyncio.timeout(SOON_S):
            while True:
                try:
                    await self.branch.call_next(COUNTER, f"call-{next(self._names)}")
                except CommandRefused as refused:
                    if refused.code != "nobody_waiting":
                        raise
                    await asyncio.sleep(0.01)  # stored, and a moment later in the queue
                else:
                    return

    async def begin(self) -> None:
        """The visitor has come."""
        await self.branch.start(COUNTER, f"start-{next(self._names)}")

    async def miss(self) -> None:
        """Nobody came."""
        await self.branch.miss(COUNTER, f"miss-{next(self._names)}")

    async def finish(self) -> ArmPad:
        """The visitor is served; returns the command that arms the pad for this visit."""
        key = f"finish-{next(self._names)}"
        await self.branch.finish(COUNTER, key)
        ((nonce, ticket),) = self._rows(
            "SELECT nonce, ticket FROM visit ORDER BY rowid DESC LIMIT 1"
        )
        return ArmPad(
            key=f"arm:{COUNTER}:{key}", counter=COUNTER, ticket=ticket, nonce=nonce,
            window_ms=int(self._window_s * 1000),
        )  # fmt: skip

    async def serve(self) -> ArmPad:
        """A whole visit, until all five lamps are lit."""
        await self.ticket()
        await self.call()
        await self.begin()
        arm = await self.finish()
        await self.lamps(ALL_LIT)
        return arm

    # --- the visitor --------------------------------------------------------------------------

    async def press(self, key: int) -> None:
        """Press a key."""
        await self.pad.press(key)

    async def lamps(self, lamps: Leds = ALL_DARK) -> None:
        """Wait until the lamps are these."""
        assert await self.pad.wait_for_leds(lamps, SOON_S), self.pad.leds()

    async def accepted(self, key: int) -> None:
        """Wait until the pad says thank you for this key."""
        await until(lambda: self.pad.accepted(key))

    # --- whoever wants a rating that nobody gave ----------------------------------------------

    async def command(self, arm: ArmPad) -> None:
        """Say on the branch's broker what only its server may say."""
        transport = self._transport("somebody")
        transport.listen(on_up=lambda: None, on_down=lambda _: None, on_messages=lambda _: None)
        await transport.start()
        await until(lambda: transport.connected)
        assert transport.publish(CMD, CMD.of(node="kiosk-1"), encode(arm))
        await asyncio.sleep(NOTHING_S)
        await transport.stop()

    def arm_frames(self) -> list[bytes]:
        """The ARM frames that went over the cable."""
        runs = b"".join(self.to_pad).split(wire.DELIMITER)
        frames = [run + wire.DELIMITER for run in runs]
        return [frame for frame in frames if _claims(frame) == wire.ARM]

    @property
    def refused_by_pad(self) -> int:
        """Frames that the pad did not trust, as its last heartbeat says."""
        return int(self._driver.health.counters["pad_bad_frames"])

    # --- the ledger ---------------------------------------------------------------------------

    async def ledger(self, *presses: tuple[str, int]) -> None:
        """Wait until the branch's ledger has these presses, (kind, score), and no more come."""
        sql = "SELECT kind, score_1to5 FROM rating ORDER BY event_id"
        await until(lambda: len(self._rows(sql)) >= len(presses))
        await asyncio.sleep(NOTHING_S)
        assert self._rows(sql) == list(presses)

    def events(self) -> list[str]:
        """Types of the press events in the branch's ledger, in order."""
        sql = "SELECT type FROM event WHERE type LIKE 'rating.%' ORDER BY place"
        return [kind for (kind,) in self._rows(sql)]

    def _rows(self, sql: str) -> list[tuple[Any, ...]]:
        uri = f"file:{self._folder / 'branch.db'}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True, timeout=10)) as db:
            return db.execute(sql).fetchall()
