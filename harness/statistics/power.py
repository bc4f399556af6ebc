"""Power of the two rules for normal effects, and the seeds that a wanted power takes.

With n seeds, mean d, standard deviation s over seeds and t = t_{n-1, 1-alpha}:

    Superiority   P(T > t),  T noncentral t with n - 1 degrees of freedom and noncentrality (d - margin) sqrt(n) / s
    Equivalence   integral over the sample's sd S of P(|mean| < margin - t S / sqrt(n) given S) f(S) dS,
                  which is exact since mean and sd of a normal sample are independent (Phillips 1990)

Power is that of one backend. Both must support, so two independent backends have at least 2 power - 1.

>>> from harness.claim import Superiority
>>> seeds_needed(Superiority(margin=0.05), effect=0.15, sd=0.1)
11
"""

from collections.abc import Callable
from itertools import pairwise

import numpy as np
from scipy import stats
from scipy.integrate import quad
from scipy.special import ndtr

from harness.claim import Rule, Superiority
from harness.errors import InvalidInput

MOST_SEEDS = 100_000


def power(rule: Rule, effect: float, sd: float, seeds: int) -> float:
    """Probability that the rule says SUPPORTED in one backend, if effects are N(effect, sd^2).

    Raises:
        InvalidInput: if sd is not positive, effect not finite, or there are fewer than 2 seeds.
    """
    if not (np.isfinite(effect) and np.isfinite(sd) and sd > 0):
        raise InvalidInput(f"Power takes a finite effect and a finite sd > 0; got effect {effect!r}, sd {sd!r}.")
    if seeds < 2:
        raise InvalidInput(f"Power takes at least 2 seeds; got {seeds!r}.")
    of_rule = superiority_power if isinstance(rule, Superiority) else equivalence_power
    return of_rule(effect, sd, seeds, rule.margin, rule.alpha)


def superiority_power(effect: float, sd: float, seeds: int, margin: float, alpha: float) -> float:
    """Power of the one-sided t-test of "mean > margin"."""
    freedom = seeds - 1
    noncentrality = (effect - margin) * np.sqrt(seeds) / sd
    return float(stats.nct.sf(stats.t.isf(alpha, freedom), freedom, noncentrality))


def equivalence_power(effect: float, sd: float, seeds: int, margin: float, alpha: float) -> float:
    """Power of the t-TOST of "|mean| < margin", to about 1e-9."""
    freedom, error = seeds - 1, sd / np.sqrt(seeds)
    chi = stats.chi(freedom, scale=1 / np.sqrt(freedom))
    t = stats.t.isf(alpha, freedom)

    def inside(ratio: float) -> float:
        reach = (margin - t * error * ratio) / error
        return float((ndtr(reach - effect / error) - ndtr(-reach - effect / error)) * chi.pdf(ratio))

    widest = margin / (t * error)
    bulk = [point for point in chi.ppf([1e-12, 0.01, 0.5, 0.99, 1 - 1e-12]) if point < widest]
    ends = [*bulk, widest] if len(bulk) < 5 else bulk
    return float(sum(_integral(inside, low, high) for low, high in pairwise(ends)))


def seeds_needed(rule: Rule, effect: float, sd: float, target: float = 0.9) -> int:
    """The smallest number of seeds with power >= target in one backend.

    Raises:
        InvalidInput: if the rule is false at this effect, target is not in (0, 1), or 100 000 seeds are not enough.
    """
    if not 0 < target < 1:
        raise InvalidInput(f"The wanted power must lie in (0, 1); got {target!r}.")
    holds = effect > rule.margin if isinstance(rule, Superiority) else abs(effect) < rule.margin
    if not holds:
        raise InvalidInput(f"No number of seeds gives power where the rule is false: {rule.describe()}, at {effect!r}.")
    enough = 2
    while power(rule, effect, sd, enough) < target:
        if enough >= MOST_SEEDS:
            raise InvalidInput(f"Power {target} takes over {MOST_SEEDS} seeds at effect {effect!r}, sd {sd!r}.")
        enough *= 2
    short = enough // 2
    while enough - short > 1:
        middle = (short + enough) // 2
        short, enough = (short, middle) if power(rule, effect, sd, middle) >= target else (middle, enough)
    return enough


def _integral(function: Callable[[float], float], low: float, high: float) -> float:
    return float(quad(function, low, high, epsabs=1e-10, epsrel=1e-10)[0])
