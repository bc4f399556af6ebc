"""CIFAR-10: colour images of animals and vehicles in ten classes, by Krizhevsky 2009 ("Learning
Multiple Layers of Features from Tiny Images"); 50,000 for training, 10,000 for testing.

Read from the binary archive, 170 MB: the Python one is made of pickles, which can run any code. The
authors state no licence, so no part of it comes with this project. The checksum is that of
TensorFlow Datasets.
"""

import io
import os
import tarfile
from collections.abc import Sequence
from typing import BinaryIO, Literal, get_args

import numpy as np

from harness.datasets import Dataset
from harness.datasets._files import File, gunzipped, opened
from harness.datasets._images import classes, colours, known_part
from harness.datasets._places import Published, find
from harness.errors import DatasetCorrupted

Part = Literal["train", "test"]
BATCHES = {
    "train": tuple(
        f"cifar-10-batches-bin/data_batch_{batch}.bin" for batch in range(1, 6)
    ),
    "test": ("cifar-10-batches-bin/test_batch.bin",),
}
IMAGES = 10_000  # in each batch
# bytes: the label; then the red, the green and the blue pixels, each row by row
RECORD = 1 + 3 * 32 * 32


def published(part: Part) -> Published:
    """The archive, which holds both parts."""
    sha256 = "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"
    return Published(
        dataset="cifar10",
        part=part,
        files=(File("cifar-10-binary.tar.gz", sha256, as_published=True),),
        url="https://www.cs.toronto.edu/~kriz/",
        megabytes=170,
    )


def load(
    part: Part = "train",
    folder: str | os.PathLike[str] | None = None,
    download: bool = False,
) -> Dataset:
    """Images (N, 32, 32, 3), red, green and blue in [0, 1], and their classes.

    Args:
        part: "train" (50,000 images, in the order of the five batches) or "test" (10,000).
        folder: the only place to look in, if given; else $NTK_CLAIMS_DATA/cifar10 is, if that
            variable is set; else the cache is.
        download: may the archive be downloaded into the cache, if it is not there?

    Raises:
        InvalidInput: if there is no such part.
        DatasetUnavailable, DatasetCorrupted: if the archive is not there, or not the published one.
    """
    known_part("cifar10", part, get_args(Part))
    return assemble(published(part), BATCHES[part], IMAGES, folder, download=download)


def assemble(
    wanted: Published,
    batches: Sequence[str],
    images: int,
    folder: str | os.PathLike[str] | None = None,
    *,
    download: bool = False,
) -> Dataset:
    """The data set in those members of an archive, each of that many images.

    Raises:
        DatasetUnavailable, DatasetCorrupted: if the archive is not there, or not the wanted one.
    """
    source, (path,) = find(wanted, folder, download)
    (file,) = wanted.files
    with opened(path, file) as (stream, sha256):
        records = np.concatenate(_records(stream, batches, images, file))
    pixels = records[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    samples = len(batches) * images
    labels = classes(records[:, 0], file, samples)
    return Dataset(
        wanted.dataset, colours(pixels, file, samples), labels, 10, source, sha256
    )


def _records(
    stream: BinaryIO, batches: Sequence[str], images: int, file: File
) -> list[np.ndarray]:
    """The (images, RECORD) bytes of each batch.

    Members are read by their names; nothing is extracted to a disk.
    """
    try:
        with tarfile.open(
            fileobj=io.BytesIO(gunzipped(stream.read())), mode="r:"
        ) as archive:
            payloads = [
                _member(archive, batch, images * RECORD, file) for batch in batches
            ]
    except DatasetCorrupted:
        raise
    # whatever tarfile stumbles over: RecursionError in a chain of long names, too
    except Exception as error:
        raise DatasetCorrupted(
            f"{file.name} is a damaged archive: {error}. Get it again."
        ) from error
    return [
        np.frombuffer(payload, np.uint8).reshape(images, RECORD) for payload in payloads
    ]


def _member(archive: tarfile.TarFile, name: str, size: int, file: File) -> bytes:
    try:
        member = archive.getmember(name)
    except KeyError:
        raise DatasetCorrupted(
            f"{file.name} has no member {name}. Get it again."
        ) from None
    if not member.isreg() or member.size != size:
        found = f"{member.size} bytes" if member.isreg() else "no file"
        raise DatasetCorrupted(
            f"{file.name}: expected a file of {size} bytes as member {name}; found {found}."
        )
    content = archive.extractfile(member)
    assert content is not None, "regular members have content"
    return content.read()
