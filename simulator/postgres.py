"""A PostgreSQL of our own on a free loopback port: made in a folder, run by an unprivileged user,
gone with the folder.
"""

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from simulator.errors import MissingProgram, NotStarted
from simulator.mosquitto import free_port

START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 15.0
UNPRIVILEGED = ("postgres", "nobody")
"""The server refuses to run as root: then the first of these users runs it."""
USER = "lobby"
PROGRAMS = "/usr/lib/postgresql"
"""Debian's folder of all versions; their programs are not in PATH."""


class Postgres:
    """A running server. ``url`` is its database as SQLAlchemy takes it."""

    def __init__(self, folder: Path) -> None:
        """Make a cluster in ``folder`` and start it. Raises MissingProgram, NotStarted."""
        self._programs = _programs()
        self._folder = folder
        self._log = folder / "postgres.log"
        self._data = folder / "data"
        self._as = _unprivileged()
        self._data.mkdir()
        if self._as:
            user = pwd.getpwnam(self._as[-1])
            os.chown(self._data, user.pw_uid, user.pw_gid)
            _open_the_way(self._data)
        made = self._run(
            "initdb", "--auth=trust", f"--username={USER}", "--encoding=UTF8", "--no-locale",
            "--no-sync", "-D", str(self._data),
        )  # fmt: skip
        if made.returncode:
            raise NotStarted(f"initdb: {made.stderr.strip()[-300:]}")
        self.port = free_port()
        self.url = f"postgresql+psycopg://{USER}@127.0.0.1:{self.port}/postgres"
        self.start()

    def start(self) -> None:
        """Start the server, again if it was stopped. Raises NotStarted."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *self._as, str(self._programs / "postgres"), "-D", str(self._data),
                    "-p", str(self.port), "-c", "listen_addresses=127.0.0.1",
                    "-c", "unix_socket_directories=",
                ],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True, cwd=self._data,
            )  # fmt: skip
        deadline_s = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline_s and self._process.poll() is None:
            ready = self._run("pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port))
            if ready.returncode == 0:
                return
            time.sleep(0.05)
        last = self._log.read_text("utf-8", "replace")[-300:].strip()
        self.stop()
        raise NotStarted(f"PostgreSQL did not start: {last}")

    def stop(self) -> None:
        """End the server; what is open is broken off. Harmless when it has ended."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._server(), signal.SIGINT)
        try:
            self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._server(), signal.SIGQUIT)
            self._process.wait()

    def _server(self) -> int:
        """The postmaster's own pid: ours may be that of the program that changed the user."""
        with contextlib.suppress(OSError, ValueError, IndexError):
            return int((self._data / "postmaster.pid").read_text("ascii").splitlines()[0])
        return self._process.pid

    def _run(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*self._as, str(self._programs / program), *arguments],
            capture_output=True, text=True, check=False, cwd=self._data, stdin=subprocess.DEVNULL,
        )  # fmt: skip


def _programs() -> Path:
    """The newest version's folder of programs."""
    found = sorted(Path(PROGRAMS).glob("*/bin/postgres"), key=lambda path: float(path.parts[-3]))
    if found:
        return found[-1].parent
    program = shutil.which("postgres")
    if program is None:
        raise MissingProgram(
            "PostgreSQL is not installed; run `make setup`, or `apt-get install postgresql`"
        )
    return Path(program).resolve().parent


def _unprivileged() -> list[str]:
    """Words before a command that run it as a user without rights; none if we are one."""
    if os.geteuid() != 0:
        return []
    for name in UNPRIVILEGED:
        with contextlib.suppress(KeyError):
            pwd.getpwnam(name)
            return ["setpriv", "--init-groups", "--reset-env", f"--regid={_group(name)}",
                    "--reuid", name]  # fmt: skip
    raise MissingProgram("there is no user postgres or nobody to run PostgreSQL as")


def _group(name: str) -> int:
    return pwd.getpwnam(name).pw_gid


def _open_the_way(folder: Path) -> None:
    """Let another user reach ``folder``: temporary folders are closed to everybody else."""
    root = Path(tempfile.gettempdir()).resolve()
    for parent in folder.resolve().parents:
        if root not in parent.parents:
            return
        mode = parent.stat().st_mode
        if not mode & 0o001 and parent.stat().st_uid == os.geteuid():
            parent.chmod(mode | 0o011)
