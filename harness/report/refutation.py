"""How surely a refuted effect lies beyond its margin: the p of the refutation, from its seeds."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from harness.report.findings import rule_of
from harness.statistics.intervals import BOOTSTRAP_SEEDS, Bootstrap, p_above, varies
from harness.study import Difference, Rule, Superiority

Json = Mapping[str, Any]


def p_refuted(claim: Json, hypothesis: Json) -> float | None:
    """The larger p over backends, Student's t and bootstrap, of "the mean is not refuting".

    One-sided at the margin that the effects lie beyond, as the verdict is; None where effects are
    missing, are not finite, or do not vary over seeds.

    Args:
        claim, hypothesis: of verdicts.json.

    >>> claim = {"effects": {"jax": {"gap": [0.1, 0.11, 0.12, 0.1, 0.09]}}}
    >>> rule = {"kind": "Superiority", "margin": 0.2}
    >>> p_refuted(claim, {"name": "gap", "rule": rule}) < 0.05
    True
    """
    samples = [
        effects[hypothesis["name"]]
        for effects in claim["effects"].values()
        if hypothesis["name"] in effects
    ]
    found = [_of_sample(sample, rule_of(hypothesis)) for sample in samples]
    known = [p for p in found if p is not None]
    return max(known) if known and len(known) == len(found) else None


def _of_sample(values: ArrayLike, rule: Rule) -> float | None:
    sample = np.asarray(values, dtype=float)
    if sample.size < 2 or not np.isfinite(sample).all() or not varies(sample):
        return None
    upper = float(p_above(sample, rule.margin)), float(p_above(-sample, -rule.margin))
    lower = float(p_above(sample, -rule.margin)), float(p_above(-sample, rule.margin))
    p = _against(rule, upper, lower)
    if sample.size < BOOTSTRAP_SEEDS:
        return p
    drawn = Bootstrap.of(sample)
    upper = drawn.p_above(rule.margin), drawn.p_below(rule.margin)
    lower = drawn.p_above(-rule.margin), drawn.p_below(-rule.margin)
    return max(p, _against(rule, upper, lower))


def _against(
    rule: Rule, upper: tuple[float, float], lower: tuple[float, float]
) -> float:
    """p of the refuting region, from p of "not above" and "not below" the margin and minus it."""
    if isinstance(rule, Superiority):
        return upper[1]
    if isinstance(rule, Difference):
        return max(upper[1], lower[0])
    return min(upper[0], lower[1])
