"""`ntk-claims list`: every claim, its tiers, and the verdict recorded for each."""

import argparse
import textwrap
from collections.abc import Mapping
from pathlib import Path

from harness import registration, studies
from harness.commands.options import added, claims_options, discovered, selected
from harness.errors import InvalidInput
from harness.experiment import TIERS
from harness.studies import Recorded
from harness.study import Study

WIDTH, COLUMN = 100, 14


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the command to those of `ntk-claims`."""
    command = added(
        commands,
        "list",
        "Lists every claim below a folder: its id, its title, and per tier the recorded verdict. "
        "'unrecorded': the tier has no verdict on record, and a run passes only if it comes out "
        "SUPPORTED; "
        "'-': the claim has no such tier; 'withdrawn': it was taken back. Below: registrations "
        "without a claim file.",
        "ntk-claims list -k vyas2022",
    )
    claims_options(command)
    command.set_defaults(run=list_claims)


def list_claims(options: argparse.Namespace) -> int:
    """A row of verdicts per claim, and its title below."""
    recorded = studies.recorded(options.claims)
    chosen = selected(options)
    folder = options.claims / registration.FOLDER
    width = max(len(study.claim.id) for study in chosen)
    print(
        "  ".join(
            [f"{'claim':<{width}}", *(f"{tier:<{COLUMN}}" for tier in TIERS)]
        ).rstrip()
    )
    for study in chosen:
        withdrawn = _withdrawn(study, folder)
        words = [
            registration.WITHDRAWN if withdrawn else _verdict(study, tier, recorded)
            for tier in TIERS
        ]
        verdicts = [f"{word:<{COLUMN}}" for word in words]
        print("  ".join([f"{study.claim.id:<{width}}", *verdicts]).rstrip())
        print(_indented(study.claim.title))
        if withdrawn:
            print(_indented(withdrawn))
    for one in registration.unclaimed(folder, list(discovered(options))):
        print(f"{one.claim:<{width}}  {one.state}".rstrip())
        print(_indented(one.words))
    return 0


def _withdrawn(study: Study, folder: Path) -> str:
    """When a claim was withdrawn, and why; "" if it was not, or its registration does not hold."""
    try:
        found = registration.read(folder, study.claim.id)
    except InvalidInput:
        return ""
    if found is None or not found.withdrawn:
        return ""
    last = found.history[-1]
    return f"Withdrawn on {last.date}: {last.reason}"


def _indented(text: str) -> str:
    return textwrap.fill(text, WIDTH, initial_indent="    ", subsequent_indent="    ")


def _verdict(
    study: Study, tier: str, recorded: Mapping[tuple[str, str], Recorded]
) -> str:
    if not all(getattr(experiment, tier) for experiment in study.experiments):
        return "-"
    known = recorded.get((study.claim.id, tier))
    return known.verdict if known else "unrecorded"
