"""The journal's file: one process at a time, the newest schema, every commit on the medium."""

import fcntl
import os
import sqlite3
from contextlib import suppress
from importlib import resources

from sync.errors import JournalUnusable

SCHEMA_VERSION = 2
BUSY_TIMEOUT_S = 5.0

KEEP = "Keep the file: it may hold tickets that the server has not got."


class Lock:
    """``<journal>.lock``, held by this process until it closes the journal or dies, however it
    dies. Within one process a journal may be opened again, to read.
    """

    _held: dict[str, tuple[int, int]] = {}  # noqa: RUF012 - path: descriptor, how often

    def __init__(self, journal: str) -> None:
        """Take it. Raises JournalUnusable when another process has it, OSError."""
        self._path = os.path.realpath(journal + ".lock")
        fd, count = self._held.get(self._path, (-1, 0))
        if not count:
            fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                holder = os.pread(fd, 32, 0).decode("ascii", "replace").strip()
                os.close(fd)
                raise JournalUnusable(
                    f"{journal}: process {holder or '(unknown)'} has it open; two programs that"
                    " write one file would count twice. End that program, or give each a file of"
                    " its own."
                ) from None
            with suppress(OSError):  # the number is for people; a full disk may not take it
                os.pwrite(fd, f"{os.getpid():<31}\n".encode(), 0)
        self._held[self._path] = (fd, count + 1)
        self._open = True

    def release(self) -> None:
        """Let others have it; harmless when released already."""
        if not self._open:
            return
        self._open = False
        fd, count = self._held.pop(self._path)
        if count > 1:
            self._held[self._path] = (fd, count - 1)
        else:
            os.close(fd)


def open_file(path: str) -> sqlite3.Connection:
    """Open or create the file and bring it to this version's schema. Raises JournalUnusable
    (damaged, or of a newer version), sqlite3.Error.
    """
    db = sqlite3.connect(
        path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
    )
    try:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        migrate(db, path)
    except BaseException:
        db.close()
        raise
    return db


def migrate(db: sqlite3.Connection, path: str) -> None:
    """Run the numbered scripts that the file has not seen, each as one transaction: a power cut
    leaves the version before or the one after. Raises JournalUnusable, sqlite3.Error.
    """
    version = int(db.execute("PRAGMA user_version").fetchone()[0])
    if version > SCHEMA_VERSION:
        raise JournalUnusable(
            f"{path}: written by a newer version (schema {version}, this one knows"
            f" {SCHEMA_VERSION}); install that version again. {KEEP}"
        )
    for number in range(version + 1, SCHEMA_VERSION + 1):
        db.execute("BEGIN IMMEDIATE")
        try:
            for statement in script(number):
                db.execute(statement)
            db.execute("COMMIT")
        except sqlite3.Error:
            with suppress(sqlite3.Error):  # the first error is the one to tell
                db.execute("ROLLBACK")
            raise


def script(number: int) -> list[str]:
    """The statements that lead from schema ``number`` - 1 to ``number``."""
    file = resources.files("sync.schema").joinpath(f"journal_{number:03}.sql")
    statements, statement = [], ""
    for line in file.read_text("utf-8").splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            statements.append(statement)
            statement = ""
    return statements


def unusable(path: str, error: Exception) -> JournalUnusable:
    """What to tell about a file that cannot be opened."""
    hint = "is the folder there and writable, is the disk healthy?"
    return JournalUnusable(f"{path}: {error}; {hint} {KEEP}")
