"""Learning curves out of measurements, and the exponents of one against those of another: E ~
n^-beta.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from claims.vyas2022.settings import INITIAL, Setting
from harness.errors import DatasetUnavailable
from harness.experiment import Experiment, Measurements, canonical
from harness.statistics import curve_gates
from harness.statistics.slopes import loglog_slopes


@dataclass(frozen=True)
class Curve:
    """What was measured at every size: sizes (K,), values (S, K) over seeds."""

    sizes: np.ndarray
    values: np.ndarray

    def at(self, sizes: np.ndarray) -> np.ndarray:
        """The values at some of the sizes, (S, sizes)."""
        return self.values[:, np.isin(self.sizes, sizes)]

    def since(self, smallest: int) -> "Curve":
        """The part from this size on."""
        used = self.sizes >= smallest
        return Curve(self.sizes[used], self.values[:, used])

    def largest(self) -> "Curve":
        """The part at the largest size alone."""
        return self.since(self.sizes[-1])

    def without(self, size: int) -> "Curve":
        """The curve without one of its sizes."""
        used = self.sizes != size
        return Curve(self.sizes[used], self.values[:, used])


@dataclass(frozen=True, eq=False)
class Variant:
    """A kernel after training, by its arm of `network_curves`, and how errors are measured.

    Args:
        name: in the names of hypotheses.
        label: in sentences.
        arm: of the configuration's `after`.
        metric: "error" (rate) or "loss" (squared).
    """

    name: str
    label: str
    arm: Mapping[str, Any]
    metric: str = "error"

    def __str__(self) -> str:
        return self.label


def curve(m: Measurements, experiment: Experiment, quantity: str) -> Curve:
    """A quantity over the sizes of all cells of an experiment, which are one curve, in rising
    order.
    """
    measured = m[experiment]
    cells = measured.configurations()
    sizes = np.concatenate([cell["sizes"] for cell in cells])
    return Curve(
        sizes,
        np.concatenate([measured.exactly(quantity, cell) for cell in cells], axis=1),
    )


def network_curve(m: Measurements, setting: Setting, metric: str = "loss") -> Curve:
    """Errors of the network of a setting; metric "loss" (squared) or "error" (rate)."""
    return curve(m, setting.networks, f"{setting.measures}_{metric}").since(
        setting.smallest
    )


def kernel_curve(
    m: Measurements, setting: Setting, kernel: str, metric: str = "loss"
) -> Curve:
    """Errors of one of the kernels of a setting."""
    return curve(m, setting.kernels[kernel], f"kernel_{metric}").since(setting.smallest)


def after_curve(
    m: Measurements,
    experiment: Experiment,
    arm: Mapping[str, Any],
    metric: str = "error",
) -> Curve:
    """Errors of the kernel that networks have after training, of one arm; see `network_curves`."""
    (cell,) = m[experiment].configurations()
    place = [canonical(one) for one in cell["after"]].index(canonical(arm))
    return Curve(
        np.array(cell["sizes"]),
        m[experiment].exactly(f"after_{metric}", cell)[:, place],
    )


def ratio(above: Curve, below: Curve) -> Curve:
    """above / below at the sizes that both have."""
    shared = np.intersect1d(above.sizes, below.sizes)
    with np.errstate(
        divide="ignore", invalid="ignore"
    ):  # the gate on errors of zero speaks of them
        return Curve(shared, above.at(shared) / below.at(shared))


def exponents(errors: Curve) -> np.ndarray:
    """beta of E ~ n^-beta per seed, (S,); NaN for seeds with an error that has no logarithm."""
    finite = (np.isfinite(errors.values) & (errors.values > 0)).all(axis=1)
    found = np.full(len(finite), np.nan)
    if finite.any():
        found[finite] = -loglog_slopes(errors.sizes, errors.values[finite])
    return found


def lead(steep: Curve, flat: Curve) -> np.ndarray:
    """Exponent of the first curve minus that of the second, per seed, at the sizes of both."""
    return exponents(ratio(steep, flat))


def gap(
    m: Measurements, setting: Setting, kernel: str, metric: str = "loss"
) -> np.ndarray:
    """Exponent of the network minus that of one of its kernels, per seed."""
    return lead(
        network_curve(m, setting, metric), kernel_curve(m, setting, kernel, metric)
    )


def last_ratio(above: Curve, below: Curve) -> np.ndarray:
    """above / below at the largest size that both have, per seed."""
    return ratio(above, below).values[:, -1]


def mean_ratio(above: Curve, below: Curve) -> np.ndarray:
    """The geometric mean of above / below over the sizes that both have, per seed."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.exp(np.log(ratio(above, below).values).mean(axis=1)))


def kernel_over_network(m: Measurements, setting: Setting) -> np.ndarray:
    """Error rate of the initial kernel over that of the network at the largest size, per seed."""
    return last_ratio(
        kernel_curve(m, setting, INITIAL, "error"), network_curve(m, setting, "error")
    )


def drift(m: Measurements, setting: Setting) -> Curve:
    """How far the kernel of the network moved in training, by size; of `curves_and_drift`."""
    return curve(m, setting.networks, "drift")


def width(m: Measurements, setting: Setting) -> int:
    """The width of a setting's network, at the tier that was measured."""
    return int(m[setting.networks].configurations()[0]["net"]["width"])


def failures(
    m: Measurements, setting: Setting, gate: Callable[..., str], tolerance: float
) -> str:
    """What a gate of `harness.statistics.curve_gates` says of the network's errors over those of
    each kernel.
    """
    failed = []
    for kernel in setting.kernels:
        over = ratio(network_curve(m, setting), kernel_curve(m, setting, kernel))
        said = (
            ""
            if without_logarithm([over])
            else gate(over.sizes, over.values, tolerance)
        )
        failed += [f"{kernel} kernel: {said}"] if said else []
    return "; ".join(failed)


def without_logarithm(curves: Sequence[Curve]) -> str:
    """ "" if every value is finite and above zero."""
    fine = all((np.isfinite(one.values) & (one.values > 0)).all() for one in curves)
    return "" if fine else "an error is zero or not finite"


@dataclass(frozen=True)
class Trained:
    """When the networks of a learning curve count as trained; see `curve_gates.untrained`.

    Args:
        loss: training loss, in units of the labels, with which any network is trained.
        gain: share of the validation loss that the last quarter of training may take off a network
            that learnt.
        spare: share of the networks of one size that may be neither.
    """

    loss: float
    gain: float
    spare: float

    def fails(
        self, m: Measurements, experiments: Mapping[str, Experiment], smallest: int = 0
    ) -> str:
        """Which of these learning curves, by label, have networks that are not trained; one without
        data is passed.
        """
        failed = []
        for label, experiment in experiments.items():
            try:
                loss = curve(m, experiment, "train_loss").since(smallest)
            except DatasetUnavailable:
                continue
            gain = curve(m, experiment, "gain").since(smallest)
            said = curve_gates.untrained(
                loss.sizes, loss.values, gain.values, self.loss, self.gain, self.spare
            )
            failed += [f"{label}: {said}"] if said else []
        return "; ".join(failed)
