"""An ESC/POS printer over any byte link: prints a slip and says what became of it.

"Bytes sent" is not "paper out". The driver asks DLE EOT 1-4 before each slip: one write, one burst
of four bytes back, some 0.2 ms on a pty and 1-3 ms at 115200 baud. It trusts no older answer, as a
fault found before the slip is NOT_PRINTED and one found after it only UNKNOWN. Then it sends the
slip and GS r 1 behind the cut. A printer answers GS r in order, when all before it was processed,
and not while it is offline: only that answer means PRINTED. Until it comes DLE EOT 1-4 name the
cause.

A printer that stops mid-slip keeps the rest and prints it when somebody puts paper in: a ghost. So
what is known of its buffer and its paper is a state of its own:

    state    means                                    leaves it
    EMPTY    all our slips were confirmed             a slip is sent -> TORN
    UNSURE   just started: a process before us may    GS r answered, or buffers cleared -> EMPTY
             have left something
    TORN     bytes were sent, not confirmed           all GS r answers came (late) -> EMPTY
                                                      fault, buffers cleared -> SCRAP
                                                      online: cut, GS r answered -> EMPTY
    SCRAP    buffer empty, part of a slip may hang    online: a cut and GS r are sent -> TORN
             in the printer

At a fault the buffers are cleared at once, while the printer is offline, by DLE ENQ 2 and DLE DC4
fn 8 (some makes know one, some the other); when it is back, ESC @ and a cut part the scrap from
the next slip. A printer that knows neither command prints the rest by itself after the fault; the
cut still parts it, and the counter ``clear_unanswered`` shows that such a printer is fitted.

A line that is still full of the slip's bytes brings the questions too late: somebody may have put
in a new roll before the printer hears them, and its GS r would vouch for a slip of which one half
fell out with the old roll. So the printer is told to name its faults by itself (GS a) behind the
slip's ESC @, and a slip during which the paper ended is never PRINTED.

A printer that lost its power in the middle and is back before the line has brought the rest would
answer GS r for a slip without its middle. It needs a second to start and hears nothing in that
time; native text is on the line for less. So give a slow line no raster.

GS r answers carry no number, so the driver counts those it is owed: a late one does not confirm
the next slip. (GS ( H would number them; too few printers know it.)
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from enum import Enum, auto

from hal.api import ByteLink, Health, HealthState, Paper, PrintResult, Slip
from hal.drivers.escpos_codes import (
    AUTOMATIC_STATUS_ON,
    CLEAR_BUFFERS,
    FEED_AND_CUT,
    INITIALISE,
    PAPER_80,
    STATUS_IN_ORDER,
    Profile,
    encode,
)
from hal.drivers.escpos_line import PrinterLine
from hal.drivers.escpos_status import Kind, cause_of, cause_of_automatic, is_near_end
from hal.errors import DeviceSilent, LinkLost, LinkUnavailable

POLL_S = 0.25
"""How often a slip in print is asked after: a fault is named well within the alert's 5 s."""
CONFIRM_TIMEOUT_S = 8.0
"""A 15 cm slip at a slow 60 mm/s is 2.5 s, the cut 0.5 s; the rest is for a hot head's pauses."""
SLOWEST_BYTES_PER_S = 960
"""9600 baud; a long slip gets that much more time."""
CLEAR_TIMEOUT_S = 0.5
SETTLE_TIMEOUT_S = 3.0
"""Longest silence between two GS r answers of an online printer that works off its buffer."""

NEAR_END = "paper_near_end"
PAPER_OUT = "paper_out"
UNREACHABLE_CAUSES = frozenset({"silent", "link_lost", "unavailable"})
RECOVERABLE_CAUSES = frozenset({"cutter", "error"})
"""Faults that stay after they were put right, until the printer is told to recover."""


class _Buffer(Enum):
    EMPTY = auto()
    UNSURE = auto()
    TORN = auto()
    SCRAP = auto()


class EscposPrinter:
    """TicketPrinter for ESC/POS machines. ``name`` goes into error messages.

    Calls wait for each other. Call :meth:`check` every few seconds: it notices faults, clears what
    they left and finds a printer that was plugged in again, before a customer has to wait for it.
    """

    def __init__(self, link: ByteLink, *, name: str, profile: Profile = PAPER_80) -> None:
        self._name = name
        self._address = link.address
        self._profile = profile
        self._counters: Counter[str] = Counter()
        self._line = PrinterLine(link, name, self._counters, self._on_in_order)
        self._buffer = _Buffer.UNSURE
        self._owed = 0  # GS r commands sent whose answers have not come
        self._lock = asyncio.Lock()
        self._state, self._detail = HealthState.UNKNOWN, ""

    @property
    def health(self) -> Health:
        """The last known health; ``counters`` count since start."""
        return Health(self._state, self._detail, dict(self._counters))

    async def open(self) -> None:
        """Open the link and ask for the state once. Raises LinkUnavailable, DeviceSilent."""
        async with self._lock:
            self._line.allow()
            try:
                await self._line.open()
                cause = await self._make_ready()
            except (LinkUnavailable, LinkLost) as error:
                await self._line.drop()
                self._note("unavailable")
                raise LinkUnavailable(str(error)) from error
            self._note(cause)
            if cause == "silent":
                raise DeviceSilent(
                    f"{self._name} at {self._address} does not answer; is it switched on,"
                    " is the speed right, is it an ESC/POS printer?"
                )

    async def print_slip(
        self, slip: Slip, *, sending: Callable[[], bool] | None = None
    ) -> PrintResult:
        """Print one slip. Raises ValueError for text no printer can print, nothing for a fault."""
        data = encode(slip, self._profile, opening=AUTOMATIC_STATUS_ON) + STATUS_IN_ORDER
        async with self._lock:
            cause = await self._prepare()
            if cause:
                return self._result(Paper.NOT_PRINTED, cause)
            if sending is not None and not sending():
                return PrintResult(Paper.NOT_PRINTED, "refused")
            self._buffer = _Buffer.TORN
            self._owed += 1
            try:
                cause = await self._send_and_confirm(data)
            except LinkLost:
                await self._line.drop()
                cause = "link_lost"
            except asyncio.CancelledError:
                self._line.distrust()  # half a command may be on the way
                raise
            return self._result(Paper.UNKNOWN if cause else Paper.PRINTED, cause)

    async def check(self) -> Health:
        """Ask the device now, clear what a fault left, return the health. Raises no HalError."""
        async with self._lock:
            self._note(await self._prepare())
            return self.health

    async def close(self) -> None:
        """Release the link at once; a slip in print ends as link_lost. Twice is harmless."""
        await self._line.shut()
        self._state, self._detail = HealthState.UNKNOWN, ""

    # --- before a slip ---------------------------------------------------------------------

    async def _prepare(self) -> str:
        """Make the printer ready for a slip; return why it is not, empty when it is."""
        for _ in range(2):  # a link found dead is opened anew, once
            try:
                await self._line.open()
                return await self._make_ready()
            except LinkUnavailable:
                return "unavailable"
            except LinkLost:
                await self._line.drop()
        return "link_lost"

    async def _make_ready(self) -> str:
        status, cause = await self._ask()
        if cause in RECOVERABLE_CAUSES or (status and cause and self._may_hold_bytes()):
            await self._clear()
            status, cause = await self._ask()
        if not cause and self._buffer is not _Buffer.EMPTY:
            cause = await self._settle()
            if not cause:  # it took its time: somebody may be at the cover by now
                status, cause = await self._ask()
        if not cause:
            self._note_paper(near_end=is_near_end(status))
        return cause

    async def _ask(self, behind_s: float = 0.0) -> tuple[bytes, str]:
        """The status bytes (none when silent) and the cause in them."""
        status = await self._line.ask_status(behind_s)
        return status, cause_of(status) if status else "silent"

    def _may_hold_bytes(self) -> bool:
        return self._buffer in (_Buffer.UNSURE, _Buffer.TORN)

    async def _clear(self) -> None:
        """Make a stopped printer recover and forget what it has not printed yet."""
        await self._line.send(CLEAR_BUFFERS)
        while (answer := await self._line.next(CLEAR_TIMEOUT_S)) is not None:
            if answer.kind is Kind.CLEARED:
                self._counters["cleared"] += 1
                self._owed = 0
                if self._may_hold_bytes():  # of a program before us, too: uncut under the cutter
                    self._buffer = _Buffer.SCRAP
                return
        self._counters["clear_unanswered"] += 1

    async def _settle(self) -> str:
        """Wait until an online printer worked off its buffer; cut off what it left uncut."""
        scrap = b""
        if self._buffer is not _Buffer.UNSURE:
            scrap = INITIALISE + FEED_AND_CUT
            self._buffer = _Buffer.TORN
        self._owed += 1
        answered = 0
        await self._line.send(scrap + STATUS_IN_ORDER)
        while self._owed:
            answer = await self._line.next(SETTLE_TIMEOUT_S)
            if answer is None:
                break
            answered += answer.kind is Kind.IN_ORDER
        if self._owed:
            # A printer that stopped meanwhile still owes them: they must not confirm a later slip.
            _, cause = await self._ask()
            if cause or not answered:
                return cause or "silent"
        # Answers that a power cut or an interrupted write swallowed are not owed any more.
        self._owed = 0
        self._buffer = _Buffer.EMPTY
        return ""

    # --- the slip --------------------------------------------------------------------------

    async def _send_and_confirm(self, data: bytes) -> str:
        """Return the cause for which the slip was not confirmed, empty when it was."""
        line_s = len(data) / SLOWEST_BYTES_PER_S
        try:
            async with asyncio.timeout(CONFIRM_TIMEOUT_S + line_s):
                await self._line.send(data)
                cause = await self._await_confirmation(line_s)
        except TimeoutError:
            self._line.distrust()
            return "silent"
        if cause and cause != "silent":
            await self._clear()
        torn = cause == PAPER_OUT
        return "" if self._is_confirmed() and not torn else cause

    async def _await_confirmation(self, line_s: float) -> str:
        while not self._is_confirmed():
            answer = await self._line.next(POLL_S)
            if answer is None:
                _, cause = await self._ask(line_s)
                if cause and not self._is_confirmed():
                    return cause
            elif answer.kind is Kind.AUTOMATIC and (cause := cause_of_automatic(answer.data)):
                return cause
        return ""

    def _is_confirmed(self) -> bool:
        return self._buffer is _Buffer.EMPTY

    def _on_in_order(self) -> None:
        if not self._owed:
            self._counters["stray"] += 1
            return
        self._owed -= 1
        if not self._owed and self._buffer is _Buffer.TORN:
            self._buffer = _Buffer.EMPTY  # GS r stands behind the cut: the slip did come out

    # --- what is known ---------------------------------------------------------------------

    def _result(self, paper: Paper, cause: str) -> PrintResult:
        self._counters[paper.value] += 1
        self._note(cause)
        return PrintResult(paper, cause)

    def _note_paper(self, *, near_end: bool) -> None:
        self._state = HealthState.WARNING if near_end else HealthState.OK
        self._detail = NEAR_END if near_end else ""

    def _note(self, cause: str) -> None:
        if cause:
            unreachable = cause in UNREACHABLE_CAUSES
            self._state = HealthState.LOST if unreachable else HealthState.FAULT
            self._detail = cause
