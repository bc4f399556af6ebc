"""Published files: found under their name, plain or compressed, and verified before they are read.

A file is known by the SHA-256 of its decompressed bytes. The published checksums of .gz files are
of no use: they depend on the name and time in the gzip header, which Debian strips. Archives, and
formats that compress by themselves, are the exception: they are kept, verified and read as they
were published. Where no SHA-256 was published, that of the first download is recorded beside the
file, and later ones are held against it.
"""

import bz2
import hashlib
import lzma
import math
import re
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

import numpy as np

from harness.errors import DatasetCorrupted, DatasetUnavailable

SUFFIXES = ("", ".gz", ".xz")
LARGEST = 2**28
"""Bytes that a compressed file may hold: CIFAR-10, the largest that is decompressed as a whole, has
184 million.
"""
DICTIONARY = 2**27
"""Bytes of memory that a .xz file may ask for: twice what `xz -9` does."""


@dataclass(frozen=True)
class File:
    """A published file.

    Args:
        name: upstream's, without compression suffix; with it if the file is kept as published.
        sha256: of the decompressed bytes, or of the file as published; "" if upstream published
            none.
        as_published: is it kept and verified as it is, an archive or a format that compresses by
            itself?
        authority: who says what the SHA-256 is: "published", or "recorded" at the first download.
    """

    name: str
    sha256: str
    as_published: bool = False
    authority: str = "published"

    @property
    def download(self) -> str:
        """Its name at upstream's."""
        return self.name if self.as_published else f"{self.name}.gz"

    @property
    def record(self) -> str:
        """The name of the file beside it that holds the SHA-256 of the first download, as sha256sum
        writes it.
        """
        return f"{self.name}.sha256"


def locate(folder: Path, file: File) -> Path:
    """Where the folder has the file: as it is, .gz or .xz; where it would be plain, if the folder
    does not have it.
    """
    suffixes = ("",) if file.as_published else SUFFIXES
    paths = (folder / (file.name + suffix) for suffix in suffixes)
    return next((path for path in paths if path.is_file()), folder / file.name)


def recorded(folder: Path, file: File) -> File:
    """The file; if upstream published no SHA-256, with the one that the folder's record holds, if
    it has a record.

    Raises:
        DatasetCorrupted: if the record holds no SHA-256.
        DatasetUnavailable: if it cannot be read.
    """
    path = folder / file.record
    if file.sha256 or not path.is_file():
        return file
    try:
        content = path.read_bytes()
    except OSError as error:
        raise _unreadable(path, error) from error
    if not (digits := re.match(rb"[0-9a-f]{64}(?=\s|$)", content.lower())):
        raise DatasetCorrupted(
            f"{path} must begin with the sha256 of {file.name}, 64 hexadecimal digits; it begins "
            "with "
            f"{content[:64]!r}. Replace it, or delete it to accept the {file.name} that is there."
        )
    return replace(file, sha256=digits[0].decode(), authority="recorded")


def read(path: Path, file: File, url: str = "") -> bytes:
    """The decompressed bytes of the file at that path, verified; `url` if it was downloaded just
    now.

    Raises:
        DatasetCorrupted: if the archive is damaged or the bytes are not the published ones.
        DatasetUnavailable: if it cannot be read.
    """
    try:
        payload = _decompress(path)
    except (EOFError, ValueError, zlib.error, lzma.LZMAError) as error:
        raise _corrupted(path, file, url, f"a damaged archive ({error})") from error
    except OSError as error:
        raise _unreadable(path, error) from error
    _verify(
        hashlib.sha256(payload).hexdigest(), len(payload), path=path, file=file, url=url
    )
    return payload


@contextmanager
def opened(path: Path, file: File, url: str = "") -> Iterator[tuple[BinaryIO, str]]:
    """The file at that path as it is, at its beginning, and its SHA-256, verified; `url` if it was
    downloaded just now.

    It may be larger than memory. Held against the record beside it, if there is one and no SHA-256
    was published.

    Raises:
        DatasetCorrupted: if the bytes are not the published, or recorded, ones.
        DatasetUnavailable: if it cannot be read.
    """
    file = recorded(path.parent, file)
    with ExitStack() as stack:
        try:
            stream = stack.enter_context(path.open("rb"))
            digest, size = (
                hashlib.file_digest(stream, "sha256").hexdigest(),
                stream.tell(),
            )
            stream.seek(0)
        except OSError as error:
            raise _unreadable(path, error) from error
        _verify(digest, size, path=path, file=file, url=url)
        yield stream, digest


def admit(path: Path, file: File, url: str) -> None:
    """Verify what was just downloaded from that URL; record its SHA-256 beside it if there is none
    to hold it against.

    Raises:
        DatasetCorrupted: if the bytes are not the published, or recorded, ones.
    """
    if not file.as_published:
        read(path, file, url)
        return
    with opened(path, file, url) as (_, digest):
        if not file.sha256:
            (path.parent / file.record).write_text(
                f"{digest}  {file.name}\n", encoding="ascii"
            )


def _verify(digest: str, size: int, *, path: Path, file: File, url: str) -> None:
    if not file.sha256:
        return
    if digest != file.sha256:
        raise _corrupted(path, file, url, f"{digest} ({size} bytes)")


def _decompress(path: Path) -> bytes:
    content = path.read_bytes()
    if path.suffix == ".gz":
        return gunzipped(content)
    return (
        _inflated(content, lzma.LZMADecompressor(memlimit=DICTIONARY))
        if path.suffix == ".xz"
        else content
    )


def gunzipped(content: bytes) -> bytes:
    """The decompressed bytes of a .gz file of one member, at most `LARGEST`.

    Raises:
        EOFError, ValueError, zlib.error: if it is cut off, holds more than that, or is damaged.
    """
    return _inflated(content, zlib.decompressobj(wbits=31))


def unpacked(content: bytes) -> bytes:
    """What a file holds that may be compressed, as its first bytes tell: by gzip, bzip2 or xz;
    once, at most `LARGEST`.

    Raises:
        EOFError, ValueError, OSError, zlib.error, lzma.LZMAError: if it is cut off, holds more, or
        is damaged.
    """
    if content.startswith(b"\x1f\x8b"):
        return gunzipped(content)
    if content.startswith(b"BZh"):
        return _inflated(content, bz2.BZ2Decompressor())
    return (
        _inflated(content, lzma.LZMADecompressor(memlimit=DICTIONARY))
        if content.startswith(b"\xfd7zXZ")
        else content
    )


def _inflated(
    content: bytes,
    stream: "bz2.BZ2Decompressor | lzma.LZMADecompressor | zlib._Decompress",
) -> bytes:
    """So that a small file cannot fill the memory: the format itself compresses zeros by 1,000 (gz)
    or 7,000 (xz).
    """
    payload = stream.decompress(content, LARGEST + 1)
    if len(payload) > LARGEST:
        raise ValueError(f"it holds more than {LARGEST} bytes")
    if not stream.eof:
        raise EOFError("it ends before its end")
    if stream.unused_data.strip(b"\0"):
        raise ValueError("something follows its end")
    return payload


def _unreadable(path: Path, error: OSError) -> DatasetUnavailable:
    return DatasetUnavailable(
        f"{path} cannot be read: {error.strerror}. Make it a readable file."
    )


def _corrupted(path: Path, file: File, url: str, found: str) -> DatasetCorrupted:
    on_disk = "Replace it by the published file, or delete it."
    downloaded = (
        "The download was discarded. Try again later, "
        "or get the file another way and put it into a folder."
    )
    changed = (
        f" If upstream meant to change the file, delete its record, {file.record}, "
        "to accept the new one."
    )
    return DatasetCorrupted(
        f"{url or path} is not the {file.authority} file {file.name}. Expected sha256"
        f"{'' if file.as_published else ' of the decompressed bytes'}: {file.sha256}; found: "
        f"{found}. "
        f"{downloaded if url else on_disk}{changed if file.authority == 'recorded' else ''}"
    )


def idx(payload: bytes, file: File, dimensions: int) -> np.ndarray:
    """The uint8 array in an IDX file: bytes 0, 0, 8 (uint8), number of dimensions; the sizes
    (big-endian uint32); data.

    Source: LeCun, Cortes, Burges, "The MNIST database of handwritten digits", section on file
    formats.

    Raises:
        DatasetCorrupted: if the header is another one, or the data have another length than it
            says.

    >>> idx(bytes.fromhex("00000801 00000002 0709"), File("labels", ""), dimensions=1)
    array([7, 9], dtype=uint8)
    """
    magic, start = bytes([0, 0, 8, dimensions]), 4 + 4 * dimensions
    if payload[:4] != magic or len(payload) < start:
        found = payload[:start].hex() or "nothing"
        raise DatasetCorrupted(
            f"{file.name}: expected an IDX header of {start} bytes, {magic.hex()}...; found "
            f"{found}."
        )
    shape = tuple(int(size) for size in np.frombuffer(payload[4:start], dtype=">u4"))
    if len(payload) - start != math.prod(shape):
        raise DatasetCorrupted(
            f"{file.name}: expected {math.prod(shape)} bytes of data for shape {shape}; found "
            f"{len(payload) - start}."
        )
    return np.frombuffer(payload, dtype=np.uint8, offset=start).reshape(shape)
