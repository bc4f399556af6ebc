"""Order along levels, and replication of a published number: by hand, against SciPy, and error rates by simulation."""

import numpy as np
import pytest
from scipy import stats

from harness.errors import InvalidInput
from harness.statistics.replication import replication
from harness.statistics.trend import kendall_taus, ordering_effects, p_ordered, page_trend, trend_slopes

TRIALS, SEEDS = 4000, 10


def test_every_step_must_rise() -> None:
    rng = np.random.default_rng(0)
    rising = np.arange(4.0) + 0.3 * rng.normal(size=(SEEDS, 4))
    assert p_ordered(rising) < 1e-3
    with_a_dip = rising - np.array([0.0, 0.0, 1.5, 1.5])
    assert p_ordered(with_a_dip) > 0.9
    assert (trend_slopes(with_a_dip) > 0).all()  # a trend does not show the dip
    steps = [stats.ttest_1samp(step, 0.5, alternative="greater").pvalue for step in np.diff(rising).T]
    assert p_ordered(rising, margin=0.5) == pytest.approx(max(steps))


def test_ordering_keeps_its_level_where_one_step_is_flat() -> None:
    rng = np.random.default_rng(0)
    values = np.array([0.0, 5.0, 5.0, 10.0]) + rng.normal(size=(TRIALS, SEEDS, 4))
    false = np.mean([p_ordered(sample) < 0.05 for sample in values])
    assert 0.04 <= false <= 0.06  # Monte Carlo error 0.0034


def test_trend_slope_is_least_squares_on_the_scores() -> None:
    values = np.random.default_rng(0).normal(size=(3, 5))
    scores = np.log2([16, 32, 64, 256, 4096])
    expected = [stats.linregress(scores, row).slope for row in values]
    assert trend_slopes(values, scores) == pytest.approx(expected)


@pytest.mark.parametrize("scores", [[1.0, 2.0], [1.0, 1.0, 1.0], [1.0, 2.0, float("nan")]])
def test_scores_must_tell_levels_apart(scores: list[float]) -> None:
    with pytest.raises(InvalidInput, match="Scores must be 3 finite numbers, not all equal; got"):
        trend_slopes([[1.0, 2.0, 3.0]], scores)


def test_tau_is_that_of_scipy_without_ties() -> None:
    values = np.random.default_rng(0).normal(size=(6, 5))
    expected = [stats.kendalltau(np.arange(5), row).statistic for row in values]
    assert kendall_taus(values) == pytest.approx(expected)


def test_page_finds_a_rise_and_needs_seeds_and_levels() -> None:
    values = np.arange(4.0) + np.random.default_rng(0).normal(size=(SEEDS, 4))
    assert page_trend(values).p < 1e-3
    assert page_trend(-values).p > 0.99
    with pytest.raises(InvalidInput, match=r"at least 2 seeds and 3 levels, shape \(S, K\); got \(2, 2\)"):
        page_trend([[1.0, 2.0], [1.0, 2.0]])


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([[1.0], [2.0]], r"shape \(2, 1\) with 0 not finite"),
        ([[1.0, float("inf")]], r"shape \(1, 2\) with 1 not finite"),
    ],
)
def test_what_has_no_order_is_refused(values: list[list[float]], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        ordering_effects(values)


def test_the_published_number_of_one_run_falls_inside_95_times_in_100() -> None:
    rng = np.random.default_rng(0)
    ours, theirs = 1 + 0.2 * rng.normal(size=(TRIALS, SEEDS)), 1 + 0.2 * rng.normal(size=TRIALS)
    inside = np.mean([replication(sample, number).inside for sample, number in zip(ours, theirs, strict=True)])
    assert 0.94 <= inside <= 0.96


def test_a_number_that_averages_runs_is_predicted_more_closely() -> None:
    one, many = replication([0.9, 1.1, 1.0], 1.25), replication([0.9, 1.1, 1.0], 1.25, runs=100)
    assert (one.inside, many.inside) == (True, True)
    assert many.predicted_high - many.predicted_low < one.predicted_high - one.predicted_low
    assert (many.low, many.high) == (one.low, one.high)
    assert many.predicted_high == pytest.approx(1.0 + stats.t.isf(0.025, 2) * 0.1 * np.sqrt(1 / 100 + 1 / 3))


@pytest.mark.parametrize(
    ("effects", "published", "direction"),
    [
        ([0.9, 1.0, 1.1], 2.0, "same"),
        ([-0.9, -1.0, -1.1], -0.5, "same"),
        ([0.9, 1.0, 1.1], -1.0, "opposite"),
        ([-0.9, -1.0, -1.1], 1.0, "opposite"),
        ([-1.0, 1.0, 0.5], 1.0, "not established"),
        ([0.9, 1.0, 1.1], 0.0, "not established"),
    ],
)
def test_direction_is_that_of_the_interval(effects: list[float], published: float, direction: str) -> None:
    assert replication(effects, published).direction == direction


def test_ratio_has_its_ends_in_order_and_none_at_zero() -> None:
    found = replication([-0.9, -1.0, -1.1], -2.0)
    assert found.ratio is not None
    ratio, low, high = found.ratio
    assert ratio == pytest.approx(0.5)
    assert low < ratio < high
    assert low == pytest.approx(found.high / -2.0)
    none = replication([-0.9, -1.0, -1.1], 0.0)
    assert none.ratio is None
    assert none.reason.endswith("prediction interval [-1.5, -0.503].")
    assert "ratio" not in none.reason


@pytest.mark.parametrize(
    ("effects", "published", "message"),
    [
        ([0.1, float("nan")], 1.0, r"got shape \(2,\) with 1 not finite, and 1.0"),
        ([0.1, 0.2], float("inf"), "with 0 not finite, and inf"),
        ([[0.1, 0.2]], 1.0, r"got shape \(1, 2\)"),
        ([0.1], 1.0, "takes at least 2 seeds; got 1"),
    ],
)
def test_replication_takes_finite_seeds_and_a_finite_number(
    effects: list[float], published: float, message: str
) -> None:
    with pytest.raises(InvalidInput, match=message):
        replication(effects, published)
