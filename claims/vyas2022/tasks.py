"""Samples of a task, per replicate: for training, for choosing (validation) and for judging (test).

Subsets are nested: fewer training samples are the beginning of more, and what is for validation and
test does not depend on how many are for training. So all sizes of a learning curve, all arms and
all claims see the same samples.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np

from harness import datasets, kernels, networks, seeds
from harness.errors import InvalidInput
from harness.measurements import Samples

DIGITS = (0, 2, 3, 6, 8)
"""The classes of the 1-D digits that count as +1: one of the mirror images 2 and 5, and of 4 and 6;
not 7 and 9.
"""


def samples(
    task: Mapping[str, Any],
    replicates: Sequence[int],
    stream: str,
    counts: tuple[int, int, int],
) -> tuple[Samples, Samples, Samples]:
    """Training, validation and test samples of a task, `counts` of each; targets are +-1, or real
    numbers.

    Tasks, by name, and their other keys:
        "digits-1d": five classes of the generated 1-D digits against the other five. Input length
        40. "images": a data set of images, `dataset` with its `options`; `positive`, the classes
        that count as +1;
            `shrink`, the side of the squares of pixels that are averaged to one. A random choice
            out of the set, so different replicates share images. Pixels are centred and scaled by
            the set's mean and deviation.
        "pairs": two such images side by side; `label` says what is asked: "same", are both or
            neither of the classes in `positive`; or "left", is the left one, whatever the right
            one. A replicate has each image at most once.
        "parity": the product of the first `order` of `inputs` signs. "ntk-draw": a draw from the
        Gaussian process whose covariance is the infinite-width NTK of an MLP with `depth`
            hidden layers (ReLU, sigma_w^2 = 2, no biases), divided by its diagonal, on the sphere
            in `inputs` dimensions, with noise of standard deviation `noise`. Regression with that
            kernel and the right ridge is then the posterior mean, and nothing predicts better.

    Raises:
        InvalidInput: for an unknown task, or more samples than a data set has.

    >>> training, _, test = samples(
    ...     {"name": "parity", "inputs": 30, "order": 2}, [0, 1], "doc", (8, 4, 16)
    ... )
    >>> training.x.shape, test.y.shape
    ((2, 8, 30), (2, 16, 1))
    """
    if task["name"] not in TASKS:
        raise InvalidInput(
            f"Unknown task {task['name']!r}. Known: {', '.join(sorted(TASKS))}."
        )
    training, *held_out = counts
    draws = [
        TASKS[task["name"]](task, replicate, stream, training + sum(held_out))
        for replicate in replicates
    ]
    x, y = (
        np.array([draw[0] for draw in draws]),
        np.array([draw[1] for draw in draws])[..., None],
    )
    everything = Samples(x.reshape(*x.shape[:2], -1), y, _shape(x.shape[2:]))
    first, second = held_out[0], sum(held_out)
    return everything[second:], everything[:first], everything[first:second]


def _shape(one: tuple[int, ...]) -> tuple[int, ...]:
    """Sequences and grey images have one channel."""
    return one if len(one) == 3 else (*one, 1)


def _digits(
    task: Mapping[str, Any],
    replicate: int,
    stream: str,
    count: int,
) -> tuple[np.ndarray, np.ndarray]:
    data = datasets.load(
        "digits-1d",
        n=count,
        seed=seeds.derive("digits", stream=stream, replicate=replicate),
    )
    return data.x, np.where(np.isin(data.labels, DIGITS), 1.0, -1.0)


def _images(
    task: Mapping[str, Any],
    replicate: int,
    stream: str,
    count: int,
) -> tuple[np.ndarray, np.ndarray]:
    x, positive = _chosen(task, replicate, stream, count)
    return x, np.where(positive, 1.0, -1.0)


def _pairs(
    task: Mapping[str, Any],
    replicate: int,
    stream: str,
    count: int,
) -> tuple[np.ndarray, np.ndarray]:
    images, positive = _chosen(task, replicate, stream, 2 * count)
    left, right = positive[0::2], positive[1::2]
    answers = {"same": left == right, "left": left}
    if task["label"] not in answers:
        raise InvalidInput(
            f"Unknown label of pairs {task['label']!r}. Allowed: {', '.join(answers)}."
        )
    x = np.concatenate([images[0::2], images[1::2]], axis=2)  # (count, side, 2 side)
    return x, np.where(answers[task["label"]], 1.0, -1.0)


def _chosen(
    task: Mapping[str, Any],
    replicate: int,
    stream: str,
    count: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Different images of a data set in a random order, (count, side, side[, channels]), and
    whether their classes count as +1.
    """
    x, labels = _standardised(
        task["dataset"], tuple(sorted(task["options"].items())), task["shrink"]
    )
    if count > len(x):
        raise InvalidInput(
            f"Data set {task['dataset']!r} has {len(x)} images in this part; {count} were asked "
            "for."
        )
    generator = seeds.generator("data", stream=stream, replicate=replicate)
    chosen = generator.permutation(len(x))[:count]
    return x[chosen], np.isin(labels[chosen], task["positive"])


@cache
def _standardised(
    dataset: str,
    options: tuple[tuple[str, Any], ...],
    shrink: int,
) -> tuple[np.ndarray, np.ndarray]:
    """All images of a set, shrunk, with mean 0 and variance 1 over all pixels, (N, side, side[,
    channels]), float32.
    """
    data = datasets.load(dataset, **dict(options))
    side = data.x.shape[1] // shrink
    x = data.x.reshape(len(data), side, shrink, side, shrink, *data.x.shape[3:]).mean(
        axis=(2, 4)
    )
    return (x - x.mean()) / x.std(), data.labels


def _parity(
    task: Mapping[str, Any],
    replicate: int,
    stream: str,
    count: int,
) -> tuple[np.ndarray, np.ndarray]:
    generator = seeds.generator("parity", stream=stream, replicate=replicate)
    x = generator.choice([-1.0, 1.0], size=(count, task["inputs"]))
    return x, x[:, : task["order"]].prod(axis=1)


def _ntk_draw(
    task: Mapping[str, Any],
    replicate: int,
    stream: str,
    count: int,
) -> tuple[np.ndarray, np.ndarray]:
    generator = seeds.generator("ntk-draw", stream=stream, replicate=replicate)
    x = generator.standard_normal((count, task["inputs"]))
    x *= (task["inputs"] / (x**2).sum(axis=1, keepdims=True)) ** 0.5
    net = networks.mlp((task["inputs"], *[1] * task["depth"], 1), sigma_b=None)
    covariance = kernels.ntk(net, x)
    covariance /= covariance[0, 0]  # the same for all points of the sphere
    # Row by row, y_i is made of the first i normal numbers: a smaller draw is the beginning of a
    # larger one.
    factor = np.linalg.cholesky(covariance + 1e-9 * np.eye(count))
    noise = seeds.generator(
        "noise", stream=stream, replicate=replicate
    ).standard_normal(count)
    normal = seeds.generator(
        "function", stream=stream, replicate=replicate
    ).standard_normal(count)
    return x, factor @ normal + task["noise"] * noise


TASKS = {
    "digits-1d": _digits,
    "images": _images,
    "pairs": _pairs,
    "parity": _parity,
    "ntk-draw": _ntk_draw,
}
