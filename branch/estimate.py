"""Erlang quantiles, and the interval as it is printed: P10-P90 rounded outward, to 1 minute below
10 and to 5 above. Pure. Which Erlang distribution a wait has is said in branch/wait.py.
"""

import functools
import math

LOW, MIDDLE, HIGH = 0.10, 0.50, 0.90
FINE_BELOW_MIN = 10
COARSE_STEP_MIN = 5
MAX_AHEAD = 500
"""Beyond this the interval is unknown: no branch keeps such a line."""
NEWTON_STEPS = 4
"""From the straight line between whole shapes, off by 4 % at most, to 1e-9."""
MAX_SHAPE = MAX_AHEAD + 1
"""Far enough below 745, where e^-x is 0 in double precision and the sum of the CDF with it."""


def erlang_quantile(shape: float, mean: float, probability: float) -> float:
    """The quantile of an Erlang(shape) variable with this ``mean`` (any unit), by bisection of its
    CDF; ``shape`` need not be whole (the gamma distribution).

    Raises ValueError for a shape outside 1 to MAX_SHAPE, mean <= 0 or a probability outside
    (0, 1).
    """
    if not 1 <= shape <= MAX_SHAPE or not mean > 0 or not 0 < probability < 1:
        raise ValueError(f"erlang_quantile({shape}, {mean}, {probability}) is not defined")
    below = math.floor(shape)
    found = _unit_quantile(below, probability) / below
    if shape > below:
        above = _unit_quantile(below + 1, probability) / (below + 1)
        found = _mended(shape, shape * (found + (shape - below) * (above - found)), probability)
        found /= shape
    return found * mean


def _mended(shape: float, x: float, probability: float) -> float:
    """The quantile of a gamma variable near ``x``, by Newton's steps."""
    for _ in range(NEWTON_STEPS):
        point = math.exp((shape - 1) * math.log(x) - x - math.lgamma(shape))
        x -= (_gamma_cdf(shape, x, point) - probability) / point
    return x


def _gamma_cdf(shape: float, x: float, density: float) -> float:
    """The lower incomplete gamma function by its series (DLMF 8.7.1)."""
    term = total = density * x / shape
    n = 1
    while term > 1e-17 * total:
        term *= x / (shape + n)
        total += term
        n += 1
    return total


@functools.lru_cache(maxsize=3 * MAX_SHAPE)
def _unit_quantile(shape: int, probability: float) -> float:
    """The quantile where each stage has mean 1."""
    low, high = 0.0, 2.0 * shape + 40.0
    for _ in range(60):
        middle = (low + high) / 2
        if _erlang_cdf(shape, middle) < probability:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _erlang_cdf(shape: int, x: float) -> float:
    term = total = math.exp(-x)
    for i in range(1, shape):
        term *= x / i
        total += term
    return 1.0 - total


def round_outward(low_min: float, high_min: float) -> tuple[int, int]:
    """Whole minutes that contain [low_min, high_min]: steps of 1 below 10 minutes, of 5 above.
    An end closer than 1e-9 of a step above a whole step counts as that step.
    """

    def step(value: float) -> int:
        return 1 if value < FINE_BELOW_MIN else COARSE_STEP_MIN

    low_step, high_step = step(low_min), step(high_min)
    return (
        math.floor(low_min / low_step) * low_step,
        math.ceil(round(high_min / high_step, 9)) * high_step,
    )
