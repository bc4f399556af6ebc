"""Figures of the claims on networks and their kernels."""

from collections.abc import Callable, Mapping
from itertools import pairwise

import numpy as np

from claims.liu2025.added_layer import Errors, mismatch
from claims.liu2025.settings import OTHERS
from harness import plots
from harness.experiment import Experiment, Measurements
from harness.plots import Axes, Builder, Figure, Series

ERROR = "E, over the target's variance"
NOTE = "mean over seeds with 95 % intervals."
MISMATCH = Axes("", "D / E", reference=0.0)
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

Values = Callable[[Measurements], np.ndarray]
"""One value per seed out of the measurements."""


def against_depth(title: str, lines: Mapping[str, Errors], note: str = "", log_y: bool = False) -> Builder:
    """Errors over depth, one line per predictor, by label."""
    axes = Axes("hidden layers", ERROR, log_y=log_y)

    def build(m: Measurements) -> Figure:
        series = []
        for label, errors in lines.items():
            depths = errors.depths(m)
            series.append(Series.of(label, depths, [errors.at(m, depth) for depth in depths], log=log_y))
        return plots.figure(title, axes, series, f"{note} {m.backend}, {NOTE}".strip())

    return build


def other_targets(network: Experiment, kernel: Experiment) -> Builder:
    """Errors of networks and of their NTKs over depth, on the targets beside the wave."""
    lines = {}
    for target in OTHERS:
        where = dict(target=target.name)
        lines[f"{target}, network"] = Errors(network, "error", where)
        lines[f"{target}, its NTK"] = Errors(kernel, "kernel_error", where)
    return against_depth("Other targets", lines, "As commonly trained.", log_y=True)


def named(title: str, axes: Axes, values: Mapping[str, Values], note: str) -> Builder:
    """One point with its interval per name."""

    def build(m: Measurements) -> Figure:
        points = Series.of(axes.y, np.array(list(values)), [of(m) for of in values.values()], log=axes.log_y)
        return plots.figure(title, axes, [points], f"{note} {m.backend}, {NOTE}")

    return build


def by_cause(chain: Mapping[str, Errors], unit: Errors) -> Builder:
    """The parts of D / E of the first predictor against the last: what changes from each predictor to the next.

    Each is named after what makes the predictor differ from the one before; they add up to the whole.
    """

    def build(m: Measurements) -> Figure:
        of_one_layer = unit.at(m, 1)
        changes = [errors.change(m) for errors in chain.values()]
        parts = [(before - after) / of_one_layer for before, after in pairwise(changes)]
        whole = (changes[0] - changes[-1]) / of_one_layer
        points = Series.of("part of D / E", np.array(["all", *list(chain)[1:]]), [whole, *parts])
        note = (
            "From the network as commonly trained to the NTK of sigma_w^2 = 2 one thing is changed at a time, from 1 "
            "to 2 layers on the wave. What each is charged with depends on the order of changes."
        )
        return plots.figure("D / E by cause", MISMATCH, [points], f"{note} {m.backend}, {NOTE}")

    return build


def random_kernel(predictors: Experiment) -> Builder:
    """D / E of the predictor with the eNTK at initialisation against that with the NTK, over width."""
    axes = Axes("width", "D / E", log_x=True, reference=0.0)

    def build(m: Measurements) -> Figure:
        widths = m[predictors].axis("width")
        values = []
        for width in widths:
            own = Errors(predictors, "own_error", dict(width=width))
            limit = Errors(predictors, "limit_error", dict(width=width))
            values.append(mismatch(own.around(m), limit.around(m)))
        line = Series.of("own eNTK against NTK", widths, values)
        return plots.figure("A random kernel alone", axes, [line], f"Nothing is trained. {m.backend}, {NOTE}")

    return build
