"""`ntk-claims report`: the page of a report again, from its verdicts.json and run.json."""

import argparse
from pathlib import Path

from harness import report
from harness.commands.options import added


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the command to those of `ntk-claims`."""
    command = added(
        commands,
        "report",
        "Writes report.html and summary.md of a report again, from its verdicts.json and run.json. "
        "Nothing is judged "
        "again (that is ntk-claims verdict), and the same files give the same bytes.",
        "ntk-claims report reports/recorded/quick",
    )
    command.add_argument("folder", type=Path, help="folder of the report")
    command.set_defaults(run=render)


def render(options: argparse.Namespace) -> int:
    """Writes the HTML again."""
    print(report.write(options.folder, *report.load(options.folder)))
    return 0
