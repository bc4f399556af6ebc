"""Regression problems: noisy samples to learn a target from,
and the target itself to be judged by.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from harness import seeds
from harness.measurements import Samples
from harness.networks.builder import choice

TESTS = 500


def problem(
    configuration: Mapping[str, Any],
    replicates: Sequence[int],
    stream: str,
) -> tuple[Samples, Samples, Samples]:
    """Training, validation and test samples: x ~ N(0, I), the target of unit variance over the
    tests.

    Configuration: target (a key of TARGETS), along random orthonormal u and v; inputs; samples and
    validation, their numbers; noise, the standard deviation of what is added to training and
    validation labels. Tests have none.
    """
    target, inputs = configuration["target"], configuration["inputs"]
    choice("target", target, tuple(TARGETS))
    counts = (TESTS, configuration["validation"], configuration["samples"])
    inputs_drawn = []
    labels = []
    for replicate in replicates:
        axes = dict(stream=stream, replicate=replicate, inputs=inputs, target=target)
        rng = seeds.generator("regression", **axes)
        frame, _ = np.linalg.qr(rng.standard_normal((inputs, inputs)))
        x = rng.standard_normal((sum(counts), inputs))
        f = TARGETS[target](x @ frame)
        tests = f[:TESTS]
        f = (f - tests.mean()) / tests.std()
        noise = seeds.generator("noise", **axes).standard_normal(len(f))
        noise = noise * (np.arange(len(f)) >= TESTS)
        inputs_drawn.append(x)
        labels.append(f + configuration["noise"] * noise)
    x = np.array(inputs_drawn)
    y = np.array(labels)[..., None]
    ends = np.cumsum((0, *counts))
    test, validation, training = (
        Samples(x[:, first:last], y[:, first:last], (inputs,))
        for first, last in pairwise(ends)
    )
    return training, validation, test


TARGETS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "wave": lambda z: np.sin(2.5 * z[:, 0]),
    "long_wave": lambda z: np.sin(1.5 * z[:, 0]),
    "product": lambda z: z[:, 0] * z[:, 1],
    "rough": lambda z: np.sign(z[:, 0]),
    "smooth": lambda z: np.cos(z[:, 0]) + np.sin(z[:, 1]),
    "friedman": lambda z: friedman(z),
}
"""Functions of the coordinates of x along a random orthonormal frame, (N, n_0) -> (N,)."""


def friedman(z: np.ndarray) -> np.ndarray:
    """10 sin(pi q_1 q_2) + 20 (q_3 - 1/2)^2 + 10 q_4 + 5 q_5, q = 1 / (1 + exp(-1.7 z)) (Friedman
    1991).
    """
    q = 1 / (1 + np.exp(-1.7 * z))
    product = np.sin(np.pi * q[:, 0] * q[:, 1])
    square = (q[:, 2] - 0.5) ** 2
    return np.asarray(10 * product + 20 * square + 10 * q[:, 3] + 5 * q[:, 4])


def relative(residual: np.ndarray, test: Samples) -> np.ndarray:
    """Mean square over the tests in units of the target's variance, (R,)."""
    squares = (residual**2).mean(axis=(1, 2))
    return np.asarray(squares / test.y.var(axis=(1, 2)))
