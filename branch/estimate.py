"""Erlang quantiles, and the interval as it is printed: P10-P90 rounded outward, to 1 minute below
10 and to 5 above. Pure. Which Erlang distribution a wait has is said in branch/wait.py.
"""

import math
from statistics import NormalDist

LOW, MIDDLE, HIGH = 0.10, 0.50, 0.90
FINE_BELOW_MIN = 10
COARSE_STEP_MIN = 5
MAX_AHEAD = 500
"""Beyond this the interval is unknown: no branch keeps such a line."""
NEWTON_STEPS = 4
"""To 1e-9 of the probability wherever that is within 0.001 of 0 and 1."""
MAX_SHAPE = MAX_AHEAD + 1
"""Far enough below 745, where e^-x is 0 in double precision."""
_NORMAL = NormalDist()


def erlang_quantile(shape: float, mean: float, probability: float) -> float:
    """The quantile of an Erlang(shape) variable with this ``mean`` (any unit); ``shape`` need not
    be whole (the gamma distribution). By Newton's steps from the normal approximation of the cube
    root (Wilson & Hilferty 1931).

    Raises ValueError for a shape outside 1 to MAX_SHAPE, mean <= 0 or a probability outside
    (0, 1).
    """
    if not 1 <= shape <= MAX_SHAPE or not mean > 0 or not 0 < probability < 1:
        raise ValueError(f"erlang_quantile({shape}, {mean}, {probability}) is not defined")
    root = 1 - 1 / (9 * shape) + _NORMAL.inv_cdf(probability) / (3 * math.sqrt(shape))
    # What the density's rise from 0 alone would give: below the quantile, and near it far down.
    tail = math.exp((math.log(probability) + math.lgamma(shape + 1)) / shape)
    x = max(shape * root**3, tail)
    for _ in range(NEWTON_STEPS):
        point = math.exp((shape - 1) * math.log(x) - x - math.lgamma(shape))
        step = (_gamma_cdf(shape, x, point) - probability) / point
        x = min(max(x - step, x / 2), 2 * x)
    return x / shape * mean


def _gamma_cdf(shape: float, x: float, density: float) -> float:
    """The lower incomplete gamma function by its series (DLMF 8.7.1)."""
    term = total = density * x / shape
    n = 1
    while term > 1e-17 * total:
        term *= x / (shape + n)
        total += term
        n += 1
    return total


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
