"""What one more hidden layer changes in the errors of two predictors: the mismatch D / E."""

from dataclasses import dataclass

import numpy as np

from claims.liu2025.settings import Target
from harness.experiment import Experiment, Measurements

Pair = tuple[np.ndarray, np.ndarray]
"""Errors with a layer less and with it, each (seeds,)."""


@dataclass(frozen=True)
class Errors:
    """The errors of one predictor on every target, at every depth.

    Args:
        experiment: that measured them.
        quantity: their name in it.
    """

    experiment: Experiment
    quantity: str

    def at(self, m: Measurements, target: Target, depth: int) -> np.ndarray:
        """The errors with so many hidden layers, (seeds,)."""
        return m[self.experiment](self.quantity, target=target.name, depth=depth)

    def around(self, m: Measurements, target: Target, depth: int = 1) -> Pair:
        """The errors with so many hidden layers and with one more."""
        return self.at(m, target, depth), self.at(m, target, depth + 1)

    def depths(self, m: Measurements, target: Target) -> list[int]:
        """The depths that were measured."""
        return m[self.experiment].axis("depth", target=target.name)


def mismatch(
    network: Pair,
    kernel: Pair,
    unit: np.ndarray | None = None,
) -> np.ndarray:
    """D = change of the network's error - change of the kernel's, over the unit: the kernel's error
    before, per seed.

    >>> mismatch((np.array([0.5]), np.array([0.7])), (np.array([1.0]), np.array([0.9]))).round(2)
    array([0.3])
    """
    of_network = network[1] - network[0]
    of_kernel = kernel[1] - kernel[0]
    if unit is None:
        unit = kernel[0]
    return np.asarray((of_network - of_kernel) / unit)


def of_layer(
    m: Measurements,
    network: Errors,
    kernel: Errors,
    target: Target,
    depth: int = 1,
) -> np.ndarray:
    """D / E of a layer that is added to so many, on one target, (seeds,)."""
    of_network = network.around(m, target, depth)
    of_kernel = kernel.around(m, target, depth)
    return mismatch(of_network, of_kernel)
