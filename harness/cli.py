"""`ntk-claims`: what pytest has no place for. Verifying is `pytest claims` (see `pytest --help`, ntk-claims).

Exit codes: 0 it did what was asked; 1 cells failed or differ, a verdict changed, or a table is stale; 2 a bad call;
130 interrupted.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from harness import report, studies, sweep
from harness.backends import DEVICES
from harness.claim import Study
from harness.commands import audit, calibrate, power, registration, verdict
from harness.commands.options import cells_options, folder_option, tier_option
from harness.errors import ClaimsError, InvalidInput
from harness.experiment import TIERS, Request
from harness.report import readme
from harness.session import Settings, backend_names, requests

RECORDED = "reports/recorded/quick"


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; its exit code."""
    parsed = parser().parse_args(arguments)
    try:
        return int(parsed.run(parsed))
    except ClaimsError as error:
        print(f"ntk-claims: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nInterrupted. Cells done so far are kept; start again to go on.", file=sys.stderr)
        return 130


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
    _readme(commands.add_parser("readme", help="write the table of recorded verdicts into README.md, or check it"))
    verdict.add(commands)
    registration.add(commands)
    audit.add(commands)
    power.add(commands)
    calibrate.add(commands)
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
    command.add_argument("--device", default="auto", choices=DEVICES)
    command.add_argument("--workers", type=int, default=None, help="cells at a time (default: the engine chooses)")
    command.set_defaults(run=run_sweep)


def _render(command: argparse.ArgumentParser) -> None:
    command.description = "Writes report.html and summary.md of a report again, from its verdicts.json and run.json."
    command.add_argument("folder", type=Path, help="folder of the report")
    command.set_defaults(run=render)


def _readme(command: argparse.ArgumentParser) -> None:
    command.description = (
        "Writes the table of verdicts into a Markdown file, between the comments <!-- verdicts: ... --> and "
        "<!-- end of verdicts -->, from the verdicts.json of a recorded report."
    )
    command.add_argument(
        "folder", type=Path, nargs="?", default=Path(RECORDED), help=f"folder of the report (default: {RECORDED})"
    )
    command.add_argument("--readme", type=Path, default=Path("README.md"), help="the file (default: README.md)")
    command.add_argument("--check", action="store_true", help="write nothing; exit code 1 if the table is stale")
    command.set_defaults(run=write_readme)


def _claims_options(command: argparse.ArgumentParser) -> None:
    folder_option(command)
    command.add_argument("-k", dest="keyword", default="", help="only claims whose id contains this")


def _run_options(command: argparse.ArgumentParser) -> None:
    tier_option(command)
    cells_options(command)


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
        _write(options.json, json.dumps(list(unique.values()), indent=1, sort_keys=True) + "\n")
        print(f"{len(unique)} cells in {options.json}")
        return 0
    store = sweep.Store(options.store)
    for claim, own in wanted.items():
        if not own:
            print(f"{claim}: no {options.tier} tier")
        for backend in _settings(options).backends if own else ():
            print(f"{claim} in {backend}: {_counts([r for r in own if r.backend == backend], store)}")
    return 0


def _counts(wanted: Sequence[Request], store: sweep.Store) -> str:
    found = sweep.recorded(wanted, store)
    cells = [outcome.cell for outcome in found.outcomes if outcome.cell is not None]
    took = sum(cell.provenance.seconds for cell in cells)
    return f"{len(wanted)} cells, {len(cells)} recorded, which took {took:.0f} s"


def run_sweep(options: argparse.Namespace) -> int:
    """Computes what is missing; 1 if cells failed, and why the first did."""
    wanted = [request for study in _selected(options) for request in requests(study, _settings(options))]
    swept = sweep.run(
        wanted,
        sweep.Store(options.store),
        engine=options.engine,
        device=options.device,
        workers=options.workers,
        progress=sweep.on(sys.stderr),
    )
    print(", ".join(f"{name} {count}" for name, count in swept.counts.items()))
    failures = [outcome.failure for outcome in swept.outcomes if outcome.failure]
    for failure in failures[:3]:
        print(f"Failed ({failure.kind}):\n{failure.traceback}", file=sys.stderr)
    return 1 if failures else 0


def render(options: argparse.Namespace) -> int:
    """Writes the HTML again."""
    print(report.write(options.folder, *report.load(options.folder)))
    return 0


def write_readme(options: argparse.Namespace) -> int:
    """Writes the table of verdicts; with --check, 1 if that would change anything."""
    verdicts, _ = report.load(options.folder)
    try:
        old = options.readme.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise InvalidInput(f"{options.readme} cannot be read: {error}. Name a Markdown file with --readme.") from error
    new = readme.updated(old, verdicts, options.folder, options.readme)
    if options.check and new != old:
        print(f"{options.readme} is stale against {options.folder}: run `ntk-claims readme`.", file=sys.stderr)
        return 1
    if new != old:
        _write(options.readme, new)
    return 0


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InvalidInput(f"{path} cannot be written: {error.strerror or error}. Name another file.") from error


def _selected(options: argparse.Namespace) -> list[Study]:
    claims = list(studies.discover(options.claims).values())
    selected = [study for study in claims if options.keyword in study.claim.id]
    if not selected:
        known = ", ".join(study.claim.id for study in claims) or "none"
        raise InvalidInput(
            f"No claim below {options.claims} has an id that contains {options.keyword!r}. There: {known}."
        )
    return selected


def _settings(options: argparse.Namespace) -> Settings:
    return Settings(options.tier, backend_names(options.backend), options.store)
