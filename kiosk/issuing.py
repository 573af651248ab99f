"""Tickets in the journal: number and event in one transaction, and what a crash left of them."""

from collections.abc import Callable

import structlog

from kiosk import flow
from kiosk.config import KioskConfig
from kiosk.numbering import (
    LAST_IN_BAND,
    NumbersExhausted,
    business_date,
    display,
    next_number,
)
from sync.clock import Clock
from sync.errors import JournalFull
from sync.journal import Journal, Transaction
from sync.messages import IssuedData, TicketIssued, TicketPrinted, TicketVoided

RESHOW_MS = 60_000
"""A ticket issued without a confirmed slip is shown again after a restart within this time, else
voided.
"""
SEGMENT_ORDINARY, SEGMENT_PRIORITY = "ordinary", "priority"

log = structlog.get_logger()


class Issuer:
    """Issues tickets of the configured services. ``today`` gives the calendar's date (ISO)."""

    def __init__(
        self, config: KioskConfig, journal: Journal, clock: Clock, today: Callable[[], str]
    ) -> None:
        self._journal = journal
        self._clock = clock
        self._today = today
        self._bands = (config.band, *config.spare_bands)
        self._show_band = config.show_band
        self._services = {service.letter: service for service in config.services}
        self._full: dict[str, str] = {}  # letter -> business date on which the last number went
        self._find_full()

    def issue(self, letter: str, request: str, segment: str, language: str) -> flow.Event:
        """Issued, Declined or Refused. An empty ``segment`` is the service's usual one."""
        service = self._services.get(letter)
        if service is None:
            return flow.Declined("unknown_service")
        usual = SEGMENT_PRIORITY if service.priority else SEGMENT_ORDINARY
        try:
            with self._journal.transaction() as transaction:
                if transaction.request(request) is not None:
                    return flow.Declined("repeated")
                today = self._business_date()
                band, number = self._next(transaction, today, letter)
                transaction.keep_number(today, letter, band, number)
                data = IssuedData(
                    number=display(letter, band, number, show_band=self._shows(band)),
                    service=letter,
                    segment=segment or usual,
                    language=language,
                    business_date=today,
                    band=band,
                    request=request,
                )
                event = transaction.append("ticket.issued", data, sub="self", request=request)
        except JournalFull as error:
            log.error("ticket.refused", error=str(error))
            return flow.Refused("storage_full")
        except NumbersExhausted as error:
            log.error("ticket.declined", service=letter, error=str(error))
            self._full[letter] = today
            return flow.Declined("numbers_exhausted")
        if (band, number) == (self._bands[-1], LAST_IN_BAND):
            self._full[letter] = today
        return flow.Issued(flow.Ticket(event.id, data.number, letter))

    def full(self) -> frozenset[str]:
        """Letters of the services that have given their last number of this business date."""
        today = self._today()
        return frozenset(letter for letter, date in self._full.items() if today <= date)

    def left_alone(self) -> list[str]:
        """Ids of tickets that a crash left with nothing but their number, oldest first."""
        return [event.id for event in self._journal.first_alone("ticket.issued")]

    def unconfirmed(self) -> TicketIssued | None:
        """The last ticket if its slip is unconfirmed, it is fresh and its service still exists."""
        event = self._journal.last_of("ticket.issued")
        if not isinstance(event, TicketIssued) or event.data.service not in self._services:
            return None
        settled = any(
            isinstance(later, TicketPrinted | TicketVoided)
            for later in self._journal.events_about(event.id)
        )
        return None if settled or not self._is_fresh(event) else event

    def _is_fresh(self, event: TicketIssued) -> bool:
        """By the boot's own clock within one boot; by wall clock over a power cut.

        A clock that stands before the ticket cannot tell its age: then it is not fresh.
        """
        if event.clk.boot == self._clock.boot:
            age_ms = self._clock.mono_ms() - event.clk.mono_ms
        else:
            age_ms = self._clock.wall_ms() - event.ts
        return 0 <= age_ms <= RESHOW_MS

    def _business_date(self) -> str:
        return business_date(self._today(), self._journal.last_business_date())

    def _next(self, transaction: Transaction, today: str, letter: str) -> tuple[int, int]:
        """Band and number: the first band that has one left. Raises NumbersExhausted."""
        for band in self._bands[:-1]:
            last = transaction.last_number(today, letter, band)
            if last < LAST_IN_BAND:
                return band, next_number(last)
        band = self._bands[-1]
        return band, next_number(transaction.last_number(today, letter, band))

    def _shows(self, band: int) -> bool:
        """A spare band is always shown: A999 is followed by A2001, which no A001 can be."""
        return self._show_band or band != self._bands[0]

    def _find_full(self) -> None:
        today = self._business_date()
        for letter in self._services:
            if self._journal.last_number(today, letter, self._bands[-1]) >= LAST_IN_BAND:
                self._full[letter] = today
