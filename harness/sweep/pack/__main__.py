"""`python -m harness.sweep.pack pack STORE FILE`, `... unpack FILE STORE`: with numpy alone; else `ntk-claims pack`."""

import argparse
import sys
from collections.abc import Sequence

from harness.console import guarded
from harness.sweep.pack import commands


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; the exit code."""
    return guarded(lambda: _run(arguments), kept="What was unpacked so far is kept; start again to go on.")


def _run(arguments: Sequence[str] | None) -> int:
    options = parser().parse_args(arguments)
    return int(options.run(options))


def parser() -> argparse.ArgumentParser:
    """Both commands and their options."""
    top = argparse.ArgumentParser(prog="python -m harness.sweep.pack", description="Stores as one file.")
    commands.add(top.add_subparsers(required=True, metavar="command"))
    return top


if __name__ == "__main__":
    sys.exit(main())
