"""Straight lines in log-log axes, one per seed, and what two learning curves differ in.

Two arms can differ in exponent (the gap grows with the number of samples) or in offset alone (a
constant factor). Only the first is an improved scaling law, so the two are told apart:

    exponent difference   how much faster the first curve falls: b_first - b_second of y ~ n^-b,
                          per seed
    offset difference     mean over sizes of log(first / second), per seed: the vertical distance of
                          two parallel lines

Seeds are on the second last axis of a batch of curves (..., K), sizes on the last; leading axes
pass through.

>>> sizes = [10, 100, 1000]
>>> loglog_slopes(sizes, [[1.0, 0.1, 0.01], [2.0, 1.0, 0.5]]).round(3)
array([-1.   , -0.301])
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from harness.errors import InvalidInput
from harness.statistics.intervals import Floats, p_above, t_interval


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


def exponent_differences(x: ArrayLike, first: ArrayLike, second: ArrayLike) -> Floats:
    """b_first - b_second per seed, for y ~ n^-b: positive where the first curve falls faster.

    (S, K) twice -> (S,).

    >>> exponent_differences([1, 10, 100], [[1.0, 0.1, 0.01]], [[1.0, 0.5, 0.25]]).round(3)
    array([0.699])
    """
    same_shape(first, second)
    return loglog_slopes(x, second) - loglog_slopes(x, first)


def offset_differences(x: ArrayLike, first: ArrayLike, second: ArrayLike) -> Floats:
    """Mean over sizes of log(first / second) per seed: the least-squares distance of two lines of a
    common slope.

    Negative where the first curve lies below. (S, K) twice -> (S,).
    """
    same_shape(first, second)
    return (log_curves(x, first)[1] - log_curves(x, second)[1]).mean(axis=-1)


@dataclass(frozen=True)
class CurveContrast:
    """How two curves of the same seeds differ.

    Args:
        exponent, exponent_low, exponent_high: mean of b_first - b_second and its t interval.
        offset, offset_low, offset_high: mean of log(first / second) and its t interval; the whole
            difference if slopes are common, else the difference in the middle of the window.
        p_common_slope: two-sided p of a common slope.
    """

    exponent: float
    exponent_low: float
    exponent_high: float
    offset: float
    offset_low: float
    offset_high: float
    p_common_slope: float


def contrast(
    x: ArrayLike, first: ArrayLike, second: ArrayLike, alpha: float = 0.025
) -> CurveContrast:
    """Exponent and offset difference with t intervals of level 1 - 2 alpha, and the test of a
    common slope.

    The test is a t-test over the seeds' slope differences. The F-test of an analysis of covariance
    takes its error from the scatter about the lines instead, and is wrong as soon as seeds differ
    in slope.
    """
    steeper, lower = (
        exponent_differences(x, first, second),
        offset_differences(x, first, second),
    )
    p = float(p_above(steeper, 0.0))
    (exponent_low, exponent_high), (offset_low, offset_high) = (
        t_interval(steeper, alpha),
        t_interval(lower, alpha),
    )
    return CurveContrast(
        exponent=float(steeper.mean()),
        exponent_low=float(exponent_low),
        exponent_high=float(exponent_high),
        offset=float(lower.mean()),
        offset_low=float(offset_low),
        offset_high=float(offset_high),
        p_common_slope=2 * min(p, 1 - p),
    )


def _numbers(values: ArrayLike, name: str) -> Floats:
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InvalidInput(
            f"{name} must be numbers in a rectangular array; {error}."
        ) from error


def same_shape(first: ArrayLike, second: ArrayLike) -> None:
    """Raises InvalidInput unless both have the same shape."""
    shapes = np.shape(first), np.shape(second)
    if shapes[0] != shapes[1]:
        raise InvalidInput(
            f"Curves are paired by seed and size, so share a shape; got {shapes[0]} and "
            f"{shapes[1]}."
        )
