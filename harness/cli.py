"""`ntk-claims`: what pytest has no place for.

Verifying is `pytest claims` (see `pytest --help`, ntk-claims).

Exit codes are those of `harness.console`: 1 if cells failed or differ, a verdict changed, or a
table is stale. Only the module of the command that is called is imported.
"""

import argparse
import sys
import textwrap
from collections.abc import Sequence
from importlib import import_module

from harness import __version__
from harness.console import CODES, guarded

COMMANDS = {
    "list": (
        "harness.commands.listing",
        "every claim, its tiers, and the verdict recorded for each",
    ),
    "show": (
        "harness.commands.show",
        "tell one claim of a report: what it says, what decided, its limits",
    ),
    "plan": (
        "harness.commands.plan",
        "the cells of a run: how many, how many the store has; or as a file",
    ),
    "sweep": (
        "harness.commands.sweeping",
        "compute the cells of a run, without judging anything",
    ),
    "report": (
        "harness.commands.rendering",
        "write the HTML of a report again, from its verdicts.json",
    ),
    "record": (
        "harness.commands.recording",
        "make a run the recorded one: its report, cells and calibration",
    ),
    "readme": (
        "harness.commands.readme",
        "write the table of recorded verdicts into README.md, or check it",
    ),
    "verdict": (
        "harness.commands.verdict",
        "every verdict again from the store, held against the recorded ones",
    ),
    "diff": ("harness.commands.diff", "what changed from one run to another"),
    "history": (
        "harness.commands.history",
        "the verdicts and effects of many runs over time, as a page",
    ),
    "rehearse": (
        "harness.commands.rehearsal",
        "try a claim on seeds that are not the registered ones",
    ),
    "register": (
        "harness.commands.registration",
        "write down what a new claim fixes before it is run",
    ),
    "amend": (
        "harness.commands.registration",
        "write down a change of a registered claim, and why",
    ),
    "withdraw": (
        "harness.commands.registration",
        "take a registered claim back, and say why",
    ),
    "audit": (
        "harness.commands.audit",
        "compute a sample of recorded cells again, and compare",
    ),
    "power": (
        "harness.commands.power",
        "the power of every claim and hypothesis, and the seeds it takes",
    ),
    "calibrate": (
        "harness.commands.calibrate",
        "simulate how often each claim's decision errs, for the report",
    ),
    "export": (
        "harness.commands.export",
        "a run as Markdown, Parquet, or as an archive (RO-Crate)",
    ),
    "data": (
        "harness.commands.data",
        "the data sets: where each was found; or download one",
    ),
    "regime": (
        "harness.commands.regime",
        "tell whether a network of your own is in the kernel regime",
    ),
    "pack": (
        "harness.sweep.pack",
        "the cells of a store as one file, to be carried to another machine",
    ),
    "unpack": ("harness.sweep.pack", "take a packed store over into a store"),
}
"""Each command: the module whose `add` gives it its options, and what it does."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; its exit code."""
    return guarded(lambda: _run(arguments), name="ntk-claims")


def _run(arguments: Sequence[str] | None) -> int:
    words = sys.argv[1:] if arguments is None else list(arguments)
    top = _parser(words[:1]) if words and words[0] in COMMANDS else _list_of_commands()
    parsed = top.parse_args(words)
    return int(parsed.run(parsed))


def parser() -> argparse.ArgumentParser:
    """All commands and their options."""
    return _parser(list(COMMANDS))


def _parser(names: Sequence[str]) -> argparse.ArgumentParser:
    """The commands of these names, and others of their modules, with their options."""
    top, commands = _top()
    for module in dict.fromkeys(COMMANDS[name][0] for name in names):
        import_module(module).add(commands)
    for command in commands.choices.values():
        _name_codes(command)
    return top


def _list_of_commands() -> argparse.ArgumentParser:
    """Every command with what it does, without its options: nothing has to be imported."""
    top, commands = _top()
    for name, (_, line) in COMMANDS.items():
        commands.add_parser(name, help=line)
    return top


def _top() -> tuple[
    argparse.ArgumentParser, "argparse._SubParsersAction[argparse.ArgumentParser]"
]:
    top = argparse.ArgumentParser(
        prog="ntk-claims",
        description="Executable checks of published claims about the Neural Tangent Kernel.",
        epilog="To verify the claims and write a report: pytest claims --tier quick (or: tox run "
        f"-e claims). {CODES}",
    )
    top.add_argument("--version", action="version", version=f"ntk-claims {__version__}")
    return top, top.add_subparsers(required=True, metavar="command")


def _name_codes(command: argparse.ArgumentParser) -> None:
    """Ends a command's help with the exit codes, unless it has a list of its own."""
    said = command.epilog or ""
    if "Exit code" not in said:
        command.epilog = f"{said}\n\n{textwrap.fill(CODES, 100)}".strip()
