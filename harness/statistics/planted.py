"""Coverage of the 95 % t intervals of exponents: planted learning curves, the fits of the claims.

    E_s(n) = c + a n^-(b + d_s)

with d_s over seeds of standard deviation 0.1 b, and noise of 3 % at each size. Three plants: seeds
that differ in slope; the same with heavy tails (Student's t with 3 degrees of freedom, scaled); and
over a floor c that the fit has to find. For the last every fit searches, so experiments are 10
seeds each out of fits that are made once, each used once, and there are fewer of them.
"""

from collections.abc import Mapping

import numpy as np

from harness.statistics.calibration import Draw, heavy_tailed, normal
from harness.statistics.decisions import Rate
from harness.statistics.intervals import Floats, t_interval
from harness.statistics.scaling import fit_per_seed
from harness.statistics.scaling_forms import Form

SIZES = np.array([32.0, 64.0, 128.0, 256.0, 512.0, 1024.0, 2048.0])
EXPONENT, SPREAD, NOISE, FLOOR = 0.5, 0.05, 0.03, 0.05
SEEDS = 10


def exponent_coverage(
    trials: int = 2_000, floor_trials: int = 500, *, seed: int = 0
) -> Mapping[str, Rate]:
    """Plant -> how often the 95 % t interval over 10 seeds holds the exponent planted.

    Args:
        trials: experiments of plants whose fit is a straight line.
        floor_trials: experiments over a floor: 0.1 s each.
        seed: of the simulation.
    """
    streams = np.random.default_rng(seed).spawn(3)
    return {
        "seeds differ in slope": _covered(
            _curves(normal, 0.0, trials, streams[0]), "power"
        ),
        "heavy-tailed slopes": _covered(
            _curves(heavy_tailed, 0.0, trials, streams[1]), "power"
        ),
        "over a floor": _covered(
            _curves(normal, FLOOR, floor_trials, streams[2]), "power+floor"
        ),
    }


def _curves(shape: Draw, floor: float, trials: int, rng: np.random.Generator) -> Floats:
    """Curves of shape (trials, seeds, sizes)."""
    exponents = EXPONENT + SPREAD * shape(rng, (trials, SEEDS, 1))
    errors = floor + SIZES**-exponents
    return errors * np.exp(NOISE * rng.standard_normal(errors.shape))


def _covered(curves: Floats, form: Form) -> Rate:
    trials, seeds, sizes = curves.shape
    exponents = fit_per_seed(SIZES, curves.reshape(-1, sizes), form).reshape(
        trials, seeds
    )
    low, high = t_interval(exponents, 0.025)
    return Rate.of((low < EXPONENT) & (high > EXPONENT))
