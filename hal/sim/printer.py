"""An ESC/POS printer at the far end of a byte stream, with the verbs of a bench.

It works off its receive buffer in order and answers DLE EOT, DLE ENQ and DLE DC4 fn 8 at once,
whatever it is doing. Without paper, with its cover open or its cutter jammed it goes offline,
keeps what arrives until it is full, and prints the rest when the fault is gone: as machines do, so
a driver that does not clear the buffer makes ghosts here too.

Not modelled: the time that the head, the motor and the cutter take (lines print at once; only the
line's speed can be set), the distance between head and cutter, hardware flow control (a full
buffer drops and counts), page mode, bit images but bands of GS v 0, user-defined characters, code
pages but PC437, double-strike as different from bold, a hot or worn head, a person's hand.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Protocol

from hal.errors import LinkLost
from hal.sim.escpos import Interpreter, Step
from hal.sim.paper import PrintedSlip

RECEIVE_BUFFER = 4096
"""Bytes kept while offline, as TM-T88 class printers do (4 KiB setting)."""
PAPER_DOTS = 576
KEEP = 1000
"""Slips and refusals remembered; older ones are forgotten, the sequence goes on."""
PACE_S = 0.002
"""Step in which a paced line delivers bytes."""

DLE = 0x10
CLEAR_COMMAND = bytes.fromhex("10140801031401060208")
CLEARED_ANSWER = b"\x37\x25\x00"
REAL_TIME = (
    *(bytes([DLE, 0x04, n]) for n in (1, 2, 3, 4)),  # DLE EOT
    *(bytes([DLE, 0x05, n]) for n in (1, 2)),  # DLE ENQ
    CLEAR_COMMAND,
)


class Roll(Enum):
    """What the paper sensors see."""

    FULL = auto()
    NEAR_END = auto()
    END = auto()


class Cutter(Enum):
    """FREE cuts; JAMMING sticks at the next cut; JAMMED is stuck; FREED waits to be told."""

    FREE = auto()
    JAMMING = auto()
    JAMMED = auto()
    FREED = auto()


@dataclass(frozen=True, slots=True)
class Refusal:
    """A command that had no effect; ``offset`` counts the bytes worked off before it."""

    offset: int
    data: bytes
    reason: str


class Stream(Protocol):
    """What :meth:`SimPrinter.serve` needs of a link."""

    async def read(self, limit: int = 4096) -> bytes:
        """Wait for bytes. Raises LinkLost."""

    async def write(self, data: bytes) -> None:
        """Hand bytes over. Raises LinkLost."""


class SimPrinter:
    """One printer. ``on_slip`` is called with each piece of paper that comes out.

    ``clears`` False models a make that ignores the commands which empty the buffer;
    ``bytes_per_s`` paces what arrives (11520 for 115200 baud), None takes it at once.
    """

    def __init__(
        self,
        *,
        on_slip: Callable[[PrintedSlip], None] | None = None,
        dots_wide: int = PAPER_DOTS,
        clears: bool = True,
        bytes_per_s: float | None = None,
    ) -> None:
        self.slips: deque[PrintedSlip] = deque(maxlen=KEEP)
        self.refused: deque[Refusal] = deque(maxlen=KEEP)
        self.received = 0  # bytes since the printer was made
        self.overflowed = 0  # bytes that came while the buffer was full
        self._on_slip = on_slip
        self._clears = clears
        self._bytes_per_s = bytes_per_s
        self._roll, self._cutter, self._cover_open = Roll.FULL, Cutter.FREE, False
        self._machine = Interpreter(dots_wide)
        self._buffer = bytearray()
        self._real_time = bytearray()  # beginning of what may become a real-time command
        self._out = bytearray()
        self._automatic = 0
        self._worked = 0  # bytes taken off the buffer
        self._pieces = 0
        self._interrupted = False
        self._lines = 0  # printed since the last piece
        self._line_actions: dict[int, Callable[[], object]] = {}
        self._working = False
        self._news = asyncio.Event()  # there may be something to say unasked
        self._slip_out = asyncio.Event()

    # --- bench -----------------------------------------------------------------------------

    def load_paper(self) -> None:
        """Put in a new roll; the end of the old one falls out with what was printed on it."""
        if self._roll is Roll.END and not self._machine.is_blank:
            self._interrupted = True
            self._emit(cut=False)
        self._roll = Roll.FULL
        self._changed()

    def paper_out(self) -> None:
        """Let the roll end."""
        self._roll = Roll.END
        self._changed()

    def paper_near_end(self) -> None:
        """Let the near-end sensor see the core of the roll."""
        self._roll = Roll.NEAR_END
        self._changed()

    def open_cover(self) -> None:
        """Lift the cover."""
        self._cover_open = True
        self._changed()

    def close_cover(self) -> None:
        """Close the cover; printing goes on if nothing else is wrong."""
        self._cover_open = False
        self._changed()

    def jam_cutter(self) -> None:
        """Make the cutter stick at the next cut."""
        self._cutter = Cutter.JAMMING

    def free_cutter(self) -> None:
        """Take the scrap out; the printer stays in error until it is told to recover."""
        self._cutter = Cutter.FREED if self._cutter is Cutter.JAMMED else Cutter.FREE
        self._changed()

    def power_cycle(self) -> None:
        """Switch off and on: buffer and settings are gone, the paper stays where it is."""
        self._forget()
        self._real_time.clear()
        self._machine.reset()
        self._automatic = 0
        if self._cutter is Cutter.FREED:
            self._cutter = Cutter.FREE
        self._changed()

    def at_line(self, count: int, action: Callable[[], object]) -> None:
        """Do ``action`` once, when ``count`` lines of one slip are on the paper."""
        self._line_actions[count] = action

    def tear_mid_slip(self, after_lines: int) -> None:
        """Let the roll end when that many lines of the next slip are printed."""
        self.at_line(after_lines, self.paper_out)

    async def next_slip(self, after: int = 0) -> PrintedSlip:
        """The first piece of paper with a sequence above ``after``; waits for it."""
        while True:
            for slip in self.slips:
                if slip.sequence > after:
                    return slip
            self._slip_out.clear()
            await self._slip_out.wait()

    # --- wire ------------------------------------------------------------------------------

    @property
    def is_online(self) -> bool:
        """Whether it prints now."""
        return not (self._cover_open or self._roll is Roll.END or self._has_error())

    def receive(self, data: bytes) -> bytes:
        """Take bytes from the line, return what the printer says (bench verbs' answers too)."""
        for byte in data:
            self.received += 1
            if byte != DLE and not self._real_time:  # no real-time command begins so
                self._keep(byte)
                continue
            self._real_time.append(byte)
            while self._real_time and not self._matches():
                self._keep(self._real_time.pop(0))
        self._work()
        out = bytes(self._out)
        self._out.clear()
        return out

    async def serve(self, stream: Stream) -> None:
        """Be the printer on ``stream`` until its far end hangs up."""
        talker = asyncio.create_task(self._talk(stream), name="printer talks unasked")
        loop = asyncio.get_running_loop()
        due = loop.time()
        try:
            while True:
                data = await stream.read()
                due = max(due, loop.time())
                size = len(data)
                if self._bytes_per_s:
                    size = max(1, int(self._bytes_per_s * PACE_S))
                for start in range(0, len(data), size):
                    piece = data[start : start + size]
                    if self._bytes_per_s:
                        due += len(piece) / self._bytes_per_s
                        await asyncio.sleep(due - loop.time())
                    answer = self.receive(piece)
                    if answer:
                        await stream.write(answer)
        except LinkLost:
            return
        finally:
            talker.cancel()
            await asyncio.gather(talker, return_exceptions=True)

    async def _talk(self, stream: Stream) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            if answer := self.receive(b""):
                await stream.write(answer)

    def _matches(self) -> bool:
        """Whether the held bytes are (after executing it) or may become a real-time command."""
        held = bytes(self._real_time)
        if held in REAL_TIME:
            self._work()
            self._execute(held)
            self._real_time.clear()
            return True
        return any(command.startswith(held) for command in REAL_TIME)

    def _execute(self, command: bytes) -> None:
        if command[1] == 0x04:
            self._out.append(self._status(command[2]))
        elif command == CLEAR_COMMAND:
            if self._clears:
                self._recover()
                self._forget()
                self._out += CLEARED_ANSWER
        elif self._cutter is Cutter.FREED:  # DLE ENQ works on recoverable errors only
            if command[2] == 2:
                self._forget()
            self._recover()
        self._work()

    def _recover(self) -> None:
        if self._cutter is Cutter.FREED:
            self._cutter = Cutter.FREE

    def _forget(self) -> None:
        if self._buffer or not self._machine.is_blank:
            self._interrupted = True
        self._worked += len(self._buffer)
        self._buffer.clear()
        self._machine.forget_line()

    def _keep(self, byte: int) -> None:
        if len(self._buffer) < RECEIVE_BUFFER:
            self._buffer.append(byte)
            if len(self._buffer) == RECEIVE_BUFFER:
                self._work()
        else:
            self.overflowed += 1

    # --- work ------------------------------------------------------------------------------

    def _work(self) -> None:
        if self._working:  # a verb called by what a line triggered
            return
        self._working = True
        while self._buffer and self.is_online:
            step = self._machine.step(self._buffer)
            if not step.consumed and not step.line_printed:
                break
            if step.cut and self._cutter is Cutter.JAMMING:
                self._cutter = Cutter.JAMMED  # the cut stays in the buffer, to be done again
                self._changed()
                break
            self._take(step)
        self._working = False

    def _take(self, step: Step) -> None:
        if step.refused:
            data = bytes(self._buffer[: step.consumed])
            self.refused.append(Refusal(self._worked, data, step.refused))
        del self._buffer[: step.consumed]
        self._worked += step.consumed
        if step.cut and not self._machine.is_blank:
            self._emit(cut=True)
        elif step.cut:
            self._machine.new_page()
            self._interrupted = False
        if step.reset:  # a new slip begins; what hangs there uncut was not finished
            self._interrupted = not self._machine.is_blank
        if step.ask is not None:
            # Drawer status (n = 2) is always "closed".
            self._out.append(0x03 if step.ask == 1 and self._roll is Roll.NEAR_END else 0x00)
        if step.automatic is not None:
            self._automatic = step.automatic
            self._say_automatically()
        if step.line_printed:
            self._lines += 1
            action = self._line_actions.pop(self._lines, None)
            if action is not None:
                action()

    def _emit(self, *, cut: bool) -> None:
        page = self._machine.new_page()
        self._pieces += 1
        slip = PrintedSlip(
            self._pieces,
            tuple(page.marks),
            page.width,
            page.y,
            cut=cut,
            complete=cut and not self._interrupted,
        )
        self._interrupted, self._lines = False, 0
        self.slips.append(slip)
        self._slip_out.set()
        if self._on_slip is not None:
            self._on_slip(slip)

    # --- status ----------------------------------------------------------------------------

    def _has_error(self) -> bool:
        return self._cutter in (Cutter.JAMMED, Cutter.FREED)

    def _changed(self) -> None:
        self._say_automatically()
        self._work()
        self._news.set()

    def _status(self, n: int) -> int:
        end, near = self._roll is Roll.END, self._roll is not Roll.FULL
        bits = {
            1: (not self.is_online) << 3,
            2: self._cover_open << 2 | end << 5 | self._has_error() << 6,
            3: self._has_error() << 3,
            4: near * 0x0C | end * 0x60,
        }
        return 0x12 | bits[n]

    def _say_automatically(self) -> None:
        if not self._automatic:
            return
        end, near = self._roll is Roll.END, self._roll is not Roll.FULL
        self._out.append(0x10 | (not self.is_online) << 3 | self._cover_open << 5)
        self._out += bytes([self._has_error() << 3, near * 0x03 | end * 0x0C, 0x0F])
