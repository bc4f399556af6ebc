"""The measured variance of trained outputs over that of Theorem 3: settings, estimator
and figures.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from claims.seleznova2020.theory import mean_field, theorem3
from harness import plots
from harness.experiment import Experiment, Measured, Measurements
from harness.plots import Axes, Builder, Figure, Series

PHASES = {"ordered": (1.0, 1.0), "edge": (2.0, 1.0), "chaotic": (3.0, 1.0)}
"""sigma_w^2 and sigma_b^2; ReLU."""

SAMPLES, RIDGE, WIDTH = 8, 0.2, 64
SHALLOW, DEEP = 3, 10  # hidden layers
SETTING = dict(
    samples=SAMPLES, ridge=RIDGE, phases=[list(phase) for phase in PHASES.values()]
)
QUICK = (
    dict(SETTING, width=64, depth=SHALLOW, networks=400, at_once=100),
    dict(SETTING, width=64, depth=6, networks=150, at_once=50),
    dict(SETTING, width=64, depth=DEEP, networks=300, at_once=50),
    dict(SETTING, width=256, depth=SHALLOW, networks=40, at_once=20),
)
FULL = (
    dict(SETTING, width=64, depth=SHALLOW, networks=4000, at_once=500),
    dict(SETTING, width=64, depth=6, networks=4000, at_once=250),
    dict(SETTING, width=64, depth=DEEP, networks=4000, at_once=250),
    dict(SETTING, width=64, depth=20, networks=4000, at_once=100),
    dict(SETTING, width=1024, depth=SHALLOW, networks=100, at_once=20),
)
"""Configurations of `output_variance`: `networks` per group, `at_once` in memory."""

DEPTHS = (1, 2, 3, 5, 8, 10, 15, 20, 30, 47)
READ_OFF = {"ordered": (1.0, 1.0), "edge": (1.45, 1.63), "chaotic": (2.7, 3.2)}
"""kappa1 / kappa2 at 47 layers in the paper's figure, for input correlations 0 to 1."""

AXES = Axes("hidden layers", "variance / Theorem 3", log_y=True, reference=1.0)


@dataclass(frozen=True)
class Line:
    """An arm of `output_variance` in one phase; its ridge adds to kappa1 of the theorem."""

    arm: str
    phase: str
    ridge: float = 0.0


NO_LABELS = {
    "ordered, one kernel for all": Line("mean_field", "ordered"),
    "edge, one kernel for all": Line("mean_field", "edge"),
    "chaotic, one kernel for all": Line("mean_field", "chaotic"),
    "ordered, own kernels, Y = 0": Line("own_kernel_no_labels", "ordered"),
    "edge, own kernels, Y = 0": Line("own_kernel_no_labels", "edge"),
    "chaotic, own kernels, Y = 0": Line("own_kernel_no_labels", "chaotic"),
}
SIZE_ONE = {
    "ordered": Line("own_kernel", "ordered"),
    "edge": Line("own_kernel", "edge"),
    "chaotic": Line("own_kernel", "chaotic"),
    "ordered, with a ridge": Line("own_kernel_ridge", "ordered", RIDGE),
}
IN_UNITS = {
    "ordered, f_0": Line("labels_of_outputs", "ordered"),
    "edge, f_0": Line("labels_of_outputs", "edge"),
    "chaotic, f_0": Line("labels_of_outputs", "chaotic"),
    "ordered, differences of f_0": Line("labels_of_differences", "ordered"),
    "edge, differences of f_0": Line("labels_of_differences", "edge"),
    "chaotic, differences of f_0": Line("labels_of_differences", "chaotic"),
}


def by_phase(
    ordered: float, edge: float, chaotic: float, sd: float
) -> dict[str, tuple[float, float]]:
    """What is expected in each phase: effects, and one standard deviation over groups.

    >>> by_phase(1.0, 1.01, 1.02, 0.06)["edge"]
    (1.01, 0.06)
    """
    effects = (ordered, edge, chaotic)
    return {phase: (effect, sd) for phase, effect in zip(PHASES, effects, strict=True)}


def of_phase(
    measured: Measured,
    quantity: str,
    phase: str,
    depth: int,
    width: int = WIDTH,
) -> np.ndarray:
    """A quantity of one phase, per group of networks."""
    column = list(PHASES).index(phase)
    of_phases = measured(quantity, width=width, depth=depth)
    return of_phases[:, column]


def ratio(
    measured: Measured,
    arm: str,
    phase: str,
    depth: int,
    *,
    samples: int = SAMPLES,
    ridge: float = 0.0,
) -> np.ndarray:
    """The variance of an arm over Theorem 3, per group of networks; a ridge adds to kappa1."""
    q, q_sr, kappa_ratio = mean_field(PHASES[phase], depth)
    return of_phase(measured, arm, phase, depth) / theorem3(
        q, q_sr, kappa_ratio * (1 + ridge), samples
    )


def figures(groups: Experiment) -> list[Builder]:
    """The variance over Theorem 3 by depth, its labels' part, what own kernels lack by width, and
    the conditioning.
    """
    return [
        over_depth(
            groups, "Trained outputs, no labels or one kernel for all", NO_LABELS
        ),
        over_depth(groups, "Trained outputs, own kernels, labels +1 and -1", SIZE_ONE),
        over_depth(groups, "The same, labels in units of the outputs", IN_UNITS),
        label_term(groups),
        own_over_one(groups, SHALLOW),
        conditioning,
    ]


def over_depth(
    experiment: Experiment, title: str, lines: Mapping[str, Line]
) -> Builder:
    """The variance over Theorem 3 against depth."""

    def build(m: Measurements) -> Figure:
        measured = m[experiment]
        depths = measured.axis("depth", width=WIDTH)
        series = []
        for label, line in lines.items():
            values = [
                ratio(measured, line.arm, line.phase, d, ridge=line.ridge)
                for d in depths
            ]
            drawn = Series.of(label, depths, values, log=True)
            series.append(drawn)
        return plots.figure(title, AXES, series, _note(m))

    return build


def label_term(experiment: Experiment) -> Builder:
    """The variance that the labels alone make, against depth, per phase."""
    axes = Axes("hidden layers", "variance of k K^-1 Y", log_y=True)

    def build(m: Measurements) -> Figure:
        measured = m[experiment]
        depths = measured.axis("depth", width=WIDTH)
        series = []
        for phase in PHASES:
            values = [
                of_phase(measured, "labels_alone", phase, depth) for depth in depths
            ]
            drawn = Series.of(phase, depths, values, log=True)
            series.append(drawn)
        return plots.figure(
            "The variance that labels +1 and -1 make alone", axes, series, _note(m)
        )

    return build


def own_over_one(experiment: Experiment, depth: int) -> Builder:
    """The variance with own kernels over that with one kernel for all, Y = 0, against the width,
    per phase.
    """
    axes = Axes(
        "width M",
        "variance, own kernels / one kernel",
        log_x=True,
        log_y=True,
        reference=1.0,
    )

    def build(m: Measurements) -> Figure:
        measured = m[experiment]
        widths = measured.axis("width", depth=depth)
        series = []
        for phase in PHASES:
            own = [
                of_phase(measured, "own_kernel_no_labels", phase, depth, width)
                for width in widths
            ]
            one = [
                of_phase(measured, "mean_field", phase, depth, width)
                for width in widths
            ]
            ratios = np.divide(own, one)  # (widths, groups)
            drawn = Series.of(phase, widths, list(ratios), log=True)
            series.append(drawn)
        title = "What own kernels lack of the variance closes with the width"
        note = (
            f"ReLU, {depth} layers, S = {SAMPLES}, no labels, {m.backend}, "
            "geometric mean over groups."
        )
        return plots.figure(title, axes, series, note)

    return build


def conditioning(m: Measurements) -> Figure:
    """kappa1 / kappa2 in closed form against depth, beside the paper's; nothing is measured."""
    axes = Axes("hidden layers", "kappa1 / kappa2")
    series = []
    for phase, scales in PHASES.items():
        series.append(
            Series(
                phase, DEPTHS, tuple(mean_field(scales, depth)[2] for depth in DEPTHS)
            )
        )
    for phase, ends in READ_OFF.items():
        series.append(Series(f"paper, read off: {phase}", (47.0, 47.0), ends))
    note = (
        "Closed form at input correlation 1/2; 1 is singular. "
        "The paper's ranges: correlations 0 to 1."
    )
    return plots.figure("Conditioning of the mean-field kernel", axes, series, note)


def _note(m: Measurements) -> str:
    return f"ReLU, M = {WIDTH}, S = {SAMPLES}, {m.backend}, geometric mean over groups of networks."
