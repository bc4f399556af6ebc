"""`ntk-claims history`: many runs, such as those of every night, on one page."""

import argparse
import sys
from pathlib import Path

from harness.commands.options import added, write_text
from harness.numerals import counted
from harness.report.history import collect
from harness.report.history_page import as_page


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the command to those of `ntk-claims`."""
    command = added(
        commands,
        "history",
        "Draws the primary effects of every claim over the runs in these folders, by the time that "
        "their run.json "
        "says, with their intervals, every change of verdict, and every change of versions or "
        "registration. Tiers "
        "are kept apart. A run that cannot be read is named here and on the page, and left out; "
        "exit code 2 only if "
        "none can be read.",
        "ntk-claims history nightly/* --html history.html",
    )
    command.add_argument(
        "folders",
        type=Path,
        nargs="+",
        metavar="FOLDER",
        help="of a report, one for each run",
    )
    command.add_argument(
        "--html",
        type=Path,
        metavar="FILE",
        required=True,
        help="write the page to this file",
    )
    command.set_defaults(run=history)


def history(options: argparse.Namespace) -> int:
    """Writes the page; prints every change of verdict, and names every run that is left out."""
    found = collect(options.folders)
    write_text(options.html, as_page(found))
    for run in found.unreadable:
        print(f"Left out: {run.reason}", file=sys.stderr)
    for timeline in found.timelines:
        for event in timeline.events:
            if event.of_verdict:
                print(
                    f"{event.when:%Y-%m-%d %H:%M}  {timeline.id} ({timeline.tier}): {event.words}"
                )
    print(
        f"{counted(len(found.runs), 'run')}, {len(found.unreadable)} left out: {options.html}"
    )
    return 0
