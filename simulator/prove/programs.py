"""The programs of a stand, as processes that may be killed at any instruction: the kiosk's real
controller, journal, outbox and printer driver; the branch server's real service, store and ingest.

Left out: the kiosk's window (a view counts as seen when ``show`` has told it to the stand, before
``show`` returns) and the server's web pages (tellers' commands come over the control line).

A start costs a fork: ``python -m simulator.prove.programs zygote`` has imported everything and
opened nothing, and makes a child of each line of settings. ``python -m simulator.prove.programs
run SETTINGS`` is the same program in a fresh interpreter, for a start behind a prefix command.

Each program dies with the stand: by PR_SET_PDEATHSIG, and when its control line ends.
"""

import asyncio
import ctypes
import gc
import os
import random
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable
from datetime import UTC
from pathlib import Path
from typing import Any

import msgspec

from branch.cli import build_service
from branch.config import (
    BranchConfig,
    BranchName as BranchTitle,
    CounterConfig,
    ServiceConfig as BranchServiceConfig,
)
from branch.errors import NotStored
from branch.service import BranchService
from branch.store import Store
from branch.view import CommandRefused
from kiosk.buses import Buses
from kiosk.cli import build_devices, transport_for
from kiosk.config import BranchName, KioskConfig, PrinterConfig, ServiceConfig
from kiosk.controller import KioskController
from kiosk.view import (
    CONTROL_ACKNOWLEDGE,
    CONTROL_DONE,
    CONTROL_NO_SLIP,
    CONTROL_REPRINT,
    HomeView,
    NoSlipView,
    OutOfServiceView,
    Printing,
    TicketView,
    View,
)
from sync import crashpoint, mqtt
from sync.clock import Clock, ask_machine, kept, system_clock
from sync.journal import Journal
from sync.logs import configure_logging
from sync.settings import BrokerConfig

SERVICES = {
    "A": ("现金业务", "Cash"),
    "B": ("非现金业务", "Cards"),
    "C": ("对公业务", "Business"),
    "D": ("理财与贷款", "Advice"),
    "P": ("需要人工", "A person, please"),
}
COUNTERS = (1, 2, 3)
VERSION = "proof"
DOUBLE_TOUCH = 0.1
"""Share of visitors who touch twice."""
NOT_TAKEN, REPRINT = 0.15, 0.6
"""Share of visitors who say that no slip came out, and of those without one who ask for another,
whether or not the screen offers it.
"""
REPORT_S = 0.02
PR_SET_PDEATHSIG = 1
KEEPALIVE_VARIABLE = "LOBBY_PROVE_KEEPALIVE_S"
"""Seconds after which MQTT asks whether the other end is there, for a proof that cannot wait."""


class KioskSettings(msgspec.Struct, tag="kiosk", frozen=True):
    """One start of a kiosk. ``control`` is the stand's socket, ``token`` names this start."""

    node: str
    control: str
    token: str
    log: str
    data_dir: str
    broker_host: str
    broker_port: int
    crash: str
    crash_log: str
    printer: str
    band: int
    spare_bands: list[int]
    today: str
    seed: int
    pace_ms: float = 0.0


class BranchSettings(msgspec.Struct, tag="branch", frozen=True):
    """One start of the branch server."""

    node: str
    control: str
    token: str
    log: str
    data_dir: str
    broker_host: str
    broker_port: int
    crash: str
    crash_log: str


Settings = KioskSettings | BranchSettings
_decoder = msgspec.json.Decoder(Settings)


class Control:
    """The line to the stand, one JSON object a line each way.

    What ``say`` has returned from is in the stand's buffer: it outlives this process.
    """

    def __init__(self, path: str, token: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(path)
        self._rest = b""
        self._on_command: Callable[[dict[str, Any]], None] = lambda _: None
        self.say(did="started", token=token, pid=os.getpid())

    def say(self, **fields: Any) -> None:
        """Tell the stand. Without the stand there is nothing to live for."""
        try:
            self._socket.sendall(msgspec.json.encode(fields) + b"\n")
        except OSError:
            os._exit(1)

    def listen(self, on_command: Callable[[dict[str, Any]], None]) -> None:
        """Pass each command on, in the event loop."""
        self._on_command = on_command
        asyncio.get_running_loop().add_reader(self._socket.fileno(), self._readable)

    def _readable(self) -> None:
        # The socket stays blocking: `say` must not return before the line is out.
        try:
            data = self._socket.recv(65_536, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            os._exit(1)
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._on_command(msgspec.json.decode(line))


class Visitors:
    """People in front of a kiosk, one after the other: each takes a ticket and looks at it."""

    def __init__(self, settings: KioskSettings, control: Control) -> None:
        self._control = control
        self._chance = random.Random(settings.seed)
        self._pace_s = settings.pace_ms / 1000
        self._view: View | None = None
        self._new_view = asyncio.Event()
        self._touches = 0
        self._name = f"{settings.node}-{settings.token}"
        self.paused = False

    def show(self, view: View) -> None:
        """What the screen shows is seen: the stand has it before this returns."""
        self._view = view
        self._new_view.set()
        match view:
            case TicketView(number=number, printing=printing):
                self._control.say(did="shown", screen="ticket", number=number, printing=printing)
            case NoSlipView(number=number, cause=cause):
                self._control.say(did="shown", screen="no_slip", number=number, cause=cause)
            case OutOfServiceView(code=code):
                self._control.say(did="shown", screen="out_of_service", code=code)

    @property
    def at_home(self) -> bool:
        """Whether the first screen is up: no ticket is under way."""
        return isinstance(self._view, HomeView)

    async def come(self, tap: Callable[[str, str], None]) -> None:
        """Visit after visit, for ever."""
        while True:
            self._new_view.clear()
            match self._view:
                case HomeView():
                    if self._pace_s:
                        await asyncio.sleep(self._chance.uniform(0, 2 * self._pace_s))
                    if self.at_home and not self.paused:
                        self._take_ticket(tap)
                case TicketView(printing=Printing.DONE):
                    missing = self._chance.random() < NOT_TAKEN
                    tap(CONTROL_NO_SLIP if missing else CONTROL_DONE, self._touch())
                case NoSlipView():
                    again = self._chance.random() < REPRINT
                    tap(CONTROL_REPRINT if again else CONTROL_ACKNOWLEDGE, self._touch())
                case _:
                    pass
            try:
                async with asyncio.timeout(0.05):
                    await self._new_view.wait()
            except TimeoutError:
                continue

    def _take_ticket(self, tap: Callable[[str, str], None]) -> None:
        letter = self._chance.choice(list(SERVICES))
        for _ in range(1 + (self._chance.random() < DOUBLE_TOUCH)):
            touch = self._touch()
            self._control.say(did="tapped", touch=touch)
            tap(f"service.{letter}", touch)

    def _touch(self) -> str:
        self._touches += 1
        return f"{self._name}-{self._touches}"


def kiosk_config(settings: KioskSettings) -> KioskConfig:
    """The kiosk's configuration as its file would say it."""
    return KioskConfig(
        node=settings.node,
        production=False,
        branch=BranchName("示例银行", "Sample Bank"),
        services=[
            ServiceConfig(letter, zh, en, priority=letter == "P")
            for letter, (zh, en) in SERVICES.items()
        ],
        printer=PrinterConfig(settings.printer),
        data_dir=settings.data_dir,
        band=settings.band,
        show_band=True,
        spare_bands=settings.spare_bands,
        broker=BrokerConfig(settings.broker_host, settings.broker_port),
    )


def kiosk_clock() -> Clock:
    """The machine's clock. LOBBY_PROOF_BOOT, as ``NAME:MS``, makes the kiosk another machine: a
    boot of this name, whose count is ``MS`` ahead of ours.
    """
    clock = system_clock()
    boot, _, ahead_ms = os.environ.get("LOBBY_PROOF_BOOT", "").partition(":")
    if not boot:
        return clock
    mono_ms = clock.mono_ms
    other = Clock(
        wall_ms=lambda: time.time_ns() // 1_000_000,
        mono_ms=lambda: mono_ms() + int(ahead_ms),
        boot=boot,
    )
    return kept(other, ask_machine)


async def run_kiosk(settings: KioskSettings, control: Control) -> None:
    """A kiosk, until it is told to stop. Commands: arm, pause, go, backlog, stop."""
    stop = asyncio.Event()
    visitors = Visitors(settings, control)
    config = kiosk_config(settings)
    clock = kiosk_clock()
    controller: KioskController | None = None

    def command(told: dict[str, Any]) -> None:
        match told["do"]:
            case "arm":
                crashpoint.arm(told["at"], settings.crash_log)
            case "pause":
                visitors.paused = True
            case "go":
                visitors.paused = False
            case "backlog":
                behind = -1 if controller is None else controller.outbox.unacknowledged
                control.say(did="backlog", events=behind, at_home=visitors.at_home)
            case "stop":
                stop.set()

    control.listen(command)
    journal = Journal(Path(settings.data_dir) / "journal.db", node=settings.node, clock=clock)
    buses = Buses(config)
    printer, pads, callers = build_devices(config, clock, buses)
    controller = KioskController(
        config,
        journal=journal,
        printer=printer,
        pads=pads,
        callers=callers,
        buses=buses.by_name,
        transport=transport_for(config),
        clock=clock,
        show=visitors.show,
        version=VERSION,
        tz=UTC,
        today=(lambda: settings.today) if settings.today else None,
    )
    await controller.start()
    control.say(did="up")
    coming = asyncio.create_task(visitors.come(controller.tap))
    await stop.wait()
    coming.cancel()
    await controller.stop()
    journal.close()
    control.say(did="stopped")


def branch_config(settings: BranchSettings) -> BranchConfig:
    """The server's configuration as its file would say it."""
    return BranchConfig(
        node=settings.node,
        branch=BranchTitle("示例银行", "Sample Bank"),
        services=[BranchServiceConfig(letter, zh, en) for letter, (zh, en) in SERVICES.items()],
        counters=[CounterConfig(number, list(SERVICES)) for number in COUNTERS],
        database=f"sqlite:///{Path(settings.data_dir) / 'branch.db'}",
        broker=BrokerConfig(settings.broker_host, settings.broker_port),
    )


async def run_branch(settings: BranchSettings, control: Control) -> None:
    """A branch server, until it is told to stop. Commands: arm, teller, health, stop."""
    stop = asyncio.Event()
    config = branch_config(settings)
    asked: set[asyncio.Task[None]] = set()
    service: BranchService | None = None

    def command(told: dict[str, Any]) -> None:
        match told["do"]:
            case "arm":
                crashpoint.arm(told["at"], settings.crash_log)
            case "teller" if service is not None:
                task = asyncio.create_task(_serve_teller(service, told, control))
                asked.add(task)
                task.add_done_callback(asked.discard)
            case "health" if service is not None:
                told_health = service.health()
                control.say(did="health", ok=told_health["ok"], store=told_health["store"])
            case "stop":
                stop.set()

    control.listen(command)
    store = Store(config.database)
    service = build_service(config, store, VERSION)
    await service.open()
    control.say(did="up")
    reporting = asyncio.create_task(_report(service, control))
    await stop.wait()
    reporting.cancel()
    await service.close()
    control.say(did="counters", **_counters(service))
    store.close()
    control.say(did="stopped")


async def _serve_teller(service: BranchService, told: dict[str, Any], control: Control) -> None:
    """Carry out one command of a teller; what the teller is told is told after the commit."""
    key = told["key"]
    carry_out = {
        "call": service.call_next,
        "start": service.start,
        "miss": service.miss,
        "finish": service.finish,
    }[told["command"]]
    try:
        view = await carry_out(told["counter"], key)
    except (CommandRefused, NotStored) as error:
        code = error.code if isinstance(error, CommandRefused) else "not_stored"
        control.say(did="refused", key=key, code=code)
    else:
        control.say(did="answered", key=key, number=view.number, state=view.state)


def _counters(service: BranchService) -> dict[str, int]:
    told = service.health()
    return {name: value for name, value in told.items() if type(value) is int}


async def _report(service: BranchService, control: Control) -> None:
    """Tell the counters whenever they have changed: they die with the process."""
    last: dict[str, int] = {}
    while True:
        now = _counters(service)
        if now != last:
            last = now
            control.say(did="counters", **now)
        await asyncio.sleep(REPORT_S)


def run(settings: Settings) -> None:
    """Be the program of these settings, from its first instruction to its last."""
    die_with_parent()
    log = os.open(settings.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(log, 2)
    configure_logging(quiet=True)
    control = Control(settings.control, settings.token)
    crashpoint.arm(settings.crash, settings.crash_log)
    mqtt.KEEPALIVE_S = int(os.environ.get(KEEPALIVE_VARIABLE, mqtt.KEEPALIVE_S))
    Path(settings.data_dir).mkdir(parents=True, exist_ok=True)
    if isinstance(settings, KioskSettings):
        asyncio.run(run_kiosk(settings, control))
    else:
        asyncio.run(run_branch(settings, control))


def die_with_parent() -> None:
    """Be killed by the kernel when the parent dies, however that dies."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def be_zygote() -> None:
    """Fork a program for each line of settings on standard input, until it ends."""
    die_with_parent()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for them: the kernel reaps
    gc.freeze()
    for line in sys.stdin.buffer:
        if os.fork() == 0:
            status = 1
            try:
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                os.close(0)
                os.open(os.devnull, os.O_RDONLY)
                run(_decoder.decode(line))
                status = 0
            except Exception:  # noqa: BLE001 - the child must not go on as the zygote
                traceback.print_exc()
            finally:
                os._exit(status)


def main(arguments: list[str]) -> None:
    """``zygote``, or ``run`` and the settings."""
    if arguments[0] == "zygote":
        be_zygote()
    else:
        run(_decoder.decode(arguments[1]))


if __name__ == "__main__":
    main(sys.argv[1:])
