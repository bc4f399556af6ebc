"""Straight lines in log-log axes, one per seed.

Two learning curves y ~ n^-b can differ in exponent (the gap grows with the number of samples) or
in offset alone (a constant factor). Only the first is an improved scaling law: compare their
slopes, seed by seed.

Seeds are on the second last axis of a batch of curves (..., K), sizes on the last; leading axes
pass through.

>>> sizes = [10, 100, 1000]
>>> loglog_slopes(sizes, [[1.0, 0.1, 0.01], [2.0, 1.0, 0.5]]).round(3)
array([-1.   , -0.301])
"""

import numpy as np
from numpy.typing import ArrayLike

from harness.errors import InvalidInput
from harness.statistics.intervals import Floats


def log_curves(x: ArrayLike, y: ArrayLike, fewest: int = 2) -> tuple[Floats, Floats]:
    """Logarithms of the sizes x, shape (K,), and of the curves y, shape (..., K), after checking
    both.

    Raises:
        InvalidInput: for shapes that do not fit, fewer than `fewest` sizes, sizes that are not
            positive and strictly increasing, or values that are not positive and finite.
    """
    sizes, curves = _numbers(x, "Sizes"), _numbers(y, "Values")
    if sizes.ndim != 1 or curves.ndim < 1 or curves.shape[-1] != sizes.size:
        raise InvalidInput(
            f"A curve has one value per size on its last axis; got sizes of shape {sizes.shape} "
            "and values of shape "
            f"{curves.shape}."
        )
    if sizes.size < fewest:
        raise InvalidInput(
            f"This takes at least {fewest} sizes; got {sizes.size}: {sizes.tolist()}. Measure more "
            "sizes."
        )
    if not (np.all(np.isfinite(sizes)) and sizes[0] > 0 and np.all(np.diff(sizes) > 0)):
        raise InvalidInput(
            f"Sizes must be positive, finite and strictly increasing; got {sizes.tolist()}."
        )
    wrong = np.argwhere(~((curves > 0) & np.isfinite(curves)))
    if wrong.size:
        where = tuple(int(i) for i in wrong[0])
        raise InvalidInput(
            f"Values must be positive and finite to have a logarithm; got {curves[where]} at index "
            f"{where} (size "
            f"{sizes[where[-1]]:g}). Find out why; never drop a point."
        )
    return np.log(sizes), np.log(curves)


def loglog_slopes(x: ArrayLike, y: ArrayLike) -> Floats:
    """Least-squares slope of log y on log x of every curve: (..., K) -> (...).

    slope_s = sum_k (log x_k - mean) log y_sk / sum_k (log x_k - mean)^2. A learning curve y ~ n^-b
    has slope -b.
    """
    log_x, log_y = log_curves(x, y)
    centred = log_x - log_x.mean()
    return log_y @ centred / (centred @ centred)


def curvatures(x: ArrayLike, y: ArrayLike) -> Floats:
    """Coefficient q of the parabola log y = p + b log x + q (log x)^2 of every curve: (..., K) ->
    (...), K >= 3.

    0 for a power law, positive for a curve that flattens towards a floor.

    >>> bool(curvatures([1, 10, 100], [1.1, 0.2, 0.11]) > 0)
    True
    """
    log_x, log_y = log_curves(x, y, fewest=3)
    centred = log_x - log_x.mean()
    parabola = np.vander(centred, 3)
    return log_y @ np.linalg.pinv(parabola)[0]


def _numbers(values: ArrayLike, name: str) -> Floats:
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InvalidInput(
            f"{name} must be numbers in a rectangular array; {error}."
        ) from error
