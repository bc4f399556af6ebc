"""Targets: cells, failures, plans and packs."""

import hashlib
import json
import random
import tempfile
from dataclasses import asdict
from pathlib import Path

import numpy as np

from harness.errors import CellCorrupted, InvalidInput, PackCorrupted, StoreError
from harness.experiment import Request, canonical
from harness.sweep import Circumstances, Failure, Provenance, Store, cell, plans
from harness.sweep.pack import pack, unpack
from tests.verify.fuzz.mutations import altered, altered_json
from tests.verify.fuzz.target import Target

REQUEST = Request(
    "harness.measurements:drift",
    {"width": 64, "rates": [0.5]},
    (0, 1),
    "fuzz",
    "torch",
    "float32",
)
CIRCUMSTANCES = Circumstances("cpu", "c0de", {"numpy": "2.4", "torch": "2.13"})
PROVENANCE = Provenance(
    "2026-01-01T00:00:00+00:00",
    1.5,
    1,
    "a processor",
    {"OMP_NUM_THREADS": "1"},
    "3.12.0",
)
ARRAYS = {
    "drift": np.array([0.25, 0.5]),
    "losses": np.arange(6, dtype=np.float32).reshape(2, 3),
}
SEALED = b"".join(cell.encode(REQUEST, CIRCUMSTANCES, PROVENANCE, ARRAYS))
KEY = cell.key(REQUEST, CIRCUMSTANCES)
FAILURE = json.dumps(
    {
        "request": asdict(REQUEST),
        "circumstances": asdict(CIRCUMSTANCES),
        **asdict(Failure("data", "No such data set.", 1, "2026-01-01T00:00:00+00:00")),
    }
).encode()


def targets() -> list[Target]:
    """Of this module."""
    plan = canonical([asdict(REQUEST), asdict(REQUEST)]).encode()
    packed = _packed()
    return [
        Target("cell", [SEALED], _damaged_cell, (CellCorrupted,)),
        Target("cell-sealed", [SEALED], _sealed_cell, (CellCorrupted,), _resealed),
        Target("failure", [FAILURE], _failure, (StoreError,), altered_json),
        Target("plan", [plan], _plan, (InvalidInput,), altered_json),
        Target("pack", [packed], _pack, (PackCorrupted,)),
        Target("pack-contents", [packed], _pack, (PackCorrupted,), _other_contents),
    ]


def _damaged_cell(folder: Path, content: bytes) -> None:
    path = folder / REQUEST.digest / f"{KEY}.cell"
    _written(path, content)
    cell.read(path)
    assert content == SEALED, "an altered cell was read"


def _sealed_cell(folder: Path, content: bytes) -> None:
    """Under the name that it claims, as somebody would who forges one: it is read only if we could
    have written it.
    """
    path = folder / REQUEST.digest / f"{KEY}.cell"
    try:
        found = cell.read(path, content)
    except CellCorrupted as error:
        _, claims, name = str(error).partition("found another one's: ")
        if not claims:
            raise
        path = folder / name.removesuffix(".")
        found = cell.read(path, content)
    _written(path, content)
    again = cell.encode(
        found.request, found.circumstances, found.provenance, found.arrays
    )
    cell.check_arrays(found.arrays, len(found.request.replicates))
    header, newline, body = content.partition(b"\n")[2].partition(b"\n")
    known = json.loads(header)
    said = known["provenance"]
    # another version may have recorded more
    known["provenance"] = {name: said[name] for name in asdict(PROVENANCE)}
    assert b"".join(again[1:]) == canonical(known).encode() + newline + body, (
        "a cell that nobody could have written"
    )


def _resealed(draws: random.Random, content: bytes) -> bytes:
    header, _, body = content.partition(b"\n")[2].partition(b"\n")
    inner = (
        altered_json(draws, header)
        + b"\n"
        + (altered(draws, body) if draws.random() < 0.2 else body)
    )
    return cell.MAGIC + hashlib.sha256(inner).hexdigest().encode() + b"\n" + inner


def _failure(folder: Path, content: bytes) -> None:
    store = Store(folder)
    _written(folder / "failures" / f"{KEY}.1.json", content)
    (found,) = store.failures(REQUEST, CIRCUMSTANCES)
    assert all(
        isinstance(text, str) for text in (found.kind, found.traceback, found.time)
    )
    store.lacking()


def _plan(folder: Path, content: bytes) -> None:
    _written(folder / "plan.json", content)
    for request in plans.read(folder / "plan.json"):
        assert (
            cell.request_of(json.loads(canonical(asdict(request)))).digest
            == request.digest
        )


def _pack(folder: Path, content: bytes) -> None:
    """What was unpacked is valid, and nothing else lies anywhere."""
    _written(folder / "file.pack", content)
    store = Store(folder / "store")
    try:
        unpack(folder / "file.pack", store, 2**20)
    finally:
        for path in folder.rglob("*"):
            if path.is_file() and path.name != "file.pack":
                assert path.read_bytes() in (SEALED, FAILURE), (
                    f"{path} was unpacked, and is not what was packed"
                )
                assert path.is_relative_to(store.path), (
                    f"{path} is outside of the store"
                )


def _packed() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder, "store"))
        store.put(REQUEST, CIRCUMSTANCES, PROVENANCE, ARRAYS)
        _written(store.path / "failures" / f"{KEY}.1.json", FAILURE)
        pack(store, Path(folder, "file"))
        return Path(folder, "file").read_bytes()


def _other_contents(draws: random.Random, content: bytes) -> bytes:
    """Other contents.json, with a header that fits."""
    size = int(content[124:135], 8)
    manifest = altered_json(draws, content[512 : 512 + size])
    header = bytearray(content[:512])
    header[124:135] = b"%011o" % len(manifest)
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return (
        bytes(header)
        + manifest
        + bytes(-len(manifest) % 512)
        + content[512 + size + -size % 512 :]
    )


def _written(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
