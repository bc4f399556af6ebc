"""From a store into a pack, and from a pack into a store: every cell is verified on both ways."""

import os
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from harness.errors import CellCorrupted, InvalidInput, PackCorrupted, StoreError
from harness.experiment import Request
from harness.sweep import cell
from harness.sweep.pack import archive
from harness.sweep.pack.archive import NAME, Limits, Member
from harness.sweep.store import Store, check_failure


@dataclass(frozen=True)
class Packed:
    """What went into a pack.

    Args:
        cells, failures: how many.
        size: bytes of the pack.
        sha256: of the list of its members; equal for equal packs.
        left_out: why files of the store that look like cells or failures, but are none, did not go in.
    """

    cells: int
    failures: int
    size: int
    sha256: str
    left_out: tuple[str, ...]


@dataclass(frozen=True)
class Unpacked:
    """What came of unpacking.

    Args:
        new: cells and failures that the store did not have.
        same: those that it had, byte for byte.
        kept: names of cells of which the store had another valid answer, which stayed.
    """

    new: int
    same: int
    kept: tuple[str, ...]


def pack(store: Store, file: Path, requests: Iterable[Request] | None = None) -> Packed:
    """Writes the valid cells and the failures of a store into a file; the store is only read.

    Args:
        store: whose cells.
        file: made, or replaced if it is a pack.
        requests: only what answers these, and their failures; None: everything.

    Raises:
        InvalidInput: if the file is there and no pack.
        StoreError: if the store is not there, has nothing of it, or changes meanwhile; if the file cannot be written.
    """
    if file.exists() and not (file.is_file() and archive.is_pack(file)):
        raise InvalidInput(f"{file} is there, and is no pack, so it is not written over. Name another file.")
    if not store.path.is_dir():
        raise StoreError(f"There is no store at {store.path}, so there is nothing to pack. Name the folder of one.")
    wanted = None if requests is None else {request.digest for request in requests}
    left_out: list[str] = []
    members = list(_valid(store.path, wanted, left_out))
    if not members:
        raise StoreError(
            f"The store at {store.path} holds no valid cell or failure{'' if wanted is None else ' of that plan'}; "
            "nothing was packed."
        )
    size = _written(file, archive.pieces(members, lambda member: _again(store.path / member.name)))
    cells = sum(member.name.startswith("cells/") for member in members)
    return Packed(cells, len(members) - cells, size, archive.seal(members), tuple(left_out))


def _valid(root: Path, wanted: set[str] | None, left_out: list[str]) -> Iterator[Member]:
    """The members in the order of their names; what is not valid is told in `left_out`."""
    paths = [*root.glob("cells/*/*/*.cell"), *root.glob("failures/*.json")]
    for name in sorted(path.relative_to(root).as_posix() for path in paths):
        try:
            content = (root / name).read_bytes()
            if not NAME.fullmatch(name):
                raise StoreError(f"{name} is no name of a cell or failure.")
            request = _request(root / name, content)
            if wanted is None or request.digest in wanted:
                yield Member.of(name, content)
        except FileNotFoundError:
            continue  # a run that read it at the same time has set it aside
        except StoreError as error:
            left_out.append(str(error))


def _request(path: Path, content: bytes) -> Request:
    if path.suffix == ".cell":
        return cell.read(path, content).request
    return check_failure(_key(path.as_posix()), content)


def _again(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise StoreError(f"{path} went away while it was being packed ({error.strerror}). Pack again.") from error


def _written(file: Path, pieces: Iterable[bytes]) -> int:
    """Writes under a temporary name, synced, renamed; the number of bytes."""
    temporary = file.with_name(f".{file.name}.{uuid.uuid4().hex}.tmp")
    try:
        with _readable(file, "written"), temporary.open("xb") as out:
            for piece in pieces:
                out.write(piece)
            size = out.tell()
            out.flush()
            os.fsync(out.fileno())
            os.replace(temporary, file)
        return size
    finally:
        with suppress(OSError):
            temporary.unlink()


def unpack(file: Path, store: Store, limits: Limits | None = None) -> Unpacked:
    """Takes what a pack holds over into a store, one verified file after the other.

    May be stopped at any moment and started again. What the store has, it keeps.

    Raises:
        PackCorrupted: naming what is wrong, and how much of the pack had been taken over, which stays.
        StoreError: if the file cannot be read, or the store cannot be written.
    """
    counts: Counter[str] = Counter()
    kept: list[str] = []
    if file.exists() and not file.is_file():
        raise PackCorrupted(f"{file} is no regular file, so it is no pack.")
    with _readable(file, "read"), file.open("rb") as source:
        try:
            for member, content in archive.read(file, source, limits or Limits()):
                result = _adopted(file, store, member, content)
                counts[result] += 1
                kept += [member.name] * (result == "kept")
        except PackCorrupted as error:
            raise PackCorrupted(f"{error}{_progress(counts)}") from None
    return Unpacked(counts["new"], counts["same"], tuple(kept))


def _adopted(file: Path, store: Store, member: Member, content: bytes) -> str:
    try:
        if member.name.startswith("cells/"):
            return store.adopt(member.name, content)
        return store.adopt_failure(_key(member.name), content)
    except CellCorrupted as error:
        raise PackCorrupted(f"{file} holds a file that is not what its name promises, {member.name}. {error}") from None


def _key(name: str) -> str:
    """Of the cell whose file this is, or the record of whose failure."""
    return name.rpartition("/")[2].partition(".")[0]


def _progress(counts: Counter[str]) -> str:
    taken = sum(counts.values())
    return f" {taken} of its files had been verified, and are in the store." if taken else ""


@contextmanager
def _readable(file: Path, action: str) -> Iterator[None]:
    try:
        yield
    except StoreError:
        raise
    except OSError as error:
        raise StoreError(f"{file} cannot be {action}: {error.strerror or error}. Name another file.") from error
