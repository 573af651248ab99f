"""The wait interval against closed forms, exact Poisson sums and the queue's own mathematics."""

import math
from fractions import Fraction

import pytest
from hypothesis import assume, given, strategies as st

from branch.estimate import (
    COARSE_STEP_MIN,
    FINE_BELOW_MIN,
    HIGH,
    LOW,
    MAX_SHAPE,
    MIDDLE,
    erlang_quantile,
    round_outward,
)

probabilities = st.floats(0.01, 0.99)


def exact_cdf(shape: int, x: float) -> float:
    """P(Erlang(shape, 1) <= x) = 1 - P(Poisson(x) < shape), the sum in exact fractions."""
    point, term, total = Fraction(x), Fraction(1), Fraction(1)
    for i in range(1, shape):
        term = term * point / i
        total += term
    # e^-x as a product keeps the exponent in range; both factors are floats of 53 bits.
    half = math.exp(-x / 2)
    return 1.0 - float(total * Fraction(half) * Fraction(half))


def integrated_cdf(shape: int, x: float, steps: int = 4000) -> float:
    """Simpson's rule on the density, in logarithms."""

    def density(t: float) -> float:
        if t == 0:
            return 1.0 if shape == 1 else 0.0
        return math.exp((shape - 1) * math.log(t) - t - math.lgamma(shape))

    width = x / steps
    inner = sum((4 if i % 2 else 2) * density(i * width) for i in range(1, steps))
    return (density(0.0) + inner + density(x)) * width / 3


@given(probabilities, st.floats(0.01, 1000))
def test_one_stage_is_the_exponential(p: float, mean: float) -> None:
    assert erlang_quantile(1, mean, p) == pytest.approx(-math.log1p(-p) * mean, rel=1e-9)


@pytest.mark.parametrize("shape", [1, 2, 3, 7, 40, 200, MAX_SHAPE])
@pytest.mark.parametrize("p", [0.001, LOW, 0.5, HIGH, 0.999])
def test_the_quantile_inverts_the_exact_sum(shape: int, p: float) -> None:
    x = erlang_quantile(shape, float(shape), p)
    assert exact_cdf(shape, x) == pytest.approx(p, abs=1e-9)


@pytest.mark.parametrize("shape", [1, 2, 5, 30, 120, MAX_SHAPE])
def test_the_quantile_inverts_the_integral(shape: int) -> None:
    for p in (LOW, 0.5, HIGH):
        x = erlang_quantile(shape, float(shape), p)
        assert integrated_cdf(shape, x) == pytest.approx(p, abs=1e-6)


def test_known_values() -> None:
    # chi-square tables: Erlang(k) = chi2(2k) / 2; chi2(2)=4.605, chi2(10)=15.987 and 4.865
    assert 2 * erlang_quantile(1, 1.0, 0.9) == pytest.approx(4.605, abs=5e-4)
    assert 2 * erlang_quantile(5, 5.0, 0.9) == pytest.approx(15.987, abs=5e-4)
    assert 2 * erlang_quantile(5, 5.0, 0.1) == pytest.approx(4.865, abs=5e-4)


@pytest.mark.parametrize(
    ("shape", "mean", "p"),
    [(0, 1.0, 0.5), (MAX_SHAPE + 1, 1.0, 0.5), (1, 0.0, 0.5), (1, -1.0, 0.5), (1, math.nan, 0.5),
     (1, 1.0, 0.0), (1, 1.0, 1.0)],
)  # fmt: skip
def test_what_is_not_defined_is_refused(shape: int, mean: float, p: float) -> None:
    with pytest.raises(ValueError, match="is not defined"):
        erlang_quantile(shape, mean, p)


bounds = st.floats(0, 10_000)


@given(bounds, bounds)
def test_rounding_outward_contains_the_interval(one: float, other: float) -> None:
    low, high = min(one, other), max(one, other)
    rounded_low, rounded_high = round_outward(low, high)
    assert rounded_low <= low
    assert high <= rounded_high + COARSE_STEP_MIN * 1e-9
    for value, rounded in ((low, rounded_low), (high, rounded_high)):
        step = 1 if value < FINE_BELOW_MIN else COARSE_STEP_MIN
        assert rounded % step == 0
        assert abs(rounded - value) < step


def test_rounding_by_example() -> None:
    assert round_outward(0.0, 0.0) == (0, 0)
    assert round_outward(3.2, 9.01) == (3, 10)
    assert round_outward(9.99, 10.0) == (9, 10)
    assert round_outward(9.99, 10.01) == (9, 15)
    assert round_outward(14.9, 31.0) == (10, 35)
    assert round_outward(7.0, 0.1 + 0.7 + 0.2 + 6.0) == (7, 7)


@pytest.mark.parametrize("p", [0.01, LOW, MIDDLE, HIGH, 0.99])
@given(shape=st.floats(1, MAX_SHAPE - 0.01))
def test_between_whole_shapes_it_is_the_gamma_distribution(p: float, shape: float) -> None:
    x = erlang_quantile(shape, shape, p)
    low, high = math.floor(shape), math.floor(shape) + 1
    assert erlang_quantile(low, low, p) <= x * (1 + 1e-12)
    assert x <= erlang_quantile(high, high, p) * (1 + 1e-12)
    # P(k + 1, x) = P(k, x) - x^k e^-x / Gamma(k + 1) (DLMF 8.8.5), from the far end downwards,
    # where P is 0.
    top = shape + 40 * math.sqrt(shape) + 200
    total = sum(
        math.exp(k * math.log(x) - x - math.lgamma(k + 1))
        for k in (shape + i for i in range(round(top - shape)))
    )
    assert total == pytest.approx(p, abs=1e-9)


@given(st.integers(1, MAX_SHAPE), probabilities, probabilities)
def test_quantiles_rise_with_the_probability(shape: int, p: float, q: float) -> None:
    assume(p < q)
    assert 0 < erlang_quantile(shape, 1.0, p) <= erlang_quantile(shape, 1.0, q) < math.inf
