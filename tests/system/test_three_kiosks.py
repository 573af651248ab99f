"""Three kiosks, one server, lines that are cut at random for eight hours: no number twice."""

import asyncio
import random
import shutil
import sqlite3
from collections import Counter
from contextlib import AsyncExitStack
from datetime import UTC
from pathlib import Path
from typing import Self

import msgspec
from sqlalchemy import select

from branch.config import BranchConfig
from branch.service import BranchService
from branch.store import Store
from branch.tables import grant_table
from hal.link import memory_pair
from hal.registry import backend
from hal.sim.printer import SimPrinter
from hal.sim.printer_ports import MemoryPrinter
from kiosk.config import KioskConfig
from kiosk.controller import KioskController
from simulator import vtime
from simulator.broker import LocalBroker, LocalTransport
from sync.journal import Journal
from sync.messages import IssuedData, TicketIssued, decode_event
from tests.unit.kiosk.bench import BRANCH, KIOSK, MORNING_MS, until

DAY = "2026-11-23"
HOURS = 8
CHECK_S = 3600.0
"""Nothing happens to the printers by themselves."""


class Kiosk:
    """One kiosk with its own journal, printer and band."""

    def __init__(self, site: "Site", band: int) -> None:
        self.site = site
        self.band = band
        self.node = f"kiosk-{band}"
        self.path = site.folder / f"{self.node}.db"
        self.config: KioskConfig = msgspec.structs.replace(
            KIOSK, node=self.node, band=band, show_band=True, numbers="server"
        )
        near, far = memory_pair(self.node)
        self.near = near
        self.paper = SimPrinter()
        self.port = MemoryPrinter(self.paper, far)
        self.touches = 0

    async def start(self) -> None:
        self.clock = vtime.virtual_clock(self.site.now_ms(), seed=self.site.rng.randrange(2**32))
        self.journal = Journal(self.path, node=self.node, clock=self.clock)
        self.transport: LocalTransport = self.site.broker.transport()
        self.controller = KioskController(
            self.config,
            journal=self.journal,
            printer=backend("printer", "escpos")(self.near, name=self.node),
            pads={},
            transport=self.transport,
            clock=self.clock,
            show=lambda _: None,
            version="test",
            tz=UTC,
            printer_check_s=CHECK_S,
        )
        await self.controller.start()

    async def stop(self) -> None:
        await self.controller.stop()
        self.journal.close()

    async def take(self, letter: str) -> None:
        """Touch a tile, twice sometimes, and take what comes; a busy kiosk gives nothing."""
        if self.controller.visit.phase.value != "home":
            return
        self.touches += 1
        touch = f"{self.node}-{self.site.now_ms()}-{self.touches}"
        self.controller.tap(f"service.{letter}", touch)
        if self.site.rng.random() < 0.2:
            self.controller.tap(f"service.{letter}", touch + "b")
        phases = ("ticket", "no_slip", "closed", "home")
        await until(lambda: self.controller.visit.phase.value in phases)
        self.controller.tap("done", touch + "d")
        self.controller.tap("acknowledge", touch + "a")

    def issued(self) -> list[IssuedData]:
        """What the journal's file has, as a program that only reads sees it."""
        with sqlite3.connect(self.path) as db:
            rows = db.execute("SELECT raw FROM event WHERE type = 'ticket.issued'").fetchall()
        db.close()
        events = [decode_event(raw) for (raw,) in rows]
        return [event.data for event in events if isinstance(event, TicketIssued)]


class Site:
    """A branch with three kiosks on virtual time. ``shown`` is what the customers have."""

    def __init__(self, folder: Path, rng: random.Random) -> None:
        self.folder = folder
        self.rng = rng
        self.broker = LocalBroker()
        self.kiosks = [Kiosk(self, band) for band in (1, 2, 3)]
        self.config: BranchConfig = BRANCH

    def now_ms(self) -> int:
        return MORNING_MS + round((asyncio.get_running_loop().time() - self.began_s) * 1000)

    async def __aenter__(self) -> Self:
        self.began_s = asyncio.get_running_loop().time()
        self._way_down = AsyncExitStack()
        await self.start_server()
        self._way_down.push_async_callback(self.stop_server)
        for kiosk in self.kiosks:
            await kiosk.port.plug_in()
            self._way_down.push_async_callback(kiosk.port.unplug)
            await kiosk.start()
            self._way_down.push_async_callback(kiosk.stop)
        await until(lambda: all(k.controller.outbox.online for k in self.kiosks))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._way_down.aclose()

    async def start_server(self) -> None:
        self.store = Store(f"sqlite:///{self.folder / 'branch.db'}")
        self.transport = self.broker.transport()
        self.branch = BranchService(
            self.config,
            store=self.store,
            transport=self.transport,
            clock=vtime.virtual_clock(self.now_ms(), seed=self.rng.randrange(2**32)),
            version="test",
            tz=UTC,
        )
        await self.branch.open()

    async def stop_server(self) -> None:
        await self.branch.close()
        self.store.close()

    async def delivered(self) -> None:
        for kiosk in self.kiosks:
            await kiosk.transport.start()
        await until(lambda: not any(k.controller.outbox.unacknowledged for k in self.kiosks), 300)

    def grants(self) -> set[tuple[str, str, int]]:
        """(date, service, number) of all that the server has given."""
        with self.store.reading() as connection:
            rows = connection.execute(select(grant_table)).all()
        return {(row.business_date, row.service, row.number) for row in rows}

    @property
    def shown(self) -> list[str]:
        return [slip.number for k in self.kiosks for slip in k.paper.slips if slip.complete]

    def check(self) -> list[IssuedData]:
        """No number twice, on paper or in the journals; each is explained."""
        doubled = {number: n for number, n in Counter(self.shown).items() if n > 1}
        assert not doubled, f"on paper twice: {doubled}"
        tickets = [data for kiosk in self.kiosks for data in kiosk.issued()]
        places = Counter((t.business_date, t.number) for t in tickets)
        assert max(places.values()) == 1, [place for place, n in places.items() if n > 1]
        return tickets


def put_back(copy: Path, path: Path) -> None:
    """Restore a database from its copy, as a technician does."""
    for leftover in path.parent.glob(f"{path.name}*"):
        leftover.unlink()
    shutil.copy(copy, path)


async def cut_at_random(site: Site, kiosk: Kiosk) -> None:
    while True:
        await asyncio.sleep(site.rng.expovariate(1 / 900))
        kiosk.transport.lose()
        await asyncio.sleep(site.rng.expovariate(1 / 900))
        await kiosk.transport.start()


def test_three_kiosks_cut_off_for_eight_hours_give_no_number_twice(
    tmp_path: Path, rng: random.Random
) -> None:
    async def play() -> None:
        async with Site(tmp_path, rng) as site:
            cutting = [asyncio.create_task(cut_at_random(site, k)) for k in site.kiosks]
            ends_ms = MORNING_MS + HOURS * 3_600_000
            while site.now_ms() < ends_ms:
                letter = rng.choice("AAB")
                # Most touches are at the same instant at all three.
                crowd = site.kiosks if rng.random() < 0.6 else [rng.choice(site.kiosks)]
                await asyncio.gather(*(kiosk.take(letter) for kiosk in crowd))
                await asyncio.sleep(rng.expovariate(1 / 200))
            for task in cutting:
                task.cancel()
            await asyncio.gather(*cutting, return_exceptions=True)
            await site.delivered()

            tickets = site.check()
            assert len(tickets) > 200
            assert len(site.branch.engine.tickets) == len(tickets)
            granted = site.grants()
            for data in tickets:
                if data.band == 0:
                    assert (data.business_date, data.service, int(data.number[2:])) in granted
            for letter in "AB":
                for kiosk in site.kiosks:
                    own = [
                        int(d.number[2:])
                        for d in kiosk.issued()
                        if d.service == letter and d.band == kiosk.band
                    ]
                    assert sorted(own) == list(range(1, len(own) + 1)), "a hole in an own band"
                numbers = sorted(n for _, service, n in granted if service == letter)
                assert numbers == list(range(1, len(numbers) + 1))
            bands = Counter(data.band for data in tickets)
            assert bands[0] > 50, bands
            assert all(bands[kiosk.band] for kiosk in site.kiosks), bands

    vtime.run(play())


def test_a_restored_server_gives_nothing_twice(tmp_path: Path, rng: random.Random) -> None:
    async def play() -> None:
        async with Site(tmp_path, rng) as site:
            first, second, third = site.kiosks
            for kiosk in site.kiosks:
                await kiosk.take("A")
            await site.delivered()
            await site.stop_server()
            shutil.copy(tmp_path / "branch.db", tmp_path / "copy.db")
            await site.start_server()
            await until(lambda: all(k.controller.outbox.online for k in site.kiosks))
            second.transport.lose()
            await asyncio.sleep(5)
            await first.take("A")  # nobody has greeted for the second yet: its own band
            await second.transport.start()
            await asyncio.sleep(5)
            for _ in range(4):
                await first.take("A")
                await third.take("A")
            await site.delivered()
            third.transport.lose()
            first.transport.lose()
            await site.stop_server()
            put_back(tmp_path / "copy.db", tmp_path / "branch.db")
            await site.start_server()
            await asyncio.sleep(30)
            await second.take("A")  # it has lost nothing: only the wait for the others saves it
            assert second.issued()[-1].band == second.band
            await third.transport.start()
            await asyncio.sleep(30)
            await second.take("A")
            await third.take("A")
            await first.transport.start()
            await asyncio.sleep(60)
            for kiosk in site.kiosks:
                await kiosk.take("A")
                assert kiosk.issued()[-1].band == kiosk.band, "closed for this date"
            await site.delivered()
            site.check()
            await site.stop_server()  # the closing outlives the program
            await site.start_server()
            await asyncio.sleep(60)
            await first.take("A")
            assert first.issued()[-1].band == first.band
            await asyncio.sleep(15 * 3_600)  # past midnight
            for kiosk in site.kiosks:
                await kiosk.take("A")
            assert [k.issued()[-1].number for k in site.kiosks] == ["A0001", "A0002", "A0003"]

    vtime.run(play())


def test_a_restored_card_goes_on_above_its_numbers(tmp_path: Path, rng: random.Random) -> None:
    async def play() -> None:
        async with Site(tmp_path, rng) as site:
            kiosk = site.kiosks[0]
            kiosk.transport.lose()
            for _ in range(3):
                await kiosk.take("A")
            await site.delivered()
            await kiosk.take("A")
            await kiosk.stop()
            shutil.copy(kiosk.path, tmp_path / "card.db")
            await kiosk.start()
            await until(lambda: kiosk.controller.outbox.online)
            kiosk.transport.lose()
            for _ in range(5):
                await kiosk.take("A")
            await site.delivered()
            await kiosk.take("A")
            await site.delivered()
            await kiosk.stop()
            put_back(tmp_path / "card.db", kiosk.path)
            await kiosk.start()
            await until(lambda: kiosk.controller.outbox.online)
            kiosk.transport.lose()
            for _ in range(3):
                await kiosk.take("A")
            assert [d.number for d in kiosk.issued()][-3:] == ["A1009", "A1010", "A1011"]
            await site.delivered()
            await kiosk.take("A")
            site.check()

    vtime.run(play())
