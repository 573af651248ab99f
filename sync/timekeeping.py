"""How well a boot's time is known, and when a wall clock was moved. Pure: readings come in.

A boot counts its own time (CLOCK_BOOTTIME, "mono"): it never jumps, and it is at most DRIFT_PPM
fast or slow. A wall clock is that plus an offset which anybody may change. So time is kept as an
offset to the boot's own count, with a bound of its error that grows with the drift.

A device has its offset from a server: :class:`Timekeeper`. A server has the offset of each
device's boot from what it hears of it: :class:`Mapping`.
"""

import math
from dataclasses import dataclass
from typing import Literal

Quality = Literal["ntp", "srv", "rtc", "none"]

DRIFT_PPM = 100
"""No clock of a device is wronger than this; a cheap crystal has 20 to 50."""
JUMP_MS = 2_000
"""A wall clock that moved by more than this between two looks has jumped."""


@dataclass(frozen=True, slots=True)
class Machine:
    """What the machine says of its wall clock: whether NTP has set it, how far off it may be
    then, and whether a hardware clock kept it over the power cut.
    """

    synchronised: bool = False
    err_ms: int | None = None
    hardware_clock: bool = False


@dataclass(frozen=True, slots=True)
class Judgement:
    """How well the time is known: where from, and the bound of its error where there is one."""

    quality: Quality = "none"
    err_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Jump:
    """What the wall clock should have shown, and what it showed (Unix ms)."""

    before_ms: int
    after_ms: int


@dataclass(frozen=True, slots=True)
class ServerTime:
    """The server's time is mono + ``offset_ms``, ``err_ms`` off at most when the boot's count was
    ``at_ms``. ``trusted`` if the server has it by NTP.
    """

    offset_ms: int
    err_ms: int
    at_ms: int
    trusted: bool

    @classmethod
    def between(
        cls, server_ms: int, sent_ms: int, now_ms: int, server: Judgement
    ) -> "ServerTime | None":
        """From an answer that the server gave between ``sent_ms`` and ``now_ms`` of our count;
        None when the server does not know the time itself, or the answer is to nothing.
        """
        if server.quality == "none" or not 0 <= sent_ms <= now_ms:
            return None
        middle_ms = (sent_ms + now_ms) // 2
        half_ms = now_ms - middle_ms
        err_ms = half_ms + drift_ms(now_ms - sent_ms) + (server.err_ms or 0)
        trusted = server.quality in ("ntp", "srv")
        return cls(server_ms - middle_ms, err_ms, middle_ms, trusted)

    def err_at(self, mono_ms: int) -> int:
        """The bound of the error at another time of the boot."""
        return self.err_ms + drift_ms(mono_ms - self.at_ms)


def drift_ms(length_ms: int) -> int:
    """How far two clocks may drift apart in ``length_ms``, rounded up."""
    return math.ceil(abs(length_ms) * DRIFT_PPM / 1_000_000)


class Timekeeper:
    """Time on a device, for one boot. What NTP has set is the best; then the server's time, if
    the server has it by NTP; then the machine's own hardware clock; then that of the server.
    """

    def __init__(self) -> None:
        self._server: ServerTime | None = None
        self._offset_ms: int | None = None  # of the wall clock, when it was last looked at

    def welcomed(self, heard: ServerTime) -> None:
        """Keep what is known better now; a server whose time moved is believed."""
        known = self._server
        if known is not None:
            err_ms = known.err_at(heard.at_ms)
            same = abs(known.offset_ms - heard.offset_ms) <= err_ms + heard.err_ms
            if same and err_ms < heard.err_ms and known.trusted >= heard.trusted:
                return
        self._server = heard

    def time_ms(self, wall_ms: int, mono_ms: int, machine: Machine) -> int:
        """The best Unix time: the server's where that is better than the wall clock."""
        server = self._in_force(machine)
        return wall_ms if server is None else mono_ms + server.offset_ms

    def judge(self, mono_ms: int, machine: Machine) -> Judgement:
        """How well ``time_ms`` is known. Time from a server's hardware clock is no better than
        one.
        """
        if machine.synchronised:
            return Judgement("ntp", machine.err_ms)
        server = self._in_force(machine)
        if server is None:
            return Judgement("rtc" if machine.hardware_clock else "none")
        if not server.trusted:
            return Judgement("rtc")
        return Judgement("srv", server.err_at(mono_ms))

    def observe(self, wall_ms: int, mono_ms: int) -> Jump | None:
        """Look at the wall clock: a jump is told once."""
        offset_ms = wall_ms - mono_ms
        known_ms, self._offset_ms = self._offset_ms, offset_ms
        if known_ms is None or abs(offset_ms - known_ms) <= JUMP_MS:
            return None
        return Jump(mono_ms + known_ms, wall_ms)

    def resume(self, offset_ms: int) -> None:
        """The wall clock stood ``offset_ms`` from this boot's count when a program last looked."""
        self._offset_ms = offset_ms

    def _in_force(self, machine: Machine) -> ServerTime | None:
        if machine.synchronised or self._server is None:
            return None
        return self._server if self._server.trusted or not machine.hardware_clock else None


@dataclass(frozen=True, slots=True)
class Mapping:
    """A device's boot in the server's time: mono + ``offset_ms``, as known at ``at_ms`` of the
    boot's count.

    A message was made before it was heard, so each one is an upper bound of the offset; the
    smallest counts. It may rise again by the drift only.
    """

    offset_ms: float
    at_ms: int

    @classmethod
    def first(cls, mono_ms: int, now_ms: int) -> "Mapping":
        """From the first message of a boot, made at ``mono_ms``, heard at ``now_ms``."""
        return cls(float(now_ms - mono_ms), mono_ms)

    def heard(self, mono_ms: int, now_ms: int) -> "Mapping":
        """After another message."""
        passed_ms = max(0, mono_ms - self.at_ms)
        grown_ms = self.offset_ms + passed_ms * DRIFT_PPM / 1_000_000
        return Mapping(min(grown_ms, float(now_ms - mono_ms)), max(mono_ms, self.at_ms))

    def time_ms(self, mono_ms: int) -> int:
        """The server's time at this count."""
        return round(mono_ms + self.offset_ms)

    def latest_ms(self, mono_ms: int) -> int:
        """The latest that it can have been at this count, earlier or later than ``at_ms``."""
        return math.ceil(mono_ms + self.offset_ms) + drift_ms(mono_ms - self.at_ms)
