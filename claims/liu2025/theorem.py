"""The experiments on the theorem: networks trained as it asks, and kernels beside them."""

from dataclasses import dataclass
from typing import Any

from claims.liu2025 import settings
from claims.liu2025.equivalence import descent_by_theory, kernel_predictors
from claims.liu2025.stationary import stationary_kernels
from harness.claim import Claim
from harness.experiment import Experiment


@dataclass(frozen=True)
class Runs:
    """Predictors of networks and of kernels.

    Args:
        untrained: eNTK, NTK and NNGP, over widths.
        wave: networks that learn sin(2.5 u.x), over widths and label scales.
        others: networks of width 256 that learn the other targets.
        permuted: networks that are taught the labels of other inputs.
        stationary: the NTK and kernels that know no network, on every target.
    """

    untrained: Experiment
    wave: Experiment
    others: Experiment
    permuted: Experiment
    stationary: Experiment

    @property
    def trained(self) -> tuple[Experiment, ...]:
        """The networks that are taught their own labels."""
        return self.wave, self.others


def add_runs(claim: Claim) -> Runs:
    """Adds them to a claim."""

    def descent(cells: Any, full: Any = ()) -> Experiment:
        return claim.experiment(descent_by_theory, cells, full=full, block=10)

    return Runs(
        untrained=claim.experiment(
            kernel_predictors,
            settings.UNTRAINED,
            full=settings.FULL_UNTRAINED,
            block=10,
        ),
        wave=descent(settings.THEORY, settings.FULL_THEORY),
        others=descent(settings.OTHERS_IN_THEORY),
        permuted=descent(settings.PERMUTED_IN_THEORY),
        stationary=claim.experiment(
            stationary_kernels,
            settings.STATIONARY,
            dtype="float64",
            block=10,
        ),
    )
