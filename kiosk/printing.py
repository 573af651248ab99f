"""One slip on paper: built, printed within a deadline, and what came of it, whatever happened;
and what is known of it, durable before it is acted on.
"""

import asyncio
from collections.abc import Callable
from typing import Literal

import structlog

from hal.api import Health, HealthState, Paper, PrintResult, Slip, TicketPrinter
from hal.errors import HalError
from kiosk.codes import CodeSaid
from kiosk.flow import Ticket
from kiosk.ledger import Ledger
from kiosk.offering import Offering
from kiosk.paper import (
    RESERVED,
    Acknowledged,
    Blocked,
    Committed,
    Event,
    GivenUp,
    Interrupted,
    Outdated,
    Said,
    Started,
    State,
    TicketPaper,
    step,
)
from kiosk.presenter import OnPaper, branch_names, names, paper_language, reference, ticket_page
from kiosk.return_slip import build_return_slip
from kiosk.slip import build_slip, build_test_slip
from sync.clock import Clock
from sync.codes import ticket_code
from sync.crashpoint import reach
from sync.errors import JournalFull
from sync.journal import Journal
from sync.messages import PrintedData, PrintFailedData, TicketIssued, VoidedData

DEADLINE_S = 30.0
"""Above the sum of a driver's own limits: connect, ask, settle, print, confirm."""
RESHOW_MS = 60_000
"""A ticket that a crash left unsettled is printed or shown again within this time, else its
visitor is taken to have gone.
"""
RESTART = "restart"
STORAGE_FULL = "storage_full"
ABLE = (HealthState.OK, HealthState.WARNING)

log = structlog.get_logger()


class SlipPrinter:
    """The kiosk's printer, with a deadline on every call and no way to fail but by its result."""

    def __init__(self, offering: Offering, printer: TicketPrinter) -> None:
        self._printer = printer
        self._branch = offering.config.branch
        self._offering = offering
        self._check_in = offering.config.check_in
        self._reader = offering.config.card_reader is not None

    @property
    def health(self) -> Health:
        """The last known health."""
        return self._printer.health

    @property
    def able(self) -> bool:
        """Whether a slip would come out now, as far as is known."""
        return self.health.state in ABLE

    async def open(self) -> None:
        """Open the printer; one that is not there is seen in its health."""
        try:
            await self._printer.open()
        except HalError as error:
            log.warning("printer.unavailable", error=str(error))

    async def print_test(self) -> PrintResult:
        """Print a slip that is nobody's ticket, for a technician."""
        branch = self._branch
        return await self.send(build_test_slip(branch.zh, branch.en), "test")

    async def print(
        self,
        ticket: Ticket,
        on_paper: OnPaper,
        language: str,
        *,
        sending: Callable[[], bool],
        copy: bool = False,
    ) -> PrintResult:
        """Print the slip. Causes are those of :class:`hal.api.PrintResult`, and unprintable.

        ``sending`` makes durable that the slip is begun, before its first byte; where that cannot
        be it says False and nothing is sent. ``copy``: another slip of this ticket may be out.
        """
        wait = on_paper.wait
        known = wait.low_min is not None and wait.high_min is not None
        branch = self._branch
        try:
            slip = build_slip(
                branch_name=branch_names(branch)[language],
                service_name=names(self._offering.service(ticket.service))[language],
                number=ticket.number,
                waiting=wait.ahead,
                wait_min=(wait.low_min or 0, wait.high_min or 0) if known else None,
                issued_at_text=on_paper.issued_at_text,
                reference=reference(ticket.id),
                public_url=ticket_page(branch.public_url, ticket.id),
                complaints_phone=branch.complaints_phone,
                language=paper_language(language),
                copy=copy,
                code=ticket_code(ticket.id) if self._check_in else "",
            )
        except (ValueError, KeyError) as error:
            return _unprintable(ticket.number, error)
        return await self.send(slip, ticket.number, sending=sending)

    async def send(
        self, slip: Slip, number: str, *, sending: Callable[[], bool] = lambda: True
    ) -> PrintResult:
        """Print any slip, as ``print`` does a ticket's; ``number`` names it in the log."""

        def begin() -> bool:
            begun = sending()
            if begun:
                reach("kiosk.printing")
            return begun

        try:
            async with asyncio.timeout(DEADLINE_S):
                result = await self._printer.print_slip(slip, sending=begin)
            reach("kiosk.slip_out")
            return result
        except TimeoutError:
            log.error("printer.hangs", number=number, after_s=DEADLINE_S)
            return PrintResult(Paper.UNKNOWN, "silent")
        except ValueError as error:  # by the printer's contract nothing was sent
            return _unprintable(number, error)
        except Exception:
            log.exception("printer.failed", number=number)
            return PrintResult(Paper.UNKNOWN, "error")

    async def print_return(self, said: CodeSaid, language: str) -> None:
        """Print when to be back from the machine; where that fails, the screen has said it."""
        branch = self._branch
        try:
            slip = build_return_slip(
                branch_name=branch_names(branch)[language],
                service_name=names(self._offering.service(said.service))[language],
                code=said.number,
                clock=said.clock,
                language=language,
                reader=self._reader,
            )
        except (ValueError, KeyError) as error:
            _unprintable("return", error)
            return
        result = await self.send(slip, "return")
        log.info("return.slip", paper=result.paper.value)

    async def check(self) -> Health:
        """Ask the printer now."""
        try:
            async with asyncio.timeout(DEADLINE_S):
                return await self._printer.check()
        except Exception:
            log.exception("printer.check_failed")
            return Health(HealthState.LOST, "error")

    async def close(self) -> None:
        """Release the printer."""
        await self._printer.close()


def _unprintable(number: str, error: Exception) -> PrintResult:
    log.error("printer.unprintable", number=number, error=str(error))
    return PrintResult(Paper.NOT_PRINTED, "unprintable")


class PaperKeeper:
    """What is known of the paper of the ticket in hand, and of those that a crash left.

    A first byte goes to the printer only after :meth:`start` has made that durable, so a ticket
    found as "journalled" after a crash has certainly no slip. The printer's word and the event
    that tells it become durable together.
    """

    def __init__(
        self,
        journal: Journal,
        ledger: Ledger,
        clock: Clock,
        business_date: Callable[[], str],
    ) -> None:
        self._journal = journal
        self._ledger = ledger
        self._clock = clock
        self._business_date = business_date
        self._ticket = ""
        self._paper = RESERVED

    @property
    def may_start(self) -> bool:
        """Whether the ticket in hand may be printed, for the first time or again."""
        return self._paper.may_start

    @property
    def is_new(self) -> bool:
        """Whether no slip of the ticket in hand was ever begun."""
        return self._paper.state is State.JOURNALLED

    @property
    def may_be_out(self) -> bool:
        """Whether a slip of the ticket in hand may be in somebody's hand."""
        return self._paper.may_be_out

    def issued(self, ticket: str) -> None:
        """Take a ticket in hand whose event and first state were just committed."""
        self._ticket, self._paper = ticket, step(RESERVED, Committed())

    def start(self) -> bool:
        """Make durable that a slip is begun; False where that cannot be, and then nothing may be
        sent. The attempt is not used up by it.
        """
        started = step(self._paper, Started())
        if not self._ledger.pay():
            return False
        try:
            self._journal.keep_paper(self._ticket, started.state.value, started.attempt)
        except JournalFull as error:
            log.error("paper.not_kept", ticket=self._ticket, error=str(error))
            return False
        self._paper = started
        return True

    def said(self, result: PrintResult, took_ms: int) -> None:
        """Journal the printer's word. An attempt that was not begun is not used up by a printer
        that cannot print; a driver that breaks off without a word may have sent something.
        """
        begun = self._paper.state is State.PRINTING
        if begun or (result.paper is not Paper.NOT_PRINTED and self.start()):
            self._move(Said(result.paper), result.cause, took_ms)
        else:
            self.blocked(STORAGE_FULL if result.cause == "refused" else result.cause)

    def blocked(self, cause: str) -> None:
        """Journal that the first slip was not begun; changes nothing before a reprint."""
        if self.is_new:
            self._move(Blocked(), cause)

    def acknowledged(self) -> None:
        """Keep that the visitor has the number: a restart does not show it again."""
        self._move(Acknowledged())

    def recover(self) -> TicketIssued | None:
        """Settle what a crash left, oldest first. The last ticket is taken in hand and returned
        if it is fresh and not settled.
        """
        left = {
            ticket: TicketPaper(State(state), attempt)
            for ticket, state, attempt in self._journal.unsettled_paper()
        }
        for event in self._journal.first_alone("ticket.issued"):
            # Issued by a version that kept no states: a slip may be out.
            left.setdefault(event.id, TicketPaper(State.PRINTING, 1))
        last = self._journal.last_of("ticket.issued")
        if not isinstance(last, TicketIssued) or not self._is_waited_for(last):
            last = None
        issued = {ticket: self.issue_of(ticket) for ticket in left}
        for ticket in sorted(left, key=lambda ticket: _place(issued[ticket])):
            self._ticket, self._paper = ticket, left[ticket]
            if last is not None and ticket == last.id:
                self._move(Interrupted(), RESTART)
            else:
                self._give_up(issued[ticket])
        return last if last is not None and last.id in left else None

    def _give_up(self, issued: TicketIssued | None) -> None:
        """Settle the ticket in hand, whose visitor has gone."""
        today = issued is not None and issued.data.business_date >= self._business_date()
        if self._paper == TicketPaper(State.PRINTING, 1) and not today:
            self._move(Outdated(), RESTART)
            return
        self._move(Interrupted(), RESTART)
        self._move(GivenUp(), RESTART)

    def _move(self, event: Event, cause: str = "", took_ms: int = 0) -> None:
        before, self._paper = self._paper, step(self._paper, event)
        if self._paper == before:
            return
        ticket, paper = self._ticket, self._paper
        match paper.state:
            case State.PRINTED:
                printed = PrintedData(attempt=paper.attempt, took_ms=took_ms)
                self._ledger.note("ticket.printed", printed, ticket, paper=paper)
            case State.NOT_PRINTED | State.UNKNOWN:
                known: Literal["unknown", "not_printed"] = (
                    "unknown" if paper.state is State.UNKNOWN else "not_printed"
                )
                failed = PrintFailedData(attempt=paper.attempt, paper=known, cause=cause)
                self._ledger.note("ticket.print_failed", failed, ticket, paper=paper)
            case State.VOIDED:
                self._ledger.note("ticket.voided", VoidedData(reason=cause), ticket, paper=paper)
            case _:
                self._ledger.keep_paper(ticket, paper)

    def _is_waited_for(self, event: TicketIssued) -> bool:
        """Whether the visitor may still stand there: by the boot's own clock within one boot, by
        wall clock over a power cut. A clock that stands before the ticket cannot tell its age.
        """
        if event.clk.boot == self._clock.boot:
            age_ms = self._clock.mono_ms() - event.clk.mono_ms
        else:
            age_ms = self._clock.wall_ms() - event.ts
        return 0 <= age_ms <= RESHOW_MS

    def issue_of(self, ticket: str) -> TicketIssued | None:
        """The ticket's issue; None when its row was pruned."""
        events = self._journal.events_about(ticket)
        return next((event for event in events if isinstance(event, TicketIssued)), None)


def _place(issued: TicketIssued | None) -> tuple[int, int]:
    return (issued.epoch, issued.seq) if issued is not None else (0, 0)
