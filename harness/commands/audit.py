"""`ntk-claims audit`: are recorded cells what the code here computes?"""

import argparse
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from math import inf
from pathlib import Path
from typing import Any

from harness import sweep
from harness.commands.options import (
    added,
    aligned,
    computing,
    computing_options,
    papers_folder,
    prove_writable,
    recorded_cells,
    selected,
)
from harness.commands.verdict import run_options, write_json
from harness.errors import StoreError
from harness.experiment import Request, canonical
from harness.numerals import duration
from harness.session import Settings, backend_names, requests
from harness.sweep import Cell, Outcome, Store, code, devices
from harness.sweep.audit import AGREE, TOLERANCES, Finding, Result, compare, draw, size

Json = dict[str, Any]


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the command to those of `ntk-claims`."""
    command = added(
        commands,
        "audit",
        "Draws cells that the store has for the claims (at least one per claim and backend), "
        "computes them again into "
        "a throw-away store, and compares every array. A cell whose code or versions are no longer "
        "those of this "
        "checkout is named, and counts for nothing. Exit code 0 if all that could be compared "
        "agree; 1 if any "
        "differs or fails, or none could be compared.",
    )
    run_options(command)
    command.add_argument(
        "--sample",
        default="5%",
        help="a share (5%%), a number of cells, or all (default: 5%%)",
    )
    command.add_argument(
        "--seed", type=int, help="of the draw (default: today's date, YYYYMMDD in UTC)"
    )
    computing_options(command, auto="of each cell, the one it was recorded on")
    command.set_defaults(run=audit)


@dataclass(frozen=True)
class Drawn:
    """A recorded cell that was drawn, the claims that rest on it, and what became of it."""

    cell: Cell
    claims: tuple[str, ...]
    configuration: str
    finding: Finding
    again: Cell | None = None


def audit(options: argparse.Namespace) -> int:
    """Prints what became of each drawn cell; 1 unless those that can be compared agree, and there
    is one.
    """
    prove_writable(options.json)
    with recorded_cells(options) as store:
        return _audit(options, store)


def _audit(options: argparse.Namespace, store: Path) -> int:
    plans = _plans(options)
    cells = _recorded(plans, store, options)
    seed = int(f"{datetime.now(UTC):%Y%m%d}") if options.seed is None else options.seed
    groups = [
        [request for request in plan if request.digest in cells]
        for plan in plans.values()
    ]
    sample = draw(groups, size(options.sample, len(cells)), seed)
    print(f"{len(sample)} of {len(cells)} recorded cells, drawn with seed {seed}:\n")
    drawn = list(
        _audited([cells[request.digest] for request in sample], plans, options)
    )
    print(_table(drawn))
    print(_summary(drawn))
    if options.json is not None:
        write_json(options.json, _document(drawn, seed, len(cells), options))
    compared = [entry for entry in drawn if entry.finding.result != Result.INCOMPARABLE]
    return (
        0
        if compared and all(entry.finding.result in AGREE for entry in compared)
        else 1
    )


def _plans(options: argparse.Namespace) -> dict[tuple[str, str], list[Request]]:
    """(claim, backend) -> its requests."""
    return {
        (study.claim.id, backend): requests(
            study, Settings(options.tier, (backend,), options.store)
        )
        for study in selected(options)
        for backend in Settings(
            options.tier, backend_names(options.backend), options.store
        ).backends
    }


def _recorded(
    plans: Mapping[tuple[str, str], Sequence[Request]],
    path: Path,
    options: argparse.Namespace,
) -> dict[str, Cell]:
    """Request digest -> the recorded cell that stands for it: one of this code and device if there
    is, the newest.
    """
    store = Store(path, notify=lambda notice: print(notice, file=sys.stderr))
    if not store.path.is_dir():
        raise StoreError(
            f"There is no store at {store.path}, so there is nothing to audit. Name one with "
            "--store."
        )
    found = {}
    for request in {
        request.digest: request for plan in plans.values() for request in plan
    }.values():
        answers = store.answers(request)
        if answers:
            # `answers` is oldest first, and `max` takes the first of equals.
            found[request.digest] = max(
                reversed(answers), key=lambda cell: not _incomparable(cell, options)
            )
    if not found:
        raise StoreError(
            f"The store at {store.path} has no cell of these claims at the {options.tier} tier, so "
            "there is nothing "
            "to audit. Name another with --store, or another --tier."
        )
    return found


def _incomparable(cell: Cell, options: argparse.Namespace) -> str:
    """Why a cell cannot be compared with what this code and machine compute; "" if it can."""
    recorded = cell.circumstances
    request, device = cell.request, options.device
    here = code.circumstances(
        request.computation,
        request.backend,
        _place(cell, device),
        papers_folder(options),
    )
    if recorded.versions != here.versions:
        return f"recorded with {_versions(recorded.versions)}; here {_versions(here.versions)}"
    if recorded.code != here.code:
        return "the code has changed since"
    if recorded.device != here.device:
        return f"recorded on {recorded.device}; asked for {here.device}"
    if device == "auto" and recorded.device == "cuda" and not devices.has_nvidia():
        return "recorded on cuda; no GPU here"
    return ""


def _place(cell: Cell, device: str) -> str:
    return cell.circumstances.device if device == "auto" else device


def _versions(versions: Mapping[str, str]) -> str:
    return ", ".join(
        f"{package} {version}" for package, version in sorted(versions.items())
    )


def _audited(
    cells: Sequence[Cell],
    plans: Mapping[tuple[str, str], Sequence[Request]],
    options: argparse.Namespace,
) -> Iterable[Drawn]:
    """Each drawn cell with what became of it, in the order of the plans."""
    reasons = {cell.request.digest: _incomparable(cell, options) for cell in cells}
    outcomes = _recomputed(
        [cell for cell in cells if not reasons[cell.request.digest]], options
    )
    drawn = {cell.request.digest: cell for cell in cells}
    for name in dict.fromkeys(
        request.digest for plan in plans.values() for request in plan
    ):
        if name not in drawn:
            continue
        holders = {
            claim: plan
            for (claim, _), plan in plans.items()
            if any(own.digest == name for own in plan)
        }
        outcome = outcomes.get(name)
        finding = (
            Finding(Result.INCOMPARABLE, reason=reasons[name])
            if outcome is None
            else _found(drawn[name], outcome)
        )
        shown = _varying(drawn[name].request, next(iter(holders.values())))
        yield Drawn(
            drawn[name],
            tuple(holders),
            shown,
            finding,
            outcome.cell if outcome else None,
        )


def _recomputed(
    cells: Sequence[Cell], options: argparse.Namespace
) -> dict[str, Outcome]:
    """Request digest -> what came of computing it again, through the same workers as a run."""
    outcomes: dict[str, Outcome] = {}
    # The nodes of a cluster share the store's disk, and not this machine's folder of temporary
    # files.
    beside = options.store.absolute().parent if options.engine == "ray" else None
    for device in sorted({cell.circumstances.device for cell in cells}):
        wanted = [cell.request for cell in cells if cell.circumstances.device == device]
        with tempfile.TemporaryDirectory(
            prefix="ntk-claims-audit-", dir=beside
        ) as folder:
            swept = sweep.run(
                wanted,
                Store(Path(folder)),
                device=device,
                claims=papers_folder(options),
                progress=sweep.on(sys.stderr),
                **computing(options),
            )
            for outcome in swept.outcomes:
                # read while the file is there; kept by the cell
                _ = outcome.cell and outcome.cell.arrays
                outcomes[outcome.request.digest] = outcome
    return outcomes


def _found(recorded: Cell, outcome: Outcome) -> Finding:
    if outcome.cell is None:
        text = (
            outcome.failure.traceback.strip().splitlines()[-1]
            if outcome.failure
            else "not computed"
        )
        return Finding(Result.FAILED, reason=text)
    finding = compare(
        recorded.arrays, outcome.cell.arrays, TOLERANCES[recorded.request.dtype]
    )
    origins = (cell.provenance for cell in (recorded, outcome.cell))
    places = [f"{origin.device_name} (threads: {origin.threads})" for origin in origins]
    if finding.result is not Result.DIFFERENT or places[0] == places[1]:
        return finding
    return replace(
        finding,
        reason=f"{finding.reason}; recorded on {places[0]}, here on {places[1]}",
    )


def _varying(request: Request, plan: Iterable[Request]) -> str:
    """The part of a configuration in which those of its computation differ; all of it if it is the
    only one.
    """
    others = [
        other.configuration
        for other in plan
        if other.computation == request.computation
    ]
    own = request.configuration
    parts = [
        key
        for key in own
        if any(canonical(other.get(key)) != canonical(own[key]) for other in others)
    ]
    return ", ".join(f"{key}={_value(own[key])}" for key in parts or own)


def _value(value: Any) -> str:
    return value if isinstance(value, str) else canonical(value)


def _table(drawn: Sequence[Drawn]) -> str:
    """The claims, and below them a row for each cell that they rest on, in columns that line up."""
    rows = [
        ("backend", "configuration", "seeds", "age", "result", "difference", ""),
        *map(_row, drawn),
    ]
    lines = aligned(rows)
    table, above = [f"    {lines[0]}"], None
    for entry, line in zip(drawn, lines[1:], strict=True):
        if entry.claims != above:
            table.append(", ".join(entry.claims))
        table.append(f"    {line}")
        above = entry.claims
    return "\n".join(table)


def _row(entry: Drawn) -> tuple[str, ...]:
    request, finding = entry.cell.request, entry.finding
    age = datetime.now(UTC) - datetime.fromisoformat(entry.cell.provenance.started_at)
    difference = "" if finding.difference is None else f"{finding.difference:.1e}"
    seeds = _seeds(request.replicates)
    # the clock of the machine that computed it may be ahead
    elapsed = max(0, int(age.total_seconds()))
    shown = (seeds, duration(elapsed), finding.result.value, difference, finding.reason)
    return (request.backend, entry.configuration, *shown)


def _seeds(replicates: Sequence[int]) -> str:
    first, last = replicates[0], replicates[-1]
    contiguous = len(replicates) > 1 and list(replicates) == list(
        range(first, last + 1)
    )
    return f"{first}-{last}" if contiguous else ",".join(map(str, replicates))


def _summary(drawn: Sequence[Drawn]) -> str:
    counts = [
        (result, sum(entry.finding.result == result for entry in drawn))
        for result in Result
    ]
    return (
        "\n"
        + ", ".join(f"{count} {result.value}" for result, count in counts if count)
        + "."
    )


def _document(
    drawn: Sequence[Drawn], seed: int, population: int, options: argparse.Namespace
) -> Json:
    """The audit as JSON values."""
    return {
        "seed": seed,
        "sample": options.sample,
        "tier": options.tier,
        "recorded": population,
        "drawn": len(drawn),
        "tolerances": TOLERANCES,
        "cells": [_entry(entry) for entry in drawn],
    }


def _entry(entry: Drawn) -> Json:
    request, finding = entry.cell.request, entry.finding
    return {
        "claims": list(entry.claims),
        "request": asdict(request),
        "key": entry.cell.key,
        "result": finding.result.value,
        "difference": finding.difference if finding.difference != inf else None,
        "reason": finding.reason,
        "recorded": _origin(entry.cell),
        "recomputed": entry.again and _origin(entry.again),
    }


def _origin(cell: Cell) -> Json:
    """With what a cell was computed."""
    return {**asdict(cell.circumstances), **asdict(cell.provenance)}
