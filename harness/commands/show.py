"""`ntk-claims show`: one claim of a report, told in the terminal as a person would tell it."""

import argparse
from pathlib import Path

from harness import report
from harness.commands.options import added
from harness.commands.readme import RECORDED
from harness.errors import InvalidInput
from harness.report.terminal import told_at_length


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the command to those of `ntk-claims`."""
    command = added(
        commands,
        "show",
        "Tells one claim as the recorded report has it: what the paper says, what decided and what "
        "goes with it, every effect, how it was measured, and its limits. Computes nothing.",
        "ntk-claims show gap_across_width",
        "ntk-claims show nngp --report reports/quick-20261130T201200Z",
    )
    command.add_argument(
        "claim", help="the claim's id, or a part that no other claim has"
    )
    command.add_argument(
        "--report",
        type=Path,
        default=Path(RECORDED),
        metavar="FOLDER",
        help=f"folder of the report (default: {RECORDED})",
    )
    command.set_defaults(run=show)


def show(options: argparse.Namespace) -> int:
    """Prints the claim.

    Raises:
        InvalidInput: if the report has no such claim, or several.
    """
    document, _ = report.load(options.report)
    claims = {claim["id"]: claim for claim in document["claims"]}
    found = [name for name in claims if options.claim in name]
    found = [options.claim] if options.claim in claims else found
    if len(found) != 1:
        count = "several claims" if found else "no claim"
        listed = ", ".join(found or claims) or "none"
        raise InvalidInput(
            f"{options.report} has {count} whose id contains {options.claim!r}. Name one of: "
            f"{listed}."
        )
    print(told_at_length(claims[found[0]]))
    return 0
