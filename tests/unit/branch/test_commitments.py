"""The public commitment on the board: nobody counts twice, nobody who waited too long is left
out.
"""

import random
from collections import Counter
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, strategies as st

from branch.commitments import Commitments
from branch.standards import standards_of
from branch.standards_config import ServiceStandardsConfig, StandardsConfig
from branch.web.pages import kept_words
from branch.web.words import WORDS
from tests.unit.branch.bench import CONFIG, BranchBench, on_virtual_time, settle

MIN = 60_000
Step = tuple[str, int, int]


def test_a_customer_counts_once_and_who_left_late_is_not_forgotten() -> None:
    kept = Commitments({"A": 30 * MIN, "B": 0})
    kept.called("d", "1", "A", 30 * MIN)
    kept.called("d", "1", "A", 40 * MIN)  # back in line, and called again
    kept.called("d", "2", "A", 30 * MIN + 1)
    kept.called("d", "3", "B", 90 * MIN)  # no promise
    kept.left("d", "4", "A", 29 * MIN)
    kept.left("d", "5", "A", 31 * MIN)
    kept.left("d", "6", "B", 90 * MIN)
    waiting = [("2", "A", 99 * MIN), ("7", "A", 31 * MIN), ("8", "A", MIN), ("9", "B", 99 * MIN)]
    assert kept.of("d", waiting) == {"A": (4, 1)}
    assert kept.of("e", []) == {"A": (0, 0)}
    assert kept.of("d", []) == {"A": (0, 0)}, "an earlier day is forgotten"


@given(
    st.lists(
        st.tuples(st.sampled_from(["called", "left"]), st.integers(0, 9), st.integers(0, 3 * MIN))
    ),
    st.dictionaries(st.integers(0, 9), st.integers(0, 3 * MIN)),
)
def test_any_order_counts_as_a_second_reading_does(
    steps: list[Step], line: dict[int, int]
) -> None:
    kept = Commitments({"A": MIN})
    for verb, ticket, waited_ms in steps:
        getattr(kept, verb)("d", str(ticket), "A", waited_ms)
    found = kept.of("d", [(str(t), "A", ms) for t, ms in line.items()])
    first: dict[int, bool] = {}
    for verb, ticket, waited_ms in steps:
        if verb == "called" or waited_ms > MIN:
            first.setdefault(ticket, waited_ms <= MIN)
    for ticket, waited_ms in line.items():
        if waited_ms > MIN:
            first.setdefault(ticket, False)
    assert found == {"A": (len(first), sum(first.values()))}


def test_words_of_few_of_many_and_of_nobody() -> None:
    zh, en = WORDS["zh"], WORDS["en"]
    assert kept_words(0, 0, en) == "nobody yet today"
    assert kept_words(29, 28, zh) == "29 人中 28 人做到"
    assert kept_words(152, 143, zh) == "152 人中 94% 做到"
    assert kept_words(1000, 999, en) == "kept for 99% of 1000", "100 % is everybody"


def test_a_service_s_own_promise_goes_before_the_branch_s() -> None:
    own = {"B": ServiceStandardsConfig(max_wait_min=0.0), "C": ServiceStandardsConfig(max_line=9)}
    config = StandardsConfig(max_wait_min=20.0, services=own)
    found = standards_of(config, "ABC")
    assert [found[letter].max_wait_ms / MIN for letter in "ABC"] == [20.0, 0.0, 20.0]


@pytest.mark.parametrize("seed", range(3))
@on_virtual_time
async def test_the_board_says_what_the_ledger_says(tmp_path: Path, seed: int) -> None:
    """Recomputed from the tables, before and after a restart."""
    rng = random.Random(seed)
    limit_ms = 6_000
    standards = StandardsConfig(max_wait_min=limit_ms / MIN)
    config = msgspec.structs.replace(CONFIG, standards=standards)
    async with BranchBench(tmp_path, config) as bench:
        for n in range(40):
            await bench.kiosk.tickets(f"A{n:03}")
            if rng.random() < 0.6:
                await bench.branch.call_next(1, f"c{n}")
                await bench.branch.finish(1, f"f{n}")
            still = [t for line in bench.branch.engine.lines.by_key.values() for t in line]
            if still and rng.random() < 0.2:
                bench.branch.abandon(rng.choice(still).id)
        await settle()
        for _ in range(2):
            now_ms = bench.clock.wall_ms()
            counted: Counter[bool] = Counter()
            for issued, called, ended, outcome in bench.rows(
                "ticket", "issued_at, called_at, ended_at, outcome"
            ):
                until = called or (ended if outcome == "abandoned" else now_ms)
                if called or until - issued > limit_ms:
                    counted[until - issued <= limit_ms] += 1
            (line,) = [p for p in bench.branch.board().promises if p.letter == "A"]
            assert (line.people, line.kept) == (counted.total(), counted[True])
            assert 0 < line.kept < line.people
            await bench.restart()
