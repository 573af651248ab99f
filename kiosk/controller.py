"""The kiosk's shell: carries out what the flow asks for, with the journal, the printer, the pads
and the feed.

A ticket is a transaction with paper: number and event are journalled together, then the slip is
printed, then the printer's word is journalled. Everything runs in one event loop. A fault of the
screen or of a device is logged and costs that one drawing or slip, never the loop.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import datetime, tzinfo

import structlog

from hal.api import Health, HealthState, Paper, PrintResult, RatingPad, TicketPrinter
from kiosk import flow
from kiosk.config import KioskConfig
from kiosk.figures import Figures
from kiosk.issuing import Issuer
from kiosk.ledger import Ledger
from kiosk.presenter import OnPaper, present
from kiosk.presses import PressKeeper
from kiosk.printing import SlipPrinter
from kiosk.view import View, Wait
from sync.clock import Clock
from sync.journal import Journal
from sync.messages import (
    ArmPad,
    Command,
    DeviceData,
    DisarmPad,
    PrintedData,
    PrintFailedData,
    QueueState,
    VoidedData,
)
from sync.outbox import Outbox
from sync.transport import Transport

IDLE_S = 45.0
RETRY_S = 5.0
"""How often a kiosk out of service looks whether it can issue again."""
PRINTER_CHECK_S = 3.0
"""Paper out or an open cover is known to staff within 5 s."""
STOP_PRINT_S = 5.0
"""How long a stop waits for a slip in print: most are out in 3 s."""
DRAIN_S = 1.0
MINUTE_MS = 60_000

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
        printer_check_s: float = PRINTER_CHECK_S,
    ) -> None:
        """``today`` gives the business date (ISO) where the calendar does not, as in a branch open
        overnight.
        """
        self._config = config
        self._printer = SlipPrinter(config, printer)
        self._clock = clock
        self._show = show
        self._tz = tz
        self._printer_check_s = printer_check_s
        self._visit = flow.first_visit(config.screen.language)
        self._on_paper: OnPaper | None = None
        self._shown: View | None = None
        self._timer: asyncio.TimerHandle | None = None
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
            on_online=lambda _: self._refresh(),
        )
        self._journal = journal
        self._issuer = Issuer(config, journal, clock, today or (lambda: f"{self._now():%Y-%m-%d}"))
        self._ledger = Ledger(journal, self.outbox.appended)
        self.presses = PressKeeper(
            journal,
            pads,
            clock,
            self.outbox.appended,
            missing=lambda counter: self._device(f"pad-{counter}", "pad", _MISSING),
        )
        for counter, pad in pads.items():
            pad.on_health(lambda health, c=counter: self._device(f"pad-{c}", "pad", health))  # type: ignore[misc]

    async def start(self) -> None:
        """Open the devices, settle what a crash left, begin to sync. A missing device is a health
        row, not an error.
        """
        await self._printer.open()
        self._device("printer", "printer", self._printer.health)
        await self.presses.start()
        self._recover()
        await self.outbox.start()
        self._spawn(self._keep_time(), "time")
        self._spawn(self._watch_printer(), "printer watch")
        self._refresh()

    async def stop(self) -> None:
        """Stop in good order; a running print is waited for (5 s at most), so that its outcome is
        journalled.
        """
        self._stopping = True
        async with AsyncExitStack() as way_down:  # last in, first out, whatever fails
            way_down.push_async_callback(self._printer.close)
            way_down.push_async_callback(self.outbox.stop)
            way_down.push_async_callback(self.outbox.drained, DRAIN_S)
            way_down.callback(self._ledger.close)
            way_down.push_async_callback(self.presses.stop)
            way_down.callback(self._stop_timer)
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
        if not self._stopping:
            self._dispatch(flow.Tapped(control, touch))

    def identify(self, segment: str) -> None:
        """A card or code named the visitor's segment; it holds for this visit."""
        if not self._stopping:
            self._dispatch(flow.Identified(segment))

    @property
    def visit(self) -> flow.Visit:
        """Where the visit is."""
        return self._visit

    # --- the flow ---------------------------------------------------------------------------

    def _dispatch(self, event: flow.Event) -> None:
        waiting: deque[flow.Event] = deque([event])
        while waiting:
            self._visit, effects = flow.step(self._visit, waiting.popleft())
            for effect in effects:
                match effect:
                    case flow.Issue(service, request, segment):
                        waiting.append(self._issue(service, request, segment))
                    case flow.PrintSlip(ticket):
                        assert self._on_paper is not None
                        self._spawn(self._print(ticket, self._on_paper), "print")
                    case flow.StartTimer(timer):
                        self._start_timer(timer)
                    case flow.StopTimer():
                        self._stop_timer()
        if self._visit.ticket is None:
            self._on_paper = None
        self._refresh()

    def _issue(self, letter: str, request: str, segment: str) -> flow.Event:
        if not self._ledger.pay():  # a slip's fate before the next ticket
            return flow.Refused("storage_full")
        event = self._issuer.issue(letter, request, segment, self._visit.language)
        if isinstance(event, flow.Issued):
            self._on_paper = OnPaper.at(self._now(), self._wait(letter))
            self.outbox.appended()
        return event

    async def _print(self, ticket: flow.Ticket, on_paper: OnPaper) -> None:
        started_ms = self._clock.mono_ms()
        result = PrintResult(Paper.UNKNOWN, "stopped")
        try:
            result = await self._printer.print(ticket, on_paper, self._visit.language)
        finally:
            self._tried_to_print(ticket, result, self._clock.mono_ms() - started_ms)

    def _tried_to_print(self, ticket: flow.Ticket, result: PrintResult, took_ms: int) -> None:
        if result.paper is Paper.PRINTED:
            printed = PrintedData(attempt=1, took_ms=took_ms)
            self._ledger.note("ticket.printed", printed, ticket.id)
            self._dispatch(flow.Printed(ticket.id))
        else:
            paper = "unknown" if result.paper is Paper.UNKNOWN else "not_printed"
            failed = PrintFailedData(attempt=1, paper=paper, cause=result.cause)  # type: ignore[arg-type]
            self._ledger.note("ticket.print_failed", failed, ticket.id)
            self._dispatch(flow.PrintFailed(ticket.id, result.cause))
        self._device("printer", "printer", self._printer.health)

    def _recover(self) -> None:
        """Settle tickets that a crash left between journal and paper: the last one is shown again
        if it is fresh, every other is void.
        """
        again = self._issuer.unconfirmed()
        alone = self._issuer.left_alone()
        for ticket_id in alone:
            if again is None or ticket_id != again.id:
                self._ledger.note("ticket.voided", VoidedData(reason="restart"), ticket_id)
        if again is None:
            return
        issued_at = datetime.fromtimestamp(again.ts / 1000, self._tz)
        self._on_paper = OnPaper.at(issued_at, Wait())
        ticket = flow.Ticket(again.id, again.data.number, again.data.service)
        self._dispatch(flow.Reshown(ticket, "restart"))
        if again.id in alone:
            failed = PrintFailedData(attempt=1, paper="unknown", cause="restart")
            self._ledger.note("ticket.print_failed", failed, again.id)

    # --- time -------------------------------------------------------------------------------

    def _start_timer(self, timer: flow.Timer) -> None:
        self._stop_timer()
        length_s = {
            flow.Timer.IDLE: IDLE_S,
            flow.Timer.TICKET: self._config.ticket_screen_s,
            flow.Timer.RETRY: RETRY_S,
        }[timer]
        if not self._stopping:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(length_s, self._time_is_up, timer)

    def _time_is_up(self, timer: flow.Timer) -> None:
        if timer is flow.Timer.RETRY and not (self._ledger.pay() and self._journal.has_room()):
            self._start_timer(timer)
            return
        self._dispatch(flow.TimedOut(timer))

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    async def _keep_time(self) -> None:
        """Draw at each full minute, and when a figure becomes too old."""
        while True:
            minute_ms = MINUTE_MS - self._clock.wall_ms() % MINUTE_MS
            stale_ms = self._figures.changes_in_ms()
            await asyncio.sleep(min(minute_ms, stale_ms or minute_ms) / 1000)
            self._refresh()

    async def _watch_printer(self) -> None:
        while True:
            await asyncio.sleep(self._printer_check_s)
            self._device("printer", "printer", await self._printer.check())

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock.wall_ms() / 1000, self._tz).astimezone(self._tz)

    # --- the branch -------------------------------------------------------------------------

    async def _serve(self, command: Command) -> None:
        if isinstance(command, ArmPad):
            await self.presses.arm(command)
        elif isinstance(command, DisarmPad):
            await self.presses.disarm(command)

    def _queue_changed(self, state: QueueState) -> None:
        """Keep the figure; the figures of one burst are drawn together."""
        self._figures.keep(state)
        if self._redraw is None:
            self._redraw = asyncio.get_running_loop().call_soon(self._refresh)

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

    def _refresh(self) -> None:
        """Draw if anything changed. A screen that fails is tried again at the next change."""
        self._redraw = None
        try:
            view = present(
                self._config,
                self._visit,
                now=self._now(),
                waits={
                    service.letter: self._wait(service.letter) for service in self._config.services
                },
                online=self.outbox.online,
                on_paper=self._on_paper,
                staff_told=False,
                full=self._issuer.full(),
            )
            if view != self._shown:
                self._shown = view
                self._show(view)
        except Exception:
            self._shown = None
            log.exception("kiosk.not_drawn", phase=self._visit.phase.value)

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
