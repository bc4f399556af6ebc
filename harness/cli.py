"""`ntk-claims`: what pytest has no place for. Verifying is `pytest claims` (see `pytest --help`, ntk-claims).

Exit codes: 0 it did what was asked; 1 cells failed or differ, a verdict changed, or a table is stale; 2 a bad call;
130 interrupted; 141 what read the output went away.
"""

import argparse
import os
import sys
from collections.abc import Sequence

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
    registration,
    rehearsal,
    rendering,
    sweeping,
    verdict,
)
from harness.errors import ClaimsError
from harness.sweep.pack import commands as packing


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; its exit code."""
    parsed = parser().parse_args(arguments)
    try:
        code = int(parsed.run(parsed))
        sys.stdout.flush()
        return code
    except ClaimsError as error:
        print(f"ntk-claims: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nInterrupted. Cells done so far are kept; start again to go on.", file=sys.stderr)
        return 130
    except BrokenPipeError:  # what read our output, such as `head`, has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141


def parser() -> argparse.ArgumentParser:
    """The commands and their options."""
    top = argparse.ArgumentParser(
        prog="ntk-claims",
        description="Executable checks of published claims about the Neural Tangent Kernel.",
        epilog="To verify the claims and write a report: pytest claims --tier quick (or: tox run -e claims).",
    )
    commands = top.add_subparsers(required=True, metavar="command")
    listing.add(commands)
    plan.add(commands)
    sweeping.add(commands)
    rendering.add(commands)
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
    packing.add(commands)
    return top
