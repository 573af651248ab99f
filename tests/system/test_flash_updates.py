"""The proof of updates in its smallest form; it finds what is switched off."""

import pytest

from simulator.errors import BadInput
from simulator.prove import updates
from simulator.prove.proof import Proof, ProveOptions, prove
from simulator.prove.updates_line import KINDS, run_line

pytestmark = pytest.mark.micropython


def quiet(line: str) -> None:
    """Nothing is said."""


def test_cut_updates_start_into_a_whole_slot(tmp_path, seed, monkeypatch):
    monkeypatch.setattr(updates, "run_line", lambda *_: {})  # the next test's matter
    proof = prove("updates", ProveOptions(48, seed, tmp_path), quiet)
    assert proof.clean, proof.violations
    assert proof.details["refused"] == 5
    assert proof.details["cuts"] >= 48


@pytest.mark.timeout(240)
def test_cut_updates_over_the_line_start_into_a_whole_slot(tmp_path, seed):
    proof = Proof("updates", 10, seed)
    counts = run_line(ProveOptions(10, seed, tmp_path, jobs=2), 10, proof, quiet)
    assert proof.clean, proof.violations
    assert {counts[f"line_{kind}"] for kind in KINDS} == {2}
    assert counts["line_cuts"] >= 5
    assert (counts["line_refused"], counts["kiosk_refused"], counts["line_went_back"]) == (4, 9, 2)


@pytest.mark.parametrize("promise", ["hash", "trial"])
def test_a_switched_off_promise_is_found(tmp_path, seed, promise):
    proof = prove("updates", ProveOptions(8, seed, tmp_path, without=frozenset({promise})), quiet)
    assert not proof.clean


def test_an_unknown_promise_is_refused(tmp_path):
    options = ProveOptions(8, 1, tmp_path, without=frozenset({"luck"}))
    with pytest.raises(BadInput, match="there are atomic, hash, trial"):
        prove("updates", options, quiet)
