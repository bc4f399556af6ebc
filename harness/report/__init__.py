"""The report of a run: verdicts.json first, and everything else from it.

    entries --document--> verdicts.json --+--render--> report.html
                 run_record --> run.json -+            summary.md

`write` puts the four files into a folder, each whole or not at all; `load` reads them back.
"""

import json
import os
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from errno import EISDIR
from pathlib import Path
from typing import Any

from harness.errors import InvalidInput
from harness.report import schemas
from harness.report.calibration import Calibration
from harness.report.document import (
    Amendment,
    Entry,
    Unclaimed,
    document,
    in_words_stale,
)
from harness.report.html import render
from harness.report.run import Cells, Cost, Git, run_record
from harness.report.summary import summary_markdown
from harness.report.versions import READ

__all__ = [
    "Amendment",
    "Calibration",
    "Cells",
    "Cost",
    "Entry",
    "Git",
    "Unclaimed",
    "document",
    "in_words_stale",
    "load",
    "prove_writable",
    "render",
    "run_record",
    "summary_markdown",
    "write",
]

Json = Mapping[str, Any]
FILES = ("verdicts.json", "run.json", "summary.md", "report.html")


def write(
    folder: str | Path,
    document: Json,
    run: Json,
) -> Path:
    """Write verdicts.json, run.json, summary.md and report.html into a folder, which is made if
    need be.

    Args:
        folder: of this report; its files of these names are replaced.
        document, run: as `document` and `run_record` return them.

    Returns:
        The path of report.html.

    Raises:
        InvalidInput: if the folder cannot be written.
    """
    folder = Path(folder)
    texts = {
        "verdicts.json": as_text(document),
        "run.json": as_text(run),
        "summary.md": summary_markdown(document, run),
        "report.html": render(document, run),
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            _replace(folder / name, text)
    except OSError as error:
        raise _unwritable(folder, error) from error
    return folder / "report.html"


def prove_writable(folder: Path) -> None:
    """Proves that a report can be written into a folder, by a file that is gone afterwards, as is
    the folder if new.

    Raises:
        InvalidInput: if it cannot be.
    """
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    made: list[Path] = []
    try:
        for path in reversed(missing):
            path.mkdir(exist_ok=True)
            made.append(path)
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(b"Can this be written?")
        _check_names(folder)
    except OSError as error:
        raise _unwritable(folder, error) from error
    finally:
        for path in reversed(made):
            with suppress(OSError):  # somebody else has put something there
                path.rmdir()


def _check_names(folder: Path) -> None:
    """Raises IsADirectoryError where a folder has the name of one of our files."""
    for name in FILES:
        if (folder / name).is_dir():
            raise IsADirectoryError(EISDIR, os.strerror(EISDIR), str(folder / name))


def _unwritable(folder: Path, error: OSError) -> InvalidInput:
    return InvalidInput(
        f"The report cannot be written to {folder}: {error.strerror or error}. Name a folder that "
        "can be written."
    )


def load(folder: str | Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """The contents of verdicts.json and run.json of a report, which are what their schemas ask for.

    Raises:
        InvalidInput: if one is missing, is not JSON, has another version of the format, or is not
            what its schema asks.
    """
    verdicts, run = (Path(folder) / name for name in ("verdicts.json", "run.json"))
    return schemas.checked(verdicts, "verdicts", READ), schemas.checked(run, "run")


def as_text(content: Json) -> str:
    """JSON with sorted keys, the same bytes for the same content."""
    return (
        json.dumps(
            content, sort_keys=True, indent=1, ensure_ascii=False, allow_nan=False
        )
        + "\n"
    )


def _replace(path: Path, text: str) -> None:
    """Write a file whole or not at all: to a temporary name, synced, renamed."""
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
