"""`ntk-claims show`: one claim of a report, told in the terminal as a person would tell it."""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness import papers, report
from harness.commands.options import added
from harness.commands.readme import RECORDED
from harness.errors import InvalidInput
from harness.plugin_options import REPORTS
from harness.report.terminal import told_at_length
from harness.studies import recorded


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the command to those of `ntk-claims`."""
    command = added(
        commands,
        "show",
        "Tells one claim as the recorded report has it: what the paper says, what decided and what "
        "goes with it, every effect, how it was measured, and its limits, with the reason that "
        "claims/verdicts.toml records. Names a newer report, where one lies below reports/. "
        "Computes nothing.",
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
    claim = claims[found[0]]
    print(told_at_length(claim, reason=recorded_reason(claim)))
    print(f"\nOf {options.report}.{newer_report(options.report)}")
    return 0


def recorded_reason(claim: Mapping[str, Any]) -> str:
    """Why the claim's verdict stands, of claims/verdicts.toml; "" where another verdict is recorded
    or none.
    """
    known = recorded(Path(papers.PACKAGE)).get((claim["id"], claim["tier"]))
    same = known is not None and known.verdict == claim["verdict"]["kind"]
    return known.reason if known is not None and same else ""


def newer_report(shown: Path) -> str:
    """A sentence that names the newest report below reports/, if it is newer than the one shown;
    else "".
    """
    below = Path(REPORTS).glob("*/verdicts.json")
    files = [path for path in below if not path.parent.samefile(shown)]
    newest = max(files, key=lambda path: path.stat().st_mtime, default=None)
    own = (shown / "verdicts.json").stat().st_mtime
    if newest is None or newest.stat().st_mtime <= own:
        return ""
    return f" A newer one: --report {newest.parent.as_posix()}"
