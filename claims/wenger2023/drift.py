"""What is made of natural gradient descent: the drift of the Jacobian, and residuals against their
promise.
"""

import numpy as np

from harness.experiment import Configuration, Experiment, Measured, Measurements


def on_path(measured: Measured, **where: object) -> np.ndarray:
    """C' on the path, the largest at the steps where it is taken, (S,)."""
    return np.asarray(measured("drift", **where).max(axis=1))


def over_promise(
    m: Measurements, experiment: Experiment, width: int, eta: float
) -> np.ndarray:
    """|r_k|^2 / ((1 - eta)^k |r_0|^2) after each step k, (S, steps)."""
    residuals = m[experiment]("residuals", width=width)
    steps = np.arange(1, residuals.shape[1])
    return np.asarray(residuals[:, 1:] / residuals[:, :1] / (1 - eta) ** steps)


def is_regular(eigenvalues: np.ndarray) -> np.ndarray:
    """Whether the smallest eigenvalue is above 1e-10 of the largest, far above rounding; (S, N) ->
    (S,).
    """
    return np.asarray(eigenvalues[:, 0] > 1e-10 * eigenvalues[:, -1])


def named(cell: Configuration) -> str:
    """A network in words."""
    return f"{cell['family']} {cell['depth']} x {cell['width']}"


def wider_than_deep(cell: Configuration) -> str:
    """A network in words, and "" for one that is not wider than deep."""
    return named(cell) if cell["width"] > cell["depth"] else ""
