"""Whether backends that saw the same seeds measured the same effect: paired TOST of every pair."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

from harness.statistics.equivalence import tost
from harness.statistics.intervals import Floats


@dataclass(frozen=True)
class Agreement:
    """Paired TOST of two backends: mean difference, its 1 - 2 alpha interval, the margin, p, and
    whether they agree.
    """

    backends: tuple[str, str]
    margin: float
    difference: float
    low: float
    high: float
    p: float
    agree: bool

    def describe(self) -> str:
        """In words, for a verdict that the backends do not agree on."""
        first, second = self.backends
        established = self.low > self.margin or self.high < -self.margin
        verdict = (
            "a difference is established"
            if established
            else "agreement is not shown, nor is a difference"
        )
        relation = "outside" if established else "not inside"
        return (
            f"{first} minus {second} is {self.difference:.4g} [{self.low:.4g}, {self.high:.4g}] "
            "over the same seeds, "
            f"{relation} the agreement margins ±{self.margin:.4g} (TOST p = {self.p:.2g}): "
            f"{verdict}"
        )


def worst_agreement(
    samples: Mapping[str, Floats], margin: float, alpha: float
) -> Agreement | None:
    """Of all pairs of backends the one that agrees least; None for one backend.

    Samples are (n,), paired by seed.
    """
    pairs = [
        _agreement(pair, samples, margin, alpha) for pair in combinations(samples, 2)
    ]
    return max(
        pairs,
        key=lambda pair: (not pair.agree, pair.p, abs(pair.difference)),
        default=None,
    )


def _agreement(
    pair: tuple[str, str], samples: Mapping[str, Floats], margin: float, alpha: float
) -> Agreement:
    differences = samples[pair[0]] - samples[pair[1]]
    test = tost(differences, margin, alpha)
    mean, low, high = float(differences.mean()), float(test.low), float(test.high)
    return Agreement(
        pair, margin, mean, low, high, float(test.p), bool(test.equivalent)
    )
