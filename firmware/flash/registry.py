"""The registry of pads (SQLite): who has which counter, with which firmware, flashed by whom.

One row a pad; one active pad a counter, and one in the role ``keys`` a kiosk: its counter is the
kiosk's number. An operator is an id (``m012``), never a person's name.
Codes are stored as hashes. The log keeps every act, its outcome and the firmware's hash.
"""

import hashlib
import re
import secrets
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from firmware.flash.errors import BadUse, NotAllowed

KEYS = "keys"
ROLES = ("rating", "caller", "both", KEYS)
CODE_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's: no letter that is read as a digit."""
CODE_SIZE = 8
MAX_VALID_S = 3600
_OPERATOR = re.compile(r"[a-z]{0,3}[0-9]{1,8}")

SCHEMA = """
CREATE TABLE IF NOT EXISTS pads (
  unique_id TEXT PRIMARY KEY, counter INTEGER, role TEXT NOT NULL, version TEXT NOT NULL,
  hash TEXT NOT NULL, state TEXT NOT NULL, operator TEXT NOT NULL, at_s INTEGER NOT NULL);
DROP INDEX IF EXISTS one_pad_a_counter;
CREATE UNIQUE INDEX IF NOT EXISTS one_pad_a_place ON pads (counter, role = 'keys')
  WHERE state = 'active';
CREATE TABLE IF NOT EXISTS codes (
  hash TEXT PRIMARY KEY, counter INTEGER NOT NULL, expires_s INTEGER NOT NULL, used_by TEXT);
CREATE TABLE IF NOT EXISTS log (
  number INTEGER PRIMARY KEY, at_s INTEGER NOT NULL, act TEXT NOT NULL, port TEXT NOT NULL,
  unique_id TEXT NOT NULL, outcome TEXT NOT NULL, operator TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS selftests (
  unique_id TEXT NOT NULL, part TEXT NOT NULL, ok INTEGER NOT NULL, said TEXT NOT NULL,
  operator TEXT NOT NULL, at_s INTEGER NOT NULL, PRIMARY KEY (unique_id, part));
"""


@dataclass(frozen=True, slots=True)
class PadRow:
    """One pad; ``state`` is active or revoked, ``at_s`` Unix time of the last change."""

    unique_id: str
    counter: int
    role: str
    version: str
    hash: str
    state: str
    operator: str
    at_s: int


def place_of(counter: int, role: str) -> str:
    """Where a pad stands, for a person."""
    return f"{'kiosk' if role == KEYS else 'counter'} {counter}"


def checked_operator(operator: str) -> str:
    """An operator's id. Raises BadUse for what looks like a name."""
    if not _OPERATOR.fullmatch(operator):
        raise BadUse(
            f"operator {operator!r}: expected an id like m012",
            "give --operator the staff id, never a person's name",
        )
    return operator


class Registry:
    """One file; every verb is one transaction, so technicians' programs may share it."""

    def __init__(self, path: Path, now_s: Callable[[], float] = time.time) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._now_s = now_s
        self._database = sqlite3.connect(
            path, timeout=10, isolation_level=None, check_same_thread=False
        )
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.executescript(SCHEMA)

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def pads(self) -> list[PadRow]:
        """Every pad, by counter, the active one first."""
        rows = self._database.execute(
            "SELECT unique_id, counter, role, version, hash, state, operator, at_s FROM pads"
            " ORDER BY counter, state, at_s DESC"
        )
        return [PadRow(*row) for row in rows]

    def pad(self, unique_id: str) -> PadRow | None:
        """One pad's row."""
        return next((row for row in self.pads() if row.unique_id == unique_id), None)

    def holder(self, counter: int, role: str) -> PadRow | None:
        """The active pad of a counter, or of a kiosk for the role ``keys``."""
        place = (counter, role == KEYS, "active")
        return next(
            (row for row in self.pads() if (row.counter, row.role == KEYS, row.state) == place),
            None,
        )

    def provisioned(
        self, unique_id: str, counter: int, role: str, operator: str, *, replace: bool
    ) -> str | None:
        """Give its place to a pad; the unique id of the one that it replaces, which is revoked.

        Raises BadUse, NotAllowed.
        """
        if role not in ROLES:
            raise BadUse(f"role {role!r}", f"there are {', '.join(ROLES)}")
        with self._transaction():
            holder = self.holder(counter, role)
            replaced = holder.unique_id if holder and holder.unique_id != unique_id else None
            if replaced and not replace:
                raise NotAllowed(
                    f"{place_of(counter, role)} has the pad {replaced}",
                    "add --replace to hand its identity to this pad and revoke the other",
                )
            self._database.execute(
                "UPDATE pads SET state = 'revoked', operator = ?, at_s = ? WHERE unique_id = ?",
                (operator, self._now(), replaced),
            )
            self._database.execute(
                "INSERT INTO pads VALUES (?, ?, ?, '', '', 'active', ?, ?)"
                " ON CONFLICT (unique_id) DO UPDATE SET counter = excluded.counter,"
                " role = excluded.role, state = 'active', operator = excluded.operator,"
                " at_s = excluded.at_s",
                (unique_id, counter, role, operator, self._now()),
            )
        return replaced

    def flashed(self, unique_id: str, version: str, hash_: str, operator: str) -> None:
        """Note what a pad runs now."""
        self._database.execute(
            "UPDATE pads SET version = ?, hash = ?, operator = ?, at_s = ? WHERE unique_id = ?",
            (version, hash_, operator, self._now(), unique_id),
        )

    def tested(self, unique_id: str, parts: list[tuple[str, bool, str]], operator: str) -> None:
        """Keep a pad's last self-test: (part, whether it is good, what was said) each."""
        with self._transaction():
            self._database.execute("DELETE FROM selftests WHERE unique_id = ?", (unique_id,))
            self._database.executemany(
                "INSERT INTO selftests VALUES (?, ?, ?, ?, ?, ?)",
                [(unique_id, name, ok, said, operator, self._now()) for name, ok, said in parts],
            )

    def tests(self, unique_id: str) -> list[dict[str, Any]]:
        """A pad's last self-test, in the order of its parts."""
        rows = self._database.execute(
            "SELECT part, ok, said, operator, at_s FROM selftests WHERE unique_id = ?"
            " ORDER BY rowid",
            (unique_id,),
        )
        names = ("part", "ok", "said", "operator", "at_s")
        return [
            dict(zip(names, row, strict=True)) | {"ok": bool(row[1])} for row in rows.fetchall()
        ]

    def new_code(self, counter: int, valid_s: int) -> str:
        """A pairing code for one pad at one counter; counter 0: for a workshop's batch, any pad at
        any counter until it expires. Raises BadUse.
        """
        if not 0 < valid_s <= MAX_VALID_S:
            raise BadUse(f"{valid_s} s", f"a code is valid for 1 to {MAX_VALID_S} s")
        code = "".join(secrets.choice(CODE_ALPHABET) for _ in range(CODE_SIZE))
        self._database.execute(
            "INSERT INTO codes VALUES (?, ?, ?, NULL)",
            (_hash(code), counter, self._now() + valid_s),
        )
        return f"{code[:4]}-{code[4:]}"

    def use_code(self, code: str, counter: int, unique_id: str) -> None:
        """Take a code once; the same pad may come again with it. Raises NotAllowed."""
        ask = "ask the manager for a new one: lobby provision pairing-code --counter N"
        with self._transaction():
            row = self._database.execute(
                "SELECT counter, expires_s, used_by FROM codes WHERE hash = ?", (_hash(code),)
            ).fetchone()
            if row is None or row[0] not in (counter, 0):
                raise NotAllowed(f"no such pairing code for counter {counter}", ask)
            if row[1] < self._now():
                raise NotAllowed("the pairing code has expired", ask)
            if row[0] and row[2] not in (None, unique_id):
                raise NotAllowed("the pairing code was used for another pad", ask)
            self._database.execute(
                "UPDATE codes SET used_by = ? WHERE hash = ?", (unique_id, _hash(code))
            )

    def note(self, act: str, port: str, unique_id: str, outcome: str, operator: str) -> None:
        """Add a row to the log."""
        self._database.execute(
            "INSERT INTO log (at_s, act, port, unique_id, outcome, operator)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (self._now(), act, port, unique_id, outcome, operator),
        )

    def log(self, last: int) -> list[dict[str, Any]]:
        """The last rows of the log, oldest first."""
        rows = self._database.execute(
            "SELECT at_s, act, port, unique_id, outcome, operator FROM log"
            " ORDER BY number DESC LIMIT ?",
            (last,),
        ).fetchall()
        names = ("at_s", "act", "port", "unique_id", "outcome", "operator")
        return [dict(zip(names, row, strict=True)) for row in reversed(rows)]

    def _now(self) -> int:
        return int(self._now_s())

    def _transaction(self) -> "_Transaction":
        return _Transaction(self._database)


class _Transaction:
    """BEGIN IMMEDIATE … COMMIT, or ROLLBACK on any exception."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    def __enter__(self) -> None:
        self._database.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: object, *_: object) -> None:
        self._database.execute("COMMIT" if kind is None else "ROLLBACK")


def _hash(code: str) -> str:
    return hashlib.sha256(code.replace("-", "").upper().encode()).hexdigest()
