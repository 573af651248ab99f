"""A kiosk on the bench: its own controller, journal, drivers and devices, on virtual time.

The printer, the pads, the broker and the branch server outlive the kiosk's program: it can be
killed and started again on the same files.
"""

import asyncio
import functools
import itertools
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from datetime import UTC
from pathlib import Path
from typing import Any, Self, TypeVar

import msgspec

from branch.config import (
    BranchConfig,
    BranchName as ServerName,
    CounterConfig,
    ServiceConfig as ServerService,
)
from branch.service import BranchService
from branch.store import Store
from firmware.pad import link as wire
from hal.api import ByteLink, PadBus, TicketPrinter
from hal.body import PresenceSensor
from hal.link import memory_pair
from hal.registry import backend
from hal.sim.pad import CorePad
from hal.sim.printer import SimPrinter
from hal.sim.printer_ports import MemoryPrinter
from kiosk.config import BranchName, KioskConfig, PrinterConfig, ServiceConfig
from kiosk.controller import KioskController
from kiosk.view import NoSlipView, TicketView, View
from simulator import vtime
from simulator.broker import LocalBroker, LocalTransport
from sync.clock import Clock
from sync.journal import Journal
from sync.messages import AnyEvent, decode_event

MORNING_MS = 1_795_424_400_000
"""2026-11-23 09:00 UTC, a Monday."""
DAY_MS = 86_400_000
SERVICES = [
    ServiceConfig("A", "现金", "Cash"),
    ServiceConfig("B", "非现金", "Accounts"),
    ServiceConfig("P", "长者", "A person, please", priority=True),
]
KIOSK = KioskConfig(
    node="kiosk-1",
    production=False,
    branch=BranchName(zh="示例银行", en="Sample Bank"),
    services=SERVICES,
    printer=PrinterConfig(address="tcp://127.0.0.1:9100"),
)
BRANCH = BranchConfig(
    node="branch-1",
    branch=ServerName(zh="示例银行", en="Sample Bank"),
    services=[ServerService(s.letter, s.zh, s.en, mean_service_s=120.0) for s in SERVICES],
    counters=[
        CounterConfig(1, ["A", "B", "P"], pad_node="kiosk-1"),
        CounterConfig(2, ["A", "B", "P"]),
    ],
)

_V = TypeVar("_V", bound=View)


def virtual(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run an async test on virtual time: hours cost nothing."""

    @functools.wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        vtime.run(test(*args, **kwargs))

    return run


async def until(condition: Callable[[], object], within_s: float = 30.0) -> None:
    """Wait for a condition, in virtual seconds: looks each 10 ms, after 10 s each 0.25 s."""
    loop = asyncio.get_running_loop()
    patient_s = loop.time() + 10
    async with asyncio.timeout(within_s):
        while not condition():  # noqa: ASYNC110 - of many parts
            await asyncio.sleep(0.01 if loop.time() < patient_s else 0.25)


class Bench:
    """``views`` is all that the kiosk has drawn; ``shift_ms`` sets its wall clock."""

    presence: PresenceSensor | None = None

    def __init__(
        self,
        folder: Path,
        *,
        config: KioskConfig = KIOSK,
        pads: tuple[int, ...] = (),
        callers: tuple[int, ...] = (),
        with_branch: bool = False,
        branch_config: BranchConfig = BRANCH,
        printer: TicketPrinter | None = None,
        bytes_per_s: float | None = None,
    ) -> None:
        self.folder = folder
        self.config = msgspec.structs.replace(config, data_dir=str(folder))
        self.views: list[View] = []
        self.shift_ms = 0
        self.boot = "boot-1"
        self.fails_to_draw = False
        self.broker = LocalBroker()
        self.near, self.far = memory_pair("printer")
        self.paper = SimPrinter(bytes_per_s=bytes_per_s)
        self.port = MemoryPrinter(self.paper, self.far)
        self.pad_links = {counter: memory_pair(f"pad-{counter}") for counter in pads}
        self.caller_links = {
            counter: self.pad_links.get(counter) or memory_pair(f"caller-{counter}")
            for counter in callers
        }
        self.pads: dict[int, CorePad] = {}
        self.tellers: dict[int, CorePad] = {}
        """The tellers' pads: the visitors' own where a counter has both on one board."""
        self.wire: Callable[[ByteLink], ByteLink] = lambda near: near
        self.buses: dict[str, PadBus] = {}
        self.with_branch = with_branch
        self.branch_config = branch_config
        self._given_printer = printer
        self._touches = itertools.count(1)
        self._chance = itertools.count(1)

    async def __aenter__(self) -> Self:
        self._way_down = AsyncExitStack()
        loop = asyncio.get_running_loop()
        self._began_s = loop.time()
        await self.port.plug_in()
        self._way_down.push_async_callback(self.port.unplug)
        boots = itertools.count(100)
        for counter, (_, far) in self.pad_links.items():
            self.pads[counter] = CorePad(
                far,
                now_ms=self.mono_ms,
                boot_ids=lambda: next(boots),
                unique_id=f"c0{counter:02}",
                roles=wire.RATING | (wire.CALLER if counter in self.caller_links else 0),
            )
            self._way_down.push_async_callback(self.pads[counter].stop)
        for counter, (_, far) in self.caller_links.items():
            self.tellers[counter] = self.pads.get(counter) or CorePad(
                far,
                now_ms=self.mono_ms,
                boot_ids=lambda: next(boots),
                unique_id=f"ca{counter:02}",
                roles=wire.CALLER,
            )
            self._way_down.push_async_callback(self.tellers[counter].stop)
        if self.with_branch:
            self.store = Store(f"sqlite:///{self.folder / 'branch.db'}")
            self._way_down.callback(self.store.close)
            self.branch_transport = self.broker.transport()
            await self.start_branch()
            self._way_down.push_async_callback(self._close_branch)
        return self

    async def start_branch(self) -> None:
        """Start the server's program, for the first time or again, on the same file."""
        counters = [
            msgspec.structs.replace(
                c, caller_node="kiosk-1" if c.number in self.caller_links else ""
            )
            for c in self.branch_config.counters
        ]
        self.branch = BranchService(
            msgspec.structs.replace(self.branch_config, counters=counters),
            store=self.store,
            transport=self.branch_transport,
            clock=self.clock(),
            version="test",
            tz=UTC,
        )
        await self.branch.open()

    async def _close_branch(self) -> None:
        await self.branch.close()

    async def __aexit__(self, *_: object) -> None:
        await self._way_down.aclose()

    def mono_ms(self) -> int:
        return round((asyncio.get_running_loop().time() - self._began_s) * 1000)

    def clock(self) -> Clock:
        return Clock(
            wall_ms=lambda: MORNING_MS + self.shift_ms + self.mono_ms(),
            mono_ms=self.mono_ms,
            boot=self.boot,
            random_bits=lambda _: next(self._chance),
        )

    # --- the kiosk's program ------------------------------------------------------------------

    async def start(self, *, read_only: bool = False) -> None:
        """Start the kiosk's program, for the first time or again, perhaps on a dying card."""
        clock = self.clock()
        self.journal = Journal(self.folder / "journal.db", node="kiosk-1", clock=clock)
        self.refuse_writes(read_only)
        self.transport: LocalTransport = self.broker.transport()
        serial_pad = backend("pad", "serial")
        self.drivers = {
            counter: serial_pad(
                self.wire(near), name=f"pad-{counter}", now_ms=self.mono_ms, allow_unkeyed=True
            )
            for counter, (near, _) in self.pad_links.items()
        }
        callers = {
            counter: self.drivers.get(counter)
            or serial_pad(
                self.wire(near), name=f"caller-{counter}", now_ms=self.mono_ms, allow_unkeyed=True
            )
            for counter, (near, _) in self.caller_links.items()
        }
        self.kiosk = KioskController(
            self.config,
            journal=self.journal,
            printer=self._given_printer or backend("printer", "escpos")(self.near, name="printer"),
            pads=self.drivers,
            callers=callers,
            buses=self.buses,
            transport=self.transport,
            clock=clock,
            show=self._draw,
            presence=self.presence,
            version="test",
            tz=UTC,
        )
        await self.kiosk.start()

    async def stop(self) -> None:
        """End the program in good order."""
        await self.kiosk.stop()
        self.journal.close()

    async def kill(self) -> None:
        """End it as a power cut does: nothing more is made durable, nobody is told."""
        self.transport.lose()
        self.journal.close()
        await self.kiosk.stop()

    def _draw(self, view: View) -> None:
        if self.fails_to_draw:
            raise RuntimeError("no window")
        self.views.append(view)

    # --- hands and eyes -----------------------------------------------------------------------

    @property
    def view(self) -> View:
        """What is on the screen."""
        return self.views[-1]

    def showing(self, kind: type[_V]) -> _V:
        """What is on the screen, which must be a view of this kind."""
        assert isinstance(self.view, kind), self.view
        return self.view

    def tap(self, control: str, touch: str = "") -> str:
        """Touch a control; returns the touch's name."""
        touch = touch or f"touch-{next(self._touches)}"
        self.kiosk.tap(control, touch)
        return touch

    async def take(self, letter: str = "A", *, dismiss: bool = True) -> TicketView | NoSlipView:
        """Take one ticket, as far as the screen on which the visit ends."""
        self.tap(f"service.{letter}")
        phases = ("ticket", "no_slip", "closed", "home")
        await until(lambda: self.kiosk.visit.phase.value in phases)
        view = self.view
        assert isinstance(view, TicketView | NoSlipView), view
        if dismiss:
            self.tap("done" if isinstance(view, TicketView) else "acknowledge")
        return view

    def events(self, *types: str) -> list[AnyEvent]:
        """What is journalled, as the file has it; only of these types if any are named."""
        other = Journal(self.folder / "journal.db", node="kiosk-1", clock=self.clock())
        found = [decode_event(raw) for _, raw in other.after(0, 1_000_000)]
        other.close()
        return [e for e in found if not types or e.__struct_config__.tag in types]  # type: ignore[misc]

    def story(self, *types: str) -> list[str]:
        """Types of the journalled events about tickets and ratings, in order."""
        tags = [str(e.__struct_config__.tag) for e in self.events(*types)]
        return [tag for tag in tags if not tag.startswith("device.")]

    @property
    def slips(self) -> list[str]:
        """Numbers of the whole slips that came out."""
        return [slip.number for slip in self.paper.slips if slip.complete]

    def refuse_writes(self, refused: bool = True) -> None:
        """Let the disk be read-only, as a dying card becomes, or well again."""
        self.journal._db.execute(f"PRAGMA query_only = {int(refused)}")

    def limit_pages(self, more: int | None) -> None:
        """Let the journal grow by ``more`` pages at most; None takes the limit away."""
        (pages,) = self.journal._db.execute("PRAGMA page_count").fetchone()
        limit = 1_000_000 if more is None else pages + more
        self.journal._db.execute(f"PRAGMA max_page_count = {limit}")
