"""Accounts, sessions and programs' tokens, in a SQLite file of their own (mode 600).

Not in the ledger: that one is backed up, copied and read by reports, has one writer, and may be a
PostgreSQL database; a hash of a password has no business there. `lobby branch account` writes this
file while the server runs, and the server asks it at each request: an account that is removed is
out at once.
"""

import os
import re
import secrets
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from branch.access.passwords import digest, new_token
from branch.access.roles import Role
from branch.errors import BranchError

SCHEMA_VERSION = 1
NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,31}\Z")
NAME_EXPECTED = "a-z, 0-9, '.', '_' and '-', at most 32, like teller-1; not a person's name"
USED_EVERY_MS = 60_000
"""How exactly the last use of a session is known: it is written at most so often."""

_SCHEMA = """
CREATE TABLE pseudonym (id TEXT PRIMARY KEY) STRICT;
CREATE TABLE account (
  name TEXT PRIMARY KEY,
  id TEXT NOT NULL UNIQUE REFERENCES pseudonym (id),
  role TEXT NOT NULL,
  password TEXT NOT NULL,
  made_ms INTEGER NOT NULL
) STRICT;
CREATE TABLE session (
  token BLOB PRIMARY KEY,
  account TEXT NOT NULL REFERENCES account (id) ON DELETE CASCADE,
  began_ms INTEGER NOT NULL,
  used_ms INTEGER NOT NULL
) STRICT;
CREATE TABLE program (
  token BLOB PRIMARY KEY,
  account TEXT NOT NULL REFERENCES account (id) ON DELETE CASCADE,
  made_ms INTEGER NOT NULL
) STRICT;
"""


class AccessUnusable(BranchError):
    """The file of accounts cannot be used; the message says why and what to do."""


class AccountRefused(BranchError):
    """No such change of accounts can be made; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Account:
    """``id`` is what the ledger knows of somebody: random, never given again."""

    id: str
    name: str
    role: Role
    password: str
    made_ms: int


@dataclass(frozen=True, slots=True)
class Life:
    """How long a session lasts, in ms."""

    idle_ms: int
    longest_ms: int


class Accounts:
    """The file, open. Raises AccessUnusable at the start, sqlite3.Error afterwards."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            _private(path)
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        except (OSError, sqlite3.Error) as error:
            raise AccessUnusable(f"{path}: {error}; is the folder there and writable?") from error
        try:
            self._db.execute("PRAGMA busy_timeout = 5000")
            self._db.execute("PRAGMA foreign_keys = ON")
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            with self._writing():
                (version,) = self._db.execute("PRAGMA user_version").fetchone()
                if version == 0:
                    for statement in _SCHEMA.split(";\n"):
                        self._db.execute(statement)
                    self._db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        except sqlite3.Error as error:
            self._db.close()
            raise AccessUnusable(f"{path}: {error}; is it a file of accounts?") from error
        if version not in (0, SCHEMA_VERSION):
            self._db.close()
            raise AccessUnusable(
                f"{path}: schema {version}, this version knows {SCHEMA_VERSION};"
                " install the version that wrote it"
            )

    def close(self) -> None:
        """Release the file."""
        self._db.close()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    # --- accounts -------------------------------------------------------------------------------

    def all(self) -> list[Account]:
        """Every account, by name."""
        rows = self._db.execute(f"SELECT {_ACCOUNT} FROM account a ORDER BY a.name")
        return [_account(row) for row in rows]

    def named(self, name: str) -> Account | None:
        """The account with this name, as typed: capitals and blanks round it do not matter."""
        row = self._db.execute(
            f"SELECT {_ACCOUNT} FROM account a WHERE a.name = ?", (name.strip().lower(),)
        ).fetchone()
        return None if row is None else _account(row)

    def add(self, name: str, role: Role, password: str, now_ms: int) -> Account:
        """``password`` is the hash. Raises AccountRefused."""
        if not NAME.match(name):
            raise AccountRefused(f"{name!r} cannot be an account's name; expected {NAME_EXPECTED}")
        try:
            with self._writing():
                account = Account(self._new_pseudonym(), name, role, password, now_ms)
                self._db.execute(
                    "INSERT INTO account (id, name, role, password, made_ms)"
                    " VALUES (?, ?, ?, ?, ?)",
                    (account.id, name, str(role), password, now_ms),
                )
        except sqlite3.IntegrityError:
            raise AccountRefused(
                f"there is an account {name!r} already; `reset` gives it a new password"
            ) from None
        return account

    def _new_pseudonym(self) -> str:
        """Like the number of a badge, which is all that the ledger takes of a teller. Those of
        removed accounts are remembered.
        """
        while True:
            made = f"t-{100_000 + secrets.randbelow(900_000)}"
            new = self._db.execute(
                "INSERT INTO pseudonym (id) VALUES (?) ON CONFLICT DO NOTHING RETURNING id",
                (made,),
            ).fetchone()
            if new is not None:
                return made

    def remove(self, name: str) -> None:
        """With its sessions and tokens. Raises AccountRefused."""
        account = self.existing(name)
        with self._writing():
            self._db.execute("DELETE FROM account WHERE id = ?", (account.id,))

    def reset(self, name: str, password: str) -> None:
        """A new hash; whoever knew the old secret or a token of it is out. Raises
        AccountRefused.
        """
        account = self.existing(name)
        with self._writing():
            self._set_password(account.id, password)
            self._db.execute("DELETE FROM session WHERE account = ?", (account.id,))
            self._db.execute("DELETE FROM program WHERE account = ?", (account.id,))

    def rehash(self, account: str, password: str) -> None:
        """The same password, hashed with today's settings."""
        with self._writing():
            self._set_password(account, password)

    def _set_password(self, account: str, password: str) -> None:
        self._db.execute("UPDATE account SET password = ? WHERE id = ?", (password, account))

    def existing(self, name: str) -> Account:
        """The account of this name. Raises AccountRefused."""
        account = self.named(name)
        if account is None:
            names = ", ".join(known.name for known in self.all()) or "none"
            raise AccountRefused(f"there is no account {name!r}; there are: {names}")
        return account

    # --- programs -------------------------------------------------------------------------------

    def add_program(self, name: str, now_ms: int) -> str:
        """A token by which a program acts for the account. Raises AccountRefused."""
        account, token = self.existing(name), new_token()
        with self._writing():
            self._db.execute(
                "INSERT INTO program (token, account, made_ms) VALUES (?, ?, ?)",
                (digest(token), account.id, now_ms),
            )
        return token

    def of_program(self, token: str) -> Account | None:
        """For whom a program acts."""
        row = self._db.execute(
            f"SELECT {_ACCOUNT} FROM program p JOIN account a ON a.id = p.account"
            " WHERE p.token = ?",
            (digest(token),),
        ).fetchone()
        return None if row is None else _account(row)

    # --- sessions -------------------------------------------------------------------------------

    def begin_session(self, account: str, life: Life, now_ms: int) -> str:
        """The new session's token. Those that are over are taken out of the file."""
        token = new_token()
        with self._writing():
            self._db.execute(
                "DELETE FROM session WHERE used_ms < ? OR began_ms < ?",
                (now_ms - life.idle_ms, now_ms - life.longest_ms),
            )
            self._db.execute(
                "INSERT INTO session (token, account, began_ms, used_ms) VALUES (?, ?, ?, ?)",
                (digest(token), account, now_ms, now_ms),
            )
        return token

    def of_session(self, token: str, life: Life, now_ms: int) -> tuple[Account, int] | None:
        """Whose session it is and when it was last used, None when there is none or it is over."""
        row = self._db.execute(
            f"SELECT {_ACCOUNT}, s.began_ms, s.used_ms FROM session s"
            " JOIN account a ON a.id = s.account WHERE s.token = ?",
            (digest(token),),
        ).fetchone()
        if row is None:
            return None
        *account, began_ms, used_ms = row
        if now_ms - used_ms > life.idle_ms or now_ms - began_ms > life.longest_ms:
            return None
        return _account(account), used_ms

    def use_session(self, token: str, now_ms: int) -> None:
        """It was used now."""
        with self._writing():
            self._db.execute(
                "UPDATE session SET used_ms = ? WHERE token = ?", (now_ms, digest(token))
            )

    def end_session(self, token: str) -> None:
        """Sign out here."""
        with self._writing():
            self._db.execute("DELETE FROM session WHERE token = ?", (digest(token),))

    def end_sessions(self, account: str) -> None:
        """Sign out everywhere."""
        with self._writing():
            self._db.execute("DELETE FROM session WHERE account = ?", (account,))


_ACCOUNT = "a.id, a.name, a.role, a.password, a.made_ms"


def _account(row: tuple[object, ...] | list[object]) -> Account:
    ident, name, role, password, made_ms = row
    return Account(str(ident), str(name), Role(str(role)), str(password), int(str(made_ms)))


def _private(path: Path) -> None:
    """Make the file for its owner alone. Raises OSError, AccessUnusable.

    SQLite gives its own files beside it the same mode and, as root, the same owner.
    """
    try:
        file = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
    except FileExistsError:
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & 0o077:
            raise AccessUnusable(
                f"{path}: mode {mode:o}, others can read it; `chmod 600 {path}`, and `lobby branch"
                " account reset` for each account if they may have"
            ) from None
        return
    try:
        if os.geteuid() == 0:
            # A technician with sudo: the server must be able to open it under its own user.
            folder = path.parent.stat()
            os.fchown(file, folder.st_uid, folder.st_gid)
    finally:
        os.close(file)
