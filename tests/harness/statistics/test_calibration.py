"""The simulated decisions are those of `decide`; the calibration finds what is planted, sound rules
and broken ones.
"""

import math

import numpy as np
import pytest

from harness.errors import InvalidInput
from harness.statistics.calibration import (
    calibrate,
    heavy_tailed,
    normal,
    scatter_of,
    smoothed,
    two_backends,
)
from harness.statistics.claim_power import power_alone
from harness.statistics.decisions import Decisions, Rate, bootstrap_intervals, decisions
from harness.statistics.intervals import Bootstrap, t_interval
from harness.statistics.planted import exponent_coverage
from harness.statistics.power import power, seeds_needed
from harness.study import (
    Control,
    Difference,
    Equivalence,
    Hypothesis,
    Paper,
    Rule,
    Statement,
    Superiority,
)
from harness.verdict import Kind, decide

SUPERIOR, EQUIVALENT = Superiority(margin=0.05), Equivalence(margin=0.1)
DIFFERENT = Difference(margin=0.1)


def hypothesis(rule: Rule, effect: float = 0.15, **more: object) -> Hypothesis:
    return Hypothesis("gap", "the gap", rule, "as good as any", effect, 0.1, **more)  # type: ignore[arg-type]


def claim(*hypotheses: Hypothesis) -> Statement:
    name = hypotheses[0].name
    return Statement(
        id="toy/calibrated",
        paper=Paper("Doe", 2020, "On Toys", "section 1", "in full"),
        title="Toy",
        statement="Toys work.",
        operationalised="As planted.",
        departs="",
        family="toys",
        hypotheses=hypotheses,
        controls=(
            Control("true", name, "SUPPORTED", "planted"),
            Control("false", name, "not SUPPORTED", "planted"),
        ),
    )


def decided(rule: Rule, effect: float, sd: float, seeds: int) -> float:
    return power_alone(rule, effect, sd, seeds).power.value


def monte_carlo_error(rate: float, trials: int) -> float:
    return math.sqrt(rate * (1 - rate) / trials)


@pytest.mark.parametrize(
    "rule", [SUPERIOR, Superiority(margin=-0.2, alpha=0.01), EQUIVALENT, DIFFERENT]
)
@pytest.mark.parametrize("seeds", [4, 10])
def test_many_decisions_are_those_of_decide(rule: Rule, seeds: int) -> None:
    """With means on every side of the margins, in and out of agreement, and some effects that do
    not vary.
    """
    rng = np.random.default_rng(seeds)
    means = np.linspace(-0.35, 0.35, 200)[:, np.newaxis]
    torch = means + 0.06 * rng.standard_t(3, size=(200, seeds))
    jax = (
        torch + 0.03 * rng.normal(size=(200, 1)) + 0.01 * rng.normal(size=(200, seeds))
    )
    torch[7] = jax[7] = 0.3
    many = decisions(np.stack([torch, jax]), rule, agreement=0.05)
    one_by_one = [
        decide({"torch": a, "jax": b}, rule, agreement=0.05).kind
        for a, b in zip(torch, jax, strict=True)
    ]
    assert many.supported.tolist() == [kind == Kind.SUPPORTED for kind in one_by_one]
    assert many.refuted.tolist() == [kind == Kind.REFUTED for kind in one_by_one]
    assert many.disagree.tolist() == [kind == Kind.DISAGREE for kind in one_by_one]
    assert len(set(one_by_one)) == 4, (
        "a comparison that never sees a kind says nothing about it"
    )


def test_many_bootstrap_intervals_are_those_of_one_sample_each() -> None:
    """Of 5 seeds too, where one resample in 625 has a single seed, and its t is infinite."""
    for seeds in (5, 12):
        samples = 1e6 + np.random.default_rng(seeds).exponential(size=(30, seeds))
        ends = np.stack(bootstrap_intervals(samples, 0.025), axis=1)
        assert ends == pytest.approx(
            np.array([Bootstrap.of(sample).interval(0.025) for sample in samples]),
            rel=1e-12,
        )


def test_effects_that_are_not_finite_are_refused() -> None:
    with pytest.raises(
        InvalidInput, match=r"Effects must be finite; 1 of them are not\."
    ):
        decisions(
            np.array([[[0.1, np.nan, 0.3]]]), Superiority(margin=0.05), agreement=0.1
        )


def test_effects_of_another_shape_are_refused() -> None:
    with pytest.raises(
        InvalidInput,
        match=r"shape \(backends, experiments, seeds\), none of them 0; got \(10,\)",
    ):
        decisions(np.zeros(10), SUPERIOR)


@pytest.mark.parametrize(
    ("rule", "effect", "sd", "seeds"),
    [
        (SUPERIOR, 0.15, 0.1, 10),
        (SUPERIOR, 0.15, 0.3, 20),
        (EQUIVALENT, 0.0, 0.1, 12),
        (EQUIVALENT, 0.05, 0.05, 10),
        (DIFFERENT, 0.22, 0.1, 12),
        (DIFFERENT, -0.22, 0.1, 12),
    ],
)
def test_simulated_power_is_the_closed_form_without_the_bootstrap_and_lower_with_it(
    rule: Rule, effect: float, sd: float, seeds: int
) -> None:
    rng = np.random.default_rng(0)
    effects = effect + sd * rng.standard_normal((1, 4000, seeds))
    student = decisions(effects, rule, bootstrap=False).supported.mean()
    assert student == pytest.approx(power(rule, effect, sd, seeds), abs=0.03)
    assert student - 0.1 < decisions(effects, rule).supported.mean() < student


def test_power_that_counts_is_that_of_the_whole_decision() -> None:
    """11 seeds are enough for t alone; the bootstrap takes a twelfth."""
    assert power(SUPERIOR, 0.15, 0.1, 11) > 0.9 > decided(SUPERIOR, 0.15, 0.1, 11)
    assert seeds_needed(SUPERIOR, 0.15, 0.1) == 11
    assert power_alone(SUPERIOR, 0.15, 0.1, 11).seeds_needed == 12


def test_backends_that_are_not_shown_to_agree_cost_power() -> None:
    rng = np.random.default_rng(0)
    effects = two_backends(0.2 + 0.1 * rng.standard_normal((500, 10)), 0.05, rng)
    apart = decisions(effects, SUPERIOR).supported.mean()
    together = decisions(effects[:1], SUPERIOR).supported.mean()
    assert apart < together - 0.3
    assert decisions(effects, SUPERIOR, agreement=0.2).supported.mean() > 0.9


def test_what_power_refuses() -> None:
    with pytest.raises(InvalidInput, match=r"finite sd > 0; got effect 0\.1, sd 0"):
        power(SUPERIOR, 0.1, 0, 10)
    with pytest.raises(InvalidInput, match="at least 2 seeds; got 1"):
        power(SUPERIOR, 0.1, 0.1, 1)


def test_intervals_of_rates_hold_the_truth() -> None:
    counts = np.random.default_rng(2).binomial(2000, 0.05, size=1000)
    held = [
        low <= 0.05 <= high
        for low, high in (Rate(int(count), 2000).interval for count in counts)
    ]
    assert 0.93 <= np.mean(held) <= 0.97
    assert Rate.of([True, False, False, False]).value == 0.25
    assert Rate(0, 2000).interval[0] == 0.0
    assert 0.0 < Rate(0, 2000).interval[1] < 0.0025


@pytest.mark.parametrize("rule", [SUPERIOR, EQUIVALENT])
def test_sound_rules_are_seen_to_be_sound(rule: Rule) -> None:
    """False SUPPORTED at most alpha, normal and heavy-tailed; t intervals cover; power is that of
    the decision.
    """
    effect = 0.15 if rule is SUPERIOR else 0.0
    found = calibrate(claim(hypothesis(rule, effect)), 11, {}).hypotheses["gap"]
    for rates in found.values():
        assert (
            0.01
            < rates.false_supported.value
            < rule.alpha + 3 * monte_carlo_error(rule.alpha, 2000)
        )
        assert 0.93 <= rates.coverage_95.value <= 0.97
        assert 0.88 <= rates.coverage.value <= 0.93
    expected = decided(rule, effect, 0.1, 11)
    assert found["normal"].power.value == pytest.approx(expected, abs=0.03)
    assert found["normal"].computed == power(rule, effect, 0.1, 11)


@pytest.mark.parametrize("effect", [0.22, -0.22])
def test_a_difference_errs_at_most_half_of_alpha_on_each_margin(effect: float) -> None:
    found = calibrate(claim(hypothesis(DIFFERENT, effect)), 12, {}).hypotheses["gap"]
    for rates in found.values():
        half = DIFFERENT.alpha / 2
        most = half + 3 * monte_carlo_error(half, 2000)
        assert 0.003 < rates.false_supported.value < most
        assert 0.93 <= rates.coverage.value <= 0.97
    expected = decided(DIFFERENT, effect, 0.1, 12)
    assert found["normal"].power.value == pytest.approx(expected, abs=0.03)


@pytest.mark.parametrize("side", [1, -1])
def test_a_rule_that_errs_on_one_margin_alone_is_seen(side: int) -> None:
    def lenient(effects: np.ndarray, rule: Rule, **_: object) -> Decisions:
        """Beyond the margin on one side, at level 0.2."""
        low, _ = t_interval(side * effects, 0.2)
        supported = (low > rule.margin).all(axis=0)
        return Decisions(supported, ~supported, np.zeros_like(supported))

    toy = claim(hypothesis(DIFFERENT, 0.22 * side))
    rates = calibrate(toy, 12, {}, decide=lenient).hypotheses["gap"]["normal"]
    assert rates.false_supported.value == pytest.approx(0.2, abs=0.04)
    assert rates.power.value > 0.9


def test_power_of_a_difference_counts_both_sides() -> None:
    above, below = (power(DIFFERENT, effect, 0.1, 12) for effect in (0.22, -0.22))
    assert above == pytest.approx(below, rel=1e-9)
    # on the margin one side errs, at alpha / 2
    assert power(DIFFERENT, -0.1, 0.1, 12) == pytest.approx(0.025, abs=1e-6)
    # without margins to speak of both sides err
    narrow = Difference(margin=1e-9)
    assert power(narrow, 0.0, 0.1, 12) == pytest.approx(0.05, abs=1e-6)
    assert seeds_needed(DIFFERENT, -0.22, 0.1) == seeds_needed(DIFFERENT, 0.22, 0.1)
    with pytest.raises(
        InvalidInput, match=r"where the rule is false: \|mean effect\| >"
    ):
        seeds_needed(DIFFERENT, 0.05, 0.1)


def percentile(effects: np.ndarray, rule: Rule, **_: object) -> Decisions:
    """Normal quantiles in place of Student's t, as a percentile bootstrap amounts to."""
    mean, error = (
        effects.mean(axis=-1),
        effects.std(axis=-1) / math.sqrt(effects.shape[-1]),
    )
    supported = (mean - 1.645 * error > rule.margin).all(axis=0)
    return Decisions(supported, ~supported, ~supported)


def doubled(effects: np.ndarray, rule: Rule, **more: object) -> Decisions:
    return decisions(
        effects, type(rule)(rule.margin, 2 * rule.alpha), bootstrap=False, agreement=0.1
    )


def either_backend(effects: np.ndarray, rule: Rule, **_: object) -> Decisions:
    """The better backend decides, and nobody asks whether they agree."""
    first, second = (decisions(effects[[index]], rule) for index in (0, -1))
    return Decisions(first.supported | second.supported, first.refuted, first.disagree)


@pytest.mark.parametrize(
    ("broken", "backends"), [(percentile, 1), (doubled, 1), (either_backend, 2)]
)
def test_broken_rules_are_seen_to_be_broken(broken, backends: int) -> None:
    """The control of the calibration itself: rules that err too often must show."""
    effects = np.random.default_rng(0).normal(size=(2, 10))
    measured = {
        name: {"gap": effects[index]}
        for index, name in enumerate(("torch", "jax")[:backends])
    }
    found = calibrate(
        claim(hypothesis(SUPERIOR)), 10, measured, decide=broken
    ).hypotheses["gap"]["normal"]
    assert found.false_supported.value > 0.05 + 3 * monte_carlo_error(0.05, 2000)
    assert found.false_supported.interval[0] > 0.05


def test_a_claim_is_supported_where_all_primaries_are() -> None:
    first = hypothesis(SUPERIOR, effect=0.12)
    second = Hypothesis("other", "another", SUPERIOR, "as good as any", 0.12, 0.1)
    beside = Hypothesis(
        "beside", "a third", SUPERIOR, "as good as any", 0.0, 0.1, role="secondary"
    )
    found = calibrate(claim(first, second, beside), 10, {}, trials=500)
    each = [found.hypotheses[name]["normal"] for name in ("gap", "other")]
    whole = found.whole["normal"]
    expected = each[0].power.value * each[1].power.value
    assert whole.power.value == pytest.approx(
        expected, abs=4 * monte_carlo_error(expected, 500)
    )
    assert whole.false_supported.value <= max(one.false_supported.value for one in each)
    assert found.hypotheses["beside"]["normal"].power.value < 0.05


def test_a_claim_is_refuted_where_any_primary_is() -> None:
    """At alpha on one margin; REFUTED is not corrected, so of a claim it adds up over effects."""
    names = ("first", "second", "third")
    primary = [
        Hypothesis(name, name, SUPERIOR, "as good as any", 0.15, 0.1) for name in names
    ]
    found = calibrate(claim(*primary), 12, {}, trials=1000)
    each = [found.hypotheses[name]["normal"].false_refuted.value for name in names]
    error = monte_carlo_error(0.05, 1000)
    assert all(0.05 - 4 * error < rate < 0.05 + 3 * error for rate in each)
    whole, together = found.whole["normal"], 1 - np.prod(1 - np.array(each))
    assert whole.false_refuted.value == pytest.approx(together, abs=0.03)
    assert whole.refuted.value < 0.01
    sunk = Hypothesis("sunk", "sunk", SUPERIOR, "as good as any", -0.1, 0.1)
    assert (
        calibrate(claim(sunk), 12, {}, trials=200).whole["normal"].refuted.value > 0.9
    )


def test_closeness_is_refuted_wrongly_at_alpha() -> None:
    close = hypothesis(EQUIVALENT, effect=0.0)
    found = calibrate(claim(close), 12, {}, trials=1000).hypotheses["gap"]["normal"]
    assert 0.02 < found.false_refuted.value < 0.05 + 3 * monte_carlo_error(0.05, 1000)


def test_scatter_is_the_measured_one_where_there_is_one() -> None:
    measured = {"torch": [0.1, 0.2, 0.4], "jax": [0.1, 0.2, 0.41]}
    scatter = scatter_of(hypothesis(SUPERIOR), measured)
    expected = (np.std(measured["torch"], ddof=1) + np.std(measured["jax"], ddof=1)) / 2
    assert (scatter.sd, scatter.measured) == (pytest.approx(expected), True)
    assert scatter.difference == pytest.approx(0.01 / math.sqrt(3))
    assert list(scatter.shapes) == ["normal", "heavy-tailed", "as measured"]
    for without in ({}, {"torch": [0.1, 0.1]}, {"torch": [0.1, math.nan, 0.2]}):
        registered = scatter_of(hypothesis(SUPERIOR), without)
        assert (registered.sd, registered.difference, registered.measured) == (
            0.1,
            0.0,
            False,
        )
        assert "as measured" not in registered.shapes


def test_no_scatter_is_refused() -> None:
    constant = Hypothesis("gap", "the gap", SUPERIOR, "as good as any", 0.15, 0.0)
    with pytest.raises(
        InvalidInput,
        match=r"'gap' has no scatter to simulate.*registered sd is 0\.0\. Register a",
    ):
        scatter_of(constant, {})
    with pytest.raises(
        InvalidInput, match="at least 2 seeds and 1 trial; got 1 and 2000"
    ):
        calibrate(claim(hypothesis(SUPERIOR)), 1, {})


@pytest.mark.parametrize(
    "shape", [normal, heavy_tailed, smoothed([1.0, 2.0, 7.0, 8.0, 20.0])]
)
def test_shapes_have_mean_0_and_deviation_1(shape) -> None:
    draws = shape(np.random.default_rng(1), (400, 500))
    assert draws.mean() == pytest.approx(0.0, abs=0.02)
    assert draws.std() == pytest.approx(1.0, abs=0.05)


def test_smoothing_keeps_the_skew_of_what_was_measured() -> None:
    draws = smoothed([0.0] * 9 + [1.0])(np.random.default_rng(1), (200_000,))
    assert np.mean(draws**3) > 0.5


def test_calibration_is_repeatable_and_hypotheses_are_independent() -> None:
    toy = claim(
        hypothesis(SUPERIOR),
        Hypothesis("other", "the same again", SUPERIOR, "as good as any", 0.15, 0.1),
    )
    once, again = (calibrate(toy, 10, {}, trials=200) for _ in range(2))
    assert once.hypotheses == again.hypotheses
    assert calibrate(toy, 10, {}, trials=200, seed=1).hypotheses != once.hypotheses
    assert once.hypotheses["gap"] != once.hypotheses["other"]


def test_planted_exponents_are_covered() -> None:
    """At full size, and with the floor, `ntk-claims calibrate` does this; here 8 experiments show
    that it runs.
    """
    found = exponent_coverage(trials=2000, floor_trials=8)
    assert 0.93 <= found["seeds differ in slope"].value <= 0.97
    assert 0.93 <= found["heavy-tailed slopes"].value <= 0.97
    # 4 of 8 outside have a probability of 0.0004 where 95 % cover
    assert found["over a floor"].value >= 0.6
