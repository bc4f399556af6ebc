"""Regression problems for Gaussian processes: points on a line, and images of two kinds."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from harness import datasets, seeds
from harness.errors import InvalidInput

CLUMPS, SPREAD = (-1.2, 0.0, 1.2), 0.15
"""On the line: middles of the clumps of training inputs, and their standard deviation."""
ENDS = -2.0, 2.0
"""Where test inputs on the line begin and end."""
FREQUENCIES = 1.0, 3.0
"""Of the sines that the labels on the line are a sum of."""
WORN_ABOVE = (0, 2, 3, 4, 6)
"""Classes of Fashion-MNIST worn above the waist: shirts, pullover, dress, coat."""


@dataclass(frozen=True)
class Problem:
    """Training inputs x (N, n_0) and labels y (N,), and test inputs (T, n_0)."""

    x: np.ndarray
    y: np.ndarray
    test: np.ndarray


def problem(
    configuration: Mapping[str, Any],
    replicate: int,
    stream: str,
) -> Problem:
    """The data of a replicate.

    Configuration: samples, N; tests, T; and setting, one of
        "1-D": N points in three clumps; the sum of two sines of random phases, and noise of
            standard deviation `noise`. Test inputs are evenly spaced from -2 to 2.
        "images": embedded Fashion-MNIST images, squares of `shrink` x `shrink` pixels averaged, the
            mean image subtracted, scaled to |x|^2 = n_0. Labels are 1 for what is worn above the
            waist and -1 for the rest. No image is drawn twice.

    Raises:
        InvalidInput: for an unknown setting, or more images than there are.

    >>> where = {"setting": "1-D", "samples": 9, "tests": 5, "noise": 0.1}
    >>> data = problem(where, 0, "doc")
    >>> data.x.shape, data.y.shape, data.test.ravel().tolist()
    ((9, 1), (9,), [-2.0, -1.0, 0.0, 1.0, 2.0])
    """
    setting = configuration["setting"]
    if setting not in SETTINGS:
        raise InvalidInput(
            f"Unknown setting {setting!r}. Known: {', '.join(sorted(SETTINGS))}."
        )
    return SETTINGS[setting](configuration, replicate, stream)


def _on_a_line(
    configuration: Mapping[str, Any], replicate: int, stream: str
) -> Problem:
    samples = configuration["samples"]
    generator = seeds.generator("line", stream=stream, replicate=replicate)
    phases = generator.uniform(0, 2 * np.pi, size=len(FREQUENCIES))
    x = np.resize(CLUMPS, samples) + SPREAD * generator.standard_normal(samples)
    y = np.sin(np.outer(x, FREQUENCIES) + phases).sum(axis=1)
    y += configuration["noise"] * generator.standard_normal(samples)
    places = np.linspace(*ENDS, configuration["tests"])
    return Problem(x[:, None], y, places[:, None])


def _of_images(
    configuration: Mapping[str, Any], replicate: int, stream: str
) -> Problem:
    x, labels = _images(configuration["shrink"])
    samples, tests = configuration["samples"], configuration["tests"]
    if samples + tests > len(x):
        raise InvalidInput(
            f"There are {len(x)} images; {samples + tests} were asked for."
        )
    order = seeds.generator("data", stream=stream, replicate=replicate)
    drawn = order.permutation(len(x))[: samples + tests]
    training, test = drawn[tests:], drawn[:tests]
    return Problem(x[training], labels[training], x[test])


@cache
def _images(shrink: int) -> tuple[np.ndarray, np.ndarray]:
    """All images, (N, pixels), and their labels, (N,)."""
    data = datasets.load("fashion-mnist")
    side = data.x.shape[1] // shrink
    squares = data.x.astype(float).reshape(len(data), side, shrink, side, shrink)
    x = squares.mean(axis=(2, 4)).reshape(len(data), -1)
    x -= x.mean(axis=0)
    x *= x.shape[1] ** 0.5 / np.linalg.norm(x, axis=1, keepdims=True)
    return x, np.where(np.isin(data.labels, WORN_ABOVE), 1.0, -1.0)


SETTINGS: Mapping[str, Callable[[Mapping[str, Any], int, str], Problem]] = {
    "1-D": _on_a_line,
    "images": _of_images,
}
