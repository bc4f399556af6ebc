"""A claim: what a paper says, how we measure it, and the rule that decides, fixed before the run.

A claim rests on hypotheses. Each is one effect per seed held against a margin. The primary ones
make the verdict: all of them must hold (intersection-union). Secondary ones (ablations, arms that
the paper does not have) get verdicts of their own, beside it. Controls are experiments with a
planted truth that go through the same rule and code.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, ClassVar, Literal

import numpy as np

from harness.errors import InvalidInput
from harness.experiment import TIERS, Absent, Experiment, Measurements
from harness.plots import Figure

Role = Literal["primary", "secondary"]
Expected = Literal["SUPPORTED", "not SUPPORTED"]
Effects = Mapping[str, np.ndarray | Absent]


@dataclass(frozen=True)
class _Rule:
    """A rule on the mean effect: margins cut the line of effects into regions, of which some
    support the hypothesis.

    Raises:
        InvalidInput: if the margin is not finite, or not positive where the rule has one on either
            side; or if alpha lies outside (0, 0.5).
    """

    margin: float
    alpha: float = 0.05

    supports: ClassVar[tuple[bool, ...]]
    """For each region, from the lowest: whether a mean in it supports the hypothesis; else it
    refutes it.
    """
    of_margin: ClassVar[str]
    """The rule's margin in words, for messages."""

    def __post_init__(self) -> None:
        if not np.isfinite(self.margin):
            raise InvalidInput(f"A margin must be finite; got {self.margin!r}.")
        if not 0 < self.alpha < 0.5:
            raise InvalidInput(f"alpha must lie in (0, 0.5); got {self.alpha!r}.")
        if len(self.cuts) > 1 and self.margin <= 0:
            raise InvalidInput(
                f"{self.of_margin} must be positive; got {self.margin!r}."
            )

    @property
    def end(self) -> float:
        """Level of one end of the interval that decides."""
        return self.alpha

    @property
    def cuts(self) -> tuple[float, ...]:
        """Where the line of effects is cut into regions."""
        return (-self.margin, self.margin)


@dataclass(frozen=True)
class Superiority(_Rule):
    """The mean effect exceeds the margin: one-sided t over seeds at level alpha."""

    supports = (False, True)
    of_margin = "The margin of a superiority"

    @property
    def cuts(self) -> tuple[float, ...]:
        """The margin alone."""
        return (self.margin,)

    def describe(self) -> str:
        """The rule in words."""
        return f"mean effect > {self.margin:.3g} (one-sided t, alpha = {self.alpha:g})"


@dataclass(frozen=True)
class Equivalence(_Rule):
    """The mean effect is in (-margin, margin): two one-sided t tests (TOST) at level alpha."""

    supports = (False, True, False)
    of_margin = "An equivalence margin"

    def describe(self) -> str:
        """The rule in words."""
        return f"|mean effect| < {self.margin:.3g} (TOST, alpha = {self.alpha:g})"


@dataclass(frozen=True)
class Difference(_Rule):
    """The mean effect lies beyond (-margin, margin), on either side: two-sided t over seeds at
    level alpha.

    Each end of the interval has level alpha / 2, so that the two sides together err at most alpha.
    """

    supports = (True, False, True)
    of_margin = "The margin of a difference"

    @property
    def end(self) -> float:
        """Level of one end of the interval that decides: alpha / 2."""
        return self.alpha / 2

    def describe(self) -> str:
        """The rule in words."""
        return (
            f"|mean effect| > {self.margin:.3g}, on either side (two-sided t, "
            f"alpha = {self.alpha:g})"
        )


Rule = Superiority | Equivalence | Difference


@dataclass(frozen=True)
class Published:
    """A number that the paper prints, to be held against what is measured.

    Args:
        value: on the scale of the hypothesis' effect.
        source: where it stands, e.g. "Figure 2, sigma_w^2 = 3".
        read: how it is known, e.g. "read off by eye, within about 10 %".

    Raises:
        InvalidInput: if the value is not finite, or source or read is empty.
    """

    value: float
    source: str
    read: str

    def __post_init__(self) -> None:
        if not (
            math.isfinite(self.value) and self.source.strip() and self.read.strip()
        ):
            raise InvalidInput(
                "A published number is finite and says where it stands and how it is known; got "
                f"{self.value!r}, "
                f"source {self.source!r}, read {self.read!r}."
            )


@dataclass(frozen=True)
class Hypothesis:
    """One effect per seed against a margin.

    Args:
        name: key of its effects.
        statement: a sentence with {} where the value of the effect goes; or words with its formula
            and units.
        rule: Superiority, Equivalence or Difference.
        why_margin: why this margin is the smallest effect of interest.
        expected_effect, expected_sd: what the check is powered for (sd over seeds, from
            exploration).
        role: "primary" makes the verdict; "secondary" is reported beside it.
        agreement: margin of the backends' TOST; half of the rule's margin unless given.
        label: a few words for tables; the name unless given.
        scale: "ratio" if effects are natural logarithms of a ratio, which readers are then shown;
            else "linear".
        bounds: the range of the effect, ends included, where it has one; an infinite end is open.
        published: the number that the paper prints for this effect.
        tiers: at which it is decided on.
        against_title: whether a secondary effect, if SUPPORTED, speaks against the claim's title.

    Raises:
        InvalidInput: if the bounds are no range.
    """

    name: str
    statement: str
    rule: Rule
    why_margin: str
    expected_effect: float
    expected_sd: float
    role: Role = "primary"
    agreement: float | None = None
    label: str = ""
    scale: Literal["linear", "ratio"] = "linear"
    bounds: tuple[float, float] | None = None
    published: Published | None = None
    tiers: tuple[str, ...] = TIERS
    against_title: bool = False

    def __post_init__(self) -> None:
        if self.bounds is not None and not (
            len(self.bounds) == 2 and self.bounds[0] < self.bounds[1]
        ):
            raise InvalidInput(
                f"The bounds of hypothesis {self.name!r} must be (low, high) with low < high, an "
                "infinite end where "
                f"there is none; got {self.bounds!r}."
            )

    @property
    def title(self) -> str:
        """The label, or the sentence with its value left open, or the name."""
        return self.label or (
            self.statement.replace("{}", "…").rstrip(".")
            if "{}" in self.statement
            else self.name
        )

    def sentence(self, value: str) -> str:
        """The statement with the value in its place; a statement that has none stands before it.

        >>> gap = Hypothesis("gap", "The gap is {}.", Superiority(0.1), "", 0.2, 0.1)
        >>> gap.sentence("0.21 [0.18, 0.24]")
        'The gap is 0.21 [0.18, 0.24].'
        """
        return (
            self.statement.replace("{}", value)
            if "{}" in self.statement
            else f"{self.title}: {value}"
        )

    def shown(self, value: float) -> float:
        """A value of the effect on the scale that readers are shown."""
        return math.exp(value) if self.scale == "ratio" else value


@dataclass(frozen=True)
class Control:
    """An experiment whose truth is known by construction, decided by the rule of one hypothesis.

    Its effects come from the same function as the claim's, under the control's name.
    """

    name: str
    hypothesis: str
    expected: Expected
    why: str


@dataclass(frozen=True)
class Gate:
    """A condition without which no verdict counts; failing gives `failure`."""

    name: str
    statement: str
    failure: Literal["INCONCLUSIVE", "BROKEN"] = "INCONCLUSIVE"


@dataclass(frozen=True)
class Paper:
    """Where the claim stands."""

    authors: str
    year: int
    title: str
    read: str
    locus: str = ""


@dataclass(frozen=True)
class Statement:
    """Everything about a claim that is registered before its experiments run.

    Raises:
        InvalidInput: if it has no primary hypothesis, lacks a positive or a negative control,
            repeats a name, or a control points to a hypothesis that is not there.
    """

    id: str
    paper: Paper
    title: str
    statement: str
    operationalised: str
    departs: str
    family: str
    hypotheses: tuple[Hypothesis, ...]
    controls: tuple[Control, ...]
    gates: tuple[Gate, ...] = ()
    limits: str = ""

    def __post_init__(self) -> None:
        if not self.primary:
            raise InvalidInput(
                f"Claim {self.id!r} has no primary hypothesis; at least one must make the verdict."
            )
        names = [h.name for h in self.hypotheses] + [
            control.name for control in self.controls
        ]
        if len(set(names)) < len(names):
            raise InvalidInput(
                f"Claim {self.id!r} uses a name twice among its hypotheses and controls: {names}."
            )
        for control in self.controls:
            self.hypothesis(control.hypothesis)
        missing = {"SUPPORTED", "not SUPPORTED"} - {
            control.expected for control in self.controls
        }
        if missing:
            raise InvalidInput(
                f"Claim {self.id!r} has no control that must come out "
                f"{' or '.join(sorted(missing))}. "
                "A claim ships one that is true and one that is false by construction."
            )

    @property
    def primary(self) -> tuple[Hypothesis, ...]:
        """The hypotheses that make the verdict."""
        return tuple(h for h in self.hypotheses if h.role == "primary")

    def hypothesis(self, name: str) -> Hypothesis:
        """The hypothesis of that name; raises InvalidInput where there is none."""
        for hypothesis in self.hypotheses:
            if hypothesis.name == name:
                return hypothesis
        known = ", ".join(h.name for h in self.hypotheses)
        raise InvalidInput(
            f"Claim {self.id!r} has no hypothesis {name!r}. It has: {known}."
        )

    def at(self, tier: str) -> "Statement":
        """The claim as it is decided on at that tier."""
        return replace(
            self, hypotheses=tuple(h for h in self.hypotheses if tier in h.tiers)
        )

    def record(self, experiments: Sequence[Experiment]) -> dict[str, Any]:
        """The claim and its experiments as JSON values; registration freezes them
        (`harness.registration`).
        """
        claim = asdict(self)
        for hypothesis, entry in zip(self.hypotheses, claim["hypotheses"], strict=True):
            entry["rule"] = {"kind": type(hypothesis.rule).__name__, **entry["rule"]}
            ends = hypothesis.bounds or ()
            entry["bounds"] = [
                None if math.isinf(end) else end for end in ends
            ] or None  # JSON has no infinity
        return {
            "claim": claim,
            "experiments": [experiment.record() for experiment in experiments],
        }


@dataclass(frozen=True)
class Study:
    """A claim file, loaded: the claim, its experiments, and how measurements become effects, gates
    and figures.

    Args:
        effects: measurements of one backend -> name of hypothesis or control -> one effect per
            seed, or Absent.
        gates: measurements of one backend -> name of gate -> "" if it holds, else what failed.
        figures: measurements by backend -> figures.
        estimators: the functions behind effects and gates, whose code is registered.
    """

    claim: Statement
    experiments: tuple[Experiment, ...]
    effects: Callable[[Measurements], Effects]
    gates: Callable[[Measurements], Mapping[str, str]] = field(
        default=lambda measurements: {}
    )
    figures: Callable[[Mapping[str, Measurements]], Sequence[Figure]] = field(
        default=lambda measurements: ()
    )
    tier_note: Mapping[str, str] = field(default_factory=dict)
    estimators: tuple[Callable[..., Any], ...] = ()
