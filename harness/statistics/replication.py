"""Our seeds against a number that a paper publishes: three criteria, since each alone misleads.

    direction    is our mean established on the same side of zero?
    prediction   does the number lie where one more run of ours (or the mean of m more) would fall,
                 95 times in 100?
    ratio        how large is our mean relative to the number?

The large replication project of psychology (Open Science Collaboration 2015) found 36 % by
significance and 47 % by interval on the same studies. The prediction interval is that of Patil,
Peng, Leek 2016.

>>> print(replication([0.9, 1.1, 1.0, 1.2], published=1.3).reason)
... # doctest: +NORMALIZE_WHITESPACE
Published 1.3, here 1.05 [0.845, 1.26] over 4 seeds: same direction, inside the 95 % prediction
interval [0.591, 1.51], ratio 0.808 [0.65, 0.966].
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from harness.errors import InvalidInput
from harness.statistics.intervals import prediction_interval, t_interval

Direction = Literal["same", "opposite", "not established"]


@dataclass(frozen=True)
class Replication:
    """One published number and what we found.

    Args:
        published: the number; n: our seeds; alpha: level of one end of every interval.
        mean, low, high: our mean and its t interval.
        predicted_low, predicted_high: prediction interval; `inside`: it holds the published number.
        direction: whether our interval lies wholly on the published number's side of zero.
        ratio: (mean, low, high) / published, the ends in increasing order; None if the number
            published is 0. The published number counts as exact.
    """

    published: float
    n: int
    alpha: float
    mean: float
    low: float
    high: float
    predicted_low: float
    predicted_high: float
    direction: Direction
    ratio: tuple[float, float, float] | None

    @property
    def inside(self) -> bool:
        """The published number lies inside our prediction interval."""
        return self.predicted_low <= self.published <= self.predicted_high

    @property
    def reason(self) -> str:
        """One sentence with all numbers."""
        direction = (
            self.direction
            if self.direction == "not established"
            else f"{self.direction} direction"
        )
        ratio = (
            ""
            if self.ratio is None
            else ", ratio {:.3g} [{:.3g}, {:.3g}]".format(*self.ratio)
        )
        return (
            f"Published {self.published:.3g}, here {self.mean:.3g} [{self.low:.3g}, "
            f"{self.high:.3g}] over {self.n} "
            f"seeds: {direction}, {'inside' if self.inside else 'outside'} the "
            f"{100 * (1 - 2 * self.alpha):.3g} % "
            f"prediction interval [{self.predicted_low:.3g}, {self.predicted_high:.3g}]{ratio}."
        )


def replication(
    effects: ArrayLike, published: float, *, runs: int = 1, alpha: float = 0.025
) -> Replication:
    """Hold per-seed effects, shape (n,), against a published number in the same units.

    Args:
        effects: one per seed.
        published: the paper's number.
        runs: how many runs of theirs the number averages; 1, the widest prediction, where the paper
            does not say.
        alpha: level of one end of each interval.

    Raises:
        InvalidInput: for a published number or effects that are not finite, or fewer than 2 seeds.
    """
    sample = np.asarray(effects, dtype=np.float64)
    if (
        sample.ndim != 1
        or not np.all(np.isfinite(sample))
        or not np.isfinite(published)
    ):
        raise InvalidInput(
            "Replication takes finite effects of shape (n,) and a finite published number; got "
            f"shape {sample.shape} "
            f"with {int(np.sum(~np.isfinite(sample)))} not finite, and {published!r}."
        )
    low, high = (float(end) for end in t_interval(sample, alpha))
    predicted = prediction_interval(sample, alpha, runs=runs)
    mean = float(sample.mean())
    return Replication(
        published=float(published),
        n=sample.size,
        alpha=alpha,
        mean=mean,
        low=low,
        high=high,
        predicted_low=float(predicted[0]),
        predicted_high=float(predicted[1]),
        direction=_direction(low, high, published),
        ratio=None if published == 0 else _ratio(mean, low, high, published),
    )


def _direction(low: float, high: float, published: float) -> Direction:
    if published == 0 or low <= 0 <= high:
        return "not established"
    return "same" if (low > 0) == (published > 0) else "opposite"


def _ratio(
    mean: float, low: float, high: float, published: float
) -> tuple[float, float, float]:
    first, last = sorted((low / published, high / published))
    return mean / published, first, last
