"""Two one-sided tests (TOST) that a mean lies inside (-margin, margin); Schuirmann 1987.

For two backends the sample is their difference, seed by seed: the paired TOST.

>>> tost([0.01, -0.02, 0.00, 0.02], margin=0.1, alpha=0.05).equivalent
np.True_
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from harness.errors import InvalidInput
from harness.statistics.intervals import Floats, p_above, t_interval


@dataclass(frozen=True)
class Tost:
    """p of non-equivalence, and the t interval of level 1 - 2 alpha; shapes are those of the
    samples' leading axes.
    """

    margin: float
    p: Floats
    low: Floats
    high: Floats

    @property
    def equivalent(self) -> NDArray[np.bool_]:
        """The interval lies inside (-margin, margin), which is p < alpha."""
        return (self.low > -self.margin) & (self.high < self.margin)

    @property
    def different(self) -> NDArray[np.bool_]:
        """The interval lies wholly outside: a difference of at least the margin is established."""
        return (self.low > self.margin) | (self.high < -self.margin)


def tost(effects: ArrayLike, margin: float, alpha: float) -> Tost:
    """TOST over the last axis; without any spread it holds exactly if |mean| < margin.

    Raises:
        InvalidInput: if the margin is not a positive number, or there are fewer than 2 seeds.
    """
    if not (np.isfinite(margin) and margin > 0):
        raise InvalidInput(
            f"An equivalence margin must be positive and finite; got {margin!r}."
        )
    sample = np.asarray(effects, dtype=np.float64)
    low, high = t_interval(sample, alpha)
    return Tost(
        margin,
        np.maximum(p_above(sample, -margin), p_above(-sample, -margin)),
        low,
        high,
    )
