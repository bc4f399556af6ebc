"""What the two claims on the ordered phase share: depths and phases, two protocols, and what was
learnt by them.
"""

from typing import Any

import numpy as np

from claims.seleznova2020.training import LARGE, by_protocol, training_by_protocol
from harness.claim import Claim
from harness.experiment import Experiment, Measured

DEPTHS = SHALLOW, DEEP, DEEPEST = 3, 10, 20
# sigma_w^2 at sigma_b^2 = 1; the edge of chaos of ReLU is 2
ORDERED, MORE_ORDERED, EDGE = (1.0, 0.5, 2.0)
BEST_CONSTANT = 0.09  # the loss of the best constant, about


def at_fixed_rate(
    claim: Claim, depths: tuple[int, ...], steps: tuple[int, int], **axes: Any
) -> Experiment:
    """Adds training for the paper's flow time in so many steps (quick, full), all of them; ordered
    by default.
    """
    few, many = steps
    cells = by_protocol(
        {depth: few for depth in depths},
        target_loss=None,
        **{"sigma_w2": ORDERED, **axes},
    )
    full = dict(LARGE, flow_time=1.0, steps=many)
    return claim.experiment(
        training_by_protocol, cells, full=full, dtype="float64", block=10
    )


def at_half_the_edge(claim: Claim, depths: tuple[int, ...], **axes: Any) -> Experiment:
    """Adds training at half of each network's edge 2 / lambda_max, to loss 0.02 at the latest;
    ordered by default.
    """
    rate = dict(flow_time=None, edge_fraction=0.5, target_loss=0.02)
    cells = by_protocol(
        {depth: 800 for depth in depths}, **{"sigma_w2": ORDERED, **rate, **axes}
    )
    full = dict(LARGE, steps=4_000)
    return claim.experiment(
        training_by_protocol, cells, full=full, dtype="float64", block=10
    )


def part_left(measured: Measured, **where: Any) -> np.ndarray:
    """The part of the labels' variance that is left, per seed: least loss over that of the best
    constant.
    """
    return np.asarray(
        measured("min_loss", **where) / measured("constant_loss", **where)
    )


def change_per_part_learnt(measured: Measured, depth: int) -> np.ndarray:
    """Delta over the part of the labels' variance that is learnt, per seed."""
    learnt = 1 - part_left(measured, depth=depth)
    return np.asarray(measured("kernel_change", depth=depth) / learnt)
