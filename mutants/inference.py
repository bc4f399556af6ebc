"""Defects of the statistics and of the decision rule."""

from mutants.mutant import Mutant

INTERVALS = "harness/statistics/intervals.py"
VERDICT = "harness/verdict.py"
SLOPES = "harness/statistics/slopes.py"
TESTS = "tests/test_statistics.py::"
DECIDE = "tests/test_decide.py::"
PLANTED = "tests/test_planted_defects.py::"
SCIPY = (f"{TESTS}test_t_interval_and_p_are_those_of_scipy",)

MUTANTS = (
    Mutant(
        "standard-deviation-over-n",
        "The standard deviation divides by n instead of n - 1.",
        INTERVALS,
        "sample.std(axis=-1, ddof=1) / np.sqrt(n)",
        "sample.std(axis=-1, ddof=0) / np.sqrt(n)",
        SCIPY,
    ),
    Mutant(
        "degrees-of-freedom",
        "The t interval has n degrees of freedom instead of n - 1.",
        INTERVALS,
        "    half = -stdtrit(n - 1, alpha) * error\n",
        "    half = -stdtrit(n, alpha) * error\n",
        SCIPY,
    ),
    Mutant(
        "two-sided-alpha",
        "The interval is of level 1 - alpha where 1 - 2 alpha is registered.",
        INTERVALS,
        "    half = -stdtrit(n - 1, alpha) * error\n",
        "    half = -stdtrit(n - 1, alpha / 2) * error\n",
        SCIPY,
    ),
    Mutant(
        "standard-error-missing",
        "The interval is that of one seed instead of their mean.",
        INTERVALS,
        "sample.std(axis=-1, ddof=1) / np.sqrt(n)",
        "sample.std(axis=-1, ddof=1)",
        SCIPY,
    ),
    Mutant(
        "p-of-the-other-side",
        "The one-sided p is that of the opposite alternative.",
        INTERVALS,
        "stdtr(n - 1, -np.where(np.isnan(t), 0.0, t))",
        "stdtr(n - 1, np.where(np.isnan(t), 0.0, t))",
        SCIPY,
    ),
    Mutant(
        "bootstrap-not-studentised",
        "Resamples are divided by the error of the sample instead of their own, which covers too little.",
        INTERVALS,
        "t = (means - mean) / errors",
        "t = (means - mean) / error",
        (f"{TESTS}test_studentised_bootstrap_covers_as_the_t_interval_does",),
    ),
    Mutant(
        "tost-of-one-side",
        "Equivalence is established as soon as one of its two tests is.",
        "harness/statistics/equivalence.py",
        "np.maximum(p_above(sample, -margin), p_above(-sample, -margin))",
        "np.minimum(p_above(sample, -margin), p_above(-sample, -margin))",
        (f"{TESTS}test_tost_is_that_of_statsmodels",),
    ),
    Mutant(
        "tost-sign",
        "One of the two tests of an equivalence is against the wrong margin.",
        "harness/statistics/equivalence.py",
        "np.maximum(p_above(sample, -margin), p_above(-sample, -margin))",
        "np.maximum(p_above(sample, -margin), p_above(-sample, margin))",
        (f"{TESTS}test_tost_is_that_of_statsmodels",),
    ),
    Mutant(
        "holm-without-multiplication",
        "The p of a family are handed back as they came.",
        "harness/statistics/multiplicity.py",
        'multipletests(padded, method="holm")[1][: len(values)]',
        "padded[: len(values)]",
        (f"{TESTS}test_holm_by_hand",),
    ),
    Mutant(
        "power-ignores-the-margin",
        "Power is computed against an effect of zero instead of the margin.",
        "harness/statistics/power.py",
        "noncentrality = (effect - margin) * np.sqrt(seeds) / sd",
        "noncentrality = effect * np.sqrt(seeds) / sd",
        (f"{TESTS}test_superiority_power_is_that_of_statsmodels",),
    ),
    Mutant(
        "slope-of-the-mean-curve",
        "One line is fitted to the mean of all seeds' curves, and its slope given to every seed.",
        SLOPES,
        "return log_y @ centred / (centred @ centred)",
        "return np.broadcast_to(log_y.mean(axis=0), log_y.shape) @ centred / (centred @ centred)",
        (f"{PLANTED}test_each_seed_has_a_slope_of_its_own",),
    ),
    Mutant(
        "exponents-swapped",
        "The difference of two exponents has the wrong sign.",
        SLOPES,
        "return loglog_slopes(x, second) - loglog_slopes(x, first)",
        "return loglog_slopes(x, first) - loglog_slopes(x, second)",
        ("tests/test_slopes.py::test_an_offset_is_no_exponent_and_an_exponent_is_no_offset",),
    ),
    Mutant(
        "smaller-p-of-the-backends",
        "The p of a hypothesis is that of the backend which supports it most.",
        VERDICT,
        "p = max(estimate.p for estimate in estimates.values())",
        "p = min(estimate.p for estimate in estimates.values())",
        (f"{DECIDE}test_the_numbers_are_those_of_scipy_and_statsmodels",),
    ),
    Mutant(
        "one-backend-suffices",
        "Where one backend supports a hypothesis and another does not decide, it counts as supported.",
        VERDICT,
        "return kind if len(where) == 1 else Kind.INCONCLUSIVE, finding",
        "return kind if len(where) == 1 else Kind.SUPPORTED, finding",
        (f"{DECIDE}test_one_backend_of_two_does_not_support",),
    ),
    Mutant(
        "agreement-unpaired",
        "The agreement of the backends is tested on sorted effects, not seed by seed.",
        "harness/statistics/agreement.py",
        "differences = samples[pair[0]] - samples[pair[1]]",
        "one, two = samples[pair[0]].copy(), samples[pair[1]].copy()\n    one.sort()\n    two.sort()\n"
        "    differences = one - two",
        (f"{PLANTED}test_backends_agree_seed_by_seed_or_not_at_all",),
    ),
    Mutant(
        "disagreement-ignored",
        "Backends that do not agree are judged as if they did.",
        VERDICT,
        "if worst is not None and not worst.agree:",
        "if False:",
        (f"{DECIDE}test_an_established_difference_disagrees",),
    ),
    Mutant(
        "nan-seeds-dropped",
        "Seeds whose effect is NaN are silently left out.",
        VERDICT,
        "return raw.astype(np.float64)",
        "return (kept := raw.astype(np.float64))[~np.isnan(kept)]",
        ("tests/test_judge.py::test_a_diverged_seed_is_named_and_never_dropped",),
    ),
    Mutant(
        "bootstrap-ignored",
        "Student's t decides alone, which skewed effects fool at 10 seeds.",
        VERDICT,
        "kind, position = _side(*estimate.ends, rule)",
        "kind, position = _side(estimate.low, estimate.high, rule)",
        (f"{DECIDE}test_support_takes_the_bootstrap_as_well_as_students_t",),
    ),
    Mutant(
        "equivalence-of-one-side",
        "An interval that is below the upper margin alone counts as inside.",
        VERDICT,
        "if low > -m and high < m:",
        "if high < m:",
        (f"{DECIDE}test_both_backends_on_one_side",),
    ),
    Mutant(
        "overlap-suffices",
        "An interval that reaches beyond the margin is enough, though it contains the margin.",
        VERDICT,
        "if low > m:\n            return Kind.SUPPORTED",
        "if high > m:\n            return Kind.SUPPORTED",
        (f"{DECIDE}test_both_backends_on_one_side",),
    ),
    Mutant(
        "constant-effects-decide",
        "Effects that are the same for every seed, which no t applies to, decide.",
        VERDICT,
        "    elif constant:\n",
        "    elif False:\n",
        (f"{DECIDE}test_effects_that_do_not_vary_decide_nothing",),
    ),
)
