"""Distances of predictors, as geometric means over networks of 1 and 2 hidden layers, and their
rates.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from harness.experiment import Experiment, Measurements
from harness.statistics.slopes import loglog_slopes

DEPTHS = (1, 2)
Axis = dict[str, Sequence[Any]]
"""A key of configurations and its values, in rising order."""


def distance(
    m: Measurements, experiment: Experiment, quantity: str, **where: Any
) -> np.ndarray:
    """The geometric mean over both depths, in standard deviations of the target, (seeds,)."""
    measured = m[experiment]
    per_depth = [measured(quantity, depth=depth, **where) for depth in DEPTHS]
    logarithms = np.log(per_depth)  # (depths, seeds)
    return np.asarray(np.exp(logarithms.mean(axis=0)))


def distances_over(
    m: Measurements,
    experiment: Experiment,
    quantity: str,
    axis: Axis,
    **where: Any,
) -> list[np.ndarray]:
    """The distance at every value of one key, each (seeds,)."""
    ((key, values),) = axis.items()
    found = []
    for value in values:
        place = {key: value, **where}
        found.append(distance(m, experiment, quantity, **place))
    return found


def rate(
    m: Measurements,
    experiment: Experiment,
    quantity: str,
    axis: Axis,
    **where: Any,
) -> np.ndarray:
    """The exponent of the distance, (seeds,): the slope of its logarithm on that of the key."""
    (values,) = axis.values()
    curves = np.array(distances_over(m, experiment, quantity, axis, **where))
    return loglog_slopes(values, curves.T)


def rate_in_width(
    m: Measurements,
    experiment: Experiment,
    quantity: str,
) -> np.ndarray:
    """The exponent of the distance in the width, over all widths, (seeds,)."""
    widths = m[experiment].axis("width")
    return rate(m, experiment, quantity, dict(width=widths))
