"""Carries out what the sheets of feedback ask for: journals it, prints the receipt, waits for the
branch's word.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog

from hal.api import Paper, Slip
from kiosk import feedback
from kiosk.printing import SlipPrinter
from sync.clock import Clock
from sync.errors import JournalFull
from sync.feedback import complaint_number, due_date
from sync.journal import Journal
from sync.messages import (
    AssistanceData,
    ComplaintData,
    ComplaintOpened,
    Event,
    Payload,
    ReasonData,
    SuggestionData,
)
from sync.outbox import Outbox

REACH_S = 4.0
"""So long the branch has to commit a call before the screen says where to go."""
LATE_S = 60.0
"""A call that gets through later is still said, while somebody may stand there."""
LOOK_S = 0.1
KIOSK = "kiosk"
AGAIN_MS = 15_000
"""A second touch within this is the same call."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Call:
    epoch: int
    seq: int
    at_ms: int


class FeedbackDesk:
    """``answer`` takes what became of it, later; ``spawn`` runs a task of the kiosk. ``receipt``
    makes the slip of a complaint.
    """

    def __init__(
        self,
        *,
        journal: Journal,
        outbox: Outbox,
        clock: Clock,
        printer: SlipPrinter,
        receipt: Callable[[ComplaintOpened], Slip],
        business_date: Callable[[], str],
        answer: Callable[[feedback.Answer], None],
        spawn: Callable[[Awaitable[None], str], None],
    ) -> None:
        self._journal = journal
        self._outbox = outbox
        self._clock = clock
        self._printer = printer
        self._receipt = receipt
        self._business_date = business_date
        self._answer = answer
        self._spawn = spawn
        self._last: _Call | None = None
        self._opened: ComplaintOpened | None = None  # whose receipt is to be printed

    def perform(self, effect: feedback.Effect) -> feedback.Answer | None:
        """Do it; returns what is known of it at once."""
        match effect:
            case feedback.CallHelp():
                return self._call(effect)
            case feedback.Complain(topic, request):
                return self._complain(topic, request)
            case feedback.PrintReceipt() if self._opened is not None:
                self._spawn(self._print(self._opened), "print")
            case feedback.Suggest(topic, direction, request):
                data = SuggestionData(
                    topic=topic,
                    direction=direction,
                    business_date=self._business_date(),
                    request=request,
                )
                self._journalled("suggestion.made", data, request)
            case feedback.GiveReason(press, reason, request):
                given = ReasonData(
                    reason=reason, channel=KIOSK, request=request, counter=press.counter
                )
                self._journalled("feedback.given", given, request, press.ticket or None)
        return None

    def _complain(self, topic: str, request: str) -> feedback.Answer:
        today = self._business_date()
        new_id = self._clock.new_id()
        data = ComplaintData(
            number=complaint_number(new_id),
            topic=topic,
            business_date=today,
            due_date=due_date(today),
            request=request,
        )
        event = self._journalled("complaint.opened", data, request, event_id=new_id)
        if not isinstance(event, ComplaintOpened):
            return feedback.NotRegistered(request)
        self._opened = event
        return feedback.Registered(request, event.data.number, event.data.due_date)

    async def _print(self, opened: ComplaintOpened) -> None:
        number = opened.data.number
        result = await self._printer.send(self._receipt(opened), number)
        self._answer(feedback.ReceiptSaid(number, result.paper is Paper.PRINTED))

    def _call(self, wanted: feedback.CallHelp) -> feedback.Answer | None:
        last, now_ms = self._last, self._clock.mono_ms()
        if last is None or now_ms - last.at_ms > AGAIN_MS:
            data = AssistanceData(
                place=wanted.place, request=wanted.request, counter=wanted.counter
            )
            event = self._journalled(
                "assistance.requested", data, wanted.request, wanted.ticket or None
            )
            if event is None:
                return feedback.HelpSaid(wanted.request, reached=False)
            last = self._last = _Call(event.epoch, event.seq, now_ms)
        if not self._outbox.online:
            self._spawn(self._reach(wanted.request, last, 0.0), "help")
            return feedback.HelpSaid(wanted.request, reached=False)
        self._spawn(self._reach(wanted.request, last, REACH_S), "help")
        return None

    async def _reach(self, request: str, call: _Call, within_s: float) -> None:
        """Say that the branch has the call, as soon as it has; in between that it has not."""
        loop = asyncio.get_running_loop()
        began_s, said = loop.time(), within_s == 0
        while (waited_s := loop.time() - began_s) < LATE_S:
            if self._outbox.has_reached(call.epoch, call.seq):
                self._answer(feedback.HelpSaid(request, reached=True))
                return
            if not said and waited_s >= within_s:
                said = True
                self._answer(feedback.HelpSaid(request, reached=False))
            await asyncio.sleep(LOOK_S)

    def _journalled(
        self,
        event_type: str,
        data: Payload,
        request: str,
        sub: str | None = None,
        event_id: str | None = None,
    ) -> Event | None:
        """One event a touch; None where there is no room for it."""
        try:
            with self._journal.transaction() as transaction:
                event = transaction.request(request) or transaction.append(
                    event_type, data, sub=sub, event_id=event_id, request=request
                )
        except JournalFull as error:
            log.error("feedback.not_kept", event_type=event_type, error=str(error))
            return None
        self._outbox.appended()
        return event
