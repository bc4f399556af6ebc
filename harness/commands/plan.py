"""`ntk-claims plan`: the cells of a run, those that the store has, and how long the others will take."""

import argparse
import json
import textwrap
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from harness.commands.fitting import fit
from harness.commands.options import (
    Chosen,
    as_registered,
    cells_options,
    examples,
    keyword_options,
    selected_by_keyword,
    settings,
    tier_option,
    write_text,
)
from harness.commands.times import Found, Guesses, learned, looked_up
from harness.experiment import Request
from harness.report.numerals import duration
from harness.session import requests
from harness.sweep import Store
from harness.workload import rates
from harness.workload.costs import LAUNCH, SHARE, Costs, Device, counted_beside

HEADINGS = ("", "cells", "shared", "cached", "stale", "to compute", "estimate")
RATES = Path("reports/recorded/quick/rates.json")
NOTES = {
    "~": "~ by counted work, at the rates of {rates}. Left out of their fit: {errors}; worse where a rule may stop "
    "training.",
    "at most": "At most: were training that a rule may stop to go on to its last step.",
    "device": "Device: a conversion, not a measurement, if nothing overlaps: {share:.0%} of the peak that was given, "
    "in arithmetic or memory, float64 at half of it, {launch:.0f} us per launch, and NumPy on a core beside it.",
}


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the command to those of `ntk-claims`."""
    command = commands.add_parser("plan", help="the cells of a run: how many, how many the store has; or as a file")
    command.description = (
        "Counts the cells that a run needs and those that the store has. Cached: a run takes them as they are. Stale: "
        "computed with other code or versions than are here now, so a run computes them again. Shared: needed by "
        "another claim too. The estimate is worker time for what is to compute, spread over as many workers as run: "
        "from what the same cells took, in this backend or the other; marked ~, by the work that their configuration "
        "asks for, at rates fitted to cells that ran (--fit). With --json FILE the plan goes to a file "
        "that a machine with numpy and one framework alone can run: python -m harness.sweep FILE --backend torch. "
        "Claims that are not as registered are left out of the file."
    )
    examples(
        command,
        "ntk-claims plan --tier full --backend torch",
        "ntk-claims plan --tier full --device 67 3.35",
        "ntk-claims plan -k gap_across --json plan.json",
    )
    keyword_options(command)
    tier_option(command)
    cells_options(command)
    command.add_argument("--json", type=Path, metavar="FILE", help="write the plan to this file")
    command.add_argument("--rates", type=Path, default=RATES, metavar="FILE", help=f"fitted rates (default: {RATES})")
    command.add_argument("--fit", type=Path, metavar="FILE", help="fit rates to the cells of the store, into this file")
    peak = "convert to a GPU with this peak in float32, without tensor cores, and this bandwidth of its memory"
    command.add_argument("--device", type=float, nargs=2, metavar=("TFLOPS", "TB/S"), help=peak)
    command.set_defaults(run=plan)


def plan(options: argparse.Namespace) -> int:
    """Counts, per claim and backend; or a plan file, or one of rates."""
    chosen = as_registered(options) if options.json else Chosen(selected_by_keyword(options), 0)
    wanted = {
        study.claim.id: {request.digest: request for request in requests(study, settings(options))}
        for study in chosen.studies
    }
    unique = {name: request for own in wanted.values() for name, request in own.items()}
    if options.json:
        content = [asdict(request) for request in unique.values()]
        write_text(options.json, json.dumps(content, indent=1, sort_keys=True) + "\n")
        print(f"{len(unique)} cells in {options.json}")
        return 1 if chosen.left_out else 0
    store, own = Store(options.store), counted_beside(options.claims)
    found = looked_up(unique, store)
    if options.fit:
        return fit(options.fit, list(found.values()), own)
    costs = Costs(rates.read(options.rates), own, Device(*options.device) if options.device else None)
    print("\n".join(_lines(options, wanted, found, Guesses(learned(found.values(), store), costs))))
    return 0


def _lines(
    options: argparse.Namespace, wanted: Mapping[str, Collection[str]], found: Mapping[str, Found], guesses: Guesses
) -> list[str]:
    """The table, and what its signs mean."""
    needed = Counter(name for planned in wanted.values() for name in planned)
    shared = {name for name, count in needed.items() if count > 1}
    more = [*(["at most"] if guesses.costs.rates else []), *(["device"] if guesses.costs.device else [])]
    rows: list[tuple[str, ...]] = [(*HEADINGS, *more)]
    for claim, planned in wanted.items():
        rows.append((claim if planned else f"{claim}: no {options.tier} tier",))
        rows += _rows([found[name] for name in planned], shared, guesses)
    if len(wanted) > 1:
        rows.append(("together, cells that claims share counted once",))
        rows += _rows(found.values(), shared, guesses)
    table = _aligned(rows)
    return table + (_notes(options.rates, guesses.costs, more) if "~" in "".join(table) else [])


def _notes(file: Path, costs: Costs, columns: Sequence[str]) -> list[str]:
    errors = "; ".join(
        f"{name}, half of the cells within a factor of {own.checks['free'].half:.3g}, 90 % within "
        f"{own.checks['free'].most:.3g}"
        for name, own in costs.rates.items()
    )
    facts = {"rates": file, "errors": errors, "share": SHARE, "launch": 1e6 * LAUNCH}
    notes = (NOTES[name].format(**facts) for name in ("~", *columns))
    return ["", *(line for note in notes for line in textwrap.wrap(note, 100))]


def _rows(found: Iterable[Found], shared: Collection[str], guesses: Guesses) -> list[tuple[str, ...]]:
    """A row of counts for each backend."""
    by_backend: dict[str, list[Found]] = {}
    for one in found:
        by_backend.setdefault(one.request.backend, []).append(one)
    return [(f"    {backend}", *_counts(own, shared, guesses)) for backend, own in by_backend.items()]


def _counts(found: Sequence[Found], shared: Collection[str], guesses: Guesses) -> tuple[str, ...]:
    missing = [one for one in found if not one.cached]
    common, stale = sum(one.name in shared for one in found), sum(bool(one.seconds) for one in missing)
    counts = len(found), common, len(found) - len(missing), stale, len(missing)
    due = [one.request for one in missing]
    return (*map(str, counts), _time(due, guesses), *_costs(due, guesses.costs))


def _time(missing: Sequence[Request], guesses: Guesses) -> str:
    """Worker time for what is missing; "> " where for some nothing is known, "~" where for some it is their work."""
    found = [guesses.seconds(request) for request in missing]
    known = [guess for guess, _ in found if guess is not None]
    if found and not known:
        return "unknown"
    marks = "> " * (len(known) < len(found)) + "~" * any(by_work for _, by_work in found)
    return f"{marks}{duration(round(sum(known), 1))}"


def _costs(missing: Sequence[Request], costs: Costs) -> list[str]:
    """At most, and on a device; "> " where some work is counted nowhere."""
    found = [cost for request in missing if (cost := costs.of(request)) is not None]
    if missing and not found:
        return ["unknown"] * (bool(costs.rates) + bool(costs.device))
    sums = [sum(cost.at_most for cost in found)] * bool(costs.rates)
    sums += [sum(cost.device for cost in found)] * bool(costs.device)
    return [f"{'> ' * (len(found) < len(missing))}{duration(round(value, 1))}" for value in sums]


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
