"""How long the cells of a plan took, or will take: by a store, and by what their work costs."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness.backends import available
from harness.errors import BackendUnavailable, ClaimsError
from harness.experiment import Request
from harness.sweep import Cell, Prior, Store, code, nothing_known
from harness.sweep.estimates import Estimates, likeness
from harness.workload import rates
from harness.workload.costs import Costs, counted_beside

RATES = Path("reports/recorded/quick/rates.json")
Here = tuple[str, dict[str, str]] | None


@dataclass(frozen=True)
class Found:
    """A request and what a store has of it.

    Args:
        name: digest of the request.
        seconds: that each recorded answer took, the newest last.
        machine: processor of the newest.
        cached: whether one of them is of this code and these versions.
    """

    name: str
    request: Request
    seconds: tuple[float, ...]
    machine: str
    cached: bool


@dataclass(frozen=True)
class Guesses:
    """What is known about how long cells take: what the same ones took, and what their work costs."""

    learned: Estimates
    costs: Costs

    def seconds(self, request: Request) -> tuple[float | None, bool]:
        """Of the same cell, in any backend; by its work, which is marked True; or of its computation's mean."""
        *same, like = likeness(request)
        known, cost = self.learned.guess(tuple(same)), self.costs.of(request)
        if known is None and cost is not None and cost.estimate is not None:
            return cost.estimate, True
        return (self.learned.guess((like,)) if known is None else known), False


def looked_up(unique: Mapping[str, Request], store: Store, claims: Path) -> dict[str, Found]:
    """What the store has of each request, by its digest; papers' computations are those of this claims folder."""
    there = answered(store)
    answers = {name: store.answers(request) if name in there else [] for name, request in unique.items()}
    kinds = {(unique[name].computation, unique[name].backend) for name, own in answers.items() if own}
    here = {kind: _here(*kind, claims) for kind in kinds}
    return {name: _found(name, request, answers[name], here) for name, request in unique.items()}


def answered(store: Store) -> set[str]:
    """Digests of the requests that the store has an answer to."""
    return {folder.name for folder in (store.path / "cells").glob("*/*")}


def _found(name: str, request: Request, answers: Sequence[Cell], here: Mapping[tuple[str, str], Here]) -> Found:
    now = here.get((request.computation, request.backend))
    cached = any((own.code, own.versions) == now for own in (answer.circumstances for answer in answers))
    machine = answers[-1].provenance.device_name if answers else ""
    return Found(name, request, tuple(answer.provenance.seconds for answer in answers), machine, cached)


def _here(computation: str, backend: str, claims: Path) -> Here:
    """Digest of the code and versions as they are now; None where the backend is not installed."""
    try:
        return code.code_digest(computation, backend, claims), code.versions(backend)
    except BackendUnavailable:
        return None


def learned(found: Collection[Found], store: Store) -> Estimates:
    """What the recorded answers took, and where there is none, those to the same request in a backend not planned."""
    estimates, there, planned = Estimates(), answered(store), {one.request.backend for one in found}
    unplanned = [name for name in available() if name not in planned] if there else []
    for own in found:
        for seconds in own.seconds:
            estimates.learn(likeness(own.request), seconds)
        for other in () if own.seconds else [replace(own.request, backend=name) for name in unplanned]:
            for answer in store.answers(other):
                estimates.learn(likeness(other), answer.provenance.seconds)
    return estimates


def prior(file: Path, claims: Iterable[Path]) -> Prior:
    """What requests are expected to take, for the time left of a run: by their counted work, at recorded rates.

    Args:
        file: of the rates; without it, or where it cannot be read, nothing is known.
        claims: folders whose `work.py` counts the work of their own computations.
    """
    try:
        own = {name: counted for folder in claims for name, counted in counted_beside(folder).items()}
        costs = Costs(rates.read(file), own)
    except ClaimsError:  # an estimate is no reason to refuse a run
        return nothing_known

    def expected(request: Request) -> float | None:
        try:
            cost = costs.of(request)
        except Exception:  # a count is somebody's code; `ntk-claims plan` shows its faults
            return None
        return None if cost is None else cost.estimate

    return expected
