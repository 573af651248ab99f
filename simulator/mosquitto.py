"""A mosquitto of our own on a free loopback port, with a configuration made for the run."""

import contextlib
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

from simulator.errors import MissingProgram, NotStarted

START_TIMEOUT_S = 10.0
STOP_TIMEOUT_S = 5.0
SYSTEM_FOLDERS = ("/usr/sbin", "/usr/local/sbin")
"""Where Debian puts mosquitto; not in everybody's PATH."""
TRIES = 3
"""A free port may be taken between the search and the start."""

CONFIGURATION = """\
listener {port} {host}
allow_anonymous true
persistence false
max_inflight_messages 1000
max_queued_messages 0
set_tcp_nodelay true
log_dest file {log}
log_type error
log_type warning
log_type notice
"""


class Mosquitto:
    """A running broker. ``version`` is what it says of itself."""

    def __init__(
        self,
        folder: Path,
        *,
        host: str = "127.0.0.1",
        prefix: tuple[str, ...] = (),
        more: str = "",
    ) -> None:
        """Start it in ``folder`` on ``host``; ``prefix`` are words before the command, ``more``
        are lines for its configuration. Raises MissingProgram, NotStarted.
        """
        self._more = more
        program = shutil.which("mosquitto", path=_search_path())
        if program is None:
            raise MissingProgram(
                "mosquitto is not installed; run `make setup`, or `apt-get install mosquitto`"
            )
        self.host = host
        self._prefix = prefix
        self._folder = folder
        self._program = program
        for attempt in range(TRIES):
            self.port = free_port(host)
            self._start()
            if self._answers():
                break
            self.stop()
            if attempt == TRIES - 1:
                raise NotStarted(f"mosquitto did not start: {self._last_words()}")
        self.version = _version(program)

    def kill(self) -> None:
        """End it without a goodbye: SIGKILL."""
        self._process.kill()
        self._process.wait()

    def start_again(self) -> None:
        """Start it on the same port after ``stop`` or ``kill``. Raises NotStarted."""
        self._start()
        if not self._answers():
            self.stop()
            raise NotStarted(f"mosquitto did not start again: {self._last_words()}")

    def stop(self) -> None:
        """End this broker, and no other; harmless when it has ended."""
        self._process.terminate()
        try:
            self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def _start(self) -> None:
        configuration = self._folder / "mosquitto.conf"
        self._log = self._folder / "mosquitto.log"
        configuration.write_text(
            CONFIGURATION.format(host=self.host, port=self.port, log=self._log) + self._more,
            "utf-8",
        )
        self._process = subprocess.Popen(
            [*self._prefix, self._program, "-c", str(configuration)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def _answers(self) -> bool:
        deadline_s = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline_s and self._process.poll() is None:
            with contextlib.suppress(OSError):
                socket.create_connection((self.host, self.port), timeout=1).close()
                return True
            time.sleep(0.02)
        return False

    def _last_words(self) -> str:
        with contextlib.suppress(OSError):
            return self._log.read_text("utf-8", "replace")[-300:].strip() or "it said nothing"
        return "it said nothing"


def free_port(host: str = "127.0.0.1") -> int:
    """A port of ``host``, one of this machine's addresses, that is free now."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def _search_path() -> str:
    return os.pathsep.join((os.environ.get("PATH", ""), *SYSTEM_FOLDERS))


def _version(program: str) -> str:
    """``mosquitto 2.0.11``, from its help."""
    told = subprocess.run([program, "-h"], capture_output=True, text=True, check=False).stdout
    return told.splitlines()[0].replace(" version ", " ") if told else "mosquitto"
