"""``lobby prove diskfull`` in its shortest form, and what it is made of."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from simulator.errors import BadInput
from simulator.prove import databases
from simulator.prove.diskfull import KIOSK, LEFT_BYTES, plan
from simulator.prove.proof import ProveOptions, prove
from simulator.prove.stand import BRANCH
from sync.clock import system_clock
from sync.journal import Journal
from sync.messages import IssuedData

SEED = 188
"""Its two rounds fill the kiosk's disk and the branch's, each with a greedy filler."""
CANNOT = 2


@pytest.mark.broker
def test_tickets_survive_a_full_disk_at_the_kiosk_and_at_the_branch(tmp_path: Path) -> None:
    # A process of its own: it leaves this one's mounts alone.
    report = tmp_path / "report.json"
    command = [sys.executable, "-m", "lobby", "prove", "diskfull", "--rounds", "2"]
    done = subprocess.run(
        [*command, "--seed", str(SEED), "--report", str(report)],
        capture_output=True, text=True, timeout=58, check=False,
    )  # fmt: skip
    if done.returncode == CANNOT:
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(report.read_text("utf-8"))
    assert told["clean"]
    assert told["shown"] == told["stored"] > 0
    details = told["details"]
    assert details["disk_full_met"] == {BRANCH: 1, KIOSK: 1}
    assert details["customers_saw"]["out of service, storage_full"] >= 1
    staff = details["staff_saw"]  # which of the two depends on what met the full disk first
    assert staff["journal.full"] + staff["ticket.refused"] >= 1
    assert details["tellers_told_not_stored"] >= 1
    assert details["issued_while_branch_full"] >= 1


def test_it_has_nothing_to_switch_off(tmp_path: Path) -> None:
    options = ProveOptions(1, 1, tmp_path, without=frozenset({"reserve"}))
    with pytest.raises(BadInput, match="nothing to switch off"):
        prove("diskfull", options, lambda _: None)


@given(st.integers(0, 60), st.integers(0, 2**32 - 1))
def test_a_plan_meets_every_disk_and_is_the_same_again(rounds: int, seed: int) -> None:
    planned = plan(rounds, seed)
    assert planned == plan(rounds, seed)
    assert len(planned) == rounds
    assert all(0 <= planned_round.left <= LEFT_BYTES for planned_round in planned)
    for start in range(0, rounds - 2, 3):
        three = {planned_round.victims for planned_round in planned[start : start + 3]}
        assert three == {(KIOSK,), (BRANCH,), (KIOSK, BRANCH)}


def test_a_journal_in_use_is_read_from_outside(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    journal = Journal(path, node="kiosk-1", clock=system_clock())
    assert databases.top(path) == 0
    data = IssuedData(
        number="A1001", service="A", segment="ordinary", language="en",
        business_date="2026-11-23", band=1, request="touch-1",
    )  # fmt: skip
    journal.append("ticket.issued", data, sub="self")
    with journal.transaction() as transaction:
        transaction.append("ticket.issued", data, sub="self")
        assert databases.top(path) == 1  # what is not committed is not there
    assert databases.top(path) == 2
    assert databases.numbers(path) == {"A1001"}
    assert databases.damage(path) == []
    journal.close()


def test_a_damaged_page_is_found(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    journal = Journal(path, node="kiosk-1", clock=system_clock())
    journal.close()
    content = bytearray(path.read_bytes())
    content[4096:8192] = b"\xff" * 4096
    path.write_bytes(content)
    assert databases.damage(path) != []


def test_what_is_no_database_is_damage(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    path.write_bytes(b"no database at all")
    assert databases.damage(path) == ["file is not a database"]
