"""Time and chance as the shells use them: one object, passed to whoever needs them."""

import ctypes
import os
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from sync.identity import uuid7
from sync.messages import Clk, ClockJumpedData, Welcome
from sync.timekeeping import Judgement, Machine, ServerTime, Timekeeper

MACHINE_EVERY_MS = 1_000
"""How often the machine is asked about its clock."""
SAME_CLOCK_MS = 1_000
"""The kernel vouches for its own clock; a wall clock further from it is another one."""
HARDWARE_CLOCKS = "/sys/class/rtc"
STA_UNSYNC, TIME_ERROR = 0x0040, 5


def _unvouched() -> Judgement:
    return Judgement()


@dataclass(frozen=True, slots=True)
class Clock:
    """``wall_ms`` is the best Unix time there is (for people and ids), ``mono_ms`` is
    CLOCK_BOOTTIME of boot ``boot`` (for durations). ``judge`` says how well the former is known.
    """

    wall_ms: Callable[[], int]
    mono_ms: Callable[[], int]
    boot: str
    random_bits: Callable[[int], int] = secrets.randbits
    judge: Callable[[], Judgement] = _unvouched
    keeper: "ClockKeeper | None" = None

    def new_id(self) -> str:
        """A fresh UUIDv7."""
        return uuid7(self.wall_ms(), self.random_bits(74))

    def stamp(self) -> Clk:
        """Boot and count of now, and how well ``wall_ms`` is known now. An event's ``ts`` is
        ``wall_ms``: the machine's wall clock, but where the quality is ``srv`` the count plus the
        server's offset, whatever the wall clock says.
        """
        known = self.judge()
        return Clk(
            boot=self.boot, mono_ms=self.mono_ms(), quality=known.quality, err_ms=known.err_ms
        )

    def welcomed(self, welcome: Welcome, sent_ms: int) -> None:
        """Learn the server's time from its welcome to our hello of ``sent_ms``."""
        if self.keeper is not None:
            self.keeper.welcomed(welcome, sent_ms)

    def jumped(self) -> ClockJumpedData | None:
        """Look at the machine's wall clock: what to journal if it has jumped, once a jump."""
        return None if self.keeper is None else self.keeper.jumped()

    def wall_offset_ms(self) -> int | None:
        """Machine's wall clock less the boot's count, None where nobody keeps the clock."""
        return None if self.keeper is None else self.keeper.offset_ms()


class ClockKeeper:
    """Watches the machine's wall clock and keeps the server's time beside it. ``machine`` says
    what the machine knows of a wall clock that shows the given time (Unix ms).
    """

    def __init__(
        self,
        wall_ms: Callable[[], int],
        mono_ms: Callable[[], int],
        machine: Callable[[int], Machine],
    ) -> None:
        self._wall_ms = wall_ms
        self._mono_ms = mono_ms
        self._ask = machine
        self._keeper = Timekeeper()
        self._machine = Machine()
        self._asked_ms: int | None = None
        self._keeper.observe(wall_ms(), mono_ms())

    def time_ms(self) -> int:
        """The best Unix time."""
        mono_ms, wall_ms = self._mono_ms(), self._wall_ms()
        return self._keeper.time_ms(wall_ms, mono_ms, self._look(wall_ms, mono_ms))

    def judge(self) -> Judgement:
        """How well ``time_ms`` is known."""
        mono_ms, wall_ms = self._mono_ms(), self._wall_ms()
        return self._keeper.judge(mono_ms, self._look(wall_ms, mono_ms))

    def welcomed(self, welcome: Welcome, sent_ms: int) -> None:
        """Learn the server's time."""
        server = Judgement(welcome.quality, welcome.err_ms)
        heard = ServerTime.between(welcome.server_ts, sent_ms, self._mono_ms(), server)
        if heard is not None:
            self._keeper.welcomed(heard)

    def jumped(self) -> ClockJumpedData | None:
        """Whether the wall clock has jumped since the last look."""
        mono_ms, wall_ms = self._mono_ms(), self._wall_ms()
        jump = self._keeper.observe(wall_ms, mono_ms)
        if jump is None:
            return None
        self._asked_ms = None
        return ClockJumpedData(before_ms=jump.before_ms, after_ms=jump.after_ms)

    def offset_ms(self) -> int:
        """Wall clock less count."""
        mono_ms = self._mono_ms()
        return self._wall_ms() - mono_ms

    def resume(self, offset_ms: int) -> None:
        """What ``offset_ms`` was when a program of this boot last looked."""
        self._keeper.resume(offset_ms)

    def _look(self, wall_ms: int, mono_ms: int) -> Machine:
        if self._asked_ms is None or not 0 <= mono_ms - self._asked_ms < MACHINE_EVERY_MS:
            self._machine, self._asked_ms = self._ask(wall_ms), mono_ms
        return self._machine


def kept(clock: Clock, machine: Callable[[int], Machine]) -> Clock:
    """``clock`` with a keeper: its ``wall_ms`` is the machine's clock or the server's, whichever
    is known better.
    """
    keeper = ClockKeeper(clock.wall_ms, clock.mono_ms, machine)
    return replace(clock, wall_ms=keeper.time_ms, judge=keeper.judge, keeper=keeper)


def system_clock() -> Clock:
    """The machine's clock. The boot id is the kernel's, so that a restarted program keeps it."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            boot = file.read().strip()
    except OSError:
        boot = secrets.token_hex(8)
    plain = Clock(
        wall_ms=lambda: time.time_ns() // 1_000_000,
        mono_ms=lambda: time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000,
        boot=boot,
    )
    return kept(plain, ask_machine)


def ask_machine(wall_ms: int) -> Machine:
    """What kernel and hardware say of a wall clock that shows ``wall_ms``."""
    try:
        hardware_clock = bool(os.listdir(HARDWARE_CLOCKS))
    except OSError:
        hardware_clock = False
    state = _Timex()
    verdict = _adjtimex(ctypes.byref(state)) if _adjtimex is not None else -1
    if verdict in (-1, TIME_ERROR) or state.status & STA_UNSYNC:
        return Machine(hardware_clock=hardware_clock)
    # The unit of the fraction is the one that STA_NANO chooses; whole seconds are enough here.
    if abs(state.seconds * 1000 - wall_ms) > SAME_CLOCK_MS + 1000:
        return Machine(hardware_clock=hardware_clock)
    return Machine(True, -(-state.maxerror_us // 1000), hardware_clock)


class _Timex(ctypes.Structure):
    """``struct timex`` of Linux: where nothing is to be changed ``modes`` is 0."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror_us", ctypes.c_long),
        ("esterror_us", ctypes.c_long),
        ("status", ctypes.c_int),
        ("constant", ctypes.c_long),
        ("precision", ctypes.c_long),
        ("tolerance", ctypes.c_long),
        ("seconds", ctypes.c_long),
        ("fraction", ctypes.c_long),
        ("rest", ctypes.c_long * 32),
    )


_adjtimex = getattr(ctypes.CDLL(None), "adjtimex", None)
