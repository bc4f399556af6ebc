"""`ntk-claims`: what pytest has no place for.

Verifying is `pytest claims` (see `pytest --help`, ntk-claims).

Exit codes are those of `harness.console`: 1 if cells failed or differ, a verdict changed, or a
table is stale.
"""

import argparse
import textwrap
from collections.abc import Sequence

from harness import __version__
from harness.commands import (
    audit,
    calibrate,
    data,
    diff,
    export,
    history,
    listing,
    plan,
    power,
    readme,
    recording,
    registration,
    rehearsal,
    rendering,
    sweeping,
    verdict,
)
from harness.console import CODES, guarded
from harness.sweep import pack


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; its exit code."""
    return guarded(lambda: _run(arguments), name="ntk-claims")


def _run(arguments: Sequence[str] | None) -> int:
    parsed = parser().parse_args(arguments)
    return int(parsed.run(parsed))


def parser() -> argparse.ArgumentParser:
    """The commands and their options."""
    top = argparse.ArgumentParser(
        prog="ntk-claims",
        description="Executable checks of published claims about the Neural Tangent Kernel.",
        epilog="To verify the claims and write a report: pytest claims --tier quick (or: tox run "
        f"-e claims). {CODES}",
    )
    top.add_argument("--version", action="version", version=f"ntk-claims {__version__}")
    commands = top.add_subparsers(required=True, metavar="command")
    listing.add(commands)
    plan.add(commands)
    sweeping.add(commands)
    rendering.add(commands)
    recording.add(commands)
    readme.add(commands)
    verdict.add(commands)
    diff.add(commands)
    history.add(commands)
    rehearsal.add(commands)
    registration.add(commands)
    audit.add(commands)
    power.add(commands)
    calibrate.add(commands)
    export.add(commands)
    data.add(commands)
    pack.add(commands)
    for command in commands.choices.values():
        _name_codes(command)
    return top


def _name_codes(command: argparse.ArgumentParser) -> None:
    """Ends a command's help with the exit codes, unless it has a list of its own."""
    said = command.epilog or ""
    if "Exit code" not in said:
        command.epilog = f"{said}\n\n{textwrap.fill(CODES, 100)}".strip()
