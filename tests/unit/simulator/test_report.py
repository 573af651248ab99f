"""The figures of the report."""

import pytest
from hypothesis import given, strategies as st

from simulator.report import summarise


def test_nothing_has_no_mean() -> None:
    assert summarise([]) == {"mean": None, "p50": None, "p90": None}


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([7], (7, 7, 7)),
        ([1, 2, 3, 4], (2.5, 2, 4)),
        (list(range(1, 11)), (5.5, 5, 9)),
        (list(range(100, 0, -1)), (50.5, 50, 90)),
    ],
)
def test_mean_median_and_p90_by_nearest_rank(values: list, expected: tuple) -> None:
    assert tuple(summarise(values).values()) == expected


@given(st.lists(st.floats(0, 1e5), min_size=1))
def test_nearest_rank(values: list[float]) -> None:
    """The p-quantile is the smallest value with at least a share p at or below it."""
    found = summarise(values)
    for share, name in ((0.5, "p50"), (0.9, "p90")):
        quantile = found[name]
        assert quantile is not None
        assert sum(value <= quantile + 5e-4 for value in values) >= share * len(values) - 1e-9
        assert sum(value < quantile - 5e-4 for value in values) < share * len(values) + 1e-9
