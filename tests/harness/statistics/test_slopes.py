"""Slopes of learning curves: exact lines, and coverage by simulation."""

import numpy as np
import pytest
from scipy import stats

from harness.errors import InvalidInput
from harness.statistics.intervals import prediction_interval, region, t_interval
from harness.statistics.slopes import (
    curvatures,
    loglog_slopes,
)

SIZES = np.array([64.0, 128.0, 256.0, 512.0, 1024.0, 2048.0])
TRIALS, SEEDS = 4000, 10


def curves(
    *shape: int,
    exponent: float = 0.4,
    sd: float = 0.03,
    noise: float = 0.02,
    seed: int = 0,
) -> np.ndarray:
    """E = n^-b with b ~ N(exponent, sd^2) per seed and lognormal noise: shape + (K,)."""
    rng = np.random.default_rng(seed)
    b = exponent + sd * rng.normal(size=(*shape, 1))
    return SIZES**-b * np.exp(noise * rng.normal(size=(*shape, len(SIZES))))


def covered(samples: np.ndarray, truth: float) -> float:
    low, high = t_interval(samples, 0.025)
    return float(np.mean((low < truth) & (truth < high)))


def test_slope_is_that_of_scipy() -> None:
    batch = curves(3)
    expected = [stats.linregress(np.log(SIZES), np.log(curve)).slope for curve in batch]
    assert loglog_slopes(SIZES, batch) == pytest.approx(expected, rel=1e-12)


def test_slope_of_a_power_law_is_exact_in_any_units() -> None:
    assert loglog_slopes(SIZES, 7 * SIZES**-0.37) == pytest.approx(-0.37, rel=1e-12)
    assert loglog_slopes(1000 * SIZES, SIZES**-0.37 / 7) == pytest.approx(
        -0.37, rel=1e-12
    )


def test_per_seed_slopes_cover_where_seeds_differ_in_slope_and_the_mean_curve_does_not() -> (
    None
):
    batch = curves(TRIALS, SEEDS)
    # Monte Carlo error 0.0034
    assert 0.94 <= covered(-loglog_slopes(SIZES, batch), 0.4) <= 0.96
    log_n, mean_curve = np.log(SIZES) - np.log(SIZES).mean(), np.log(batch).mean(axis=1)
    slope = mean_curve @ log_n / (log_n @ log_n)
    residuals = (
        mean_curve - mean_curve.mean(axis=1, keepdims=True) - slope[:, None] * log_n
    )
    error = np.sqrt((residuals**2).sum(axis=1) / (len(SIZES) - 2) / (log_n @ log_n))
    assert (
        np.mean(np.abs(-slope - 0.4) < stats.t.isf(0.025, len(SIZES) - 2) * error) < 0.5
    )


def slope_differences(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    return loglog_slopes(SIZES, second) - loglog_slopes(SIZES, first)


def test_paired_exponent_differences_cover() -> None:
    shared = curves(TRIALS, SEEDS, seed=1)
    first, second = shared * curves(TRIALS, SEEDS, exponent=0.1, seed=2), shared
    assert 0.94 <= covered(slope_differences(first, second), 0.1) <= 0.96


def test_t_interval_covers_slightly_more_than_it_says_for_heavy_tails() -> None:
    rng = np.random.default_rng(0)
    slopes = 0.4 + 0.03 * rng.standard_t(3, size=(TRIALS, SEEDS, 1))
    batch = SIZES**-slopes * np.exp(
        0.02 * rng.standard_t(3, size=(TRIALS, SEEDS, len(SIZES)))
    )
    assert 0.95 <= covered(-loglog_slopes(SIZES, batch), 0.4) <= 0.97


def test_prediction_interval_covers_the_mean_of_further_seeds() -> None:
    samples = np.random.default_rng(0).normal(size=(TRIALS, SEEDS + 3))
    for runs in (1, 3):
        low, high = prediction_interval(samples[:, :SEEDS], 0.025, runs=runs)
        new = samples[:, SEEDS : SEEDS + runs].mean(axis=1)
        assert 0.94 <= np.mean((low < new) & (new < high)) <= 0.96


def test_prediction_is_for_at_least_one_run() -> None:
    with pytest.raises(InvalidInput, match="mean of 1 run or more; got 0"):
        prediction_interval([0.1, 0.2], 0.025, runs=0)


def test_curvature_is_zero_for_a_power_law_and_the_planted_one_for_a_parabola() -> None:
    x = np.log(SIZES)
    assert curvatures(SIZES, SIZES**-0.4) == pytest.approx(0.0, abs=1e-12)
    assert curvatures(SIZES, np.exp(1 - 0.4 * x + 0.03 * x**2)) == pytest.approx(
        0.03, rel=1e-9
    )


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (
            [1, 2, 3],
            [[1.0, 2.0]],
            r"sizes of shape \(3,\) and values of shape \(1, 2\)",
        ),
        ([1], [[1.0]], r"at least 2 sizes; got 1: \[1.0\]"),
        ([1, 2, 2], [1.0, 1.0, 1.0], r"strictly increasing; got \[1.0, 2.0, 2.0\]"),
        ([0, 1, 2], [1.0, 1.0, 1.0], "Sizes must be positive"),
        ([1, 2, float("nan")], [1.0, 1.0, 1.0], "Sizes must be positive, finite"),
        (
            [1, 2, 4],
            [[1.0, 1.0, 1.0], [1.0, 0.0, 1.0]],
            r"got 0.0 at index \(1, 1\) \(size 2\)",
        ),
        ([1, 2, 4], [1.0, 1.0, float("nan")], r"got nan at index \(2,\) \(size 4\)"),
        ([1, 2], [[1.0], [1.0, 2.0]], "Values must be numbers in a rectangular array"),
        (["a", 2], [1.0, 1.0], "Sizes must be numbers in a rectangular array"),
    ],
)
def test_what_is_no_curve_is_refused(
    x: list[float], y: list[float], message: str
) -> None:
    with pytest.raises(InvalidInput, match=message):
        loglog_slopes(x, y)


@pytest.mark.parametrize(
    ("interval", "margins", "expected"),
    [
        ((0.1, 0.2), (0.05,), 1),
        ((0.0, 0.04), (0.05,), 0),
        ((0.05, 0.2), (0.05,), None),
        ((-0.2, 0.05), (0.05,), None),
        ((-0.04, 0.04), (-0.05, 0.05), 1),
        ((-0.06, 0.06), (-0.05, 0.05), None),
        ((0.06, 0.07), (-0.05, 0.05), 2),
        ((0.1, float("inf")), (0.05,), 1),
    ],
)
def test_region_is_where_the_whole_interval_lies(
    interval: tuple[float, float], margins: tuple[float, ...], expected: int | None
) -> None:
    assert region(interval, margins) == expected
