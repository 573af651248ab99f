"""Tickets in the journal: number, event and the state of its paper in one transaction."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog

from kiosk import flow
from kiosk.business_day import move_forward
from kiosk.codes import NO_CLAIM, Claim
from kiosk.config import KioskConfig, ServiceConfig
from kiosk.numbering import LAST_IN_BAND, NumbersExhausted, display, next_number
from kiosk.paper import State
from sync.clock import Clock
from sync.errors import JournalFull
from sync.journal import Journal
from sync.journal_transaction import Transaction
from sync.messages import IssuedData, LastNumber

SEGMENT_ORDINARY, SEGMENT_PRIORITY = "ordinary", "priority"
SERVER_BAND = 0
"""The band whose numbers the server gives, one at a time."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Granted:
    """A number of band 0 that the server has given this kiosk; it is of one business date."""

    business_date: str
    number: int


class Issuer:
    """Issues tickets of the configured services. ``today`` gives the date (ISO) that the clock
    says; the business date follows it forward only.
    """

    def __init__(
        self, config: KioskConfig, journal: Journal, clock: Clock, today: Callable[[], str]
    ) -> None:
        self._journal = journal
        self._clock = clock
        self._today = today
        self._bands = (config.band, *config.spare_bands)
        self._show_band = config.show_band
        self._full: dict[str, str] = {}  # letter -> business date on which the last number went
        self._last_date = journal.last_business_date()
        self._seen: Sequence[LastNumber] = ()  # what the server has seen, not yet journalled
        self.offer(config.services)

    def offer(self, services: Sequence[ServiceConfig]) -> None:
        """Issue tickets of these services from now on."""
        self._services = {service.letter: service for service in services}
        self._find_full()

    @property
    def business_date(self) -> str:
        """The date of the next ticket (ISO)."""
        return move_forward(self._today(), self._last_date, self._clock.stamp().quality)

    def issue(
        self,
        letter: str,
        request: str,
        segment: str,
        language: str,
        granted: Granted | None = None,
        claim: Claim = NO_CLAIM,
    ) -> flow.Event:
        """Issued, Declined or Refused. An empty ``segment`` is the service's usual one. A
        ``granted`` number is used if it is of today and above the last one of its band.
        """
        service = self._services.get(letter)
        if service is None:
            return flow.Declined("unknown_service")
        usual = SEGMENT_PRIORITY if service.priority else SEGMENT_ORDINARY
        try:
            self._raise_numbers()
            with self._journal.transaction() as transaction:
                if transaction.request(request) is not None:
                    return flow.Declined("repeated")
                today = self.business_date
                band, number = self._next(transaction, today, letter, granted)
                transaction.keep_number(today, letter, band, number)
                data = IssuedData(
                    number=display(letter, band, number, show_band=self._shows(band)),
                    service=letter,
                    segment=segment or usual,
                    language=language,
                    business_date=today,
                    band=band,
                    request=request,
                    code=claim.token,
                    appointment_ms=claim.appointment_ms,
                    wanted_counter=claim.counter,
                    hold_ms=claim.hold_ms,
                    waited_ms=claim.waited_ms,
                )
                event = transaction.append("ticket.issued", data, sub="self", request=request)
                transaction.keep_paper(event.id, State.JOURNALLED.value, 0)
        except JournalFull as error:
            log.error("ticket.refused", error=str(error))
            return flow.Refused("storage_full")
        except NumbersExhausted as error:
            log.error("ticket.declined", service=letter, error=str(error))
            self._full[letter] = today
            return flow.Declined("numbers_exhausted")
        self._last_date = today
        if (band, number) == (self._bands[-1], LAST_IN_BAND):
            self._full[letter] = today
        return flow.Issued(flow.Ticket(event.id, data.number, letter))

    def full(self) -> frozenset[str]:
        """Letters of the services whose own bands are given out on this business date."""
        today = self.business_date
        return frozenset(letter for letter, date in self._full.items() if today <= date)

    def limited(self) -> frozenset[str]:
        """Letters of the services whose daily limit is given out on this business date, as far as
        this kiosk knows: its own tickets, and the last of the server's numbers that it got.
        """
        today = self.business_date
        return frozenset(
            service.letter
            for service in self._services.values()
            if service.daily_limit
            and service.daily_limit
            <= sum(
                self._journal.last_number(today, service.letter, band)
                for band in (SERVER_BAND, *self._bands)
            )
        )

    def _next(
        self, transaction: Transaction, today: str, letter: str, granted: Granted | None
    ) -> tuple[int, int]:
        """Band and number: the server's, or of the first own band that has one left. Raises
        NumbersExhausted.
        """
        if granted is not None and granted.business_date == today:
            last = transaction.last_number(today, letter, SERVER_BAND)
            if last < granted.number <= LAST_IN_BAND:
                return SERVER_BAND, granted.number
        for band in self._bands[:-1]:
            last = transaction.last_number(today, letter, band)
            if last < LAST_IN_BAND:
                return band, next_number(last)
        band = self._bands[-1]
        return band, next_number(transaction.last_number(today, letter, band))

    def _shows(self, band: int) -> bool:
        """A spare band is always shown: A999 is followed by A2001, which no A001 can be. So is
        the server's.
        """
        return self._show_band or band != self._bands[0]

    def last_granted(self, business_date: str, letter: str) -> int:
        """The highest number of band 0 that is on a ticket of this kiosk."""
        return self._journal.last_number(business_date, letter, SERVER_BAND)

    def raise_numbers(self, numbers: Sequence[LastNumber]) -> None:
        """Go on above what the server has seen of this kiosk: a restored card has forgotten it.
        On a full disk that is done before the next ticket.
        """
        self._seen = numbers
        try:
            self._raise_numbers()
        except JournalFull as error:
            log.error("numbers.not_raised", error=str(error))

    def _raise_numbers(self) -> None:
        higher = [
            seen
            for seen in self._seen
            if self._journal.last_number(seen.business_date, seen.service, seen.band) < seen.last
        ]
        if not higher:
            self._seen = ()
            return
        with self._journal.transaction() as transaction:
            for seen in higher:
                transaction.keep_number(
                    seen.business_date, seen.service, seen.band, min(seen.last, LAST_IN_BAND)
                )
        self._seen = ()
        self._last_date = self._journal.last_business_date()
        self._find_full()

    def _find_full(self) -> None:
        today = self.business_date
        for letter in self._services:
            if self._journal.last_number(today, letter, self._bands[-1]) >= LAST_IN_BAND:
                self._full[letter] = today
