"""Jumps of the wall clock in the kiosk's journal: each once, over restarts and a full disk."""

from dataclasses import dataclass
from pathlib import Path

from kiosk.clock_watch import ClockWatch
from sync.clock import Clock, kept
from sync.journal import Journal
from sync.messages import ClockJumped
from sync.timekeeping import Machine

BEGUN_MS = 1_760_000_000_000
TEN_YEARS_MS = 3652 * 86_400_000


@dataclass
class Kiosk:
    """A program that may be started again, on a machine whose clocks the test moves."""

    folder: Path
    off_ms: int = BEGUN_MS
    mono_ms: int = 10_000
    boot: str = "boot-1"
    told: int = 0

    def start(self) -> None:
        bits = iter(range(self.mono_ms, 1 << 60))
        plain = Clock(
            lambda: self.off_ms + self.mono_ms,
            lambda: self.mono_ms,
            self.boot,
            lambda _: next(bits),
        )
        clock = kept(plain, lambda _: Machine())
        self.journal = Journal(self.folder / "journal.db", node="kiosk-1", clock=clock)
        self.watch = ClockWatch(clock, self.journal, self._appended)

    def stop(self) -> None:
        self.journal.close()

    def jumps(self) -> list[tuple[int, int]]:
        rows = self.journal.events_of("clock.jumped", 0)
        return [(e.data.before_ms, e.data.after_ms) for e in rows if isinstance(e, ClockJumped)]

    def _appended(self) -> None:
        self.told += 1


def test_a_jump_is_journalled_once(tmp_path: Path) -> None:
    kiosk = Kiosk(tmp_path)
    kiosk.start()
    kiosk.watch.look()
    assert (kiosk.jumps(), kiosk.told) == ([], 0)
    kiosk.off_ms += TEN_YEARS_MS
    kiosk.watch.look()
    kiosk.watch.look()
    now_ms = BEGUN_MS + 10_000
    assert kiosk.jumps() == [(now_ms, now_ms + TEN_YEARS_MS)]
    assert kiosk.told == 1
    kiosk.off_ms -= 1_500  # NTP may correct as much without a word
    kiosk.watch.look()
    assert len(kiosk.jumps()) == 1
    kiosk.stop()


def test_a_jump_while_the_program_was_down_is_journalled_by_the_next(tmp_path: Path) -> None:
    kiosk = Kiosk(tmp_path)
    kiosk.start()
    kiosk.watch.look()
    kiosk.stop()
    kiosk.off_ms -= TEN_YEARS_MS
    kiosk.mono_ms += 5_000
    for _ in range(2):
        kiosk.start()
        kiosk.watch.look()
        assert kiosk.jumps() == [(BEGUN_MS + 15_000, BEGUN_MS + 15_000 - TEN_YEARS_MS)]
        kiosk.stop()


def test_another_boot_has_no_wall_clock_to_compare_with(tmp_path: Path) -> None:
    kiosk = Kiosk(tmp_path)
    kiosk.start()
    kiosk.watch.look()
    kiosk.stop()
    kiosk.boot, kiosk.mono_ms, kiosk.off_ms = "boot-2", 7, BEGUN_MS + TEN_YEARS_MS
    kiosk.start()
    kiosk.watch.look()
    assert kiosk.jumps() == []
    kiosk.stop()
