"""Power of the rules for normal effects, and the seeds that a wanted power takes.

In closed form, for Student's t alone in one backend. With n seeds, mean d, standard deviation s
over seeds and t = t_{n-1, 1-alpha}:

    Superiority   P(T > t), T noncentral t with n - 1 degrees of freedom and noncentrality
                  (d - margin) sqrt(n) / s
    Difference    the same above the margin plus the same below -margin, each at alpha / 2
    Equivalence   integral over the sample's sd S of
                  P(|mean| < margin - t S / sqrt(n) given S) f(S) dS,
                  which is exact since mean and sd of a normal sample are independent (Phillips
                  1990)

A decision asks for more: the studentised bootstrap must agree. `harness.statistics.claim_power`
simulates that, for one hypothesis and for a claim. It is never above the closed form but by Monte
Carlo error, so the closed form is the first screen.

>>> from harness.study import Superiority
>>> seeds_needed(Superiority(margin=0.05), effect=0.15, sd=0.1)
11
"""

from collections.abc import Callable
from itertools import pairwise

import numpy as np
from scipy.special import ndtr, stdtrit

from harness.errors import InvalidInput
from harness.statistics.intervals import region
from harness.study import Difference, Rule, Superiority

MOST_SEEDS = 100_000

WANTED = 0.9
"""The power that a claim must have to be registered, at the effects that it registers."""


def power(rule: Rule, effect: float, sd: float, seeds: int) -> float:
    """Probability that the rule says SUPPORTED in one backend, if effects are N(effect, sd^2).

    Raises:
        InvalidInput: if sd is not positive, effect not finite, or there are fewer than 2 seeds.
    """
    _check(effect, sd, seeds)
    if isinstance(rule, Superiority):
        return superiority_power(effect, sd, seeds, margin=rule.margin, alpha=rule.end)
    if isinstance(rule, Difference):
        either = (
            superiority_power(
                side * effect, sd, seeds, margin=rule.margin, alpha=rule.end
            )
            for side in (1, -1)
        )
        return sum(either)
    return equivalence_power(effect, sd, seeds, margin=rule.margin, alpha=rule.end)


def holds(rule: Rule, effect: float) -> bool:
    """Whether the rule is true of a mean effect; on a margin it is not.

    >>> from harness.study import Equivalence
    >>> holds(Equivalence(0.1), 0.05), holds(Difference(0.1), -0.2), holds(Difference(0.1), 0.1)
    (True, True, False)
    """
    place = region((effect, effect), rule.cuts)
    return place is not None and rule.supports[place]


def superiority_power(
    effect: float, sd: float, seeds: int, *, margin: float, alpha: float
) -> float:
    """Power of the one-sided t-test of "mean > margin"."""
    # here, because it takes a second of CPU time that commands without a power need not pay
    from scipy import stats

    freedom = seeds - 1
    noncentrality = (effect - margin) * np.sqrt(seeds) / sd
    return float(stats.nct.sf(-stdtrit(freedom, alpha), freedom, noncentrality))


def equivalence_power(
    effect: float, sd: float, seeds: int, *, margin: float, alpha: float
) -> float:
    """Power of the t-TOST of "|mean| < margin", to about 1e-9."""
    from scipy import stats

    freedom, error = seeds - 1, sd / np.sqrt(seeds)
    chi = stats.chi(freedom, scale=1 / np.sqrt(freedom))
    t = -stdtrit(freedom, alpha)

    def inside(ratio: float) -> float:
        reach = (margin - t * error * ratio) / error
        return float(
            (ndtr(reach - effect / error) - ndtr(-reach - effect / error))
            * chi.pdf(ratio)
        )

    widest = margin / (t * error)
    bulk = [
        point
        for point in chi.ppf([1e-12, 0.01, 0.5, 0.99, 1 - 1e-12])
        if point < widest
    ]
    ends = [*bulk, widest] if len(bulk) < 5 else bulk
    return float(sum(_integral(inside, low, high) for low, high in pairwise(ends)))


def seeds_needed(rule: Rule, effect: float, sd: float, target: float = 0.9) -> int:
    """The smallest number of seeds with power >= target in one backend.

    Raises:
        InvalidInput: if the rule is false at this effect, target is not in (0, 1), or 100 000 seeds
            are not enough.
    """
    if not 0 < target < 1:
        raise InvalidInput(f"The wanted power must lie in (0, 1); got {target!r}.")
    if not holds(rule, effect):
        raise InvalidInput(
            f"No number of seeds gives power where the rule is false: {rule.describe()}, at "
            f"{effect!r}."
        )
    enough = 2
    while power(rule, effect, sd, enough) < target:
        if enough >= MOST_SEEDS:
            raise InvalidInput(
                f"Power {target} takes over {MOST_SEEDS} seeds at effect {effect!r}, sd {sd!r}."
            )
        enough *= 2
    short = enough // 2
    while enough - short > 1:
        middle = (short + enough) // 2
        short, enough = (
            (short, middle)
            if power(rule, effect, sd, middle) >= target
            else (middle, enough)
        )
    return enough


def _check(effect: float, sd: float, seeds: int) -> None:
    if not (np.isfinite(effect) and np.isfinite(sd) and sd > 0):
        raise InvalidInput(
            f"Power takes a finite effect and a finite sd > 0; got effect {effect!r}, sd {sd!r}."
        )
    if seeds < 2:
        raise InvalidInput(f"Power takes at least 2 seeds; got {seeds!r}.")


def _integral(function: Callable[[float], float], low: float, high: float) -> float:
    from scipy.integrate import quad

    return float(quad(function, low, high, epsabs=1e-10, epsrel=1e-10)[0])
