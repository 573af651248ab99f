"""Carries out what the flow asks for: tickets, slips and timers of the visit at the screen."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from datetime import datetime, tzinfo

from hal.api import Paper, PrintResult, Slip
from kiosk import flow
from kiosk.asking import Asker
from kiosk.attract import slides
from kiosk.catalogue import available
from kiosk.clock_watch import ClockWatch
from kiosk.code_desk import CodeDesk
from kiosk.codes import Claim, CodeSaid
from kiosk.feedback import LowPress
from kiosk.feedback_desk import FeedbackDesk
from kiosk.issuing import Granted, Issuer
from kiosk.ledger import Ledger
from kiosk.offering import Offering
from kiosk.presenter import (
    OnPaper,
    branch_names,
    complaint_page,
    letters_with_steps,
    paper_language,
    person_letter,
)
from kiosk.printing import RESTART, PaperKeeper, SlipPrinter
from kiosk.receipt import TOPICS, build_receipt
from kiosk.times import length_s
from kiosk.tree import groups
from kiosk.view import Wait
from kiosk.visit import fresh
from sync.clock import Clock
from sync.crashpoint import reach
from sync.journal import Journal
from sync.messages import ComplaintOpened
from sync.outbox import Outbox

LOW_SCORES = (1, 2)

Spawn = Callable[[Awaitable[None], str], None]


class VisitRunner:
    """The visit and its paper. ``changed`` is called after each step, ``changed_soon`` after one
    that prints, ``printed`` after each attempt to print; ``now`` is the branch's local time,
    ``wait`` what is known of a queue.
    ``somebody``: whether a sensor sees a person; while it does, no public words begin.
    """

    def __init__(
        self,
        offering: Offering,
        *,
        journal: Journal,
        ledger: Ledger,
        issuer: Issuer,
        asker: Asker,
        codes: CodeDesk,
        papers: PaperKeeper,
        printer: SlipPrinter,
        outbox: Outbox,
        clock: Clock,
        clock_watch: ClockWatch,
        tz: tzinfo | None,
        now: Callable[[], datetime],
        wait: Callable[[str], Wait],
        changed: Callable[[], None],
        changed_soon: Callable[[], None],
        printed: Callable[[], None],
        spawn: Spawn,
        somebody: Callable[[], bool] = lambda: False,
    ) -> None:
        self._offering = offering
        self._journal = journal
        self._ledger = ledger
        self._issuer = issuer
        self._asker = asker
        self._codes = codes
        self._papers = papers
        self._printer = printer
        self._outbox = outbox
        self._clock = clock
        self._clock_watch = clock_watch
        self._tz = tz
        self._now = now
        self._wait = wait
        self._changed = changed
        self._changed_soon = changed_soon
        self._printed = printed
        self._spawn = spawn
        self._somebody = somebody
        self.visit = self._first_visit()
        self.on_paper: OnPaper | None = None
        self._feedback = FeedbackDesk(
            journal=journal,
            outbox=outbox,
            clock=clock,
            printer=printer,
            receipt=self._receipt,
            business_date=lambda: issuer.business_date,
            answer=self.dispatch,
            spawn=spawn,
        )
        self._timer: asyncio.TimerHandle | None = None
        self._runs: flow.Timer | None = None
        self._stopping = False

    def stop(self) -> None:
        """Start no timer any more and stop the one that runs."""
        self._stopping = True
        self._stop_timer()

    def dispatch(self, event: flow.Event) -> None:
        """Take a step of the flow and do what it asks for."""
        waiting: deque[flow.Event] = deque([event])
        prints = False
        while waiting:
            self.visit, effects = flow.step(self.visit, waiting.popleft())
            for effect in effects:
                match effect:
                    case flow.Issue(service, request, segment, claim):
                        if self.server_numbers:
                            self._spawn(
                                self._ask_and_issue(service, request, segment, claim), "issue"
                            )
                        else:
                            waiting.append(self._issue(service, request, segment, claim))
                    case flow.LookUp(code):
                        self._spawn(self._found(self._codes.look_up(code)), "code")
                    case flow.KeepArrival(service):
                        said = self._codes.keep(service)
                        waiting.append(flow.CodeFound(said))
                        if said.number:
                            language = self.visit.language
                            self._spawn(self._printer.print_return(said, language), "return slip")
                    case flow.SetAside(code, key):
                        self._spawn(self._found(self._codes.set_aside(code, key)), "code")
                    case flow.PrintSlip(ticket):
                        assert self.on_paper is not None
                        prints = True
                        self._spawn(self._print(ticket, self.on_paper), "print")
                    case flow.Acknowledge():
                        self._papers.acknowledged()
                    case flow.StartTimer(timer):
                        self._start_timer(timer)
                    case flow.StopTimer():
                        self._stop_timer()
                    case _:
                        answer = self._feedback.perform(effect)
                        waiting.extend([answer] if answer else [])
        if self.visit.ticket is None:
            self.on_paper = None
        self.renew()
        if prints:
            self._changed_soon()  # building a screen takes longer than all before the first byte
        else:
            self._changed()

    def renew(self) -> None:
        """Offer what the branch wants by now, unless somebody is in the middle of a visit."""
        nobody = self.visit.phase is flow.Phase.ATTRACT or self.visit == fresh(self.visit)
        if nobody and self._offering.swap():
            self.visit = self._first_visit()
            self._wait_for_quiet()
            self._issuer.offer(self._offering.config.services)

    def _first_visit(self) -> flow.Visit:
        config = self._offering.config
        return flow.first_visit(
            config.screen.language,
            person_letter(config),
            letters_with_steps(config),
            available(),
            groups(config.services),
            slides(config.content),
        )

    def recover(self) -> None:
        """Settle what a crash left between journal and paper. A fresh ticket whose slip was
        certainly not begun is printed now, any other fresh one is shown again.
        """
        left = self._papers.recover()
        if left is None:
            self._wait_for_quiet()
            return
        issued_at = datetime.fromtimestamp(left.ts / 1000, self._tz)
        self.on_paper = OnPaper.at(issued_at, Wait())
        ticket = flow.Ticket(left.id, left.data.number, left.data.service)
        language = left.data.language
        if self._papers.is_new and self._printer.able:
            self.dispatch(flow.Resumed(ticket, language))
            return
        self._papers.blocked(self._printer.health.detail)
        self.dispatch(flow.Reshown(ticket, language, RESTART, self._papers.may_start))

    def rated(self, ticket: str, counter: int, score_1to5: int) -> None:
        """A visitor of a counter has rated: a low score is asked for its reason."""
        if (
            self._stopping
            or score_1to5 not in LOW_SCORES
            or not self._offering.config.screen.ask_reason
        ):
            return
        issued = self._papers.issue_of(ticket)
        number = issued.data.number if issued else ""
        self.dispatch(flow.PressedLow(LowPress(ticket, number, counter, score_1to5)))

    @property
    def server_numbers(self) -> bool:
        """Whether numbers are the server's, and it is there."""
        return self._offering.config.numbers == "server" and self._outbox.online

    # --- tickets ----------------------------------------------------------------------------

    async def _found(self, looking: Awaitable[CodeSaid]) -> None:
        self.dispatch(flow.CodeFound(await looking))

    async def _ask_and_issue(self, letter: str, request: str, segment: str, claim: Claim) -> None:
        """Issue with the server's number, if it comes in time, else with one of our own."""
        date = self._issuer.business_date
        number = await self._asker.number(date, letter, request)
        granted = Granted(date, number) if number else None
        event = self._issue(letter, request, segment, claim, granted)
        if number and isinstance(event, flow.Issued):
            self._asker.used(date, letter)
        self.dispatch(event)

    def _issue(
        self,
        letter: str,
        request: str,
        segment: str,
        claim: Claim,
        granted: Granted | None = None,
    ) -> flow.Event:
        if not self._ledger.pay():  # a slip's fate before the next ticket
            return flow.Refused("storage_full")
        self._clock_watch.look()
        event = self._issuer.issue(letter, request, segment, self.visit.language, granted, claim)
        if isinstance(event, flow.Issued):
            reach("kiosk.issued")
            self._outbox.appended()
            self._papers.issued(event.ticket.id)
            self.on_paper = OnPaper.at(self._now(), self._wait(letter))
        return event

    # --- slips ------------------------------------------------------------------------------

    async def _print(self, ticket: flow.Ticket, on_paper: OnPaper) -> None:
        started_ms = self._clock.mono_ms()
        result = PrintResult(Paper.UNKNOWN, "stopped")
        try:
            result = await self._printer.print(
                ticket,
                on_paper,
                self.visit.language,
                sending=self._papers.start,
                copy=self._papers.may_be_out,
            )
        finally:
            self._tried_to_print(ticket, result, self._clock.mono_ms() - started_ms)

    def _tried_to_print(self, ticket: flow.Ticket, result: PrintResult, took_ms: int) -> None:
        self._papers.said(result, took_ms)
        reach("kiosk.settled")
        again = self._papers.may_start
        if result.paper is Paper.PRINTED:
            self.dispatch(flow.Printed(ticket.id, again))
        else:
            self.dispatch(flow.PrintFailed(ticket.id, result.cause, again))
        self._printed()

    def _receipt(self, opened: ComplaintOpened) -> Slip:
        branch, language = self._offering.config.branch, paper_language(self.visit.language)
        return build_receipt(
            branch_name=branch_names(branch)[language],
            number=opened.data.number,
            topic=TOPICS[language][opened.data.topic],
            opened_text=f"{self._now():%Y-%m-%d %H:%M}",
            due_date=opened.data.due_date,
            complaints_phone=branch.complaints_phone,
            language=language,
            public_url=complaint_page(branch.public_url, opened.id),
        )

    # --- timers -----------------------------------------------------------------------------

    def _start_timer(self, timer: flow.Timer) -> None:
        self._stop_timer()
        config = self._offering.config
        after_s = length_s(timer, self.visit, config.ticket_screen_s, config.content)
        if not self._stopping:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(after_s, self._time_is_up, timer)
            self._runs = timer

    def _wait_for_quiet(self) -> None:
        """The first screen has just come up by itself."""
        self._stop_timer()
        if self.visit.slides:
            self._start_timer(flow.Timer.QUIET)

    def _time_is_up(self, timer: flow.Timer) -> None:
        if timer is flow.Timer.RETRY and not (self._ledger.pay() and self._journal.has_room()):
            self._start_timer(timer)
            return
        if timer is flow.Timer.QUIET and self._somebody():
            self._start_timer(timer)
            return
        self.dispatch(flow.TimedOut(timer))

    def near(self, present: bool) -> None:
        """Somebody came near, or has gone: then the quiet begins."""
        if self._stopping:
            return
        if present:
            self.dispatch(flow.Neared())
        elif self._timer is not None and self._runs is flow.Timer.QUIET:
            self._start_timer(flow.Timer.QUIET)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
