"""Small programs that speak as the kiosk does, in processes of their own."""

import asyncio
import os
import signal
import sys
from pathlib import Path

from kiosk.supervisor import Supervisor

SAY = """
import os, signal, socket, sys, time
from pathlib import Path

words = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
def say(word):
    words.sendto(word.encode(), os.environ["NOTIFY_SOCKET"])
lives = Path(sys.argv[1])
lives.write_text(lives.read_text() + "x" if lives.exists() else "x")
life = len(lives.read_text())
def beat():
    while True:
        say("WATCHDOG=1")
        signal.sigtimedwait([signal.SIGUSR1], 0.05)
"""


async def supervised(program: str, lives: Path, *, watchdog_s: float = 0.5) -> int:
    command = (sys.executable, "-c", SAY + program, str(lives))
    return await Supervisor(command, watchdog_s=watchdog_s, start_s=10).run()


async def test_a_child_that_falls_silent_is_killed_and_started_again(tmp_path: Path) -> None:
    """The second life ends as it should."""
    lives = tmp_path / "lives"
    program = """
if life == 1:
    say("READY=1")
    signal.pause()
"""
    assert await supervised(program, lives) == 0
    assert lives.read_text() == "xx"


async def test_a_stopped_child_is_frozen_too(tmp_path: Path) -> None:
    lives = tmp_path / "lives"
    program = """
if life == 1:
    say("READY=1")
    os.kill(os.getpid(), signal.SIGSTOP)
"""
    assert await supervised(program, lives) == 0
    assert lives.read_text() == "xx"


async def test_a_child_that_dies_after_it_was_ready_is_started_again(tmp_path: Path) -> None:
    lives = tmp_path / "lives"
    program = """
if life < 3:
    say("READY=1")
    os.kill(os.getpid(), signal.SIGKILL)
"""
    assert await supervised(program, lives) == 0
    assert lives.read_text() == "xxx"


async def test_what_the_operator_must_mend_is_not_tried_for_ever(tmp_path: Path) -> None:
    lives = tmp_path / "lives"
    assert await supervised("sys.exit(2)", lives) == 2
    assert lives.read_text() == "x"


async def test_told_to_end_it_tells_the_child(tmp_path: Path) -> None:
    lives = tmp_path / "lives"
    program = """
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
say("READY=1")
beat()
"""
    running = asyncio.create_task(supervised(program, lives))
    async with asyncio.timeout(10):
        while not lives.exists():  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.01)
    await asyncio.sleep(1.0)  # longer than the watchdog: it beats, so it lives
    os.kill(os.getpid(), signal.SIGTERM)
    assert await running == 0
    assert lives.read_text() == "x"
