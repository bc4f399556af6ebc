"""Scaling laws of one learning curve, error E against the number n of samples.

    "power"        E = a n^-b
    "power+floor"  E = c + a n^-b,  c >= 0

The loss is the mean square of log E - log model, for three reasons. Errors span decades, so
residuals must be relative. "power" is then the straight line of `slopes`, exactly. And one loss for
all forms makes them comparable; weighting by 1/E^2 would make the floor linear, but favours points
that happen to be low.

Fits are by variable projection (Golub, Pereyra 1973). In this loss log a and the b of a power are
linear and solved for exactly; only these are searched:

    "power"        none
    "power+floor"  b in [0, 5] and, in [0, 1), s = c / E(n_K): the floor's share of the error at the
                   largest size

The search starts from the best points of a grid, one per range of it, and says how it ended:
`gradient` and `spread` are fields of the result. An optimiser that stopped early has made a
published scaling law wrong (Besiroglu et al. 2024 on Hoffmann et al. 2022).

>>> sizes = [50, 100, 500, 1000, 5000]
>>> with_floor = fit(sizes, [0.02 + 1 / size**0.5 for size in sizes], "power+floor")
>>> f"{with_floor.exponent:.6f} {with_floor.parameters['c']:.6f} {with_floor.converged}"
'0.500000 0.020000 True'
>>> f"{fit(sizes, [0.02 + 1 / size**0.5 for size in sizes], 'power').exponent:.2f}"
'0.34'
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import OptimizeResult, least_squares

from harness.errors import InvalidInput
from harness.statistics.intervals import Floats
from harness.statistics.scaling_forms import LAWS, Form, Law, fewest_sizes
from harness.statistics.slopes import log_curves, loglog_slopes

SEARCHES = 4
"""Searches per curve, from the best point of as many ranges of the first searched parameter."""

GRADIENT_TOLERANCE, SPREAD_TOLERANCE = 1e-8, 1e-4

SAME_LOSS, NO_LOSS = 1e-9, 1e-16
"""Losses count as equal within these, relative and absolute; 1e-16 is a residual of 1e-8, far below
any noise.
"""


@dataclass(frozen=True)
class Fit:
    """A fitted law.

    Args:
        form: which.
        parameters: name -> value in full precision: a, b; c with a floor.
        exponent: b.
        loss: mean square of the log residuals.
        gradient: largest component of the loss's gradient in the searched parameters, those pushed
            against a bound left out; 0 where nothing is searched.
        spread: largest difference in exponent between the searches that reached the lowest loss, to
            1e-9 of it or 1e-16: large if the data do not determine the exponent.
        agreeing: how many of the searches those are.
        converged: gradient <= 1e-8, spread <= 1e-4, two searches or more agree (one where nothing
            is searched), and neither b nor s is at the end of its range, but for a floor of 0.
    """

    form: Form
    parameters: Mapping[str, float]
    exponent: float
    loss: float
    gradient: float
    spread: float
    agreeing: int
    converged: bool

    def predict(self, sizes: ArrayLike) -> Floats:
        """The law at these sizes."""
        p, n = self.parameters, np.asarray(sizes, dtype=np.float64)
        return p.get("c", 0.0) + p["a"] * n ** -p["b"]


def fit(sizes: ArrayLike, errors: ArrayLike, form: Form) -> Fit:
    """Fit one curve, sizes and errors of shape (K,).

    Raises:
        InvalidInput: for an unknown form, fewer sizes than parameters plus one, sizes that are not
            positive and strictly increasing, or errors that are not positive and finite.
    """
    x, y = log_curves(sizes, errors, fewest=fewest_sizes(form))
    if y.ndim != 1:
        raise InvalidInput(
            f"fit takes one curve, shape (K,); got shape {y.shape}. For several seeds: fits."
        )
    law = LAWS[form]
    searches = [_search(law, start, x, y) for start in _starts(law, x, y)]
    best = min(searches, key=lambda search: search.cost)
    agree = [
        s
        for s in searches
        if 2 * (s.cost * (1 - SAME_LOSS) - best.cost) / len(x) <= NO_LOSS
    ]
    exponents = [_parameters(law, s.x, x, y)["b"] for s in agree]
    gradient, spread = _gradient(best, x), max(exponents) - min(exponents)
    settled = (
        gradient <= GRADIENT_TOLERANCE
        and spread <= SPREAD_TOLERANCE
        and len(agree) >= min(2, len(searches))
    )
    parameters = _parameters(law, best.x, x, y)
    return Fit(
        form=form,
        parameters=parameters,
        exponent=parameters["b"],
        loss=2 * float(best.cost) / len(x),
        gradient=gradient,
        spread=spread,
        agreeing=len(agree),
        converged=settled and not _at_end(law, best.x, x),
    )


def fits(sizes: ArrayLike, curves: ArrayLike, form: Form) -> tuple[Fit, ...]:
    """The fit of every seed; curves have shape (S, K)."""
    _, log_curve = log_curves(sizes, curves, fewest=fewest_sizes(form))
    if log_curve.ndim != 2:
        raise InvalidInput(
            f"Curves of several seeds have shape (S, K); got {log_curve.shape}."
        )
    return tuple(
        fit(sizes, curve, form) for curve in np.asarray(curves, dtype=np.float64)
    )


def fit_per_seed(sizes: ArrayLike, curves: ArrayLike, form: Form) -> Floats:
    """The exponent of every seed, (S, K) -> (S,); for "power" without a search.

    Whether the searches ended well is said by `fits`.
    """
    if form == "power":
        return -loglog_slopes(sizes, curves)
    return np.array([one.exponent for one in fits(sizes, curves, form)])


def _starts(law: Law, x: Floats, y: Floats) -> list[Floats]:
    """The best point of each of SEARCHES ranges of the first searched parameter, out of a grid of 5
    points a range.
    """
    low, high = law.bounds(x)
    counts = (5 * SEARCHES, 5)
    axes = [
        np.linspace(a, b, count + 2)[1:-1]
        for a, b, count in zip(low, high, counts, strict=False)
    ]
    points = np.array(list(product(*axes)))
    losses = np.array([np.sum(law.project(point, x, y)[0] ** 2) for point in points])
    ranges = zip(
        np.array_split(points, SEARCHES), np.array_split(losses, SEARCHES), strict=True
    )
    return [some[np.argmin(loss)] for some, loss in ranges] if low else [np.empty(0)]


def _search(law: Law, start: Floats, x: Floats, y: Floats) -> OptimizeResult:
    if not start.size:
        residuals = law.project(start, x, y)[0]
        return OptimizeResult(
            x=start, cost=np.sum(residuals**2) / 2, grad=start, active_mask=start
        )
    return least_squares(
        lambda searched: law.project(searched, x, y)[0],
        start,
        jac="3-point",
        bounds=law.bounds(x),
        method="dogbox",
        xtol=1e-14,
        ftol=1e-15,
        gtol=1e-12,
    )


def _gradient(search: OptimizeResult, x: Floats) -> float:
    free = np.abs(search.grad[search.active_mask == 0]) * 2 / len(x)
    return float(free.max(initial=0.0))


def _parameters(law: Law, searched: Floats, x: Floats, y: Floats) -> dict[str, float]:
    found = law.parameters(searched, law.project(searched, x, y)[1], x)
    return {name: float(value) for name, value in found.items()}


def _at_end(law: Law, searched: Floats, x: Floats) -> bool:
    """Whether a search ended where its range does; the lower end of a floor's share, no floor, is
    an answer.
    """
    low, high = (np.array(end) for end in law.bounds(x))
    near = 1e-6 * (high - low)
    return bool(np.any((searched <= low + near)[:1]) or np.any(searched >= high - near))
