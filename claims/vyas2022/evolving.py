"""Configurations of kernels in the course of training, arm by arm, and what the claim on them reads
off.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from claims.vyas2022.exponents import Curve, exponents
from claims.vyas2022.recipes import REAL
from claims.vyas2022.settings import CNN, TWO_LAYERS
from harness.experiment import Configuration, Measured

LATE, NEAR_END = 0.2, 0.8
"""Parts of the steps: what lies behind the first is late; movement behind the second is taken for
noise.
"""
BATCH, FEW_EPOCHS = 32, 3
TENTHS = (2, 4, 8, 10)
"""Checkpoints of every arm but the start, in tenths of the steps."""


@dataclass(frozen=True)
class Scale:
    """Widths of the networks, steps of training, and numbers of samples."""

    cnn: int
    mlp: int
    steps: int
    size: int
    validation: int
    test: int

    @property
    def late(self) -> tuple[int, ...]:
        """The checkpoints but the start."""
        return tuple(self.steps * tenths // 10 for tenths in TENTHS)

    @property
    def often(self) -> tuple[int, ...]:
        """Checkpoints after a few epochs, at a tenth of the steps, and a few epochs before the end
        too.
        """
        few = FEW_EPOCHS * (self.size // BATCH)
        return (0, few, self.steps // 10, *self.late[:-1], self.steps - few, self.steps)


QUICK = Scale(cnn=16, mlp=64, steps=1_000, size=384, validation=200, test=400)
FULL = Scale(cnn=64, mlp=512, steps=30_000, size=2_048, validation=1_000, test=4_000)


@dataclass(frozen=True, eq=False)
class Arm:
    """A network and its training.

    Args:
        name: of the arm in configurations and hypotheses.
        label: in sentences.
        net: without its width.
        changes: what differs from one pass over fresh samples by Adam at a constant rate.
        often: whether there are more checkpoints, early and near the end.
        strangers: the arm of independent initialisations of the same network.
    """

    name: str
    label: str
    net: Configuration
    changes: Configuration = field(default_factory=dict)
    often: bool = False
    strangers: str = "strangers"

    def __str__(self) -> str:
        return self.label

    def cell(self, scale: Scale) -> Configuration:
        """Its configuration of `kernel_evolution`."""
        plain = dict(
            regime="one-pass", schedule="constant", optimizer="adam", rate=0.01
        )
        checkpoints = scale.often if self.often else (0, *scale.late)
        return {
            **_common(self.net, scale),
            **plain,
            **self.changes,
            "arm": self.name,
            "checkpoints": checkpoints,
        }


def _common(net: Configuration, scale: Scale) -> Configuration:
    return dict(
        task=dict(name="digits-1d"),
        size=scale.size,
        validation=scale.validation,
        test=scale.test,
        steps=scale.steps,
        batch_size=BATCH,
        net=dict(net, width=getattr(scale, net["family"])),
    )


DEEPER = dict(TWO_LAYERS, depth=2)
LAZY_CNN = dict(CNN, label_scale=0.01, centred=True)
ONE_PASS = Arm("one_pass", "One pass", CNN, often=True)
FIXED = Arm("fixed", "Fixed samples", CNN, dict(regime="fixed"), often=True)
DECAYED = Arm("decayed", "One pass, decayed rate", CNN, dict(schedule="cosine"))
FIXED_DECAYED = Arm(
    "fixed_decayed",
    "Fixed samples, decayed rate",
    CNN,
    dict(regime="fixed", schedule="cosine"),
)
MLP = Arm("mlp", "MLP, one pass", DEEPER, often=True, strangers="mlp_strangers")
LAZY = Arm("lazy", "Lazy, one pass", LAZY_CNN, dict(optimizer="momentum", rate=0.1))
ARMS = (ONE_PASS, FIXED, DECAYED, FIXED_DECAYED, MLP, LAZY)
TOLD = Arm("told", "label-informed kernel", CNN)
STRANGERS = Arm("strangers", "independent initialisations", CNN)


@dataclass(frozen=True)
class Cells:
    """Configurations at one scale: of `kernel_evolution`, of `told_kernel`, and of
    `unrelated_kernels`.
    """

    trained: list[Configuration]
    informed: list[Configuration]
    independent: list[Configuration]


def cells(scale: Scale) -> Cells:
    """All arms on 1-D digits; the kernels of three initialisations stand in place of the kernel at
    three times.
    """
    early, _, near_end, end = scale.late
    informed = dict(_common(CNN, scale), arm=TOLD.name, checkpoints=(0, *scale.late))
    independent = [
        dict(
            _common(arm.net, scale),
            arm=arm.strangers,
            checkpoints=(early, near_end, end),
        )
        for arm in (ONE_PASS, MLP)
    ]
    return Cells([arm.cell(scale) for arm in ARMS], [informed], independent)


IMAGES = tuple(
    Arm(name, f"{images.label}, {images.regime}", CNN, strangers=f"{name}_strangers")
    for name, images in REAL.items()
)


def image_cells(scale: Scale, steps: int) -> list[Configuration]:
    """Configurations of `kernel_evolution` on every data set of REAL; one pass needs as many images
    as it sees.
    """
    cells = []
    for arm in IMAGES:
        images = REAL[arm.name]
        task = images.task
        if images.regime == "one-pass":
            count = steps * BATCH + scale.size + scale.validation + scale.test
            task = dict(task, options=dict(task["options"], n=count))
        cells.append(
            dict(
                _common(dict(CNN, strides=(2, 2, 2)), scale),
                task=task,
                steps=steps,
                regime=images.regime,
                schedule="constant",
                optimizer="adam",
                rate=0.01,
                arm=arm.name,
                checkpoints=(0, *(steps * tenths // 10 for tenths in TENTHS)),
            )
        )
    return cells


def strangers_of(trained: Sequence[Configuration]) -> list[Configuration]:
    """Configurations of `unrelated_kernels` beside those of `kernel_evolution`, one each."""
    return [
        dict(cell, arm=f"{cell['arm']}_strangers", checkpoints=cell["checkpoints"][2:])
        for cell in trained
    ]


ON_IMAGES = image_cells(FULL, steps=8_000)


def parts(measured: Measured, arm: str) -> np.ndarray:
    """The checkpoints of an arm as parts of its steps, (C,)."""
    (cell,) = measured.configurations(arm=arm)
    return np.array(cell["checkpoints"]) / cell["steps"]


def improvement(measured: Measured, arm: str) -> np.ndarray:
    """gamma of error ~ t^-gamma over the last 80 % of the steps, per seed, (R,)."""
    inside = parts(measured, arm) >= LATE
    return exponents(
        Curve(parts(measured, arm)[inside], measured("error", arm=arm)[:, inside])
    )


def movement(measured: Measured, arm: str, apart: np.ndarray) -> np.ndarray:
    """How much farther the end is from 20 % than from 80 % of the steps, over what is between
    initialisations, (R,).
    """
    times = parts(measured, arm)
    late, near_end = (int(np.argmin(abs(times - part))) for part in (LATE, NEAR_END))
    cka = measured("cka", arm=arm)
    return (cka[:, near_end, -1] - cka[:, late, -1]) / apart


def distance_apart(measured: Measured, arm: str) -> np.ndarray:
    """Mean 1 - CKA between the kernels of three independent initialisations, per seed, (R,)."""
    # three ones, and each of three pairs twice
    total = measured("cka", arm=arm).sum(axis=(1, 2))
    return 1 - (total - 3) / 6


def left(values: np.ndarray) -> np.ndarray:
    """The part of all change that is still to come at each time; values (R, C)."""
    return np.asarray((values - values[:, -1:]) / (values[:, :1] - values[:, -1:]))
