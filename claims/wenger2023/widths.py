"""Power laws in the width of a network, fitted seed by seed."""

import numpy as np
from numpy.typing import ArrayLike

from harness.experiment import Measured
from harness.statistics.slopes import loglog_slopes


def slopes(widths: ArrayLike, values: ArrayLike) -> np.ndarray:
    """Least-squares slope of ln value on ln width, one per seed.

    Args:
        widths: (K,).
        values: (K, S); a seed of which a value is not a positive number has the slope NaN.
    """
    per_seed = np.asarray(values, dtype=float).T  # (S, K)
    positive = np.isfinite(per_seed) & (per_seed > 0)
    usable = positive.all(axis=1)
    found = np.full(len(per_seed), np.nan)
    found[usable] = loglog_slopes(widths, per_seed[usable])
    return found


def reaching(
    level: float,
    widths: ArrayLike,
    values: ArrayLike,
) -> np.ndarray:
    """The width at which each seed's least-squares line of ln value on ln width comes to a level,
    (S,).

    >>> reaching(0.1, [100, 400], [[0.2], [0.1]]).round(6)
    array([400.])
    """
    middle = np.mean(np.log(widths))
    excess = np.mean(np.log(values), axis=0) - np.log(level)  # of the line, there
    away = excess / slopes(widths, values)
    return np.asarray(np.exp(middle - away))


def ladder(
    measured: Measured, quantity: str, **where: object
) -> tuple[list[int], list[np.ndarray]]:
    """The widths at which a quantity was measured, and its values there, one array (S, ...) per
    width.
    """
    widths = measured.axis("width", **where)
    return widths, [measured(quantity, **where, width=width) for width in widths]


def geometric_mean(values: ArrayLike) -> np.ndarray:
    """exp of the mean logarithm of what each seed has, values (S, ...) -> (S,)."""
    logarithms = np.log(values)
    per_seed = logarithms.reshape(len(logarithms), -1)
    return np.asarray(np.exp(per_seed.mean(axis=1)))


def root_mean_square(values: np.ndarray) -> np.ndarray:
    """Of what each seed has, (S, K) -> (S,)."""
    return np.asarray(np.sqrt((values**2).mean(axis=1)))


def at_width_over_depth(
    measured: Measured,
    quantity: str,
    times: int,
) -> np.ndarray:
    """Geometric mean over depths of a quantity at width = so many times the depth, (S,)."""
    means = []
    for depth in measured.axis("depth"):
        values = measured(quantity, width=times * depth, depth=depth)
        means.append(geometric_mean(values))
    return geometric_mean(np.transpose(means))


def root_mean_square_rate(measured: Measured, quantity: str) -> np.ndarray:
    """Slope of the ln of the root mean square of a quantity on ln width, (S,)."""
    widths, values = ladder(measured, quantity)
    return slopes(widths, [root_mean_square(of_width) for of_width in values])


def rate(measured: Measured, quantity: str) -> np.ndarray:
    """Slope of the ln of a quantity on ln width, mean over depths, (S,)."""
    rates = []
    for depth in measured.axis("depth"):
        widths, values = ladder(measured, quantity, depth=depth)
        rates.append(slopes(widths, [geometric_mean(of_width) for of_width in values]))
    return np.asarray(np.mean(rates, axis=0))
