"""Learning curves out of measurements, and the exponents of one against those of another: E ~
n^-beta.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from claims.vyas2022.settings import SQUARED, Metric, Setting
from harness.errors import DatasetUnavailable
from harness.experiment import Configuration, Experiment, Measurements
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

    def without(self, size: int) -> "Curve":
        """The curve without one of its sizes."""
        used = self.sizes != size
        return Curve(self.sizes[used], self.values[:, used])


def curve(m: Measurements, experiment: Experiment, quantity: str) -> Curve:
    """A quantity over the sizes of all cells of an experiment, which are one curve, in rising
    order.
    """
    measured = m[experiment]
    cells = measured.configurations()
    sizes = np.concatenate([cell["sizes"] for cell in cells])
    values = [measured.exactly(quantity, cell) for cell in cells]
    return Curve(sizes, np.concatenate(values, axis=1))


def network_curve(m: Measurements, setting: Setting, metric: Metric = SQUARED) -> Curve:
    """Errors of the network of a setting."""
    return curve(m, setting.networks, f"network_{metric.quantity}")


def kernel_curve(
    m: Measurements, setting: Setting, kernel: str, metric: Metric = SQUARED
) -> Curve:
    """Errors of one of a setting's kernels."""
    return curve(m, setting.kernels[kernel], f"kernel_{metric.quantity}")


def after_curve(
    m: Measurements,
    setting: Setting,
    arm: int | str,
    metric: Metric = SQUARED,
) -> Curve:
    """Errors of the kernel that networks have after training, of one arm; see `network_curves`."""
    measured = m[setting.networks]
    (cell,) = measured.configurations()
    errors = measured.exactly(f"after_{metric.quantity}", cell)
    place = list(cell["after"]).index(arm)
    return Curve(np.array(cell["sizes"]), errors[:, place])


def ratio(above: Curve, below: Curve) -> Curve:
    """above / below at the sizes that both have."""
    shared = np.intersect1d(above.sizes, below.sizes)
    # The gate on errors of zero speaks of them.
    with np.errstate(divide="ignore", invalid="ignore"):
        return Curve(shared, above.at(shared) / below.at(shared))


def exponents(errors: Curve) -> np.ndarray:
    """beta of E ~ n^-beta per seed, (S,); NaN for seeds with an error that has no logarithm."""
    positive = np.isfinite(errors.values) & (errors.values > 0)
    finite = positive.all(axis=1)
    found = np.full(len(finite), np.nan)
    if finite.any():
        found[finite] = -loglog_slopes(errors.sizes, errors.values[finite])
    return found


def lead(steep: Curve, flat: Curve) -> np.ndarray:
    """Exponent of the first curve minus that of the second, per seed, at the sizes of both."""
    return exponents(ratio(steep, flat))


def gap(
    m: Measurements, setting: Setting, kernel: str, metric: Metric = SQUARED
) -> np.ndarray:
    """Exponent of the network minus that of one of its kernels, per seed."""
    network = network_curve(m, setting, metric)
    return lead(network, kernel_curve(m, setting, kernel, metric))


def gap_to_after(
    m: Measurements,
    setting: Setting,
    arm: int | str,
    metric: Metric = SQUARED,
) -> np.ndarray:
    """Exponent of the network minus that of the kernel after training, of one arm, per seed."""
    network = network_curve(m, setting, metric)
    return lead(network, after_curve(m, setting, arm, metric))


def after_over_network(
    m: Measurements,
    setting: Setting,
    arm: int | str,
    metric: Metric = SQUARED,
) -> np.ndarray:
    """Error of the kernel after training over the network's, at the largest size, per seed."""
    network = network_curve(m, setting, metric)
    return last_ratio(after_curve(m, setting, arm, metric), network)


def last_ratio(above: Curve, below: Curve) -> np.ndarray:
    """above / below at the largest size that both have, per seed."""
    return ratio(above, below).values[:, -1]


def width(m: Measurements, setting: Setting) -> int:
    """The width of a setting's network, at the tier that was measured."""
    return int(m[setting.networks].configurations()[0]["net"]["width"])


def slope_of_gap(
    m: Measurements,
    settings: Sequence[Setting],
    kernel: str,
    metric: Metric = SQUARED,
) -> np.ndarray:
    """How much the gap to a kernel grows when the width grows by a factor of e, per seed."""
    gaps = [gap(m, setting, kernel, metric) for setting in settings]
    widths = [width(m, setting) for setting in settings]
    # the slope of the gap itself, (widths, seeds), on ln width
    exponentials = np.exp(gaps)
    return loglog_slopes(widths, exponentials.T)


def carried_by_one_size(steep: Curve, flat: Curve, margin: float) -> str:
    """ "" if without any one size the mean difference of exponents still exceeds the margin; else
    without which it does not.
    """
    for size in np.intersect1d(steep.sizes, flat.sizes):
        mean = lead(steep.without(size), flat).mean()
        if not mean > margin:
            return f"without size {size} the mean difference of exponents is {mean:.3g}"
    return ""


def gap_of_one_size(
    m: Measurements, cases: Sequence[Configuration], margin: float
) -> str:
    """The first of the gaps, each told by its setting, kernel and metric, that one size carries."""
    for case in cases:
        setting, kernel, metric = case.values()
        network = network_curve(m, setting, metric)
        beside = kernel_curve(m, setting, kernel, metric)
        said = carried_by_one_size(network, beside, margin)
        if said:
            return f"{setting}, {kernel} kernel, {metric}: {said}"
    return ""


def floor_of_networks(
    m: Measurements, settings: Sequence[Setting], tolerance: float
) -> str:
    """What `curve_gates.floor` says of the squared error of each setting's network."""
    failed = []
    for setting in settings:
        errors = network_curve(m, setting)
        said = without_logarithm([errors])
        said = said or curve_gates.floor(errors.sizes, errors.values, tolerance)
        failed += [f"{setting}: {said}"] if said else []
    return "; ".join(failed)


def without_logarithm(curves: Sequence[Curve]) -> str:
    """ "" if every value is finite and above zero."""
    for one in curves:
        positive = np.isfinite(one.values) & (one.values > 0)
        if not positive.all():
            return "an error is zero or not finite"
    return ""


def lacks_logarithm(
    m: Measurements, settings: Sequence[Setting], metric: Metric
) -> str:
    """ "" if every error of these networks and of their kernels is finite and positive."""
    curves = [network_curve(m, setting, metric) for setting in settings]
    for setting in settings:
        curves += [kernel_curve(m, setting, name, metric) for name in setting.kernels]
    return without_logarithm(curves)


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
        self,
        m: Measurements,
        settings: Sequence[Setting],
    ) -> str:
        """Which of these learning curves have networks that are not trained; one without data is
        passed.
        """
        failed = []
        for setting in settings:
            try:
                loss = curve(m, setting.networks, "train_loss")
            except DatasetUnavailable:
                continue
            gain = curve(m, setting.networks, "gain")
            said = curve_gates.untrained(
                loss.sizes, loss.values, gain.values, self.loss, self.gain, self.spare
            )
            failed += [f"{setting.label}: {said}"] if said else []
        return "; ".join(failed)
