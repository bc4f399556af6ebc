"""The statistics, against SciPy and statsmodels where these have the quantity, and against
simulation where not.
"""

import numpy as np
import pytest
from hypothesis import given, settings, strategies
from scipy import stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import TTestPower
from statsmodels.stats.weightstats import ttost_paired

from harness.errors import InvalidInput
from harness.statistics.equivalence import tost
from harness.statistics.intervals import Bootstrap, p_above, t_interval, varies
from harness.statistics.multiplicity import holm
from harness.statistics.power import (
    equivalence_power,
    power,
    seeds_needed,
    superiority_power,
)
from harness.study import Equivalence, Superiority


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


def bootstrap_interval(effects, alpha: float, **options: int) -> tuple[float, float]:
    return Bootstrap.of(effects, **options).interval(alpha)


@pytest.mark.parametrize("n", [2, 10, 40])
@pytest.mark.parametrize("alpha", [0.05, 0.005, 1e-4])
def test_t_interval_and_p_are_those_of_scipy(n: int, alpha: float) -> None:
    sample = 0.3 + normal(n)
    expected = stats.ttest_1samp(sample, 0.1, alternative="greater")
    assert p_above(sample, 0.1) == pytest.approx(expected.pvalue, rel=1e-9)
    two_sided = stats.ttest_1samp(sample, 0.1).confidence_interval(1 - 2 * alpha)
    assert t_interval(sample, alpha) == pytest.approx(tuple(two_sided), rel=1e-9)


def test_p_is_accurate_far_into_the_tail() -> None:
    sample = 1e6 + normal(10)
    expected = stats.ttest_1samp(sample, 0.0, alternative="greater").pvalue
    assert 0 < expected < 1e-40
    assert p_above(sample, 0.0) == pytest.approx(expected, rel=1e-6)


def test_leading_axes_are_independent_samples() -> None:
    samples = normal(4, 3, 10)
    low, high = t_interval(samples, 0.05)
    assert (
        low.shape
        == high.shape
        == p_above(samples, 0.2).shape
        == varies(samples).shape
        == (4, 3)
    )
    assert (low[2, 1], high[2, 1]) == pytest.approx(t_interval(samples[2, 1], 0.05))
    assert tost(samples, 0.5, 0.05).p[2, 1] == pytest.approx(
        tost(samples[2, 1], 0.5, 0.05).p
    )


@pytest.mark.parametrize(("margin", "p"), [(0.2, 0.0), (0.25, 0.5), (0.3, 1.0)])
def test_without_spread_p_says_on_which_side_the_mean_lies(
    margin: float, p: float
) -> None:
    assert p_above([0.25, 0.25, 0.25], margin) == p


def test_p_of_what_is_not_finite_is_nan() -> None:
    np.testing.assert_array_equal(
        np.isnan(p_above([[0.1, np.nan, 0.3], [0.1, 0.2, 0.3]], 0.0)), [True, False]
    )
    assert np.isnan(p_above([0.1, 0.2, 0.3], np.nan))
    assert np.isnan(tost([0.1, np.nan, 0.3], 0.5, 0.05).p)
    assert not tost([0.1, np.nan, 0.3], 0.5, 0.05).equivalent


@pytest.mark.parametrize(
    ("effects", "expected"),
    [
        ([0.1] * 10, False),
        ([0.0] * 3, False),
        ([1.0, 1.0 + 2e-16, 1.0], False),
        ([1.0, 1.0 + 1e-9, 1.0], True),
    ],
)
def test_effects_that_differ_only_by_rounding_do_not_vary(
    effects: list[float], expected: bool
) -> None:
    assert varies(effects) == expected


def test_one_seed_has_no_spread() -> None:
    with pytest.raises(InvalidInput, match="takes at least 2 seeds; got 1"):
        t_interval([0.3], 0.05)


def test_studentised_bootstrap_covers_as_the_t_interval_does() -> None:
    samples = normal(600, 10)
    intervals = np.array(
        [
            bootstrap_interval(s, 0.025, resamples=1000, seed=i)
            for i, s in enumerate(samples)
        ]
    )
    covered = np.mean((intervals[:, 0] < 0) & (intervals[:, 1] > 0))
    assert 0.93 <= covered <= 0.97  # percentile bootstrap: 0.90


def test_studentised_bootstrap_leans_towards_the_long_tail() -> None:
    sample = np.exp(1.5 * normal(12))
    low, high = bootstrap_interval(sample, 0.05)
    t_low, t_high = t_interval(sample, 0.05)
    assert low > t_low
    assert high > t_high
    assert (low, high) == bootstrap_interval(sample, 0.05)
    assert (low, high) != bootstrap_interval(sample, 0.05, seed=1)


def test_bootstrap_of_constant_effects_is_a_point() -> None:
    assert bootstrap_interval([0.5] * 6, 0.05) == (0.5, 0.5)


@pytest.mark.parametrize("tied", [0.0, 0.1, -0.7])
def test_bootstrap_is_unbounded_where_resamples_without_spread_are_frequent(
    tied: float,
) -> None:
    """Also where equal seeds leave a spread of 1e-17 by rounding."""
    low, high = bootstrap_interval([tied] * 5 + [tied + 1.0], 0.05)
    assert np.isfinite(low)
    assert high == np.inf


def test_bootstrap_takes_five_seeds() -> None:
    with pytest.raises(
        InvalidInput, match=r"one sample of 5 seeds or more; got \(4,\)"
    ):
        bootstrap_interval(normal(4), 0.05)


@pytest.mark.parametrize("margin", [0.2, 0.6, 1.5])
def test_tost_is_that_of_statsmodels(margin: float) -> None:
    first, second = normal(2, 12)
    p, *_ = ttost_paired(first, second, -margin, margin)
    test = tost(first - second, margin, alpha=0.05)
    assert test.p == pytest.approx(p, rel=1e-9)
    assert test.equivalent == (p < 0.05)


@pytest.mark.parametrize(
    ("effects", "equivalent", "different"),
    [
        ([0.01, 0.02, 0.03], True, False),
        ([0.05, 0.12, 0.19], False, False),
        ([0.29, 0.30, 0.31], False, True),
        ([-0.29, -0.30, -0.31], False, True),
        ([0.0, 0.0, 0.0], True, False),
        ([0.125, 0.125, 0.125], False, False),
        ([0.25, 0.25, 0.25], False, True),
    ],
)
def test_tost_tells_equivalent_from_different_from_neither(
    effects: list[float], equivalent: bool, different: bool
) -> None:
    test = tost(effects, margin=0.125, alpha=0.05)
    assert (test.equivalent, test.different) == (equivalent, different)
    assert np.isfinite(test.p)


@pytest.mark.parametrize("margin", [0.0, -0.1, float("nan"), float("inf")])
def test_tost_margin_must_be_positive(margin: float) -> None:
    with pytest.raises(InvalidInput, match="margin must be positive and finite; got"):
        tost([0.1, 0.2], margin, 0.05)


@pytest.mark.parametrize(
    ("effect", "n"), [(0.0, 10), (0.6, 2), (0.6, 10), (-0.6, 10), (0.9, 30)]
)
def test_superiority_power_is_that_of_statsmodels(effect: float, n: int) -> None:
    expected = TTestPower().power(effect, n, 0.01, alternative="larger")
    assert superiority_power(
        0.2 + 2 * effect, 2.0, n, margin=0.2, alpha=0.01
    ) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("n", [3, 10, 25])
@pytest.mark.parametrize("effect", [0.0, 0.5, 1.0, 1.3])
def test_equivalence_power_is_that_of_simulation(n: int, effect: float) -> None:
    simulated = tost(effect + normal(40_000, n), 1.0, 0.05).equivalent.mean()
    assert equivalence_power(effect, 1.0, n, margin=1.0, alpha=0.05) == pytest.approx(
        simulated, abs=4 * 0.5 / 200
    )


def test_equivalence_power_at_its_ends() -> None:
    assert equivalence_power(0.0, 1e-6, 10, margin=1.0, alpha=0.05) == pytest.approx(
        1.0, abs=1e-9
    )
    assert equivalence_power(0.0, 100.0, 10, margin=1.0, alpha=0.05) < 1e-8
    assert equivalence_power(1.0, 0.01, 10, margin=1.0, alpha=0.05) == pytest.approx(
        0.05, abs=1e-9
    )
    assert equivalence_power(0.3, 1.0, 9, margin=1.0, alpha=0.05) == pytest.approx(
        equivalence_power(-0.3, 1.0, 9, margin=1.0, alpha=0.05)
    )


@pytest.mark.parametrize(
    ("rule", "effect", "sd"),
    [
        (Superiority(margin=0.05), 0.15, 0.1),
        (Superiority(margin=-0.1, alpha=0.01), 0.0, 0.02),
        (Superiority(margin=0.0), 1.0, 20.0),
        (Equivalence(margin=0.1), 0.0, 0.1),
        (Equivalence(margin=0.1), 0.08, 0.1),
    ],
)
def test_seeds_needed_is_the_smallest_number_that_reaches_the_power(
    rule: Superiority | Equivalence, effect: float, sd: float
) -> None:
    n = seeds_needed(rule, effect, sd, target=0.9)
    assert power(rule, effect, sd, n) >= 0.9
    assert n == 2 or power(rule, effect, sd, n - 1) < 0.9


def test_two_seeds_are_the_fewest() -> None:
    assert seeds_needed(Superiority(margin=0.0), effect=1.0, sd=1e-3) == 2


@pytest.mark.parametrize(
    ("rule", "effect", "sd", "target", "message"),
    [
        (
            Superiority(margin=0.05),
            0.05,
            0.1,
            0.9,
            "where the rule is false: mean effect > 0.05",
        ),
        (
            Equivalence(margin=0.1),
            -0.2,
            0.1,
            0.9,
            "where the rule is false: .mean effect. < 0.1",
        ),
        (Superiority(margin=0.0), 1e-9, 1.0, 0.9, "takes over 100000 seeds"),
        (Superiority(margin=0.0), 1.0, 1.0, 1.0, r"must lie in \(0, 1\); got 1.0"),
        (
            Superiority(margin=0.0),
            1.0,
            0.0,
            0.9,
            "a finite sd > 0; got effect 1.0, sd 0.0",
        ),
        (Superiority(margin=0.0), float("inf"), 1.0, 0.9, "a finite effect"),
    ],
)
def test_seeds_needed_says_what_it_cannot_answer(
    rule: Superiority | Equivalence,
    effect: float,
    sd: float,
    target: float,
    message: str,
) -> None:
    with pytest.raises(InvalidInput, match=message):
        seeds_needed(rule, effect, sd, target)


def test_power_takes_two_seeds() -> None:
    with pytest.raises(InvalidInput, match="Power takes at least 2 seeds; got 1"):
        power(Superiority(margin=0.0), 1.0, 1.0, 1)


def test_holm_by_hand() -> None:
    assert holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])
    assert holm([0.6, 0.7]) == pytest.approx([1.0, 1.0])
    assert holm([]).shape == holm([], size=3).shape == (0,)


def test_holm_of_a_whole_family_ignores_the_padding() -> None:
    p = [0.04, 0.01, 0.03]
    assert np.array_equal(holm(p, size=3), holm(p))


def test_holm_is_that_of_statsmodels() -> None:
    """To the last bit; whoever did not run counts with p = 1."""
    p = [0.2, 0.013, 1.0, 0.013, 0.0, 0.004, 0.7]
    assert np.array_equal(holm(p), multipletests(p, method="holm")[1])
    family = multipletests([*p, 1.0, 1.0], method="holm")[1]
    assert np.array_equal(holm(p, size=9), family[:7])


@settings(derandomize=True, database=None, deadline=None)
@given(
    strategies.lists(strategies.floats(0, 1), min_size=1, max_size=8),
    strategies.integers(1, 8),
)
def test_running_a_part_of_a_family_never_makes_a_claim_easier(
    p: list[float], ran: int
) -> None:
    whole = holm(p)
    part = holm(p[:ran], size=len(p))
    assert np.all(part >= whole[:ran])
    assert np.all(whole >= np.array(p))


@pytest.mark.parametrize(
    ("p", "size", "message"),
    [
        ([0.1, 0.2], 1, "A family of 1 cannot have 2 p-values"),
        ([0.1, float("nan")], 2, r"Every p must lie in \[0, 1\]; got \[0.1, nan\]"),
        ([-0.1], 2, r"Every p must lie in \[0, 1\]"),
    ],
)
def test_holm_refuses_what_is_no_family(
    p: list[float], size: int, message: str
) -> None:
    with pytest.raises(InvalidInput, match=message):
        holm(p, size)
