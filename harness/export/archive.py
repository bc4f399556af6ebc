"""Writing the archive: a new folder or one zip file, whole or not at all, in reproducible bytes."""

import os
import shutil
import tempfile
import zipfile
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import InvalidInput

if TYPE_CHECKING:
    from rocrate.rocrate import ROCrate


def write(crate: "ROCrate", target: Path, time: datetime) -> None:
    """Writes a crate.

    Args:
        crate: its files in memory.
        target: a folder that does not exist yet, or a file whose name ends in .zip, which is
            replaced.
        time: that every file in the zip bears.

    Raises:
        InvalidInput: if the folder exists, or nothing can be written there.
    """
    if target.suffix != ".zip" and target.exists():
        raise InvalidInput(
            f"{target} exists. Name a new folder for the crate, or a file that ends in .zip."
        )
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(
            dir=target.parent, prefix=f".{target.name}."
        ) as scratch:
            folder = Path(scratch) / "crate"
            crate.write(folder)
            if target.suffix == ".zip":
                os.replace(_zipped(folder, Path(scratch) / target.name, time), target)
            else:
                shutil.move(folder, target)
    except OSError as error:
        raise InvalidInput(
            f"{target} cannot be written: {error.strerror or error}. Name another place."
        ) from error


def _zipped(folder: Path, target: Path, time: datetime) -> Path:
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(path for path in folder.rglob("*") if path.is_file()):
            entry = zipfile.ZipInfo(
                file.relative_to(folder).as_posix(), (*time.timetuple()[:6],)
            )
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, file.read_bytes(), zipfile.ZIP_DEFLATED)
    return target
