"""Distances of predictors, as geometric means over networks of 1 and 2 hidden layers, and their rates."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from harness.experiment import Experiment, Measurements
from harness.statistics.slopes import loglog_slopes

DEPTHS = (1, 2)


def distance(m: Measurements, experiment: Experiment, quantity: str, **where: Any) -> np.ndarray:
    """The geometric mean over both depths, in standard deviations of the target, (seeds,)."""
    per_depth = [m[experiment](quantity, depth=depth, **where) for depth in DEPTHS]
    return np.asarray(np.exp(np.log(per_depth).mean(axis=0)))


def distances_over(
    m: Measurements, experiment: Experiment, quantity: str, axis: dict[str, Sequence[Any]], **where: Any
) -> np.ndarray:
    """The distance at every value of one key, (values, seeds)."""
    ((key, values),) = axis.items()
    return np.array([distance(m, experiment, quantity, **{key: value}, **where) for value in values])


def rate(
    m: Measurements, experiment: Experiment, quantity: str, axis: dict[str, Sequence[Any]], **where: Any
) -> np.ndarray:
    """The exponent of the distance in a quantity that rises, (seeds,): slope of its logarithm on that of the key."""
    (values,) = axis.values()
    return loglog_slopes(values, distances_over(m, experiment, quantity, axis, **where).T)
