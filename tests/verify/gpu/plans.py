"""What a GPU run computes, as plan files; written where the project is installed."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from math import log2
from pathlib import Path
from typing import Any

from harness.commands.rehearsal import rehearsal
from harness.experiment import Request
from harness.session import Settings, requests
from harness.study import Study
from harness.sweep import Prior
from tests.verify.gpu.__main__ import FULL, QUICK

BACKENDS = "torch", "jax"


def write(folder: Path, studies: Sequence[Study], prior: Prior) -> dict[str, int]:
    """Writes both plans; how many requests each has.

    Args:
        folder: where to; made if it is not there.
        studies: of the claims.
        prior: what a recorded run took.
    """
    folder.mkdir(parents=True, exist_ok=True)
    plans = {QUICK: quick(studies, prior), FULL: blocks(studies)}
    for name, planned in plans.items():
        text = json.dumps([asdict(one) for one in planned], indent=1, sort_keys=True)
        (folder / name).write_text(f"{text}\n", encoding="utf-8")
    return {name: len(planned) for name, planned in plans.items()}


def quick(studies: Sequence[Study], prior: Prior) -> list[Request]:
    """The quick tier claim by claim, the claim of fewest recorded seconds first, so that as many
    claims as possible are whole when the time is up.
    """
    settings = Settings("quick", BACKENDS, Path("unused"))
    planned = [requests(study, settings) for study in studies]
    planned.sort(key=lambda own: sum(prior.like(request) or 0.0 for request in own))
    return _once(request for own in planned for request in own)


def blocks(studies: Sequence[Study]) -> list[Request]:
    """One block of the smallest and of the largest configuration of each computation of a claim's
    full tier, on a rehearsal stream, so that no registered cell is computed; all smallest first.
    """
    found = [own for study in studies for own in extremes(study)]
    return _once([*(own.smallest for own in found), *(own.largest for own in found)])


@dataclass(frozen=True)
class Extremes:
    """The cells of a claim's full tier that one computation has in one backend.

    Args:
        claim: its id.
        cells: how many there are.
        smallest, largest: requests of a rehearsal stream.
    """

    claim: str
    cells: int
    smallest: Request
    largest: Request


def extremes(study: Study) -> list[Extremes]:
    """By computation and backend."""
    settings = Settings("full", BACKENDS, Path("unused"))
    seeds = [own.full.replicates for own in study.experiments if own.full]
    planned = requests(rehearsal(study, "full", max(seeds)), settings) if seeds else []
    alike: dict[tuple[str, str], list[Request]] = {}
    for request in planned:
        alike.setdefault((request.computation, request.backend), []).append(request)
    return [
        Extremes(study.claim.id, len(own), min(own, key=size), max(own, key=size))
        for own in alike.values()
    ]


def size(request: Request) -> float:
    """Logarithm of the product of all numbers of a configuration beyond 1: no measure of its cost,
    but it orders the configurations of one computation.
    """
    return sum(log2(number) for number in _numbers(request.configuration) if number > 1)


def _numbers(value: Any) -> list[float]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple):
        return [number for part in value for number in _numbers(part)]
    return [float(value)] if isinstance(value, int | float) else []


def _once(planned: Iterable[Request]) -> list[Request]:
    return list({request.digest: request for request in planned}.values())
