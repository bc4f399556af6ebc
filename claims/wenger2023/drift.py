"""What is made of natural gradient descent: the drift of the Jacobian, and residuals against the
bound and the pace of a linear network.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from claims.wenger2023.conditions import at, failing, is_positive
from claims.wenger2023.natural_gradient import ETA, natural_gradient
from harness.claim import Claim
from harness.experiment import (
    Configuration,
    Experiment,
    Measurements,
    grid,
)

ALLOWED = 0.5
"""The theorem needs a drift constant C < 1/2 (C <= 0.162 for eta = 1/2)."""

Widths = tuple[int, ...]


def add_run(
    claim: Claim,
    net: Configuration,
    widths: Widths,
    wider: Widths = (),
    **full: Any,
) -> Experiment:
    """Adds natural gradient descent at these widths, and at wider ones too at the full tier.

    Args:
        net: the keys of `natural_gradient` but for the width.
        full: what the full tier changes beside the widths.
    """
    return claim.experiment(
        natural_gradient,
        grid(**net, width=widths),
        full=full | dict(width=(*widths, *wider)),
        dtype="float64",
        block=2,
    )


def over_allowed(
    m: Measurements,
    experiment: Experiment,
    width: int,
) -> np.ndarray:
    """C' on the path, the largest at the steps where it is taken, over the 1/2 that the theorem
    allows, (S,).
    """
    largest = m[experiment]("drift", width=width).max(axis=1)
    return np.asarray(largest / ALLOWED)


def over_allowed_at_edge(
    m: Measurements, experiment: Experiment, width: int
) -> np.ndarray:
    """C' where the ball ends, along the first step, over the 1/2 that the theorem allows, (S,)."""
    return np.asarray(m[experiment]("ball", width=width) / ALLOWED)


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


def singular(m: Measurements, experiments: Sequence[Experiment]) -> str:
    """What a gate says of networks wider than deep whose Gram matrix is singular at the start."""
    where = failing(m, experiments, "eigenvalues", is_regular, wider_than_deep)
    return at("a Gram matrix is singular", where)


def outside(m: Measurements, experiments: Sequence[Experiment]) -> str:
    """What a gate says of networks wider than deep whose C' is taken outside the ball."""
    where = failing(m, experiments, "reach", is_inside, wider_than_deep)
    return at("left the ball", where)


def not_positive(m: Measurements, experiments: Sequence[Experiment]) -> str:
    """What a gate says of networks wider than deep with a C', or of any with a residual, that is
    not finite or not above zero; the first of these that is anywhere.
    """
    asked = {"drift": wider_than_deep, "ball": wider_than_deep, "residuals": named}
    for quantity, name in asked.items():
        where = failing(m, experiments, quantity, is_positive, name)
        if where:
            return at("a value is zero or not finite", where)
    return ""


def is_regular(eigenvalues: np.ndarray) -> np.ndarray:
    """Whether the smallest eigenvalue is above 1e-10 of the largest, far above rounding; (S, N) ->
    (S,).
    """
    return np.asarray(eigenvalues[:, 0] > 1e-10 * eigenvalues[:, -1])


def is_inside(reach: np.ndarray) -> np.ndarray:
    """Whether the path stays in the ball: its reach over the radius is at most 1."""
    return reach <= 1


def named(cell: Configuration) -> str:
    """A network in words."""
    return f"{cell['family']} {cell['depth']} x {cell['width']}"


def wider_than_deep(cell: Configuration) -> str:
    """A network in words, and "" for one that is not wider than deep."""
    return named(cell) if cell["width"] > cell["depth"] else ""
