"""Services within services: who serves one serves every kind of it, and nothing else."""

from pathlib import Path

import msgspec
import pytest
from hypothesis import given, strategies as st

from branch.calling_config import CounterConfig, ServiceConfig
from branch.rules import engine_of
from branch.service_tree import served, tree_problems
from tests.unit.branch.bench import CONFIG, BranchBench, on_virtual_time

LETTERS = "ABCDEFG"


def service(letter: str, within: str = "", *, cash: bool = False) -> ServiceConfig:
    return ServiceConfig(letter, f"{letter}类", f"Kind {letter}", within=within, cash=cash)


TREE = [
    service("A", cash=True),
    service("B"),
    service("C", "B"),
    service("D", "C", cash=True),
    service("E", "C"),
]


def test_what_is_within_has_the_level_of_the_nearest_that_is_named() -> None:
    assert served(TREE, CounterConfig(1, ["B"])) == {"B": 1, "C": 1, "D": 1, "E": 1}
    assert served(TREE, CounterConfig(1, ["E"])) == {"E": 1}
    assert served(TREE, CounterConfig(1, ["B"], cash=False)) == {"B": 1, "C": 1, "E": 1}
    two = CounterConfig(1, ["A", "B", "C"], levels={"B": 3, "C": 2})
    assert served(TREE, two) == {"A": 1, "B": 3, "C": 2, "D": 2, "E": 2}


@given(
    st.lists(st.sampled_from(["", *LETTERS]), min_size=7, max_size=7),
    st.sets(st.sampled_from(LETTERS), min_size=1),
)
def test_any_tree_agrees_with_walking_down_from_what_is_named(
    within: list[str], named: set[str]
) -> None:
    services = [service(letter, above) for letter, above in zip(LETTERS, within, strict=True)]
    below, found = sorted(named), set(named)
    while below:
        above = below.pop()
        for one in services:
            if one.within == above and one.letter not in found:
                found.add(one.letter)
                below.append(one.letter)
    assert set(served(services, CounterConfig(1, sorted(named)))) == found


@pytest.mark.parametrize(
    ("services", "problem"),
    [
        ([service("A", "Z")], "'Z' is not one of the services"),
        ([service("A", "A")], "'A' is itself within 'A'; expected a tree"),
        ([service("A", "B"), service("B", "A")], "'B' is itself within 'A'; expected a tree"),
    ],
)
def test_what_is_no_tree_is_refused_by_its_key(
    services: list[ServiceConfig], problem: str
) -> None:
    assert next(tree_problems(services)) == ("services[0].within", problem)
    assert list(tree_problems(TREE)) == []


@on_virtual_time
async def test_a_counter_of_the_whole_calls_its_kinds_and_one_of_a_kind_only_that(
    tmp_path: Path,
) -> None:
    counters = [CounterConfig(1, ["B"], cash=False), CounterConfig(2, ["E"])]
    counters.append(CounterConfig(3, ["A", "D"]))
    config = msgspec.structs.replace(CONFIG, services=TREE, counters=counters)
    assert [c.services for c in engine_of(config).counters.values()] == [
        ("B", "C", "E"), ("E",), ("A", "D"),
    ]  # fmt: skip
    async with BranchBench(tmp_path, config) as bench:
        for number in ("D001", "C001", "E001", "E002"):
            await bench.kiosk.tickets(number, service=number[0])
        called = [(await bench.branch.call_next(n, f"k{n}")).number for n in (1, 2, 3)]
        assert called == ["C001", "E001", "D001"]
