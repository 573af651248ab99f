"""``lobby prove partition`` in its shortest form, and what it is made of."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from simulator.errors import BadInput, MissingProgram
from simulator.prove.netns import Cut, Network, namespace, owner, remove_leftovers
from simulator.prove.partition import BROKER, KIOSKS, LONG_FROM_ROUNDS, LONG_S, VICTIMS, plan
from simulator.prove.proof import ProveOptions, prove
from simulator.prove.stand import BRANCH

SEED = 1
"""Its three rounds cut off a kiosk and the branch, and take the broker away."""
CANNOT = 2


@pytest.mark.broker
def test_a_cut_network_loses_nothing_and_is_gone_afterwards(tmp_path: Path) -> None:
    # A process of its own: it leaves this one's network alone.
    report = tmp_path / "report.json"
    command = [sys.executable, "-m", "lobby", "prove", "partition", "--rounds", "3"]
    with subprocess.Popen(
        [*command, "--seed", str(SEED), "--report", str(report)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        try:
            said, errors = process.communicate(timeout=58)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
    if process.returncode == CANNOT:
        pytest.skip(errors.strip())
    assert process.returncode == 0, said + errors
    told = json.loads(report.read_text("utf-8"))
    assert told["clean"]
    assert told["shown"] == told["stored"] > 0
    assert sum(told["details"]["issued_cut_off"].values()) > 0
    assert sorted(told["details"]["caught_up_s"]) == list(KIOSKS)
    assert not list(Path("/run/netns").glob(f"lobby-{process.pid}-*"))


def test_it_has_nothing_to_switch_off(tmp_path: Path) -> None:
    options = ProveOptions(1, 1, tmp_path, without=frozenset({"bands"}))
    with pytest.raises(BadInput, match="nothing to switch off"):
        prove("partition", options, lambda _: None)


def test_a_machine_without_ip_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("simulator.prove.netns.SYSTEM_FOLDERS", ())
    with pytest.raises(MissingProgram, match="apt-get install iproute2"):
        Network(("leaf",))


@given(st.integers(0, 80), st.integers(0, 2**32 - 1))
def test_a_plan_meets_every_victim_and_is_the_same_again(rounds: int, seed: int) -> None:
    faults = plan(rounds, seed, list(Cut))
    assert faults == plan(rounds, seed, list(Cut))
    assert len(faults) == rounds
    assert all((fault.cut is None) == (fault.victim == BROKER) for fault in faults)
    for start in range(0, rounds - 4, 5):
        assert {fault.victim for fault in faults[start : start + 5]} == set(VICTIMS)
    longest_s = max((fault.length_s for fault in faults), default=0)
    if rounds < LONG_FROM_ROUNDS:
        assert longest_s < LONG_S[0]


def test_names_tell_whose_a_namespace_is() -> None:
    assert owner(namespace(BRANCH)) == os.getpid()
    assert owner("lobby-12-kiosk-1") == 12
    assert owner("lobby-x") is None
    assert owner("somebody-12-hub") is None


def test_only_what_a_dead_proof_left_is_removed(tmp_path: Path) -> None:
    with subprocess.Popen(["true"]) as dead:
        dead.wait()
    ours, left = namespace("hub"), namespace("hub", dead.pid)
    for name in (ours, left, "lobby-x", "somebody-1-hub"):
        (tmp_path / name).touch()
    # `false` removes nothing; that it was asked for is what is returned.
    assert remove_leftovers("false", tmp_path) == [left]
