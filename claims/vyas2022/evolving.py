"""Kernels in the course of training: configurations by arm, and what the claim reads off them."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from claims.vyas2022.evolution import kernel_evolution, told_kernel, unrelated_kernels
from claims.vyas2022.exponents import Curve, exponents
from claims.vyas2022.recipes import MOVED, SOME_DIGITS
from claims.vyas2022.settings import CNN, TWO_LAYERS
from harness import gates
from harness.claim import Claim
from harness.experiment import Configuration, Experiment, Measured, Measurements

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
        early = (0, few, self.steps // 10)
        return (*early, *self.late[:-1], self.steps - few, self.steps)

    @property
    def one_pass(self) -> int:
        """Samples that one pass takes, with those that are regressed on, validation and test."""
        return self.steps * BATCH + self.size + self.validation + self.test


QUICK = Scale(cnn=16, mlp=64, steps=1_000, size=384, validation=200, test=400)
FULL = Scale(cnn=64, mlp=512, steps=30_000, size=2_048, validation=1_000, test=4_000)
OF_IMAGES = replace(FULL, steps=8_000)

LAZY_CNN = dict(CNN, label_scale=0.01, centred=True)
DEEPER = dict(TWO_LAYERS, depth=2)


@dataclass(frozen=True, eq=False)
class Arm:
    """A network and its training.

    Args:
        name: of the arm in configurations and hypotheses.
        label: in sentences.
        net: its width is that of the scale.
        changes: what differs from one pass over fresh 1-D digits by Adam at a constant rate.
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


def _on_images(
    name: str,
    label: str,
    positive: tuple[int, ...],
    regime: str,
    **options: str | int,
) -> Arm:
    """On a data set that has to be fetched, the classes `positive` against the others."""
    task = dict(
        name="images", dataset=name, options=options, positive=positive, shrink=1
    )
    return Arm(
        name,
        f"{label}, {regime}",
        dict(CNN, strides=(2, 2, 2)),
        dict(task=task, regime=regime),
        strangers=f"{name}_strangers",
    )


IMAGES = (
    _on_images("mnist", "MNIST", SOME_DIGITS, "fixed", part="train"),
    _on_images("svhn", "SVHN", SOME_DIGITS, "fixed", part="train"),
    _on_images("cifar10", "CIFAR-10", MOVED, "fixed", part="train"),
    _on_images(
        "cifar5m", "CIFAR-5m", MOVED, "one-pass", part="part0", n=OF_IMAGES.one_pass
    ),
)


@dataclass(frozen=True, eq=False)
class Kernels:
    """Experiments on kernels in the course of training.

    Args:
        trained: of `kernel_evolution`.
        independent: of `unrelated_kernels`.
        informed: of `told_kernel`, where there is one.
    """

    trained: Experiment
    independent: Experiment
    informed: Experiment | None = None

    def of(self, m: Measurements, arm: Arm) -> Measured:
        """What was measured in the experiment to which an arm belongs."""
        if arm is TOLD and self.informed is not None:
            return m[self.informed]
        return m[self.independent if arm is STRANGERS else self.trained]


def add_digits(claim: Claim) -> Kernels:
    """Adds all arms on 1-D digits, and the kernels beside them, at both tiers."""
    trained = claim.experiment(
        kernel_evolution, _trained(QUICK), full=_trained(FULL), block=2
    )
    independent = claim.experiment(
        unrelated_kernels, _independent(QUICK), full=_independent(FULL), block=2
    )
    informed = claim.experiment(
        told_kernel, [_informed(QUICK)], full=[_informed(FULL)], block=2
    )
    return Kernels(trained, independent, informed)


def _trained(scale: Scale) -> list[Configuration]:
    return [arm.cell(scale) for arm in ARMS]


def _informed(scale: Scale) -> Configuration:
    return dict(_common(CNN, scale), arm=TOLD.name, checkpoints=(0, *scale.late))


def _independent(scale: Scale) -> list[Configuration]:
    """The kernels of three initialisations stand in place of the kernel at three times."""
    early, _, near_end, end = scale.late
    checkpoints = early, near_end, end
    return [
        dict(_common(arm.net, scale), arm=arm.strangers, checkpoints=checkpoints)
        for arm in (ONE_PASS, MLP)
    ]


def add_images(claim: Claim) -> Kernels:
    """Adds the arms on images, and independent initialisations beside them, at the full tier."""
    cells = [arm.cell(OF_IMAGES) for arm in IMAGES]
    beside = [
        dict(cell, arm=arm.strangers, checkpoints=cell["checkpoints"][2:])
        for arm, cell in zip(IMAGES, cells, strict=True)
    ]
    return Kernels(
        claim.experiment(kernel_evolution, (), full=cells, block=2),
        claim.experiment(unrelated_kernels, (), full=beside, block=2),
    )


def parts(measured: Measured, arm: Arm) -> np.ndarray:
    """The checkpoints of an arm as parts of its steps, (C,)."""
    (cell,) = measured.configurations(arm=arm.name)
    return np.array(cell["checkpoints"]) / cell["steps"]


def improvement(
    m: Measurements,
    kernels: Kernels,
    arm: Arm,
) -> np.ndarray:
    """gamma of error ~ t^-gamma over the last 80 % of the steps, per seed, (R,)."""
    measured = kernels.of(m, arm)
    times = parts(measured, arm)
    late = times >= LATE
    errors = measured("error", arm=arm.name)[:, late]
    return exponents(Curve(times[late], errors))


def movement(
    m: Measurements,
    kernels: Kernels,
    arm: Arm,
) -> np.ndarray:
    """How much farther the end is from 20 % than from 80 % of the steps, over what is between
    initialisations, (R,).
    """
    measured = kernels.of(m, arm)
    times = parts(measured, arm)
    to_end = measured("cka", arm=arm.name)[:, :, -1]  # (R, C)
    after_late = to_end[:, nearest(times, LATE)]
    after_near_end = to_end[:, nearest(times, NEAR_END)]
    return (after_near_end - after_late) / _apart(m, kernels, arm)


def nearest(times: np.ndarray, part: float) -> int:
    """The number of the checkpoint nearest to a part of the steps."""
    return int(np.argmin(abs(times - part)))


def _apart(
    m: Measurements,
    kernels: Kernels,
    arm: Arm,
) -> np.ndarray:
    """Mean 1 - CKA between the kernels of three independent initialisations, per seed, (R,)."""
    cka = m[kernels.independent]("cka", arm=arm.strangers)  # (R, 3, 3)
    total = cka.sum(axis=(1, 2))  # three ones, and each of three pairs twice
    return np.asarray(1 - (total - 3) / 6)


def not_positive(m: Measurements, kernels: Kernels) -> str:
    """ "" if every CKA, and every error of a kernel, is finite and positive."""
    experiments = [kernels.trained, kernels.informed]
    measured = [experiment for experiment in experiments if experiment is not None]
    wrong = gates.positive(m, ["cka", "error"], *measured)
    return wrong or gates.positive(m, ["cka"], kernels.independent)


def unfitted(
    m: Measurements,
    kernels: Kernels,
    arm: Arm,
    most: float,
) -> str:
    """ "" if every network of an arm ends with at most `most` of its training samples wrong."""
    errors = m[kernels.trained]("train_error", arm=arm.name)
    failed = int((errors > most).sum())
    return (
        f"{failed} of {errors.size} networks, {arm}, end with more than {100 * most:g} % of their "
        "samples wrong; allowed: 0"
        if failed
        else ""
    )


def unlearnt(
    m: Measurements,
    kernels: Kernels,
    limits: Sequence[tuple[Arm, float]],
) -> str:
    """ "" if the test error of every network ends at the limit of its arm or below."""
    weak = []
    for arm, most in limits:
        errors = m[kernels.trained]("network_error", arm=arm.name)
        last = errors[:, -1].max()
        if last > most:
            weak.append(f"{arm}: {last:.3g}, allowed: {most:g}")
    return f"largest test error at the end: {'; '.join(weak)}" if weak else ""
