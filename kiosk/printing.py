"""One slip on paper: built, printed within a deadline, and what came of it, whatever happened."""

import asyncio

import structlog

from hal.api import Health, HealthState, Paper, PrintResult, TicketPrinter
from hal.errors import HalError
from kiosk.config import KioskConfig
from kiosk.flow import Ticket
from kiosk.presenter import OnPaper, names, reference
from kiosk.slip import build_slip

DEADLINE_S = 30.0
"""Above the sum of a driver's own limits: connect, ask, settle, print, confirm."""

log = structlog.get_logger()


class SlipPrinter:
    """The kiosk's printer, with a deadline on every call and no way to fail but by its result."""

    def __init__(self, config: KioskConfig, printer: TicketPrinter) -> None:
        self._printer = printer
        self._branch = config.branch
        self._services = {service.letter: service for service in config.services}

    @property
    def health(self) -> Health:
        """The last known health."""
        return self._printer.health

    async def open(self) -> None:
        """Open the printer; one that is not there is seen in its health."""
        try:
            await self._printer.open()
        except HalError as error:
            log.warning("printer.unavailable", error=str(error))

    async def print(self, ticket: Ticket, on_paper: OnPaper, language: str) -> PrintResult:
        """Print the slip. Causes are those of :class:`hal.api.PrintResult`, and unprintable."""
        wait = on_paper.wait
        known = wait.low_min is not None and wait.high_min is not None
        branch = self._branch
        try:
            slip = build_slip(
                branch_name=branch.zh if language == "zh_CN" else branch.en,
                service_name=names(self._services[ticket.service])[language],
                number=ticket.number,
                waiting=wait.ahead,
                wait_min=(wait.low_min or 0, wait.high_min or 0) if known else None,
                issued_at_text=on_paper.issued_at_text,
                reference=reference(ticket.id),
                public_url=branch.public_url or None,
                complaints_phone=branch.complaints_phone,
                language=language,
            )
            async with asyncio.timeout(DEADLINE_S):
                return await self._printer.print_slip(slip)
        except TimeoutError:
            log.error("printer.hangs", number=ticket.number, after_s=DEADLINE_S)
            return PrintResult(Paper.UNKNOWN, "silent")
        except ValueError as error:  # by the printer's contract nothing was sent
            log.error("printer.unprintable", number=ticket.number, error=str(error))
            return PrintResult(Paper.NOT_PRINTED, "unprintable")
        except Exception:
            log.exception("printer.failed", number=ticket.number)
            return PrintResult(Paper.UNKNOWN, "error")

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
