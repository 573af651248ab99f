"""The journal's file: released fixtures, killed migrations, one process at a time."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from sync.clock import Clock
from sync.errors import JournalUnusable
from sync.journal import SCHEMA_VERSION, Journal
from sync.journal_file import open_file, script
from sync.messages import PrintedData, decode_event

FIXTURES = sorted((Path(__file__).parents[2] / "golden" / "journals").glob("schema_*.db"))
PRINTED = PrintedData(attempt=1, took_ms=1)


@pytest.fixture
def clock() -> Clock:
    bits = iter(range(1, 10**6))
    return Clock(lambda: 1_795_500_000_000, lambda: 7, "b", lambda _: next(bits))


def test_every_released_schema_has_a_fixture() -> None:
    assert [int(path.stem[-3:]) for path in FIXTURES] == list(range(1, SCHEMA_VERSION))


@pytest.mark.parametrize("fixture", FIXTURES, ids=lambda path: path.stem)
def test_a_released_file_goes_on(fixture: Path, tmp_path: Path, clock: Clock) -> None:
    path = tmp_path / "journal.db"
    shutil.copy(fixture, path)
    before = sqlite3.connect(path)
    kept = [raw for (raw,) in before.execute("SELECT raw FROM event ORDER BY epoch, seq")]
    before.close()
    journal = Journal(path, node="kiosk-1", clock=clock)
    assert journal._db.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)
    assert (journal.top_seq, journal.digest) == (25, "a8240848dbe289e6")
    assert (journal.epoch, journal.acked, journal.first_seq) == (1, 10, 1)
    assert (journal.last_number("2026-11-23", "A", 1), journal.count_connect()) == (6, 3)
    assert [raw for _, raw in journal.after(0, 999)] == kept
    ticket = journal.first_alone("ticket.issued")[-1]
    journal.append("ticket.printed", PRINTED, sub=ticket.id)
    journal.keep_paper(ticket.id, "printed", 1)
    journal.close()
    journal = Journal(path, node="kiosk-1", clock=clock)
    rows = journal.after(journal.acked, 999)
    assert [seq for seq, _ in rows] == list(range(11, 27))
    assert [raw for _, raw in rows[:-1]] == kept[10:]
    assert journal.verify() == []
    journal.mark_acked(26)
    assert journal.prune(clock.wall_ms(), 999) == 26
    assert journal.verify() == []
    journal.close()


def test_a_newer_file_is_left_alone(tmp_path: Path, clock: Clock) -> None:
    path = tmp_path / "j.db"
    Journal(path, node="kiosk-1", clock=clock).close()
    newer = sqlite3.connect(path)
    newer.execute("PRAGMA user_version = 99")
    newer.close()
    with pytest.raises(JournalUnusable, match=r"newer version \(schema 99, this one knows 2\)"):
        Journal(path, node="kiosk-1", clock=clock)
    newer = sqlite3.connect(path)
    assert newer.execute("PRAGMA user_version").fetchone() == (99,)
    newer.close()


KILLED = """
import os, signal, sqlite3, sys
from sync import journal_file

class Dying(sqlite3.Connection):
    left = int(sys.argv[2])

    def execute(self, *args):
        if Dying.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        Dying.left -= 1
        return super().execute(*args)

plain = sqlite3.connect
sqlite3.connect = lambda *args, **kwargs: plain(*args, **kwargs, factory=Dying)
journal_file.open_file(sys.argv[1])
print("done")
"""


@pytest.mark.parametrize("begun", ["new", "schema_001"])
def test_a_killed_migration_leaves_one_version_or_the_next(
    begun: str, tmp_path: Path, clock: Clock
) -> None:
    """Killed before each of its statements in turn."""
    tables = {0: set[str](), 1: {"meta", "event", "number"}}
    tables[2] = tables[1] | {"paper", "age"}
    seen = set()
    statements = 0
    while True:
        path = tmp_path / f"{statements}.db"
        if begun != "new":
            shutil.copy(FIXTURES[0], path)
        child = subprocess.run(
            [sys.executable, "-c", KILLED, str(path), str(statements)],
            capture_output=True, text=True, check=False, timeout=30,
        )  # fmt: skip
        assert child.returncode in (0, -signal.SIGKILL), child.stderr
        found = sqlite3.connect(path)
        version = found.execute("PRAGMA user_version").fetchone()[0]
        rows = found.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        assert {name for (name,) in rows} == tables[version]
        found.close()
        seen.add(version)
        journal = Journal(path, node="kiosk-1", clock=clock)
        assert (journal.verify(), journal.top_seq) == ([], 0 if begun == "new" else 25)
        journal.close()
        if child.returncode == 0:
            break
        statements += 1
    assert seen == ({0, 1, 2} if begun == "new" else {1, 2})
    assert statements > len(script(2)) + 4


HOLDER = """
import sys
from sync.clock import system_clock
from sync.journal import Journal
journal = Journal(sys.argv[1], node="kiosk-1", clock=system_clock())
print("open", flush=True)
sys.stdin.read()
"""


def test_two_programs_cannot_have_one_journal(tmp_path: Path, clock: Clock) -> None:
    path = tmp_path / "j.db"
    other = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    with other:
        assert other.stdout is not None
        assert other.stdout.readline() == "open\n"
        with pytest.raises(JournalUnusable, match=f"process {other.pid} has it open"):
            Journal(path, node="kiosk-1", clock=clock)
        os.kill(other.pid, signal.SIGKILL)
        other.wait(10)
        journal = Journal(path, node="kiosk-1", clock=clock)
        reader = Journal(path, node="kiosk-1", clock=clock)
        reader.close()
        child = subprocess.run(
            [sys.executable, "-c", HOLDER, str(path)],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=30,
        )  # fmt: skip
        assert f"process {os.getpid()} has it open" in child.stderr
        journal.close()
        journal.close()
    open_file(str(path)).close()


def test_verify_names_what_is_wrong(tmp_path: Path, clock: Clock) -> None:
    journal = Journal(tmp_path / "j.db", node="kiosk-1", clock=clock)
    for _ in range(6):
        journal.append("ticket.printed", PRINTED, sub="t")
    assert journal.verify() == []
    harms = [
        ("DELETE FROM event WHERE seq = 3", ["follows 1/2: 1 are missing", "is chained to"]),
        ("UPDATE event SET digest = '0123456789abcdef' WHERE seq = 6", ["filed is 0123456789ab"]),
        ("UPDATE event SET ts = 1 WHERE seq = 2", ["Event 1/2 is filed under other values"]),
        ("UPDATE event SET epoch = 9 WHERE seq = 6", ["Event 9/6 is not of epoch 1"]),
        ("UPDATE event SET raw = x'7b7d' WHERE seq = 2", ["Event 1/2 cannot be read"]),
        ("DELETE FROM event WHERE seq = 1", ["follows 1/0: 1 are missing"]),
        ("INSERT INTO meta VALUES ('acked', '7')", ["Acknowledged is 1/7, the newest"]),
    ]
    for harm, expected in harms:
        journal._db.execute("BEGIN")
        journal._db.execute(harm)
        told = " ".join(journal.verify())
        journal._db.execute("ROLLBACK")
        assert all(text in told for text in expected), told
    assert journal.verify() == []
    event = decode_event(journal.after(0, 1)[0][1])
    assert event.seq == 1
    journal.close()
