"""NNGP, NTK and other kernels compared: errors, ratios of errors, and whether a target tells
kernels apart.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from claims.liu2025 import settings
from claims.liu2025.conditions import failing
from claims.liu2025.regression import (
    RIDGES,
    network_kernels,
    other_kernels,
    same_kernel,
)
from claims.liu2025.settings import Target, usual
from claims.liu2025.stationary import STATIONARY
from harness import gates
from harness.claim import Claim
from harness.experiment import Configuration, Experiment, Measured, Measurements

TUNED, RIDGELESS = 0, 1
"""Places of both ridges in what `network_kernels` measures."""
HARD, BEYOND_LINEAR = 0.5, 0.2
"""A target is useful if E_NTK is at most the first, and ln(E_linear / E_NTK) at least the second,
on average.
"""


@dataclass(frozen=True)
class Kernels:
    """Regression with kernels.

    Args:
        networks: the experiment on `network_kernels`.
        others: that on `other_kernels`.
        same: that on `same_kernel`, on the rough target.
    """

    networks: Experiment
    others: Experiment
    same: Experiment

    def error(
        self,
        m: Measurements,
        kernel: str,
        target: Target,
    ) -> np.ndarray:
        """E of a kernel with its ridge tuned, (seeds,); of NNGP and NTK at 2 hidden layers."""
        if kernel in ("nngp", "ntk"):
            errors = m[self.networks](kernel, **usual(target))
            return errors[:, TUNED]
        return m[self.others](kernel, target=target.name)

    def over_ntk(self, m: Measurements, kernel: str, target: Target) -> np.ndarray:
        """E of a kernel / E_NTK, (seeds,)."""
        return self.error(m, kernel, target) / self.error(m, "ntk", target)

    def ratio(
        self, m: Measurements, cell: Configuration, ridge: int = TUNED
    ) -> np.ndarray:
        """E_NNGP / E_NTK on one problem, (seeds,)."""
        errors = m[self.networks]
        nngp = errors("nngp", **cell)[:, ridge]
        ntk = errors("ntk", **cell)[:, ridge]
        return nngp / ntk

    def apart(self, m: Measurements, cell: Configuration) -> np.ndarray:
        """Root mean square of f_NNGP - f_NTK on a problem, in the target's deviations, (seeds,)."""
        distance = m[self.networks]("distance", **cell)
        return distance[:, TUNED]

    def half_the_samples(self, m: Measurements, target: Target) -> np.ndarray:
        """E_NTK with 100 samples / E_NTK with 200, (seeds,)."""
        errors = m[self.networks]("ntk", **usual(target, samples=100))
        return errors[:, TUNED] / self.error(m, "ntk", target)

    def on_other_folds(self, m: Measurements) -> np.ndarray:
        """E of the NTK times 7, its ridge chosen on other folds, over E_NTK, (seeds,)."""
        both = m[self.same]("same")
        return np.asarray(both[:, 1] / both[:, 0])

    def positive(self, m: Measurements) -> str:
        """ "" if every error is finite and above zero; else where not, in one line."""
        beside = [*STATIONARY, "linear", "short_rbf"]
        return (
            gates.positive(m, ["nngp", "ntk"], self.networks)
            or gates.positive(m, beside, self.others)
            or gates.positive(m, ["same"], self.same)
        )

    def useful(self, m: Measurements, target: Target) -> bool:
        """Whether the NTK learns the target, and a linear kernel clearly less."""
        error = self.error(m, "ntk", target).mean()
        over = self.over_ntk(m, "linear", target)
        beyond = np.log(over).mean()
        return bool(error <= HARD and beyond >= BEYOND_LINEAR)

    def useless(
        self,
        m: Measurements,
        targets: Sequence[Target],
    ) -> str:
        """ "" if every target is useful; else which are not, in one line."""
        useless = [target for target in targets if not self.useful(m, target)]
        return failing(
            "the NTK learns too little, or a linear kernel nearly as much", useless
        )

    def beyond_ladder(
        self,
        m: Measurements,
        targets: Sequence[Target],
    ) -> str:
        """ "" if cross-validation chose the largest ridge for no seed; else on which targets it
        did, in one line.
        """
        chosen = m[self.networks].select("ridges")
        beyond = []
        for target in targets:
            ridges = chosen(**usual(target))
            if (ridges == RIDGES[-1]).any():
                beyond.append(target)
        return failing("the largest ridge of the ladder was chosen", beyond)


def add_kernels(claim: Claim) -> Kernels:
    """Adds regression with NNGP and NTK, with other kernels, and with one kernel twice."""
    options: dict[str, Any] = dict(dtype="float64", block=10)
    return Kernels(
        claim.experiment(
            network_kernels,
            settings.REGRESSION,
            full=settings.FULL_REGRESSION,
            **options,
        ),
        claim.experiment(other_kernels, settings.EVERY_TARGET, **options),
        claim.experiment(same_kernel, [usual(settings.ROUGH)], **options),
    )


def over_best(stationary: Measured, target: Target) -> np.ndarray:
    """E of the NTK over that of the stationary kernel that validates best, (seeds,)."""
    ntk = stationary("ntk", target=target.name)
    return np.asarray(ntk / stationary("best", target=target.name))
