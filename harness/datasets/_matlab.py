"""Numeric arrays of MATLAB files, level 5, little-endian: as much of the format as a data set of images needs.

    128 bytes of header, then elements: type (uint32), size (uint32), content; type 15 is one, compressed by zlib
    a matrix (type 14) holds elements again: flags, dimensions (int32), name, real part; each padded to 8 bytes
    content of at most 4 bytes may lie inside of its tag: type (uint16), size (uint16), 4 bytes

`scipy.io.loadmat` is not made for files of strangers: it takes the type that a tag names as an index into a table
without looking (SciPy 1.17), so that one altered byte ends the process by a segmentation or a bus error.

Source: The MathWorks, "MAT-File Format", chapter 1, level 5.
"""

import math
import os
import struct
import zlib
from collections.abc import Iterator, Mapping
from typing import BinaryIO

import numpy as np

HEADER, TAG = 128, 8
LEVEL_5 = b"\x00\x01IM"
MATRIX, COMPRESSED = 14, 15
NUMERIC = range(6, 16)  # classes of matrices: double, single, int8 ... uint64
COMPLEX = 0x0800
DTYPES = {1: "i1", 2: "u1", 3: "<i2", 4: "<u2", 5: "<i4", 6: "<u4", 7: "<f4", 9: "<f8", 12: "<i8", 13: "<u8"}
PREFIX = 1024  # bytes of a matrix that hold its flags, up to 32 dimensions, a name of 63 letters and a tag


def arrays(stream: BinaryIO, largest: Mapping[str, int]) -> dict[str, np.ndarray]:
    """The named real arrays of a file, as they are stored, column by column; other variables are skipped.

    Args:
        stream: the file, at its beginning; it can be sought.
        largest: name -> how many bytes its data may take. No memory is taken for more.

    Raises:
        ValueError: if it is no such file, is damaged, holds a name twice, or an array that is larger.

    >>> import io
    >>> arrays(io.BytesIO(b"plain text"), {"X": 8})
    Traceback (most recent call last):
    ValueError: it has not the header of one
    """
    found: dict[str, np.ndarray] = {}
    for element, packed in _elements(stream):
        prefix = _unpacked(element, packed, PREFIX)
        kind, size, _ = _tag(prefix, 0)
        if kind != MATRIX:
            raise ValueError(f"an element of type {kind} is no matrix")
        flags, shape, name, start = _described(prefix)
        if name not in largest or flags & 0xFF not in NUMERIC or flags & COMPLEX:
            continue
        if name in found:
            raise ValueError(f"it holds {name} twice")
        if size > largest[name] + PREFIX:
            raise ValueError(f"{name} takes {size} bytes, and may take {largest[name]}")
        found[name] = _data(_whole(element, packed, TAG + size), start, shape, name)
    return found


def _elements(stream: BinaryIO) -> Iterator[tuple[memoryview, bool]]:
    """Each element with its tag, or what a compressed one holds, and whether it is compressed."""
    header = stream.read(HEADER)
    if len(header) != HEADER or header[-len(LEVEL_5) :] != LEVEL_5:
        raise ValueError("it has not the header of one")
    end = stream.seek(0, os.SEEK_END)
    stream.seek(HEADER)
    while tag := stream.read(TAG):
        kind, size, _ = _tag(tag, 0)
        if size > end - stream.tell():
            raise ValueError(f"an element of {size} bytes is cut off")
        content = stream.read(size)
        yield (memoryview(content), True) if kind == COMPRESSED else (memoryview(tag + content), False)


def _unpacked(element: memoryview, packed: bool, size: int) -> bytes:
    return zlib.decompressobj().decompress(element, size) if packed else bytes(element[:size])


def _whole(element: memoryview, packed: bool, size: int) -> bytes | memoryview:
    """The element of that size, tag included; a compressed one ends there, and its checksum is right."""
    if not packed:
        return element
    stream = zlib.decompressobj()
    content = stream.decompress(element, size + 1)
    if len(content) != size or not stream.eof:
        raise ValueError(f"a compressed element does not hold the {size} bytes that it says")
    return content


def _tag(content: bytes | memoryview, at: int) -> tuple[int, int, int]:
    """Type and size of the element there, and where its content begins."""
    if len(content) < at + TAG:
        raise ValueError("it is cut off")
    kind, size = struct.unpack_from("<2I", content, at)
    return (kind & 0xFFFF, kind >> 16, at + 4) if kind >> 16 else (kind, size, at + TAG)


def _described(prefix: bytes) -> tuple[int, tuple[int, ...], str, int]:
    """Flags, shape and name of a matrix, and where its real part begins."""
    flags, at = _part(prefix, TAG)
    extents, at = _part(prefix, at)
    name, at = _part(prefix, at)
    if len(flags) != 8 or len(extents) % 4 or not 8 <= len(extents) <= 128:
        raise ValueError("a matrix has not the flags and dimensions of one")
    shape = tuple(int(extent) for extent in np.frombuffer(extents, "<i4"))
    if min(shape) < 0:
        raise ValueError(f"a matrix has the shape {shape}")
    return int.from_bytes(flags[:4], "little"), shape, name.decode("latin-1"), at


def _part(prefix: bytes, at: int) -> tuple[bytes, int]:
    _, size, start = _tag(prefix, at)
    if size > len(prefix) - start:
        raise ValueError("a matrix is cut off, or has a name or dimensions beyond what is allowed")
    return prefix[start : start + size], start + size + -(start + size) % TAG


def _data(content: bytes | memoryview, at: int, shape: tuple[int, ...], name: str) -> np.ndarray:
    kind, size, start = _tag(content, at)
    if kind not in DTYPES:
        raise ValueError(f"{name} has data of the type {kind}")
    dtype = np.dtype(DTYPES[kind])
    if size != math.prod(shape) * dtype.itemsize or size > len(content) - start:
        raise ValueError(f"{name} of shape {shape}, {dtype}, does not take {size} bytes")
    return np.frombuffer(content, dtype, math.prod(shape), start).reshape(shape, order="F")
