"""Named places where a proof may kill the program: between a write and what makes it durable,
between a commit and its acknowledgement.

Without ``LOBBY_CRASH_AT`` in the environment ``reach`` does nothing. With ``name:n`` there, the
n-th time that ``name`` is reached the process kills itself (SIGKILL): no handler runs, nothing is
flushed, as if the power had gone. ``LOBBY_CRASH_LOG`` names a file that gets one line each time.
"""

import os
import signal

CRASH_POINTS = (
    # the device
    "journal.begun",
    "journal.written",
    "journal.committed",
    "kiosk.issued",
    "kiosk.printing",
    "kiosk.slip_out",
    "kiosk.settled",
    "outbox.sending",
    "outbox.sent",
    "outbox.acked",
    "outbox.welcomed",
    # the server
    "ingest.begun",
    "ingest.inserted",
    "ingest.projected",
    "ingest.committed",
    "ingest.applied",
    "ingest.acknowledged",
    "ingest.welcomed",
    "service.begun",
    "service.recorded",
)
"""Every name that ``reach`` is called with."""


class _Armed:
    """The point to die at, counted down. One a process."""

    def __init__(self, wanted: str, log: str) -> None:
        self.name, _, count = wanted.partition(":")
        self.left = int(count or 1)
        self.log = log


_armed: _Armed | None = None


def arm(wanted: str, log: str = "") -> None:
    """Die at ``name:n``. Raises ValueError for a name that nobody reaches; "" disarms."""
    global _armed
    if not wanted:
        _armed = None
        return
    armed = _Armed(wanted, log)
    if armed.name not in CRASH_POINTS:
        raise ValueError(f"{armed.name!r}: expected one of {', '.join(CRASH_POINTS)}")
    _armed = armed


def reach(name: str) -> None:
    """Die here if this is the place."""
    if _armed is None or _armed.name != name:
        return
    _armed.left -= 1
    if _armed.left == 0:
        if _armed.log:
            fd = os.open(_armed.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
            os.write(fd, f"{name}\n".encode())
        os.kill(os.getpid(), signal.SIGKILL)


arm(os.environ.get("LOBBY_CRASH_AT", ""), os.environ.get("LOBBY_CRASH_LOG", ""))
