"""Settings of the claims on networks and their kernels: targets, samples, training."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from claims.liu2025.distances import DEPTHS
from harness.experiment import Configuration, grid


@dataclass(frozen=True)
class Target:
    """What is learnt: its name in configurations and names of effects, and its formula, for
    sentences.
    """

    name: str
    formula: str

    def __str__(self) -> str:
        return self.formula


WAVE = Target("wave", "sin(2.5 u.x)")
LONG_WAVE = Target("long_wave", "sin(1.5 u.x)")
PRODUCT = Target("product", "(u.x)(v.x)")
ROUGH = Target("rough", "sign(u.x)")
SMOOTH = Target("smooth", "cos(u.x) + sin(v.x)")
FRIEDMAN = Target("friedman", "Friedman's function")
TOPS = Target("tops", "clothes of Fashion-MNIST")
DIABETES = Target("diabetes", "the diabetes data")
LEARNT = (SMOOTH, LONG_WAVE, PRODUCT)
"""The targets of a layer more, which the NTK learns."""
OTHERS = (ROUGH, SMOOTH, FRIEDMAN)
"""The targets beside the wave."""
USEFUL = (*OTHERS, TOPS)
"""The targets of regression on which kernels differ."""

SAMPLES, NARROW = 100, 64
TINY = 1e-4
"""The label scale at which a network stays where it started."""
OF_TRAINING = ("steps", "permuted")
"""What `architecture_kernel` does not ask of a configuration of `common_training`."""


def names(targets: Sequence[Target]) -> tuple[str, ...]:
    """The targets as an axis of configurations."""
    return tuple(target.name for target in targets)


def sampled(samples: int = SAMPLES) -> Configuration:
    """The samples of a problem; a quarter as many for validation as for training."""
    return dict(inputs=5, noise=0.1, samples=samples, validation=samples // 4)


def commonly(samples: int, **axes: Any) -> tuple[Configuration, ...]:
    """Configurations of `common_training`: 64 wide, 3000 steps."""
    training = dict(width=NARROW, steps=3000, permuted=False)
    return grid(**{**sampled(samples), **training, **axes})


def kernels_of(cells: Sequence[Configuration]) -> tuple[Configuration, ...]:
    """Configurations of `architecture_kernel` for the same samples and networks as those of
    `common_training`.
    """
    return tuple(_without_training(cell) for cell in cells)


def _without_training(cell: Configuration) -> Configuration:
    return {key: cell[key] for key in cell if key not in OF_TRAINING}


def by_theory(**axes: Any) -> tuple[Configuration, ...]:
    """Configurations of `descent_by_theory`: f - f_0 is trained, by 400 steps, to the labels as
    they are.
    """
    training = dict(
        width=NARROW, steps=400, centred=True, label_scale=1.0, permuted=False
    )
    return grid(**{**sampled(), **training, **axes})


def untrained(**axes: Any) -> tuple[Configuration, ...]:
    """Configurations of `kernel_predictors`: descent by 400 steps on the wave with kernels at
    initialisation.
    """
    return grid(**{**sampled(), "target": WAVE.name, "steps": 400, **axes})


LAYERS = (
    *commonly(400, target=names(LEARNT), depth=(1, 2)),
    *commonly(400, target=names((SMOOTH, LONG_WAVE)), depth=3),
)
FULL_LAYERS = commonly(400, target=names(LEARNT), depth=(1, 2, 3, 4, 5))
"""Common training with a layer more and more, at both tiers."""
PERMUTED_LAYERS = commonly(400, target=SMOOTH.name, depth=2, steps=500, permuted=True)
FEW_SAMPLES = commonly(100, target=WAVE.name, depth=DEPTHS, steps=1500)
"""Of the wave, of which the NTK learns next to nothing."""
LAYERS_IN_THEORY = by_theory(target=names(LEARNT), depth=DEPTHS)
SMALL_LABELS = by_theory(target=WAVE.name, depth=DEPTHS, label_scale=0.01)
"""Labels so small that a network hardly moves."""

UNTRAINED = untrained(depth=DEPTHS, width=(64, 128, 256, 512, 1024))
FULL_UNTRAINED = untrained(depth=DEPTHS, width=(64, 256, 1024, 4096, 16384))
"""Kernels of more and more width, at both tiers."""
THEORY = (
    *by_theory(target=WAVE.name, depth=DEPTHS, width=(64, 128, 256)),
    *by_theory(target=WAVE.name, depth=DEPTHS, label_scale=(0.1, 0.01, TINY)),
)
FULL_THEORY = (
    *by_theory(target=WAVE.name, depth=DEPTHS, width=(64, 256, 1024, 4096)),
    *by_theory(target=WAVE.name, depth=DEPTHS, label_scale=(0.1, 0.01, 1e-3, TINY)),
)
"""Training by theory on the wave over widths, and over label scales, at both tiers."""
OTHERS_IN_THEORY = by_theory(target=names(OTHERS), depth=DEPTHS, width=256)
PERMUTED_IN_THEORY = by_theory(target=WAVE.name, depth=DEPTHS, permuted=True)
STATIONARY = grid(**sampled(), target=names((WAVE, *OTHERS)), depth=2)
"""Configurations of `stationary_kernels`."""

INPUTS = {FRIEDMAN: 5, TOPS: 784, DIABETES: 10}
REAL = (TOPS, DIABETES)


def tuned_on(target: Target) -> Configuration:
    """A problem of `regression.draw`: 200 samples; 4 inputs and noise of 0.1, where the target does
    not say more.
    """
    noise = 0.0 if target in REAL else 0.1
    return dict(
        target=target.name, samples=200, inputs=INPUTS.get(target, 4), noise=noise
    )


def usual(target: Target, **changes: Any) -> Configuration:
    """The configuration of `network_kernels` on which the claim decides, with changes: 2 hidden
    layers.
    """
    return {**tuned_on(target), "depth": 2, **changes}


def problems(targets: Sequence[Target], **axes: Any) -> tuple[Configuration, ...]:
    """Configurations of `network_kernels` on these targets."""
    cells: list[Configuration] = []
    for target in targets:
        cells += grid(**usual(target, **axes))
    return tuple(cells)


REGRESSION = (
    *problems(USEFUL, depth=(1, 2, 3)),
    *problems(USEFUL, samples=(50, 100)),
    *problems([DIABETES]),
)
"""The quick tier: depths, fewer samples."""
FULL_REGRESSION = (
    *problems(USEFUL, depth=(1, 2, 3, 4, 5)),
    *problems(USEFUL, samples=(50, 100, 500, 1000, 2000)),
    *problems([DIABETES]),
    *problems((ROUGH, SMOOTH), inputs=(1, 2, 10, 20)),
    *problems(OTHERS, noise=(0.0, 0.3)),
)
"""The full tier: more depths and samples; other numbers of inputs; no noise and more."""
EVERY_TARGET = tuple(tuned_on(target) for target in (*USEFUL, DIABETES))
"""Configurations of `other_kernels`."""


def on_each(rough: Any, smooth: Any, friedman: Any, tops: Any) -> dict[Target, Any]:
    """One value for each of the useful targets."""
    return {ROUGH: rough, SMOOTH: smooth, FRIEDMAN: friedman, TOPS: tops}
