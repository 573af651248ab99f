"""The demo's parts as processes: started with their logs, ended by their own pids, in reverse
order.
"""

import asyncio
import contextlib
import os
import shutil
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from simulator.errors import MissingProgram, NotStarted

STOP_S = 8.0
LAST_WORDS = 600


@dataclass(slots=True)
class Part:
    """One running program; what it says goes to its log."""

    name: str
    process: asyncio.subprocess.Process
    log: Path

    @property
    def ended(self) -> bool:
        """Whether the program has ended by itself."""
        return self.process.returncode is not None

    def last_words(self) -> str:
        """The end of its log, for an error message."""
        with contextlib.suppress(OSError):
            return self.log.read_text("utf-8", "replace")[-LAST_WORDS:].strip()
        return ""


class Parts:
    """Starts and stops programs of ours."""

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._parts: list[Part] = []

    async def start(
        self,
        name: str,
        *command: str,
        env: Mapping[str, str] | None = None,
        piped: bool = False,
        pass_fds: tuple[int, ...] = (),
    ) -> Part:
        """Start a program in a session of its own, so that Ctrl-C reaches only us."""
        log = self._logs / f"{name}.log"
        with log.open("ab") as file:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE if piped else file,
                stderr=file,
                env={**os.environ, **(env or {})},
                start_new_session=True,
                pass_fds=pass_fds,
            )
        part = Part(name, process, log)
        self._parts.append(part)
        return part

    async def stop(self, part: Part) -> int:
        """Ask the program to end, insist after a while; returns its exit status."""
        if part in self._parts:
            self._parts.remove(part)
        if not part.ended:
            with contextlib.suppress(ProcessLookupError):
                part.process.send_signal(signal.SIGTERM)
            try:
                await asyncio.wait_for(part.process.wait(), STOP_S)
            except TimeoutError:
                with contextlib.suppress(ProcessLookupError):
                    part.process.kill()
        return await part.process.wait()

    async def stop_all(self) -> None:
        """End whatever still runs, the youngest first."""
        for part in reversed(list(self._parts)):
            await self.stop(part)

    def check(self) -> None:
        """Raises NotStarted if a part has ended that should run."""
        for part in self._parts:
            if part.ended:
                raise NotStarted(
                    f"{part.name} ended by itself (status {part.process.returncode}):"
                    f" {part.last_words()}"
                )


def lobby_command(*arguments: str) -> tuple[str, ...]:
    """The command that runs ``lobby`` with this interpreter."""
    return (sys.executable, "-m", "lobby", *arguments)


async def start_xvfb(parts: Parts, width: int, height: int) -> str:
    """A virtual screen of exactly this size; returns its display. Raises MissingProgram,
    NotStarted.
    """
    program = shutil.which("Xvfb")
    if program is None:
        raise MissingProgram("Xvfb is not installed; run `make setup`, or `apt-get install xvfb`")
    reading, writing = os.pipe()
    part = await parts.start(
        "xvfb", program, "-displayfd", str(writing), "-screen", "0", f"{width}x{height}x24",
        "-nolisten", "tcp", pass_fds=(writing,),
    )  # fmt: skip
    os.close(writing)
    loop = asyncio.get_running_loop()
    try:
        number = await asyncio.wait_for(loop.run_in_executor(None, _read_line, reading), 15)
    except TimeoutError:
        number = b""
    finally:
        os.close(reading)
    if not number.strip():
        raise NotStarted(f"Xvfb did not start: {part.last_words()}")
    return f":{number.decode().strip()}"


def _read_line(fd: int) -> bytes:
    """The first line: Xvfb writes the number and its newline apart, and fails if nobody reads
    both.
    """
    line = b""
    while not line.endswith(b"\n") and (more := os.read(fd, 16)):
        line += more
    return line
