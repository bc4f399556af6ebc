"""The store: a folder of immutable cells and of failures.

Safe to kill, to copy, and to share between runs.

    <store>/cells/<2 hex>/<request digest>/<cell key>.cell   all answers to one request lie in one
                                                             folder
    <store>/failures/<cell key>.<attempt>.json               what went wrong, kept for reading

Files are written under a temporary name, synced and renamed; what is found under its own name is
complete. Every read verifies checksum, name and sizes; a file that fails is set aside as *.corrupt,
reported, and counts as missing.
"""

import errno
import json
import os
import time
import uuid
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal

import numpy as np

from harness import strict_json
from harness.errors import CellCorrupted, StoreError
from harness.experiment import Request
from harness.sweep import cell
from harness.sweep.cell import Cell, Circumstances, Provenance

ADVICE = {
    errno.ENOSPC: "Free space on that disk or choose another store; the cells already written are "
    "intact.",
    errno.EDQUOT: "Free space within the quota or choose another store; the cells already written "
    "are intact.",
    errno.EROFS: "It is read-only: choose a store in a writable place, or copy it there.",
    errno.EACCES: "Permission is missing: choose a store in a writable place, or copy it there.",
    errno.ENOTDIR: "A part of that path is a file: choose a directory.",
    errno.EEXIST: "It is a file: choose a directory.",
}
DAY = 86400.0
CUT = "cut"


@dataclass(frozen=True)
class Failure:
    """Why a cell is not there.

    Args:
        kind: "error" (the computation raised), "data" (a data set is not there; the traceback is
            the message alone), "memory" (out of it), "death" (of the worker), "timeout", "cut" (by
            the end of the run's time).
        traceback: the computation's, or what is known of the worker's end.
        attempt: 1 for the first in its sweep.
        time: when, UTC, ISO 8601.
    """

    kind: str
    traceback: str
    attempt: int
    time: str


def warn(notice: str) -> None:
    """Passes a notice to Python's warnings."""
    warnings.warn(notice, stacklevel=3)


@dataclass(frozen=True)
class Store:
    """A store at a path; the folder is made when something is first written.

    Args:
        path: the store's folder.
        notify: takes one line for each file that had to be set aside; Python's warnings by default.

    Raises:
        StoreError: from every method, saying what could not be done, where, and what to do.
    """

    path: Path
    notify: Callable[[str], None] = warn

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", Path(self.path))  # a plain string is welcome

    def folder(self, request: Request) -> Path:
        """Where all answers to a request lie."""
        return self.path / "cells" / request.digest[:2] / request.digest

    def file(self, request: Request, circumstances: Circumstances) -> Path:
        """Where the answer to a request under these circumstances lies."""
        return self.folder(request) / f"{cell.key(request, circumstances)}.cell"

    def find(self, request: Request, circumstances: Circumstances) -> Cell | None:
        """The verified answer to a request under these circumstances; None if it is missing or was
        corrupted.
        """
        return self._verified(self.file(request, circumstances))

    def answers(self, request: Request) -> list[Cell]:
        """Every verified answer to a request, under whatever circumstances, oldest first."""
        with _explained("read", self.folder(request)):
            paths = sorted(self.folder(request).glob("*.cell"))
        cells = [
            answer for path in paths if (answer := self._verified(path)) is not None
        ]
        return sorted(cells, key=lambda answer: answer.provenance.started_at)

    def _verified(self, path: Path) -> Cell | None:
        with _explained("read", path):
            try:
                return cell.read(path)
            except FileNotFoundError:
                return None
            except CellCorrupted as error:
                self.notify(
                    f"{error} {_set_aside(path)} It counts as missing and will be computed again."
                )
                return None

    def put(
        self,
        request: Request,
        circumstances: Circumstances,
        provenance: Provenance,
        arrays: Mapping[str, np.ndarray],
    ) -> Path:
        """Writes a cell, unless a valid one is already there (another run was first: its answer
        stays).

        Raises:
            InvalidInput: if the arrays are not a dict of numeric arrays with a leading replicate
                axis.
        """
        cell.check_arrays(arrays, len(request.replicates))
        path = self.file(request, circumstances)
        if self._verified(path) is None:
            with _explained("write", path):
                _write(
                    self.path,
                    path,
                    cell.encode(request, circumstances, provenance, arrays),
                )
        return path

    def adopt(self, name: str, content: bytes) -> Literal["new", "same", "kept"]:
        """Takes over a cell of another store, verified; a valid one that is already there stays.

        Args:
            name: where it lies in the other store, "cells/<2 hex>/<request digest>/<cell
                key>.cell".
            content: what it holds.

        Returns:
            "new" if it was not there, "same" if it was, "kept" if another answer of that name was,
            and stays.

        Raises:
            CellCorrupted: if it is no cell, or another one's than its name promises.
        """
        path = self.path / name
        cell.read(path, content)
        if self._verified(path) is not None:
            with _explained("read", path):
                return "same" if path.read_bytes() == content else "kept"
        with _explained("write", path):
            _write(self.path, path, [content])
        return "new"

    def adopt_failure(self, key: str, content: bytes) -> Literal["new", "same"]:
        """Takes over the record of a failure of that cell from another store, beside those that are
        here.

        Raises:
            CellCorrupted: if it is no such record, or that of another cell.
        """
        check_failure(key, content)
        with _explained("write", self.path / "failures"):
            for path in self._failure_files(key):
                if not path.exists():
                    _write(self.path, path, [content])
                    return "new"
                if path.read_bytes() == content:
                    return "same"
        raise AssertionError("unreachable: the names of failures are without end")

    def prepare(self) -> None:
        """Proves that the store can be written, before hours are spent; removes day-old leavings of
        killed writers.
        """
        probe = self.path / "cells" / f".{uuid.uuid4().hex}.tmp"
        with _explained("write", self.path):
            _write(self.path, probe, [b"probe"])
            probe.unlink()
            for leaving in self.path.glob("cells/*/*/.*.tmp"):
                with suppress(FileNotFoundError):
                    if leaving.stat().st_mtime < time.time() - DAY:
                        leaving.unlink()

    def put_failure(
        self, request: Request, circumstances: Circumstances, failure: Failure
    ) -> Path:
        """Records a failure beside the earlier ones of the same cell."""
        record = {
            "request": asdict(request),
            "circumstances": asdict(circumstances),
            **asdict(failure),
        }
        folder = self.path / "failures"
        with _explained("write", folder):
            for path in self._failure_files(cell.key(request, circumstances)):
                if not path.exists():
                    _write(self.path, path, [json.dumps(record, indent=1).encode()])
                    return path
        raise AssertionError("unreachable: the names of failures are without end")

    def failures(self, request: Request, circumstances: Circumstances) -> list[Failure]:
        """The recorded failures of a cell, first to last; they stay when it succeeds later."""
        found: list[Failure] = []
        for path in self._failure_files(cell.key(request, circumstances)):
            with _explained("read", path):
                if not path.exists():
                    return found
                found.append(_failure(path)[1])
        return found

    def lacking(self) -> dict[str, Failure]:
        """By the digest of their requests, the failures of kind "data"."""
        found: dict[str, Failure] = {}
        for path in sorted((self.path / "failures").glob("*.json")):
            with _explained("read", path):
                request, failure = _failure(path)
                if failure.kind == "data":
                    found[request.digest] = failure
        return found

    def _failure_files(self, key: str) -> Iterator[Path]:
        number = 0
        while True:
            number += 1
            yield self.path / "failures" / f"{key}.{number}.json"


def _set_aside(path: Path) -> str:
    aside = path.with_suffix(".corrupt")
    try:
        os.replace(path, aside)
    except OSError as error:
        return f"It could not be set aside ({error.strerror}) and was not used."
    return f"It was set aside as {aside.name}."


def _failure(path: Path) -> tuple[Request, Failure]:
    try:
        request, _, failure = _failure_of(strict_json.load(path))
    except (ValueError, KeyError, TypeError) as error:
        raise StoreError(
            f"{path}: expected the record of a failure, found something else ({error!r}). Delete "
            "it."
        ) from error
    return request, failure


def check_failure(key: str, content: bytes) -> Request:
    """The request of a failure's record; raises CellCorrupted if it is none, or not that of the
    cell of this key.
    """
    try:
        request, circumstances, _ = _failure_of(strict_json.parse(content))
        found = cell.key(request, circumstances)
    except (ValueError, KeyError, TypeError) as error:
        raise CellCorrupted(
            f"Expected the record of a failure of {key}, found something else ({error!r})."
        ) from None
    if found != key:
        raise CellCorrupted(
            f"Expected the record of a failure of {key}, found that of a failure of {found}."
        )
    return request


def _failure_of(record: Any) -> tuple[Request, Circumstances, Failure]:
    plain = {"kind": str, "traceback": str, "attempt": int, "time": str}
    if any(type(record[name]) is not kind for name, kind in plain.items()):
        raise TypeError("a field of another type")
    request, circumstances = (
        cell.request_of(record["request"]),
        cell.circumstances_of(record["circumstances"]),
    )
    return (
        request,
        circumstances,
        Failure(*(record[field.name] for field in fields(Failure))),
    )


def _write(root: Path, path: Path, pieces: Sequence[bytes]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        with open(temporary, "xb") as file:
            file.writelines(pieces)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise
    for folder in path.parents[: len(path.parts) - len(root.parts)]:
        _sync(folder)


def _sync(folder: Path) -> None:
    """Makes a rename in the folder outlast a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if (
            error.errno != errno.EINVAL
        ):  # some network file systems cannot sync a folder
            raise
    finally:
        os.close(descriptor)


@contextmanager
def _explained(action: str, path: Path) -> Iterator[None]:
    try:
        yield
    except StoreError:
        raise
    except OSError as error:
        advice = ADVICE.get(
            error.errno or 0, "Check the disk, or choose another store."
        )
        raise StoreError(
            f"Cannot {action} the store at {path}: {error.strerror or error}. {advice}"
        ) from error
