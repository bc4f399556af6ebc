"""`ntk-claims plan`: the cells of a run, those that the store has, and how long the others take."""

import argparse
import json
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from harness.commands.options import (
    Chosen,
    added,
    as_registered,
    cells_options,
    claims_options,
    papers_folder,
    selected,
    settings,
    tier_option,
    write_text,
)
from harness.commands.times import Found, learned, looked_up, prior
from harness.experiment import Request
from harness.numerals import counted, duration
from harness.session import requests
from harness.shipped import RECORDED
from harness.sweep import Store
from harness.sweep.estimates import Estimates, likeness

HEADINGS = ("", "cells", "shared", "cached", "stale", "to compute", "estimate")


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the command to those of `ntk-claims`."""
    command = added(
        commands,
        "plan",
        "Counts the cells that a run needs and those that the store has. Cached: a run takes them "
        "as they are. Stale: "
        "computed with other code or versions than are here now, so a run computes them again. "
        "Shared: needed by "
        "another claim too. The estimate is worker time for what is to compute, spread over as "
        "many workers as run: "
        "from what the same cells took, in this backend or the other, else from the mean of their "
        "computation's cells. "
        "With --json FILE the plan goes to a file that a machine with numpy and one framework "
        "alone can run: "
        "python -m harness.sweep FILE --backend torch. Claims that are not as registered are left "
        "out of the file.",
        "ntk-claims plan --tier full --backend torch",
        "ntk-claims plan -k gap_across --json plan.json",
    )
    claims_options(command)
    tier_option(command)
    cells_options(command)
    command.add_argument(
        "--json", type=Path, metavar="FILE", help="write the plan to this file"
    )
    command.set_defaults(run=plan)


def plan(options: argparse.Namespace) -> int:
    """Counts, per claim and backend; or a plan file, 1 if a claim was left out of it."""
    chosen = as_registered(options) if options.json else Chosen(selected(options), 0)
    wanted = {
        study.claim.id: {
            request.digest: request for request in requests(study, settings(options))
        }
        for study in chosen.studies
    }
    unique = {name: request for own in wanted.values() for name, request in own.items()}
    if options.json:
        content = [asdict(request) for request in unique.values()]
        write_text(options.json, json.dumps(content, indent=1, sort_keys=True) + "\n")
        print(f"{counted(len(unique), 'cell')} in {options.json}")
        return 1 if chosen.left_out else 0
    store = Store(options.store)
    found = looked_up(unique, store, papers_folder(options))
    known = learned(found.values(), store)
    recorded = prior(RECORDED / options.tier)
    for one in found.values():
        seconds = recorded.same(one.request)
        if seconds is not None and not one.seconds:
            known.learn(likeness(one.request), seconds)
    print("\n".join(_lines(options, wanted, found, known)))
    return 0


def _lines(
    options: argparse.Namespace,
    wanted: Mapping[str, Collection[str]],
    found: Mapping[str, Found],
    known: Estimates,
) -> list[str]:
    """The table."""
    needed = Counter(name for planned in wanted.values() for name in planned)
    shared = {name for name, count in needed.items() if count > 1}
    rows: list[tuple[str, ...]] = [HEADINGS]
    for claim, planned in wanted.items():
        rows.append((claim if planned else f"{claim}: no {options.tier} tier",))
        rows += _rows([found[name] for name in planned], shared, known)
    if len(wanted) > 1:
        rows.append(("together, cells that claims share counted once",))
        rows += _rows(found.values(), shared, known)
    return _aligned(rows)


def _rows(
    found: Iterable[Found], shared: Collection[str], known: Estimates
) -> list[tuple[str, ...]]:
    """A row of counts for each backend."""
    by_backend: dict[str, list[Found]] = {}
    for one in found:
        by_backend.setdefault(one.request.backend, []).append(one)
    return [
        (f"    {backend}", *_counts(own, shared, known))
        for backend, own in by_backend.items()
    ]


def _counts(
    found: Sequence[Found], shared: Collection[str], known: Estimates
) -> tuple[str, ...]:
    missing = [one for one in found if not one.cached]
    common, stale = (
        sum(one.name in shared for one in found),
        sum(bool(one.seconds) for one in missing),
    )
    counts = len(found), common, len(found) - len(missing), stale, len(missing)
    return (*map(str, counts), _time([one.request for one in missing], known))


def _time(missing: Sequence[Request], known: Estimates) -> str:
    """Worker time for what is missing; "> " where for some cells nothing was measured."""
    guesses = [known.guess(likeness(request)) for request in missing]
    seconds = [guess for guess in guesses if guess is not None]
    if guesses and not seconds:
        return "unknown"
    mark = "> " if len(seconds) < len(guesses) else ""
    return f"{mark}{duration(round(sum(seconds), 1))}"


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Counts in columns; a row of one entry is a heading, and as long as it is."""
    table = [row for row in rows if len(row) > 1]
    first, *others = (max(map(len, column)) for column in zip(*table, strict=True))
    return [
        "  ".join(
            [
                f"{row[0]:<{first}}",
                *(
                    f"{cell:>{width}}"
                    for cell, width in zip(row[1:], others, strict=False)
                ),
            ]
        ).rstrip()
        for row in rows
    ]
