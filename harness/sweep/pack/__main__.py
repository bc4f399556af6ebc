"""`python -m harness.sweep.pack pack STORE FILE`, `... unpack FILE STORE`: with numpy alone; else `ntk-claims pack`."""

import argparse
import sys
from collections.abc import Sequence

from harness.errors import ClaimsError
from harness.sweep.pack import commands

REFUSED, INTERRUPTED = 2, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; the exit code."""
    options = parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except ClaimsError as error:
        print(error, file=sys.stderr)
        return REFUSED
    except KeyboardInterrupt:
        print("\nInterrupted. What was unpacked so far is kept; start again to go on.", file=sys.stderr)
        return INTERRUPTED


def parser() -> argparse.ArgumentParser:
    """Both commands and their options."""
    top = argparse.ArgumentParser(prog="python -m harness.sweep.pack", description="Stores as one file.")
    commands.add(top.add_subparsers(required=True, metavar="command"))
    return top


if __name__ == "__main__":
    sys.exit(main())
