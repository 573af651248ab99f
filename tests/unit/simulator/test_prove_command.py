"""``lobby prove``: what is wrong is said before the work, what is started is put away."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

COMMAND = [sys.executable, "-m", "lobby", "prove"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("nonsense",), "no proof 'nonsense'; there are kills, powercut"),
        (("seeds", "--without", "luck"), "--without luck: expected chain"),
        (("seeds", "--report", "/proc/no/report.json"), "name a file that you may write"),
    ],
)
def test_what_cannot_run_ends_with_2(arguments: tuple[str, ...], says: str) -> None:
    done = subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.broker
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_proof_that_is_stopped_puts_everything_away(number: int, tmp_path: Path) -> None:
    running = subprocess.Popen(
        [*COMMAND, "kills", "--rounds", "500"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )  # fmt: skip
    until_s = time.monotonic() + 30
    while not list(tmp_path.glob("*/**/mosquitto.conf")) and time.monotonic() < until_s:
        assert running.poll() is None
        time.sleep(0.05)  # noqa: TID251 - another process makes it
    time.sleep(0.5)  # noqa: TID251 - and is in the middle of its work then
    running.send_signal(number)
    _, said = running.communicate(timeout=30)
    assert running.returncode == 130
    assert "stopped; nothing is proven" in said
    assert list(tmp_path.iterdir()) == []
