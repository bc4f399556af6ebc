"""Settings of the claims on networks and their kernels: targets, samples, training."""

from collections.abc import Sequence
from typing import Any

from harness.experiment import Configuration, grid

TARGETS = {
    "wave": "sin(2.5 u.x)",
    "rough": "sign(u.x)",
    "smooth": "cos(u.x) + sin(v.x)",
    "friedman": "Friedman's function",
}
OTHERS = ("rough", "smooth", "friedman")
"""The targets beside the wave, on which both claims decide."""

SAMPLES = 100
PROBLEM = dict(inputs=5, noise=0.1)
NET = dict(width=64)
WITHOUT_NET = ("steps", "weights", "members", "permuted")
"""What `architecture_kernel` does not ask of a configuration of `common_training`."""


def sampled(samples: int = SAMPLES) -> Configuration:
    """Inputs, noise and numbers of samples; a quarter as many validation samples as training samples."""
    return dict(PROBLEM, samples=samples, validation=samples // 4)


def commonly(samples: int = SAMPLES, **axes: Any) -> tuple[Configuration, ...]:
    """Configurations of `common_training`: PyTorch's weights, one network per seed."""
    training = dict(NET, steps=1500, weights="pytorch", members=1, permuted=False)
    return grid(**{**sampled(samples), **training, **axes})


def of_architecture(cells: Sequence[Configuration]) -> tuple[Configuration, ...]:
    """Configurations of `architecture_kernel` for the same samples and networks as those of `common_training`."""
    return tuple({key: cell[key] for key in cell if key not in WITHOUT_NET} for cell in cells)


def by_theory(**axes: Any) -> tuple[Configuration, ...]:
    """Configurations of `descent_by_theory`: f - f_0 is trained, by 400 steps, to the labels as they are."""
    training = dict(NET, steps=400, centred=True, label_scale=1.0, permuted=False)
    return grid(**{**sampled(), **training, **axes})


def untrained(**axes: Any) -> tuple[Configuration, ...]:
    """Configurations of `kernel_predictors`: descent by 400 steps with kernels at initialisation."""
    return grid(**{**sampled(), "target": "wave", "steps": 400, **axes})
