"""The proof of presses itself: it is clean, it sees a promise that is missing, and its judge sees
each kind of wrong.
"""

from pathlib import Path

import pytest

from simulator.errors import BadInput
from simulator.prove import presses
from simulator.prove.presses import Stored, judge
from simulator.prove.presses_pad import Attempt
from simulator.prove.proof import Proof, ProveOptions

pytestmark = pytest.mark.micropython


def proved(tmp_path: Path, rounds: int, seed: int, *without: str) -> Proof:
    options = ProveOptions(rounds, seed, tmp_path, 1, frozenset(without))
    return presses.run(options, lambda _: None)


@pytest.mark.timeout(120)
def test_presses_through_cuts_count_once(tmp_path, seed):
    proof = proved(tmp_path, 60, seed)
    assert proof.clean, proof.violations
    details = proof.details
    assert details["armed"] + details["unarmed"] == 60
    assert proof.shown > 20
    assert proof.stored >= proof.shown
    assert details["restored"] > 0
    assert details["saves"] > 0
    assert details["cut_power"] > 0
    assert details["cut_cable"] > 0


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.parametrize("promise", ["save", "journal"])
def test_a_promise_that_is_missing_is_seen(tmp_path, seed, promise):
    proof = proved(tmp_path, 50, seed, promise)
    assert proof.lost > 0
    assert "as accepted, and it is not stored" in proof.violations[0]


def test_an_unknown_promise_is_refused(tmp_path):
    with pytest.raises(BadInput, match="--without luck: there are journal, save"):
        proved(tmp_path, 1, 1, "luck")


ARMED = Attempt(counter=1, nonce=7, score=5, shown=True)
UNASKED = Attempt(counter=1, nonce=0, score=2)
RATED = Stored(1, 7, 5, ("aa", 1, 1))
KEPT_APART = Stored(1, 0, 2, ("aa", 1, 2))


@pytest.mark.parametrize(
    ("attempts", "rows", "lost", "doubled", "ghosts", "says"),
    [
        ([ARMED, UNASKED], [RATED, KEPT_APART], 0, 0, 0, ""),
        ([Attempt(1, 7, 5)], [], 0, 0, 0, ""),
        # It was armed when the visitor looked, and the pad was reset before he pressed.
        ([Attempt(1, 7, 2)], [KEPT_APART], 0, 0, 0, ""),
        ([ARMED], [], 1, 0, 0, "showed the rating 5 of visit 7 as accepted"),
        ([ARMED], [Stored(1, 0, 5, ("aa", 1, 1))], 1, 0, 0, "and it is not stored"),
        ([ARMED], [RATED, RATED], 0, 2, 0, "is stored 2 times"),
        ([ARMED], [RATED, Stored(1, 7, 5, ("aa", 2, 1))], 0, 1, 0, "visit 7 has 2 ratings"),
        ([], [RATED], 0, 0, 1, "visit 7 has a rating, and nobody pressed"),
        ([ARMED], [Stored(2, 7, 5, ("aa", 1, 1))], 0, 0, 0, "5 of counter 2 is stored"),
        ([ARMED, UNASKED], [RATED, Stored(1, 0, 5, ("aa", 1, 2))], 0, 0, 1, "of 5 too many"),
        ([UNASKED], [KEPT_APART, Stored(1, 0, 2, ("aa", 1, 3))], 0, 0, 1, "of 2 too many"),
    ],
)
def test_the_judge(attempts, rows, lost, doubled, ghosts, says):
    proof = Proof("presses", 1, 1)
    judge(proof, attempts, rows)
    assert (proof.lost, proof.doubled, proof.ghosts) == (lost, doubled, ghosts)
    assert proof.clean == (not says)
    assert says in " | ".join(proof.violations)
