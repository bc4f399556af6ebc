"""`ntk-claims record`: a run becomes the recorded one, report, cells, calibration and pages."""

import argparse
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness import report, shipped, sweep
from harness.commands.calibrate import effects_of, simulated
from harness.commands.options import (
    added,
    discovered,
    folder_option,
    store_option,
    trials_option,
)
from harness.commands.readme import RECORDED as SHOWN
from harness.commands.readme import refresh
from harness.commands.verdict import judged, write_json
from harness.errors import InvalidInput
from harness.experiment import Request
from harness.registration import ClaimRecord
from harness.report import calibration
from harness.session import Settings, requests
from harness.shipped import RECORDED
from harness.statistics.calibration import TRIALS
from harness.study import Study
from harness.sweep import Cell, Store
from harness.verdict import Kind

Json = Mapping[str, Any]


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the command to those of `ntk-claims`."""
    command = added(
        commands,
        "record",
        "Takes the report of a run and the cells that its verdicts rest on, judges them again, and "
        f"writes all into {RECORDED.as_posix()}/<tier>: report, cells.tar with the SHA-256 of each "
        "cell, calibration.json. For the quick tier it then writes what README.md and docs show. "
        "Refused, before anything is written: a claim that is missing in the run or is not as "
        "registered, a cell that is not in the store, a verdict or effect that comes out "
        "otherwise. claims/verdicts.toml is written by hand.",
        "ntk-claims record --from reports/quick-20260101T000000Z",
    )
    folder_option(command)
    command.add_argument(
        "--from",
        dest="folder",
        type=Path,
        required=True,
        help="folder of the run's report",
    )
    store_option(command, "where its cells are")
    trials_option(command, TRIALS)
    command.set_defaults(run=record)


def record(options: argparse.Namespace) -> int:
    """Writes the recorded run, whole or not at all; README.md and docs last."""
    document, run = report.load(options.folder)
    tier = document["tier"]
    chosen = _chosen(document, discovered(options))
    target = RECORDED / tier
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".record-", dir=target.parent) as place:
        made = Path(place)
        packed = shipped.ship(_cells(document, chosen, options), made)
        rates = simulated(chosen, tier, effects_of(document), options.trials)
        write_json(made / calibration.FILE, rates)
        with shipped.unpacked(made) as store:
            again = judged(chosen, options, _settings(document, store), rates)
        if changed := shipped.differences(again["claims"], document):
            raise InvalidInput(
                f"The cells of {options.store} do not give the verdicts of {options.folder}: "
                f"{'; '.join(changed)}. Name the store and the report of one run."
            )
        report.write(made, again, run)
        for file in sorted(made.iterdir()):
            os.replace(file, target / file.name)
    print(f"{packed.cells} cells, {packed.size} bytes: {target / shipped.CELLS}")
    print(target / "report.html")
    if target == Path(SHOWN) and Path("README.md").is_file():
        refresh(target)
    return 0


def _chosen(document: Json, known: Mapping[str, Study]) -> list[Study]:
    """The studies of a report, as they are now.

    Raises:
        InvalidInput: if the report lacks a claim, has one that is not there, or was made for
            another registration.
    """
    of_run = {claim["id"]: claim["registration"] for claim in document["claims"]}
    if lacking := sorted(known.keys() ^ of_run.keys()):
        raise InvalidInput(
            "A recorded run has every claim and no other. Only in the run, or only in the folder "
            f"of claims: {', '.join(lacking)}."
        )
    other = [
        name
        for name, study in known.items()
        if ClaimRecord.of(study).digest != of_run[name]
    ]
    if other:
        raise InvalidInput(
            f"These claims are not what the run verified: {', '.join(other)}. Run them again."
        )
    return [known[name] for name in of_run]


def _settings(document: Json, store: Path) -> Settings:
    return Settings(document["tier"], tuple(document["backends"]), store, replay=True)


def _cells(
    document: Json, chosen: Sequence[Study], options: argparse.Namespace
) -> list[Cell]:
    """The cells that the verdicts rest on, each once; those of a claim that is NOT_RUN may be
    missing.
    """
    settings = _settings(document, options.store)
    kinds = {claim["id"]: claim["verdict"]["kind"] for claim in document["claims"]}
    found: dict[str, Cell] = {}
    for study in chosen:
        plan: list[Request] = requests(study, settings)
        outcomes = sweep.recorded(plan, Store(options.store)).outcomes
        cells = [outcome.cell for outcome in outcomes if outcome.cell is not None]
        missing = len(outcomes) - len(cells)
        if missing and kinds[study.claim.id] != Kind.NOT_RUN:
            raise InvalidInput(
                f"{missing} of {len(outcomes)} cells of {study.claim.id} are not in the store at "
                f"{options.store}. Name that of the run with --store."
            )
        found |= {own.key: own for own in cells}
    return list(found.values())
