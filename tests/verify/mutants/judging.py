"""Defects of judging a claim, of its registration, and of what pytest says about it."""

from dataclasses import replace

from tests.verify.mutants.defect import Defects

DEFECTS = Defects()
plant = DEFECTS.plant

JUDGE = "tests/harness/test_judge.py::"
CONTROL = f"{JUDGE}test_a_control_that_does_not_come_out_breaks_the_check"
REGISTRATION = "tests/harness/registration/test_registration.py::"
OUTCOMES = "tests/harness/test_plugin.py::test_each_verdict_has_its_outcome"


@plant("harness.judge:_broken_controls", CONTROL)
def controls_ignored(broken_controls, claim, controls, effects):
    """A control that does not come out as planted is passed over."""
    return []


@plant("harness.judge:as_planted", CONTROL)
def disagreeing_control_passes(as_planted, control, verdict):
    """A control that must not be supported passes when the backends do not agree on it."""
    return as_planted(control, verdict) or (
        control.expected != "SUPPORTED" and verdict.kind == "DISAGREE"
    )


@plant(
    "harness.judge:_failures",
    f"{JUDGE}test_a_failed_gate_leaves_the_claim_inconclusive",
)
def gates_ignored(failures, claim, gates):
    """A gate that failed is passed over."""
    return []


@plant(
    "harness.judge:_failures",
    f"{JUDGE}test_a_broken_gate_comes_before_an_inconclusive_one",
)
def broken_gate_is_inconclusive(failures, claim, gates):
    """A failed gate that says the check is broken leaves the claim inconclusive."""
    return [
        (replace(gate, failure="INCONCLUSIVE"), text)
        for gate, text in failures(claim, gates)
    ]


@plant("harness.study:Statement.primary", f"{JUDGE}test_conjunction")
def secondary_counts_as_primary(primary, self):
    """A secondary hypothesis takes part in the verdict."""
    return self.hypotheses


@plant("harness.judge:_conjunction", f"{JUDGE}test_conjunction")
def inconclusive_counts_as_supported(conjunction, claim, hypotheses):
    """A primary hypothesis that the seeds do not decide leaves the claim supported."""
    kind, reason = conjunction(claim, hypotheses)
    return "SUPPORTED" if kind == "INCONCLUSIVE" else kind, reason


@plant("harness.judge:_scale", f"{JUDGE}test_a_quick_verdict_says_so")
def quick_scale_not_said(scale, tier):
    """A verdict at quick scale does not say so."""
    return ""


@plant(
    "harness.judge:judge_family",
    f"{JUDGE}test_holm_takes_support_from_what_is_not_significant_over_the_family",
)
def family_correction_skipped(judge_family, members, family_sizes):
    """The verdict of a claim is not corrected for the others of its family."""
    return [verdict for _, _, verdict in members]


@plant(
    "harness.judge:holm",
    f"{JUDGE}test_a_member_without_p_counts_as_one_that_did_not_run",
)
def claims_that_did_not_run_help(holm, p, size):
    """A claim of the family that did not run counts with p = 0."""
    return holm([0.0 if value == 1.0 else value for value in p], size)


# Registration


@plant(
    "harness.registration.ledger:check",
    f"{REGISTRATION}test_a_changed_claim_is_broken_whatever_it_would_have_been",
)
def registration_not_asked_for(check, study, folder):
    """A claim that is not what was registered is judged all the same."""
    said = check(study, folder)
    return "" if "unregistered change" in said else said


@plant(
    "harness.registration.ledger:_check",
    f"{REGISTRATION}test_what_was_altered_by_hand_is_named",
)
def history_may_be_rewritten(check, found, content, claim):
    """A record or a log of amendments that was altered by hand is not noticed."""


@plant(
    "harness.registration.code:code_of",
    f"{REGISTRATION}test_code_behind_the_effects_is_registered",
)
def code_not_registered(code_of, study):
    """The code of a claim's effects can be changed after the run without anyone being told."""
    code = code_of(study)
    return replace(code, digest="the same" if code.digest else "")


@plant(
    "harness.registration.rules:objections",
    f"{REGISTRATION}test_what_the_rules_of_evidence_forbid_is_not_registered",
)
def weak_checks_are_registered(objections, study, family=1):
    """What the rules of evidence forbid is registered all the same."""
    return []


# Pytest


@plant("harness.studies:recorded", OUTCOMES)
def recorded_verdict_ignored(recorded, folder):
    """What verdicts.toml records has no effect on the outcome."""
    return {}
