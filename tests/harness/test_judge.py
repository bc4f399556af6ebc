"""`judge` and `judge_family` on a toy claim whose effects are planted as measurements."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from harness.errors import InvalidInput
from harness.experiment import Absent, Measurements, Request
from harness.judge import Member, broken, judge, judge_family, not_run
from harness.study import (
    Control,
    Equivalence,
    Gate,
    Hypothesis,
    Paper,
    Statement,
    Study,
    Superiority,
)
from harness.verdict import Beside, ClaimVerdict, Kind

SEEDS = 10
SPREAD = 0.02 * np.linspace(-1.0, 1.0, SEEDS)
HOLDS, FAILS, UNCLEAR = 0.30 + SPREAD, -0.30 + SPREAD, 0.05 + SPREAD
DIVERGED = np.where(np.arange(SEEDS) == 4, np.nan, HOLDS)
PLANTED = {
    "gap": HOLDS,
    "speed": HOLDS,
    "offset": UNCLEAR,
    "teacher": HOLDS,
    "null": FAILS,
}


def hypothesis(name: str, **changes: Any) -> Hypothesis:
    common = Hypothesis(
        name, f"the {name}", Superiority(0.05), "half of the paper's", 0.3, 0.02
    )
    return replace(common, **changes)


CLAIM = Statement(
    id="toy",
    paper=Paper("Doe", 2020, "On Toys", "section 1", "in full"),
    title="Toy",
    statement="Toys work.",
    operationalised="As planted.",
    departs="",
    family="toys",
    hypotheses=(
        hypothesis("gap"),
        hypothesis("speed"),
        hypothesis("offset", role="secondary"),
    ),
    controls=(
        Control("teacher", "gap", "SUPPORTED", "true by construction"),
        Control("null", "gap", "not SUPPORTED", "false by construction"),
    ),
    gates=(
        Gate("trained", "loss below 0.01"),
        Gate("psd", "kernel PSD", failure="BROKEN"),
    ),
)


def measured(values: Mapping[str, Any], gates: Mapping[str, Any] = {}) -> Measurements:
    request = Request(
        "toy:toy",
        {"gates": dict(gates)},
        tuple(range(SEEDS)),
        "registered",
        "torch",
        "float32",
    )
    return Measurements(
        [(request, {name: np.asarray(value) for name, value in values.items()})]
    )


def planted_effects(measurements: Measurements) -> Mapping[str, np.ndarray]:
    return dict(measurements.cells[0][1])


def planted_gates(measurements: Measurements) -> Mapping[str, str]:
    return {"trained": "", "psd": "", **measurements.cells[0][0].configuration["gates"]}


def judged(
    torch: Mapping[str, Any] = {},
    jax: Mapping[str, Any] | None = None,
    *,
    claim: Statement = CLAIM,
    gates: Mapping[str, Any] = {},
    tier: str = "full",
) -> ClaimVerdict:
    """The toy with some effects (and gates of jax) changed; jax is as torch unless it says
    otherwise.
    """
    study = Study(claim, (), planted_effects, planted_gates)
    jax = torch if jax is None else jax
    measurements = {
        "torch": measured(PLANTED | dict(torch)),
        "jax": measured(PLANTED | dict(jax), gates),
    }
    return judge(study, measurements, tier, SEEDS)


def test_supported_if_every_primary_hypothesis_is() -> None:
    verdict = judged({"speed": 0.06 + SPREAD})
    assert (verdict.claim, verdict.tier, verdict.kind, verdict.alone) == (
        "toy",
        "full",
        Kind.SUPPORTED,
        Kind.SUPPORTED,
    )
    assert (
        verdict.p
        == verdict.hypotheses["speed"].p
        == max(verdict.hypotheses[name].p for name in ("gap", "speed"))
    )
    assert verdict.p_family is None
    # a secondary hypothesis has no say
    assert verdict.hypotheses["offset"].p > verdict.p
    assert {name: control.kind for name, control in verdict.controls.items()} == {
        "teacher": "SUPPORTED",
        "null": "REFUTED",
    }
    assert verdict.gates == {
        "trained": {"torch": "", "jax": ""},
        "psd": {"torch": "", "jax": ""},
    }
    assert verdict.effects["jax"]["gap"] == tuple(HOLDS)


def test_the_reason_says_what_decided_with_its_numbers() -> None:
    assert judged({"speed": 0.29 + SPREAD}).reason == (
        "Both primary hypotheses hold. Nearest to failing: speed: 0.2900 [0.2822, 0.2979] (10 "
        "seeds in torch and "
        "jax; needs > 0.05)."
    )
    assert judged({"gap": FAILS}).reason == (
        "Refuted by 1 of 2 primary hypotheses. gap: −0.3000 [−0.3078, −0.2921] (10 seeds in torch "
        "and jax; "
        "needs > 0.05). Of the others, 1 SUPPORTED."
    )


def test_of_equal_p_the_interval_nearest_to_its_margin_decides() -> None:
    """The p of a bootstrap has a floor, which clear effects share."""
    clear = {"gap": 0.25 + SPREAD, "speed": 0.35 + SPREAD}
    assert "Nearest to failing: gap: 0.2500 [" in judged(clear).reason
    close = hypothesis("speed", rule=Equivalence(1.0), agreement=0.5)
    claim = replace(
        CLAIM,
        hypotheses=(hypothesis("gap"), close, hypothesis("offset", role="secondary")),
    )
    verdict = judged({"gap": 0.25 + SPREAD, "speed": 0.5 + SPREAD}, claim=claim)
    assert verdict.hypotheses["gap"].p == verdict.hypotheses["speed"].p
    # half a margin inside, against four beyond
    assert "Nearest to failing: speed: 0.5000 [" in verdict.reason


def test_the_reason_shows_labels_ratios_and_margins_of_equivalence() -> None:
    near = hypothesis(
        "speed",
        label="error ratio",
        scale="ratio",
        rule=Equivalence(np.log(2.0)),
        agreement=0.5,
    )
    claim = replace(
        CLAIM,
        hypotheses=(hypothesis("gap"), near, hypothesis("offset", role="secondary")),
    )
    found = (
        "error ratio: 1.350 [1.339, 1.361] (10 seeds in torch and jax; needs 0.5 to 2)."
    )
    assert judged(claim=claim).reason.endswith(f"Nearest to failing: {found}")


def test_beside_it_stands_what_did_not_come_out_as_the_claim_did() -> None:
    arms = [
        hypothesis(name, role="secondary", label=f"the {name}")
        for name in ("offset", "like", "unlike")
    ]
    claim = replace(CLAIM, hypotheses=(hypothesis("gap"), hypothesis("speed"), *arms))
    arms_found = {"like": HOLDS, "unlike": FAILS}
    supported = judged(arms_found, claim=claim)
    assert supported.beside == (
        Beside(
            "offset",
            "the offset",
            Kind.INCONCLUSIVE,
            "0.0500 [0.0422, 0.0579], needs > 0.05",
        ),
        Beside(
            "unlike",
            "the unlike",
            Kind.REFUTED,
            "−0.3000 [−0.3078, −0.2921], needs > 0.05",
        ),
    )
    assert "offset" not in supported.reason
    refuted = judged({**arms_found, "gap": FAILS}, claim=claim)
    assert [(one.name, one.kind) for one in refuted.beside] == [
        ("offset", "INCONCLUSIVE"),
        ("like", "SUPPORTED"),
    ]
    undecided = judged({**arms_found, "gap": UNCLEAR}, claim=claim)
    # nothing came out as it did
    assert [one.name for one in undecided.beside] == ["offset", "like", "unlike"]
    # no number of a broken check counts
    assert judged({**arms_found, "null": HOLDS}, claim=claim).beside == ()


@pytest.mark.parametrize(
    ("offset", "kind", "effect"),
    [
        (
            DIVERGED,
            "INCONCLUSIVE",
            "Effect not finite in torch, seed 4 of 10; effect not finite in jax, seed 4 of 10",
        ),
        (
            [0.3] * SEEDS,
            "INCONCLUSIVE",
            r"0.3 \[0.3, 0.3\], needs > 0.05: Mean effect 0.3 .* do not vary over seeds",
        ),
        (Absent("No Shuttle."), "NOT_RUN", "No Shuttle."),
    ],
)
def test_what_stands_beside_without_a_number_says_why(
    offset: Any, kind: str, effect: str
) -> None:
    study = Study(
        CLAIM, (), lambda m: {**planted_effects(m), "offset": offset}, planted_gates
    )
    measurements = {"torch": measured(PLANTED), "jax": measured(PLANTED)}
    (beside,) = judge(study, measurements, "full", SEEDS).beside
    assert (beside.name, beside.kind) == ("offset", kind)
    assert re.match(effect, beside.effect)


@pytest.mark.parametrize(
    ("torch", "jax", "kind", "beginning"),
    [
        (
            {"gap": FAILS},
            None,
            Kind.REFUTED,
            "Refuted by 1 of 2 primary hypotheses. gap: −0.3000 [",
        ),
        (
            {"gap": FAILS, "speed": FAILS},
            None,
            Kind.REFUTED,
            "Refuted by 2 of 2 primary hypotheses. gap: −0.3000 [",
        ),
        (
            {"gap": FAILS, "speed": UNCLEAR},
            None,
            Kind.REFUTED,
            "Refuted by 1 of 2 primary hypotheses. gap: −0.3000 [",
        ),
        (
            {"speed": UNCLEAR},
            None,
            Kind.INCONCLUSIVE,
            "Not decided by 1 of 2 primary hypotheses. speed: 0.0500 [",
        ),
        (
            {"speed": [0.3] * SEEDS},
            None,
            Kind.INCONCLUSIVE,
            "Not decided by 1 of 2 primary hypotheses. speed: 0.3 [",
        ),
        (
            {"gap": FAILS, "speed": HOLDS},
            {"gap": FAILS, "speed": HOLDS + 0.1},
            Kind.DISAGREE,
            "The backends do not agree on 1 of 2 primary hypotheses. speed: 0.350 [",
        ),
        ({"offset": FAILS}, None, Kind.SUPPORTED, "Both primary hypotheses hold."),
        (
            {"offset": HOLDS},
            {"offset": FAILS},
            Kind.SUPPORTED,
            "Both primary hypotheses hold.",
        ),
        ({"offset": DIVERGED}, None, Kind.SUPPORTED, "Both primary hypotheses hold."),
    ],
)
def test_conjunction(
    torch: Mapping[str, Any], jax: Mapping[str, Any] | None, kind: Kind, beginning: str
) -> None:
    verdict = judged(torch, jax)
    assert (verdict.kind, verdict.alone) == (kind, kind)
    assert verdict.reason.startswith(beginning)
    assert verdict.p is not None


def test_one_backend_alone_is_judged_and_named() -> None:
    study = Study(CLAIM, (), planted_effects, planted_gates)
    verdict = judge(study, {"jax": measured(PLANTED)}, "full", SEEDS)
    assert verdict.kind == Kind.SUPPORTED
    assert verdict.reason.startswith("In jax alone. Both primary hypotheses hold.")


def test_each_hypothesis_brings_its_rule_and_agreement_margin() -> None:
    close = hypothesis("speed", rule=Equivalence(0.1), agreement=0.5)
    claim = replace(
        CLAIM,
        hypotheses=(hypothesis("gap"), close, hypothesis("offset", role="secondary")),
    )
    verdict = judged({"speed": UNCLEAR}, {"speed": UNCLEAR + 0.02}, claim=claim)
    assert verdict.kind == Kind.SUPPORTED
    assert verdict.hypotheses["speed"].agreement is not None
    assert verdict.hypotheses["speed"].agreement.margin == 0.5


@pytest.mark.parametrize(
    ("torch", "jax", "message"),
    [
        (
            {"teacher": UNCLEAR},
            None,
            "Control 'teacher' must come out SUPPORTED and came out INCONCLUSIVE: Mean effect 0.05",
        ),
        (
            {"teacher": FAILS},
            None,
            "Control 'teacher' must come out SUPPORTED and came out REFUTED: Mean",
        ),
        (
            {"teacher": HOLDS},
            {"teacher": FAILS},
            "Control 'teacher' must come out SUPPORTED and came out DISAGREE: Mean",
        ),
        (
            {"teacher": DIVERGED},
            None,
            "Control 'teacher' must come out SUPPORTED and came out INCONCLUSIVE: Effect not "
            "finite",
        ),
        (
            {"null": HOLDS},
            None,
            "Control 'null' must come out not SUPPORTED and came out SUPPORTED: Mean effect 0.3",
        ),
        (
            {"null": FAILS},
            {"null": HOLDS},
            "Control 'null' must come out not SUPPORTED and came out DISAGREE: Mean .* find what "
            "is wrong with the control or with what 'gap' measures",
        ),
        (
            {"null": FAILS},
            {"null": DIVERGED},
            "Control 'null' .* came out INCONCLUSIVE: Effect not finite in jax, seed 4 of 10",
        ),
        (
            {"null": HOLDS, "teacher": FAILS},
            None,
            "Control 'teacher' must .* Control 'null' must",
        ),
    ],
)
def test_a_control_that_does_not_come_out_breaks_the_check(
    torch: Mapping[str, Any], jax: Mapping[str, Any] | None, message: str
) -> None:
    verdict = judged(torch, jax)
    assert (verdict.kind, verdict.p) == (Kind.BROKEN, None)
    assert re.match(message, verdict.reason)


@pytest.mark.parametrize("null", [FAILS, UNCLEAR, [0.0] * SEEDS])
def test_a_negative_control_may_be_refuted_or_inconclusive(null: Any) -> None:
    assert judged({"null": null}).kind == Kind.SUPPORTED


def test_a_failed_gate_leaves_the_claim_inconclusive() -> None:
    verdict = judged(gates={"trained": "loss 0.3 at width 64."})
    assert (verdict.kind, verdict.p, verdict.alone) == (
        Kind.INCONCLUSIVE,
        None,
        Kind.INCONCLUSIVE,
    )
    assert verdict.reason == "Gate 'trained' failed in jax: loss 0.3 at width 64."
    assert verdict.gates["trained"] == {"torch": "", "jax": "loss 0.3 at width 64."}
    assert verdict.hypotheses["gap"].kind == Kind.SUPPORTED  # kept, for the report


def test_a_gate_comes_before_a_refutation() -> None:
    assert judged({"gap": FAILS}, gates={"trained": "no"}).kind == Kind.INCONCLUSIVE


def test_a_broken_gate_comes_before_an_inconclusive_one() -> None:
    verdict = judged(gates={"trained": "loss 0.3", "psd": "eigenvalue -1"})
    assert (verdict.kind, verdict.reason) == (
        Kind.BROKEN,
        "Gate 'psd' failed in jax: eigenvalue -1.",
    )


def test_a_broken_control_comes_before_a_failed_gate() -> None:
    verdict = judged({"null": HOLDS}, gates={"trained": "loss 0.3"})
    assert verdict.kind == Kind.BROKEN
    assert verdict.reason.startswith("Control 'null'")


def test_a_diverged_seed_is_named_and_never_dropped() -> None:
    verdict = judged({}, {"gap": DIVERGED})
    assert (verdict.kind, verdict.p, verdict.alone) == (
        Kind.INCONCLUSIVE,
        None,
        Kind.INCONCLUSIVE,
    )
    assert verdict.reason.startswith(
        "Effects are not finite for 1 of 2 primary hypotheses. gap: 0.3000 [0.2922, 0.3079] (10 "
        "seeds in torch; "
        "needs > 0.05): Effect not finite in jax, seed 4 of 10"
    )
    assert np.isnan(verdict.effects["jax"]["gap"][4])
    gap = verdict.hypotheses["gap"]
    assert (gap.kind, gap.p, list(gap.backends)) == (Kind.INCONCLUSIVE, 1.0, ["torch"])
    assert gap.interval == pytest.approx((0.2922, 0.3078), abs=1e-4)


def test_seeds_diverged_in_every_backend_leave_no_estimate() -> None:
    gap = judged({"gap": np.full(SEEDS, np.inf)}).hypotheses["gap"]
    assert (gap.kind, gap.p, gap.backends) == (Kind.INCONCLUSIVE, 1.0, {})
    assert (
        "Effect not finite in torch, seed 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 of 10; effect not finite in "
        "jax" in gap.reason
    )


def test_a_diverged_primary_comes_before_another_that_is_refuted() -> None:
    assert judged({"gap": DIVERGED, "speed": FAILS}).kind == Kind.INCONCLUSIVE


def test_a_claim_says_that_the_bootstrap_keeps_it_from_support() -> None:
    """Student's t interval lies above the margin; the one that readers are shown, which holds both,
    does not.
    """
    skewed = (
        0.05
        - 0.25
        + np.array([0.30, 0.31, 0.32, 0.33, 0.34, 0.35, 0.36, 0.37, 0.38, 0.05])
    )
    verdict = judged({"gap": skewed})
    assert verdict.kind == Kind.INCONCLUSIVE
    gap = verdict.hypotheses["gap"]
    assert gap.backends["torch"].low > 0.05 > gap.interval[0]
    assert (
        "above the margin 0.05 by Student's t, but not by the studentised bootstrap ["
        in verdict.reason
    )


@pytest.mark.parametrize(
    "torch", [{}, {"gap": FAILS}, {"null": HOLDS}, {"gap": DIVERGED}]
)
def test_a_quick_verdict_says_so(torch: Mapping[str, Any]) -> None:
    assert (
        judged(torch, tier="quick").reason == f"At quick scale: {judged(torch).reason}"
    )


@pytest.mark.parametrize(
    ("values", "gates", "message"),
    [
        (
            {"bias": HOLDS},
            {},
            r"effects of claim 'toy' in jax must be exactly .*missing: \[\], not named: \['bias'\]",
        ),
        (
            {"gap": HOLDS[:9]},
            {},
            r"Effects of 'gap' in jax must be one per replicate, shape \(10,\); got \(9,\)",
        ),
        (
            {"gap": 0.3},
            {},
            r"Effects of 'gap' in jax must be numbers, one per seed, shape \(n,\); .* shape \(\)",
        ),
        ({"gap": ["a"] * 10}, {}, "Effects of 'gap' in jax must be numbers"),
        (
            {},
            {"loss": ""},
            r"gates of claim 'toy' in jax must be exactly .*not named: \['loss'\]",
        ),
        (
            {},
            {"psd": True},
            "Gate 'psd' must give \"\" where it holds, else what failed; got True",
        ),
    ],
)
def test_effects_and_gates_must_be_those_of_the_claim(
    values: Mapping[str, Any], gates: Mapping[str, Any], message: str
) -> None:
    with pytest.raises(InvalidInput, match=message):
        judged({}, values, gates=gates)


def test_effects_may_not_be_missing() -> None:
    study = Study(CLAIM, (), lambda measurements: {"gap": HOLDS}, planted_gates)
    with pytest.raises(
        InvalidInput,
        match=r"missing: \['null', 'offset', 'speed', 'teacher'\], not named: \[\]",
    ):
        judge(study, {"torch": measured({})}, "full", SEEDS)


def test_gates_may_not_be_missing() -> None:
    with pytest.raises(
        InvalidInput,
        match=r"gates of claim 'toy' in torch .*missing: \['psd', 'trained'\]",
    ):
        judge(
            Study(CLAIM, (), planted_effects),
            {"torch": measured(PLANTED)},
            "full",
            SEEDS,
        )


def test_tier_and_measurements_are_checked() -> None:
    study = Study(CLAIM, (), planted_effects, planted_gates)
    with pytest.raises(
        InvalidInput, match="Tier must be one of quick, full; got 'medium'"
    ):
        judge(study, {"torch": measured(PLANTED)}, "medium", SEEDS)
    with pytest.raises(InvalidInput, match="Claim 'toy' has no measurements"):
        judge(study, {}, "full", SEEDS)


def verdict_with(
    p: float | None, kind: Kind = Kind.SUPPORTED, tier: str = "full"
) -> ClaimVerdict:
    return ClaimVerdict(
        "toy",
        tier,
        kind,
        "At quick scale: Why." if tier == "quick" else "Why.",
        p=p,
        alone=kind,
    )


def test_holm_takes_support_from_what_is_not_significant_over_the_family() -> None:
    members = [Member("toys", 0.05, verdict_with(p)) for p in (0.03, 0.01, 0.04)]
    verdicts = judge_family(members, {"toys": 3})
    assert [v.p_family for v in verdicts] == pytest.approx([0.06, 0.03, 0.06])
    assert [v.kind for v in verdicts] == [
        Kind.INCONCLUSIVE,
        Kind.SUPPORTED,
        Kind.INCONCLUSIVE,
    ]
    assert [v.p for v in verdicts] == [0.03, 0.01, 0.04]
    assert {v.alone for v in verdicts} == {Kind.SUPPORTED}
    assert verdicts[1].reason == "Why."
    assert verdicts[0].reason == (
        "Alone SUPPORTED, p = 0.03; over the family 'toys' of 3 claims, Holm p = 0.06, above alpha "
        "= 0.05. Why."
    )


def test_claims_that_did_not_run_count_against_those_that_did() -> None:
    member = ("toys", 0.05, verdict_with(0.02))
    assert judge_family([member], {"toys": 2})[0].kind == Kind.SUPPORTED
    assert judge_family([member], {"toys": 3})[0].kind == Kind.INCONCLUSIVE


@pytest.mark.parametrize("kind", [Kind.BROKEN, Kind.NOT_RUN, Kind.INCONCLUSIVE])
def test_a_member_without_p_counts_as_one_that_did_not_run(kind: Kind) -> None:
    without = verdict_with(None, kind)
    verdicts = judge_family(
        [("toys", 0.05, without), ("toys", 0.05, verdict_with(0.03))], {"toys": 2}
    )
    assert verdicts[0] == without
    assert (verdicts[1].p_family, verdicts[1].kind) == (
        pytest.approx(0.06),
        Kind.INCONCLUSIVE,
    )


@pytest.mark.parametrize("kind", [Kind.REFUTED, Kind.INCONCLUSIVE, Kind.DISAGREE])
def test_other_verdicts_stay_as_they_are_in_a_family(kind: Kind) -> None:
    alone = verdict_with(0.4, kind)
    (verdict,) = judge_family([("toys", 0.05, alone)], {"toys": 2})
    assert verdict == replace(alone, p_family=0.8)


def test_families_and_tiers_are_corrected_apart() -> None:
    members = [
        ("toys", 0.05, verdict_with(0.03)),
        ("games", 0.05, verdict_with(0.03)),
        ("toys", 0.05, verdict_with(0.03, tier="quick")),
    ]
    verdicts = judge_family(members, {"toys": 1, "games": 2})
    assert [v.kind for v in verdicts] == [
        Kind.SUPPORTED,
        Kind.INCONCLUSIVE,
        Kind.SUPPORTED,
    ]


def test_a_quick_verdict_still_says_so_after_the_family() -> None:
    (verdict,) = judge_family(
        [("toys", 0.01, verdict_with(0.03, tier="quick"))], {"toys": 1}
    )
    assert verdict.reason.startswith(
        "At quick scale: Alone SUPPORTED, p = 0.03; over the family"
    )
    assert verdict.reason.endswith("above alpha = 0.01. Why.")


def test_family_sizes_must_be_registered_and_large_enough() -> None:
    with pytest.raises(
        InvalidInput, match="Family 'toys' has no registered size; known: games"
    ):
        judge_family([("toys", 0.05, verdict_with(0.03))], {"games": 1})
    with pytest.raises(InvalidInput, match="A family of 1 cannot have 2 p-values"):
        judge_family([("toys", 0.05, verdict_with(0.03))] * 2, {"toys": 1})


def test_what_was_not_run_or_broke_says_why() -> None:
    skipped = not_run(CLAIM, "full", "needs a GPU")
    assert (skipped.claim, skipped.kind, skipped.reason, skipped.p) == (
        "toy",
        Kind.NOT_RUN,
        "needs a GPU",
        None,
    )
    failed = broken(CLAIM, "quick", "2 cells failed")
    assert (failed.kind, failed.reason, failed.p) == (
        Kind.BROKEN,
        "At quick scale: 2 cells failed",
        None,
    )


def test_an_effect_outside_its_registered_bounds_is_no_effect() -> None:
    bounded = replace(
        CLAIM, hypotheses=(hypothesis("gap", bounds=(0.0, 0.31)), *CLAIM.hypotheses[1:])
    )
    with pytest.raises(
        InvalidInput,
        match=r"'gap' in torch must lie in the registered bounds \[0, 0.31\]; seed 7 has",
    ):
        judged(claim=bounded)
    wide = replace(
        bounded,
        hypotheses=(hypothesis("gap", bounds=(0.0, 0.4)), *CLAIM.hypotheses[1:]),
    )
    assert judged(claim=wide).kind == Kind.SUPPORTED
