"""Gates on learning curves: conditions without which an exponent is no evidence.

Each returns "" where it holds, else one line that says what failed by how much. Curves have shape
(S, K): seeds by sizes. Tolerances are in units of the exponent and registered with the claim.

`untrained` alone looks at networks, not at their curve: one that was stopped early manufactures an
exponent.

A test of the mean would reject every real curve once seeds are many; these gates hold a deviation
against a tolerance.
"""

import numpy as np
from numpy.typing import ArrayLike

from harness.errors import InvalidInput
from harness.statistics.intervals import Floats, t_interval
from harness.statistics.scaling import fit_per_seed
from harness.statistics.scaling_forms import fewest_sizes
from harness.statistics.slopes import curvatures, log_curves

LEARNT = 0.9
"""Training loss, in units of the labels' mean square, below which a network has learnt something: 1
is predicting 0.
"""


def floor(
    sizes: ArrayLike, curves: ArrayLike, tolerance: float, alpha: float = 0.05
) -> str:
    """A floor under the curve is not both established and important. K >= 4.

    Established: log E against log n bends upwards (one-sided t over the seeds' curvatures at level
    alpha, exact where the nonlinear fit of a floor has no such test). Important: allowing a floor
    raises the mean exponent by more than the tolerance. Unnoticed, a floor of 0.02 under n^-0.5 at
    n = 50 ... 5000 turns 0.50 into 0.34.
    """
    n, errors = _seeds(sizes, curves, fewest_sizes("power+floor"))
    _check(tolerance)
    low, _ = t_interval(curvatures(n, errors), alpha)
    if low <= 0:
        return ""
    without, beside = (
        fit_per_seed(n, errors, form).mean() for form in ("power", "power+floor")
    )
    if beside - without <= tolerance:
        return ""
    return (
        f"The curve flattens (curvature above {low:.3g} at level {alpha:g}), and with a floor its "
        "mean exponent is "
        f"{beside:.4g} instead of {without:.4g}: a change of {beside - without:.3g}, above the "
        f"tolerance {tolerance:g}."
    )


def untrained(
    sizes: ArrayLike,
    loss: ArrayLike,
    gain: ArrayLike,
    largest_loss: float,
    largest_gain: float,
    spare: float = 0.0,
) -> str:
    """Every network behind a learning curve was trained: to the registered loss, or until
    validation stayed flat.

    Flat validation is evidence of training only if something was learnt. A network that is stopped
    where validation is lowest may be kept at its first step: then validation was flat throughout,
    and it predicts nothing. So a network whose training loss is not below LEARNT counts as
    untrained, however flat.

    Args:
        sizes: (K,).
        loss: training loss of the network that is judged, in units of the labels' mean square, (S,
            K).
        gain: share of its lowest validation loss that the last quarter of training took off, (S,
            K).
        largest_loss, largest_gain: a network passes with either, with the latter if it has learnt;
            NaN is neither.
        spare: share of the networks of one size that may fail both.
    """
    n, (losses, gains) = (
        np.asarray(sizes),
        (np.asarray(one, dtype=np.float64) for one in (loss, gain)),
    )
    if losses.shape != gains.shape or losses.shape[1:] != n.shape:
        raise InvalidInput(
            f"Losses and gains have one value per seed and size, shape (S, {len(n)}); got "
            f"{losses.shape} and "
            f"{gains.shape}."
        )
    failed = ~((losses <= largest_loss) | ((gains <= largest_gain) & (losses < LEARNT)))
    if not (failed.mean(axis=0) > spare).any():
        return ""
    stuck = failed & ~(losses < LEARNT)
    allowed = int(spare * len(losses) + 1e-9)
    counts = [
        f"{int(failed[:, k].sum())} of {len(losses)} networks are not trained at n = {n[k]:g}"
        + (f" ({int(stuck[:, k].sum())} learnt nothing)" if stuck[:, k].any() else "")
        for k in range(len(n))
        if failed[:, k].mean() > spare
    ]
    return f"{', '.join(counts)}; allowed: {allowed}"


def biased(null: ArrayLike, margin: float, alpha: float = 0.05) -> str:
    """A difference of exponents that is 0 by construction is measured to lie below the margin of
    the claim.

    Not to be SUPPORTED is little to ask of a null control: a wide interval manages that, and one
    with a bias as large as the margin. Here the upper limit of its one-sided t interval, (S,) ->
    level 1 - alpha, must be below the margin.
    """
    values = np.asarray(null, dtype=np.float64)
    _check(margin)
    low, high = t_interval(values, alpha)
    if high < margin:
        return ""
    return (
        f"Where the truth is 0, the difference of exponents is {values.mean():.3g} "
        f"({100 * (1 - 2 * alpha):.3g} % t "
        f"interval [{low:.3g}, {high:.3g}]), not surely below the margin {margin:g}: the "
        "instrument may be biased by "
        "as much."
    )


def _seeds(sizes: ArrayLike, curves: ArrayLike, fewest: int) -> tuple[Floats, Floats]:
    _, log_curve = log_curves(sizes, curves, fewest)
    if log_curve.ndim != 2 or len(log_curve) < 2:
        raise InvalidInput(
            f"This gate takes curves of 2 seeds or more, shape (S, K); got {log_curve.shape}."
        )
    return np.asarray(sizes, dtype=np.float64), np.asarray(curves, dtype=np.float64)


def _check(tolerance: float) -> None:
    if not (np.isfinite(tolerance) and tolerance > 0):
        raise InvalidInput(
            f"A gate's tolerance must be a positive number of exponent units; got {tolerance!r}."
        )
