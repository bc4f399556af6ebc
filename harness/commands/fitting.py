"""Rates of a machine from the cells of a plan that a store has, as `ntk-claims plan --fit` writes them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from harness.commands.times import Found
from harness.errors import InvalidInput
from harness.sweep.estimates import Estimates, likeness
from harness.workload import rates
from harness.workload.computations import Counted, stopping, work
from harness.workload.rates import Check, Ran, Rates


def fit(file: Path, found: Sequence[Found], own: Mapping[str, Counted]) -> int:
    """Writes the rates of every backend, from its newest answers.

    Args:
        file: to be written.
        found: the cells of a plan.
        own: counts of the claims' own computations.

    Raises:
        InvalidInput: if no cell has an answer, or too few have.
    """
    known = [one for one in found if one.seconds]
    if not known:
        raise InvalidInput("The store has no cell of this plan to fit rates to. Run it first: pytest claims.")
    by_backend: dict[str, list[Found]] = {}
    for one in known:
        by_backend.setdefault(one.request.backend, []).append(one)
    rates.write(file, {name: _rates(cells, known, own) for name, cells in by_backend.items()})
    print(f"rates from {len(known)} cells in {file}")
    return 0


def _rates(cells: Sequence[Found], known: Sequence[Found], own: Mapping[str, Counted]) -> Rates:
    ran = [
        Ran((one.request.computation, stopping(one.request.configuration)), done, one.seconds[-1])
        for one in cells
        if (done := work(one.request, own)) is not None
    ]
    fitted = rates.fit(ran, ", ".join(sorted({one.machine for one in cells})))
    alike = by_likeness(cells, known)
    return replace(fitted, checks={**fitted.checks, **({"likeness": Check.of(alike)} if alike else {})})


def by_likeness(cells: Sequence[Found], known: Sequence[Found]) -> list[float]:
    """What cells took over the scheduler's estimate from all others that are known; those that it has one for."""
    kinds = {one.name: likeness(one.request) for one in known}
    ratios = []
    for cell in cells:
        others = Estimates()
        for one in known:
            if one.name != cell.name:
                others.learn(kinds[one.name], one.seconds[-1])
        if (guess := others.guess(kinds[cell.name])) is not None:
            ratios.append(cell.seconds[-1] / guess)
    return ratios
