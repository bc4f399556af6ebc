"""Data sets by name: real ones, read from verified files, and generated ones, unlimited.

    name            samples               from
    fashion-mnist   70,000 of 28x28       10,000 embedded; rest: Debian package, folder, download
    diabetes        442 of 10             embedded; a regression
    digits          1,797 of 8x8          embedded
    digits-1d       unlimited, of 40      generated
    mnist           70,000 of 28x28       folder, download
    cifar10         60,000 of 32x32x3     folder, download
    svhn            630,420 of 32x32x3    folder, download
    cifar5m         6,002,688 of 32x32x3  folder, download
    shuttle         58,000 of 9           Debian package, folder, download
    letter          20,000 of 16          Debian package, folder, download

Nothing is downloaded unless `download=True` (or `ntk-claims data fetch`) says so, and one set never
stands in for another that is not there.

Each public module of this package is one data set and has a function `load(**options) -> Dataset`;
the module `fashion_mnist` is the data set "fashion-mnist". Adding one is adding a file.
"""

import importlib
import inspect
import pkgutil
from dataclasses import dataclass
from types import ModuleType
from typing import Any, get_args

import numpy as np

from harness.datasets._places import Published, find
from harness.errors import InvalidInput


@dataclass(frozen=True, eq=False)
class Dataset:
    """Labelled samples and where they came from.

    Args:
        name: what `load` was asked for.
        x: inputs, float32, samples first.
        labels: classes 0 ... classes - 1, int64, shape (N,); in a regression its targets, float64.
        classes: number of classes; 0 in a regression.
        source: where the data came from, in words, without paths of this machine.
        sha256: of the decompressed file of inputs; of an archive, as published; of x, if the data
            are generated.
    """

    name: str
    x: np.ndarray
    labels: np.ndarray
    classes: int
    source: str
    sha256: str

    def __len__(self) -> int:
        """Number of samples."""
        return len(self.labels)


def names() -> list[str]:
    """The data sets that `load` knows.

    >>> names()  # doctest: +NORMALIZE_WHITESPACE
    ['cifar10', 'cifar5m', 'diabetes', 'digits', 'digits-1d', 'fashion-mnist', 'letter', 'mnist',
    'shuttle', 'svhn']
    """
    modules = (module.name for module in pkgutil.iter_modules(__path__))
    return sorted(
        name.replace("_", "-") for name in modules if not name.startswith("_")
    )


def parts(name: str) -> tuple[Published, ...]:
    """The files of each part of a data set as upstream published them; none if it comes with this
    project.

    Raises:
        InvalidInput: if there is no such data set.

    >>> [(one.part, one.licence) for one in parts("fashion-mnist")], parts("digits-1d")
    ([('t10k', 'MIT'), ('train', 'MIT')], ())
    """
    module = _module(name)
    return (
        tuple(module.published(part) for part in get_args(module.Part))
        if hasattr(module, "published")
        else ()
    )


def fetch(name: str, part: str) -> str:
    """Downloads a part of a data set into the cache, unless it is there or elsewhere; where it is
    now.

    Raises:
        InvalidInput: if there is no such data set or part.
        DatasetUnavailable, DatasetCorrupted: if it cannot be downloaded, or is not the published
            one.
    """
    known = {one.part: one for one in parts(name)}
    if part not in known:
        raise InvalidInput(
            f"Data set {name!r} has no part {part!r} to download. Parts: "
            f"{', '.join(known) or 'none'}."
        )
    return find(known[part], download=True)[0]


def _module(name: str) -> ModuleType:
    if name not in names():
        raise InvalidInput(f"Unknown data set {name!r}. Known: {', '.join(names())}.")
    return importlib.import_module(f"{__name__}.{name.replace('-', '_')}")


def load(name: str, **options: Any) -> Dataset:
    """The data set of that name; its options are those of `load` in its module.

    Raises:
        InvalidInput: if there is no such data set, or it does not take these options.
        DatasetUnavailable: if its files are in none of the places looked in.
        DatasetCorrupted: if a file is there with the wrong bytes.

    >>> data = load("fashion-mnist")
    >>> data.x.shape, data.classes
    ((10000, 28, 28), 10)
    """
    loader = _module(name).load
    signature = inspect.signature(loader)
    try:
        signature.bind(**options)
    except TypeError as error:
        raise InvalidInput(
            f"Data set {name!r}: {error}. Its options: {', '.join(signature.parameters)}."
        ) from None
    dataset: Dataset = loader(**options)
    return dataset
