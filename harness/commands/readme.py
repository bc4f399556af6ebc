"""`ntk-claims readme`: what a Markdown file shows of a recorded report, written into it, or checked."""

import argparse
import sys
from pathlib import Path

from harness import report
from harness.commands.options import examples, write_text
from harness.errors import InvalidInput
from harness.report import readme

RECORDED = "reports/recorded/quick"


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the command to those of `ntk-claims`."""
    command = commands.add_parser("readme", help="write the table of recorded verdicts into README.md, or check it")
    command.description = (
        "Writes the table of verdicts into a Markdown file, between the comments <!-- verdicts: ... --> and "
        "<!-- end of verdicts -->, from the verdicts.json of a recorded report."
    )
    examples(command, "ntk-claims readme --check")
    command.add_argument(
        "folder", type=Path, nargs="?", default=Path(RECORDED), help=f"folder of the report (default: {RECORDED})"
    )
    command.add_argument("--readme", type=Path, default=Path("README.md"), help="the file (default: README.md)")
    command.add_argument("--check", action="store_true", help="write nothing; exit code 1 if the table is stale")
    command.set_defaults(run=write_readme)


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
        write_text(options.readme, new)
    return 0
