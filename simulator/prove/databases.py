"""What stands in the databases of running programs, by plain SQL: a proof looks while they write,
and does not ask them. Each call opens the file, reads what is committed, and closes it.
"""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def looking_into(path: Path) -> Iterator[sqlite3.Connection]:
    """The database, to read. Raises sqlite3.Error."""
    db = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5.0)
    try:
        yield db
    finally:
        db.close()


def top(journal: Path) -> int:
    """The last sequence number that a kiosk has journalled."""
    with looking_into(journal) as db:
        (seq,) = db.execute("SELECT coalesce(max(seq), 0) FROM event").fetchone()
    return int(seq)


def numbers(journal: Path) -> set[str]:
    """The display numbers of every ticket that a kiosk has journalled."""
    with looking_into(journal) as db:
        rows = db.execute("SELECT raw FROM event WHERE type = 'ticket.issued'").fetchall()
    return {json.loads(raw)["data"]["number"] for (raw,) in rows}


def mark(branch: Path, node: str) -> int:
    """How far the branch's ledger has come with ``node``."""
    with looking_into(branch) as db:
        row = db.execute("SELECT hw FROM node WHERE node = ?", (node,)).fetchone()
    return int(row[0]) if row else 0


def damage(path: Path) -> list[str]:
    """What ``PRAGMA integrity_check`` finds wrong in the file, nothing if it is sound."""
    try:
        with looking_into(path) as db:
            found = [str(text) for (text,) in db.execute("PRAGMA integrity_check(10)")]
    except sqlite3.Error as error:
        return [str(error)]
    return [] if found == ["ok"] else found
