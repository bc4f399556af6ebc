"""Scaling laws of one learning curve, error E against the number n of samples.

    "power"        E = a n^-b
    "power+floor"  E = c + a n^-b,  c >= 0

The loss is the mean square of log E - log model, for three reasons. Errors span decades, so
residuals must be relative. "power" is then the straight line of `slopes`, exactly. And one loss for
all forms makes them comparable; weighting by 1/E^2 would make the floor linear, but favours points
that happen to be low.

A floor is fitted by variable projection (Golub, Pereyra 1973). In this loss log a is linear and
solved for exactly; searched are b in [0, 5] and, in [0, 1), s = c / E(n_K): the floor's share of
the error at the largest size. The search starts from the best points of a grid, one per range of b,
and the best end counts: an optimiser that stopped early has made a published scaling law wrong
(Besiroglu et al. 2024 on Hoffmann et al. 2022).

>>> sizes = [50, 100, 500, 1000, 5000]
>>> with_floor = fit(sizes, [0.02 + 1 / size**0.5 for size in sizes])
>>> f"{with_floor['b']:.6f} {with_floor['c']:.6f}"
'0.500000 0.020000'
>>> f"{fit_per_seed(sizes, [[0.02 + 1 / size**0.5 for size in sizes]], 'power')[0]:.2f}"
'0.34'
"""

from itertools import product

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import OptimizeResult, least_squares

from harness.errors import InvalidInput
from harness.statistics.intervals import Floats
from harness.statistics.scaling_forms import (
    BOUNDS,
    Form,
    fewest_sizes,
    parameters,
    project,
)
from harness.statistics.slopes import log_curves, loglog_slopes

SEARCHES = 4
"""Searches per curve, from the best point of as many ranges of the exponent."""


def fit(sizes: ArrayLike, errors: ArrayLike) -> dict[str, float]:
    """The a, b and c of the law with a floor under one curve, sizes and errors of shape (K,).

    Raises:
        InvalidInput: for fewer than 4 sizes, sizes that are not positive and strictly increasing,
            or errors that are not positive and finite.
    """
    x, y = log_curves(sizes, errors, fewest=fewest_sizes("power+floor"))
    if y.ndim != 1:
        raise InvalidInput(
            f"fit takes one curve, shape (K,); got shape {y.shape}. For several seeds: "
            "fit_per_seed."
        )
    searches = [_search(start, x, y) for start in _starts(x, y)]
    best = min(searches, key=lambda search: search.cost)
    return parameters(best.x, project(best.x, x, y)[1], x)


def fit_per_seed(sizes: ArrayLike, curves: ArrayLike, form: Form) -> Floats:
    """The exponent of every seed, (S, K) -> (S,); for "power" without a search.

    Raises:
        InvalidInput: for an unknown form, fewer sizes than parameters plus one, or as `fit` does.
    """
    _, log_curve = log_curves(sizes, curves, fewest=fewest_sizes(form))
    if log_curve.ndim != 2:
        raise InvalidInput(
            f"Curves of several seeds have shape (S, K); got {log_curve.shape}."
        )
    if form == "power":
        return -loglog_slopes(sizes, curves)
    return np.array([fit(sizes, curve)["b"] for curve in np.asarray(curves)])


def _starts(x: Floats, y: Floats) -> list[Floats]:
    """The best point of each of SEARCHES ranges of the exponent, out of a grid of 5 points a range
    and 5 floors.
    """
    axes = [
        np.linspace(low, high, count + 2)[1:-1]
        for low, high, count in zip(*BOUNDS, (5 * SEARCHES, 5), strict=True)
    ]
    points = np.array(list(product(*axes)))
    losses = np.array([np.sum(project(point, x, y)[0] ** 2) for point in points])
    ranges = zip(
        np.array_split(points, SEARCHES), np.array_split(losses, SEARCHES), strict=True
    )
    return [some[np.argmin(loss)] for some, loss in ranges]


def _search(start: Floats, x: Floats, y: Floats) -> OptimizeResult:
    return least_squares(
        lambda searched: project(searched, x, y)[0],
        start,
        jac="3-point",
        bounds=BOUNDS,
        method="dogbox",
        xtol=1e-14,
        ftol=1e-15,
        gtol=1e-12,
    )
