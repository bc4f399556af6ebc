"""Stationary kernels, which know no network, and regression with them beside regression with the
NTK.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from claims.liu2025.equivalence import network, ntk_regression, tuned
from claims.liu2025.problems import problem, relative
from harness.backends import Backend

LENGTHS = (1.0, 2.0, 4.0)
"""Length scales of `stationary_kernels`, times the root of the number of inputs."""

Fitted = tuple[np.ndarray, np.ndarray]
"""Predictions on the tests, (R, T, 1), and validation losses, (R,)."""

STATIONARY: Mapping[str, Callable[[np.ndarray], np.ndarray]] = {
    "laplace": lambda r: np.exp(-r),
    "matern_32": lambda r: (1 + 3**0.5 * r) * np.exp(-(3**0.5) * r),
    "matern_52": lambda r: (1 + 5**0.5 * r + 5 / 3 * r**2) * np.exp(-(5**0.5) * r),
    "rbf": lambda r: np.exp(-(r**2) / 2),
}
"""Kernels that know no network, of the distance over the length scale (Rasmussen, Williams 2006,
section 4.2).
"""


def distances(
    x: np.ndarray,
    z: np.ndarray,
) -> np.ndarray:
    """|x_i - z_j|, (N, M)."""
    of_x, of_z = (x**2).sum(axis=1), (z**2).sum(axis=1)
    squares = of_x[:, None] + of_z - 2 * x @ z.T
    return np.sqrt(np.maximum(squares, 0))


def stationary_kernels(
    backend: Backend,
    configuration: Mapping[str, Any],
    replicates: Sequence[int],
    stream: str,
) -> dict[str, np.ndarray]:
    """Test errors of regression with the NTK and with kernels that know no network; ridge and
    length by validation.

    Configuration: of `problem`; depth, of the NTK's network.
    Returns relative E per replicate: "ntk", "laplace", "matern_32", "matern_52", "rbf"; "best",
    that of the four with the least validation loss.
    """
    training, validation, test = problem(configuration, replicates, stream)
    others = np.concatenate([validation.x, test.x], axis=1)
    root = configuration["inputs"] ** 0.5
    near = np.array(list(map(distances, training.x, training.x))) / root
    far = np.array(list(map(distances, others, training.x))) / root
    fitted = {}
    for name, kernel in STATIONARY.items():
        fits = []
        for length in LENGTHS:
            k_train, k_other = kernel(near / length), kernel(far / length)
            fits.append(tuned(k_train, k_other, training, validation))
        fitted[name] = least(fits)
    net = network({**configuration, "width": 1}, "ntk")
    predictions = {name: prediction for name, (prediction, _) in fitted.items()}
    predictions["best"], _ = least(list(fitted.values()))
    predictions["ntk"] = ntk_regression(backend, net, training, validation, test)
    return {
        name: relative(prediction - test.y, test)
        for name, prediction in predictions.items()
    }


def least(fits: Sequence[Fitted]) -> Fitted:
    """Of several fits, per replicate those of least validation loss."""
    predictions, losses = (np.array(side) for side in zip(*fits, strict=True))
    chosen = losses.argmin(axis=0)
    replicates = np.arange(losses.shape[1])
    return predictions[chosen, replicates], losses[chosen, replicates]
