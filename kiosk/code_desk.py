"""Finds out what a visitor's code is: this kiosk's own journal first, then the branch."""

from collections.abc import Callable
from datetime import datetime

from kiosk.code_asking import CodeAsker
from kiosk.codes import LATER_MIN, Claim, CodeSaid
from kiosk.offering import Offering
from kiosk.returns import KEPT_MS, Returns
from sync.clock import Clock
from sync.codes import RETURN_FIRST, SLIP_FIRST, AskCode, CodeAnswer, is_code, token_of
from sync.journal import Journal
from sync.messages import TicketIssued

MS_PER_MIN = 60_000


class CodeDesk:
    """``business_date`` is that of the next ticket, ``local`` the branch's time of Unix ms."""

    def __init__(
        self,
        offering: Offering,
        journal: Journal,
        asker: CodeAsker,
        clock: Clock,
        business_date: Callable[[], str],
        local: Callable[[int], datetime],
        returns: Returns,
    ) -> None:
        self._offering = offering
        self._journal = journal
        self._asker = asker
        self._clock = clock
        self._business_date = business_date
        self._local = local
        self._returns = returns if offering.config.check_in else None

    @property
    def _letters(self) -> set[str]:
        return {service.letter for service in self._offering.config.services}

    async def look_up(self, code: str) -> CodeSaid:
        """What ``code`` is, within the asker's budget."""
        if not is_code(code):
            return CodeSaid("unknown", code)
        if code[0] == RETURN_FIRST:
            return self._back(code)
        token = token_of(code)
        request = f"code-{token}-{self._business_date()}"
        issued = self._journal.of_request(request)
        if isinstance(issued, TicketIssued):
            return CodeSaid("used", code, issued.data.service, issued.data.number)
        answer = await self._asker.ask(AskCode(key=self._clock.new_id(), code=token))
        if answer is None and code[0] == SLIP_FIRST:
            return CodeSaid("unreached", code)
        if answer is None:
            return CodeSaid("offline", code, request=request, claim=Claim(token))
        return self._said(code, answer, token, request)

    def keep(self, service: str) -> CodeSaid:
        """Keep the time of who tries the machine for ``service`` first."""
        code = self._returns.keep(service) if self._returns else ""
        if not code:
            return CodeSaid("machine", "", service)
        until = self._local(self._clock.wall_ms() + KEPT_MS)
        return CodeSaid("return", "", service, code, clock=f"{until:%H:%M}")

    def _back(self, code: str) -> CodeSaid:
        """Who comes back from the machine has the ticket by this alone."""
        found = self._returns.find(code) if self._returns else None
        if found is None:
            return CodeSaid("unknown", code)
        kept, waited_ms = found
        request = f"return-{code}-{kept.mono_ms}-{kept.boot}"
        issued = self._journal.of_request(request)
        if isinstance(issued, TicketIssued):
            return CodeSaid("used", code, issued.data.service, issued.data.number)
        claim = Claim(waited_ms=waited_ms)
        return CodeSaid("back", code, kept.service, request=request, claim=claim)

    async def set_aside(self, code: str, key: str) -> CodeSaid:
        """Have the ticket of this slip called later, once for ``key``."""
        ask = AskCode(key=key, code=token_of(code), action="later", for_ms=LATER_MIN * MS_PER_MIN)
        for _ in range(2):  # an answer may be lost; the second wish is the same
            answer = await self._asker.ask(ask)
            if answer is not None:
                return self._said(code, answer, "", "")
        return CodeSaid("unreached", code)

    def _said(self, code: str, answer: CodeAnswer, token: str, request: str) -> CodeSaid:
        if answer.service and answer.service not in self._letters:
            return CodeSaid("unknown", code)  # a person knows the way to that service
        at = self._local(answer.at_ms)
        return CodeSaid(
            answer.state,
            code,
            answer.service,
            answer.number,
            request,
            Claim(token, answer.at_ms, answer.counter, answer.hold_ms),
            f"{at:%H:%M}",
            at.date().isoformat(),
            answer.counter,
            answer.waited_ms // MS_PER_MIN,
            round(answer.limit_ms / MS_PER_MIN),
            answer.low_min,
            answer.high_min,
        )
