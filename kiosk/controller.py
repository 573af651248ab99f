"""The kiosk's shell: carries out what the flow asks for, with the journal, the printer, the pads
and the feed.

A ticket is a transaction with paper (kiosk/paper.py): number and event are journalled together,
then that a slip is begun, then the slip is printed, then the printer's word is journalled.
Everything runs in one event loop. A fault of the screen or of a device is logged and costs that
one drawing or slip, never the loop.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from datetime import datetime, tzinfo
from functools import partial
from pathlib import Path
from secrets import randbelow

import structlog

from hal.api import (
    CallerPad,
    CardReader,
    Health,
    HealthState,
    PadBus,
    RatingPad,
    TicketPrinter,
)
from hal.body import Backlight, PresenceSensor
from kiosk import flow
from kiosk.asking import Asker
from kiosk.body_config import BacklightConfig
from kiosk.business_day import business_day, day_start
from kiosk.callers import CallerKeeper
from kiosk.cards import CardKeeper
from kiosk.clock_watch import ClockWatch
from kiosk.code_asking import CodeAsker
from kiosk.code_desk import CodeDesk
from kiosk.config import KioskConfig
from kiosk.desired import DesiredKeeper
from kiosk.figures import Figures
from kiosk.issuing import Issuer
from kiosk.ledger import Ledger
from kiosk.light import LightKeeper
from kiosk.offering import Offering
from kiosk.pad_restore import PadRestorer
from kiosk.pad_updates import PadUpdates
from kiosk.presenter import header, lets_nobody_join, present
from kiosk.presses import PressKeeper
from kiosk.printing import PaperKeeper, SlipPrinter
from kiosk.returns import Returns
from kiosk.sheets import Known
from kiosk.technician_menu import TechnicianMenu
from kiosk.view import CONTROL_REPRINT, View, Wait
from kiosk.visiting import VisitRunner
from sync.clock import Clock
from sync.configuration import Configuration
from sync.journal import Journal
from sync.messages import (
    Answer,
    ArmPad,
    CodeAnswer,
    Command,
    DeviceData,
    DisarmPad,
    NumberGrant,
    QueueState,
    ShowPad,
    TechnicianData,
    Welcome,
)
from sync.outbox import Outbox
from sync.transport import Transport

PRINTER_CHECK_S = 3.0
"""Paper out or an open cover is known to staff within 5 s."""
STOP_PRINT_S = 5.0
"""How long a stop waits for a slip in print: most are out in 3 s."""
DRAIN_S = 1.0
MINUTE_MS = 60_000
LOOK_MS = 5_000
"""How often the wall clock is looked at."""

log = structlog.get_logger()


class KioskController:
    """One kiosk. ``show`` draws a view; ``tap`` is called by the window, in the event loop."""

    def __init__(
        self,
        config: KioskConfig,
        *,
        journal: Journal,
        printer: TicketPrinter,
        pads: dict[int, RatingPad],
        transport: Transport,
        clock: Clock,
        show: Callable[[View], None],
        version: str,
        tz: tzinfo | None = None,
        today: Callable[[], str] | None = None,
        buses: Mapping[str, PadBus] | None = None,
        printer_check_s: float = PRINTER_CHECK_S,
        callers: dict[int, CallerPad] | None = None,
        card_reader: CardReader | None = None,
        restart: Callable[[], None] = lambda: None,
        presence: PresenceSensor | None = None,
        backlight: Backlight | None = None,
    ) -> None:
        """``today`` gives the business date (ISO) where the calendar does not, as in a branch open
        overnight. ``restart`` ends the program so that it is started again.
        """
        self._offering = Offering(config)
        self._printer = SlipPrinter(self._offering, printer)
        self._clock = clock
        self._show = show
        self._tz = tz
        self._printer_check_s = printer_check_s
        self._shown: View | None = None
        self._redraw: asyncio.Handle | None = None
        self._figures = Figures(clock)
        self._health: dict[str, tuple[HealthState, str]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopping = False
        self.outbox = Outbox(
            journal,
            transport,
            version=version,
            on_command=self._serve,
            on_queue=self._queue_changed,
            on_online=self._online_changed,
            on_welcome=self._welcomed,
            on_answer=self._answered,
            on_config=lambda message: self._spawn(self.updates.take(message), "configuration"),
        )
        self._journal = journal
        self._clock_watch = ClockWatch(clock, journal, self.outbox.appended)
        self._day_start = day_start(config.day_starts_at)
        self._issuer = Issuer(config, journal, clock, today or self._today)
        self._asker = Asker(self.outbox.ask, self._issuer.last_granted)
        self._code_asker = CodeAsker(self.outbox.ask)
        self._ledger = Ledger(journal, self.outbox.appended)
        self._papers = PaperKeeper(
            journal, self._ledger, clock, lambda: self._issuer.business_date
        )
        self.visits = VisitRunner(
            self._offering,
            journal=journal,
            ledger=self._ledger,
            issuer=self._issuer,
            asker=self._asker,
            codes=CodeDesk(
                self._offering,
                journal,
                self._code_asker,
                clock,
                lambda: self._issuer.business_date,
                self._local,
                Returns(Path(config.data_dir), clock, randbelow),
            ),
            papers=self._papers,
            printer=self._printer,
            outbox=self.outbox,
            clock=clock,
            clock_watch=self._clock_watch,
            tz=tz,
            now=self._now,
            wait=self._wait,
            changed=self._refresh,
            changed_soon=self._refresh_behind,
            printed=lambda: self._device("printer", "printer", self._printer.health),
            spawn=self._spawn,
            somebody=lambda: presence is not None and presence.present,
        )
        if presence is not None:
            presence.on_change(self.visits.near)
        self.technician = TechnicianMenu(
            config,
            printer=self._printer,
            devices=lambda: self._health,
            changed=self._refresh,
            spawn=self._spawn,
            restart=restart,
            entered=lambda wrong: self._ledger.note(
                "technician.entered", TechnicianData(wrong=wrong)
            ),
            now_s=lambda: clock.mono_ms() / 1000,
        )
        self.presses = PressKeeper(
            journal,
            pads,
            clock,
            self.outbox.appended,
            missing=lambda counter: self._device(
                f"pad-{counter}", "pad", _known(pads[counter].health)
            ),
            rated=self.visits.rated,
        )
        desired = DesiredKeeper(
            Path(config.data_dir),
            config.node,
            config.updates,
            frozenset(pad.chip for pad in config.pads),
        )
        self.restorer = PadRestorer(
            config, pads, desired, now_s=lambda: clock.mono_ms() / 1000, device=self._device
        )
        self.updates = PadUpdates(
            config,
            pads,
            desired,
            now_s=lambda: clock.mono_ms() / 1000,
            quiet_s=self.presses.quiet_s,
            tell=self.outbox.tell_applied,
            device=self._device,
            taken=self._configured,
        )
        self.callers = CallerKeeper(
            callers or {},
            clock,
            self.outbox.ask,
            opened_elsewhere=pads.values(),
            told=lambda counter, health: self._device(f"caller-{counter}", "pad", health),
        )
        told = partial(self._device, "card", "card")
        self.cards = CardKeeper(
            card_reader,
            Path(config.data_dir),
            self.identify,
            code=self.coded,
            told=told,
            pushed=lambda: desired.cards,
        )
        dimming = config.backlight or BacklightConfig(pin=0)
        self.light = LightKeeper(
            presence,
            backlight,
            dim_after_s=dimming.dim_after_min * 60,
            dim_level=dimming.dim_level,
            now_s=lambda: clock.mono_ms() / 1000,
            told=lambda name, health: self._device(name, name, _known(health)),
        )
        for counter, pad in pads.items():
            pad.on_health(partial(self._pad_changed, counter))
        self._buses = buses or {}
        for name, bus in self._buses.items():
            bus.on_health(lambda health, n=name: self._device(n, "bus", health))  # type: ignore[misc]

    async def start(self) -> None:
        """Open the devices, settle what a crash left, begin to sync. A missing device is a health
        row, not an error.
        """
        await self._printer.open()
        self._device("printer", "printer", self._printer.health)
        await self.presses.start()
        self.updates.start()
        self.restorer.start()
        await self.callers.start()
        await self.cards.start()
        await self.light.start()
        self.visits.recover()
        self._clock_watch.look()
        await self.outbox.start()
        self._spawn(self._keep_time(), "time")
        self._spawn(self._watch_printer(), "printer watch")
        self._refresh()

    async def stop(self) -> None:
        """Stop in good order; a running print is waited for (5 s at most), so that its outcome is
        journalled.
        """
        self._stopping = True
        self.visits.stop()
        self.technician.close()
        async with AsyncExitStack() as way_down:  # last in, first out, whatever fails
            way_down.push_async_callback(self._printer.close)
            way_down.push_async_callback(self.outbox.stop)
            way_down.push_async_callback(self.outbox.drained, DRAIN_S)
            way_down.callback(self._ledger.close)
            for bus in self._buses.values():
                way_down.push_async_callback(bus.close)
            way_down.push_async_callback(self.presses.stop)
            way_down.push_async_callback(self.updates.stop)
            way_down.push_async_callback(self.restorer.stop)
            way_down.push_async_callback(self.callers.stop)
            way_down.push_async_callback(self.cards.stop)
            way_down.push_async_callback(self.light.stop)
            printing = {task for task in self._tasks if task.get_name() == "print"}
            for task in self._tasks - printing:
                task.cancel()
            if printing:
                await asyncio.wait(printing, timeout=STOP_PRINT_S)
            for task in printing:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            if self._redraw is not None:
                self._redraw.cancel()

    def tap(self, control: str, touch: str) -> None:
        """A control was touched; ``touch`` is unique for the touch."""
        self.light.touched()
        if self._stopping or self.technician.takes(control, self.visit):
            return
        if control == CONTROL_REPRINT and not self._printer.able:
            return  # it went while the finger came: the only reprint is not spent on that
        if lets_nobody_join(control, self._shown):
            return  # the same: the tile says why by now
        self.visits.dispatch(flow.Tapped(control, touch))

    def identify(self, segment: str) -> None:
        """A card or code named the visitor's segment; it holds for this visit."""
        if not self._stopping and not self.technician.is_open:
            self.visits.dispatch(flow.Identified(segment))

    def guide(self, on: bool) -> None:
        """A key of the audio guide was pressed, or none for long."""
        if not self._stopping:
            self.visits.dispatch(flow.Guided(on))

    def device_changed(self, device: str, kind: str, health: Health) -> None:
        """The health of a device that another part of the kiosk's program has."""
        self._device(device, kind, health)

    def coded(self, code: str) -> None:
        """A code of the branch was held to the reader."""
        if not self._stopping and not self.technician.is_open:
            self.visits.dispatch(flow.Coded(code))

    @property
    def _config(self) -> KioskConfig:
        return self._offering.config

    @property
    def visit(self) -> flow.Visit:
        """Where the visit is."""
        return self.visits.visit

    # --- time -------------------------------------------------------------------------------

    async def _keep_time(self) -> None:
        """Draw at each full minute, and when a figure becomes too old or the clock was moved."""
        while True:
            minute_ms = MINUTE_MS - self._clock.wall_ms() % MINUTE_MS
            stale_ms = self._figures.changes_in_ms()
            await asyncio.sleep(min(minute_ms, stale_ms or minute_ms, LOOK_MS) / 1000)
            self._clock_watch.look()
            self._refresh()

    async def _watch_printer(self) -> None:
        while True:
            await asyncio.sleep(self._printer_check_s)
            self._device("printer", "printer", await self._printer.check())
            self._refresh()  # whether a slip can be printed again

    def _today(self) -> str:
        return business_day(self._now(), self._day_start)

    def _now(self) -> datetime:
        return self._local(self._clock.wall_ms())

    def _local(self, at_ms: int) -> datetime:
        return datetime.fromtimestamp(at_ms / 1000, self._tz).astimezone(self._tz)

    # --- the branch -------------------------------------------------------------------------

    def _answered(self, answer: Answer) -> None:
        if isinstance(answer, NumberGrant):
            self._asker.granted(answer)
        elif isinstance(answer, CodeAnswer):
            self._code_asker.answered(answer)
        else:
            self.callers.answered(answer)

    def _welcomed(self, welcome: Welcome, sent_ms: int) -> None:
        self._clock.welcomed(welcome, sent_ms)
        self._asker.welcomed()
        self._issuer.raise_numbers(welcome.numbers)

    async def _serve(self, command: Command) -> None:
        if isinstance(command, ArmPad):
            await self.presses.arm(command)
        elif isinstance(command, DisarmPad):
            await self.presses.disarm(command)
        elif isinstance(command, ShowPad):
            self.callers.show(command)

    def _configured(self, configuration: Configuration) -> None:
        self._offering.want(configuration.offer)
        self.visits.renew()
        self._refresh()

    def _online_changed(self, online: bool) -> None:
        if online:
            self.updates.connected()
        else:
            self.callers.offline()
        self._refresh()

    def _queue_changed(self, state: QueueState) -> None:
        """Keep the figure; the figures of one burst are drawn together."""
        self._figures.keep(state)
        self._refresh_soon()

    def _full(self) -> frozenset[str]:
        """Services without a number: of our own bands, and of the server's while it is there."""
        full = self._issuer.full()
        if full and self.visits.server_numbers:
            date = self._issuer.business_date
            full = frozenset(letter for letter in full if self._asker.is_exhausted(date, letter))
        return full | self._issuer.limited()

    def _joining(self) -> dict[str, str]:
        """The branch's word on new tickets, while it can be heard."""
        letters = [s.letter for s in self._config.services] if self.outbox.online else []
        return {letter: self._figures.joining(letter) for letter in letters}

    def _wait(self, letter: str) -> Wait:
        return self._figures.wait(letter) if self.outbox.online else Wait()

    def _device(self, device: str, kind: str, health: Health) -> None:
        """Journal a change of health; a device that we put down ourselves has not changed."""
        known = (health.state, health.detail)
        if self._stopping or self._health.get(device) == known:
            return
        self._health[device] = known
        data = DeviceData(device=device, kind=kind, state=health.state.value, detail=health.detail)
        self._ledger.note("device.changed", data)

    def _pad_changed(self, counter: int, health: Health) -> None:
        shown = self.restorer.health_of(counter, health)
        self._device(f"pad-{counter}", "pad", shown)

    def _refresh_soon(self) -> None:
        """Draw what is told in one turn of the loop once."""
        if self._redraw is None:
            self._redraw = asyncio.get_running_loop().call_soon(self._refresh)

    def _refresh_behind(self) -> None:
        """Draw behind what is begun by now, even where a drawing stands before it already."""
        if self._redraw is not None:
            self._redraw.cancel()
        self._redraw = asyncio.get_running_loop().call_soon(self._refresh)

    def _refresh(self) -> None:
        """Draw if anything changed. A screen that fails is tried again at the next change."""
        self._redraw = None
        try:
            language, now = self.visits.visit.language, self._now()
            view = self.technician.view(language, header(self._config, now)) or present(
                self._config,
                self.visits.visit,
                now=now,
                waits={
                    service.letter: self._wait(service.letter) for service in self._config.services
                },
                online=self.outbox.online,
                on_paper=self.visits.on_paper,
                staff_told=False,
                printer_able=self._printer.able,
                full=self._full(),
                joining=self._joining(),
                known=Known(
                    self._config.branch.complaints_phone,
                    self._figures.promises(self._config.services),
                ),
                clock_known=self._clock.stamp().quality != "none",
            )
            if view != self._shown:
                self._shown = view
                self._show(view)
        except Exception:
            self._shown = None
            log.exception("kiosk.not_drawn", phase=self.visits.visit.phase.value)

    def _spawn(self, work: Awaitable[None], name: str) -> None:
        task = asyncio.ensure_future(work)
        task.set_name(name)
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("kiosk.task_failed", task=task.get_name(), exc_info=task.exception())


_MISSING = Health(HealthState.LOST, "unavailable")


def _known(health: Health) -> Health:
    """Health of a pad whose link cannot be opened: what it says itself, if anything."""
    return _MISSING if health.state is HealthState.UNKNOWN else health
