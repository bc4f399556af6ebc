"""SVHN: colour images of house numbers cut to single digits, by Netzer, Wang, Coates, Bissacco, Wu,
Ng 2011 ("Reading Digits in Natural Images with Unsupervised Feature Learning").

Read from the cropped digits ("format 2") in MATLAB files: 182 MB train, 64 MB test, 1.3 GB extra.
They are for non-commercial use only, so no part of them comes with this project. The checksums are
those of TensorFlow Datasets.
"""

import os
import zlib
from collections.abc import Mapping
from typing import BinaryIO, Literal, get_args

import numpy as np

from harness.datasets import Dataset
from harness.datasets._files import File, opened
from harness.datasets._images import classes, colours, known_part
from harness.datasets._places import Published, find
from harness.errors import DatasetCorrupted, DatasetUnavailable

Part = Literal["train", "test", "extra"]
SHA256 = {
    "train": "435e94d69a87fde4fd4d7f3dd208dfc32cb6ae8af2240d066de1df7508d083b8",
    "test": "cdce80dfb2a2c4c6160906d0bd7c68ec5a99d7ca4831afa54f09182025b6a75b",
    "extra": "a133a4beb38a00fcdda90c9489e0c04f900b660ce8a316a5e854838379a71eb3",
}
MEGABYTES = {"train": 182, "test": 64, "extra": 1330}
IMAGES = {"train": 73_257, "test": 26_032, "extra": 531_131}


def published(part: Part) -> Published:
    """The MATLAB file of a part."""
    return Published(
        dataset="svhn",
        part=part,
        files=(File(f"{part}_32x32.mat", SHA256[part], as_published=True),),
        # upstream has no https; the checksum guards it
        url="http://ufldl.stanford.edu/housenumbers/",
        licence="non-commercial use only",
        megabytes=MEGABYTES[part],
    )


def load(
    part: Part = "train",
    folder: str | os.PathLike[str] | None = None,
    download: bool = False,
) -> Dataset:
    """Images (N, 32, 32, 3), red, green and blue in [0, 1], and the digits 0 ... 9 in their middle.

    Args:
        part: "train" (73,257 images), "test" (26,032) or "extra" (531,131 easier ones, 6.5 GB as
            float32).
        folder: the only place to look in, if given; else $NTK_CLAIMS_DATA/svhn is, if that variable
            is set; else the cache is.
        download: may the file be downloaded into the cache, if it is not there?

    Raises:
        InvalidInput: if there is no such part.
        DatasetUnavailable, DatasetCorrupted: if the file is not there, or not the published one.
    """
    known_part("svhn", part, get_args(Part))
    return assemble(published(part), IMAGES[part], folder, download)


def assemble(
    wanted: Published,
    images: int,
    folder: str | os.PathLike[str] | None = None,
    download: bool = False,
) -> Dataset:
    """The data set in a MATLAB file of that many images.

    Raises:
        DatasetUnavailable, DatasetCorrupted: if the file is not there, or not the wanted one.
    """
    source, (path,) = find(wanted, folder, download)
    (file,) = wanted.files
    with opened(path, file) as (stream, sha256):
        pixels, labels = _arrays(stream, file)
    # the label of a 0 is 10
    digits = classes(labels.ravel(), file, images, allowed=range(1, 11)) % 10
    return Dataset(
        wanted.dataset,
        colours(np.moveaxis(pixels, 3, 0), file, images),
        digits,
        10,
        source,
        sha256,
    )


def _arrays(stream: BinaryIO, file: File) -> tuple[np.ndarray, np.ndarray]:
    """X, (32, 32, 3, N), and y, (N, 1), if all is well; at least with 4 and 2 axes.

    SciPy's reader trusts what it reads: an altered byte can end the process. The stream has passed
    its checksum.
    """
    try:
        # Here: a worker that needs no SVHN has NumPy alone.
        from scipy.io import loadmat
        from scipy.io.matlab import MatReadError
    except ImportError as error:
        raise DatasetUnavailable(
            f"To read {file.name} takes SciPy (pip install scipy): {error}."
        ) from error
    try:
        variables = loadmat(stream, variable_names=("X", "y"))
    except (
        ValueError,
        TypeError,
        KeyError,
        NotImplementedError,
        zlib.error,
        OSError,
        MatReadError,
    ) as error:
        raise DatasetCorrupted(
            f"{file.name} is no MATLAB file of version 5: {error}. Get it again."
        ) from error
    return _array(variables, "X", 4, file), _array(variables, "y", 2, file)


def _array(
    variables: Mapping[str, np.ndarray], name: str, axes: int, file: File
) -> np.ndarray:
    found = variables.get(name)
    if not isinstance(found, np.ndarray) or found.ndim != axes:
        raise DatasetCorrupted(
            f"{file.name} has no array {name} with {axes} axes. Get it again."
        )
    return found
