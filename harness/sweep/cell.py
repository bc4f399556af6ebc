"""A cell: the answer to one request under given circumstances, as one immutable file.

    ntk-claims-cell 1 <SHA-256 of all that follows the first line>\\n
    <header: canonical JSON on one line>\\n
    <the arrays, little-endian, C order, one after another>

The header holds the request, the circumstances, the provenance, and name, dtype and shape of each
array. Request and circumstances make the cell's key, and the key is the file's name, so a file
under the wrong name is noticed.
"""

import hashlib
import math
import stat
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from harness import strict_json
from harness.errors import CellCorrupted, InvalidInput
from harness.experiment import Request, canonical, digest

MAGIC = b"ntk-claims-cell 1 "
HEADER_LIMIT = 2**20
SIZE_LIMIT = 2**48
DTYPES = frozenset(
    [
        "|b1",
        "|i1",
        "|u1",
        "<i2",
        "<i4",
        "<i8",
        "<u2",
        "<u4",
        "<u8",
        "<f2",
        "<f4",
        "<f8",
        "<c8",
        "<c16",
    ]
)

MEMBERS = ("request", "circumstances", "provenance", "arrays")
TYPES = {
    "versions": "str -> str",
    "environment": "str -> str",
    "seconds": "float",
    "threads": "int",
}
"""Of the fields of circumstances and provenance that are no texts."""
MORE_FIELDS, MORE_CHARACTERS = 32, 4096
"""How many fields another version of this code may have added to the provenance, and how long each
may be as JSON.
"""
Layout = list[tuple[str, str, tuple[int, ...]]]


@dataclass(frozen=True)
class Circumstances:
    """What, besides the request, a result may depend on.

    Args:
        device: device class, "cpu" or "cuda".
        code: digest of the code that the cell runs, see `harness.sweep.code`.
        versions: package -> version, of numpy and the backend's framework.
    """

    device: str
    code: str
    versions: Mapping[str, str]


@dataclass(frozen=True)
class Provenance:
    """How a cell came to be: on record, but no part of its identity.

    A file may hold further fields, written by another version of this code: texts, numbers, truth
    values, or a mapping from text to text, few and short. They are left out on reading, and stay in
    the file, which nobody rewrites.

    Args:
        started_at: UTC, ISO 8601.
        seconds: wall time of the computation.
        threads: CPU threads that the worker was given.
        device_name: processor or GPU model.
        environment: environment variables set for the worker, switches of its framework, and its
            memory budget.
        python: version of Python.
    """

    started_at: str
    seconds: float
    threads: int
    device_name: str
    environment: Mapping[str, str]
    python: str


@dataclass(frozen=True)
class Cell:
    """A verified cell file; its arrays are read when first asked for."""

    path: Path
    request: Request
    circumstances: Circumstances
    provenance: Provenance

    @property
    def key(self) -> str:
        """SHA-256 of request and circumstances; the stem of the file's name."""
        return key(self.request, self.circumstances)

    @cached_property
    def arrays(self) -> dict[str, np.ndarray]:
        """Name -> measured array, read-only, leading axis the replicates.

        Raises CellCorrupted if it was altered.
        """
        _, layout, body = _read(self.path)
        arrays, offset = {}, 0
        for name, dtype, shape in layout:
            count = math.prod(shape)
            arrays[name] = np.frombuffer(body, dtype, count, offset).reshape(shape)
            offset += arrays[name].nbytes
        return arrays


def key(request: Request, circumstances: Circumstances) -> str:
    """SHA-256, in hex, of the canonical JSON of a request and its circumstances."""
    return digest({"request": asdict(request), "circumstances": asdict(circumstances)})


def request_of(record: Any) -> Request:
    """The request that a JSON record (`asdict` of a Request) describes.

    Raises:
        InvalidInput: naming the field that is missing, unknown or of the wrong type.

    >>> request_of(
    ...     {
    ...         "computation": "harness.measurements:drift",
    ...         "configuration": {"width": 64},
    ...         "replicates": [0, 1],
    ...         "stream": "registered",
    ...         "backend": "torch",
    ...         "dtype": "float32",
    ...     }
    ... ).replicates
    (0, 1)
    """
    if not isinstance(record, Mapping):
        raise InvalidInput(
            f"A request must be a JSON object; got {type(record).__name__}: {str(record)[:80]!r}."
        )
    names = [field.name for field in fields(Request)]
    if set(record) != set(names):
        raise InvalidInput(
            f"A request has the fields {', '.join(names)}; got "
            f"{', '.join(map(str, record)) or 'none'}."
        )
    for name in names:
        _check_field(name, record[name])
    return Request(**{**record, "replicates": tuple(record["replicates"])})


def _check_field(name: str, value: Any) -> None:
    kinds: dict[str, Any] = {"configuration": dict, "replicates": (list, tuple)}
    if not isinstance(value, kinds.get(name, str)):
        raise InvalidInput(
            f"The field {name!r} of a request must not be {type(value).__name__} "
            f"({str(value)[:80]!r})."
        )
    if name == "replicates" and not (
        value and all(type(number) is int for number in value)
    ):
        raise InvalidInput(
            f"The replicates of a request must be one integer or more; got {value!r}."
        )
    if name == "configuration":
        try:
            canonical(value)
        except (TypeError, ValueError) as error:
            raise InvalidInput(
                f"A configuration must consist of finite JSON values; got {value!r} ({error})."
            ) from None


def check_arrays(arrays: Any, replicates: int) -> None:
    """Raises InvalidInput unless it is a dict of numeric NumPy arrays with a leading axis of
    `replicates`.
    """
    if not isinstance(arrays, Mapping) or not arrays:
        raise InvalidInput(
            f"A computation must return a dict of arrays, not empty; got {type(arrays).__name__}."
        )
    for name, array in arrays.items():
        if not isinstance(name, str) or not isinstance(array, np.ndarray):
            raise InvalidInput(
                f"A computation must return name -> numpy array; {name!r} is "
                f"{type(array).__name__}."
            )
        if array.ndim == 0 or len(array) != replicates:
            raise InvalidInput(
                f"{name!r} must have a leading axis of {replicates} replicates; its shape is "
                f"{array.shape}."
            )
        if _little(array.dtype) not in DTYPES:
            allowed = ", ".join(sorted(np.dtype(known).name for known in DTYPES))
            raise InvalidInput(
                f"{name!r} has dtype {array.dtype}, which no cell can hold. Allowed: {allowed}."
            )


def _little(dtype: np.dtype[Any]) -> str:
    return dtype.newbyteorder("<").str


def encode(
    request: Request,
    circumstances: Circumstances,
    provenance: Provenance,
    arrays: Mapping[str, np.ndarray],
) -> list[bytes]:
    """The file's content, in pieces; the arrays must have passed `check_arrays`."""
    header = {
        "request": asdict(request),
        "circumstances": asdict(circumstances),
        "provenance": asdict(provenance),
        "arrays": [
            [name, _little(array.dtype), list(array.shape)]
            for name, array in arrays.items()
        ],
    }
    pieces = [canonical(header).encode() + b"\n"]
    if len(pieces[0]) > HEADER_LIMIT:
        raise InvalidInput(
            f"The header of a cell must not exceed {HEADER_LIMIT} bytes; it has {len(pieces[0])}."
        )
    pieces += [
        array.astype(_little(array.dtype), copy=False).tobytes()
        for array in arrays.values()
    ]
    checksum = hashlib.sha256()
    for piece in pieces:
        checksum.update(piece)
    return [MAGIC + checksum.hexdigest().encode() + b"\n", *pieces]


def read(path: Path, content: bytes | None = None) -> Cell:
    """Reads and verifies a cell file, or what is about to become the file at that path.

    Raises:
        CellCorrupted: naming the file, what was expected and what was found.
        OSError: if the file cannot be read.
    """
    return _read(path, content)[0]


def _read(path: Path, content: bytes | None = None) -> tuple[Cell, Layout, memoryview]:
    header, body = _verified(path, content)
    try:
        request = request_of(header["request"])
        circumstances = circumstances_of(header["circumstances"])
        provenance = Provenance(**_typed(Provenance, _known(header["provenance"])))
        layout = _layout(header["arrays"], len(request.replicates))
        needed = sum(
            np.dtype(dtype).itemsize * math.prod(shape) for _, dtype, shape in layout
        )
        cell = Cell(path, request, circumstances, provenance)
        expected = (request.digest, cell.key)
    except (KeyError, TypeError, ValueError, InvalidInput) as error:
        raise CellCorrupted(
            f"{path}: expected the header of a cell, found another one ({error!r})."
        ) from error
    if expected != (path.parent.name, path.stem):
        raise CellCorrupted(
            f"{path}: expected the answer that its name promises, found another one's: "
            f"{'/'.join(expected)}.cell."
        )
    if needed != len(body):
        raise CellCorrupted(
            f"{path}: expected {needed} bytes of arrays by the header, found {len(body)}."
        )
    return cell, layout, body


def circumstances_of(record: Any) -> Circumstances:
    """The circumstances that a JSON record describes; raises TypeError if it is none, or a field
    has another type.
    """
    return Circumstances(**_typed(Circumstances, record))


def _known(provenance: Any) -> dict[str, Any]:
    """The fields of a provenance that this version knows; raises TypeError unless others are few,
    plain and short.
    """
    names, plain = (
        {field.name for field in fields(Provenance)},
        {"str", "int", "float", "bool", "str -> str"},
    )
    record = dict(provenance)
    others = {name: value for name, value in record.items() if name not in names}
    for name, value in others.items():
        if (
            len(others) > MORE_FIELDS
            or _type_name(value) not in plain
            or len(canonical(value)) > MORE_CHARACTERS
        ):
            raise TypeError(
                f"{len(others)} more fields of provenance, with a {_type_name(value)} {name[:40]!r}"
            )
    return {name: value for name, value in record.items() if name in names}


def _typed(kind: type, record: Any) -> dict[str, Any]:
    """The record, if it has the fields of that dataclass and values of their types."""
    found = {name: _type_name(value) for name, value in dict(record).items()}
    wanted = {field.name: TYPES.get(field.name, "str") for field in fields(kind)}
    if found != wanted:
        raise TypeError(f"a {kind.__name__} has the fields {wanted}; got {found}")
    return dict(record)


def _type_name(value: Any) -> str:
    if isinstance(value, dict):
        return (
            "str -> str"
            if all(isinstance(inner, str) for inner in value.values())
            else "dict"
        )
    return type(value).__name__


def _verified(
    path: Path, content: bytes | None = None
) -> tuple[dict[str, Any], memoryview]:
    content = _content(path) if content is None else content
    seal, newline, _ = content[:256].partition(b"\n")
    if not newline or not seal.startswith(MAGIC):
        raise CellCorrupted(
            f"{path}: expected a first line {MAGIC.decode()!r} + SHA-256, found {content[:40]!r}."
        )
    sealed = memoryview(content)[len(seal) + 1 :]
    expected, found = (
        seal[len(MAGIC) :].decode("latin-1"),
        hashlib.sha256(sealed).hexdigest(),
    )
    if found != expected:
        raise CellCorrupted(
            f"{path}: expected content with SHA-256 {expected[:64]!r}, found {found!r}."
        )
    length = (
        content.find(b"\n", len(seal) + 1, len(seal) + 1 + HEADER_LIMIT) - len(seal) - 1
    )
    if length < 0:
        raise CellCorrupted(
            f"{path}: expected a header line of at most {HEADER_LIMIT} bytes, found no end of it."
        )
    return _header(path, bytes(sealed[:length])), sealed[length + 1 :]


def _content(path: Path) -> bytes:
    if not stat.S_ISREG(path.stat().st_mode):
        raise CellCorrupted(f"{path}: expected a regular file, found another kind.")
    return path.read_bytes()


def _header(path: Path, line: bytes) -> dict[str, Any]:
    try:
        header = strict_json.parse(line)
    except ValueError as error:
        raise CellCorrupted(
            f"{path}: expected a header in JSON, found {line[:40]!r} ({error})."
        ) from error
    if not isinstance(header, dict):
        raise CellCorrupted(
            f"{path}: expected a JSON object as header, found {type(header).__name__}."
        )
    if set(header) != set(MEMBERS):
        raise CellCorrupted(
            f"{path}: expected the header of a cell, {', '.join(MEMBERS)}; found "
            f"{str(set(header))[:200]}."
        )
    if canonical(header).encode() != line:
        raise CellCorrupted(
            f"{path}: expected a header in canonical JSON, found other words for the same."
        )
    return header


def _layout(arrays: Any, replicates: int) -> Layout:
    layout: Layout = []
    for name, dtype, shape in arrays:
        extents = tuple(shape)
        plain = 1 <= len(extents) <= 32 and all(
            type(extent) is int and extent >= 0 for extent in extents
        )
        fits = (
            plain
            and extents[0] == replicates
            and math.prod(extent or 1 for extent in extents) < SIZE_LIMIT
        )
        if not isinstance(name, str) or dtype not in DTYPES or not fits:
            raise ValueError(f"array {name!r} of dtype {dtype!r} and shape {shape!r}")
        layout.append((name, dtype, extents))
    if len({name for name, _, _ in layout}) != len(arrays) or not arrays:
        raise ValueError("no array, or two of one name")
    return layout
