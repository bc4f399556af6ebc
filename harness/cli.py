"""`ntk-claims`: what pytest has no place for. Verifying is `pytest claims` (see `pytest --help`, ntk-claims)."""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from harness import report, studies, sweep
from harness.claim import Study
from harness.errors import ClaimsError
from harness.experiment import TIERS, Request
from harness.session import Settings, requests

STORE = ".ntk-claims/store"


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; 0 if it did what was asked, 1 if cells failed, 2 for a bad call."""
    parsed = parser().parse_args(arguments)
    try:
        return int(parsed.run(parsed))
    except ClaimsError as error:
        print(f"ntk-claims: {error}", file=sys.stderr)
        return 2


def parser() -> argparse.ArgumentParser:
    """The commands and their options."""
    top = argparse.ArgumentParser(
        prog="ntk-claims",
        description="Executable checks of published claims about the Neural Tangent Kernel.",
        epilog="To verify the claims and write a report: pytest claims --tier quick (or: tox run -e claims).",
    )
    commands = top.add_subparsers(required=True, metavar="command")
    _list(commands.add_parser("list", help="every claim, its tiers, and the verdict recorded for each"))
    _plan(commands.add_parser("plan", help="the cells of a run: how many, how many the store has; or as a file"))
    _run(commands.add_parser("sweep", help="compute the cells of a run, without judging anything"))
    _render(commands.add_parser("report", help="write the HTML of a report again, from its verdicts.json"))
    return top


def _list(command: argparse.ArgumentParser) -> None:
    command.description = "Lists every claim below a folder: its id, its title, and per tier the recorded verdict."
    _claims_options(command)
    command.set_defaults(run=list_claims)


def _plan(command: argparse.ArgumentParser) -> None:
    command.description = (
        "Counts the cells that a run needs and those that the store has. With --json FILE the plan goes to a file "
        "that a machine with numpy and one framework alone can run: python -m harness.sweep FILE --backend torch."
    )
    _claims_options(command)
    _run_options(command)
    command.add_argument("--json", type=Path, metavar="FILE", help="write the plan to this file")
    command.set_defaults(run=plan)


def _run(command: argparse.ArgumentParser) -> None:
    command.description = "Computes the missing cells of a run. Killing it loses the cells in flight; start it again."
    _claims_options(command)
    _run_options(command)
    command.add_argument("--engine", default="local", help="what runs the cells (default: local)")
    command.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"))
    command.add_argument("--workers", type=int, default=None, help="cells at a time (default: the engine chooses)")
    command.set_defaults(run=run_sweep)


def _render(command: argparse.ArgumentParser) -> None:
    command.description = "Writes report.html and summary.md of a report again, from its verdicts.json and run.json."
    command.add_argument("folder", type=Path, help="folder of the report")
    command.set_defaults(run=render)


def _claims_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--claims", type=Path, default=Path("claims"), help="folder of the claims (default: claims)")
    command.add_argument("-k", dest="keyword", default="", help="only claims whose id contains this")


def _run_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--tier", choices=TIERS, default="quick")
    command.add_argument("--backend", default="torch,jax", help="comma-separated (default: torch,jax)")
    command.add_argument("--store", type=Path, default=Path(STORE), help=f"where cells are kept (default: {STORE})")


def list_claims(options: argparse.Namespace) -> int:
    """One line per claim."""
    recorded = studies.recorded(options.claims)
    for study in _selected(options):
        tiers = [tier for tier in TIERS if all(getattr(experiment, tier) for experiment in study.experiments)]
        known = [
            f"{tier} {recorded[study.claim.id, tier].verdict}" for tier in tiers if (study.claim.id, tier) in recorded
        ]
        print(f"{study.claim.id}\n    {study.claim.title}\n    {', '.join(known) or 'no verdict recorded'}")
    return 0


def plan(options: argparse.Namespace) -> int:
    """Counts, per claim and backend; or a plan file."""
    wanted = {study.claim.id: requests(study, _settings(options)) for study in _selected(options)}
    if options.json:
        unique = {request.digest: asdict(request) for plan in wanted.values() for request in plan}
        options.json.write_text(json.dumps(list(unique.values()), indent=1, sort_keys=True) + "\n", encoding="utf-8")
        print(f"{len(unique)} cells in {options.json}")
        return 0
    store = sweep.Store(options.store)
    for claim, own in wanted.items():
        for backend in _settings(options).backends:
            print(f"{claim} in {backend}: {_counts([r for r in own if r.backend == backend], store)}")
    return 0


def _counts(wanted: Sequence[Request], store: sweep.Store) -> str:
    found = sweep.recorded(wanted, store)
    cells = [outcome.cell for outcome in found.outcomes if outcome.cell is not None]
    took = sum(cell.provenance.seconds for cell in cells)
    return f"{len(wanted)} cells, {len(cells)} recorded, which took {took:.0f} s"


def run_sweep(options: argparse.Namespace) -> int:
    """Computes what is missing; 1 if cells failed."""
    wanted = [request for study in _selected(options) for request in requests(study, _settings(options))]
    swept = sweep.run(
        wanted,
        sweep.Store(options.store),
        engine=options.engine,
        device=options.device,
        workers=options.workers,
        progress=sweep.on(),
    )
    print(", ".join(f"{name} {count}" for name, count in swept.counts.items()))
    return 1 if swept.counts["failed"] else 0


def render(options: argparse.Namespace) -> int:
    """Writes the HTML again."""
    print(report.write(options.folder, *report.load(options.folder)))
    return 0


def _selected(options: argparse.Namespace) -> list[Study]:
    found = studies.discover(options.claims)
    return [study for study in found.values() if options.keyword in study.claim.id]


def _settings(options: argparse.Namespace) -> Settings:
    return Settings(options.tier, tuple(name for name in options.backend.split(",") if name), options.store)
