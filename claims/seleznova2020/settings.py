"""What the claims on Experiment B share: networks and phases, three ways to train them, and what
was learnt.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from claims.seleznova2020.training import (
    LARGE,
    at_loss,
    by_protocol,
    kernel_change,
    training_by_protocol,
)
from harness.claim import Claim
from harness.experiment import Configuration, Experiment, Measured

DEPTHS = SHALLOW, DEEP, DEEPEST = 3, 10, 20
BEST_CONSTANT = 0.09  # the loss of the best constant, about


@dataclass(frozen=True)
class Setting:
    """Networks of one activation, and a phase on either side of their edge of chaos.

    Args:
        activation, sigma_b2: as in a configuration.
        ordered, chaotic: sigma_w^2.
        width: of networks that are trained to one loss; by the paper's protocol all have 64.
    """

    activation: str
    sigma_b2: float
    ordered: float
    chaotic: float
    width: int = 64

    @property
    def network(self) -> Configuration:
        """Its keys of a configuration."""
        return {"activation": self.activation, "sigma_b2": self.sigma_b2}


RELU, TANH, BIASED = "ReLU", "tanh", "tanh with sigma_b^2 = 1"
SETTINGS = {
    RELU: Setting("relu", sigma_b2=1.0, ordered=1.0, chaotic=2.5),
    TANH: Setting("tanh", sigma_b2=0.1, ordered=1.0, chaotic=3.5, width=256),
    BIASED: Setting("tanh", sigma_b2=1.0, ordered=1.0, chaotic=5.0),
}
"""The edge of chaos lies at sigma_w^2 = 2 (ReLU), 1.99 (tanh, sigma_b^2 = 0.1) and 3.44 (tanh,
sigma_b^2 = 1), where the paper's grid for tanh, which ends at 3.5, has no chaotic phase.
"""
NEAR_EDGE = 1.5  # sigma_w^2 of ReLU
LONG = dict(LARGE, max_steps=100_000)


def at_matched_loss(
    claim: Claim,
    net: str,
    sigma_w2: Sequence[float],
) -> Experiment:
    """Adds training of 3 and 10 layers, raw and centred, to loss 0.05 at half the edge of
    stability.
    """
    setting = SETTINGS[net]
    cells = at_loss(
        **setting.network,
        width=setting.width,
        sigma_w2=tuple(sigma_w2),
        depth=(SHALLOW, DEEP),
        centred=(False, True),
    )
    return claim.experiment(kernel_change, cells, full=LONG, block=10)


def two_networks(claim: Claim) -> Experiment:
    """Adds two independent initialisations of ReLU networks near the edge of chaos, trained to loss
    0.05.
    """
    cells = at_loss(sigma_w2=NEAR_EDGE, depth=SHALLOW, centred=False, lane=(0, 1))
    return claim.experiment(kernel_change, cells, full=LONG, block=10)


def two_label_scales(claim: Claim) -> Experiment:
    """Adds centred ReLU networks near the edge of chaos, trained to targets of 1/4 and of 4 to the
    same part of them.
    """
    cells = []
    for scale in (0.25, 4.0):
        cells += at_loss(
            sigma_w2=NEAR_EDGE,
            depth=SHALLOW,
            centred=True,
            label_scale=scale,
            target_loss=0.05 * scale**2,
        )
    return claim.experiment(kernel_change, cells, full=LONG, block=10)


def chaotic_by_protocol(claim: Claim) -> Experiment:
    """Adds ReLU networks in the chaotic phase by the paper's protocol, to loss 0.05 at the
    latest.
    """
    axes = dict(sigma_w2=SETTINGS[RELU].chaotic, target_loss=0.05)
    cells = by_protocol({SHALLOW: 1_500, DEEP: 20_000}, **axes)
    longer = {SHALLOW: 3_000, DEEP: 40_000}
    full = by_protocol(longer, **LARGE, **axes, flow_time=1.0)
    return claim.experiment(training_by_protocol, cells, full=full, block=10)


def at_fixed_rate(
    claim: Claim,
    depths: tuple[int, ...],
    steps: tuple[int, int] = (600, 2_000),
    *,
    net: str = RELU,
    **axes: Any,
) -> Experiment:
    """Adds training for the paper's flow time in so many steps (quick, full), all of them; ordered
    by default.
    """
    few, many = steps
    setting = SETTINGS[net]
    cells = by_protocol(
        {depth: few for depth in depths},
        target_loss=None,
        **{**setting.network, "sigma_w2": setting.ordered, **axes},
    )
    full = dict(LARGE, flow_time=1.0, steps=many)
    return claim.experiment(
        training_by_protocol, cells, full=full, dtype="float64", block=10
    )


def more_ordered(claim: Claim) -> Experiment:
    """Adds ReLU networks at sigma_w^2 = 0.5 by the paper's protocol."""
    return at_fixed_rate(claim, DEPTHS, (100, 500), sigma_w2=0.5)


def silent(claim: Claim) -> Experiment:
    """Adds ReLU networks whose output is the same for all inputs, at sigma_w^2 = 0.01."""
    return at_fixed_rate(claim, (DEEP,), (100, 500), sigma_w2=0.01)


def scaled_by_protocol(claim: Claim) -> Experiment:
    """Adds centred ReLU networks by the paper's protocol, with targets of 1/20 and of 8."""
    return at_fixed_rate(
        claim, (SHALLOW,), (300, 1_000), centred=True, label_scale=(0.05, 8.0)
    )


def at_half_the_edge(
    claim: Claim, depths: tuple[int, ...], net: str = RELU
) -> Experiment:
    """Adds training in the ordered phase at half of each network's edge 2 / lambda_max, to loss
    0.02 at the latest.
    """
    setting = SETTINGS[net]
    rate = dict(flow_time=None, edge_fraction=0.5, target_loss=0.02)
    cells = by_protocol(
        {depth: 800 for depth in depths},
        **setting.network,
        sigma_w2=setting.ordered,
        **rate,
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


def loss_over_shallow(measured: Measured, depth: int) -> np.ndarray:
    """The least loss with so many layers over that with 3, per seed."""
    loss = measured.select("min_loss")
    return np.asarray(loss(depth=depth) / loss(depth=SHALLOW))


def loss_over_frozen(measured: Measured, depth: int) -> np.ndarray:
    """The least loss over that which descent with the kernel frozen at the start would have after
    as many steps, per seed.
    """
    frozen = measured("linearised_loss", depth=depth)
    return np.asarray(measured("min_loss", depth=depth) / frozen)


def chaotic_over_ordered(
    measured: Measured,
    net: str,
    *,
    centred: bool,
) -> np.ndarray:
    """Delta with 10 layers in the chaotic phase over that in the ordered one, per seed."""
    setting = SETTINGS[net]
    delta = measured.select("kernel_change", depth=DEEP, centred=centred)
    ordered = delta(sigma_w2=setting.ordered)
    return np.asarray(delta(sigma_w2=setting.chaotic) / ordered)


def growth(
    measured: Measured,
    sigma_w2: float,
    *,
    centred: bool,
) -> np.ndarray:
    """Delta with 10 layers over that with 3, per seed."""
    delta = measured.select("kernel_change", sigma_w2=sigma_w2, centred=centred)
    return np.asarray(delta(depth=DEEP) / delta(depth=SHALLOW))
