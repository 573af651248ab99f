"""The contracts of pyproject.toml catch what they are for: each violation is planted in a copy."""

import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PACKAGES = ("firmware", "hal", "sync", "kiosk", "branch", "simulator")


@dataclass(frozen=True)
class Planted:
    """A line put into a file, and the contract that must break."""

    file: str
    line: str
    contract: str


PLANTED = [
    Planted(
        "kiosk/controller.py",
        "from hal.drivers import planted",
        "hal.drivers is reached only through the registry",
    ),
    Planted("kiosk/flow.py", "import time", "Pure modules take time, chance and I/O as arguments"),
    Planted(
        "branch/queue/planted.py",
        "from random import random",
        "Pure modules take time, chance and I/O as arguments",
    ),
    Planted("kiosk/controller.py", "import kivy.app", "Kivy is imported only in kiosk.ui"),
    Planted(
        "sync/outbox.py",
        "import paho.mqtt.client",
        "paho is imported only in sync.mqtt, and as the anchor of the bench",
    ),
    Planted("kiosk/controller.py", "import hal.sim", "hal.sim is imported only by the simulator"),
    Planted(
        "hal/drivers/planted.py",
        "from firmware.pad import pad",
        "hal.drivers imports only firmware.pad.link of the firmware",
    ),
    Planted(
        "kiosk/controller.py",
        "import branch",
        "Dependencies point one way and siblings never import each other",
    ),
    Planted(
        "hal/api.py",
        "import sync",
        "Dependencies point one way and siblings never import each other",
    ),
    Planted(
        "firmware/pad/pad.py",
        "import hal",
        "Dependencies point one way and siblings never import each other",
    ),
]


@pytest.fixture
def tree(tmp_path):
    for name in PACKAGES:
        shutil.copytree(
            ROOT / name,
            tmp_path / name,
            ignore=lambda folder, names: [
                name
                for name in names
                if (Path(folder) / name).is_file() and not name.endswith(".py")
            ],
        )
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / "hal/drivers/planted.py").touch()
    return tmp_path


def broken_contracts(tree: Path) -> set[str]:
    """Return the names of the contracts that lint-imports reports as broken."""
    done = subprocess.run(
        [Path(sys.executable).parent / "lint-imports", "--no-cache"],
        cwd=tree, capture_output=True, text=True, check=False,
        # A wide terminal keeps each contract on one line.
        env={"PATH": "/usr/bin:/bin", "COLUMNS": "200", "NO_COLOR": "1"},
    )  # fmt: skip
    verdicts = dict(re.findall(r"^(.+) (KEPT|BROKEN)\b", done.stdout, re.MULTILINE))
    assert verdicts, done.stdout + done.stderr
    broken = {name for name, verdict in verdicts.items() if verdict == "BROKEN"}
    assert bool(broken) == bool(done.returncode)
    return broken


def test_the_tree_keeps_all_contracts(tree):
    assert broken_contracts(tree) == set()


@pytest.mark.parametrize("planted", PLANTED, ids=lambda planted: f"{planted.file}: {planted.line}")
def test_a_planted_violation_breaks_its_contract(tree, planted):
    file = tree / planted.file
    text = file.read_text(encoding="utf-8") if file.exists() else ""
    file.write_text(f"{planted.line}\n{text}", encoding="utf-8")
    assert planted.contract in broken_contracts(tree)
