"""`ntk-claims diff`: two runs held against each other."""

import argparse
import os
import sys
from pathlib import Path
from typing import TextIO

from harness.commands.options import (
    added,
    asked,
    chosen_ids,
    parts_options,
    write_text,
)
from harness.report.diff import compare
from harness.report.diff_text import as_lines, as_markdown, as_page
from harness.report.runs import of_claims, read

BOLD, PLAIN = "\x1b[1m", "\x1b[0m"


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the command to those of `ntk-claims`."""
    command = added(
        commands,
        "diff",
        "Holds two runs against each other: verdicts (a changed one is marked CHANGED), effects of "
        "every hypothesis in "
        "every backend with their intervals and whether these overlap, registrations, versions, "
        "and claims that only "
        "one of them has. Runs of different tiers may be compared, and that is said. Exit code 0 "
        "if no claim that both "
        "have changed its verdict, 1 if one did, 2 for a run that cannot be read or has another "
        "version of the format.",
        "ntk-claims diff reports/recorded/quick reports/quick --markdown changes.md --html "
        "changes.html",
    )
    command.add_argument(
        "a",
        type=Path,
        metavar="A",
        help="folder of a report, or its verdicts.json: the earlier run",
    )
    command.add_argument("b", type=Path, metavar="B", help="the same of the later run")
    parts_options(command)
    command.add_argument(
        "--all",
        action="store_true",
        help="print effects that agree to the printed digits too",
    )
    command.add_argument(
        "--markdown",
        type=Path,
        metavar="FILE",
        help="write a summary for a CI job page",
    )
    command.add_argument("--html", type=Path, metavar="FILE", help="write a page")
    command.set_defaults(run=diff)


def diff(options: argparse.Namespace) -> int:
    """Prints and writes the difference; 1 if a verdict changed."""
    a, b = read(options.a), read(options.b)
    if asked(options):
        names = chosen_ids(
            options, list(dict.fromkeys([*a.claims, *b.claims])), "in either run"
        )
        a, b = of_claims(a, names), of_claims(b, names)
    difference = compare(a, b)
    if options.markdown:
        write_text(options.markdown, as_markdown(difference))
    if options.html:
        write_text(options.html, as_page(difference))
    for line in as_lines(difference, options.all):
        print(_emphasised(line, sys.stdout))
    return 1 if difference.changed else 0


def _emphasised(line: str, stream: TextIO) -> str:
    """What matters in bold, on a terminal whose owner does not forbid it (no-color.org)."""
    matters = line.startswith("  CHANGED") or line.endswith("  APART")
    if not matters or not stream.isatty() or os.environ.get("NO_COLOR"):
        return line
    return f"{BOLD}{line}{PLAIN}"
