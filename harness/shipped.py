"""The cells of a recorded run, as they ship with the project beside its report.

    reports/recorded/<tier>/cells.tar      a pack (`harness.sweep.pack`) of the cells that the
                                           verdicts rest on, and no others
    reports/recorded/<tier>/cells.sha256   SHA-256 and name of each, as sha256sum writes them

Where there is no store, `--replay`, `verdict` and `audit` take these cells. Each is held against
its SHA-256 before anything is judged.
"""

import hashlib
import math
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from harness.errors import CellCorrupted, InvalidInput, PackCorrupted, StoreError
from harness.numerals import counted
from harness.sweep import Cell, Store, cell
from harness.sweep.pack import Packed, members, pack

Json = Mapping[str, Any]
RECORDED = Path("reports/recorded")
"""Where recorded runs lie, one folder a tier, from the project's root."""
CELLS, SUMS = "cells.tar", "cells.sha256"
SHOWN = 5
"""So many cells that are not as recorded are named."""
SAME = 1e-9
"""Relative difference of effects that is rounding of another NumPy."""


def ship(cells: Iterable[Cell], folder: Path) -> Packed:
    """Writes cells.tar and cells.sha256 into a folder.

    Raises:
        StoreError: if there is no cell, or a file cannot be written.
    """
    with tempfile.TemporaryDirectory(prefix="ntk-claims-ship-") as place:
        root = Path(place)
        sums = {}
        for own in cells:
            content = own.path.read_bytes()
            name = f"cells/{'/'.join(own.path.parts[-3:])}"
            _write(root / name, content)
            sums[name] = hashlib.sha256(content).hexdigest()
        packed = pack(Store(root), folder / CELLS)
    text = "".join(f"{sums[name]}  {name}\n" for name in sorted(sums))
    (folder / SUMS).write_text(text, encoding="utf-8", newline="\n")
    return packed


@contextmanager
def cells_of(store: Path, recorded: Path, *, asked: bool) -> Iterator[Path]:
    """The folder of cells to read: the store, or, where it is not there, the recorded cells.

    Args:
        store: the store.
        recorded: folder of the recorded run.
        asked: whether the store was named by the caller, so that it must be there.

    Raises:
        PackCorrupted: as `unpacked` does.
    """
    if asked or store.exists() or not (recorded / CELLS).is_file():
        yield store
        return
    with unpacked(recorded) as folder:
        yield folder


@contextmanager
def unpacked(recorded: Path) -> Iterator[Path]:
    """The recorded cells as a store, which is gone afterwards.

    Raises:
        PackCorrupted: naming cells that were changed, are missing, or are not of the run.
    """
    with tempfile.TemporaryDirectory(prefix="ntk-claims-recorded-") as place:
        root = Path(place)
        sums, found = _sums(recorded), set()
        wrong = []
        for name, content in members(recorded / CELLS):
            found.add(name)
            if hashlib.sha256(content).hexdigest() == sums.get(name):
                _write(root / name, content)
            else:
                wrong.append(_named(name, content, listed=name in sums))
        wrong += [f"missing: {name}" for name in sorted(set(sums) - found)]
        if wrong:
            raise PackCorrupted(_message(recorded, wrong, len(sums)))
        yield root


def legible(recorded: Path) -> list[Cell]:
    """The recorded cells, held against nothing: for estimates. None where they are not there or
    cannot be read, for an estimate is no reason to refuse a run.
    """
    try:
        return [
            cell.read(Path(name), content)
            for name, content in members(recorded / CELLS)
        ]
    except (PackCorrupted, CellCorrupted, StoreError):
        return []


def differences(judged: Sequence[Json], recorded: Json) -> list[str]:
    """How judged claims differ from those of a recorded report, in a line each; none if they do
    not.

    Args:
        judged: claims as verdicts.json has them.
        recorded: the content of the recorded verdicts.json.
    """
    known = {claim["id"]: claim for claim in recorded["claims"]}
    lines = []
    for claim in judged:
        old, kind = known.get(claim["id"]), claim["verdict"]["kind"]
        if old is None:
            lines.append(f"{claim['id']}: not in the recorded run")
        elif old["verdict"]["kind"] != kind:
            lines.append(f"{claim['id']}: {kind}, recorded {old['verdict']['kind']}")
        elif moved := _moved(claim["effects"], old["effects"]):
            lines.append(f"{claim['id']}: other effects than recorded, {moved}")
    return lines


def _moved(new: Json, old: Json) -> str:
    """Backend and name of the first effect that is not the recorded one; "" if all are."""
    for backend in sorted(new.keys() | old.keys()):
        ours, theirs = new.get(backend, {}), old.get(backend, {})
        for name in sorted(ours.keys() | theirs.keys()):
            if not _same(ours.get(name, ()), theirs.get(name, ())):
                return f"{name} in {backend}"
    return ""


def _same(new: Sequence[float | None], old: Sequence[float | None]) -> bool:
    if len(new) != len(old):
        return False
    pairs = zip(new, old, strict=True)
    return all(
        a == b or (None not in (a, b) and _close(float(a or 0), float(b or 0)))
        for a, b in pairs
    )


def _close(a: float, b: float) -> bool:
    return math.isclose(a, b, rel_tol=SAME, abs_tol=SAME)


def _sums(recorded: Path) -> dict[str, str]:
    """Name -> SHA-256 of each recorded cell."""
    try:
        lines = (recorded / SUMS).read_text(encoding="utf-8").splitlines()
        pairs = [line.split("  ") for line in lines]
        return {name: digest for digest, name in pairs}
    except (OSError, ValueError) as error:
        raise PackCorrupted(
            f"{recorded / SUMS} cannot be read ({error}), so the cells beside it cannot be "
            "checked. Restore it from the version control."
        ) from error


def _named(name: str, content: bytes, *, listed: bool) -> str:
    """What is wrong with a cell, of which computation it is, and its name."""
    try:
        request = cell.read(Path(name), content).request
    except CellCorrupted:
        return f"damaged: {name}"
    state = "changed" if listed else "not of the run"
    return f"{state}: {name} ({request.computation} in {request.backend})"


def _message(recorded: Path, wrong: Sequence[str], total: int) -> str:
    more = f"; and {len(wrong) - SHOWN} more" if len(wrong) > SHOWN else ""
    return (
        f"{recorded / CELLS}: {len(wrong)} of {counted(total, 'recorded cell')} not as {SUMS} "
        f"says. {'; '.join(wrong[:SHOWN])}{more}. Nothing was judged. Restore both files from the "
        "version control."
    )


def _write(path: Path, content: bytes) -> None:
    """Without syncing: the folder is a temporary one."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    except OSError as error:
        raise InvalidInput(
            f"{path} cannot be written: {error.strerror or error}. Set TMPDIR to a folder with "
            "room."
        ) from error
