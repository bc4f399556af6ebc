"""Defects of intervals, tests, corrections, power, slopes and of the decision on one hypothesis."""

from dataclasses import replace

import numpy as np

from tests.verify.mutants.defect import Defects

DEFECTS = Defects()
plant = DEFECTS.plant

SCIPY = "tests/harness/statistics/test_statistics.py::test_t_interval_and_p_are_those_of_scipy"
TOST = "tests/harness/statistics/test_statistics.py::test_tost_is_that_of_statsmodels"
HOLM = "tests/harness/statistics/test_statistics.py::test_holm_by_hand"
DECIDE = "tests/harness/statistics/test_decide.py::"
SIDES = f"{DECIDE}test_both_backends_on_one_side"
NUMBERS = f"{DECIDE}test_the_numbers_are_those_of_scipy_and_statsmodels"
BOOTSTRAP = f"{DECIDE}test_support_takes_the_bootstrap_as_well_as_students_t"
DIFFERENCE = f"{DECIDE}test_an_established_difference_disagrees"


# Intervals and p


@plant("harness.statistics.intervals:mean_and_error", SCIPY)
def deviation_over_n(mean_and_error, effects):
    """The standard deviation divides by n instead of n - 1."""
    mean, error, n = mean_and_error(effects)
    return mean, error * np.sqrt((n - 1) / n), n


@plant("harness.statistics.intervals:t_interval", SCIPY)
def two_sided_alpha(t_interval, effects, alpha):
    """The interval has level 1 - alpha where 1 - 2 alpha is registered."""
    return t_interval(effects, alpha / 2)


@plant("harness.statistics.intervals:p_above", SCIPY)
def p_of_the_other_side(p_above, effects, margin):
    """The one-sided p is that of the opposite alternative."""
    return 1 - p_above(effects, margin)


@plant(
    "harness.statistics.intervals:Bootstrap.of",
    "tests/harness/statistics/test_statistics.py::test_studentised_bootstrap_leans_towards_the_long_tail",
)
def bootstrap_not_studentised(of, effects, **options):
    """The bootstrap's distribution is the normal one, whatever the sample."""
    bootstrap = of(effects, **options)
    normal = np.random.default_rng(0).standard_normal(len(bootstrap.t))
    return replace(bootstrap, t=np.sort(normal))


@plant(
    "harness.statistics.intervals:varies",
    f"{DECIDE}test_effects_that_do_not_vary_decide_nothing",
)
def constant_effects_vary(varies, effects):
    """Effects that are the same for every seed, which no t applies to, count as a sample."""
    return np.ones_like(varies(effects))


# Equivalence, multiplicity, agreement


@plant("harness.statistics.equivalence:tost", TOST)
def tost_of_one_side(tost, effects, margin, alpha):
    """Equivalence is established as soon as one of its two tests is."""
    from harness.statistics.intervals import p_above

    sample = np.asarray(effects)
    p = np.minimum(p_above(sample, -margin), p_above(-sample, -margin))
    return replace(tost(effects, margin, alpha), p=p)


@plant("harness.statistics.multiplicity:holm", HOLM)
def holm_without_multiplication(holm, p, size=None):
    """The p of a family are handed back as they came."""
    holm(p, size)
    return np.asarray(p, dtype=float)


@plant("harness.statistics.multiplicity:holm", HOLM)
def family_is_what_ran(holm, p, size=None):
    """Holm counts the claims that ran, so running fewer makes each easier to support."""
    return holm(p)


@plant(
    "harness.statistics.agreement:worst_agreement",
    "tests/verify/test_planted_defects.py::test_backends_agree_seed_by_seed_or_not_at_all",
)
def agreement_unpaired(worst_agreement, samples, margin, alpha):
    """The agreement of backends is tested on sorted effects, not seed by seed."""
    return worst_agreement(
        {name: np.sort(sample) for name, sample in samples.items()}, margin, alpha
    )


@plant("harness.statistics.agreement:worst_agreement", DIFFERENCE)
def disagreement_ignored(worst_agreement, samples, margin, alpha):
    """Backends that do not agree are judged as if they did."""
    return None


# Power and slopes


@plant(
    "harness.statistics.power:superiority_power",
    "tests/harness/statistics/test_statistics.py::test_superiority_power_is_that_of_statsmodels",
)
def power_ignores_the_margin(superiority_power, effect, sd, seeds, *, margin, alpha):
    """Power is computed against an effect of zero instead of the margin."""
    return superiority_power(effect, sd, seeds, margin=0.0, alpha=alpha)


@plant(
    "harness.statistics.slopes:loglog_slopes",
    "tests/verify/test_planted_defects.py::test_each_seed_has_a_slope_of_its_own",
)
def slope_of_the_mean_curve(loglog_slopes, x, y):
    """One line is fitted to the mean of all seeds' curves, and its slope given to every seed."""
    slopes = loglog_slopes(x, y)
    return np.full_like(slopes, slopes.mean())


@plant(
    "harness.statistics.curve_gates:untrained",
    "tests/harness/statistics/test_scaling.py::test_a_diverged_network_is_not_trained",
)
def diverged_networks_are_trained(untrained, sizes, loss, gain, *limits, **options):
    """Networks whose loss is not a number count as trained."""
    return untrained(
        sizes, np.nan_to_num(loss), np.nan_to_num(gain), *limits, **options
    )


# The decision on one hypothesis


@plant(
    "harness.verdict:_against_rule", f"{DECIDE}test_one_backend_of_two_does_not_support"
)
def one_backend_suffices(against_rule, estimates, *arguments):
    """Where one backend supports a hypothesis, nobody asks the other."""
    return against_rule(dict(list(estimates.items())[:1]), *arguments)


@plant("harness.verdict:_estimate", BOOTSTRAP)
def bootstrap_ignored(estimate, sample, rule):
    """Student's t decides alone, which skewed effects fool at 10 seeds."""
    return replace(estimate(sample, rule), bootstrap=None)


@plant("harness.verdict:_side", SIDES)
def overlap_suffices(side, low, high, rule):
    """An interval whose middle is beyond the margin is enough, though it contains the margin."""
    middle = (low + high) / 2
    return side(middle, middle, rule)


@plant("harness.verdict:_side", SIDES)
def equivalence_of_one_side(side, low, high, rule):
    """An interval that is below the upper margin counts as inside."""
    from harness.study import Equivalence

    return (
        side(max(low, -rule.margin / 2), high, rule)
        if isinstance(rule, Equivalence)
        else side(low, high, rule)
    )


@plant(
    "harness.verdict:not_finite",
    "tests/harness/test_judge.py::test_a_diverged_seed_is_named_and_never_dropped",
)
def diverged_seeds_pass(not_finite, sample):
    """Seeds whose effect is not a number are no obstacle."""
    return []
