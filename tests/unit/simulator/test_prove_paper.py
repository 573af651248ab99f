"""The proof of paper itself: it is clean, it sees a promise that is missing, its judge sees each
kind of wrong.
"""

import random
from collections import Counter
from pathlib import Path

import pytest

from simulator import vtime
from simulator.errors import BadInput
from simulator.prove import paper
from simulator.prove.paper_hall import FAULTS, MAKES, STEPS, Broken, Hall, Round, Seen
from simulator.prove.paper_wire import PLACES, place_in
from simulator.prove.proof import Proof, ProveOptions

SLIP = b"\x1b@" + b"text\n" * 30 + b"\x1dVB\x18" + b"\x1dr\x01"
CUT = len(SLIP) - 7


def proved(tmp_path: Path, seed: int, *without: str) -> Proof:
    options = ProveOptions(1, seed, tmp_path, 2, frozenset(without))
    return paper.run(options, lambda _: None)


@pytest.mark.timeout(120)
def test_every_fault_at_every_step_once(tmp_path, seed):
    proof = proved(tmp_path, seed)
    assert proof.clean, proof.violations
    cells = len(FAULTS) * len(STEPS) * 2
    assert proof.details["faults"] + proof.details["place_not_reached"] == cells
    assert proof.shown == proof.stored == cells
    assert proof.details["slips"] > cells / 2
    assert proof.details["scraps"] > 0
    assert proof.details["alerts_due"] > 0


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    ("promise", "says", "faults"),
    [
        ("confirm", "said to be printed, but no slip", ("paper_out", "switched_off", "deaf")),
        ("once", "reprinted more than once", ("near_end", "power_cut", "mute")),
    ],
)
def test_a_promise_that_is_missing_is_seen(tmp_path, monkeypatch, promise, says, faults):
    """Some of the faults, and one seed, are enough; ``lobby prove paper --without`` has all."""
    monkeypatch.setattr(paper, "FAULTS", faults)
    proof = proved(tmp_path, 6, promise)
    assert any(says in violation for violation in proof.violations), proof.violations


def test_an_unknown_promise_is_refused(tmp_path):
    with pytest.raises(BadInput, match="--without luck: there are confirm, once"):
        proved(tmp_path, 1, "luck")


@pytest.mark.parametrize(
    ("data", "place", "expected"),
    [
        (b"\x10\x04\x01\x10\x04\x04", "asked", 6),
        (b"\x10\x04\x01\x10\x04\x04", "begun", None),
        (SLIP, "asked", None),
        (SLIP, "begun", 2),
        (SLIP, "before_cut", CUT),
        (SLIP, "after_cut", CUT + 4),
        (SLIP, "confirmed", len(SLIP)),
        (b"\x1b@\x1dVB\x18\x1dr\x01", "before_cut", None),  # parts scrap, no slip
    ],
)
def test_places_are_found_in_the_bytes(data, place, expected):
    assert place_in(data, place, random.Random(1)) == expected


def test_inside_is_before_the_cut(seed):
    chance = random.Random(seed)
    assert all(0 < (place_in(SLIP, "inside", chance) or 0) < CUT for _ in range(200))
    assert set(PLACES) < set(STEPS)


# --- the judge -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def evening(tmp_path_factory: pytest.TempPathFactory) -> tuple[Seen, Path]:
    """Three visitors: one with a slip, one with two, one without; and the two ledgers."""
    folder = tmp_path_factory.mktemp("evening") / "hall"
    rounds = [
        Round("near_end", "before", 1, "late"),
        Round("near_end", "confirmed", 2, "soon"),
        Round("paper_out", "before", 1, "late"),
    ]
    return vtime.run(Hall(folder, MAKES[0], paper._printers(frozenset()), 7).run(rounds)), folder


def judged(evening: tuple[Seen, Path], **changes: object) -> list[str]:
    seen, folder = evening
    before = {name: getattr(seen, name) for name in changes}
    for name, value in changes.items():
        setattr(seen, name, value)
    try:
        proof = Proof("paper", 1, 1)
        paper.judge(proof, seen, folder, Counter(), "here")
        return proof.violations
    finally:
        for name, value in before.items():
            setattr(seen, name, value)


def test_the_evening_is_clean(evening):
    assert judged(evening) == []
    seen, _ = evening
    assert len(seen.acknowledged) >= 1


def test_a_slip_that_nobody_found_is_missed(evening):
    seen, _ = evening
    number = seen.paper[0][0]
    rest = [piece for piece in seen.paper if piece[0] != number]
    says = " | ".join(judged(evening, paper=rest))
    assert f"{number} is live, without a slip and without an acknowledgement" in says
    assert "said to be printed, but no slip came out" in says


def test_a_visitor_who_said_nothing_has_nothing(evening):
    assert "without an acknowledgement" in " | ".join(judged(evening, acknowledged=[]))


def test_a_slip_of_no_ticket_is_a_ghost(evening):
    seen, _ = evening
    stray = ("A777", ("A777", "0000-0000"), True)
    says = " | ".join(judged(evening, paper=[*seen.paper, stray]))
    assert "on a slip, but no ticket of the branch: A777" in says


def test_a_copy_that_does_not_say_so_is_seen(evening):
    seen, _ = evening
    doubled = [seen.paper[0], *seen.paper]
    assert "does not say that it is a copy" in " | ".join(judged(evening, paper=doubled))


def test_a_fault_that_no_row_tells_is_seen(evening):
    seen, _ = evening
    early = Broken("cover", seen.broken[0].at_ms - 20_000, seen.broken[0].at_ms - 10_000)
    assert "had no row 5000 ms later" in " | ".join(judged(evening, broken=[early]))
