"""The verdict on a claim: its effects, gates and controls in every backend, and then its family.

What comes first decides (DESIGN: rules of evidence 4 to 6):

    0. NOT_RUN        a primary hypothesis or a control whose data set is not there
    1. BROKEN         a control that does not come out as planted, or a failed gate whose failure
                      is BROKEN
    2. INCONCLUSIVE   any other failed gate, or a primary effect that is not finite
    3. DISAGREE       a primary hypothesis on which the backends do not agree
    4. SUPPORTED      every primary hypothesis is supported
       REFUTED        any is refuted
       INCONCLUSIVE   otherwise
    5. INCONCLUSIVE   instead of SUPPORTED: by Holm over the family of claims, once the session ends

REFUTED is not corrected, neither for primary hypotheses nor for the family: with k hypotheses whose
means lie on their margins, up to k alpha of such claims come out REFUTED.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from harness.errors import InvalidInput
from harness.experiment import TIERS, Absent, Measurements
from harness.reason import against, holds, stands_beside
from harness.statistics.multiplicity import holm
from harness.study import Control, Effects, Gate, Hypothesis, Statement, Study
from harness.verdict import (
    ClaimVerdict,
    Kind,
    Sample,
    Verdict,
    as_sample,
    decide,
    not_finite,
)

Samples = Mapping[str, Mapping[str, Sample]]
Texts = Mapping[str, str]
GateTexts = Mapping[str, Texts]


class Member(NamedTuple):
    """A claim's verdict as a member of its family; alpha is the level that Holm holds over the
    family.
    """

    family: str
    alpha: float
    verdict: ClaimVerdict


def judge(
    study: Study, measurements: Mapping[str, Measurements], tier: str, replicates: int
) -> ClaimVerdict:
    """The verdict on one claim, before its family is known.

    Args:
        study: the claim and how measurements become effects and gates.
        measurements: backend -> its measurements.
        tier: "quick" or "full".
        replicates: the registered number of seeds; every effect has shape (replicates,).

    Raises:
        InvalidInput: if effects or gates are not those that the claim names, or an effect has
            another shape.
    """
    if tier not in TIERS:
        raise InvalidInput(f"Tier must be one of {', '.join(TIERS)}; got {tier!r}.")
    if not measurements:
        raise InvalidInput(
            f"Claim {study.claim.id!r} has no measurements; give those of at least one backend."
        )
    claim = study.claim.at(tier)
    given = {backend: study.effects(found) for backend, found in measurements.items()}
    absent = {
        name: one.reason
        for own in given.values()
        for name, one in own.items()
        if isinstance(one, Absent)
    }
    needed = [hypothesis.name for hypothesis in claim.primary] + [
        control.name for control in claim.controls
    ]
    if missing := [name for name in needed if name in absent]:
        return not_run(
            claim, tier, f"{_quoted(missing)} cannot be measured. {absent[missing[0]]}"
        )
    effects = {
        backend: _effects(claim, own, absent, backend=backend, replicates=replicates)
        for backend, own in given.items()
    }
    gates = _gates(study, measurements)
    hypotheses = {
        h.name: _verdict(
            h.name, h, effects, replicates=replicates, absent=absent.get(h.name, "")
        )
        for h in claim.hypotheses
    }
    controls = {
        c.name: _verdict(
            c.name, claim.hypothesis(c.hypothesis), effects, replicates=replicates
        )
        for c in claim.controls
    }
    obstacle = _obstacle(
        claim, hypotheses=hypotheses, controls=controls, gates=gates, effects=effects
    )
    kind, reason = obstacle or _conjunction(claim, hypotheses)
    return ClaimVerdict(
        claim=claim.id,
        tier=tier,
        kind=kind,
        reason=_scale(tier)
        + (f"In {next(iter(measurements))} alone. " if len(measurements) == 1 else "")
        + reason,
        p=None if obstacle else max(hypotheses[h.name].p for h in claim.primary),
        alone=kind,
        beside=stands_beside(claim, hypotheses, kind),
        hypotheses=hypotheses,
        controls=controls,
        gates=gates,
        effects={
            b: {name: tuple(sample.tolist()) for name, sample in e.items()}
            for b, e in effects.items()
        },
    )


def judge_family(
    members: Sequence[tuple[str, float, ClaimVerdict]], family_sizes: Mapping[str, int]
) -> list[ClaimVerdict]:
    """The verdicts after Holm within each family (and tier), in the order given.

    A SUPPORTED claim whose adjusted p exceeds its alpha becomes INCONCLUSIVE. Members without a p,
    and members that did not run, count with p = 1. Pass every verdict of the session, `Member`s or
    plain tuples, and each family's registered number of claims.

    Raises:
        InvalidInput: if a family has no registered size, or more members than that.
    """
    families = defaultdict(list)
    for index, (family, _, verdict) in enumerate(members):
        families[family, verdict.tier].append(index)
    adjusted: dict[int, float] = {}
    for (family, _), indices in families.items():
        if family not in family_sizes:
            raise InvalidInput(
                f"Family {family!r} has no registered size; known: "
                f"{', '.join(family_sizes) or 'none'}."
            )
        p = [1.0 if (own := members[index][2].p) is None else own for index in indices]
        adjusted.update(
            zip(indices, holm(p, family_sizes[family]).tolist(), strict=True)
        )
    return [
        _in_family(Member(*member), adjusted[index], family_sizes[member[0]])
        for index, member in enumerate(members)
    ]


def not_run(claim: Statement, tier: str, reason: str) -> ClaimVerdict:
    """The verdict on a claim that was not run, and why."""
    return ClaimVerdict(claim.id, tier, Kind.NOT_RUN, reason, alone=Kind.NOT_RUN)


def broken(claim: Statement, tier: str, reason: str) -> ClaimVerdict:
    """The verdict on a claim whose check itself failed: cells missing, an error in its code."""
    return ClaimVerdict(
        claim.id, tier, Kind.BROKEN, _scale(tier) + reason, alone=Kind.BROKEN
    )


def _effects(
    claim: Statement, given: Effects, absent: Texts, *, backend: str, replicates: int
) -> dict[str, Sample]:
    names = [h.name for h in claim.hypotheses] + [c.name for c in claim.controls]
    _check_names("effects", claim, backend, given=given, named=names)
    found = {
        name: values
        for name, values in given.items()
        if not isinstance(values, Absent) and name not in absent
    }
    effects = {
        name: as_sample(values, f"{name!r} in {backend}")
        for name, values in found.items()
    }
    for name, sample in effects.items():
        if sample.size != replicates:
            raise InvalidInput(
                f"Effects of {name!r} in {backend} must be one per replicate, shape "
                f"({replicates},); "
                f"got {sample.shape}. A diverged seed is reported as NaN, never dropped."
            )
    for hypothesis in (h for h in claim.hypotheses if h.name in effects):
        _check_bounds(hypothesis, effects[hypothesis.name], backend)
    return effects


def _check_bounds(hypothesis: Hypothesis, sample: Sample, backend: str) -> None:
    low, high = hypothesis.bounds or (-math.inf, math.inf)
    outside = [
        (seed, effect)
        for seed, effect in enumerate(sample)
        if effect < low or effect > high
    ]
    if outside:
        seed, effect = outside[0]
        raise InvalidInput(
            f"Effects of {hypothesis.name!r} in {backend} must lie in the registered bounds "
            f"[{low:g}, {high:g}]; seed "
            f"{seed} has {effect:g}. Either the measure is not what was registered, or amend the "
            "bounds."
        )


def _gates(
    study: Study, measurements: Mapping[str, Measurements]
) -> dict[str, dict[str, str]]:
    names = [gate.name for gate in study.claim.gates]
    texts: dict[str, dict[str, str]] = {name: {} for name in names}
    for backend, found in measurements.items():
        given = study.gates(found)
        _check_names("gates", study.claim, backend, given=given, named=names)
        for name, text in given.items():
            if not isinstance(text, str):
                raise InvalidInput(
                    f'Gate {name!r} must give "" where it holds, else what failed; got {text!r}.'
                )
            texts[name][backend] = text
    return texts


def _check_names(
    what: str,
    claim: Statement,
    backend: str,
    *,
    given: Iterable[str],
    named: Sequence[str],
) -> None:
    missing, unknown = sorted(set(named) - set(given)), sorted(set(given) - set(named))
    if missing or unknown:
        raise InvalidInput(
            f"The {what} of claim {claim.id!r} in {backend} must be exactly those that it names, "
            f"{list(named)}; "
            f"missing: {missing}, not named: {unknown}."
        )


def _verdict(
    name: str,
    hypothesis: Hypothesis,
    effects: Samples,
    *,
    replicates: int,
    absent: str = "",
) -> Verdict:
    """Decide what is finite; effects with a diverged seed have no estimate, and the verdict says
    which seed.
    """
    if absent:
        return Verdict(Kind.NOT_RUN, 1.0, (0.0, 0.0), absent, {})
    samples = {backend: of_backend[name] for backend, of_backend in effects.items()}
    finite = {
        backend: sample for backend, sample in samples.items() if not not_finite(sample)
    }
    agreement = hypothesis.agreement
    if len(finite) == len(samples):
        return decide(
            samples,
            hypothesis.rule,
            agreement=agreement,
            min_seeds=replicates,
            scale=hypothesis.scale,
        )
    reason = "; ".join(
        f"effect not finite in {backend}, seed {', '.join(map(str, seeds))} of {replicates}"
        for backend, sample in samples.items()
        if (seeds := not_finite(sample))
    )
    reason = (
        f"{reason[0].upper()}{reason[1:]}: nothing can be decided without those seeds."
    )
    if not finite:
        return Verdict(Kind.INCONCLUSIVE, 1.0, (0.0, 0.0), reason, {})
    known = decide(
        finite,
        hypothesis.rule,
        agreement=agreement,
        min_seeds=replicates,
        scale=hypothesis.scale,
    )
    return Verdict(Kind.INCONCLUSIVE, 1.0, known.interval, reason, known.backends)


def _obstacle(
    claim: Statement,
    *,
    hypotheses: Mapping[str, Verdict],
    controls: Mapping[str, Verdict],
    gates: GateTexts,
    effects: Samples,
) -> tuple[Kind, str] | None:
    """What keeps any verdict from counting, or None."""
    failures = _failures(claim, gates)
    broke = _broken_controls(claim, controls, effects) + [
        text for gate, text in failures if gate.failure == "BROKEN"
    ]
    if broke:
        return Kind.BROKEN, " ".join(broke)
    if failures:
        return Kind.INCONCLUSIVE, " ".join(text for _, text in failures)
    if diverged := [h.name for h in claim.primary if _diverged(h.name, effects)]:
        return Kind.INCONCLUSIVE, against(
            "Effects are not finite for", claim, hypotheses, diverged
        )
    return None


def _conjunction(
    claim: Statement, hypotheses: Mapping[str, Verdict]
) -> tuple[Kind, str]:
    for kind, headline in (
        (Kind.DISAGREE, "The backends do not agree on"),
        (Kind.REFUTED, "Refuted by"),
        (Kind.INCONCLUSIVE, "Not decided by"),
    ):
        if names := [h.name for h in claim.primary if hypotheses[h.name].kind == kind]:
            return kind, against(headline, claim, hypotheses, names)
    return Kind.SUPPORTED, holds(claim, hypotheses)


def _broken_controls(
    claim: Statement, controls: Mapping[str, Verdict], effects: Samples
) -> list[str]:
    failed = [
        c
        for c in claim.controls
        if _diverged(c.name, effects) or not as_planted(c, controls[c.name])
    ]
    return [
        f"Control {control.name!r} must come out {control.expected} and came out "
        f"{controls[control.name].kind}: {controls[control.name].reason} Its truth is known by "
        "construction, so find what is wrong with the control or with what "
        f"{control.hypothesis!r} measures."
        for control in failed
    ]


def as_planted(control: Control, verdict: Verdict) -> bool:
    """Whether a control came out as its planted truth asks; one on which the backends disagree did
    not.
    """
    if control.expected == "SUPPORTED":
        return verdict.kind == Kind.SUPPORTED
    return verdict.kind in (Kind.REFUTED, Kind.INCONCLUSIVE) and bool(verdict.backends)


def _failures(claim: Statement, gates: GateTexts) -> list[tuple[Gate, str]]:
    return [
        (gate, f"Gate {gate.name!r} failed in {backend}: {text.rstrip('.')}.")
        for gate in claim.gates
        for backend, text in gates[gate.name].items()
        if text
    ]


def _diverged(name: str, effects: Samples) -> bool:
    return any(not_finite(of_backend[name]) for of_backend in effects.values())


def _in_family(member: Member, p_family: float, size: int) -> ClaimVerdict:
    verdict = member.verdict
    if verdict.p is None:
        return verdict
    if verdict.kind != Kind.SUPPORTED or p_family <= member.alpha:
        return replace(verdict, p_family=p_family)
    scale = _scale(verdict.tier)
    reason = (
        f"{scale}Alone SUPPORTED, p = {verdict.p:.2g}; over the family {member.family!r} of {size} "
        "claims, "
        f"Holm p = {p_family:.2g}, above alpha = {member.alpha:g}. "
        f"{verdict.reason.removeprefix(scale)}"
    )
    return replace(verdict, kind=Kind.INCONCLUSIVE, reason=reason, p_family=p_family)


def _scale(tier: str) -> str:
    return "" if tier == "full" else f"At {tier} scale: "


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(repr(name) for name in names)
