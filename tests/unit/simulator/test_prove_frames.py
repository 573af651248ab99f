"""The proof of the pad's frames itself: it is clean, and it sees a check that is missing."""

from pathlib import Path

import pytest

from simulator.errors import BadInput
from simulator.prove import frames
from simulator.prove.proof import Proof, ProveOptions


def proved(tmp_path: Path, seed: int, *without: str) -> Proof:
    options = ProveOptions(3_000, seed, tmp_path, 1, frozenset(without))
    return frames.run(options, lambda _: None)


def test_nothing_hostile_is_accepted(tmp_path, seed):
    proof = proved(tmp_path, seed)
    assert proof.clean, proof.violations
    assert proof.details["accepted"] == 0
    assert all(proof.details[f"sent_{name}"] > 100 for name in frames.ATTACKS)
    assert proof.details["forged_at_host"] > 500
    assert proof.details["refused_by_pad"] > 500
    assert proof.details["replayed_at_host"] > 50


@pytest.mark.parametrize(("promise", "kind"), [("mac", "mac_guessed"), ("counter", "replayed")])
def test_a_missing_check_is_seen(tmp_path, seed, promise, kind):
    proof = proved(tmp_path, seed, promise)
    assert not proof.clean
    assert proof.details[f"accepted_{kind}"] > 0


def test_an_unknown_promise_is_refused(tmp_path):
    with pytest.raises(BadInput, match="no promise nonces; there are: counter, mac"):
        proved(tmp_path, 1, "nonces")
