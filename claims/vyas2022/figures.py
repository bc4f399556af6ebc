"""Figures of the claims on learning curves."""

from collections.abc import Mapping, Sequence

import numpy as np

from claims.vyas2022.exponents import (
    Curve,
    Trained,
    after_curve,
    exponents,
    gap,
    kernel_curve,
    network_curve,
    width,
)
from claims.vyas2022.settings import (
    INFINITE,
    INITIAL,
    SQUARED,
    Metric,
    Setting,
)
from harness import plots
from harness.errors import DatasetUnavailable, NotMeasured
from harness.experiment import Measurements
from harness.plots import Axes, Builder, Figure, Series
from harness.statistics.intervals import t_interval

SIZES = "training samples n"
NOTE = (
    "geometric means over seeds with 95 % t intervals. "
    "In brackets the exponent, its mean and interval."
)


def line(label: str, errors: Curve) -> Series:
    """A learning curve, its exponent and the 95 % t interval of that in the label."""
    beta = exponents(errors)
    low, high = t_interval(beta, 0.025)
    said = f"{label} ({beta.mean():.2f} [{low:.2f}, {high:.2f}])"
    per_size = list(errors.values.T)
    return Series.of(said, errors.sizes, per_size, log=True)


def setting_curves(
    title: str,
    settings: Sequence[Setting],
    metric: Metric = SQUARED,
    trained: Trained | None = None,
) -> Builder:
    """Learning curves of the networks of settings and of all their kernels, those that they share
    once; settings whose images are not there are left out. With `trained` the note says which
    networks are not.
    """

    def build(m: Measurements) -> Figure:
        there = [setting for setting in settings if _is_there(m, setting)]
        if not there:
            raise DatasetUnavailable(f"No images of {title!r} are there.")
        series = []
        seen = set()
        for setting in there:
            errors = network_curve(m, setting, metric)
            series.append(line(f"{setting}: network", errors))
            for name, experiment in setting.kernels.items():
                if id(experiment) in seen:
                    continue
                seen.add(id(experiment))
                errors = kernel_curve(m, setting, name, metric)
                series.append(line(f"{setting}: {name} kernel", errors))
        said = trained.fails(m, there) if trained else ""
        axes = Axes(SIZES, f"test {metric}", log_x=True, log_y=True)
        return plots.figure(title, axes, series, f"{m.backend}, {NOTE} {said}".strip())

    return build


def after_curves(
    title: str,
    setting: Setting,
    arms: Mapping[str, int | str],
    metric: Metric,
    trained: Trained | None = None,
) -> Builder:
    """Learning curves of networks, and of the kernels that they have after training, by label. With
    `trained` the note says which networks are not.
    """

    def build(m: Measurements) -> Figure:
        series = [line("network", network_curve(m, setting, metric))]
        for label, arm in arms.items():
            series.append(line(label, after_curve(m, setting, arm, metric)))
        said = trained.fails(m, [setting]) if trained else ""
        axes = Axes(SIZES, f"test {metric}", log_x=True, log_y=True)
        return plots.figure(title, axes, series, f"{m.backend}, {NOTE} {said}".strip())

    return build


def _is_there(m: Measurements, setting: Setting) -> bool:
    try:
        network_curve(m, setting)
        return True
    except (DatasetUnavailable, NotMeasured):
        return False


def gaps(
    settings: Sequence[Setting],
    kernels: Sequence[str],
    metrics: Sequence[Metric],
    margin: float,
) -> Builder:
    """Exponent of the network minus that of its kernels, setting by setting; those that are not
    there are left out.
    """
    axes = Axes("setting", "difference of exponents", reference=margin)

    def build(m: Measurements) -> Figure:
        there = [setting for setting in settings if _is_there(m, setting)]
        series = []
        for name in kernels:
            beside = [setting for setting in there if name in setting.kernels]
            labels = np.array([setting.label for setting in beside])
            for metric in metrics:
                values = [gap(m, setting, name, metric) for setting in beside]
                series.append(Series.of(f"{name} kernel, {metric}", labels, values))
        note = f"{m.backend}, means over seeds with 95 % t intervals. The line: the margin."
        title = "Exponent of the network minus that of its kernel"
        return plots.figure(title, axes, series, note)

    return build


def against_width(
    settings: Sequence[Setting],
    metric: Metric,
    margin: float,
) -> Builder:
    """The gaps to both kernels against the width of the network."""
    axes = Axes(
        "hidden units a layer", "difference of exponents", log_x=True, reference=margin
    )
    kernels = {"initial kernel": INITIAL, "kernel at infinite width": INFINITE}

    def build(m: Measurements) -> Figure:
        widths = [width(m, setting) for setting in settings]
        series = []
        for label, kernel in kernels.items():
            values = [gap(m, setting, kernel, metric) for setting in settings]
            series.append(Series.of(label, widths, values))
        title = "Exponent of the network minus that of its kernel"
        note = f"{m.backend}, means over seeds with 95 % t intervals."
        return plots.figure(title, axes, series, note)

    return build
