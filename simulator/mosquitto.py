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
listener {port} 127.0.0.1
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

    def __init__(self, folder: Path) -> None:
        """Start it in ``folder``. Raises MissingProgram, NotStarted."""
        program = shutil.which("mosquitto", path=_search_path())
        if program is None:
            raise MissingProgram(
                "mosquitto is not installed; run `make setup`, or `apt-get install mosquitto`"
            )
        self.host = "127.0.0.1"
        self._folder = folder
        self._program = program
        for attempt in range(TRIES):
            self.port = free_port()
            self._start()
            if self._answers():
                break
            self.stop()
            if attempt == TRIES - 1:
                raise NotStarted(f"mosquitto did not start: {self._last_words()}")
        self.version = _version(program)

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
        configuration.write_text(CONFIGURATION.format(port=self.port, log=self._log), "utf-8")
        self._process = subprocess.Popen(
            [self._program, "-c", str(configuration)],
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


def free_port() -> int:
    """A loopback port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _search_path() -> str:
    return os.pathsep.join((os.environ.get("PATH", ""), *SYSTEM_FOLDERS))


def _version(program: str) -> str:
    """``mosquitto 2.0.11``, from its help."""
    told = subprocess.run([program, "-h"], capture_output=True, text=True, check=False).stdout
    return told.splitlines()[0].replace(" version ", " ") if told else "mosquitto"
