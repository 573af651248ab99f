"""A kiosk, its branch server and its printer on virtual time, for ``lobby prove paper``: the real
controller, journal, driver, outbox, service and store; visitors who look at the screen and into
the tray; a hand that breaks the printer and mends it.
"""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC
from pathlib import Path

from branch.config import (
    BranchConfig,
    BranchName as ServerName,
    CounterConfig,
    ServiceConfig as ServerService,
)
from branch.service import BranchService
from branch.store import Store
from hal.api import TicketPrinter
from hal.link import memory_pair
from hal.registry import backend
from hal.sim.paper import PrintedSlip
from hal.sim.printer import SimPrinter
from hal.sim.printer_ports import MemoryPrinter
from kiosk.config import BranchName, KioskConfig, PrinterConfig, ScreenConfig, ServiceConfig
from kiosk.controller import KioskController
from kiosk.view import (
    CONTROL_ACKNOWLEDGE,
    CONTROL_DONE,
    CONTROL_NO_SLIP,
    CONTROL_REPRINT,
    HomeView,
    NoSlipView,
    Printing,
    TicketView,
    View,
)
from simulator.broker import LocalBroker
from simulator.errors import SimulatorError
from simulator.prove.paper_wire import PLACES, PrinterWire
from simulator.vtime import virtual_clock
from sync.journal import Journal

KIOSK = "kiosk-1"
DATE = "2026-11-23"
BEGAN_MS = 1_795_392_000_000  # 2026-11-23 00:00 UTC
VERSION = "proof"
STUCK_S = 90.0
"""Longer than any screen stays by itself, and than every limit of a driver together."""
DRAIN_S = 30.0
LOOKS_S = (0.5, 8.0)
"""How long a visitor reads a screen before he touches it."""
COMES_S = (0.0, 6.0)
CLAIMS = 0.15
"""Share of visitors with a slip in the tray who say that there is none."""
WANTS_REPRINT = 0.6
LINES = (1, 9)
"""After so many printed lines of a slip of ten or more."""
MENDED_S = {"soon": (0.1, 1.5), "shown": (3.0, 9.0), "late": (15.0, 40.0)}
START_S = (1.0, 2.0)
"""What a printer needs from power to its first byte. What comes meanwhile is lost: where a line
held it back, the rest of a slip would follow a restart, and its GS r be answered.
"""
FAULTS = (
    "paper_out",
    "near_end",
    "cover",
    "cutter",
    "unplugged",
    "power_cut",
    "switched_off",
    "mute",
    "deaf",
)
STEPS = ("before", *PLACES[:3], "line", *PLACES[3:], "shown")
"""``before``: while nobody is there or just as the finger comes; ``line``: after some printed
line; ``shown``: the slip is out and the screen says so. The others: see paper_wire.
"""


@dataclass(frozen=True, slots=True)
class Round:
    """One visitor, one fault. ``attempt`` 2: it meets the reprint."""

    fault: str
    step: str
    attempt: int
    mended: str


@dataclass(frozen=True, slots=True)
class Make:
    """A make of printer: whether it knows a command that empties its buffer, its line, its paper
    (a profile of kiosk.toml).
    """

    name: str
    clears: bool = True
    bytes_per_s: float | None = None
    profile: str = "generic-80"


MAKES = (
    Make("usb"),
    Make("usb, cannot clear", clears=False, profile="tm-t88"),
    Make("115200 baud", bytes_per_s=11_520, profile="generic-58"),
    Make("9600 baud, cannot clear", clears=False, bytes_per_s=960),
)


@dataclass(frozen=True, slots=True)
class Broken:
    """When what was broken, and mended, in ms of the wall clock."""

    fault: str
    at_ms: int
    mended_ms: int


@dataclass(slots=True)
class Seen:
    """What visitors did and saw, in order; all that the count knows besides the ledgers."""

    tapped: list[str] = field(default_factory=list)
    shown: list[str] = field(default_factory=list)
    acknowledged: list[str] = field(default_factory=list)
    paper: list[tuple[str, tuple[str, ...], bool]] = field(default_factory=list)
    """Number in large print, all lines, whether the piece is whole."""
    broken: list[Broken] = field(default_factory=list)
    not_met: int = 0
    """Rounds in which the place of the fault was not reached."""
    reprints_asked: int = 0


Printers = Callable[..., TicketPrinter]


class Hall:
    """One kiosk and its visitors, for some rounds."""

    def __init__(self, folder: Path, make: Make, printers: Printers, seed: int) -> None:
        self.folder = folder
        self.seen = Seen()
        self._chance = random.Random(seed)
        self._seed = seed
        self._make = make
        self._printers = printers
        self._view: View | None = None
        self._news = asyncio.Event()
        self._mending: asyncio.Future[None] | None = None
        self._line = 0
        self._held: set[str] = set()

    async def run(self, rounds: list[Round]) -> Seen:
        """From the first visitor to the evening. Raises SimulatorError."""
        self.folder.mkdir(parents=True)
        self._clock = virtual_clock(BEGAN_MS, self._seed)
        near, far = memory_pair("printer")
        make = self._make
        profile = backend("printer_profile", make.profile)
        self._sim = SimPrinter(
            on_slip=self._take,
            dots_wide=profile.dots_wide,
            clears=make.clears,
            bytes_per_s=make.bytes_per_s,
        )
        self._wire = PrinterWire(far, self._chance)
        self._port = MemoryPrinter(self._sim, self._wire)
        broker = LocalBroker()
        journal = Journal(self.folder / "journal.db", node=KIOSK, clock=self._clock)
        store = Store(f"sqlite:///{self.folder / 'branch.db'}")
        branch = BranchService(
            _branch(), store=store, transport=broker.transport(), clock=self._clock,
            version=VERSION, tz=UTC,
        )  # fmt: skip
        self._kiosk = KioskController(
            _kiosk(), journal=journal, pads={},
            printer=self._printers(near, name="printer", profile=profile),
            transport=broker.transport(), clock=self._clock, show=self._show, version=VERSION,
            tz=UTC, today=lambda: DATE,
        )  # fmt: skip
        await self._port.plug_in()
        await branch.open()
        await self._kiosk.start()
        try:
            for number, planned in enumerate(rounds):
                await self._visit(number, planned)
            if not await self._kiosk.outbox.drained(DRAIN_S):
                raise SimulatorError("the branch did not acknowledge every event of the kiosk")
        finally:
            await self._kiosk.stop()
            await branch.close()
            await self._port.unplug()
            journal.close()
            store.close()
        return self.seen

    # --- a visitor --------------------------------------------------------------------------

    async def _visit(self, number: int, planned: Round) -> None:
        chance = self._chance
        await self._until(lambda: isinstance(self._view, HomeView))
        await asyncio.sleep(chance.uniform(*COMES_S))
        if planned.attempt == 1:
            await self._prepare(planned)
        touch = f"touch-{number}"
        self.seen.tapped.append(touch)
        self._kiosk.tap(f"service.{chance.choice('ABP')}", touch)
        await self._settled()
        if planned.attempt == 2:
            await self._ask_again(planned)
        while not isinstance(self._view, HomeView):
            await self._act(planned)
        self._wire.disarm()
        self._sim.at_line(self._line, lambda: None)
        if self._mending is None:
            self.seen.not_met += 1
        else:
            await self._mending
            self._mending = None

    async def _act(self, planned: Round) -> None:
        view, chance = self._view, self._chance
        if isinstance(view, TicketView):
            if planned.step == "shown":
                self._break(planned)
            await asyncio.sleep(chance.uniform(*LOOKS_S))
            has_slip = view.number in self._held
            claims = chance.random() < (0.7 if planned.step == "shown" else CLAIMS)
            self._kiosk.tap(CONTROL_NO_SLIP if claims or not has_slip else CONTROL_DONE, "look")
            return
        await asyncio.sleep(chance.uniform(*LOOKS_S))
        view = self._view
        if not isinstance(view, NoSlipView):
            return
        if view.may_reprint and chance.random() < WANTS_REPRINT:
            self.seen.reprints_asked += 1
            self._kiosk.tap(CONTROL_REPRINT, "again")
            await self._settled()
            return
        self.seen.acknowledged.append(view.number)
        self._kiosk.tap(CONTROL_ACKNOWLEDGE, "have it")

    async def _ask_again(self, planned: Round) -> None:
        """Bring the visit to its reprint, with the hand ready."""
        if isinstance(self._view, TicketView):
            self._kiosk.tap(CONTROL_NO_SLIP, "none")
        await asyncio.sleep(0.5)
        view = self._view
        if not (isinstance(view, NoSlipView) and view.may_reprint):
            return
        await self._prepare(planned)
        self.seen.reprints_asked += 1
        self._kiosk.tap(CONTROL_REPRINT, "again")
        await self._settled()

    async def _settled(self) -> None:
        """Until the kiosk says what came of the slip."""

        def settled() -> bool:
            view = self._view
            printing = isinstance(view, TicketView) and view.printing is Printing.RUNNING
            return not printing and self._kiosk.visit.phase.value != "printing"

        await self._until(settled)

    async def _until(self, true: Callable[[], bool]) -> None:
        try:
            async with asyncio.timeout(STUCK_S):
                while not true():
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            raise SimulatorError(
                f"the kiosk stands still for {STUCK_S:g} s: {self._view}"
            ) from None

    def _show(self, view: View) -> None:
        self._view = view
        self._news.set()
        if isinstance(view, TicketView | NoSlipView) and self.seen.shown[-1:] != [view.number]:
            self.seen.shown.append(view.number)

    def _take(self, slip: PrintedSlip) -> None:
        self.seen.paper.append((slip.number, slip.lines, slip.complete))
        if slip.complete:
            self._held.add(slip.number)

    # --- the hand ---------------------------------------------------------------------------

    async def _prepare(self, planned: Round) -> None:
        self._line = self._chance.randint(*LINES)
        match planned.step:
            case "before":
                self._break(planned)
                await asyncio.sleep(self._chance.choice((0.0, self._chance.uniform(0, 7))))
            case "line":
                self._sim.at_line(self._line, lambda: self._break(planned))
            case "shown":
                pass
            case place:
                self._wire.at(place, lambda: self._break(planned))

    def _break(self, planned: Round) -> None:
        if self._mending is None:
            at_ms = self._clock.wall_ms()
            self._mending = asyncio.ensure_future(self._broken(planned, at_ms))
            self._at_once(planned.fault)

    def _at_once(self, fault: str) -> None:
        match fault:
            case "paper_out":
                self._sim.paper_out()
            case "near_end":
                self._sim.paper_near_end()
            case "cover":
                self._sim.open_cover()
            case "cutter":
                self._sim.jam_cutter()
            case "power_cut" | "switched_off":
                self._off(deaf=True, mute=True)
            case "mute":
                self._off(mute=True)
            case "deaf":
                self._off(deaf=True)

    def _off(self, *, deaf: bool = False, mute: bool = False) -> None:
        self._wire.deaf, self._wire.mute = deaf, mute

    async def _broken(self, planned: Round, at_ms: int) -> None:
        """Stay broken for a while, then be mended."""
        if planned.fault == "unplugged":
            await self._port.unplug()
        off_s = self._chance.uniform(*MENDED_S[planned.mended])
        if planned.fault in ("power_cut", "switched_off"):
            start_s = self._chance.uniform(*START_S)
            off_s = start_s if planned.fault == "power_cut" else off_s + start_s
        await asyncio.sleep(off_s)
        sim = self._sim
        self._off()
        match planned.fault:
            case "paper_out" | "near_end":
                sim.load_paper()
            case "cover":
                sim.close_cover()
            case "cutter":
                sim.free_cutter()
            case "unplugged":
                await self._port.plug_in()
            case "switched_off" | "power_cut":
                sim.power_cycle()
        self.seen.broken.append(Broken(planned.fault, at_ms, self._clock.wall_ms()))


def _kiosk() -> KioskConfig:
    return KioskConfig(
        node=KIOSK,
        production=False,
        branch=BranchName("示例银行", "Sample Bank", public_url="http://192.0.2.1"),
        services=[
            ServiceConfig("A", "现金业务", "Cash"),
            ServiceConfig("B", "非现金业务", "Cards"),
            ServiceConfig("P", "需要人工", "A person, please", priority=True),
        ],
        printer=PrinterConfig(address="tcp://127.0.0.1:9100"),
        screen=ScreenConfig(language="zh_CN"),
    )


def _branch() -> BranchConfig:
    return BranchConfig(
        node="branch-1",
        branch=ServerName("示例银行", "Sample Bank"),
        services=[
            ServerService("A", "现金业务", "Cash"),
            ServerService("B", "非现金业务", "Cards"),
            ServerService("P", "需要人工", "A person, please"),
        ],
        counters=[CounterConfig(1, ["A", "B", "P"])],
    )
