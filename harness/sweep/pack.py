"""Packs: the cells and failures of a store as one file, for the way from one machine to another.

    python -m harness.sweep.pack pack results results.pack   on the machine that computed, where
                                                             numpy is enough
    python -m harness.sweep.pack unpack results.pack STORE   on the one that judges

`ntk-claims pack` and `ntk-claims unpack` are the same. A pack is a tar archive, not compressed,
that any tar can list:

    contents.json    {"bytes": of all that follow, "format": "ntk-claims-pack 2", "members": number}
    cells/<2 hex>/<request digest>/<cell key>.cell
    failures/<cell key>.<number>.json

Equal stores make equal bytes. A reader takes regular files with these names alone, in their order,
each once, and reads their content in memory: nothing is extracted, so a name or a link leads
nowhere. The store verifies every cell, which carries a SHA-256 of its own, before it lies there.
"""

import argparse
import hashlib
import io
import os
import re
import sys
import tarfile
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from harness.console import CODES, guarded
from harness.errors import (
    CellCorrupted,
    InvalidInput,
    PackCorrupted,
    StoreError,
)
from harness.experiment import Request, canonical
from harness.sweep import cell, plans
from harness.sweep.store import Store, check_failure

FORMAT, CONTENTS = "ntk-claims-pack 2", "contents.json"
NAME = re.compile(
    r"cells/([0-9a-f]{2})/\1[0-9a-f]{62}/[0-9a-f]{64}\.cell|failures/[0-9a-f]{64}\.[1-9][0-9]{0,2}\.json"
)
HEAD_BYTES = 1536
"""A pack begins with a header and its contents.json, in so many bytes: three blocks of a tar."""
MEMBER_BYTES, PACK_BYTES = 2**30, 2**36
"""The most that one file in a pack may have, which is read in memory, and a pack."""
UNREADABLE = (tarfile.TarError, ValueError, OverflowError, EOFError)


@dataclass(frozen=True)
class Packed:
    """What went into a pack.

    Args:
        cells, failures: how many.
        size: bytes of the pack.
        sha256: of the pack; equal for equal stores.
        left_out: why files of the store that look like cells or failures, but are none, did not go
            in.
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
        StoreError: if the store is not there, has nothing of it, or changes meanwhile; if the file
            cannot be written.
    """
    if file.exists() and not _is_pack(file):
        raise InvalidInput(
            f"{file} is there, and is no pack, so it is not written over. Name another file."
        )
    if not store.path.is_dir():
        raise StoreError(
            f"There is no store at {store.path}, so there is nothing to pack. Name the folder of "
            "one: ntk-claims pack STORE FILE."
        )
    wanted = None if requests is None else {request.digest for request in requests}
    left_out: list[str] = []
    sizes = dict(_valid(store.path, wanted, left_out))
    if not sizes:
        raise StoreError(
            f"The store at {store.path} holds no valid cell or "
            f"failure{'' if wanted is None else ' of that plan'}; nothing was packed."
        )
    _write(file, store.path, sizes)
    cells = sum(name.startswith("cells/") for name in sizes)
    with file.open("rb") as written:
        sha256 = hashlib.file_digest(written, "sha256").hexdigest()
    return Packed(
        cells, len(sizes) - cells, file.stat().st_size, sha256, tuple(left_out)
    )


def _is_pack(file: Path) -> bool:
    """Whether a file begins as a pack does."""
    if not file.is_file():
        return False
    with file.open("rb") as reader:
        head = reader.read(HEAD_BYTES)
    return head.startswith(CONTENTS.encode()) and FORMAT.encode() in head


def _valid(
    root: Path, wanted: set[str] | None, left_out: list[str]
) -> Iterator[tuple[str, int]]:
    """Names, in their order, and sizes; what is not valid is told in `left_out`."""
    paths = [*root.glob("cells/*/*/*.cell"), *root.glob("failures/*.json")]
    for name in sorted(path.relative_to(root).as_posix() for path in paths):
        try:
            content = (root / name).read_bytes()
            if not NAME.fullmatch(name):
                raise StoreError(f"{name} is no name of a cell or failure.")
            request = _request(root / name, content)
            if wanted is None or request.digest in wanted:
                yield name, len(content)
        except FileNotFoundError:
            continue  # a run that read it at the same time has set it aside
        except StoreError as error:
            left_out.append(str(error))


def _request(path: Path, content: bytes) -> Request:
    """The request of a cell or of a failure's record; raises CellCorrupted for anything else."""
    if path.suffix == ".cell":
        return cell.read(path, content).request
    return check_failure(_key(path.name), content)


def _key(name: str) -> str:
    """Of the cell whose file this is, or the record of whose failure."""
    return Path(name).name.partition(".")[0]


def _write(file: Path, root: Path, sizes: dict[str, int]) -> None:
    """Writes under a temporary name, synced, renamed."""
    temporary = file.with_name(f".{file.name}.{uuid.uuid4().hex}.tmp")
    contents = canonical(_contents(sizes.values())).encode()
    try:
        with _explained(file, "written"), temporary.open("xb") as out:
            with tarfile.open(
                fileobj=out, mode="w", format=tarfile.USTAR_FORMAT
            ) as tar:
                _add(tar, CONTENTS, contents)
                for name, size in sizes.items():
                    _add(tar, name, _again(root / name, size))
            out.flush()
            os.fsync(out.fileno())
            os.replace(temporary, file)
    finally:
        with suppress(OSError):
            temporary.unlink()


def _contents(sizes: Iterable[int]) -> dict[str, str | int]:
    listed = list(sizes)
    return {"format": FORMAT, "members": len(listed), "bytes": sum(listed)}


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    """Without owner, with one mode and the time 0: equal files make equal bytes."""
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    tar.addfile(entry, io.BytesIO(content))


def _again(path: Path, size: int) -> bytes:
    """The content of a file that was valid; raises StoreError if it changed meanwhile."""
    try:
        content = path.read_bytes()
        _request(path, content)
    except OSError as error:
        content, reason = b"", error.strerror or error
    else:
        reason = f"{len(content)} bytes"
    if len(content) != size:
        raise StoreError(
            f"{path} was changed while it was being packed ({reason}). Pack again."
        )
    return content


def unpack(file: Path, store: Store, most: int = PACK_BYTES) -> Unpacked:
    """Takes what a pack holds over into a store, one verified file after the other.

    May be stopped at any moment and started again. What the store has, it keeps. Names, kinds and
    sizes of all files are checked before the first is taken over.

    Args:
        file: the pack.
        store: which takes it over.
        most: bytes that the pack may have.

    Raises:
        PackCorrupted: naming what is wrong, and how much of the pack had been taken over, which
            stays.
        StoreError: if the file cannot be read, or the store cannot be written.
    """
    counts: Counter[str] = Counter()
    kept: list[str] = []
    for name, content in members(file, most):
        try:
            result = _adopted(store, name, content)
        except CellCorrupted as error:
            raise PackCorrupted(
                f"{file} holds a file that is not what its name promises, {name}. {error} "
                f"{counts.total()} of its files had been verified, and are in the store."
            ) from None
        counts[result] += 1
        kept += [name] * (result == "kept")
    return Unpacked(counts["new"], counts["same"], tuple(kept))


def _adopted(store: Store, name: str, content: bytes) -> str:
    if name.startswith("cells/"):
        return store.adopt(name, content)
    return store.adopt_failure(_key(name), content)


def members(file: Path, most: int = PACK_BYTES) -> Iterator[tuple[str, bytes]]:
    """Name and content of each file in a pack, once names, kinds and sizes of all are checked; a
    cell's own checksum is not.

    Raises:
        PackCorrupted, StoreError: as `unpack` does.
    """
    if file.exists() and not file.is_file():
        raise PackCorrupted(f"{file} is no regular file, so it is no pack.")
    with _explained(file, "read"):
        if (size := file.stat().st_size) > most:
            raise PackCorrupted(
                f"{file} has {size} bytes; allowed are {most}. Nothing was unpacked. If you "
                "trust it, raise --max-bytes."
            )
        try:
            with tarfile.open(file, "r:") as tar:  # no compression: a bomb is no tar
                for entry in _checked(tar):
                    yield entry.name, _content(tar, entry)
        except UNREADABLE as error:
            raise PackCorrupted(
                f"{file} is no pack, or was truncated or altered: {error}. Nothing was unpacked; "
                "copy it again."
            ) from None


def _checked(tar: tarfile.TarFile) -> list[tarfile.TarInfo]:
    """All files of the pack behind its contents.json, none of which has been read.

    Raises:
        ValueError: if one is no regular file, has another name, comes twice or is too large, or if
            there are not as many as contents.json says.
    """
    first = tar.next()
    if (
        first is None
        or not _plain(first)
        or (first.name, first.size > HEAD_BYTES) != (CONTENTS, False)
    ):
        raise ValueError(f"expected {CONTENTS} first, found {_described(first)}")
    declared = _content(tar, first)
    entries: list[tarfile.TarInfo] = []
    last = ""
    while (entry := tar.next()) is not None:
        if not (_plain(entry) and NAME.fullmatch(entry.name) and entry.name > last):
            raise ValueError(
                "expected a regular file with the name of a cell or failure, in the order of "
                f"names and each once, of at most {MEMBER_BYTES} bytes; found {_described(entry)}"
            )
        entries.append(entry)
        last = entry.name
    found = canonical(_contents(entry.size for entry in entries))
    if declared != found.encode():
        raise ValueError(f"expected {declared[:200]!r}, found {found}")
    return entries


def _plain(entry: tarfile.TarInfo) -> bool:
    """Whether it is a plain file: no link, device, folder, sparse file, or one with attributes of
    its own; and not too large.
    """
    return (
        entry.type == tarfile.REGTYPE
        and not entry.issparse()
        and not entry.pax_headers
        and 0 <= entry.size <= MEMBER_BYTES
    )


def _described(entry: tarfile.TarInfo | None) -> str:
    if entry is None:
        return "nothing"
    return f"{entry.name[:200]!r} of type {entry.type!r} and {entry.size} bytes"


def _content(tar: tarfile.TarFile, entry: tarfile.TarInfo) -> bytes:
    reader = tar.extractfile(entry)
    content = b"" if reader is None else reader.read()
    if len(content) != entry.size:
        raise EOFError(
            f"expected {entry.size} bytes of {entry.name}, found {len(content)}"
        )
    return content


@contextmanager
def _explained(file: Path, action: str) -> Iterator[None]:
    try:
        yield
    except StoreError:
        raise
    except OSError as error:
        raise StoreError(
            f"{file} cannot be {action}: {error.strerror or error}. Name another file."
        ) from error


# The commands

PACK = (
    "Writes the valid cells and the recorded failures of a store into one file, for the way to "
    "another machine. Equal cells make equal bytes. The store is only read; what is damaged in it "
    "is left out, and named (exit code 1)."
)
UNPACK = (
    "Takes what a pack holds over into a store. Everything is verified before it lies there; a "
    "valid cell that the store has stays as it is (exit code 1 if it has other bytes). It may be "
    "stopped at any moment and started again."
)


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds both commands."""
    packing = commands.add_parser("pack", description=PACK)
    packing.add_argument("store", type=Path, help="folder of the cells")
    packing.add_argument("file", type=Path, help="the pack; made, or replaced")
    packing.add_argument(
        "--plan",
        type=Path,
        metavar="FILE",
        help="only what answers this plan (default: everything)",
    )
    packing.set_defaults(run=_pack)
    unpacking = commands.add_parser("unpack", description=UNPACK)
    unpacking.add_argument("file", type=Path, help="the pack")
    unpacking.add_argument(
        "store", type=Path, help="folder of the cells; made if it is not there"
    )
    unpacking.add_argument(
        "--max-bytes",
        type=int,
        default=PACK_BYTES,
        metavar="N",
        help="of the pack; a larger one is refused (default: %(default)s)",
    )
    unpacking.set_defaults(run=_unpack)


def _pack(options: argparse.Namespace) -> int:
    requests = None if options.plan is None else plans.read(options.plan)
    packed = pack(Store(options.store), options.file, requests)
    for reason in packed.left_out:
        print(f"Left out: {reason}", file=sys.stderr)
    contents = (
        f"{packed.cells} cells and {packed.failures} failures, {packed.size} bytes"
    )
    print(f"{contents} in {options.file}\nSHA-256 of the pack: {packed.sha256}")
    return 1 if packed.left_out else 0


def _unpack(options: argparse.Namespace) -> int:
    store = Store(options.store, notify=lambda notice: print(notice, file=sys.stderr))
    unpacked = unpack(options.file, store, options.max_bytes)
    for name in unpacked.kept:
        print(
            f"Kept: {name}; the store had a valid answer of its own, with other bytes.",
            file=sys.stderr,
        )
    there = f"{unpacked.same} there already, {len(unpacked.kept)} kept as they were"
    print(f"{unpacked.new} new in {options.store}, {there}")
    return 1 if unpacked.kept else 0


def main(arguments: Sequence[str] | None = None) -> int:
    """`python -m harness.sweep.pack`; the exit code."""
    return guarded(
        lambda: _run(arguments),
        kept="What was unpacked so far is kept; start again to go on.",
    )


def _run(arguments: Sequence[str] | None) -> int:
    top = argparse.ArgumentParser(
        prog="python -m harness.sweep.pack",
        description="Stores as one file.",
        epilog=CODES,
    )
    add(top.add_subparsers(required=True))
    parsed = top.parse_args(arguments)
    return int(parsed.run(parsed))


if __name__ == "__main__":
    sys.exit(main())
