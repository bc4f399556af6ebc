"""A data set by name or from an npz file, and the training and test samples of each seed."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from harness import datasets, seeds
from harness.errors import InvalidInput

FEWEST = 30
TRAIN, TEST = 128, 64
"""Samples by default, where there are so many."""
MOST = 20_000
"""Samples that are kept of a named set."""
GENERATED = {"digits-1d": {"n": 4000, "seed": 0}}


@dataclass(frozen=True, eq=False)
class Data:
    """Samples and targets.

    Attributes:
        name: of the set or file, without its folder.
        place: what `load` was asked for, absolute if it is a file.
        x: (N, n_0), float64.
        y: (N,) classes 0 ... C - 1, or (N, O) targets of a regression, float64.
        shape: of one input.
        classes: C; 0 in a regression.
        digest: SHA-256 of x and y.
        treatment: what was done to x, in words.
    """

    name: str
    place: str
    x: np.ndarray
    y: np.ndarray
    shape: tuple[int, ...]
    classes: int
    digest: str
    treatment: str

    def __len__(self) -> int:
        return len(self.x)

    def describe(self) -> str:
        """In a line."""
        kind = f"{self.classes} classes" if self.classes else "a regression"
        size = " x ".join(map(str, self.shape))
        return f"{self.name}: {len(self)} samples of {size}, {kind}; {self.treatment}"


def load(place: str, layout: str = "last") -> Data:
    """The data set of that name, or of an npz file with x and y.

    Pixels and features of a named set are standardised, by one mean and one standard deviation
    over all of them. An npz is taken as it is. In it, y of integers are classes, other y the
    targets of a regression.

    Args:
        place: the name of a set of `harness.datasets`, or a path that ends in ".npz".
        layout: "first": colour images of a named set have their channels first, as PyTorch has
            them; "last": as the set has them.

    Raises:
        InvalidInput: naming what is wrong with it, and where.
        DatasetUnavailable: if its files are not there.
    """
    if place.endswith(".npz"):
        return _of_file(Path(place))
    if place not in datasets.names():
        raise InvalidInput(
            f"Unknown data set {place!r}. Name one of {', '.join(datasets.names())}, or a file "
            "that ends in .npz, with arrays x and y."
        )
    found = datasets.load(place, **GENERATED.get(place, {}))
    x, labels = found.x[:MOST].astype(float), found.labels[:MOST]
    if x.ndim == 4 and layout == "first":
        x = np.moveaxis(x, -1, 1)
    x = (x - x.mean()) / x.std()
    return _data(
        place, place, x, labels, found.classes, "standardised over all features"
    )


def _of_file(file: Path) -> Data:
    x, y = _arrays(file)
    _check_numbers(file.name, x, y)
    if y.dtype.kind in "iub":
        names, labels = np.unique(y, return_inverse=True)
        _check_classes(file.name, y, len(names))
        arrays = x.astype(float), labels.reshape(-1).astype(np.int64)
        return _data(file.name, str(file.absolute()), *arrays, len(names), "as it is")
    targets = y.astype(float).reshape(len(y), -1)
    if not targets.std(axis=0).any():
        raise InvalidInput(
            f"{file.name}: y is the same for every sample, so there is nothing to learn. Give "
            "targets that vary."
        )
    return _data(
        file.name, str(file.absolute()), x.astype(float), targets, 0, "as it is"
    )


def _arrays(file: Path) -> tuple[np.ndarray, np.ndarray]:
    if not file.is_file():
        raise InvalidInput(f"There is no file {file}. Name an npz file with x and y.")
    try:
        with np.load(file, allow_pickle=False) as archive:
            names = list(archive.files)
            found = {name: archive[name] for name in ("x", "y") if name in names}
    except Exception as error:  # whatever NumPy makes of a file that is no npz
        raise InvalidInput(
            f"{file.name} cannot be read as an npz of numbers: {error}. Write it by "
            f"np.savez({file.name!r}, x=..., y=...)."
        ) from error
    if len(found) < 2:
        raise InvalidInput(
            f"{file.name} must have arrays x and y; it has {', '.join(names) or 'none'}."
        )
    return found["x"], found["y"]


def _check_numbers(name: str, x: np.ndarray, y: np.ndarray) -> None:
    for key, array in {"x": x, "y": y}.items():
        if array.dtype.kind not in "fiub":
            raise InvalidInput(
                f"{name}: {key} must be real numbers; its dtype is {array.dtype}."
            )
        wrong = np.argwhere(~np.isfinite(array.astype(float)))
        if len(wrong):
            place = ", ".join(map(str, wrong[0]))
            value = array[tuple(wrong[0])]
            raise InvalidInput(
                f"{name}: {key} must be finite; {len(wrong)} of its numbers are not, the first is "
                f"{key}[{place}] = {value}. Repair these samples, or leave them out."
            )
    if x.ndim < 2 or y.ndim not in (1, 2):
        raise InvalidInput(
            f"{name}: x must have shape (N, ...) and y (N,) or (N, O); got {x.shape} and {y.shape}."
        )
    if len(x) != len(y):
        raise InvalidInput(
            f"{name}: x and y must have equally many samples; x has {len(x)} and y {len(y)}."
        )
    if len(x) < FEWEST:
        raise InvalidInput(
            f"{name}: {len(x)} samples are too few; at least {FEWEST} are needed to train on some "
            "and predict others."
        )
    if not x.reshape(len(x), -1).std(axis=0).any():
        raise InvalidInput(f"{name}: all samples of x are the same.")


def _check_classes(name: str, y: np.ndarray, classes: int) -> None:
    if y.ndim == 2 and y.shape[1] > 1:
        raise InvalidInput(
            f"{name}: y of integers are classes, shape (N,); got {y.shape}. Save one-hot labels as "
            "floats, or as one class per sample."
        )
    if classes < 2:
        raise InvalidInput(
            f"{name}: y has one class alone ({y.reshape(-1)[0]}), so there is nothing to learn. "
            "Give samples of two classes at least."
        )
    if classes > len(y) // 2:
        raise InvalidInput(
            f"{name}: y of integers are classes, and there are {classes} of them in {len(y)} "
            "samples. Save the targets of a regression as floats."
        )


def _data(name: str, place: str, x: np.ndarray, y: np.ndarray, *rest: Any) -> Data:
    classes, treatment = rest
    sha = hashlib.sha256(np.ascontiguousarray(x).tobytes())
    sha.update(np.ascontiguousarray(y).tobytes())
    if classes == 0:
        y = np.asarray(y, dtype=float).reshape(len(y), -1)
    return Data(
        name,
        place,
        x.reshape(len(x), -1),
        y,
        x.shape[1:],
        classes,
        sha.hexdigest(),
        treatment,
    )


@dataclass(frozen=True)
class Sizes:
    """How many samples a seed trains on, and how many it predicts."""

    train: int
    test: int


def sizes(data: Data, train: int | None, test: int | None) -> Sizes:
    """The numbers of samples, by default at most 128 and 64.

    Raises:
        InvalidInput: if there are not so many, or too few are asked for.
    """
    trained = min(TRAIN, 2 * len(data) // 3) if train is None else train
    tested = min(TEST, len(data) - trained) if test is None else test
    if trained < 2 or tested < 2 or trained + tested > len(data):
        raise InvalidInput(
            f"{data.name} has {len(data)} samples; {trained} to train on and {tested} to test on "
            "do not fit. Each must be at least 2, and both together at most that many (--samples, "
            "--test)."
        )
    return Sizes(trained, tested)


def targets(data: Data, outputs: int) -> np.ndarray:
    """What a network with so many outputs is trained towards, (N, O).

    Classes are one-hot, or -1 and 1 for two classes and one output.

    Raises:
        InvalidInput: if the outputs do not fit.
    """
    if not data.classes:
        if data.y.shape[1] != outputs:
            raise InvalidInput(
                f"The network has {outputs} outputs, and y of {data.name} has {data.y.shape[1]} "
                "columns. Both must be the same."
            )
        return data.y
    if outputs == 1 and data.classes == 2:
        return np.where(data.y == 1, 1.0, -1.0)[:, None]
    if outputs != data.classes:
        allowed = f"{data.classes}{' or 1' * (data.classes == 2)}"
        raise InvalidInput(
            f"The network has {outputs} outputs, and {data.name} has {data.classes} classes. The "
            f"network needs {allowed}."
        )
    return np.eye(data.classes)[data.y]


def split(
    data: Data, sizes: Sizes, replicate: int, stream: str
) -> tuple[np.ndarray, np.ndarray]:
    """Which samples a seed trains on, and which it predicts; fewer are the first of more."""
    rng = seeds.generator("regime split", stream=stream, replicate=replicate)
    order = rng.permutation(len(data))
    # the test samples come from the end, so that they are the same at every number of training ones
    return order[: sizes.train], order[len(data) - sizes.test :]
