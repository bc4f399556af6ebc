"""Power of a claim as a whole, or of one hypothesis: how often the decision falls on its side.

    every registered effect holds    SUPPORTED: all primary hypotheses at once, at level
                                     alpha / (claims of the family), the hardest step of Holm
    some registered effect fails     REFUTED: any of the hypotheses that fail, at level alpha; the
                                     judge corrects no REFUTED

A hypothesis is decided as `harness.verdict.decide` does, by Student's t and the studentised
bootstrap. Effects are N(effect, sd^2) as registered, and independent between hypotheses. The
backends share seeds, and how far they will differ is not known when a claim is registered, so they
are taken as equal. Gates and controls are not simulated.

>>> from harness.study import Hypothesis, Superiority
>>> gap = Hypothesis("gap", "", Superiority(0.1), "", expected_effect=0.2, expected_sd=0.1)
>>> found = whole_power([gap], seeds=10, family=1)
>>> found.verdict, found.weakest, found.seeds_needed
('SUPPORTED', 'gap', 12)
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Literal

import numpy as np

from harness.errors import InvalidInput
from harness.statistics.decisions import Flags, Rate, decisions
from harness.statistics.power import (
    MOST_SEEDS,
    WANTED,
    holds,
    power,
    seeds_needed,
)
from harness.study import Difference, Equivalence, Hypothesis, Rule, Superiority

TRIALS = 2_000
"""Simulated experiments: a Monte Carlo error of 0.007 at 0.9."""

RESAMPLES = 2_000
"""Resamples per bootstrap, half of a decision's for speed."""

MANY_SEEDS = 500
"""From here on the closed form says how many seeds are enough: the bootstrap decides as t does."""


@dataclass(frozen=True)
class Outcome:
    """What must come out for the claim to be decided: `rule` is SUPPORTED of N(effect, sd^2)."""

    name: str
    rule: Rule
    effect: float
    sd: float


@dataclass(frozen=True)
class WholePower:
    """How often a claim is decided.

    Args:
        verdict: on which side its registered effects lie.
        power: rate of that verdict.
        outcomes: what must come out: all of them for SUPPORTED, any of them for REFUTED.
        alone: the rate of each outcome by itself.
    """

    verdict: Literal["SUPPORTED", "REFUTED"]
    power: Rate
    outcomes: tuple[Outcome, ...]
    alone: tuple[Rate, ...]

    @property
    def weakest(self) -> str:
        """The hypothesis that limits the power: the one that is supported least often; of a
        REFUTED, the one that is refuted most often.
        """
        best = min if self.verdict == "SUPPORTED" else max
        place = best(range(len(self.outcomes)), key=lambda k: self.alone[k].count)
        return self.outcomes[place].name

    @cached_property
    def seeds_needed(self) -> int:
        """Seeds with which the claim has power 0.9, at most 5 % more than the fewest.

        Raises:
            InvalidInput: if 100 000 seeds are not enough.
        """
        fewest = [
            seeds_needed(outcome.rule, outcome.effect, outcome.sd, WANTED)
            for outcome in self.outcomes
        ]
        seeds = max(fewest) if self.verdict == "SUPPORTED" else min(fewest)
        while _short(self.outcomes, self.verdict, seeds):
            seeds += max(1, seeds // 20)
            if seeds > MOST_SEEDS:
                raise InvalidInput(f"Power {WANTED} takes over {MOST_SEEDS} seeds.")
        return seeds


def whole_power(
    primary: Sequence[Hypothesis], seeds: int, family: int, *, trials: int = TRIALS
) -> WholePower:
    """The power of a claim, by simulation; the same for the same arguments.

    Args:
        primary: the primary hypotheses, each with a registered sd > 0.
        seeds: per experiment.
        family: number of claims of the family.
        trials: simulated experiments.

    Raises:
        InvalidInput: for no hypothesis, fewer than 2 seeds, 1 claim or 1 trial, or an sd that is
            not positive.
    """
    if not primary or seeds < 2 or family < 1 or trials < 1:
        raise InvalidInput(
            "The power of a claim takes a primary hypothesis, 2 seeds, 1 claim in its family and "
            f"1 trial, or more; got {len(primary)}, {seeds!r}, {family!r} and {trials!r}."
        )
    for hypothesis in primary:
        if not hypothesis.expected_sd > 0:
            raise InvalidInput(
                f"Hypothesis {hypothesis.name!r} has no power to compute: its registered sd is "
                f"{hypothesis.expected_sd!r}."
            )
    false = [h for h in primary if not holds(h.rule, h.expected_effect)]
    verdict: Literal["SUPPORTED", "REFUTED"] = "REFUTED" if false else "SUPPORTED"
    outcomes = tuple(map(_refutation, false)) or _supports(primary, family)
    return _found(verdict, outcomes, seeds, trials)


def power_alone(rule: Rule, effect: float, sd: float, seeds: int) -> WholePower:
    """The power of one rule by itself, at its own level, if effects are N(effect, sd^2).

    >>> found = power_alone(Superiority(margin=0.05), effect=0.15, sd=0.1, seeds=11)
    >>> found.power.value < 0.9, found.seeds_needed
    (True, 12)
    """
    return _found("SUPPORTED", (Outcome("", rule, effect, sd),), seeds, TRIALS)


def _found(
    verdict: Literal["SUPPORTED", "REFUTED"],
    outcomes: tuple[Outcome, ...],
    seeds: int,
    trials: int,
) -> WholePower:
    flags = _simulated(outcomes, seeds, trials)
    return WholePower(
        verdict,
        Rate.of(_together(flags, verdict)),
        outcomes,
        tuple(Rate.of(flag) for flag in flags),
    )


def _supports(primary: Sequence[Hypothesis], family: int) -> tuple[Outcome, ...]:
    """Each hypothesis at the level that Holm asks of the smallest p of a family."""
    level = min(h.rule.alpha for h in primary) / family
    return tuple(
        Outcome(h.name, replace(h.rule, alpha=level), h.expected_effect, h.expected_sd)
        for h in primary
    )


def _refutation(hypothesis: Hypothesis) -> Outcome:
    """The rule that is SUPPORTED where the hypothesis' own is REFUTED."""
    name, rule = hypothesis.name, hypothesis.rule
    effect, sd = hypothesis.expected_effect, hypothesis.expected_sd
    if isinstance(rule, Superiority):
        return Outcome(name, Superiority(-rule.margin, rule.alpha), -effect, sd)
    if isinstance(rule, Equivalence):
        return Outcome(name, Difference(rule.margin, 2 * rule.alpha), effect, sd)
    return Outcome(name, Equivalence(rule.margin, rule.alpha / 2), effect, sd)


@lru_cache(maxsize=64)
def _simulated(outcomes: tuple[Outcome, ...], seeds: int, trials: int) -> Flags:
    """Whether each outcome comes out in each experiment; shape (outcomes, trials)."""
    flags = []
    for number, outcome in enumerate(outcomes):
        rng = np.random.default_rng([seeds, number])
        effects = outcome.effect + outcome.sd * rng.standard_normal((1, trials, seeds))
        flags.append(decisions(effects, outcome.rule, resamples=RESAMPLES).supported)
    return np.array(flags)


def _together(flags: Flags, verdict: str) -> Flags:
    """Whether the claim is decided in each experiment."""
    all_of_them = verdict == "SUPPORTED"
    return np.asarray(flags.all(axis=0) if all_of_them else flags.any(axis=0))


def _short(outcomes: tuple[Outcome, ...], verdict: str, seeds: int) -> bool:
    """Whether so many seeds give less than the wanted power; the closed form is the screen."""
    alone = np.array([power(t.rule, t.effect, t.sd, seeds) for t in outcomes])
    closed = alone.prod() if verdict == "SUPPORTED" else 1 - (1 - alone).prod()
    if closed < WANTED or seeds >= MANY_SEEDS:
        return bool(closed < WANTED)
    rate = Rate.of(_together(_simulated(outcomes, seeds, TRIALS), verdict))
    return rate.value < WANTED
