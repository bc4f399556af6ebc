"""The mean of an effect over seeds: Student-t interval, one-sided p, and studentised bootstrap.

Seeds are on the last axis; leading axes are independent samples, so that thousands of simulated
experiments cost one call. alpha is the level of ONE end everywhere: an interval has level 1 - 2
alpha, and each of its ends is the one-sided bound of level 1 - alpha.

>>> low, high = t_interval([1.0, 2.0, 3.0, 4.0], alpha=0.05)
>>> f"{low:.3f} {high:.3f}"
'0.981 4.019'
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtr, stdtrit

from harness.errors import InvalidInput

Floats = NDArray[np.float64]

BOOTSTRAP_SEEDS = 5
"""Below this, resamples of a single seed, whose t is infinite, are too frequent for a 95 %
interval.
"""

CONSTANT = 1e-12
"""sd / |mean| up to which effects count as constant; rounding of equal effects leaves about 1e-16.
"""


def mean_and_error(effects: ArrayLike) -> tuple[Floats, Floats, int]:
    """Mean, its standard error sd / sqrt(n), and the number n of seeds."""
    sample = np.asarray(effects, dtype=np.float64)
    n = sample.shape[-1]
    if n < 2:
        raise InvalidInput(f"A spread over seeds takes at least 2 seeds; got {n}.")
    return sample.mean(axis=-1), sample.std(axis=-1, ddof=1) / np.sqrt(n), n


def varies(effects: ArrayLike) -> NDArray[np.bool_]:
    """Whether the effects differ between seeds by more than rounding: sd > 1e-12 |mean|.

    Effects that do not vary say that the seed is not the unit of the experiment, so no t applies to
    them.
    """
    sample = np.asarray(effects, dtype=np.float64)
    spread: NDArray[np.bool_] = np.std(sample, axis=-1, ddof=1) > CONSTANT * np.abs(
        np.mean(sample, axis=-1)
    )
    return spread


def t_interval(effects: ArrayLike, alpha: float) -> tuple[Floats, Floats]:
    """Student-t interval of level 1 - 2 alpha: mean ± t_{n-1, 1-alpha} sd / sqrt(n).

    A point where sd = 0.
    """
    mean, error, n = mean_and_error(effects)
    half = -stdtrit(n - 1, alpha) * error
    return mean - half, mean + half


def prediction_interval(
    effects: ArrayLike, alpha: float, *, runs: int = 1
) -> tuple[Floats, Floats]:
    """Where the mean of `runs` further seeds falls: mean ± t_{n-1, 1-alpha} sd sqrt(1/runs + 1/n),
    level 1 - 2 alpha.

    Raises:
        InvalidInput: for fewer than 2 seeds or fewer than 1 run.
    """
    mean, error, n = mean_and_error(effects)
    if runs < 1:
        raise InvalidInput(
            f"A prediction is for the mean of 1 run or more; got {runs!r}."
        )
    half = -stdtrit(n - 1, alpha) * error * np.sqrt(n / runs + 1)
    return mean - half, mean + half


def p_above(effects: ArrayLike, margin: float) -> Floats:
    """One-sided p of "mean <= margin" against "mean > margin" by Student's t.

    Without any spread the mean is known: p is 0 above the margin, 1 below it, 1/2 on it. NaN where
    an effect or the margin is not finite: what was not measured is evidence for nothing.
    """
    mean, error, n = mean_and_error(effects)
    distance = mean - margin
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.where(distance == 0.0, 0.0, distance / error)
    p: Floats = np.where(
        np.isfinite(distance) & np.isfinite(error), stdtr(n - 1, -t), np.nan
    )
    return p


@dataclass(frozen=True)
class Bootstrap:
    """The studentised bootstrap of the mean of one sample (Hall 1992, section 3.3).

    Percentile intervals cover too little at 20 seeds or fewer; studentised ones do not.

    Attributes:
        mean, error: of the sample, with its standard error.
        t: (mean* - mean) / error* of every resample, sorted; infinite where a resample has no
            spread.
    """

    mean: float
    error: float
    t: Floats

    @staticmethod
    def of(effects: ArrayLike, *, resamples: int = 4_000, seed: int = 0) -> "Bootstrap":
        """From one sample, shape (n,) with n >= 5; raises InvalidInput for any other shape."""
        sample = np.asarray(effects, dtype=np.float64)
        if sample.ndim != 1 or sample.size < BOOTSTRAP_SEEDS:
            raise InvalidInput(
                f"The bootstrap takes one sample of {BOOTSTRAP_SEEDS} seeds or more; got "
                f"{sample.shape}."
            )
        mean, error, n = mean_and_error(sample)
        draws = np.random.default_rng(seed).integers(n, size=(resamples, n))
        resampled = sample[draws]
        means, spread = resampled.mean(axis=-1), resampled.std(axis=-1, ddof=1)
        # rounding is no spread
        errors = np.where(spread > CONSTANT * np.abs(means), spread / np.sqrt(n), 0.0)
        with np.errstate(divide="ignore", invalid="ignore"):
            t = (means - mean) / errors
        return Bootstrap(
            float(mean),
            float(error) if varies(sample) else 0.0,
            np.sort(np.where(np.isnan(t), 0.0, t)),
        )

    def interval(self, alpha: float) -> tuple[float, float]:
        """Of level 1 - 2 alpha.

        An end is infinite where resamples without spread reach its quantile.
        """
        if self.error == 0.0:
            return self.mean, self.mean
        high_t, low_t = (
            np.quantile(self.t, 1 - alpha, method="higher"),
            np.quantile(self.t, alpha, method="lower"),
        )
        return float(self.mean - high_t * self.error), float(
            self.mean - low_t * self.error
        )

    def p_above(self, margin: float) -> float:
        """One-sided p of "mean <= margin": below alpha where the interval's lower end is above the
        margin.

        That holds where alpha is a whole number of resamples; otherwise p may exceed it by less
        than one of them. 1 for effects that do not vary; NaN if an effect or the margin is not
        finite.
        """
        return self._p(
            self.mean - margin,
            lambda t: len(self.t) - int(np.searchsorted(self.t, t, side="left")),
        )

    def p_below(self, margin: float) -> float:
        """One-sided p of "mean >= margin"."""
        return self._p(
            self.mean - margin, lambda t: int(np.searchsorted(self.t, t, side="right"))
        )

    def _p(self, distance: float, beyond: Callable[[float], int]) -> float:
        if not np.isfinite(distance):
            return float("nan")
        if self.error == 0.0:
            return 1.0
        return (beyond(distance / self.error) + 1) / (len(self.t) + 1)


def region(interval: tuple[float, float], margins: Sequence[float]) -> int | None:
    """Which of the regions that the margins cut the line into holds the whole interval: 0, 1, ...;
    None if none does.

    The margins are increasing: (m,) of Superiority(m), regions 0 and 1; (-m, m) of Equivalence(m),
    region 1 being the inside. An interval that ends on a margin lies on neither side, and one with
    an end that is NaN nowhere.

    >>> (
    ...     region((0.06, 0.12), [0.05]),
    ...     region((0.04, 0.12), [0.05]),
    ...     region((0.01, 0.04), [-0.05, 0.05]),
    ... )
    (1, None, 1)
    """
    low, high = interval
    if np.isnan(low) or np.isnan(high):
        return None
    below = bisect_left(margins, low)
    return below if below == bisect_right(margins, high) else None
