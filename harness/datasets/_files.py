"""Published files: found under their name, plain or compressed, and verified before anyone sees their bytes.

A file is known by the SHA-256 of its decompressed bytes. The published checksums of .gz files are of no use: they
depend on the name and time in the gzip header, which Debian strips.
"""

import gzip
import hashlib
import lzma
import math
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from harness.errors import DatasetCorrupted, DatasetUnavailable

SUFFIXES = ("", ".gz", ".xz")


@dataclass(frozen=True)
class File:
    """A published file: its name without compression suffix, and the SHA-256 of its decompressed bytes."""

    name: str
    sha256: str


def locate(folder: Path, file: File) -> Path:
    """Where the folder has the file: plain, .gz or .xz; where it would be plain, if the folder does not have it."""
    paths = (folder / (file.name + suffix) for suffix in SUFFIXES)
    return next((path for path in paths if path.is_file()), folder / file.name)


def read(path: Path, file: File, url: str = "") -> bytes:
    """The decompressed bytes of the file at that path, verified; `url` if it was downloaded just now.

    Raises:
        DatasetCorrupted: if the archive is damaged or the bytes are not the published ones.
        DatasetUnavailable: if it cannot be read.
    """
    try:
        payload = _decompress(path)
    except (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile) as error:
        raise _corrupted(path, file, url, f"a damaged archive ({error})") from error
    except OSError as error:
        raise DatasetUnavailable(f"{path} cannot be read: {error.strerror}. Make it a readable file.") from error
    digest = hashlib.sha256(payload).hexdigest()
    if digest != file.sha256:
        raise _corrupted(path, file, url, f"{digest} ({len(payload)} bytes)")
    return payload


def _decompress(path: Path) -> bytes:
    content = path.read_bytes()
    if path.suffix == ".gz":
        return gzip.decompress(content)
    return lzma.decompress(content) if path.suffix == ".xz" else content


def _corrupted(path: Path, file: File, url: str, found: str) -> DatasetCorrupted:
    on_disk = "Replace it by the published file, or delete it."
    downloaded = "The download was discarded. Try again later, or get the file another way and put it into a folder."
    return DatasetCorrupted(
        f"{url or path} is not the published file {file.name}. Expected sha256 of the decompressed bytes: "
        f"{file.sha256}; found: {found}. {downloaded if url else on_disk}"
    )


def idx(payload: bytes, file: File, dimensions: int) -> np.ndarray:
    """The uint8 array in an IDX file: bytes 0, 0, 8 (uint8), number of dimensions; the sizes (big-endian uint32); data.

    Source: LeCun, Cortes, Burges, "The MNIST database of handwritten digits", section on file formats.

    Raises:
        DatasetCorrupted: if the header is another one, or the data have another length than it says.

    >>> idx(bytes.fromhex("00000801 00000002 0709"), File("labels", ""), dimensions=1)
    array([7, 9], dtype=uint8)
    """
    magic, start = bytes([0, 0, 8, dimensions]), 4 + 4 * dimensions
    if payload[:4] != magic or len(payload) < start:
        found = payload[:start].hex() or "nothing"
        raise DatasetCorrupted(
            f"{file.name}: expected an IDX header of {start} bytes, {magic.hex()}...; found {found}."
        )
    shape = tuple(int(size) for size in np.frombuffer(payload[4:start], dtype=">u4"))
    if len(payload) - start != math.prod(shape):
        raise DatasetCorrupted(
            f"{file.name}: expected {math.prod(shape)} bytes of data for shape {shape}; found {len(payload) - start}."
        )
    return np.frombuffer(payload, dtype=np.uint8, offset=start).reshape(shape)
