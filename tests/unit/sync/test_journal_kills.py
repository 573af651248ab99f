"""SIGKILL before the statements of a journal's day: what was told stands, the file is whole."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from sync.clock import system_clock
from sync.crashpoint import CRASH_POINTS
from sync.journal import Journal

DAY = """
import os, signal, sqlite3, sys
from sync.clock import system_clock
from sync.journal import Journal
from sync.messages import PrintedData

class Dying(sqlite3.Cursor):
    left = int(sys.argv[2])

    def _count(self):
        if Dying.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        Dying.left -= 1

    def execute(self, *args):
        self._count()
        return super().execute(*args)

    def executemany(self, *args):
        self._count()
        return super().executemany(*args)

class Connection(sqlite3.Connection):
    def cursor(self):
        return super().cursor(Dying)

plain = sqlite3.connect
sqlite3.connect = lambda *args, **kwargs: plain(*args, **kwargs, factory=Connection)
journal = Journal(sys.argv[1], node="kiosk-1", clock=system_clock())

def tell(*what):
    print(*what, flush=True)

def append():
    with journal.transaction() as transaction:
        transaction.keep_number("2026-11-23", "A", 1, journal.top_seq + 1)
        event = transaction.append("ticket.printed", PrintedData(attempt=1, took_ms=1))
        transaction.keep_paper(event.id, "printed", 1)
    tell("kept", event.id)

for _ in range(3):
    append()
journal.mark_acked(2)
tell("acked", 2)
pruned = [row.id for row in journal.events_of("ticket.printed", 0)[:1]]
tell("pruning", *pruned)
journal.prune(journal.clock.wall_ms() + 1000, 1)
tell("pruned", *pruned)
append()
tell("moving", 2)
journal.begin_epoch(2)
tell("epoch", 2)
append()
tell("end", 0)
"""


def check(folder: Path, output: str) -> None:
    """Everything told is there, and nothing half."""
    journal = Journal(folder / "j.db", node="kiosk-1", clock=system_clock())
    assert journal.verify() == []
    said: dict[str, list[str]] = {}
    for line in output.splitlines():
        word, *rest = line.split()
        said.setdefault(word, []).extend(rest)
    kept = set(said.get("kept", []))
    ids = journal.ids()
    if "pruned" in said:
        assert not ids & set(said["pruned"])
    gone = kept - ids
    assert gone in (set(), set(said.get("pruning", [])))
    assert len(ids - kept) <= 1, "one was durable and the program died before it could tell"
    assert journal.epoch in ((2,) if "epoch" in said else (1, 2) if "moving" in said else (1,))
    if journal.epoch == 2:
        assert (journal.first_seq, journal.acked) == (1, 0)
    elif "acked" in said:
        assert journal.acked == 2
    assert journal.last_number("2026-11-23", "A", 1) >= min(len(kept), 4)
    assert all(journal.paper_of(ticket) == ("printed", 1) for ticket in ids)
    before = journal.top_seq
    journal.begin_epoch(journal.epoch + 1)
    assert (journal.top_seq, journal.verify()) == (len(ids), []), before
    journal.close()


def run(folder: Path, left: int, crash_at: str = "") -> tuple[int, str]:
    folder.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", DAY, str(folder / "j.db"), str(left)],
        env=os.environ | {"LOBBY_CRASH_AT": crash_at},
        capture_output=True, text=True, check=False, timeout=30,
    )  # fmt: skip
    assert done.returncode in (0, -signal.SIGKILL), done.stderr
    return done.returncode, done.stdout


def test_killed_before_each_other_statement(tmp_path: Path) -> None:
    killed = 0
    while True:
        code, output = run(tmp_path / str(killed), killed)
        check(tmp_path / str(killed), output)
        if code == 0:
            break
        killed += 2
    assert output.splitlines()[-1] == "end 0"
    assert killed > 30


def test_killed_at_each_crash_point(tmp_path: Path) -> None:
    points = [name for name in CRASH_POINTS if name.startswith("journal.")]
    assert len(points) == 3
    for name in points:
        for nth in (1, 3, 4, 5):
            folder = tmp_path / f"{name}-{nth}"
            code, output = run(folder, 10_000, f"{name}:{nth}")
            assert code == -signal.SIGKILL
            check(folder, output)
