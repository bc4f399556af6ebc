"""The decision: per-seed effects of each backend, held against a registered rule, become a verdict."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from harness.claim import Equivalence, Rule, Superiority

__all__ = ["Agreement", "ClaimVerdict", "Equivalence", "Estimate", "Kind", "Superiority", "Verdict"]


class Kind(StrEnum):
    """What a verdict can be."""

    SUPPORTED = "SUPPORTED"
    REFUTED = "REFUTED"
    INCONCLUSIVE = "INCONCLUSIVE"
    DISAGREE = "DISAGREE"
    NOT_RUN = "NOT_RUN"
    BROKEN = "BROKEN"


@dataclass(frozen=True)
class Estimate:
    """The effect in one backend: mean and sd over n seeds, the t interval (low, high) of level 1 - 2 alpha, and p."""

    n: int
    mean: float
    sd: float
    low: float
    high: float
    p: float


@dataclass(frozen=True)
class Agreement:
    """Paired TOST of two backends: mean difference, its 1 - 2 alpha interval, the margin, p, and whether they agree."""

    backends: tuple[str, str]
    margin: float
    difference: float
    low: float
    high: float
    p: float
    agree: bool


@dataclass(frozen=True)
class Verdict:
    """The verdict on one hypothesis.

    `p` is the larger p of the backends, `interval` the smallest interval that holds the 1 - 2 alpha intervals of all of
    them, `reason` one sentence that a reader can check against the numbers.
    """

    kind: Kind
    p: float
    interval: tuple[float, float]
    reason: str
    backends: Mapping[str, Estimate]
    agreement: Agreement | None = None


@dataclass(frozen=True)
class ClaimVerdict:
    """The verdict on a claim: its primary hypotheses together, after gates, controls and the family's Holm correction.

    Args:
        claim: the claim's id.
        tier: "quick" or "full".
        kind, reason: the verdict.
        p: largest p of the primary hypotheses and backends (intersection-union); None where nothing was decided.
        p_family: the same after Holm over the family; None until the family is known.
        alone: the verdict without the family correction.
        hypotheses, controls: name -> verdict of each.
        gates: gate name -> backend -> "" where it holds, else what failed.
        effects: backend -> name -> one effect per seed.
    """

    claim: str
    tier: str
    kind: Kind
    reason: str
    p: float | None = None
    p_family: float | None = None
    alone: Kind | None = None
    hypotheses: Mapping[str, Verdict] = field(default_factory=dict)
    controls: Mapping[str, Verdict] = field(default_factory=dict)
    gates: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    effects: Mapping[str, Mapping[str, tuple[float, ...]]] = field(default_factory=dict)
