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
from harness.statistics.claim_power import WholePower, whole_power
from harness.statistics.power import WANTED
from harness.study import Hypothesis, Study

SEEDS = 10
REHEARSAL = "rehearsal of "
"""With these words begins the stream of every rehearsal; no registered stream may begin so."""


def objections(study: Study, family: int = 1) -> list[str]:
    """What the rules of evidence hold against registering a study; empty if nothing.

    Args:
        study: the claim and its experiments.
        family: number of claims of its family, over which Holm corrects.

    Raises:
        InvalidInput: as `ClaimRecord.of` does.
    """
    return [
        *_of_family(study),
        *_of_experiments(study),
        *(text for h in study.claim.hypotheses for text in _of_hypothesis(h)),
        *_of_power(study, family),
    ]


def _of_family(study: Study) -> Iterator[str]:
    """The claims of one paper are one family: none may leave it by its name."""
    if study.estimators:
        folder = Path(inspect.getfile(study.estimators[0])).parent.name
        if not study.claim.id.startswith(f"{folder}/"):
            yield (
                f"it lies in the folder {folder!r}, so its id must begin with '{folder}/': "
                "Holm corrects over all claims of a paper"
            )


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


def _of_hypothesis(hypothesis: Hypothesis) -> Iterator[str]:
    named = f"hypothesis {hypothesis.name!r}"
    if not hypothesis.expected_sd > 0:
        yield (
            f"{named} expects a standard deviation of {hypothesis.expected_sd!r}, "
            "which must be positive"
        )
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


def _of_power(study: Study, family: int) -> Iterator[str]:
    """Why a claim is not decided often enough, at each of its tiers."""
    for name in TIERS:
        primary = study.claim.at(name).primary
        seeds = min((tier.replicates for tier in _tiers(study, name)), default=0)
        if seeds < 2 or not all(h.expected_sd > 0 for h in primary):
            continue
        found = whole_power(primary, seeds, family)
        if found.power.value < WANTED:
            weakest = study.claim.hypothesis(found.weakest)
            yield (
                f"it comes out {found.verdict} with probability {found.power.value:.2f} "
                f"with the {seeds} seeds of the {name} tier (all primary hypotheses, Student's t "
                f"and bootstrap, Holm over a family of {family}), and {WANTED} is needed. Weakest: "
                f"{weakest.name!r}, with effect {weakest.expected_effect:g} and sd "
                f"{weakest.expected_sd:g}. {_remedy(found)}"
            )


def _remedy(found: WholePower) -> str:
    try:
        return f"Take {found.seeds_needed} seeds, or a sharper design"
    except InvalidInput:
        return "No number of seeds is enough: take a sharper design"


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
