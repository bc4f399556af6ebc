"""How long a plan's cells took, by a store, and so how long the missing ones will take."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness.backends import available
from harness.errors import BackendUnavailable
from harness.experiment import Request
from harness.shipped import legible
from harness.sweep import Cell, Prior, Store, code
from harness.sweep.estimates import Estimates, likeness

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


def looked_up(
    unique: Mapping[str, Request], store: Store, claims: Path
) -> dict[str, Found]:
    """What the store has of each request, by its digest; papers' computations are those of this
    claims folder.
    """
    there = answered(store)
    answers = {
        name: store.answers(request) if name in there else []
        for name, request in unique.items()
    }
    kinds = {
        (unique[name].computation, unique[name].backend)
        for name, own in answers.items()
        if own
    }
    here = {kind: _here(*kind, claims) for kind in kinds}
    return {
        name: _found(name, request, answers[name], here)
        for name, request in unique.items()
    }


def answered(store: Store) -> set[str]:
    """Digests of the requests that the store has an answer to."""
    return {folder.name for folder in (store.path / "cells").glob("*/*")}


def _found(
    name: str,
    request: Request,
    answers: Sequence[Cell],
    here: Mapping[tuple[str, str], Here],
) -> Found:
    now = here.get((request.computation, request.backend))
    cached = any(
        (own.code, own.versions) == now
        for own in (answer.circumstances for answer in answers)
    )
    machine = answers[-1].provenance.device_name if answers else ""
    return Found(
        name,
        request,
        tuple(answer.provenance.seconds for answer in answers),
        machine,
        cached,
    )


def _here(computation: str, backend: str, claims: Path) -> Here:
    """Digest of the code and versions as they are now; None where the backend is not installed."""
    try:
        return code.code_digest(computation, backend, claims), code.versions(backend)
    except BackendUnavailable:
        return None


def learned(found: Collection[Found], store: Store) -> Estimates:
    """What the recorded answers took, and where there is none, those to the same request in a
    backend not planned.
    """
    estimates, there, planned = (
        Estimates(),
        answered(store),
        {one.request.backend for one in found},
    )
    unplanned = [name for name in available() if name not in planned] if there else []
    for own in found:
        for seconds in own.seconds:
            estimates.learn(likeness(own.request), seconds)
        for other in (
            ()
            if own.seconds
            else [replace(own.request, backend=name) for name in unplanned]
        ):
            for answer in store.answers(other):
                estimates.learn(likeness(other), answer.provenance.seconds)
    return estimates


def prior(recorded: Path) -> Prior:
    """What requests are expected to take, by the cells of a recorded run.

    Args:
        recorded: folder of the recorded run; where its cells are not there or cannot be read,
            nothing is known.
    """
    return Prior((own.request, own.provenance.seconds) for own in legible(recorded))
