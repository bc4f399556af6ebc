"""Order along levels (widths, depths, sizes): does a quantity rise from each level to the next?

Values have shape (S, K): seeds by levels, in the order in which the quantity is claimed to rise; negate them for a
fall. "It rises throughout" is the intersection of K - 1 claims, one per pair of neighbours: each step is an effect per
seed under the usual rules, and all must hold (intersection-union, so no correction; Berger 1982). A positive trend
alone is weaker: it allows steps down.

>>> values = [[1.0, 2.0, 4.0], [1.1, 2.0, 3.8], [0.9, 2.1, 4.1]]
>>> ordering_effects(values)
array([[1. , 2. ],
       [0.9, 1.8],
       [1.2, 2. ]])
>>> p_ordered(values) < 0.05
True
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from harness.errors import InvalidInput
from harness.statistics.intervals import Floats, p_above


def ordering_effects(values: ArrayLike) -> Floats:
    """Each level minus the one before, per seed: (S, K) -> (S, K-1)."""
    return np.diff(_levels(values), axis=-1)


def p_ordered(values: ArrayLike, margin: float = 0.0) -> float:
    """Largest one-sided p over neighbours of "mean step <= margin": small only if every step exceeds the margin."""
    return float(p_above(ordering_effects(values).T, margin).max())


def trend_slopes(values: ArrayLike, scores: ArrayLike | None = None) -> Floats:
    """Least-squares slope of the values on the levels' scores (0, 1, 2, ... unless given), per seed: (S, K) -> (S,).

    >>> trend_slopes([[1.0, 2.0, 4.0]])
    array([1.5])

    Raises:
        InvalidInput: if there is not one finite score per level, or all are equal.
    """
    levels = _levels(values)
    at = np.arange(levels.shape[-1], dtype=np.float64) if scores is None else np.asarray(scores, dtype=np.float64)
    if at.shape != levels.shape[-1:] or not np.all(np.isfinite(at)) or np.ptp(at) == 0:
        raise InvalidInput(f"Scores must be {levels.shape[-1]} finite numbers, not all equal; got {at.tolist()}.")
    centred = at - at.mean()
    return levels @ centred / (centred @ centred)


def kendall_taus(values: ArrayLike) -> Floats:
    """Kendall's tau-a of values and levels, per seed: the mean sign of v_j - v_i over i < j. (S, K) -> (S,).

    1 for a rise throughout, -1 for a fall; a tie counts 0, so that constant values have tau 0 rather than none.

    >>> kendall_taus([[1.0, 2.0, 4.0], [2.0, 1.0, 4.0], [1.0, 1.0, 1.0]]).round(3)
    array([1.   , 0.333, 0.   ])
    """
    levels = _levels(values)
    lower, upper = np.triu_indices(levels.shape[-1], k=1)
    return np.sign(levels[..., upper] - levels[..., lower]).mean(axis=-1)


@dataclass(frozen=True)
class PageTrend:
    """Page's L over the seeds' ranks and its p; the alternative says no more than that one step goes up, none down."""

    statistic: float
    p: float


def page_trend(values: ArrayLike) -> PageTrend:
    """Page's test of ordered alternatives (Page 1963), by SciPy; a description, no rule decides by it. K >= 3."""
    levels = _levels(values)
    if levels.ndim != 2 or levels.shape[0] < 2 or levels.shape[1] < 3:
        raise InvalidInput(f"Page's L takes at least 2 seeds and 3 levels, shape (S, K); got {levels.shape}.")
    found = stats.page_trend_test(levels)
    return PageTrend(float(found.statistic), float(found.pvalue))


def _levels(values: ArrayLike) -> Floats:
    levels = np.asarray(values, dtype=np.float64)
    if levels.ndim < 1 or levels.shape[-1] < 2 or not np.all(np.isfinite(levels)):
        raise InvalidInput(
            f"An order takes finite values at 2 levels or more, shape (S, K); got shape {levels.shape} with "
            f"{int(np.sum(~np.isfinite(levels)))} not finite."
        )
    return levels
