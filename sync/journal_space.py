"""Room on the journal's disk: how much there is, and a reserve for when there is none.

On a full disk even a DELETE fails, for it is written down first. So a file that holds nothing
stands beside the journal; giving it back makes room for the few writes that make more.
"""

import errno
import os
import sqlite3
from contextlib import suppress
from enum import StrEnum

RESERVE_BYTES = 1024 * 1024
"""Some 60 tickets' pages, and what it takes to prune."""

ESSENTIAL = ("ticket.", "rating.")


class SpaceLevel(StrEnum):
    """How much the journal takes now."""

    AMPLE = "ample"
    """Everything; the reserve stands."""
    LOW = "low"
    """Everything; the reserve is spent or could not be made, pruned pages take its place."""
    ESSENTIAL_ONLY = "essential_only"
    """Tickets and ratings, in what is left of the reserve."""
    FULL = "full"
    """The last write failed."""


def is_essential(event_type: str) -> bool:
    """Whether events of this type are taken as long as anything is."""
    return event_type.startswith(ESSENTIAL)


class Reserve:
    """``<journal>.reserve``, really allocated on the disk."""

    def __init__(self, journal: str) -> None:
        self.path = journal + ".reserve"

    def make(self) -> bool:
        """Whether it stands, made now if need be. Only where as much again stays free: a disk that
        is just full is not filled once more.
        """
        try:
            if os.stat(self.path).st_size == RESERVE_BYTES:
                return True
        except FileNotFoundError:
            pass
        except OSError:
            return False
        if free_bytes(self.path) < 2 * RESERVE_BYTES:
            return False
        try:
            fd = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError:
            return False
        try:
            os.posix_fallocate(fd, 0, RESERVE_BYTES)
        except OSError:
            self.release()
            return False
        finally:
            os.close(fd)
        return True

    def release(self) -> bool:
        """Give it back to the disk; False if it did not stand."""
        with suppress(OSError):
            os.unlink(self.path)
            return True
        return False


def free_bytes(path: str) -> int:
    """What a program may still write on the disk that ``path`` is on; 0 if that is not known."""
    try:
        disk = os.statvfs(os.path.dirname(path) or ".")
    except OSError:
        return 0
    return disk.f_bavail * disk.f_frsize


def lacks_space(error: Exception, path: str) -> bool:
    """Whether ``error`` came of a full disk. SQLite calls it an I/O error where it was the shared
    memory file that could not grow.
    """
    if isinstance(error, OSError):
        return error.errno in (errno.ENOSPC, errno.EDQUOT)
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN):
        return free_bytes(path) < RESERVE_BYTES
    return bool(code == sqlite3.SQLITE_FULL)
