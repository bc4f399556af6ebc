"""How often a claim as a whole is decided: planted cases, known in closed form or by `decide`."""

import numpy as np
import pytest

from harness.errors import InvalidInput
from harness.statistics.claim_power import whole_power
from harness.statistics.power import power
from harness.study import Difference, Equivalence, Hypothesis, Superiority
from harness.verdict import Kind, decide


def hypothesis(name="gap", rule=None, effect=0.2, sd=0.1):
    return Hypothesis(name, "", rule or Superiority(0.1), "", effect, sd)


def decided(primary, seeds, family, kind, trials=400):
    """The rate of a verdict by `decide`, one experiment after the other, and Holm at its hardest
    step.
    """
    rng = np.random.default_rng(5)
    count = 0
    for _ in range(trials):
        verdicts = [
            decide({"torch": sample, "jax": sample}, h.rule, agreement=1.0)
            for h in primary
            for sample in [rng.normal(h.expected_effect, h.expected_sd, seeds)]
        ]
        if kind == Kind.REFUTED:
            count += any(verdict.kind == kind for verdict in verdicts)
        else:
            count += all(
                verdict.kind == kind and verdict.p <= h.rule.alpha / family
                for verdict, h in zip(verdicts, primary, strict=True)
            )
    return count / trials


def test_a_claim_of_two_hypotheses_with_power_095():
    """At 80 seeds the bootstrap decides as t does, and independent powers multiply."""
    primary = [hypothesis("first", sd=0.235), hypothesis("second", sd=0.26)]
    found = whole_power(primary, 80, family=1)
    alone = [power(h.rule, 0.2, h.expected_sd, 80) for h in primary]
    assert (found.verdict, found.weakest) == ("SUPPORTED", "second")
    assert found.power.value == pytest.approx(np.prod(alone), abs=0.02)
    assert found.power.value == pytest.approx(0.95, abs=0.02)
    assert found.seeds_needed < 80


def test_a_claim_with_power_one_half_names_the_seeds_that_would_do():
    primary = [hypothesis("sure", effect=0.6), hypothesis("weak", effect=0.16)]
    found = whole_power(primary, 10, family=1)
    assert found.weakest == "weak"
    assert found.power.value == pytest.approx(0.45, abs=0.05)
    assert found.power.value == pytest.approx(
        decided(primary, 10, 1, Kind.SUPPORTED), abs=0.07
    )
    enough = found.seeds_needed
    assert whole_power(primary, enough, family=1).power.value >= 0.9
    assert whole_power(primary, enough - 3, family=1).power.value < 0.9


@pytest.mark.parametrize(
    ("rule", "effect"),
    [
        (Superiority(0.1), -0.02),
        (Equivalence(0.1), 0.22),
        (Equivalence(0.1), -0.22),
        (Difference(0.2), 0.05),
    ],
)
def test_an_effect_on_the_refuted_side_is_decided_by_refutation(rule, effect):
    primary = [hypothesis("true", effect=0.6), hypothesis("false", rule, effect)]
    found = whole_power(primary, 10, family=6)
    assert (found.verdict, found.weakest) == ("REFUTED", "false")
    assert 0.7 < found.power.value < 1
    assert found.power.value == pytest.approx(
        decided(primary, 10, 6, Kind.REFUTED), abs=0.06
    )
    assert whole_power(primary, found.seeds_needed, family=6).power.value >= 0.89


def test_any_hypothesis_that_fails_refutes():
    one = whole_power([hypothesis(effect=0.04)], 10, family=1).power.value
    two = whole_power(
        [hypothesis("first", effect=0.04), hypothesis("second", effect=0.04)], 10, 1
    ).power.value
    assert two == pytest.approx(1 - (1 - one) ** 2, abs=0.04)


def test_a_family_costs_power():
    primary = [hypothesis()]
    sizes = (1, 3, 6)
    rates = [whole_power(primary, 12, size).power.value for size in sizes]
    assert rates == sorted(rates, reverse=True)
    assert rates[2] == pytest.approx(decided(primary, 12, 6, Kind.SUPPORTED), abs=0.07)
    assert rates[0] - rates[2] > 0.15


def test_equal_calls_give_equal_rates():
    calls = [whole_power([hypothesis()], 10, family=2).power for _ in range(2)]
    assert calls[0] == calls[1]


@pytest.mark.parametrize(
    ("primary", "seeds", "family"),
    [([], 10, 1), ([hypothesis()], 1, 1), ([hypothesis()], 10, 0)],
)
def test_what_has_no_power_is_refused(primary, seeds, family):
    with pytest.raises(InvalidInput, match=r"The power of a claim takes a primary"):
        whole_power(primary, seeds, family)


def test_an_effect_without_scatter_is_refused():
    with pytest.raises(InvalidInput, match=r"'gap' has no power .* sd is 0\.0"):
        whole_power([hypothesis(sd=0.0)], 10, family=1)
