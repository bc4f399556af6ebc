"""CIFAR-5m: six million images drawn from a diffusion model of CIFAR-10 and labelled by a
classifier of 98.5 % accuracy, by Nakkiran, Neyshabur, Sedghi 2021 ("The Deep Bootstrap
Framework", arXiv:2010.08127).

Six .npz files of 1,000,448 images each, of X, uint8 (N, 32, 32, 3), and Y, integers (N,). Users of
the set commonly train on the first five and test on the last. Upstream publishes neither a licence,
so no part of it comes with this project, nor checksums, so what is compared is weaker than
elsewhere: the SHA-256 of the first download is recorded beside it in the cache (part0.npz.sha256)
and later ones must equal it; a file in a folder is compared if such a record lies beside it; and
every result names the SHA-256 of the file that it came from.
"""

import io
import operator
import os
import zipfile
from math import prod
from typing import BinaryIO, Literal, get_args

import numpy as np
from numpy.lib import format as npy

from harness.datasets import Dataset
from harness.datasets._files import File, opened
from harness.datasets._images import COLOUR, classes, colours, known_part
from harness.datasets._places import Published, find
from harness.errors import DatasetCorrupted, InvalidInput

Part = Literal["part0", "part1", "part2", "part3", "part4", "part5"]
IMAGES = 1_000_448
HEADER = 10_000
"""Bytes of an array's header; NumPy writes 128."""


def published(part: Part) -> Published:
    """The file of a part."""
    return Published(
        dataset="cifar5m",
        part=part,
        files=(File(f"{part}.npz", sha256="", as_published=True),),
        url="https://storage.googleapis.com/gresearch/cifar5m/",
        megabytes=3000,
    )


def load(
    part: Part = "part0",
    n: int | None = None,
    folder: str | os.PathLike[str] | None = None,
    download: bool = False,
) -> Dataset:
    """Images (n, 32, 32, 3), red, green and blue in [0, 1], and their classes, which are those of
    CIFAR-10.

    Args:
        part: "part0" ... "part5".
        n: how many, from the first on; None: all 1,000,448 (12.3 GB as float32, and 3.1 GB while
            they are read).
        folder: the only place to look in, if given; else $NTK_CLAIMS_DATA/cifar5m is, if that
            variable is set; else the cache is.
        download: may the file (3 GB) be downloaded into the cache, if it is not there?

    Raises:
        InvalidInput: if there is no such part, or it does not have n images.
        DatasetUnavailable, DatasetCorrupted: if the file is not there, not the recorded one, or not
            in this format.
    """
    known_part("cifar5m", part, get_args(Part))
    return assemble(published(part), IMAGES, _count(n), folder, download=download)


def _count(n: int | None) -> int:
    try:
        count = IMAGES if n is None else operator.index(n)
    except TypeError:
        raise InvalidInput(
            f"Data set 'cifar5m': n must be an integer or None; got {n!r}."
        ) from None
    if not 1 <= count <= IMAGES:
        raise InvalidInput(
            f"Data set 'cifar5m': n must be from 1 to {IMAGES}, the images of a part; got {n}."
        )
    return count


def assemble(
    wanted: Published,
    images: int,
    n: int,
    folder: str | os.PathLike[str] | None = None,
    *,
    download: bool = False,
) -> Dataset:
    """The first n images of the data set in an .npz file of that many.

    Raises:
        DatasetUnavailable, DatasetCorrupted: if the file is not there, or not the wanted one.
    """
    source, (path,) = find(wanted, folder, download)
    (file,) = wanted.files
    with opened(path, file) as (stream, sha256):
        pixels, labels = _arrays(stream, images, n, file)
    return Dataset(
        wanted.dataset,
        colours(pixels, file, n),
        classes(labels, file, n),
        10,
        source,
        sha256,
    )


def _arrays(
    stream: BinaryIO, images: int, n: int, file: File
) -> tuple[np.ndarray, np.ndarray]:
    try:
        with zipfile.ZipFile(stream) as archive:
            pixels = _rows(
                archive,
                "X",
                widest=np.dtype(np.uint8),
                shape=(images, *COLOUR),
                n=n,
                file=file,
            )
            return pixels, _rows(
                archive, "Y", widest=np.dtype(np.int64), shape=(images,), n=n, file=file
            )
    except DatasetCorrupted:
        raise
    # whatever zipfile and NumPy's header parser stumble over, TokenError and TypeError too
    except Exception as error:
        raise DatasetCorrupted(
            f"{file.name} is a damaged .npz file: {error}. Get it again."
        ) from error


def _rows(
    archive: zipfile.ZipFile,
    name: str,
    *,
    widest: np.dtype,
    shape: tuple[int, ...],
    n: int,
    file: File,
) -> np.ndarray:
    """The first n rows of an array.

    Its header is checked before memory is taken; objects, hence pickles, are refused.

    (numpy.load takes memory for whatever the header says, and reads all of it; and for a header of
    any length.)
    """
    with archive.open(f"{name}.npy") as stream:
        beginning = io.BytesIO(stream.read(HEADER))
    version = npy.read_magic(beginning)
    read_header = (
        npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    )
    found, columns_first, dtype = read_header(beginning)
    with archive.open(f"{name}.npy") as stream:
        stream.read(beginning.tell())
        if found != shape or columns_first or not np.can_cast(dtype, widest):
            raise DatasetCorrupted(
                f"{file.name}: expected {name} of shape {shape}, {widest} or narrower, row by row; "
                "found "
                f"shape {found}, {dtype}{', column by column' if columns_first else ''}."
            )
        size = n * prod(shape[1:]) * dtype.itemsize
        payload = stream.read(size)
    if len(payload) != size:
        raise DatasetCorrupted(
            f"{file.name}: expected {size} bytes of {name}; found {len(payload)}."
        )
    return np.frombuffer(payload, dtype).reshape(n, *shape[1:])
