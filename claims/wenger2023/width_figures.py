"""Figures against width: of kernels, and of natural gradient descent."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from claims.wenger2023.kernel_regime import ORDERS
from claims.wenger2023.natural_gradient import ETA
from claims.wenger2023.widths import geometric_mean, ladder, reaching, root_mean_square
from harness import plots
from harness.experiment import Experiment, Measurements
from harness.plots import Axes, Builder, Figure, Series

OVER = "width / depth"
FAMILIES = (
    "two layers, synthetic",
    "MLP, 3 layers",
    "MLP, 16 layers",
    "CNN",
    "CNN, global pooling",
)
"""Networks that natural gradient descent trains at several widths."""
Quantity = tuple[Experiment, str]


def against_width_over_depth(
    title: str,
    label: str,
    shown: Mapping[str, Quantity],
    tolerance: float,
) -> Builder:
    """A relative error against width / depth, one line per depth of each experiment; the line is at
    the tolerance.
    """

    def build(m: Measurements) -> Figure:
        series = []
        for suffix, (experiment, quantity) in shown.items():
            for depth in m[experiment].axis("depth"):
                widths, values = ladder(m[experiment], quantity, depth=depth)
                name = f"{depth} hidden layer{'s' if depth > 1 else ''}{suffix}"
                means = [geometric_mean(of_width) for of_width in values]
                places = np.round(np.array(widths) / depth, 1)
                drawn = Series.of(name, places, means, log=True)
                series.append(drawn)
        axes = Axes(OVER, label, log_x=True, log_y=True, reference=tolerance)
        note = (
            f"{m.backend}, geometric mean over seeds; the line is at {tolerance:.0%}."
        )
        return plots.figure(title, axes, series, note)

    return build


def from_limit(
    shown: Mapping[str, Quantity],
    tolerance: float,
) -> Builder:
    """The kernel error at initialisation against width / depth."""
    title = "Distance to the infinite-width kernel at initialisation"
    return against_width_over_depth(title, "kernel error", shown, tolerance)


def changes(
    shown: Mapping[str, Quantity],
    tolerance: float,
) -> Builder:
    """The kernel's change in training against width / depth."""
    title = "Kernel change in training to loss 0.05"
    return against_width_over_depth(title, "relative kernel change", shown, tolerance)


def of_regime(
    at_init: Experiment,
    training: Experiment,
    mean_field: Experiment,
    linear: Experiment,
    tolerance: float,
) -> list[Builder]:
    """The kernel's error at initialisation, its change in training, the error of a linear net, and
    the width that the tolerance needs.
    """
    init, change = (at_init, "kernel_error"), (training, "kernel_change")
    both = {"at initialisation": init, "in training": change}
    with_mean_field = {"": change, ", mean-field": (mean_field, "kernel_change")}
    return [
        from_limit({"": init}, tolerance),
        changes(with_mean_field, tolerance),
        linear_nets(linear),
        width_needed(both, tolerance, ORDERS),
    ]


def linear_nets(experiment: Experiment) -> Builder:
    """The kernel error of a linear net against width, beside its closed form."""

    def build(m: Measurements) -> Figure:
        widths, errors = ladder(m[experiment], "linear_error")
        _, laws = ladder(m[experiment], "linear_law")
        root_mean_squares = [root_mean_square(of_width) for of_width in errors]
        series = [
            Series.of("measured", widths, root_mean_squares, log=True),
            Series.of("closed form", widths, laws, log=True),
        ]
        axes = Axes("width", "kernel error", log_x=True, log_y=True)
        note = f"One hidden layer without activation, {m.backend}, geometric mean over seeds."
        return plots.figure(
            "A linear net, where the error is known", axes, series, note
        )

    return build


def width_needed(
    shown: Mapping[str, Quantity], tolerance: float, times: int
) -> Builder:
    """Width / depth at which each seed's fitted line comes to the tolerance, against depth."""

    def build(m: Measurements) -> Figure:
        series = []
        for label, (experiment, quantity) in shown.items():
            measured = m[experiment]
            depths = measured.axis("depth")
            needed = []
            for depth in depths:
                widths, values = ladder(measured, quantity, depth=depth)
                means = [geometric_mean(of_width) for of_width in values]
                needed.append(reaching(tolerance, widths, means) / depth)
            drawn = Series.of(label, depths, needed, log=True)
            series.append(drawn)
        axes = Axes("hidden layers", OVER, log_y=True, reference=float(times))
        note = (
            f"Where each seed's line through ln error on ln width comes to {tolerance:.0%}; "
            f"{m.backend}, geometric "
            f"mean over seeds; the line is at {times} times depth."
        )
        return plots.figure(f"Width that {tolerance:.0%} needs", axes, series, note)

    return build


def drift(
    where: str,
    quantity: str,
    ladders: Mapping[str, Experiment],
) -> Builder:
    """C' against width, the largest where it is taken at several steps; the line is at 1/2."""
    axes = Axes("width, or channels", "C'", log_x=True, log_y=True, reference=0.5)
    return _against_width(
        f"Drift of the Jacobian {where}", quantity, axes, ladders, _largest
    )


def of_descent(
    experiments: Sequence[Experiment],
    nets: Mapping[str, tuple[Experiment, int]],
) -> list[Builder]:
    """C' on the path and where the ball ends, and the smallest eigenvalue, against width; and the
    runs of some networks of one width. The experiments are in the order of FAMILIES.
    """
    ladders = dict(zip(FAMILIES, experiments, strict=True))
    return [
        drift("on the path", "drift", ladders),
        drift("where the ball ends", "ball", ladders),
        smallest_eigenvalue(ladders),
        runs(nets),
    ]


def smallest_eigenvalue(ladders: Mapping[str, Experiment]) -> Builder:
    """The smallest eigenvalue of J J^T at the start, against width."""
    axes = Axes("width, or channels", "lambda_min(G_0)", log_x=True, log_y=True)
    return _against_width(
        "Smallest eigenvalue at the start", "eigenvalues", axes, ladders, _first
    )


def _largest(values: np.ndarray) -> np.ndarray:
    return np.asarray(values.reshape(len(values), -1).max(axis=1))


def _first(values: np.ndarray) -> np.ndarray:
    return values[:, 0]


def _against_width(
    title: str,
    quantity: str,
    axes: Axes,
    ladders: Mapping[str, Experiment],
    per_seed: Callable[[np.ndarray], np.ndarray],
) -> Builder:
    def build(m: Measurements) -> Figure:
        series = []
        for label, experiment in ladders.items():
            widths, values = ladder(m[experiment], quantity)
            shown = [per_seed(of_width) for of_width in values]
            drawn = Series.of(label, widths, shown, log=True)
            series.append(drawn)
        return plots.figure(
            title, axes, series, f"{m.backend}, geometric mean over seeds."
        )

    return build


def runs(nets: Mapping[str, tuple[Experiment, int]]) -> Builder:
    """Squared residuals over those at the start, step by step, beside the bound (1 - eta)^k and the
    pace (1 - eta)^(2k) of a linear network.
    """

    def build(m: Measurements) -> Figure:
        series = []
        for label, (experiment, width) in nets.items():
            residuals = m[experiment]("residuals", width=width)  # (seeds, steps + 1)
            steps = np.arange(residuals.shape[1])
            relative = residuals / residuals[:, :1]
            drawn = Series.of(f"{label}, {width}", steps, relative.T, log=True)
            series.append(drawn)
        places = tuple(steps.astype(float).tolist())
        paces = {
            "promised, (1 - eta)^k": (1 - ETA) ** steps,
            "linear network, (1 - eta)^(2k)": (1 - ETA) ** (2 * steps),
        }
        for label, pace in paces.items():
            series.append(Series(label, places, tuple(pace.tolist())))
        axes = Axes("step", "|r_k|^2 / |r_0|^2", log_y=True)
        note = f"Squared residual over that at the start, {m.backend}, geometric mean over seeds."
        return plots.figure(
            "Natural gradient descent against its promise", axes, series, note
        )

    return build
