"""`ntk-claims list`: every claim, its tiers, and the verdict recorded for each."""

import argparse
import textwrap
from collections.abc import Mapping

from harness import studies
from harness.commands.options import examples, keyword_options, selected_by_keyword
from harness.experiment import TIERS
from harness.studies import Recorded
from harness.study import Study

WIDTH, COLUMN = 100, 14


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the command to those of `ntk-claims`."""
    command = commands.add_parser("list", help="every claim, its tiers, and the verdict recorded for each")
    command.description = (
        "Lists every claim below a folder: its id, its title, and per tier the recorded verdict. "
        "'unrecorded': the tier has no verdict on record, and a run passes only if it comes out SUPPORTED; "
        "'-': the claim has no such tier."
    )
    examples(command, "ntk-claims list -k vyas2022")
    keyword_options(command)
    command.set_defaults(run=list_claims)


def list_claims(options: argparse.Namespace) -> int:
    """A row of verdicts per claim, and its title below."""
    recorded = studies.recorded(options.claims)
    chosen = selected_by_keyword(options)
    width = max(len(study.claim.id) for study in chosen)
    print("  ".join([f"{'claim':<{width}}", *(f"{tier:<{COLUMN}}" for tier in TIERS)]).rstrip())
    for study in chosen:
        verdicts = [f"{_verdict(study, tier, recorded):<{COLUMN}}" for tier in TIERS]
        print("  ".join([f"{study.claim.id:<{width}}", *verdicts]).rstrip())
        print(textwrap.fill(study.claim.title, WIDTH, initial_indent="    ", subsequent_indent="    "))
    return 0


def _verdict(study: Study, tier: str, recorded: Mapping[tuple[str, str], Recorded]) -> str:
    if not all(getattr(experiment, tier) for experiment in study.experiments):
        return "-"
    known = recorded.get((study.claim.id, tier))
    return known.verdict if known else "unrecorded"
