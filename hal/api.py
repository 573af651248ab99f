"""The devices of a lobby as the rest of the system sees them: Protocols and value types, no
I/O.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol


class HealthState(StrEnum):
    """How a device is, in the words of the health row."""

    OK = "ok"
    WARNING = "warning"  # works, wants attention soon (paper near its end)
    FAULT = "fault"  # there, cannot do its job (paper out, cover open)
    LOST = "lost"  # does not answer
    UNKNOWN = "unknown"  # not asked yet


@dataclass(frozen=True, slots=True)
class Health:
    """One device's health row. ``detail`` is a short code such as ``paper_out``; counters are
    since start.
    """

    state: HealthState
    detail: str = ""
    counters: dict[str, int] = field(default_factory=dict)


class ByteLink(Protocol):
    """A byte stream to one device. Async, never blocks the loop; one reader at a time."""

    @property
    def address(self) -> str:
        """Where it leads, as written in the configuration (``serial:/dev/ttyUSB0``)."""

    async def open(self) -> None:
        """Open the link. Raises LinkUnavailable."""

    async def read(self, limit: int = 4096) -> bytes:
        """Wait for at least one byte, return at most ``limit``. Raises LinkLost."""

    async def write(self, data: bytes) -> None:
        """Return when all of ``data`` was handed to the operating system. Raises LinkLost."""

    async def close(self) -> None:
        """Close; closing twice is harmless. A pending read ends with LinkLost."""


# --- paper ---------------------------------------------------------------------------------


class Align(StrEnum):
    """Where a line stands on the slip."""

    LEFT = "left"
    CENTRE = "centre"


@dataclass(frozen=True, slots=True)
class Text:
    """One line of text; ``width`` and ``height`` are whole multiples 1..8 of the printer's own
    characters.
    """

    text: str
    width: int = 1
    height: int = 1
    bold: bool = False
    align: Align = Align.LEFT


@dataclass(frozen=True, slots=True)
class Pair:
    """A label at the left edge and its value at the right edge of one line."""

    left: str
    right: str
    width: int = 1
    height: int = 1
    bold_right: bool = True


@dataclass(frozen=True, slots=True)
class Rule:
    """A dashed line across the paper."""


@dataclass(frozen=True, slots=True)
class Feed:
    """Blank lines of one character's height."""

    lines: int = 1


@dataclass(frozen=True, slots=True)
class Qr:
    """A QR code drawn by the printer itself; ``module_dots`` 1..16 dots a module."""

    text: str
    module_dots: int = 7


SlipItem = Text | Pair | Rule | Feed | Qr


@dataclass(frozen=True, slots=True)
class Slip:
    """A slip as a sequence of lines, top to bottom; the driver cuts after the last."""

    items: tuple[SlipItem, ...]


class Paper(StrEnum):
    """What is known about the slip after an attempt to print it."""

    PRINTED = "printed"  # the printer confirmed that it processed everything, cut included
    NOT_PRINTED = "not_printed"  # certain that no slip came out
    UNKNOWN = "unknown"  # bytes were sent, no confirmation: a slip may or may not have come out


@dataclass(frozen=True, slots=True)
class PrintResult:
    """Outcome of one attempt; ``cause`` is empty when printed, else a short code.

    Causes: paper_out, cover_open, cutter, error, offline, silent, link_lost, unavailable.
    """

    paper: Paper
    cause: str = ""


class TicketPrinter(Protocol):
    """Prints slips and says what came of it."""

    async def open(self) -> None:
        """Open the link and ask for the state once. Raises LinkUnavailable, DeviceSilent."""

    async def print_slip(self, slip: Slip) -> PrintResult:
        """Print one slip. Never raises for a device fault: the result says what is known."""

    async def check(self) -> Health:
        """Ask the device now (real-time status) and return its health."""

    @property
    def health(self) -> Health:
        """The last known health."""

    async def close(self) -> None:
        """Release the link; closing twice is harmless."""


# --- rating pads ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PadIdentity:
    """What a pad says of itself in HELLO."""

    unique_id: str  # hex
    boot_id: int  # 32 bits, new at each boot
    protocol: int
    firmware: str  # version, e.g. "0.1.0"
    interpreter: str  # e.g. "micropython 1.25.0"


@dataclass(frozen=True, slots=True)
class PadPress:
    """One key press. (unique_id, boot_id, seq) identifies it for ever; nonce 0 = pressed while not
    armed.
    """

    unique_id: str
    boot_id: int
    seq: int
    nonce: int
    score_1to5: int
    age_ms: int  # time between the press and this delivery, by the pad's own clock


class RatingPad(Protocol):
    """A rating pad on a counter. Presses are delivered until acknowledged; repeats of one already
    seen are dropped.
    """

    async def open(self) -> None:
        """Open the link and start to listen. Raises LinkUnavailable. A silent pad is not an error
        here.
        """

    async def arm(self, nonce: int, window_ms: int) -> None:
        """Allow one press for one visit. ``nonce`` 1..2^32-1. Raises DeviceSilent, LinkLost."""

    async def disarm(self) -> None:
        """End the window early. Raises DeviceSilent, LinkLost."""

    async def next_press(self) -> PadPress:
        """Wait for the next press not delivered before."""

    async def acknowledge(self, press: PadPress) -> None:
        """Tell the pad that the press is journalled, so that it forgets it."""

    @property
    def identity(self) -> PadIdentity | None:
        """What the pad said of itself, None before its first HELLO."""

    @property
    def health(self) -> Health:
        """The last known health."""

    def on_health(self, listener: Callable[[Health], None]) -> None:
        """Call ``listener`` at each change of state."""

    async def close(self) -> None:
        """Release the link; closing twice is harmless."""
