"""Figures of the claims on networks and their kernels."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from claims.liu2025.added_layer import Errors, of_layer
from claims.liu2025.comparison import RIDGELESS, Kernels
from claims.liu2025.distances import distances_over
from claims.liu2025.settings import LEARNT, NARROW, OTHERS, WAVE, Target, usual
from claims.liu2025.theorem import Runs
from harness import plots
from harness.errors import NotMeasured
from harness.experiment import Configuration, Experiment, Measurements
from harness.plots import Axes, Builder, Figure, Series

ERROR = "E, over the target's variance"
NOTE = "mean over seeds with 95 % intervals."
GEOMETRIC = "geometric mean over seeds with 95 % intervals."
DISTANCE = "distance, over the target's deviation"
OF_DISTANCES = (
    "sin(2.5 u.x), geometric mean over 1 and 2 layers; {}, "
    + GEOMETRIC
    + " The line is the margin."
)
KERNELS = {
    "ntk": "NTK",
    "nngp": "NNGP",
    "laplace": "Laplace",
    "matern_32": "Matern 3/2",
    "matern_52": "Matern 5/2",
    "rbf": "RBF",
    "linear": "linear",
}
"""Names of kernels by the quantity of their errors."""

FACTORS = {
    "depth": "hidden layers",
    "samples": "training samples",
    "inputs": "inputs",
    "noise": "noise deviation",
}
"""What varies among the problems of `network_kernels`, by the key of configurations."""

Value = Callable[[Measurements, Configuration], np.ndarray]
"""Something of one configuration, per seed."""
KernelError = Callable[[Measurements, str, Target], np.ndarray]
"""E of a kernel, a key of KERNELS, on a target, per seed."""


def over_depth(setting: str, network: Errors, kernel: Errors) -> Builder:
    """Errors of networks and of their NTKs over depth, on the targets that the NTK learns."""
    axes = Axes("hidden layers", ERROR, log_y=True)

    def build(m: Measurements) -> Figure:
        series = []
        for target in LEARNT:
            for name, errors in (("network", network), ("NTK", kernel)):
                depths = errors.depths(m, target)
                values = [errors.at(m, target, depth) for depth in depths]
                label = f"{target}, {name}"
                drawn = Series.of(label, depths, values, log=True)
                series.append(drawn)
        title = f"Errors against depth, {setting}"
        return plots.figure(title, axes, series, f"{m.backend}, {GEOMETRIC}")

    return build


def mismatches(network: Errors, kernel: Errors) -> Builder:
    """D / E of one layer more, by target and the layer that is added."""
    axes = Axes("target", "D / E", reference=0.0)

    def build(m: Measurements) -> Figure:
        series = []
        for depth in network.depths(m, LEARNT[0])[:-1]:
            targets = [
                target for target in LEARNT if depth + 1 in network.depths(m, target)
            ]
            values = [of_layer(m, network, kernel, target, depth) for target in targets]
            label = f"from {depth} to {depth + 1} layers"
            names = np.array([str(target) for target in targets])
            series.append(Series.of(label, names, values))
        note = f"Below 0 the NTK's error grows more than the network's. {m.backend}, {NOTE}"
        return plots.figure("Mismatch by target", axes, series, note)

    return build


def over_width(kernels: Experiment, networks: Experiment, reference: float) -> Builder:
    """Distances of predictors over width on the wave: of kernels that are not trained, and of
    trained networks.
    """
    axes = Axes("width", DISTANCE, log_x=True, log_y=True, reference=reference)
    untrained = {"eNTK to NTK": "own_to_limit", "NNGP to NTK": "nngp_to_limit"}
    trained = {
        "network to NTK": "net_to_limit",
        "network to its own eNTK": "net_to_own",
    }

    def build(m: Measurements) -> Figure:
        widths = m[kernels].axis("width")
        series = []
        for label, quantity in untrained.items():
            values = distances_over(m, kernels, quantity, dict(width=widths))
            drawn = Series.of(label, widths, values, log=True)
            series.append(drawn)
        series.append(_root_of_width(series[0]))
        widths = m[networks].axis("width", label_scale=1.0)
        for label, quantity in trained.items():
            values = distances_over(
                m, networks, quantity, dict(width=widths), label_scale=1.0
            )
            drawn = Series.of(label, widths, values, log=True)
            series.append(drawn)
        return plots.figure(
            "Distance of predictors against width",
            axes,
            series,
            OF_DISTANCES.format(m.backend),
        )

    return build


def _root_of_width(line: Series) -> Series:
    """The line from the first point of another with slope -1/2."""
    widths = np.array(line.x, dtype=float)
    y = line.y[0] * (widths / widths[0]) ** -0.5
    return Series("slope -1/2", tuple(widths.tolist()), tuple(y.tolist()))


def over_label_scale(networks: Experiment, width: int, reference: float) -> Builder:
    """Distances of networks of one width to both kernels' predictors over the scale of their
    labels.
    """
    axes = Axes("label scale", DISTANCE, log_x=True, log_y=True, reference=reference)
    lines = {"network to its own eNTK": "net_to_own", "network to NTK": "net_to_limit"}

    def build(m: Measurements) -> Figure:
        scales = m[networks].axis("label_scale", width=width)
        series = []
        for label, quantity in lines.items():
            values = distances_over(
                m, networks, quantity, dict(label_scale=scales), width=width
            )
            drawn = Series.of(label, scales, values, log=True)
            series.append(drawn)
        note = f"Width {width}. {OF_DISTANCES.format(m.backend)}"
        return plots.figure("Distance against label scale", axes, series, note)

    return build


def of_equivalence(runs: Runs, reference: float) -> list[Builder]:
    """Distances over width and over the scale of labels, and the errors of kernels that know no
    network.
    """
    return [
        over_width(runs.untrained, runs.wave, reference),
        over_label_scale(runs.wave, NARROW, reference),
        rivals(runs.stationary, (WAVE, *OTHERS)),
    ]


def rivals(stationary: Experiment, targets: Sequence[Target]) -> Builder:
    """E of the NTK and of kernels that know no network, tuned on every target."""

    def error(
        m: Measurements,
        kernel: str,
        target: Target,
    ) -> np.ndarray:
        return m[stationary](kernel, target=target.name)

    kernels = ("ntk", "laplace", "matern_32", "matern_52", "rbf")
    return kernel_errors("Errors of kernels", kernels, targets, error)


def kernel_errors(
    title: str,
    kernels: Sequence[str],
    targets: Sequence[Target],
    error: KernelError,
) -> Builder:
    """E of kernels on every target, tuned."""
    axes = Axes("kernel", ERROR, log_y=True)

    def build(m: Measurements) -> Figure:
        series = []
        for target in targets:
            values = [error(m, kernel, target) for kernel in kernels]
            series.append(
                Series.of(
                    str(target),
                    np.array([KERNELS[kernel] for kernel in kernels]),
                    values,
                    log=True,
                )
            )
        return plots.figure(
            title,
            axes,
            series,
            f"Ridge and length scale are tuned. {m.backend}, {GEOMETRIC}",
        )

    return build


@dataclass(frozen=True)
class Compared:
    """What is compared on every target: its name on the axis, its value, and either a band of 10 %
    or a line.
    """

    name: str
    value: Value
    margin: float | None = None


def varied(
    experiment: Experiment, targets: Sequence[Target], factor: str, compared: Compared
) -> Builder:
    """A comparison per target against one factor, the others as the claim has them; left out where
    it has one value.
    """
    log_x = factor == "samples"
    axes = Axes(FACTORS[factor], compared.name, log_x=log_x, reference=compared.margin)

    def build(m: Measurements) -> Figure:
        series = []
        for target in targets:
            fixed = usual(target)
            del fixed[factor]
            places = m[experiment].axis(factor, **fixed)
            if len(places) > 1:
                values = [
                    compared.value(m, {**fixed, factor: place}) for place in places
                ]
                drawn = Series.of(str(target), places, values, log=True)
                series.append(drawn)
        if not series:
            raise NotMeasured(f"There is one value of {factor!r} at this tier.")
        if compared.margin is None:
            series.append(_within_a_tenth(series))
        note = f"{m.backend}, {GEOMETRIC}"
        return plots.figure(f"{compared.name} against {axes.x}", axes, series, note)

    return build


def _within_a_tenth(series: Sequence[Series]) -> Series:
    """A band around 1."""
    x = tuple(sorted({float(place) for line in series for place in line.x}))
    middle, low, high = ((place,) * len(x) for place in (1.0, 1 / 1.1, 1.1))
    return Series("within 10 %", x, middle, low, high)


def of_kernels(
    kernels: Kernels,
    targets: Sequence[Target],
) -> list[Builder]:
    """The figures of a comparison: NNGP against NTK over every factor, and the errors of all."""
    networks = kernels.networks
    ratio = Compared("E_NNGP / E_NTK", kernels.ratio)
    bare = Compared(
        "E_NNGP / E_NTK, ridgeless", partial(kernels.ratio, ridge=RIDGELESS)
    )
    apart = Compared("RMS of f_NNGP - f_NTK", kernels.apart, margin=0.1)
    return [
        *(varied(networks, targets, factor, ratio) for factor in FACTORS),
        varied(networks, targets, "depth", bare),
        varied(networks, targets, "depth", apart),
        kernel_errors("Errors of all kernels", list(KERNELS), targets, kernels.error),
    ]
