"""The exponent difference of two arms by a linear mixed model: a sensitivity check, no rule decides by it.

Of log E ~ log n * arm with everything but the arm's effect shared by a seed's two curves, their difference keeps

    log(second / first)_sk = v + d log n_k + u_s + w_s log n_k + noise_sk,      d = b_first - b_second for E ~ n^-b,

with random intercept u and slope w of seed s. The random slope makes the seed the unit. Fitted to both curves at once
with one random slope per seed, shared by the arms, a "95 %" interval of d covered 53 % where slope differences had sd
0.03 over 10 seeds at noise 0.02 and 6 sizes (60 trials): that model takes d to be the same for all seeds.

Where a variance is near zero, as that of u often is for paired arms, the likelihood has its optimum on a boundary and
statsmodels (issues 6157, 7051) warns or fails; that is said in `reason`. It is common, so it is no gate.

On a full grid the estimate is that of the per-seed slopes, by algebra; what is checked is the interval.

>>> import numpy as np
>>> rng, n = np.random.default_rng(0), np.array([64, 128, 256, 512, 1024])
>>> slopes = 0.4 + 0.05 * rng.normal(size=(2, 10, 1)) + np.array([0.1, 0.0])[:, None, None]
>>> first, second = n**-slopes * np.exp(0.1 * rng.normal(size=(2, 10, 1)) + 0.02 * rng.normal(size=(2, 10, 5)))
>>> found = mixed_exponent_difference(n, first, second)
>>> f"{found.estimate:.3f} [{found.low:.3f}, {found.high:.3f}] {found.reason!r}"
"0.124 [0.069, 0.178] ''"
"""

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import stdtrit
from statsmodels.regression.mixed_linear_model import MixedLM

from harness.errors import InvalidInput
from harness.statistics.intervals import Floats
from harness.statistics.slopes import log_curves, same_shape

FEWEST_SEEDS = 5
"""Below this the variances of random effects cannot be estimated in practice."""

ROUNDING = 1e-9
"""Noise in log E below which curves count as straight lines: nothing is left that a likelihood could be made of."""


OPTIMISERS = ("lbfgs", "powell", "bfgs")
"""Tried in turn: with slope differences of sd 0.01, offsets of sd 0.03 and noise 0.028, one of them alone fits without
a warning 33, 36 and 30 times in 40."""

HOPELESS = 1e4
"""Standard error, in units of the noise, that only a singular fit has."""


@dataclass(frozen=True)
class MixedEstimate:
    """b_first - b_second, its interval (t with S - 1 degrees of freedom), and "" or why it is not to be relied on.

    All three numbers are NaN where the model could not be fitted; the reason then begins with "not fitted".
    """

    estimate: float
    low: float
    high: float
    reason: str


def mixed_exponent_difference(
    sizes: ArrayLike, first: ArrayLike, second: ArrayLike, alpha: float = 0.025
) -> MixedEstimate:
    """Fit by restricted maximum likelihood; curves (S, K) paired by seed, K >= 3; interval of level 1 - 2 alpha.

    No warning escapes: what statsmodels warns of becomes the reason. It compares variances with absolute numbers, so
    the fit runs in units of the noise and of the spread of log n.

    Raises:
        InvalidInput: for curves that `slopes.log_curves` refuses, or that are not (S, K) with S >= 2.
    """
    same_shape(first, second)
    log_n, log_first = log_curves(sizes, first, fewest=3)
    _, log_second = log_curves(sizes, second)
    if log_first.ndim != 2 or len(log_first) < 2:
        raise InvalidInput(f"A mixed model takes curves of 2 seeds or more, shape (S, K); got {log_first.shape}.")
    seeds = len(log_first)
    x, differences = (log_n - log_n.mean()) / log_n.std(), log_second - log_first
    noise = _noise(x, differences)
    if seeds < FEWEST_SEEDS:
        return _failed(f"random effects take at least {FEWEST_SEEDS} seeds; got {seeds}")
    if noise < ROUNDING:
        return _failed("the differences are straight lines, so there is no noise to estimate")
    unit = noise / float(log_n.std())
    slope, error, reason = _fitted(x, differences / noise)
    estimate, half = slope * unit, -float(stdtrit(seeds - 1, alpha)) * error * unit
    return MixedEstimate(estimate, estimate - half, estimate + half, reason)


def _failed(reason: str) -> MixedEstimate:
    nan = float("nan")
    return MixedEstimate(nan, nan, nan, f"not fitted: {reason}")


def _noise(x: Floats, y: Floats) -> float:
    """Standard deviation of y (S, K) about the least-squares line of each seed; x is centred."""
    lines = y.mean(axis=1, keepdims=True) + np.outer(y @ x / (x @ x), x)
    return float(np.sqrt(np.sum((y - lines) ** 2) / (len(y) * (len(x) - 2))))


def _fitted(x: Floats, y: Floats) -> tuple[float, float, str]:
    """Slope of y (S, K) on x, its standard error, and "" or what went wrong, by the first optimiser that succeeds."""
    attempts = []
    for method in OPTIMISERS:
        attempts.append(_attempt(x, y, method))
        if not attempts[-1][2]:
            return attempts[-1]
    return next((attempt for attempt in attempts if np.isfinite(attempt[1])), attempts[0])


def _attempt(x: Floats, y: Floats, method: str) -> tuple[float, float, str]:
    seeds = np.repeat(np.arange(len(y)), len(x))
    design = np.stack([np.ones(y.size), np.tile(x, len(y))], axis=1)
    nan = float("nan")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            found = MixedLM(y.ravel(), design, seeds, exog_re=design).fit(reml=True, method=[method])
            slope, error = float(found.fe_params[1]), float(found.bse_fe[1])  # computed, and warned of, on reading
        except (np.linalg.LinAlgError, ValueError) as problem:
            return nan, nan, f"not fitted: {problem}"
    if not 0 < error < HOPELESS:
        return nan, nan, "not fitted: the slope has no standard error"
    said = dict.fromkeys(" ".join(str(warning.message).split()) for warning in caught)
    return slope, error, "; ".join(said) or ("" if found.converged else "the fit did not converge")
