"""``lobby kiosk --supervised``: a parent that starts the kiosk anew when it ends or is frozen.

It does for a machine without systemd what deploy/lobby-kiosk.service says: the kiosk gives its
word (kiosk/heartbeat.py) after each frame it was asked for; when the word stays away it is
killed, not asked, because what does not draw does not listen either. What it was about is in its
journal.
"""

import asyncio
import contextlib
import ctypes
import os
import signal
import socket
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import structlog

from kiosk.heartbeat import ADDRESS_VARIABLE, ALIVE, LIMIT_VARIABLE, READY

WATCHDOG_S = 10.0
"""Longest silence of a kiosk that runs; with the start it is back within 30 s."""
START_S = 60.0
"""Longest silence of one that starts: a cold Raspberry Pi reads its fonts for a while."""
STOP_S = 20.0
"""A slip that is printed when the kiosk is told to stop is waited for."""
LOOK_S = 0.5
PAUSE_S = 1.0
"""Between an end and the next start: a kiosk that ends at once must not take the whole machine."""

PR_SET_PDEATHSIG = 1

log = structlog.get_logger()


class Supervisor:
    """Keeps one command running."""

    def __init__(
        self, command: Sequence[str], *, watchdog_s: float = WATCHDOG_S, start_s: float = START_S
    ) -> None:
        self._command = command
        self._watchdog_s = watchdog_s
        self._start_s = start_s
        self._told = asyncio.Event()
        self._word_at_s: float | None = None
        self._was_ready = False

    async def run(self) -> int:
        """Until SIGTERM or SIGINT, or until the command ends with 0, or with another status before
        it was ever ready; returns the status.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._told.set)
        with tempfile.TemporaryDirectory(prefix="lobby-watch-") as folder:
            path = Path(folder) / "notify"
            words = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
            words.bind(str(path))
            loop.add_reader(words, self._hear, words)
            try:
                while True:
                    status = await self._one_life(path)
                    if self._told.is_set() or status == 0 or not self._was_ready:
                        return status
                    log.warning("kiosk.ended", status=status)
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(self._told.wait(), PAUSE_S)
                    if self._told.is_set():
                        return 0
            finally:
                loop.remove_reader(words)
                words.close()

    def _hear(self, words: socket.socket) -> None:
        said = words.recv(4096).decode(errors="replace").split("\n")
        if READY in said:
            self._was_ready = True
        if READY in said or ALIVE in said:
            self._word_at_s = asyncio.get_running_loop().time()

    async def _one_life(self, path: Path) -> int:
        """Start the command, watch it, return its status; -9 if it was killed."""
        self._word_at_s = None
        limit_us = str(round(self._watchdog_s * 1e6))
        words = {ADDRESS_VARIABLE: str(path), LIMIT_VARIABLE: limit_us}
        process = await asyncio.create_subprocess_exec(
            *self._command, env={**os.environ, **words}, preexec_fn=_die_with_the_parent
        )
        began_s = asyncio.get_running_loop().time()
        log.info("kiosk.started", pid=process.pid)
        ended = asyncio.ensure_future(process.wait())
        told = asyncio.ensure_future(self._told.wait())
        try:
            while not ended.done():
                await asyncio.wait((ended, told), timeout=LOOK_S, return_when="FIRST_COMPLETED")
                if told.done() and not ended.done():
                    process.terminate()
                    await asyncio.wait((ended,), timeout=STOP_S)
                    break
                if not ended.done() and self._left_s(began_s) <= 0:
                    log.error("kiosk.frozen", pid=process.pid)
                    break
        finally:
            told.cancel()
            if process.returncode is None:
                process.kill()
            status = await ended
        return status

    def _left_s(self, began_s: float) -> float:
        """Seconds until its silence has lasted too long."""
        now_s = asyncio.get_running_loop().time()
        if self._word_at_s is None:
            return began_s + self._start_s - now_s
        return self._word_at_s + self._watchdog_s - now_s


_libc = ctypes.CDLL(None)


def _die_with_the_parent() -> None:
    """Linux: else a killed parent would leave a kiosk that nobody watches and that holds the
    journal.
    """
    if sys.platform == "linux":
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
