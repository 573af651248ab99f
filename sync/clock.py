"""Time and chance as the shells use them: one object, passed to whoever needs them."""

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass

from sync.identity import uuid7
from sync.messages import Clk


@dataclass(frozen=True, slots=True)
class Clock:
    """``wall_ms`` is Unix time (for people and ids), ``mono_ms`` is CLOCK_BOOTTIME of boot
    ``boot`` (for durations).
    """

    wall_ms: Callable[[], int]
    mono_ms: Callable[[], int]
    boot: str
    random_bits: Callable[[int], int] = secrets.randbits

    def new_id(self) -> str:
        """A fresh UUIDv7."""
        return uuid7(self.wall_ms(), self.random_bits(74))

    def stamp(self) -> Clk:
        """How well the time is known now; the quality is ``none`` until a source vouches for
        it.
        """
        return Clk(boot=self.boot, mono_ms=self.mono_ms())


def system_clock() -> Clock:
    """The machine's clock. The boot id is the kernel's, so that a restarted program keeps it."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            boot = file.read().strip()
    except OSError:
        boot = secrets.token_hex(8)
    return Clock(
        wall_ms=lambda: time.time_ns() // 1_000_000,
        mono_ms=lambda: time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000,
        boot=boot,
    )
