"""The content of verdicts.json: what was claimed, registered, measured and decided, as plain JSON.

It holds no time, host or path, so two builds from the same store are byte-identical. What differs
from run to run is in run.json (`harness.report.run`). Its JSON Schema is `verdicts.schema.json`
beside this file.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from harness.errors import InvalidInput
from harness.judge import as_planted
from harness.plots import Figure
from harness.report.calibration import Calibration
from harness.report.values import plain
from harness.report.versions import VERSION
from harness.statistics.power import power
from harness.statistics.replication import replication
from harness.study import Control, Hypothesis, Study
from harness.verdict import ClaimVerdict, Kind

Json = dict[str, Any]
OUTCOME = ("kind", "reason", "beside", "p", "p_family", "alone")


@dataclass(frozen=True)
class Amendment:
    """A line of a claim's registration log: when, why, whether results had been seen, what changed
    to which digest.

    The first line is the registration itself, and changes nothing. `time` (UTC, in seconds) and
    `commit` are None in lines of before they were written down; `no_commit` says why a later one
    names no commit. `fresh_seeds`: all seeds of the claim are other ones than before;
    `rule_changed`: a hypothesis has another rule or margin.
    """

    date: str
    reason: str
    results_seen: bool
    digest: str
    changed: Sequence[str] = ()
    time: str | None = None
    commit: str | None = None
    no_commit: str = ""
    withdrawn: bool = False
    fresh_seeds: bool = False
    rule_changed: bool = False


@dataclass(frozen=True)
class Unclaimed:
    """A registration that no claim file stands for: "withdrawn", "missing" or "altered"; and in
    words.
    """

    claim: str
    state: str
    words: str


@dataclass(frozen=True)
class Entry:
    """Everything the report says about one claim.

    Args:
        study, verdict: the claim's file, and what was decided.
        registration: digest of what was registered.
        replicates: seeds planned at this tier.
        figures: as plain data.
        cells: number of cells that the verdict rests on.
        recorded: the verdict recorded for this tier, if any.
        calibration: hypothesis -> error rates of its rule, where they were simulated for this
            registration.
        calibration_of_claim: the same of the claim, all primary hypotheses together.
        stale: how many of the cells were computed by other code than the present.
        history: the registration and its amendments, in order; empty if the claim is not registered
            as it is.
    """

    study: Study
    verdict: ClaimVerdict
    registration: str
    replicates: int
    figures: Sequence[Figure] = ()
    cells: int = 0
    stale: int = 0
    recorded: str | None = None
    calibration: Mapping[str, Calibration] = field(default_factory=dict)
    calibration_of_claim: Calibration | None = None
    history: Sequence[Amendment] = ()


def document(
    entries: Sequence[Entry],
    tier: str,
    backends: Sequence[str],
    environment: Mapping[str, Mapping[str, Any]],
    *,
    unclaimed: Sequence[Unclaimed] = (),
) -> Json:
    """The content of verdicts.json.

    Args:
        entries: one per claim, in the order of the report.
        tier: "quick" or "full".
        backends: in the order in which the report names them.
        environment: "torch", "jax", ... -> name -> value, e.g. versions, device, precision; nothing
            that has a time.
        unclaimed: registrations without a claim file.

    Returns:
        JSON values. Numbers that are not finite are None; `not_finite` lists them by JSON pointer.

    Raises:
        InvalidInput: if an entry's verdict is another claim's or tier's, a claim comes twice, or a
            figure's columns have different lengths or labels that repeat.
    """
    _check_entries(entries, tier)
    counts = Counter(entry.verdict.kind for entry in entries)
    not_finite: dict[str, str] = {}
    content: Json = plain(
        {
            "version": VERSION,
            "tier": tier,
            "backends": list(backends),
            "counts": {kind: counts[kind] for kind in Kind},
            "claims": [_claim(entry) for entry in entries],
            "unclaimed": list(unclaimed),
            "environment": environment,
        },
        not_finite,
    )
    return {**content, "not_finite": not_finite}


def in_words_stale(stale: int, cells: int) -> str:
    """Stale cells, in a sentence.

    >>> in_words_stale(2, 6)
    '2 of 6 cells were computed by other code than the present.'
    """
    return f"{stale} of {cells} cells were computed by other code than the present."


def _check_entries(entries: Sequence[Entry], tier: str) -> None:
    ids = [entry.study.claim.id for entry in entries]
    twice = [claim for claim, times in Counter(ids).items() if times > 1]
    if twice:
        raise InvalidInput(
            f"The report has entries for a claim twice: {', '.join(twice)}. Each claim has one."
        )
    for entry in entries:
        claim, verdict = entry.study.claim.id, entry.verdict
        if (verdict.claim, verdict.tier) != (claim, tier):
            raise InvalidInput(
                f"The entry of claim {claim!r} at tier {tier!r} holds the verdict of claim "
                f"{verdict.claim!r} "
                f"at tier {verdict.tier!r}. Both must be the same."
            )
        for figure in entry.figures:
            _check_figure(claim, figure)


def _check_figure(claim: str, figure: Figure) -> None:
    labels = [series.label for series in figure.series]
    if len(set(labels)) < len(labels):
        raise InvalidInput(
            f"Figure {figure.title!r} of claim {claim!r} uses a label twice: {labels}."
        )
    named = {isinstance(x, str) for series in figure.series for x in series.x}
    if len(named) > 1 or (True in named and figure.log_x):
        raise InvalidInput(
            f"Figure {figure.title!r} of claim {claim!r} has names on its x axis, so all of x must "
            "be names, and the "
            f"axis cannot be logarithmic; got log_x={figure.log_x} and x = "
            f"{[list(s.x) for s in figure.series]}."
        )
    for series in figure.series:
        columns = {"x": series.x, "y": series.y, "low": series.low, "high": series.high}
        lengths = {
            name: len(column) for name, column in columns.items() if column is not None
        }
        if len(set(lengths.values())) > 1 or (series.low is None) != (
            series.high is None
        ):
            raise InvalidInput(
                f"Series {series.label!r} of figure {figure.title!r} of claim {claim!r} has "
                "columns of lengths "
                f"{lengths}. x, y and, where given, both low and high must have one length."
            )


def _claim(entry: Entry) -> Json:
    study, claim, verdict = (
        entry.study,
        entry.study.claim.at(entry.verdict.tier),
        entry.verdict,
    )
    return {
        **{
            name: getattr(claim, name)
            for name in (
                "id",
                "title",
                "statement",
                "operationalised",
                "departs",
                "limits",
            )
        },
        "paper": claim.paper,
        "family": claim.family,
        "registration": entry.registration,
        "history": list(entry.history),
        "tier": verdict.tier,
        "scale": f"at {verdict.tier} scale",
        "tier_note": study.tier_note.get(verdict.tier, ""),
        "replicates": entry.replicates,
        "cells": entry.cells,
        "stale": entry.stale,
        "verdict": {name: getattr(verdict, name) for name in OUTCOME},
        "recorded": entry.recorded,
        "calibration": entry.calibration_of_claim,
        "hypotheses": [
            _hypothesis(hypothesis, entry) for hypothesis in claim.hypotheses
        ],
        "controls": [_control(control, verdict) for control in claim.controls],
        "gates": [
            {**asdict(gate), "failures": verdict.gates.get(gate.name, {})}
            for gate in claim.gates
        ],
        "effects": verdict.effects,
        "figures": list(entry.figures),
    }


def _hypothesis(hypothesis: Hypothesis, entry: Entry) -> Json:
    rule = hypothesis.rule
    return {
        "name": hypothesis.name,
        "label": hypothesis.title,
        "scale": hypothesis.scale,
        "statement": hypothesis.statement.replace("{}", "…"),
        "sentence": hypothesis.sentence("{}"),
        "role": hypothesis.role,
        "against_title": hypothesis.against_title,
        "rule": {"kind": type(rule).__name__, **asdict(rule), "words": rule.describe()},
        "why_margin": hypothesis.why_margin,
        "registered": {
            "effect": hypothesis.expected_effect,
            "sd": hypothesis.expected_sd,
            "power": _power(hypothesis, entry.replicates),
        },
        "published": _published(hypothesis, entry.verdict),
        "calibration": entry.calibration.get(hypothesis.name),
        "verdict": entry.verdict.hypotheses.get(hypothesis.name),
    }


def _published(hypothesis: Hypothesis, verdict: ClaimVerdict) -> Json | None:
    """The paper's number, and in one sentence per backend how ours stands to it."""
    number = hypothesis.published
    if number is None:
        return None
    found = {
        backend: effects.get(hypothesis.name, ())
        for backend, effects in verdict.effects.items()
    }
    held = {
        b: replication(e, number.value).reason
        for b, e in found.items()
        if len(e) > 1 and np.isfinite(e).all()
    }
    return {**asdict(number), "held_against": held}


def _power(hypothesis: Hypothesis, replicates: int) -> float | None:
    """Power in one backend with the planned seeds; None where there is no such thing."""
    if replicates < 2 or not hypothesis.expected_sd > 0:
        return None
    return power(
        hypothesis.rule, hypothesis.expected_effect, hypothesis.expected_sd, replicates
    )


def _control(control: Control, verdict: ClaimVerdict) -> Json:
    outcome = verdict.controls.get(control.name)
    passed = None if outcome is None else as_planted(control, outcome)
    return {**asdict(control), "passed": passed, "verdict": outcome}
