"""`ntk-claims verdict`: every verdict again from recorded cells, against the recorded verdicts."""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness import registration, report, studies, sweep
from harness.commands.options import (
    added,
    cells_options,
    claims_options,
    discovered,
    prove_writable,
    recorded_cells,
    selected,
    tier_option,
    write_text,
)
from harness.numerals import counted
from harness.registration import FOLDER
from harness.report.terminal import claim_lines
from harness.session import Settings, backend_names, verify
from harness.study import Study
from harness.verdict import Kind

Json = Mapping[str, Any]


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the command to those of `ntk-claims`."""
    command = added(
        commands,
        "verdict",
        "Judges the recorded cells again, computing none, and without PyTorch or JAX. Prints each "
        "verdict, and each "
        "primary effect with its interval and what it needs. Exit code 0 if every verdict is the "
        "one that "
        "verdicts.toml records (SUPPORTED where it records none); 1 if any differs, if cells were "
        "computed by other "
        "code than the present (unless --stale-ok), or if a registration has no claim file and was "
        "not withdrawn.",
    )
    run_options(command)
    stale = (
        "exit code 0 even if cells were computed by other code than the present; "
        "it is said all the same"
    )
    command.add_argument("--stale-ok", action="store_true", help=stale)
    command.set_defaults(run=verdict)


def run_options(command: argparse.ArgumentParser) -> None:
    """Which claims and cells a command is about, and the file for its results."""
    claims_options(command)
    tier_option(command)
    cells_options(command)
    command.add_argument(
        "--json", type=Path, metavar="FILE", help="write the results to this file too"
    )


def write_json(file: Path, content: Json) -> None:
    """Writes results; raises InvalidInput if the file cannot be written."""
    write_text(file, report.as_text(content))


def verdict(options: argparse.Namespace) -> int:
    """Prints every verdict; 1 if any is not the recorded one, is stale, or a registration lacks its
    claim.
    """
    prove_writable(options.json)
    chosen = selected(options)
    with recorded_cells(options) as store:
        names = backend_names(options.backend)
        document = judged(
            chosen, options, Settings(options.tier, names, store, replay=True)
        )
    for claim in document["claims"]:
        print("\n".join(claim_lines(claim)))
    if options.json is not None:
        write_json(options.json, document)
    changed = [change for claim in document["claims"] if (change := _change(claim))]
    print(f"\n{_tally(document['claims'])}", *changed, sep="\n    ")
    for one in document["unclaimed"]:
        print(f"    {one['claim']} ({one['state']}): {one['words']}")
    hidden = any(
        one["state"] != registration.WITHDRAWN for one in document["unclaimed"]
    )
    stale = [claim["id"] for claim in document["claims"] if claim["stale"]]
    if stale:
        print(
            f"    Stale, computed by other code than the present: {', '.join(stale)}."
        )
    return 1 if changed or hidden or (stale and not options.stale_ok) else 0


def judged(
    chosen: Sequence[Study],
    options: argparse.Namespace,
    settings: Settings,
    calibrations: Json | None = None,
) -> Json:
    """The content of verdicts.json, of claims below the folder of a call."""
    folder = options.claims / FOLDER
    every = discovered(options)
    unclaimed = registration.unclaimed(folder, list(every))
    return verify(
        chosen,
        settings,
        family_sizes=registration.family_sizes(every.values(), unclaimed),
        recorded=studies.recorded(options.claims),
        registrations={study.claim.id: folder for study in chosen},
        unclaimed=unclaimed,
        calibrations=calibrations,
        progress=sweep.on(sys.stderr),
    ).document


def _tally(claims: Sequence[Json]) -> str:
    """How many verdicts are as recorded, and of how many none is recorded.

    >>> new = {"id": "new", "verdict": {"kind": "SUPPORTED"}, "recorded": None}
    >>> _tally([new]), _tally([new, {**new, "recorded": "REFUTED"}])
    ('1 verdict, none recorded.', '0 of 1 verdict is as recorded; of 1 more none is recorded.')
    """
    unrecorded = sum(claim["recorded"] is None for claim in claims)
    recorded = [claim for claim in claims if claim["recorded"] is not None]
    kept = sum(not _change(claim) for claim in recorded)
    if not recorded:
        return f"{counted(unrecorded, 'verdict')}, none recorded."
    words = (
        f"{kept} of {counted(len(recorded), 'verdict')} "
        f"{'is' if len(recorded) == 1 else 'are'} as recorded"
    )
    return (
        f"{words}; of {unrecorded} more none is recorded."
        if unrecorded
        else f"{words}."
    )


def _change(claim: Json) -> str:
    """How a verdict differs from the recorded one; "" if it does not, or if there is neither."""
    kind, recorded = claim["verdict"]["kind"], claim["recorded"]
    if kind == (recorded or Kind.SUPPORTED) or (
        kind == Kind.NOT_RUN and recorded is None
    ):
        return ""
    return (
        f"{claim['id']}: {kind}, and "
        f"{f'{recorded} is recorded' if recorded else 'none is recorded'}"
    )
