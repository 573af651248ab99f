"""Which ports there are, and one program at a time on each."""

import fcntl
import os
import re
import time
from pathlib import Path
from threading import Event

from firmware.flash.errors import NoPad, PortBusy

BY_PATH = Path("/dev/serial/by-path")
"""Names by the socket a pad is plugged into: they stay when the board changes its mode."""


def find_ports(folder: Path = BY_PATH) -> list[Path]:
    """The ports of a folder, by name; [] if there is no folder (no serial port at all)."""
    if not folder.is_dir():
        return []
    names = (path for path in folder.iterdir() if not path.name.startswith("."))
    return sorted(names, key=_in_order)


def _in_order(path: Path) -> list[tuple[int, str]]:
    """usb-2 comes before usb-10."""
    return [(int(part or 0), text) for text, part in re.findall(r"([^0-9]*)([0-9]*)", path.name)]


def wait_for_new_port(folder: Path, before: set[Path], within_s: float) -> Path:
    """The port that appears in ``folder`` beside those of ``before``. Raises NoPad."""
    deadline = time.monotonic() + within_s
    while not (fresh := set(find_ports(folder)) - before):
        if time.monotonic() > deadline:
            raise NoPad(
                f"{folder}: no new port within {within_s:.0f} s",
                "plug the board in again, then run this again with its PORT and without --uf2",
            )
        Event().wait(0.1)
    return min(fresh)


def by_path_name(port: Path, folder: Path = BY_PATH) -> Path:
    """The name of a port in ``folder``, if it has one: /dev/ttyACM0 may come back as ttyACM1."""
    if port.parent == folder or not port.exists():
        return port
    same = (path for path in find_ports(folder) if path.resolve() == port.resolve())
    return next(same, port)


class PortLock:
    """Holds a port for this process, over its restarts; a context manager.

    The lock is the kernel's (flock): it ends with its holder, so a program that died never leaves
    a stale one. The file says the holder's pid, for the message. Raises PortBusy.
    """

    def __init__(self, folder: Path, port: Path) -> None:
        self._port = port
        # Not where the name leads to: that changes when the port comes back after a restart.
        name = os.path.abspath(port).strip("/").replace("/", "-")
        self._path = folder / f"{name}.lock"
        self._fd = -1

    def __enter__(self) -> "PortLock":
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.read(self._fd, 20).decode() or "unknown"
            os.close(self._fd)
            raise PortBusy(
                f"{self._port}: in use by process {holder}",
                "wait until it has ended, or end it; nothing has to be removed by hand",
            ) from error
        os.ftruncate(self._fd, 0)
        os.write(self._fd, str(os.getpid()).encode())
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._fd)
