"""Each program imports only what its extra installs: a branch has no Kivy, a kiosk no web."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
KIOSK_ONLY = ("kivy", "serial", "babel", "PIL", "fontTools", "segno")
BRANCH_ONLY = ("sqlalchemy", "litestar", "uvicorn", "jinja2", "prometheus_client", "argon2")
SIMULATOR_ONLY = ("httpx",)


@pytest.mark.parametrize(
    ("program", "absent"),
    [
        (
            "branch.cli",
            (*KIOSK_ONLY, *SIMULATOR_ONLY, "simulator", "hal.drivers", "hal.link", "kiosk"),
        ),
        ("kiosk.cli", (*BRANCH_ONLY, *SIMULATOR_ONLY, "simulator", "branch", "kivy")),
        ("hal.drivers.pad", (*BRANCH_ONLY, *SIMULATOR_ONLY, "kivy", "paho", "sync")),
    ],
)
def test_a_program_imports_nothing_of_another_extra(program: str, absent: tuple[str, ...]) -> None:
    code = f"import sys, {program}; print(*sorted(set({absent!r}) & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == ""
