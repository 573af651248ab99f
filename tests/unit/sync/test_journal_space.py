"""The disk-full ladder: on a disk of a few MiB that is really full, and on limited pages."""

import os
import subprocess
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from sync.clock import Clock
from sync.errors import JournalFull
from sync.journal import RETENTION_MS, Journal
from sync.journal_space import RESERVE_BYTES, Reserve, SpaceLevel, free_bytes, lacks_space
from sync.journal_upkeep import DAY_MS
from sync.messages import DeviceData, IssuedData, PrintedData

DEVICE = DeviceData(device="printer", kind="printer", state="degraded")


class Disk:
    """A journal in ``folder`` with hours that pass at will, and a file that fills the disk."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.mono_ms = 0
        self.dropped_logs = 0
        self.drop_logs: Callable[[], None] = lambda: None
        self._bits = count(1)
        self.numbers = count(1)
        self.open()

    def open(self) -> None:
        start = 1_795_424_400_000
        clock = Clock(
            lambda: start + self.mono_ms, lambda: self.mono_ms, "b", lambda _: next(self._bits)
        )
        self.journal = Journal(
            self.folder / "j.db", node="kiosk-1", clock=clock, on_low_space=self._low
        )

    def _low(self) -> None:
        self.dropped_logs += 1
        self.drop_logs()

    def issue(self) -> str:
        number = next(self.numbers)
        data = IssuedData(
            number=f"A{number:03}", service="A", segment="ordinary", language="en",
            business_date="2026-11-23", band=1, request=f"r{number}",
        )  # fmt: skip
        with self.journal.transaction() as transaction:
            transaction.keep_number("2026-11-23", "A", 1, number)
            event = transaction.append("ticket.issued", data, sub="self", request=f"r{number}")
        self.journal.append("ticket.printed", PrintedData(attempt=1, took_ms=1), sub=event.id)
        return event.id

    def fill(self) -> None:
        """Leave nothing: by a file of somebody else."""
        with open(self.folder / "ballast", "ab", buffering=0) as ballast:
            for size in (65_536, 4_096, 1):
                try:
                    while True:
                        ballast.write(b"\1" * size)
                except OSError:
                    pass

    def empty(self) -> None:
        (self.folder / "ballast").unlink()

    @property
    def reserve(self) -> int:
        path = self.folder / "j.db.reserve"
        return path.stat().st_blocks * 512 if path.exists() else 0


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Disk]:
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("a disk of its own needs root and the right to mount")
    disk = None
    try:
        disk = Disk(folder)
        yield disk
    finally:
        if disk is not None:
            disk.journal.close()
        subprocess.run(["umount", str(folder)], check=True)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    disk = Disk(tmp_path)
    yield disk
    disk.journal.close()


def test_acknowledged_events_make_room_for_tickets(small_disk: Disk) -> None:
    disk, journal = small_disk, small_disk.journal
    assert (journal.space, disk.reserve) == (SpaceLevel.AMPLE, RESERVE_BYTES)
    for _ in range(1_200):
        disk.issue()
    journal.mark_acked(journal.top_seq)
    old = journal.top_seq
    journal.prune(journal.clock.wall_ms() - RETENTION_MS, 99)
    disk.mono_ms += 2 * DAY_MS
    fresh = [disk.issue() for _ in range(20)]
    journal.mark_acked(journal.top_seq)
    levels = set()
    for _ in range(600):
        disk.fill()  # somebody else takes whatever is given back
        fresh.append(disk.issue())
        levels.add(journal.space)
    assert levels <= {SpaceLevel.AMPLE, SpaceLevel.LOW, SpaceLevel.ESSENTIAL_ONLY}
    assert SpaceLevel.LOW in levels
    assert (disk.dropped_logs > 0, disk.reserve) == (True, 0)
    assert 1 < journal.first_seq <= old + 1, "what is younger than a day stays"
    assert set(fresh) <= journal.ids()
    assert journal.verify() == []
    disk.empty()
    assert journal.has_room()
    assert (journal.space, disk.reserve) == (SpaceLevel.AMPLE, RESERVE_BYTES)


def test_the_reserve_is_for_tickets_and_then_there_is_none(small_disk: Disk) -> None:
    """Nothing is acknowledged: nothing may be pruned."""
    disk, journal = small_disk, small_disk.journal
    for _ in range(300):
        disk.issue()
    disk.fill()
    shown: list[str] = []
    with pytest.raises(JournalFull):  # noqa: PT012 - it is not known which one is refused
        while len(shown) < 5_000:
            shown.append(disk.issue())
            if journal.space is SpaceLevel.ESSENTIAL_ONLY:
                with pytest.raises(JournalFull, match=r"device\.changed waits"):
                    journal.append("device.changed", DEVICE)
    assert len(shown) > 60
    assert (journal.space, journal.has_room(), journal.first_seq) == (SpaceLevel.FULL, False, 1)
    assert set(shown) <= journal.ids()
    assert journal.verify() == []
    journal.close()
    disk.open()
    journal = disk.journal
    assert journal.space is SpaceLevel.ESSENTIAL_ONLY
    assert set(shown) <= journal.ids()
    assert journal.verify() == []
    disk.empty()
    assert journal.has_room()
    assert (journal.space, disk.reserve) == (SpaceLevel.AMPLE, RESERVE_BYTES)
    disk.issue()
    journal.append("device.changed", DEVICE)
    assert journal.verify() == []


def test_an_epoch_on_a_full_disk_waits(small_disk: Disk) -> None:
    disk, journal = small_disk, small_disk.journal
    for _ in range(800):
        disk.issue()
    before = journal.after(0, 9_999)
    journal._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    disk.fill()
    with pytest.raises(JournalFull):
        journal.begin_epoch(2)
    assert (journal.epoch, journal.after(0, 9_999), journal.verify()) == (1, before, [])
    disk.empty()
    journal.begin_epoch(2)
    assert (journal.epoch, journal.top_seq, journal.verify()) == (2, 1_600, [])


def test_logs_are_dropped_first(small_disk: Disk) -> None:
    """Where that is enough, the reserve stands."""
    disk, journal = small_disk, small_disk.journal
    disk.issue()
    log = disk.folder / "kiosk.log"
    log.write_bytes(b"x" * 500_000)
    disk.fill()
    disk.drop_logs = lambda: log.unlink(missing_ok=True)
    while log.exists():
        disk.issue()
    assert (journal.space, disk.reserve, disk.dropped_logs) == (
        SpaceLevel.AMPLE, RESERVE_BYTES, 1,
    )  # fmt: skip


def test_a_full_file_is_pruned_and_the_ticket_goes_in(disk: Disk) -> None:
    """The ticket on which it was noticed is not refused, nor written twice."""
    journal = disk.journal
    for _ in range(200):
        disk.issue()
    journal.mark_acked(300)
    journal.prune(journal.clock.wall_ms() - RETENTION_MS, 99)
    disk.mono_ms += 2 * DAY_MS
    (pages,) = journal._db.execute("PRAGMA page_count").fetchone()
    journal._db.execute(f"PRAGMA max_page_count = {pages}")
    ids = [disk.issue() for _ in range(100)]
    assert journal.first_seq > 1
    assert journal.first_seq <= 301
    assert set(ids) <= journal.ids()
    assert journal.last_number("2026-11-23", "A", 1) == 300
    assert journal.verify() == []


def test_what_is_not_acknowledged_is_never_pruned(disk: Disk) -> None:
    journal = disk.journal
    for _ in range(200):
        disk.issue()
    journal.prune(journal.clock.wall_ms() - RETENTION_MS, 99)
    disk.mono_ms += 90 * DAY_MS
    journal.mark_acked(30)
    (pages,) = journal._db.execute("PRAGMA page_count").fetchone()
    journal._db.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(JournalFull):  # noqa: PT012 - it is not known which one is refused
        for _ in range(2_000):
            disk.issue()
    assert journal.first_seq == 31
    assert journal.verify() == []


def test_the_reserve(tmp_path: Path) -> None:
    reserve = Reserve(str(tmp_path / "j.db"))
    assert not reserve.release()
    assert (reserve.make(), reserve.make()) == (True, True)
    assert os.stat(reserve.path).st_blocks * 512 >= RESERVE_BYTES
    os.truncate(reserve.path, 10)  # cut off by a power cut
    assert reserve.make()
    assert os.stat(reserve.path).st_size == RESERVE_BYTES
    assert (reserve.release(), reserve.release()) == (True, False)
    assert not Reserve(str(tmp_path / "nowhere" / "j.db")).make()
    assert free_bytes(str(tmp_path / "nowhere" / "j.db")) == 0
    assert lacks_space(OSError(28, "No space left on device"), "j.db")
    assert not lacks_space(OSError(13, "Permission denied"), "j.db")
