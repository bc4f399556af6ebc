"""`decide` on effects whose truth is planted: every branch, its message, its invariances, and its
error rates.
"""

import math

import numpy as np
import pytest
from hypothesis import given, settings, strategies
from scipy import stats
from statsmodels.stats.weightstats import ttost_paired

from harness.errors import InvalidInput
from harness.statistics.decisions import decisions
from harness.statistics.intervals import Bootstrap, t_interval
from harness.statistics.power import power
from harness.study import Rule
from harness.verdict import Difference, Equivalence, Kind, Superiority, Verdict, decide

SPREAD = np.linspace(-1.0, 1.0, 10)  # mean 0, sd 0.673
ABOVE, BELOW, ACROSS = 0.30 + 0.02 * SPREAD, -0.30 + 0.02 * SPREAD, 0.05 + 0.02 * SPREAD
SUPERIOR, EQUIVALENT = Superiority(margin=0.05), Equivalence(margin=0.10)

fixed = settings(max_examples=60, derandomize=True, database=None, deadline=None)
samples = strategies.lists(
    strategies.integers(-1000, 1000).map(lambda i: i / 512), min_size=2, max_size=12
)


def both(effects: np.ndarray) -> dict[str, np.ndarray]:
    return {"torch": effects, "jax": effects + 1e-4 * SPREAD[: len(effects)]}


def assert_finite(verdict: Verdict) -> None:
    numbers = [verdict.p, *verdict.interval]
    for estimate in verdict.backends.values():
        numbers += [estimate.mean, estimate.sd, estimate.low, estimate.high, estimate.p]
    if verdict.agreement is not None:
        numbers += [
            verdict.agreement.difference,
            verdict.agreement.low,
            verdict.agreement.high,
            verdict.agreement.p,
        ]
    assert np.all(np.isfinite(numbers))


@pytest.mark.parametrize(
    ("rule", "effects", "kind", "finding"),
    [
        (SUPERIOR, ABOVE, Kind.SUPPORTED, "above the margin 0.05 in torch and jax"),
        (SUPERIOR, BELOW, Kind.REFUTED, "below the margin 0.05 in torch and jax"),
        (
            SUPERIOR,
            ACROSS,
            Kind.INCONCLUSIVE,
            "on neither side of the margin 0.05 in torch and jax",
        ),
        (
            Superiority(margin=-0.4),
            BELOW,
            Kind.SUPPORTED,
            "above the margin −0.4 in torch and jax",
        ),
        (
            EQUIVALENT,
            ACROSS,
            Kind.SUPPORTED,
            "inside the margins ±0.1 in torch and jax",
        ),
        (EQUIVALENT, ABOVE, Kind.REFUTED, "above the margins ±0.1 in torch and jax"),
        (EQUIVALENT, BELOW, Kind.REFUTED, "below the margins ±0.1 in torch and jax"),
        (
            EQUIVALENT,
            2 * ACROSS,
            Kind.INCONCLUSIVE,
            "neither inside nor outside the margins ±0.1 in torch and jax",
        ),
    ],
)
def test_both_backends_on_one_side(
    rule: Rule, effects: np.ndarray, kind: Kind, finding: str
) -> None:
    verdict = decide(both(effects), rule)
    assert verdict.kind == kind
    assert finding in verdict.reason
    assert (verdict.p < rule.alpha) == (kind == Kind.SUPPORTED)
    assert_finite(verdict)


def test_the_numbers_are_those_of_scipy_and_statsmodels() -> None:
    rng = np.random.default_rng(3)
    torch, jax = 0.1 + 0.1 * rng.normal(size=(2, 12))
    verdict = decide({"torch": torch, "jax": jax}, SUPERIOR, agreement=0.2)
    expected = [
        stats.ttest_1samp(sample, 0.05, alternative="greater").pvalue
        for sample in (torch, jax)
    ]
    resampled = [Bootstrap.of(sample).p_above(0.05) for sample in (torch, jax)]
    larger = [max(pair) for pair in zip(expected, resampled, strict=True)]
    assert [estimate.p for estimate in verdict.backends.values()] == pytest.approx(
        larger
    )
    assert verdict.p == pytest.approx(max(larger))
    ends = [
        stats.ttest_1samp(sample, 0.05).confidence_interval(0.90)
        for sample in (torch, jax)
    ]
    ends += [Bootstrap.of(sample).interval(0.05) for sample in (torch, jax)]
    assert verdict.interval == pytest.approx(
        (min(low for low, _ in ends), max(high for _, high in ends))
    )
    estimate = verdict.backends["torch"]
    assert (estimate.n, estimate.mean, estimate.sd) == (
        12,
        pytest.approx(torch.mean()),
        pytest.approx(torch.std(ddof=1)),
    )
    assert verdict.agreement is not None
    assert verdict.agreement.p == pytest.approx(ttost_paired(torch, jax, -0.2, 0.2)[0])
    assert verdict.agreement.difference == pytest.approx((torch - jax).mean())
    assert verdict.agreement.backends == ("torch", "jax")
    equivalence = decide({"torch": torch}, Equivalence(margin=0.15))
    bootstrap, student = (
        Bootstrap.of(torch),
        ttost_paired(torch, np.zeros(12), -0.15, 0.15)[0],
    )
    assert equivalence.p == pytest.approx(
        max(student, bootstrap.p_above(-0.15), bootstrap.p_below(0.15))
    )
    assert equivalence.backends["torch"].bootstrap == bootstrap.interval(0.05)


def test_support_takes_the_bootstrap_as_well_as_students_t() -> None:
    """Effects skewed against the claim: most lie high, a rare one far below, which the t interval
    does not expect.
    """
    skewed = np.array([0.30, 0.31, 0.32, 0.33, 0.34, 0.35, 0.36, 0.37, 0.38, 0.05])
    (low, _), rule = (
        stats.ttest_1samp(skewed, 0.0).confidence_interval(0.90),
        Superiority(margin=0.25),
    )
    verdict = decide({"torch": skewed}, rule)
    assert low > rule.margin > verdict.backends["torch"].bootstrap[0]
    assert verdict.kind == Kind.INCONCLUSIVE
    assert verdict.p > rule.alpha
    assert (
        "above the margin 0.25 by Student's t, but not by the studentised bootstrap ["
        in verdict.reason
    )
    assert (
        decide({"torch": 0.5 - skewed}, Superiority(margin=0.0)).kind == Kind.SUPPORTED
    )


def test_below_five_seeds_there_is_no_bootstrap() -> None:
    assert decide({"torch": ABOVE[:4]}, SUPERIOR).backends["torch"].bootstrap is None
    assert (
        decide({"torch": ABOVE[:5]}, SUPERIOR).backends["torch"].bootstrap is not None
    )


def test_the_reason_has_the_numbers_that_decide() -> None:
    verdict = decide(
        {"torch": [0.0, 0.1, 0.2], "jax": [0.01, 0.11, 0.21]}, Superiority(margin=-0.2)
    )
    assert verdict.reason == (
        "Mean effect 0.10 [−0.07, 0.27] in torch and 0.11 [−0.06, 0.28] in jax (90 % t intervals, "
        "3 seeds): "
        "above the margin −0.2 in torch and jax; p = 0.018."
    )


def test_one_backend_alone_decides_and_says_so() -> None:
    verdict = decide({"torch": ABOVE}, SUPERIOR)
    assert (verdict.kind, verdict.agreement) == (Kind.SUPPORTED, None)
    assert "above the margin 0.05 in torch alone" in verdict.reason
    # needs no agreement margin
    assert decide({"jax": ABOVE}, Superiority(margin=0.0)).kind == Kind.SUPPORTED


def test_one_backend_of_two_does_not_support() -> None:
    verdict = decide(
        {"torch": 0.09 + 0.02 * SPREAD, "jax": 0.055 + 0.02 * SPREAD},
        SUPERIOR,
        agreement=0.05,
    )
    assert verdict.kind == Kind.INCONCLUSIVE
    assert (
        "above the margin 0.05 in torch, on neither side of the margin 0.05 in jax"
        in verdict.reason
    )
    assert verdict.p == verdict.backends["jax"].p > 0.05


@pytest.mark.parametrize("rule", [SUPERIOR, EQUIVALENT])
def test_backends_on_opposite_sides_do_not_refute(rule: Rule) -> None:
    verdict = decide({"torch": ABOVE, "jax": BELOW}, rule, agreement=1.0)
    assert verdict.kind == Kind.INCONCLUSIVE
    assert "in torch, below the margin" in verdict.reason


def test_an_established_difference_disagrees() -> None:
    verdict = decide({"torch": ABOVE, "jax": ABOVE + 0.1 + 0.001 * SPREAD}, SUPERIOR)
    assert verdict.kind == Kind.DISAGREE
    assert (
        "torch minus jax is -0.1 [-0.1004, -0.09961] over the same seeds"
        in verdict.reason
    )
    assert (
        "outside the agreement margins ±0.025 (TOST p = 1): a difference is established."
        in verdict.reason
    )
    assert verdict.agreement is not None
    assert not verdict.agreement.agree


def test_agreement_that_is_not_shown_disagrees_too() -> None:
    verdict = decide({"torch": ABOVE, "jax": ABOVE + 0.02 + 0.02 * SPREAD}, SUPERIOR)
    assert verdict.kind == Kind.DISAGREE
    assert (
        "not inside the agreement margins ±0.025 (TOST p = 0.14): agreement is not shown"
        in verdict.reason
    )


@pytest.mark.parametrize(
    ("rule", "margin"),
    [(SUPERIOR, 0.025), (Superiority(-0.4), 0.2), (EQUIVALENT, 0.05)],
)
def test_agreement_margin_is_half_of_the_rules_unless_registered(
    rule: Rule, margin: float
) -> None:
    verdict = decide(both(ABOVE), rule)
    assert verdict.agreement is not None
    assert verdict.agreement.margin == margin
    registered = decide(both(ABOVE), rule, agreement=0.01).agreement
    assert registered is not None
    assert registered.margin == 0.01


def test_the_worst_pair_of_three_is_reported() -> None:
    effects = {
        "torch": ABOVE,
        "numpy": ABOVE + 0.001,
        "jax": ABOVE + 0.08 + 0.001 * SPREAD,
    }
    verdict = decide(effects, SUPERIOR)
    assert verdict.kind == Kind.DISAGREE
    assert verdict.agreement is not None
    assert verdict.agreement.backends == ("torch", "jax")


def test_a_pair_that_does_not_agree_is_worse_than_one_whose_means_lie_further_apart() -> (
    None
):
    effects = {
        "torch": ABOVE,
        "numpy": ABOVE + 0.015,
        "jax": ABOVE + 0.005 + 0.1 * SPREAD,
    }
    verdict = decide(effects, SUPERIOR)
    assert verdict.kind == Kind.DISAGREE
    assert verdict.agreement is not None
    assert "jax" in verdict.agreement.backends
    assert abs(verdict.agreement.difference) < 0.015


@pytest.mark.parametrize(
    ("shift", "agree"),
    [
        (0.0, True),
        (0.015625, True),
        (0.03125, False),
        (0.0625, False),
        (-0.0625, False),
    ],
)
def test_bit_identical_or_constantly_shifted_backends(
    shift: float, agree: bool
) -> None:
    torch = np.arange(8) / 256 + 1.0
    verdict = decide({"torch": torch, "jax": torch + shift}, Superiority(margin=0.0625))
    assert verdict.kind == (Kind.SUPPORTED if agree else Kind.DISAGREE)
    assert verdict.agreement is not None
    assert verdict.agreement.difference == -shift
    assert_finite(verdict)


@pytest.mark.parametrize("constant", [0.0, 0.1, -3.3, 1e-30, 1e9])
@pytest.mark.parametrize("rule", [SUPERIOR, EQUIVALENT])
def test_effects_that_do_not_vary_decide_nothing(constant: float, rule: Rule) -> None:
    rounding = constant * (1 + 1e-15 * SPREAD)
    verdict = decide({"torch": [constant] * 10, "jax": rounding}, rule, agreement=1.0)
    assert (verdict.kind, verdict.p) == (Kind.INCONCLUSIVE, 1.0)
    assert (
        "effects do not vary over seeds in torch and jax, so seeds are not a unit"
        in verdict.reason
    )
    assert_finite(verdict)


def test_constant_backends_that_differ_disagree_first() -> None:
    verdict = decide({"torch": [0.3] * 5, "jax": [0.9] * 5}, SUPERIOR)
    assert (verdict.kind, verdict.p) == (Kind.DISAGREE, 1.0)
    assert "a difference is established" in verdict.reason


def test_tiny_but_real_variation_decides() -> None:
    assert decide({"torch": 0.3 + 1e-9 * SPREAD}, SUPERIOR).kind == Kind.SUPPORTED


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, 1e101])
def test_what_is_not_finite_is_named(bad: float) -> None:
    jax = ABOVE.copy()
    jax[3] = bad
    with pytest.raises(
        InvalidInput,
        match=r"effect of seed 3 in jax is .*\n?.*NaN is never a verdict.*never drop it",
    ):
        decide({"torch": ABOVE, "jax": jax}, SUPERIOR)


@pytest.mark.parametrize(
    ("effects", "message"),
    [
        (
            {},
            r"Effects must name a backend, as in \{\"torch\": \[0.1, 0.2\]\}; got \{\}",
        ),
        ([0.1, 0.2], r"Effects must name a backend, .* got \[0.1, 0.2\]"),
        (
            {"torch": [0.1, 0.2], "jax": [0.1, 0.2, 0.3]},
            r"same number of seeds; got \{'torch': 2, 'jax': 3\}",
        ),
        ({"torch": [0.1]}, "at least 2 seeds in each backend; got 1"),
        ({"torch": []}, "at least 2 seeds in each backend; got 0"),
        (
            {"torch": 0.1},
            r"Effects of torch must be numbers, one per seed, shape \(n,\); got dtype float64, "
            r"shape \(\)",
        ),
        (
            {"torch": [[0.1, 0.2]]},
            r"one per seed, shape \(n,\); got dtype float64, shape \(1, 2\)",
        ),
        (
            {"torch": [0.1, [0.2, 0.3]]},
            "Effects of torch must be numbers, one per seed",
        ),
        ({"torch": ["a", "b"]}, "Effects of torch must be numbers, .* got dtype <U1"),
        (
            {"torch": [0.1, None]},
            "Effects of torch must be numbers, .* got dtype object",
        ),
        (
            {"torch": [1j, 2j]},
            "Effects of torch must be numbers, .* got dtype complex128",
        ),
    ],
)
def test_what_are_no_effects_is_refused(effects: object, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        decide(effects, SUPERIOR)  # type: ignore[arg-type]


def test_fewer_seeds_than_registered_are_refused() -> None:
    assert decide({"torch": ABOVE}, SUPERIOR, min_seeds=10).kind == Kind.SUPPORTED
    with pytest.raises(InvalidInput, match="at least 11 seeds in each backend; got 10"):
        decide({"torch": ABOVE}, SUPERIOR, min_seeds=11)
    with pytest.raises(InvalidInput, match="min_seeds must be at least 2; got 1"):
        decide({"torch": ABOVE}, SUPERIOR, min_seeds=1)


def test_a_margin_of_zero_needs_an_agreement_margin() -> None:
    with pytest.raises(
        InvalidInput, match=r"margin 0 has no half .* give agreement=..., a positive"
    ):
        decide(both(ABOVE), Superiority(margin=0.0))
    assert (
        decide(both(ABOVE), Superiority(margin=0.0), agreement=0.01).kind
        == Kind.SUPPORTED
    )


@pytest.mark.parametrize("agreement", [0.0, -0.1, math.nan, math.inf])
def test_agreement_margin_must_be_positive(agreement: float) -> None:
    with pytest.raises(
        InvalidInput,
        match="agreement must be a positive number in the units of the effect; got",
    ):
        decide(both(ABOVE), SUPERIOR, agreement=agreement)


@fixed
@given(samples, strategies.integers(0, 1000), strategies.integers(0, 1000))
def test_superiority_is_monotone_in_the_effect(
    effects: list[float], shift: int, further: int
) -> None:
    order = [Kind.REFUTED, Kind.INCONCLUSIVE, Kind.SUPPORTED]
    near, far = (
        decide({"torch": np.array(effects) + s / 512}, SUPERIOR)
        for s in (shift, shift + further)
    )
    if np.ptp(effects) > 0:
        assert order.index(near.kind) <= order.index(far.kind)
        assert near.p >= far.p


@fixed
@given(samples, samples)
def test_order_of_backends_does_not_matter(
    first: list[float], second: list[float]
) -> None:
    n = min(len(first), len(second))
    a, b = first[:n], second[:n]
    one = decide({"torch": a, "jax": b}, EQUIVALENT, agreement=0.3)
    other = decide({"jax": b, "torch": a}, EQUIVALENT, agreement=0.3)
    assert (one.kind, one.p, one.interval, one.backends) == (
        other.kind,
        other.p,
        other.interval,
        other.backends,
    )
    assert one.agreement is not None
    assert other.agreement is not None
    assert (one.agreement.p, one.agreement.agree) == (
        other.agreement.p,
        other.agreement.agree,
    )
    assert_finite(one)


@fixed
@given(
    samples,
    strategies.sampled_from([2.0**-40, 0.5, 8.0, 2.0**40]),
    strategies.sampled_from([SUPERIOR, EQUIVALENT]),
)
def test_units_do_not_matter(effects: list[float], scale: float, rule: Rule) -> None:
    def pair(unit: float) -> dict[str, np.ndarray]:
        return {
            "torch": unit * np.array(effects),
            "jax": unit * (np.array(effects) + 0.001),
        }

    scaled_rule = type(rule)(margin=scale * rule.margin, alpha=rule.alpha)
    plain, scaled = decide(pair(1.0), rule), decide(pair(scale), scaled_rule)
    assert (plain.kind, plain.p) == (scaled.kind, pytest.approx(scaled.p))
    assert scaled.interval == pytest.approx(
        tuple(scale * end for end in plain.interval), rel=1e-9, abs=1e-12 * scale
    )


@fixed
@given(samples)
def test_equivalence_does_not_know_the_sign(effects: list[float]) -> None:
    one, other = (
        decide({"torch": sign * np.array(effects)}, EQUIVALENT) for sign in (1.0, -1.0)
    )
    assert (one.kind, one.p) == (other.kind, other.p)


def decided(
    effect: float, sd: float, rule: Rule, seeds: int, trials: int = 2000
) -> list[Verdict]:
    draws = effect + sd * np.random.default_rng(11).normal(size=(trials, seeds))
    return [decide({"torch": sample}, rule) for sample in draws]


@pytest.mark.parametrize(
    "rule", [SUPERIOR, Superiority(margin=0.2, alpha=0.01), EQUIVALENT]
)
@pytest.mark.parametrize("seeds", [3, 10])
def test_false_support_at_the_margin_is_at_most_alpha(rule: Rule, seeds: int) -> None:
    found = [verdict.kind for verdict in decided(rule.margin, 0.02, rule, seeds)]
    error = math.sqrt(rule.alpha * (1 - rule.alpha) / len(found))
    for wrong in (Kind.SUPPORTED, Kind.REFUTED):
        assert rule.alpha / 3 < found.count(wrong) / len(found) < rule.alpha + 4 * error


@pytest.mark.parametrize(
    ("rule", "effect", "sd", "seeds"),
    [
        (SUPERIOR, 0.15, 0.1, 10),
        (SUPERIOR, 0.15, 0.3, 20),
        (EQUIVALENT, 0.0, 0.1, 12),
        (EQUIVALENT, 0.05, 0.05, 10),
    ],
)
def test_support_comes_as_often_as_computed(
    rule: Rule, effect: float, sd: float, seeds: int
) -> None:
    """By Student's t alone; that the bootstrap must agree costs a few points more, at 10 seeds up
    to 5.
    """
    found, computed = decided(effect, sd, rule, seeds), power(rule, effect, sd, seeds)
    low, high = np.array(
        [[e.low, e.high] for verdict in found for e in verdict.backends.values()]
    ).T
    alone = (
        (low > rule.margin)
        if isinstance(rule, Superiority)
        else (low > -rule.margin) & (high < rule.margin)
    )
    assert alone.mean() == pytest.approx(computed, abs=0.03)
    assert (
        computed - 0.06
        < np.mean([verdict.kind == Kind.SUPPORTED for verdict in found])
        < alone.mean()
    )


@pytest.mark.parametrize("seeds", [2, 5, 10, 20])
def test_interval_of_level_95_covers(seeds: int) -> None:
    draws = 0.3 + np.random.default_rng(5).normal(size=(2500, seeds))
    found = [
        decide({"torch": sample}, Superiority(margin=0.0, alpha=0.025))
        for sample in draws
    ]
    estimates = [verdict.backends["torch"] for verdict in found]
    assert (
        0.93
        <= np.mean([estimate.low < 0.3 < estimate.high for estimate in estimates])
        <= 0.97
    )
    assert (
        np.mean(
            [low < 0.3 < high for low, high in (verdict.interval for verdict in found)]
        )
        >= 0.93
    )


@pytest.mark.parametrize(
    ("mean", "kind"),
    [
        (0.3, Kind.SUPPORTED),
        (-0.3, Kind.SUPPORTED),
        (0.0, Kind.REFUTED),
        (0.1, Kind.INCONCLUSIVE),
    ],
)
def test_a_difference_may_lie_on_either_side(mean, kind):
    effects = mean + 0.02 * np.array([-1.5, -1, -0.5, 0, 0, 0, 0.5, 1, 1.5, 0.2])
    verdict = decide({"torch": effects, "jax": effects}, Difference(0.1))
    assert verdict.kind == kind
    assert (verdict.p < 0.05) == (kind == Kind.SUPPORTED)
    low, high = t_interval(effects, 0.025)  # alpha / 2 at each end
    assert verdict.backends["jax"].low == pytest.approx(float(low))
    assert verdict.backends["jax"].high == pytest.approx(float(high))


def test_backends_on_opposite_sides_are_no_difference():
    effects = 0.3 + 0.02 * np.array([-1.5, -1, -0.5, 0, 0, 0, 0.5, 1, 1.5, 0.2])
    verdict = decide(
        {"torch": effects, "jax": -effects}, Difference(0.1), agreement=10.0
    )
    assert verdict.kind == Kind.INCONCLUSIVE


def test_the_rule_of_difference_errs_no_more_than_alpha_and_has_its_computed_power():
    rng = np.random.default_rng(5)
    rule = Difference(0.1, alpha=0.05)
    at_margin = decisions(rng.normal(0.1, 0.1, (1, 20_000, 10)), rule, bootstrap=False)
    assert at_margin.supported.mean() == pytest.approx(0.025, abs=0.005)
    assert not (at_margin.supported & at_margin.refuted).any()
    at_effect = decisions(
        rng.normal(-0.22, 0.1, (1, 20_000, 10)), rule, bootstrap=False
    )
    assert at_effect.supported.mean() == pytest.approx(
        power(rule, -0.22, 0.1, 10), abs=0.012
    )
    inside = decisions(rng.normal(0.0, 0.1, (1, 20_000, 10)), rule, bootstrap=False)
    assert inside.refuted.mean() > 0.5
