"""`ntk-claims plan`: the cells of a run, those that the store has, and how long the others will take."""

import argparse
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from harness.backends import available
from harness.commands.options import (
    cells_options,
    examples,
    keyword_options,
    selected_by_keyword,
    settings,
    tier_option,
    write_text,
)
from harness.errors import BackendUnavailable
from harness.experiment import Request
from harness.report.numerals import duration
from harness.session import requests
from harness.sweep import Cell, Store, code
from harness.sweep.estimates import Estimates, likeness

Here = tuple[str, dict[str, str]] | None
HEADINGS = ("", "cells", "cached", "stale", "to compute", "estimate")


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the command to those of `ntk-claims`."""
    command = commands.add_parser("plan", help="the cells of a run: how many, how many the store has; or as a file")
    command.description = (
        "Counts the cells that a run needs and those that the store has. Cached: a run takes them as they are. Stale: "
        "computed with other code or versions than are here now, so a run computes them again. The estimate is worker "
        "time for what is to compute, from what like cells took, also such with other sizes or in the other backend; "
        "it is spread over as many workers as run. With --json FILE the plan goes to a file "
        "that a machine with numpy and one framework alone can run: python -m harness.sweep FILE --backend torch."
    )
    examples(command, "ntk-claims plan --tier full --backend torch", "ntk-claims plan -k gap_across --json plan.json")
    keyword_options(command)
    tier_option(command)
    cells_options(command)
    command.add_argument("--json", type=Path, metavar="FILE", help="write the plan to this file")
    command.set_defaults(run=plan)


@dataclass(frozen=True)
class Found:
    """A request, the seconds that each recorded answer to it took, and whether one of them is of this code."""

    request: Request
    seconds: tuple[float, ...]
    cached: bool


def plan(options: argparse.Namespace) -> int:
    """Counts, per claim and backend; or a plan file."""
    wanted = {study.claim.id: requests(study, settings(options)) for study in selected_by_keyword(options)}
    unique = {request.digest: request for own in wanted.values() for request in own}
    if options.json:
        content = [asdict(request) for request in unique.values()]
        write_text(options.json, json.dumps(content, indent=1, sort_keys=True) + "\n")
        print(f"{len(unique)} cells in {options.json}")
        return 0
    found = _looked_up(unique, Store(options.store))
    estimates = _learned(found.values(), Store(options.store))
    rows: list[tuple[str, ...]] = [HEADINGS]
    for claim, planned in wanted.items():
        rows.append((claim if planned else f"{claim}: no {options.tier} tier",))
        rows += _rows([found[request.digest] for request in planned], estimates)
    if len(wanted) > 1:
        rows.append(("together, cells that claims share counted once",))
        rows += _rows(found.values(), estimates)
    print("\n".join(_aligned(rows)))
    return 0


def _looked_up(unique: Mapping[str, Request], store: Store) -> dict[str, Found]:
    answers = {name: store.answers(request) for name, request in unique.items()}
    kinds = {(unique[name].computation, unique[name].backend) for name, own in answers.items() if own}
    here = {kind: _here(*kind) for kind in kinds}
    return {name: _found(request, answers[name], here) for name, request in unique.items()}


def _found(request: Request, answers: Sequence[Cell], here: Mapping[tuple[str, str], Here]) -> Found:
    now = here.get((request.computation, request.backend))
    cached = any((own.code, own.versions) == now for own in (answer.circumstances for answer in answers))
    return Found(request, tuple(answer.provenance.seconds for answer in answers), cached)


def _here(computation: str, backend: str) -> Here:
    """Digest of the code and versions as they are now; None where the backend is not installed."""
    try:
        return code.code_digest(computation, backend), code.versions(backend)
    except BackendUnavailable:
        return None


def _learned(found: Iterable[Found], store: Store) -> Estimates:
    """What the recorded answers took, and where there is none, those to the same request in another backend."""
    estimates = Estimates()
    for own in found:
        for seconds in own.seconds:
            estimates.learn(likeness(own.request), seconds)
        others = () if own.seconds else (replace(own.request, backend=name) for name in available())
        for other in others:
            for answer in store.answers(other):
                estimates.learn(likeness(other), answer.provenance.seconds)
    return estimates


def _rows(found: Iterable[Found], estimates: Estimates) -> list[tuple[str, ...]]:
    """A row of counts for each backend."""
    by_backend: dict[str, list[Found]] = {}
    for one in found:
        by_backend.setdefault(one.request.backend, []).append(one)
    return [(f"    {backend}", *_counts(own, estimates)) for backend, own in by_backend.items()]


def _counts(found: Sequence[Found], estimates: Estimates) -> tuple[str, ...]:
    unique = {one.request.digest: one for one in found}.values()
    missing = [one for one in unique if not one.cached]
    cached, stale = len(unique) - len(missing), sum(bool(one.seconds) for one in missing)
    return (*map(str, (len(unique), cached, stale, len(missing))), _time(missing, estimates))


def _time(missing: Sequence[Found], estimates: Estimates) -> str:
    """Worker time for what is missing, "> " where for some nothing like it is known."""
    guesses = [estimates.guess(likeness(one.request)) for one in missing]
    known = [guess for guess in guesses if guess is not None]
    if guesses and not known:
        return "unknown"
    return f"{'> ' * (len(known) < len(guesses))}{duration(round(sum(known), 1))}"


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Counts in columns; a row of one entry is a heading, and as long as it is."""
    table = [row for row in rows if len(row) > 1]
    first, *others = (max(map(len, column)) for column in zip(*table, strict=True))
    return [
        "  ".join(
            [f"{row[0]:<{first}}", *(f"{cell:>{width}}" for cell, width in zip(row[1:], others, strict=False))]
        ).rstrip()
        for row in rows
    ]
