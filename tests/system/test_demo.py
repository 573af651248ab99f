"""`lobby demo` as a user runs it: a whole branch on real parts, counted from outside, gone
afterwards.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from simulator import mosquitto
from simulator.errors import MissingProgram

pytestmark = [pytest.mark.timeout(180), pytest.mark.window, pytest.mark.broker]

LOBBY = (sys.executable, "-m", "lobby")


def demo(out: Path, *more: str) -> list[str]:
    return [*LOBBY, "demo", "--headless", "--out", str(out), *more]


def processes_about(folder: str) -> list[str]:
    """Command lines of running programs that name ``folder``."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                environment = (entry / "environ").read_bytes().decode(errors="replace")
            except OSError:
                continue
            if folder in line or folder in environment:
                found.append(line)
    return found


@pytest.mark.micropython
@pytest.mark.browser
def test_a_day_in_the_branch(tmp_path: Path) -> None:
    out, report = tmp_path / "out", tmp_path / "r.json"
    run = subprocess.run(
        demo(out, "--minutes", "8", "--speed", "60", "--seed", "3", "--report", str(report)),
        capture_output=True, text=True, check=False, env={**os.environ, "TMPDIR": str(tmp_path)},
    )  # fmt: skip
    assert run.returncode == 0, run.stdout + run.stderr
    assert "board    http://127.0.0.1:" in run.stdout
    table = json.loads(report.read_text("utf-8"))
    assert table["violations"] == []
    assert table["events"]["lost"] == table["events"]["duplicated"] == 0
    assert table["ghost_tickets"] == table["duplicate_numbers"] == 0
    assert table["tickets"]["printed"] == table["tickets"]["tapped"] >= 3
    assert table["ratings"]["stored"] >= 1
    assert table["keys"]["pads"] == 2, "two tellers have no page"
    assert table["keys"]["called"] == table["keys"]["ended"] <= table["keys"]["pressed"]
    assert table["pads"]["interpreter"].startswith("micropython")
    assert table["broker"].startswith("mosquitto")
    assert table["waits_s"]["mean"] > 0
    assert 1 <= table["announcements"]["heard"] <= table["announcements"]["called"]
    for name, size in (("kiosk.png", (1080, 1920)), ("board.png", (1920, 1080))):
        with Image.open(out / name) as picture:
            assert picture.size == size
    with Image.open(out / "slip.png") as slip:
        assert slip.width == 576
    assert processes_about(str(tmp_path)) == []


@pytest.mark.micropython
def test_ctrl_c_closes_the_doors_and_leaves_nothing_behind(
    tmp_path: Path, eventually: Callable[..., None]
) -> None:
    log = tmp_path / "log"
    with log.open("w") as file:
        process = subprocess.Popen(
            demo(tmp_path / "out", "--minutes", "600", "--speed", "60"),
            stdout=file, stderr=subprocess.STDOUT, env={**os.environ, "TMPDIR": str(tmp_path)},
        )  # fmt: skip
    try:
        eventually(lambda: "0 min" in log.read_text() or process.poll() is not None, within_s=90)
        process.send_signal(signal.SIGINT)
        assert process.wait(90) == 0, log.read_text()
    finally:
        process.kill()
        process.wait()
    assert "closing the doors" in log.read_text()
    assert processes_about(str(tmp_path)) == []


def test_without_mosquitto_it_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(mosquitto, "SYSTEM_FOLDERS", ())
    with pytest.raises(MissingProgram, match="mosquitto is not installed; run `make setup`"):
        mosquitto.Mosquitto(tmp_path)
