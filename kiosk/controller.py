"""The kiosk's shell: carries out what the flow asks for, with the journal, the printer, the pads
and the feed.

A ticket is a transaction with paper: number and event are journalled together, then the slip is
printed,
then the printer's word is journalled. Everything runs in one event loop.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from datetime import datetime, tzinfo

import structlog

from hal.api import Health, HealthState, Paper, PrintResult, RatingPad, Slip, TicketPrinter
from hal.errors import HalError
from kiosk import flow
from kiosk.config import KioskConfig
from kiosk.numbering import NumbersExhausted, business_date, display, next_number
from kiosk.presenter import OnPaper, names, present, reference, ticket_page
from kiosk.presses import PressKeeper
from kiosk.slip import build_slip
from kiosk.view import View, Wait
from sync.clock import Clock
from sync.errors import JournalFull
from sync.journal import Journal
from sync.messages import (
    ArmPad,
    Command,
    DeviceData,
    DisarmPad,
    IssuedData,
    Payload,
    PrintedData,
    PrintFailedData,
    QueueState,
    TicketIssued,
    VoidedData,
)
from sync.outbox import Outbox
from sync.transport import Transport

IDLE_S = 45.0
RETRY_S = 5.0
"""How long "out of service" stands before the kiosk tries again."""
QUEUE_STALE_MS = 90_000
"""The retained queue messages expire after 90 s: older figures are unknown."""
RESHOW_MS = 60_000
"""A ticket issued without a confirmed slip is shown again after a restart within this time, else
voided.
"""
PRINTER_CHECK_S = 3.0
"""Paper out or an open cover is known to staff within 5 s."""
OWED_RETRY_S = 1.0
REFRESH_S = 5.0
"""How late the screen may notice that a figure went stale; the minute itself is shown on time."""
SEGMENT_ORDINARY, SEGMENT_PRIORITY = "ordinary", "priority"

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
        self._journal = journal
        self._printer = printer
        self._clock = clock
        self._show = show
        self._tz = tz
        self._today = today or (lambda: f"{self._now():%Y-%m-%d}")
        self._printer_check_s = printer_check_s
        self._services = {service.letter: service for service in config.services}
        self._visit = flow.first_visit(config.screen.language)
        self._on_paper: OnPaper | None = None
        self._shown: View | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._queues: dict[str, tuple[QueueState, int]] = {}
        self._owed: deque[tuple[str, Payload, str]] = deque()
        self._health: dict[str, HealthState] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.outbox = Outbox(
            journal,
            transport,
            version=version,
            on_command=self._serve,
            on_queue=self._queue_changed,
            on_online=lambda _: self._refresh(),
        )
        self.presses = PressKeeper(journal, pads, clock, self.outbox.appended)
        for counter, pad in pads.items():
            pad.on_health(lambda health, c=counter: self._device(f"pad-{c}", "pad", health))  # type: ignore[misc]

    async def start(self) -> None:
        """Open the devices, settle what a crash left, begin to sync. A missing device is a health
        row, not an error.
        """
        try:
            await self._printer.open()
        except HalError as error:
            log.warning("printer.unavailable", error=str(error))
        self._device("printer", "printer", self._printer.health)
        await self.presses.start()
        self._recover()
        await self.outbox.start()
        self._spawn(self._keep_time())
        self._spawn(self._watch_printer())
        self._refresh()

    async def stop(self) -> None:
        """Stop in good order; a running print is waited for, so that its outcome is journalled."""
        for task in list(self._tasks):
            if task.get_name() != "print":
                task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._timer is not None:
            self._timer.cancel()
        await self.presses.stop()
        await self.outbox.drained(1.0)
        await self.outbox.stop()
        await self._printer.close()

    def tap(self, control: str, touch: str) -> None:
        """A control was touched; ``touch`` is unique for the touch."""
        self._dispatch(flow.Tapped(control, touch))

    def identify(self, segment: str) -> None:
        """A card or code named the visitor's segment; it holds for this visit."""
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
                        self._spawn(self._print(ticket), "print")
                    case flow.StartTimer(timer):
                        self._start_timer(timer)
                    case flow.StopTimer():
                        self._stop_timer()
        if self._visit.ticket is None:
            self._on_paper = None
        self._refresh()

    def _issue(self, letter: str, request: str, segment: str) -> flow.Event:
        """Reserve a number and journal the ticket in one durable transaction."""
        service = self._services.get(letter)
        if service is None:
            return flow.Refused("unknown_service")
        today = business_date(self._today(), self._journal.last_business_date())
        usual = SEGMENT_PRIORITY if service.priority else SEGMENT_ORDINARY
        band = self._config.band
        try:
            with self._journal.transaction() as transaction:
                event = transaction.request(request)
                if event is None:
                    number = next_number(transaction.last_number(today, letter, band))
                    transaction.keep_number(today, letter, band, number)
                    data = IssuedData(
                        number=display(letter, band, number, show_band=self._config.show_band),
                        service=letter,
                        segment=segment or usual,
                        language=self._visit.language,
                        business_date=today,
                        band=band,
                        request=request,
                    )
                    event = transaction.append("ticket.issued", data, sub="self", request=request)
        except JournalFull as error:
            log.error("ticket.refused", error=str(error))
            return flow.Refused("storage_full")
        except NumbersExhausted as error:
            log.error("ticket.refused", service=letter, error=str(error))
            return flow.Refused("numbers_exhausted")
        assert isinstance(event, TicketIssued)
        self._on_paper = OnPaper(f"{self._now():%H:%M}", self._wait(letter))
        self.outbox.appended()
        return flow.Issued(flow.Ticket(event.id, event.data.number, letter))

    async def _print(self, ticket: flow.Ticket) -> None:
        started_ms = self._clock.mono_ms()
        try:
            result = await self._printer.print_slip(self._slip(ticket))
        except HalError as error:
            log.error("printer.failed", error=str(error))
            result = PrintResult(Paper.UNKNOWN, "error")
        took_ms = self._clock.mono_ms() - started_ms
        if result.paper is Paper.PRINTED:
            self._note("ticket.printed", PrintedData(attempt=1, took_ms=took_ms), ticket.id)
            self._dispatch(flow.Printed(ticket.id))
        else:
            paper = "unknown" if result.paper is Paper.UNKNOWN else "not_printed"
            failed = PrintFailedData(attempt=1, paper=paper, cause=result.cause)  # type: ignore[arg-type]
            self._note("ticket.print_failed", failed, ticket.id)
            self._dispatch(flow.PrintFailed(ticket.id, result.cause))
        self._device("printer", "printer", self._printer.health)

    def _slip(self, ticket: flow.Ticket) -> Slip:
        language = self._visit.language
        branch = self._config.branch
        wait = self._on_paper.wait if self._on_paper else Wait()
        interval = (
            None
            if wait.low_min is None or wait.high_min is None
            else (wait.low_min, wait.high_min)
        )
        return build_slip(
            branch_name=branch.zh if language == "zh_CN" else branch.en,
            service_name=names(self._services[ticket.service])[language],
            number=ticket.number,
            waiting=wait.ahead,
            wait_min=interval,
            issued_at_text=f"{self._now():%Y-%m-%d %H:%M}",
            reference=reference(ticket.id),
            public_url=ticket_page(branch.public_url, ticket.id),
            complaints_phone=branch.complaints_phone,
            language=language,
        )

    def _recover(self) -> None:
        """Settle tickets that a crash left between journal and paper: show again if fresh, else
        void.
        """
        now_ms = self._clock.wall_ms()
        for event in self._journal.events_of("ticket.issued", now_ms - 24 * 3_600_000):
            if len(self._journal.events_about(event.id)) > 1 or not isinstance(
                event, TicketIssued
            ):
                continue
            if now_ms - event.ts > RESHOW_MS or self._visit.phase is not flow.Phase.HOME:
                self._note("ticket.voided", VoidedData(reason="restart"), event.id)
                continue
            failed = PrintFailedData(attempt=1, paper="unknown", cause="restart")
            self._note("ticket.print_failed", failed, event.id)
            issued_at = datetime.fromtimestamp(event.ts / 1000, self._tz)
            self._on_paper = OnPaper(f"{issued_at:%H:%M}", Wait())
            ticket = flow.Ticket(event.id, event.data.number, event.data.service)
            self._dispatch(flow.Reshown(ticket, "restart"))

    def _note(self, event_type: str, data: Payload, sub: str) -> None:
        """Journal what has happened already; kept and tried again when the disk has no room."""
        self._owed.append((event_type, data, sub))
        self._pay_owed()

    def _pay_owed(self) -> None:
        while self._owed:
            event_type, data, sub = self._owed[0]
            try:
                self._journal.append(event_type, data, sub=sub or None)
            except JournalFull as error:
                log.error("journal.full", owed=len(self._owed), error=str(error))
                return
            self._owed.popleft()
            self.outbox.appended()

    # --- time -------------------------------------------------------------------------------

    def _start_timer(self, timer: flow.Timer) -> None:
        self._stop_timer()
        length_s = {
            flow.Timer.IDLE: IDLE_S,
            flow.Timer.TICKET: self._config.ticket_screen_s,
            flow.Timer.RETRY: RETRY_S,
        }[timer]
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(length_s, self._dispatch, flow.TimedOut(timer))

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    async def _keep_time(self) -> None:
        while True:
            to_next_minute_s = 60 - self._clock.wall_ms() % 60_000 / 1000
            await asyncio.sleep(OWED_RETRY_S if self._owed else min(REFRESH_S, to_next_minute_s))
            self._pay_owed()
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
        self._queues[state.service] = (state, self._clock.mono_ms())
        self._refresh()

    def _wait(self, letter: str) -> Wait:
        state, at_ms = self._queues.get(letter, (None, 0))
        stale = self._clock.mono_ms() - at_ms > QUEUE_STALE_MS
        if state is None or stale or not self.outbox.online:
            return Wait()
        return Wait(state.waiting, state.wait_low_min, state.wait_high_min)

    def _device(self, device: str, kind: str, health: Health) -> None:
        if self._health.get(device) is health.state:
            return
        self._health[device] = health.state
        data = DeviceData(device=device, kind=kind, state=health.state.value, detail=health.detail)
        self._note("device.changed", data, "")

    def _refresh(self) -> None:
        view = present(
            self._config,
            self._visit,
            now=self._now(),
            waits={letter: self._wait(letter) for letter in self._services},
            online=self.outbox.online,
            on_paper=self._on_paper,
            staff_told=False,
        )
        if view != self._shown:
            self._shown = view
            self._show(view)

    def _spawn(self, work: Awaitable[None], name: str = "") -> None:
        task = asyncio.ensure_future(work)
        if name:
            task.set_name(name)
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("kiosk.task_failed", task=task.get_name(), exc_info=task.exception())
