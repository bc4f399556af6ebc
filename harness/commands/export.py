"""`ntk-claims export`: a run in the formats that other programs read."""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from harness import registration, report, studies, sweep
from harness.commands.options import folder_option, store_option
from harness.errors import InvalidInput
from harness.export import archive, crate, parquet, parts
from harness.export.run_times import moment
from harness.session import Settings, requests
from harness.study import Study
from harness.sweep import Cell, Sweep

Json = Mapping[str, Any]
DESCRIPTION = """\
Writes a run, as its folder's verdicts.json and run.json have it, in the formats that other
programs read. Any number of formats at once; - instead of a file writes to the terminal.

  --markdown FILE  a table for the page of a CI job, e.g. --markdown - >> "$GITHUB_STEP_SUMMARY".
  --schemas FOLDER the JSON Schemas of verdicts.json and run.json, to check them or to write a
                   reader.
  --parquet FILE   every raw measurement as one table, a row per claim, quantity, configuration,
                   backend, seed and element; for pandas, Polars, DuckDB, R.
  --crate PLACE    the archive to publish or to hand to a referee: an RO-Crate (Process Run Crate)
                   with the report, the measurements as Parquet, the registrations, the claims as
                   code and the installed packages. A new folder, or a zip file if the name ends in
                   .zip.

JUnit XML is pytest's: pytest claims --replay --junitxml FILE judges the recorded cells and writes
it, with each claim's verdict, effects, intervals, margins and p as properties. junit-to-ctrf (npm)
turns that into CTRF.

The last two formats need the store with the run's cells, the claims as they were in the run, and:
pip install 'ntk-claims[export]'. The cells are held against the run first: every claim must be
registered as it was, and must give the effects that verdicts.json has. Exports of one run have the
same bytes."""
EXAMPLES = """\
examples:
  ntk-claims export reports/quick-1 --parquet quick-1.parquet
  ntk-claims export reports/quick-1 --crate quick-1.zip --agent "Ada Lovelace"
"""
TOLERANCE = 1e-6


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the command to those of `ntk-claims`."""
    command = commands.add_parser(
        "export",
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument(
        "run_folder", type=Path, metavar="RUN", help="folder of the run's report"
    )
    for name in ("markdown", "parquet"):
        command.add_argument(f"--{name}", type=Path, metavar="FILE", help="see above")
    command.add_argument("--schemas", type=Path, metavar="FOLDER", help="see above")
    command.add_argument("--crate", type=Path, metavar="PLACE", help="see above")
    command.add_argument(
        "--agent",
        default="",
        metavar="NAME",
        help="who ran it, to be named in the crate",
    )
    store_option(command, "where the cells are")
    folder_option(command)
    command.set_defaults(run=write)


def write(options: argparse.Namespace) -> int:
    """Writes what was asked for."""
    wanted = ("markdown", "schemas", "parquet", "crate")
    if not any(getattr(options, name) for name in wanted):
        raise InvalidInput(
            f"Name what to write: one or more of --{', --'.join(wanted)}. See ntk-claims export "
            "--help."
        )
    document, run = report.load(options.run_folder)
    if options.markdown:
        _put(options.markdown, report.summary_markdown(document, run).encode())
    if options.schemas:
        for name, content in parts.schemas().items():
            _put(options.schemas / name, content)
    if options.parquet or options.crate:
        _measured(options, document, run)
    return 0


def _measured(options: argparse.Namespace, document: Json, run: Json) -> None:
    """The formats that hold the measurements themselves."""
    found = {file: study for file, study in studies.discover(options.claims).items()}
    by_id = {study.claim.id: study for study in found.values()}
    cells = {
        claim["id"]: _cells(claim, by_id, document, options.store)
        for claim in document["claims"]
    }
    if options.parquet:
        _put(options.parquet, parquet.measurements(cells))
    if options.crate:
        sources = {
            study.claim.id: file
            for file, study in found.items()
            if study.claim.id in cells
        }
        folder = options.claims / registration.FOLDER
        files = parts.parts(options.run_folder, document, run, cells, sources, folder)
        archive.write(
            crate.crate(files, document, run, options.agent),
            options.crate,
            moment(run["finished"]),
        )
        print(options.crate)


def _cells(
    claim: Json, known: Mapping[str, Study], document: Json, store: Path
) -> Sequence[Cell]:
    """The recorded cells of a claim of the run.

    Raises:
        InvalidInput: if the claim is not there, or not as it was in the run, or the cells give
            other effects.
    """
    study = known.get(claim["id"])
    if (
        study is None
        or registration.ClaimRecord.of(study).digest != claim["registration"]
    ):
        state = "is not there" if study is None else "is not as it was in the run"
        raise InvalidInput(
            f"The claim {claim['id']!r} of the run {state}, so its cells cannot be told. Name the "
            "folder of the "
            "claims as they were with --claims, e.g. that of a checkout of the run's commit."
        )
    settings = Settings(
        document["tier"], tuple(document["backends"]), store, replay=True
    )
    found = sweep.recorded(requests(study, settings), sweep.Store(store))
    for backend, effects in claim["effects"].items():
        _check(claim["id"], backend, effects, study, found, store)
    return [outcome.cell for outcome in found.outcomes if outcome.cell is not None]


def _check(
    claim: str, backend: str, effects: Json, study: Study, found: Sweep, store: Path
) -> None:
    """Raises InvalidInput unless the cells give the effects of the run; SweepFailed if cells are
    missing.
    """
    now = study.effects(found.measurements(backend)) if effects else {}
    for name, values in effects.items():
        then = np.array([np.nan if value is None else value for value in values])
        again = np.asarray(now.get(name, ()), dtype=np.float64)
        again = np.where(np.isfinite(again), again, np.nan)
        if then.shape != again.shape or not np.allclose(
            then, again, TOLERANCE, TOLERANCE, equal_nan=True
        ):
            raise InvalidInput(
                f"The cells of claim {claim!r} in {store} give other effects {name!r} in {backend} "
                "than the run has: "
                "they are another run's. Name the run's own store with --store."
            )


def _put(file: Path, content: bytes) -> None:
    """Writes a file, and the folders it lies in; - is the terminal."""
    if str(file) == "-":
        sys.stdout.buffer.write(content)
        sys.stdout.flush()
        return
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    except OSError as error:
        raise InvalidInput(
            f"{file} cannot be written: {error.strerror or error}. Name another file."
        ) from error
    print(file)
