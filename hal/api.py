"""The devices of a lobby as the rest of the system sees them: Protocols and value types, no
I/O.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import Protocol, runtime_checkable


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

    Causes: paper_out, cover_open, cutter, error, offline, silent, link_lost, unavailable, refused.
    """

    paper: Paper
    cause: str = ""


class TicketPrinter(Protocol):
    """Prints slips and says what came of it."""

    async def open(self) -> None:
        """Open the link and ask for the state once. Raises LinkUnavailable, DeviceSilent."""

    async def print_slip(
        self, slip: Slip, *, sending: Callable[[], bool] | None = None
    ) -> PrintResult:
        """Print one slip. Never raises for a device fault: the result says what is known.

        ``sending`` is called once the printer is ready, right before the first byte of the slip;
        where it says False nothing of it is sent: NOT_PRINTED, refused.
        """

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
    firmware_hash: str = ""  # hex, 8 bytes of the manifest's SHA-256; zeros: no manifest
    roles: int = 1  # bits: 1 rating, 2 caller
    keyed: bool = False  # what it says is sealed under its key


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
    restored: bool = False  # it outlived a power cut: the age leaves out the time without power


class KeyAction(IntEnum):
    """What a teller's key asks for."""

    NEXT = 1
    RECALL = 2
    NO_SHOW = 3
    FINISH = 4
    PAUSE = 5


@dataclass(frozen=True, slots=True)
class PadKey:
    """One key of a teller. (unique_id, boot_id, seq) identifies it for ever."""

    unique_id: str
    boot_id: int
    seq: int
    action: KeyAction
    age_ms: int  # by the pad's own clock; a pad drops what is older than 5 s


class CallerPad(Protocol):
    """The teller's side of a pad: keys in, digits out."""

    async def open(self) -> None:
        """Open the link and start to listen. Raises LinkUnavailable. A silent pad is not an error
        here.
        """

    async def show(self, number: str, waiting: int | None, stars: int) -> None:
        """Show the number being served (at most 4 ASCII characters), how many wait (None: not
        known) and the teller's stars, 0 (not shown) to 5. Raises DeviceSilent, DeviceRefused (the
        pad has no such display), LinkLost, ValueError.
        """

    async def next_key(self) -> PadKey:
        """Wait for the next key not delivered before; the pad repeats it until it is answered."""

    async def acknowledge_key(self, key: PadKey) -> None:
        """Tell the pad that the key was carried out, so that it forgets it."""

    async def deny_key(self, key: PadKey, code: str) -> None:
        """Tell the pad that the key was not carried out: it gives a tone and shows ``code``, 4
        ASCII characters. Raises ValueError.
        """

    @property
    def health(self) -> Health:
        """The last known health."""

    def on_health(self, listener: Callable[[Health], None]) -> None:
        """Call ``listener`` at each change of state."""

    def on_greeting(self, listener: Callable[[PadIdentity], None]) -> None:
        """Call ``listener`` each time the pad was greeted: what it showed before may be gone."""

    async def close(self) -> None:
        """Release the link; closing twice is harmless."""


@dataclass(frozen=True, slots=True)
class PadTrial:
    """What a pad says of the firmware that it runs."""

    on_trial: bool  # it has not confirmed itself yet
    went_back: bool  # another one did not pass its trial, this is the one before


@runtime_checkable
class UpdatablePad(Protocol):
    """A pad that takes new firmware over its line, while it goes on with its work."""

    async def update(
        self,
        manifest: bytes,
        files: Mapping[str, bytes],
        *,
        progress: Callable[[int, int], None] = lambda _done, _size: None,
        switching: Callable[[], None] = lambda: None,
    ) -> None:
        """Bring the files of a manifest into the slot that does not run, and start it on trial.

        Whatever was there from an earlier try is kept. ``progress(done, size)`` tells bytes;
        ``switching`` is called before the pad is told to start the new firmware: after that only
        ``identity`` and ``trial`` say what came of it. Raises DeviceBusy (somebody rates, or a
        trial runs), DeviceRefused (the pad says why), DeviceSilent, LinkLost, ValueError (no
        manifest, or a file of it is missing).
        """

    @property
    def identity(self) -> PadIdentity | None:
        """What the pad said of itself, None before its first HELLO."""

    @property
    def trial(self) -> PadTrial | None:
        """What its last heartbeat said, None while nobody is greeted."""

    @property
    def health(self) -> Health:
        """The last known health."""


class PadBus(Protocol):
    """One line with many pads: each has an address on it and a link of its own."""

    def seat(self, address: int, unique_id: str = "") -> ByteLink:
        """The link to the pad at an address; ``unique_id`` (hex) decides where two have it.

        Raises ValueError for an address out of range or given twice.
        """

    def trouble(self, address: int) -> tuple[HealthState, str] | None:
        """What the bus knows of the pad at an address that the pad itself cannot say."""

    @property
    def health(self) -> Health:
        """The bus's own health row."""

    def on_health(self, listener: Callable[[Health], None]) -> None:
        """Call ``listener`` at each change of state."""

    async def close(self) -> None:
        """Release the line; closing twice is harmless. It is opened by its first pad's link."""


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


# --- cards ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CardRead:
    """One card or code at a reader. ``token`` (32 hex digits) is the same for the same card in one
    branch and says nothing without the branch's salt; ``code`` is set for codes of our own only,
    such as an appointment's.
    """

    token: str
    code: str = ""


class CardReader(Protocol):
    """Reads cards and QR codes; a number never leaves it."""

    async def open(self) -> None:
        """Open the line and listen from now on. Raises LinkUnavailable; it is tried again by
        itself.
        """

    async def next_read(self) -> CardRead:
        """Wait for the next card or code. At most four wait; the oldest goes first."""

    @property
    def health(self) -> Health:
        """The last known health."""

    def on_health(self, listener: Callable[[Health], None]) -> None:
        """Call ``listener`` at each change of state."""

    async def close(self) -> None:
        """Release the line; closing twice is harmless."""


# --- sound ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Speech:
    """What is said in one language: ``zh`` or ``en``."""

    language: str
    text: str


class Speaker(Protocol):
    """A loudspeaker or headphones. One announcement at a time: a second waits for the first."""

    async def open(self) -> None:
        """See that sound can be played. Raises LinkUnavailable, DeviceSilent, DeviceRefused."""

    async def say(
        self,
        speeches: Sequence[Speech],
        *,
        volume: float = 1.0,
        chime: bool = True,
        speed: float = 1.0,
    ) -> None:
        """Play the chime, if asked for, then the speeches in this order; returns when all of it
        was played. Cancelled, it falls silent at once. ``volume`` 0 to 1 and ``speed`` 0.5 to 2
        (times as fast as usual) are for this announcement alone. Raises LinkUnavailable
        (program or sound device missing), DeviceSilent (it hangs), DeviceRefused (it ended too
        early, or cannot say this), ValueError.
        """

    async def check(self) -> Health:
        """Play a moment of silence the same way and return the health that follows from it."""

    @property
    def health(self) -> Health:
        """The last known health; counters ``said`` and ``failed``."""

    async def close(self) -> None:
        """End what is being said; closing twice is harmless."""


# --- number displays -----------------------------------------------------------------------


class CounterDisplay(Protocol):
    """The lamps above one counter that show a ticket's number."""

    async def show(self, number: str, *, blink: bool = False) -> None:
        """Show this from now on ("" for nothing); returns when the display has confirmed it. Opens
        the line where it is not. Raises LinkUnavailable, LinkLost, DeviceSilent, DeviceRefused (it
        says that it shows something else), ValueError (not printable ASCII).
        """

    @property
    def health(self) -> Health:
        """As the last ``show`` left it; counters ``shown``, ``repeated``, ``failed``."""


class DisplayLine(Protocol):
    """One line with several displays."""

    def display(self, station: int, *, brightness: int = 100) -> CounterDisplay:
        """The display with this address on the line; ``brightness`` in percent. Raises
        ValueError.
        """

    async def close(self) -> None:
        """Release the line; closing twice is harmless."""
