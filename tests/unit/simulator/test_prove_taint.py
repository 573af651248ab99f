"""The proof of taint itself: it is clean, it sees a promise that is missing, and its search finds
what is planted.
"""

import random
from pathlib import Path

import pytest

from simulator.errors import BadInput
from simulator.prove import taint
from simulator.prove.proof import Proof, ProveOptions
from simulator.prove.taint_people import people


def proved(tmp_path: Path, seed: int, *without: str) -> Proof:
    options = ProveOptions(1, seed, tmp_path, 1, frozenset(without))
    return taint.run(options, lambda _: None)


@pytest.mark.broker
@pytest.mark.timeout(120)
def test_nothing_of_a_person_is_kept_or_said(tmp_path, seed):
    proof = proved(tmp_path, seed)
    assert proof.clean, proof.violations
    assert proof.details["hits"] == 0
    assert proof.details["fed"] > 1_000
    assert proof.details["cards_read"] > 10
    assert proof.details["bytes_searched"] > 500_000
    assert proof.shown > 0


@pytest.mark.broker
@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    ("promise", "says"), [("notes", "branch_db holds 1 of 1"), ("withhold", "logs holds 1 of 1")]
)
def test_a_leak_is_seen(tmp_path, seed, promise, says):
    proof = proved(tmp_path, seed, promise)
    assert any(says in violation for violation in proof.violations), proof.violations


def test_an_unknown_promise_is_refused(tmp_path):
    with pytest.raises(BadInput, match="--without luck: there are notes, withhold"):
        proved(tmp_path, 1, "luck")


def test_the_search_finds_each_planted_form(seed):
    (person,) = people(1, random.Random(seed))
    assert list(taint.unfound(person)) == []
    needles = taint.needles_of([person])
    assert len(needles) > 150
    spoken = f"对不起，{person.name}先生".encode("gb18030")
    assert [(kind, form) for kind, form, _ in taint.found(spoken, needles)] == [
        ("name", "plain/gb18030"),
        ("name", "joined/gb18030"),
    ]


def test_the_people_are_well_formed_and_different(seed):
    crowd = people(50, random.Random(seed))
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    for person in crowd:
        total = sum(int(d) * w for d, w in zip(person.id_card, weights, strict=False))
        assert "10X98765432"[total % 11] == person.id_card[-1]
        assert len(person.phone) == 11
    assert len({person.phone for person in crowd}) == 50
