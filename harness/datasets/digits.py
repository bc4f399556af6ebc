"""Digits: 1,797 handwritten digits of 8x8 pixels, by Alpaydin, Kaynak 1998 ("Cascading
Classifiers", Kybernetika).

The test part of "Optical Recognition of Handwritten Digits" of the UCI Machine Learning Repository,
13 writers. Embedded, as scikit-learn ships it.
"""

import numpy as np

from harness.datasets import Dataset
from harness.datasets._files import File, locate, read
from harness.datasets._images import classes
from harness.datasets._places import embedded

FILE = File(
    "digits.csv", "6ebb3d2fee246a4e99363262ddf8a00a3c41bee6014c373ed9d9216ba7f651b8"
)
SIDE, DARKEST = 8, 16


def load() -> Dataset:
    """Images (1797, 8, 8) with pixels in [0, 1], multiples of 1/16, and their classes.

    Raises:
        DatasetUnavailable, DatasetCorrupted: if the embedded file is not there, or not the
            published one.

    >>> data = load()
    >>> data.labels[:3], data.x[0, 0] * 16
    (array([0, 1, 2]), array([ 0.,  0.,  5., 13.,  9.,  1.,  0.,  0.], dtype=float32))
    """
    text = read(locate(embedded("digits"), FILE), FILE).decode("ascii").splitlines()
    table = np.loadtxt(text, delimiter=",", dtype=np.int64)
    x = (table[:, :-1] / DARKEST).astype(np.float32).reshape(-1, SIDE, SIDE)
    return Dataset(
        "digits",
        x,
        classes(table[:, -1], FILE, len(x)),
        10,
        source="embedded",
        sha256=FILE.sha256,
    )
