"""`harness.verdict.decide`, for thousands of simulated experiments at once.

The tests hold the two against each other.

An experiment is what `decide` gets: one effect per seed in every backend. Here experiments are a
leading axis, and the resamples of the bootstrap, which `decide` draws from the same seed every
time, are a matrix of counts, so that the means and sums of squares of all resamples of all
experiments are two matrix products.

>>> import numpy as np
>>> from harness.study import Superiority
>>> shape = (2, 1000, 10)  # backends, experiments, seeds
>>> effects = np.random.default_rng(1).normal(0.3, 0.1, shape)
>>> int(decisions(effects, Superiority(margin=0.1), agreement=0.2).supported.sum())
985
"""

from dataclasses import dataclass
from itertools import combinations, pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

from harness.errors import InvalidInput
from harness.statistics.equivalence import tost
from harness.statistics.intervals import (
    BOOTSTRAP_SEEDS,
    Floats,
    mean_and_error,
    t_interval,
    varies,
)
from harness.study import Rule

RESAMPLES = 4_000
"""Resamples per bootstrap, as in a decision."""

AT_A_TIME = 500
"""Experiments resampled together: 4000 resamples of 500 experiments are 16 MB."""

Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Rate:
    """How often something happened in independent trials, with its 95 % interval (Wilson 1927).

    >>> str(Rate(90, 2000))
    '0.045 [0.037, 0.055]'
    """

    count: int
    trials: int

    def __post_init__(self) -> None:
        if not 0 <= self.count <= self.trials or self.trials < 1:
            raise InvalidInput(
                f"A rate takes at least 1 trial and from 0 to that many counts; got {self.count} "
                f"of {self.trials}."
            )

    @staticmethod
    def of(flags: ArrayLike) -> "Rate":
        """The share of flags that are True.

        Raises:
            InvalidInput: for no flags, or others than True and False (0 and 1).
        """
        given = np.asarray(flags)
        if not given.size or not np.isin(given, (0, 1)).all():
            raise InvalidInput(
                "A rate takes at least one flag, each True or False; got "
                f"{given.size} of dtype {given.dtype}"
                + (", some of them neither." if given.size else ".")
            )
        happened = given.astype(np.bool_)
        return Rate(int(happened.sum()), happened.size)

    @property
    def value(self) -> float:
        """count / trials."""
        return self.count / self.trials

    @property
    def error(self) -> float:
        """Standard error sqrt(p (1 - p) / trials)."""
        return float(np.sqrt(self.value * (1 - self.value) / self.trials))

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % Wilson interval: (2 n p + z^2 ± z sqrt(4 n p (1 - p) + z^2)) / (2 (n + z^2))."""
        n, p, z = self.trials, self.value, ndtri(0.975)
        center = (2 * n * p + z**2) / (2 * (n + z**2))
        half = z / (2 * (n + z**2)) * np.sqrt(4 * n * p * (1 - p) + z**2)
        low = 0.0 if self.count == 0 else float(center - half)
        high = 1.0 if self.count == n else float(center + half)
        return low, high

    def __str__(self) -> str:
        return "{:.3f} [{:.3f}, {:.3f}]".format(self.value, *self.interval)


@dataclass(frozen=True)
class Decisions:
    """What was decided in each experiment; what is none of the three is INCONCLUSIVE.

    All of shape (experiments,).
    """

    supported: Flags
    refuted: Flags
    disagree: Flags


def decisions(
    effects: ArrayLike,
    rule: Rule,
    *,
    agreement: float | None = None,
    bootstrap: bool = True,
    resamples: int = RESAMPLES,
) -> Decisions:
    """Decide every experiment.

    Args:
        effects: shape (backends, experiments, seeds), finite.
        rule, agreement: as `harness.verdict.decide` takes them.
        bootstrap: False leaves out the studentised bootstrap, which leaves Student's t and the
            backends' agreement.
        resamples: of the bootstrap.

    Raises:
        InvalidInput: for another shape, effects that are not finite, or no agreement margin for
            several backends.
    """
    samples = np.asarray(effects, dtype=np.float64)
    if samples.ndim != 3 or not samples.size:
        raise InvalidInput(
            "Effects have shape (backends, experiments, seeds), none of them 0; got "
            f"{samples.shape}."
        )
    if not np.isfinite(samples).all():
        raise InvalidInput(
            f"Effects must be finite; {np.count_nonzero(~np.isfinite(samples))} of them are not."
        )
    disagree = _disagree(samples, rule, agreement)
    undecided = disagree | ~varies(samples).all(axis=0)
    regions = _regions(t_interval(samples, rule.end), rule) & ~undecided
    if bootstrap and samples.shape[-1] >= BOOTSTRAP_SEEDS:
        decided = np.flatnonzero(regions.any(axis=0))
        ends = bootstrap_intervals(samples[:, decided], rule.end, resamples=resamples)
        regions[:, decided] &= _regions(ends, rule)
    supports = np.array(rule.supports)
    return Decisions(
        regions[supports].any(axis=0), regions[~supports].any(axis=0), disagree
    )


def bootstrap_intervals(
    effects: ArrayLike, alpha: float, *, resamples: int = RESAMPLES, seed: int = 0
) -> tuple[Floats, Floats]:
    """The interval of `harness.statistics.intervals.Bootstrap` of every sample: (..., n) -> two
    ends of shape (...).

    The samples must vary over seeds.
    """
    samples = np.asarray(effects, dtype=np.float64)
    n = samples.shape[-1]
    draws = np.random.default_rng(seed).integers(n, size=(resamples, n))
    counts = np.stack([(draws == k).sum(axis=1) for k in range(n)]).astype(np.float64)
    rows = samples.reshape(-1, n)
    parts = [
        _quantiles(rows[start : start + AT_A_TIME], counts, alpha)
        for start in range(0, len(rows), AT_A_TIME)
    ]
    low_t, high_t = np.concatenate([np.empty((2, 0)), *parts], axis=1)
    mean, error, _ = mean_and_error(rows)
    shape = samples.shape[:-1]
    return (mean - high_t * error).reshape(shape), (mean - low_t * error).reshape(shape)


def _quantiles(rows: Floats, counts: Floats, alpha: float) -> Floats:
    """Quantiles alpha and 1 - alpha of (mean* - mean) / error* over resamples; shape (2, rows)."""
    n, resamples = counts.shape
    mean = rows.mean(axis=1, keepdims=True)
    # t has no scale, and centred squares lose no digits
    scaled = (rows - mean) / rows.std(axis=1, keepdims=True)
    means = scaled @ counts / n
    squares = np.maximum(scaled**2 @ counts / n - means**2, 0.0)
    squares[:, counts.max(axis=0) == n] = (
        0.0  # resamples of a single seed: exactly without spread
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        t = means / np.sqrt(squares / (n - 1))
    t = np.where(np.isnan(t), 0.0, t)
    low, high = (
        int(np.floor(alpha * (resamples - 1))),
        int(np.ceil((1 - alpha) * (resamples - 1))),
    )
    return np.partition(t, (low, high), axis=1)[:, [low, high]].T


def _regions(ends: tuple[Floats, Floats], rule: Rule) -> Flags:
    """For each region of the rule, whether the intervals of all backends lie in it; shape (regions,
    experiments).
    """
    low, high = ends
    bounds = [-np.inf, *rule.cuts, np.inf]
    inside = [(low > below) & (high < above) for below, above in pairwise(bounds)]
    return np.stack([region.all(axis=0) for region in inside])


def _disagree(samples: Floats, rule: Rule, agreement: float | None) -> Flags:
    """Whether any two backends are not shown to agree."""
    margin = abs(rule.margin) / 2 if agreement is None else agreement
    disagree = np.zeros(samples.shape[1], dtype=np.bool_)
    for first, second in combinations(samples, 2):
        disagree |= ~tost(first - second, margin, rule.alpha).equivalent
    return disagree
