"""Why a claim cannot be registered, or amended to what it is now."""

import inspect
import math
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

from harness import papers
from harness.errors import InvalidInput
from harness.experiment import TIERS, Tier, reference
from harness.registration.record import ClaimRecord
from harness.statistics.power import registered_power
from harness.study import Hypothesis, Study

SEEDS, POWER = 10, 0.9
REHEARSAL = "rehearsal of "
"""With these words begins the stream of every rehearsal; no registered stream may begin so."""


def objections(study: Study) -> list[str]:
    """What the rules of evidence hold against registering a study; empty if nothing.

    Raises:
        InvalidInput: as `ClaimRecord.of` does.
    """
    return [
        *_of_experiments(study),
        *(text for h in study.claim.hypotheses for text in _of_hypothesis(h, study)),
    ]


def _of_experiments(study: Study) -> Iterator[str]:
    record = ClaimRecord.of(study)
    if not study.experiments:
        yield "it has no experiment"
    if not record.code:
        yield (
            "its effects or gates are no function at the top level of a claim's "
            "file: changing them would go unseen"
        )
    yield from (
        text
        for experiment in study.experiments
        if (text := _unfound(experiment.measure))
    )
    for experiment in record.experiments:
        if experiment.stream.startswith(REHEARSAL):
            yield (
                f"its stream {experiment.stream!r} is that of a rehearsal, "
                "whose seeds may have been seen"
            )
    for name in TIERS:
        counts = sorted({tier.replicates for tier in _tiers(study, name)})
        if counts and counts[0] < SEEDS:
            yield f"its {name} tier has {counts[0]} replicates, and at least {SEEDS} are needed"
        if len(counts) > 1:
            yield (
                f"the experiments of its {name} tier have different numbers of "
                f"replicates: {counts}"
            )


def _unfound(measure: Callable[..., Any]) -> str:
    """Why a worker would not find a paper's computation by its name; "" if it would."""
    name = reference(measure)
    if ":" in name:
        return ""
    try:
        papers.locate(
            name, papers.folder_of(Path(inspect.getfile(inspect.unwrap(measure))))
        )
    except InvalidInput as error:
        return str(error).rstrip(".")
    return ""


def _tiers(study: Study, name: str) -> list[Tier]:
    return [
        tier
        for experiment in study.experiments
        if (tier := getattr(experiment, name)) is not None
    ]


def _of_hypothesis(hypothesis: Hypothesis, study: Study) -> Iterator[str]:
    named = f"hypothesis {hypothesis.name!r}"
    if not hypothesis.expected_sd > 0:
        yield (
            f"{named} expects a standard deviation of {hypothesis.expected_sd!r}, "
            "which must be positive"
        )
    elif hypothesis.role == "primary" and not hypothesis.power_note.strip():
        yield from (f"{named} {text}" for text in _weak(hypothesis, study))
    low, high = hypothesis.bounds or (-math.inf, math.inf)
    if not low <= hypothesis.expected_effect <= high:
        yield (
            f"{named} expects an effect of {hypothesis.expected_effect:g}, "
            f"outside its bounds [{low:g}, {high:g}]"
        )
    for branch in unreachable(hypothesis):
        yield (
            f"{named} can never come out {branch}: "
            f"{hypothesis.rule.describe()}, with effects in [{low:g}, {high:g}]"
        )


def _weak(hypothesis: Hypothesis, study: Study) -> Iterator[str]:
    for name in TIERS:
        seeds = min((tier.replicates for tier in _tiers(study, name)), default=0)
        if seeds < 2:
            continue
        found = registered_power(
            hypothesis.rule, hypothesis.expected_effect, hypothesis.expected_sd, seeds
        )
        if found < POWER:
            yield (
                f"has power {found:.2g} with the {seeds} seeds of the {name} tier, if the effect "
                "is "
                f"{hypothesis.expected_effect:g} (sd {hypothesis.expected_sd:g}), and {POWER} is "
                "needed: take more "
                "seeds, or say in power_note why it is registered nevertheless"
            )


def unreachable(hypothesis: Hypothesis) -> list[str]:
    """The verdicts, of SUPPORTED and REFUTED, that no mean within the bounds can bring about; none
    without bounds.

    >>> from harness.study import Superiority
    >>> above = Superiority(1.0)
    >>> unreachable(Hypothesis("rate", "a rate is above 1", above, "", 0.9, 0.1, bounds=(0.0, 1.0)))
    ['SUPPORTED']
    """
    low, high = hypothesis.bounds or (-math.inf, math.inf)
    rule = hypothesis.rule
    regions = zip(
        rule.supports, pairwise((-math.inf, *rule.cuts, math.inf)), strict=True
    )
    reached = {
        supports for supports, (below, above) in regions if low < above and high > below
    }
    return [
        verdict
        for verdict, supports in (("SUPPORTED", True), ("REFUTED", False))
        if supports not in reached
    ]
