"""How long a new ticket will wait: the QL rung with Erlang quantiles. Pure.

QL (Whitt 1999; Ibrahim & Whitt 2009): with Q people ahead, s windows and mean service m, the wait
of a new
arrival is Erlang(Q + 1, s / m) in M/M/s. The interval is P10-P90 rounded outward, to 1 minute
below 10 and to
5 above. It is not calibrated yet, so no page says "8 times out of 10".
"""

import math

LOW, HIGH = 0.10, 0.90
FINE_BELOW_MIN = 10
COARSE_STEP_MIN = 5
MAX_AHEAD = 500
"""Beyond this the interval is unknown: no branch keeps such a line."""
MAX_SHAPE = MAX_AHEAD + 1
"""Far enough below 745, where e^-x is 0 in double precision and the sum of the CDF with it."""


def erlang_quantile(shape: int, mean: float, probability: float) -> float:
    """The quantile of an Erlang(shape) variable with this ``mean`` (any unit), by bisection of its
    CDF.

    Raises ValueError for a shape outside 1 to MAX_SHAPE, mean <= 0 or a probability outside
    (0, 1).
    """
    if not 1 <= shape <= MAX_SHAPE or not mean > 0 or not 0 < probability < 1:
        raise ValueError(f"erlang_quantile({shape}, {mean}, {probability}) is not defined")
    low, high = 0.0, 2.0 * shape + 40.0
    for _ in range(60):
        middle = (low + high) / 2
        if _erlang_cdf(shape, middle) < probability:
            low = middle
        else:
            high = middle
    return (low + high) / 2 * mean / shape


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


def wait_interval_min(
    ahead: int, windows: int, free_windows: int, mean_service_s: float
) -> tuple[int, int] | None:
    """The printed interval in minutes; (0, 0) when a window is free, None when it cannot be
    known.
    """
    if windows < 1 or ahead > MAX_AHEAD:
        return None
    if ahead == 0 and free_windows > 0:
        return (0, 0)
    mean_min = (ahead + 1) * mean_service_s / windows / 60
    return round_outward(
        erlang_quantile(ahead + 1, mean_min, LOW), erlang_quantile(ahead + 1, mean_min, HIGH)
    )
