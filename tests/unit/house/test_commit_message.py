"""The commit-msg hook takes `path: Full sentence.` and says what is wrong with anything else."""

import subprocess
from pathlib import Path

import pytest

HOOK = Path(__file__).parents[3] / "deploy/check-commit-message"


def run(tmp_path: Path, message: str) -> subprocess.CompletedProcess[str]:
    file = tmp_path / "message"
    file.write_text(message, encoding="utf-8")
    return subprocess.run([HOOK, file], capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    "message",
    [
        "hal/sim: Tear the paper mid-ticket.",
        "kiosk: Ask before voiding.\n\nA double touch voided two.\n",
        "firmware/pad/link.py: Cap the length.\n# a comment of git\n",
        "Merge branch 'x'",
    ],
)
def test_taken(tmp_path, message):
    assert run(tmp_path, message).returncode == 0


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ("", "there is none"),
        ("Fix things.", "begins with the path"),
        ("hal: fix things.", "capital letter"),
        ("hal: Fix things", "full stop"),
        (f"hal: {'Long ' * 20}.", "at most 72"),
        ("hal: Fix things.\nAt once.", "second line is empty"),
    ],
)
def test_refused(tmp_path, message, reason):
    done = run(tmp_path, message)
    assert done.returncode == 1
    assert reason in done.stderr
