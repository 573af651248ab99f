"""What counts as flat; the day itself is `lobby prove day`."""

import pytest

from simulator.errors import BadInput
from simulator.process import Usage
from simulator.prove.day import GROWTH, Looks, judge
from simulator.prove.proof import Proof

MB = 1_000_000


def looks(*quarters: tuple[float, int, int]) -> Looks:
    """Four looks a quarter: megabytes, handles, threads."""
    found = Looks(1.0)
    for rss_mb, handles, threads in quarters:
        rss = round(rss_mb * MB)
        found.seen += [Usage(rss, rss, handles, threads, 0.0)] * 4
    return found


def violations(found: Looks) -> list[str]:
    proof = Proof("day", 24, 1)
    judge(found, GROWTH, proof)
    return proof.violations


def test_what_is_built_in_the_first_quarter_is_no_leak() -> None:
    assert not violations(looks((100, 20, 3), (250, 40, 7), (252, 41, 7), (253.9, 42, 7)))


@pytest.mark.parametrize(
    ("last", "named"),
    [
        ((255, 40, 7), "memory is not flat: 5.0 MB"),
        ((250, 41 + GROWTH[1], 7), "handles are not flat: 40 first, 44 in the last"),
        ((250, 40, 11), "threads are not flat: 7 first, 11"),
    ],
)
def test_what_grows_after_it_is_named(last: tuple[float, int, int], named: str) -> None:
    (violation,) = violations(looks((100, 20, 3), (250, 40, 7), (250, 40, 7), last))
    assert named in violation


def test_one_large_look_is_not_the_median() -> None:
    found = looks((100, 20, 3), (250, 40, 7), (250, 40, 7), (250, 40, 7))
    found.seen[-1] = Usage(400 * MB, 400 * MB, 90, 30, 0.0)
    assert not violations(found)


def test_too_few_looks_say_nothing() -> None:
    found = Looks(1.0)
    found.seen = [Usage(MB, MB, 1, 1, 0.0)] * 7
    with pytest.raises(BadInput, match="too few looks"):
        violations(found)
