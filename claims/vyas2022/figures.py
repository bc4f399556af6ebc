"""Figures of the claims on learning curves."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from claims.vyas2022.exponents import (
    Curve,
    Trained,
    after_curve,
    curve,
    exponents,
    gap,
    kernel_curve,
    network_curve,
    ratio,
    width,
)
from claims.vyas2022.settings import INITIAL, Setting
from harness import plots
from harness.errors import DatasetUnavailable, NotMeasured
from harness.experiment import Experiment, Measurements
from harness.plots import Axes, Builder, Figure, Series
from harness.statistics.intervals import t_interval

ERRORS = {"error": "test error rate", "loss": "squared test error"}
METRICS = {"error": "error rate", "loss": "squared error"}
SIZES = "training samples n"
NOTE = (
    "geometric means over seeds with 95 % t intervals. "
    "In brackets the exponent, its mean and interval."
)

Of = Callable[[Measurements], Curve]
"""A learning curve out of the measurements."""


def line(label: str, errors: Curve) -> Series:
    """A learning curve, its exponent and the 95 % t interval of that in the label."""
    beta = exponents(errors)
    low, high = t_interval(beta, 0.025)
    told = f"{label} ({beta.mean():.2f} [{low:.2f}, {high:.2f}])"
    return Series.of(told, errors.sizes, list(errors.values.T), log=True)


def network(setting: Setting, metric: str = "loss") -> Of:
    """The learning curve of a setting's network."""
    return lambda m: network_curve(m, setting, metric)


def kernel(setting: Setting, name: str, metric: str = "loss") -> Of:
    """The learning curve of one of a setting's kernels."""
    return lambda m: kernel_curve(m, setting, name, metric)


def measured(experiment: Experiment, quantity: str, smallest: int = 0) -> Of:
    """A quantity of an experiment by size."""
    return lambda m: curve(m, experiment, quantity).since(smallest)


def after(experiment: Experiment, arm: Mapping[str, Any], metric: str = "error") -> Of:
    """The learning curve of the kernel that networks have after training, of one arm."""
    return lambda m: after_curve(m, experiment, arm, metric)


def after_lines(
    experiment: Experiment,
    arms: Mapping[str, Mapping[str, Any]],
    metric: str = "error",
    who: str = "",
) -> dict[str, Of]:
    """The learning curves of networks, and of the kernels that they have after training, by label;
    `who` they are.
    """
    lines = {f"{who} network".strip(): measured(experiment, f"network_{metric}")}
    for label, arm in arms.items():
        lines[f"{who} {label}".strip()] = after(experiment, arm, metric)
    return lines


def nothing(m: Measurements) -> str:
    """No note."""
    return ""


def curves(
    title: str,
    lines: Mapping[str, Of],
    metric: str = "loss",
    note: Callable[[Measurements], str] = nothing,
) -> Builder:
    """Learning curves, by label, with a note."""
    axes = Axes(SIZES, ERRORS[metric], log_x=True, log_y=True)

    def build(m: Measurements) -> Figure:
        series = [line(label, of(m)) for label, of in lines.items()]
        return plots.figure(
            title, axes, series, f"{m.backend}, {NOTE} {note(m)}".strip()
        )

    return build


def setting_curves(
    title: str,
    settings: Sequence[Setting],
    more: Mapping[str, Of] | None = None,
    metric: str = "loss",
) -> Builder:
    """Learning curves of the networks of settings and of all their kernels, those that they share
    once.
    """
    lines = {}
    seen = set()
    for setting in settings:
        lines[setting.label] = network(setting, metric)
        for name, experiment in setting.kernels.items():
            if id(experiment) not in seen:
                lines[f"{setting.label}: {name} kernel"] = kernel(setting, name, metric)
            seen.add(id(experiment))
    return curves(title, lines | dict(more or {}), metric)


def image_curves(
    title: str, settings: Sequence[Setting], metric: str, trained: Trained
) -> Builder:
    """Learning curves on the images that are there, of networks and initial kernels; it says which
    are untrained.
    """
    axes = Axes(SIZES, ERRORS[metric], log_x=True, log_y=True)

    def build(m: Measurements) -> Figure:
        there = [setting for setting in settings if _is_there(m, setting)]
        if not there:
            raise DatasetUnavailable(f"No images of {title!r} are there.")
        series = [
            line(setting.label, network_curve(m, setting, metric)) for setting in there
        ]
        kernels = {
            id(experiment): setting
            for setting in there
            for experiment in setting.kernels.values()
        }
        for (
            setting
        ) in kernels.values():  # a kernel that settings share stands there once
            label = f"initial kernel, {setting.label}"
            series.append(line(label, kernel_curve(m, setting, INITIAL, metric)))
        untrained = trained.fails(
            m, {setting.label: setting.networks for setting in there}
        )
        return plots.figure(
            title, axes, series, f"{m.backend}, {NOTE} {untrained}".strip()
        )

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
    metrics: Sequence[str],
    margin: float,
) -> Builder:
    """Exponent of the network minus that of its kernels, setting by setting; those that are not
    there are left out.
    """
    axes = Axes("setting", "difference of exponents", reference=margin)

    def build(m: Measurements) -> Figure:
        series = []
        for name in kernels:
            there = [
                setting
                for setting in settings
                if name in setting.kernels and _is_there(m, setting)
            ]
            labels = np.array([setting.label for setting in there])
            for metric in metrics:
                values = [gap(m, setting, name, metric) for setting in there]
                series.append(
                    Series.of(f"{name} kernel, {METRICS[metric]}", labels, values)
                )
        note = f"{m.backend}, means over seeds with 95 % t intervals. The line: the margin."
        return plots.figure(
            "Exponent of the network minus that of its kernel", axes, series, note
        )

    return build


@dataclass(frozen=True)
class Widths:
    """A line over width: in which settings, and what per seed."""

    settings: Sequence[Setting]
    values: Callable[[Measurements, Setting], np.ndarray]


def over_width(label: str, log_y: bool = False, reference: float | None = None) -> Axes:
    """The axes of a figure over width."""
    return Axes("channels", label, log_x=True, log_y=log_y, reference=reference)


def against_width(title: str, axes: Axes, lines: Mapping[str, Widths]) -> Builder:
    """Something against the number of channels, by label."""

    def build(m: Measurements) -> Figure:
        series = []
        for label, line in lines.items():
            widths = [width(m, setting) for setting in line.settings]
            values = [line.values(m, setting) for setting in line.settings]
            series.append(Series.of(label, widths, values, log=axes.log_y))
        return plots.figure(
            title, axes, series, f"{m.backend}, means over seeds with 95 % t intervals."
        )

    return build


def ratios(title: str, lines: Mapping[str, Of], below: Of) -> Builder:
    """Learning curves over another one, by label."""
    axes = Axes(
        SIZES, "ratio of test error rates", log_x=True, log_y=True, reference=1.0
    )

    def build(m: Measurements) -> Figure:
        series = []
        for label, above in lines.items():
            over = ratio(above(m), below(m))
            series.append(Series.of(label, over.sizes, list(over.values.T), log=True))
        return plots.figure(
            title,
            axes,
            series,
            f"{m.backend}, geometric means over seeds with 95 % t intervals.",
        )

    return build
