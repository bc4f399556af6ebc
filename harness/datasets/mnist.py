"""MNIST: grey images of handwritten digits, by LeCun, Cortes, Burges 1998; 60,000 for training,
10,000 for testing.

Its files have the format and the names of Fashion-MNIST's. They are not embedded and in no Debian
package; the download is the copy that TensorFlow Datasets takes (12 MB), because the authors' own
site no longer serves them.

The checksums are those of the decompressed files. Independent projects that published both kinds
list them beside the checksums of the .gz files that TensorFlow Datasets publishes (440fcabf...,
3552534a..., 8d422c7b..., f7ae60f9...).
"""

import os
from typing import get_args

from harness.datasets import Dataset
from harness.datasets._images import known_part
from harness.datasets._places import Published
from harness.datasets.fashion_mnist import Part, assemble, idx_files

SHA256 = {
    "t10k": (
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    ),
    "train": (
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    ),
}


def published(part: Part) -> Published:
    """The image and the label file of a part, as upstream published them."""
    return Published(
        dataset="mnist",
        part=part,
        files=idx_files(part, SHA256[part]),
        url="https://storage.googleapis.com/cvdf-datasets/mnist/",
        megabytes=9.9 if part == "train" else 1.7,
    )


def load(
    part: Part = "t10k",
    folder: str | os.PathLike[str] | None = None,
    download: bool = False,
) -> Dataset:
    """Images (N, 28, 28) with pixels in [0, 1], and their digits.

    Args:
        part: "t10k", the 10,000 test images, or "train", the 60,000 training images.
        folder: the only place to look in, if given; else $NTK_CLAIMS_DATA/mnist is, if that
            variable is set; else the cache is.
        download: may the files be downloaded into the cache, if it does not have them?

    Raises:
        InvalidInput: if there is no such part.
        DatasetUnavailable, DatasetCorrupted: if the files are not there, or not the published ones.
    """
    known_part("mnist", part, get_args(Part))
    return assemble(published(part), folder, download)
