"""Fashion-MNIST: grey images of clothes in ten classes, by Xiao, Rasul, Vollgraf 2017
(arXiv:1708.07747).

The test part (10,000 images) is embedded; the training part (60,000) comes with a Debian package or
a 30 MB download.
"""

import os
from typing import Literal, get_args

import numpy as np

from harness.datasets import Dataset
from harness.datasets._files import File, idx
from harness.datasets._images import classes, known_part
from harness.datasets._places import Published, obtain

Part = Literal["t10k", "train"]
SHA256 = {
    "t10k": (
        "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    ),
    "train": (
        "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    ),
}


def published(part: Part) -> Published:
    """The image and the label file of a part, as upstream published them."""
    return Published(
        dataset="fashion-mnist",
        part=part,
        files=idx_files(part, SHA256[part]),
        url="https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
        package="dataset-fashion-mnist",
        licence="MIT",
        megabytes=26.4 if part == "train" else 4.4,
    )


def idx_files(part: Part, sha256: tuple[str, str]) -> tuple[File, File]:
    """The image and label files of a part of MNIST or Fashion-MNIST, with their checksums."""
    images, labels = sha256
    return File(f"{part}-images-idx3-ubyte", images), File(
        f"{part}-labels-idx1-ubyte", labels
    )


def load(
    part: Part = "t10k",
    folder: str | os.PathLike[str] | None = None,
    download: bool = False,
) -> Dataset:
    """Images (N, 28, 28) with pixels in [0, 1], and their classes.

    Args:
        part: "t10k", upstream's 10,000 test images, or "train", its 60,000 training images.
        folder: the only place to look in, if given; else $NTK_CLAIMS_DATA/fashion-mnist is, if that
            variable is set; else the places in `harness.datasets._places`.
        download: may upstream's files be downloaded into the cache, if no place has them?

    Raises:
        InvalidInput: if there is no such part.
        DatasetUnavailable, DatasetCorrupted: if the files are not there, or not the published ones.
    """
    known_part("fashion-mnist", part, get_args(Part))
    return assemble(published(part), folder, download)


def assemble(
    wanted: Published,
    folder: str | os.PathLike[str] | None = None,
    download: bool = False,
) -> Dataset:
    """The data set in an image and a label file in IDX, whatever their number of images and
    checksums.

    Raises:
        DatasetUnavailable, DatasetCorrupted: if the files are not there, or not the wanted ones.
    """
    source, (images, labels) = obtain(wanted, folder, download)
    image_file, label_file = wanted.files
    x = idx(images, image_file, dimensions=3).astype(np.float32) / np.float32(255)
    return Dataset(
        name=wanted.dataset,
        x=x,
        labels=classes(
            idx(labels, label_file, dimensions=1), label_file, samples=len(x)
        ),
        classes=10,
        source=source,
        sha256=image_file.sha256,
    )
