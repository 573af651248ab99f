"""The clock as the programs have it, on counts that the tests move."""

import time
from dataclasses import dataclass

from sync.clock import Clock, ask_machine, kept, system_clock
from sync.messages import ClockJumpedData, Welcome
from sync.timekeeping import Machine

BEGUN_MS = 1_760_000_000_000
TEN_YEARS_MS = 3652 * 86_400_000


@dataclass
class Bench:
    """A machine whose clocks stand still until they are moved."""

    mono_ms: int = 50_000
    off_ms: int = BEGUN_MS
    machine: Machine = Machine()  # noqa: RUF009 - frozen
    asked: int = 0

    def clock(self) -> Clock:
        plain = Clock(lambda: self.off_ms + self.mono_ms, lambda: self.mono_ms, "b", lambda _: 1)
        return kept(plain, self._ask)

    def _ask(self, wall_ms: int) -> Machine:
        assert wall_ms == self.off_ms + self.mono_ms
        self.asked += 1
        return self.machine


def welcome(server_ts: int, quality: str = "ntp") -> Welcome:
    return Welcome(
        epoch=1, connect=1, hw=0, digest="0" * 16, server_gen="g", server_ts=server_ts,
        quality=quality, err_ms=5,  # type: ignore[arg-type]
    )  # fmt: skip


def test_a_clock_that_nobody_keeps_vouches_for_nothing() -> None:
    clock = Clock(lambda: 7, lambda: 3, "b", lambda _: 1)
    assert (clock.stamp().quality, clock.stamp().err_ms, clock.jumped()) == ("none", None, None)
    clock.welcomed(welcome(1_000), 1)
    assert (clock.wall_ms(), clock.wall_offset_ms()) == (7, None)


def test_the_servers_time_replaces_a_wrong_wall_clock() -> None:
    bench = Bench(off_ms=BEGUN_MS + TEN_YEARS_MS)
    clock = bench.clock()
    assert clock.wall_ms() == BEGUN_MS + TEN_YEARS_MS + 50_000
    bench.mono_ms += 40
    clock.welcomed(welcome(BEGUN_MS + 50_020), 50_000)
    assert clock.wall_ms() == BEGUN_MS + 50_040
    assert clock.stamp().quality == "srv"
    assert clock.stamp().err_ms == 20 + 1 + 5 + 1  # half the trip, drift, the server's, drift
    bench.off_ms -= 2 * TEN_YEARS_MS
    bench.mono_ms += 960
    assert clock.wall_ms() == BEGUN_MS + 51_000


def test_ntp_on_the_machine_is_better_than_the_server() -> None:
    bench = Bench(machine=Machine(True, 12))
    clock = bench.clock()
    clock.welcomed(welcome(1), 50_000)
    assert clock.wall_ms() == BEGUN_MS + 50_000
    assert (clock.stamp().quality, clock.stamp().err_ms) == ("ntp", 12)


def test_the_machine_is_asked_once_a_second_and_after_a_jump() -> None:
    bench = Bench()
    clock = bench.clock()
    for _ in range(10):
        clock.stamp()
    assert bench.asked == 1
    bench.mono_ms += 1_000
    clock.stamp()
    assert bench.asked == 2
    bench.off_ms += 3_000
    assert clock.jumped() == ClockJumpedData(
        before_ms=BEGUN_MS + 51_000, after_ms=BEGUN_MS + 54_000
    )
    clock.stamp()
    assert bench.asked == 3
    assert clock.jumped() is None


def test_the_system_clock_is_the_machines() -> None:
    clock = system_clock()
    assert clock.boot == system_clock().boot
    assert abs(clock.mono_ms() - time.clock_gettime(time.CLOCK_BOOTTIME) * 1000) < 1_000
    offset_ms = clock.wall_offset_ms()
    assert offset_ms is not None
    assert abs(offset_ms + clock.mono_ms() - time.time() * 1000) < 1_000
    assert clock.jumped() is None


def test_the_kernel_vouches_for_its_own_clock_only() -> None:
    far_ms = time.time_ns() // 1_000_000 + TEN_YEARS_MS
    assert not ask_machine(far_ms).synchronised
