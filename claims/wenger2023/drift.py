"""What is made of natural gradient descent: the drift of the Jacobian, and residuals against the
bound and the pace of a linear network.
"""

from collections.abc import Sequence

import numpy as np

from claims.wenger2023.conditions import failing, is_positive
from claims.wenger2023.natural_gradient import ETA
from harness.experiment import Configuration, Experiment, Measured, Measurements


def on_path(measured: Measured, **where: object) -> np.ndarray:
    """C' on the path, the largest at the steps where it is taken, (S,)."""
    return np.asarray(measured("drift", **where).max(axis=1))


def over_pace(
    m: Measurements, experiment: Experiment, width: int, linear: bool = False
) -> np.ndarray:
    """|r_k|^2 / ((1 - eta)^k |r_0|^2) after each step k, (S, steps).

    If linear, 2k stands in place of k: the residual of a network that is linear in its weights is
    r_k = (1 - eta)^k r_0.
    """
    residuals = m[experiment]("residuals", width=width)
    steps = np.arange(1, residuals.shape[1])
    pace = (1 - ETA) ** (2 * steps if linear else steps)
    return np.asarray(residuals[:, 1:] / residuals[:, :1] / pace)


def not_positive(m: Measurements, experiments: Sequence[Experiment]) -> str:
    """Where a C' of a network wider than deep, or a residual of any, is not finite or not above
    zero; the first of these that is anywhere.
    """
    asked = {"drift": wider_than_deep, "ball": wider_than_deep, "residuals": named}
    for quantity, name in asked.items():
        where = failing(m, experiments, quantity, is_positive, name)
        if where:
            return where
    return ""


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
