"""The shape of the tree: short files, telling names, and a wheel that ships what is there."""

import tomllib
from pathlib import Path

from tests.longest import LONGEST

ROOT = Path(__file__).parents[3]
PACKAGES = ("firmware", "hal", "sync", "kiosk", "branch", "simulator")
MAX_LINES = 500
# Names that say nothing about what is inside.
EMPTY_NAMES = {"utils", "util", "helpers", "helper", "manager", "common", "misc"}


def python_files() -> list[Path]:
    folders = (*PACKAGES, "tests", "docs", "deploy")
    return sorted(path for name in folders for path in (ROOT / name).rglob("*.py"))


def test_no_file_is_too_long_to_read():
    long = {
        str(path.relative_to(ROOT)): lines
        for path in python_files()
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > MAX_LINES
    }
    assert not long, f"over {MAX_LINES} lines: split by what changes together"


def test_names_say_what_is_inside():
    empty = [
        path for path in python_files() if EMPTY_NAMES & {path.stem, *path.relative_to(ROOT).parts}
    ]
    assert not empty


def test_the_wheel_ships_every_package_and_no_test():
    config = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    declared = set(config["tool"]["setuptools"]["packages"])
    there = {
        ".".join(path.parent.relative_to(ROOT).parts)
        for name in PACKAGES
        for path in (ROOT / name).rglob("*.py")
        if path.parent.name != "__pycache__"
    }
    assert declared == there


def test_the_files_that_the_run_begins_with_are_there():
    gone = [name for name in LONGEST if not (ROOT / "tests" / name).is_file()]
    assert not gone, "renamed or deleted: say so in tests/longest.py"
