"""docs/faults.md promises nothing without a scenario: each one that it names is a test of ours."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_every_scenario_exists() -> None:
    document = (ROOT / "docs/faults.md").read_text("utf-8")
    named = set(re.findall(r"`(test_\w+)`", document))
    assert len(named) > 30
    written = set()
    for path in (ROOT / "tests").rglob("test_*.py"):
        written |= set(re.findall(r"def (test_\w+)\(", path.read_text("utf-8")))
    assert sorted(named - written) == []


def test_every_row_names_one() -> None:
    rows = [
        line
        for line in (ROOT / "docs/faults.md").read_text("utf-8").splitlines()
        if line.startswith("| ") and not line.startswith("| fault |")
    ]
    assert [row for row in rows if "`test_" not in row] == []
