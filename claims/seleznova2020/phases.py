"""Phases whose dispersion is measured, the estimator of it, and its figures."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from claims.seleznova2020.theory import finite_size_law
from harness import plots
from harness.experiment import Configuration, Experiment, Measured, Measurements, grid
from harness.plots import Axes, Builder, Figure, Series

# (activation, sigma_w^2, sigma_b^2); None: no bias parameters. The phase is that of the infinitely
# wide network.
PHASES: dict[str, tuple[str, float, float | None]] = {
    "ordered relu": ("relu", 1.0, 1.0),
    "ordered tanh": ("tanh", 1.0, 1.0),
    "chaotic relu": ("relu", 3.0, 1.0),
    "chaotic tanh": ("tanh", 5.0, 1.0),
    "edge relu (2, 0)": ("relu", 2.0, 0.0),
    "edge relu (2, 1)": ("relu", 2.0, 1.0),
    "edge tanh": ("tanh", 3.44, 1.0),
    "unbiased relu 1": ("relu", 1.0, None),
    "unbiased relu 2": ("relu", 2.0, None),
    "unbiased relu 3": ("relu", 3.0, None),
    "ordered relu (1.5, 1)": ("relu", 1.5, 1.0),
}
EDGE, SECOND = "edge relu (2, 0)", "ordered relu (1.5, 1)"
MAP = (0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5)
"""sigma_w^2 of the phase map: ReLU, sigma_b^2 = 1, whose edge of chaos is at 2."""

READ = {"paper (2, 0), read off": (1.29, 1.7), "paper (3, 1), read off": (1.425, 2.1)}
"""R in the paper's Figure 2, at L/M = 0.1 and 0.2."""
DISPERSION = "dispersion R = E[Theta^2] / E[Theta]^2"


def cells(
    widths: Mapping[int, tuple[int, int]],
    draws: int,
) -> list[Configuration]:
    """Configurations of `ntk_dispersion`: every width at its two depths, all phases in each."""
    phases = [list(phase) for phase in PHASES.values()]
    found: list[Configuration] = []
    for width, depths in widths.items():
        found += grid(width=width, depth=depths, draws=draws, phases=phases)
    return found


def map_cells(
    width: int, depths: tuple[int, ...], draws: int
) -> tuple[Configuration, ...]:
    """Configurations of `phase_map`: one width, all phases of the map in each."""
    phases = [["relu", sigma_w2, 1.0] for sigma_w2 in MAP]
    return grid(width=width, depth=depths, draws=draws, phases=phases)


# Depths (hidden layers) at L/M of about 0.1 and 0.2; beyond 0.2 heavy tails bias R low unless 10^4
# draws are taken.
QUICK = cells({32: (3, 6), 64: (6, 13), 128: (13, 26)}, draws=2_500)
FULL = cells(
    {128: (13, 26), 256: (26, 51), 512: (51, 102), 1024: (102, 205)}, draws=10_000
)
QUICK_MAP = map_cells(64, (3, 6, 13), draws=1_000)
FULL_MAP = map_cells(256, (13, 26, 38, 51), draws=10_000)


def dispersion(
    measured: Measured, phase: str, near: float, narrower: int = 0
) -> np.ndarray:
    """R per seed at the widest width, or so many widths below it, and the depth for which L/M is
    nearest to `near`.
    """
    width = measured.axis("width")[-1 - narrower]
    depth = depth_at(measured, width, near)
    column = list(PHASES).index(phase)
    mean = measured("mean", width=width, depth=depth)[:, column]
    mean_square = measured("mean_square", width=width, depth=depth)[:, column]
    return np.asarray(mean_square / mean**2)


def growth(measured: Measured, phase: str) -> np.ndarray:
    """R at L/M of about 0.2 over R at about 0.1, per seed, at the widest width."""
    return np.asarray(
        dispersion(measured, phase, 0.2) / dispersion(measured, phase, 0.1)
    )


def wide_over_narrow(
    measured: Measured,
    phase: str,
    near: float,
) -> np.ndarray:
    """R at the widest width over that at half of it, at the same L/M, per seed."""
    wide = dispersion(measured, phase, near)
    return np.asarray(wide / dispersion(measured, phase, near, narrower=1))


def over_finite_size_law(measured: Measured, near: float) -> np.ndarray:
    """R of ReLU at the edge of chaos, (2, 0), at half the widest width, over the law, per seed."""
    width = measured.axis("width")[-2]
    law = finite_size_law(depth_at(measured, width, near), width)
    return np.asarray(dispersion(measured, EDGE, near, narrower=1) / law)


def depth_at(measured: Measured, width: int, near: float) -> int:
    """The depth of that width for which L/M is nearest to `near`."""

    def distance(depth: int) -> float:
        return abs(depth / width - near)

    return int(min(measured.axis("depth", width=width), key=distance))


def figures(sampled: Experiment, mapped: Experiment) -> list[Builder]:
    """R against depth / width of ReLU and tanh, beside the paper's, and its phase map."""
    papers = [Series(label, (0.1, 0.2), values) for label, values in READ.items()]
    large = [EDGE, "chaotic relu"]
    tanh = ["ordered tanh", "edge tanh", "chaotic tanh"]
    return [
        over_depth(sampled, "relu, ordered", ["ordered relu", SECOND]),
        over_depth(sampled, "relu, edge of chaos and chaotic", large, papers),
        over_depth(sampled, "tanh", tanh),
        map_figure(mapped),
    ]


def over_depth(
    experiment: Experiment,
    activation: str,
    phases: Sequence[str],
    paper: Sequence[Series] = (),
) -> Builder:
    """R of one activation's phases against depth / width, a line per phase and per width of the two
    widest.
    """
    axes = Axes("depth / width", DISPERSION, log_y=True, reference=1.0)

    def build(m: Measurements) -> Figure:
        measured = m[experiment]
        series = []
        for phase in phases:
            for narrower, width in enumerate(reversed(measured.axis("width")[-2:])):
                ratios = [
                    depth / width for depth in measured.axis("depth", width=width)
                ]
                values = [
                    dispersion(measured, phase, ratio, narrower) for ratio in ratios
                ]
                series.append(
                    Series.of(f"{phase}, M = {width}", ratios, values, log=True)
                )
        note = f"{m.backend}, geometric mean over seeds; 1 means deterministic."
        return plots.figure(
            f"Dispersion of the NTK at initialisation, {activation}",
            axes,
            [*series, *paper],
            note,
        )

    return build


def map_figure(experiment: Experiment) -> Builder:
    """R over sigma_w^2, one line per depth."""
    axes = Axes("sigma_w^2", DISPERSION, log_y=True, reference=1.0)

    def build(m: Measurements) -> Figure:
        measured = m[experiment]
        series = [_map_line(measured, cell) for cell in measured.configurations()]
        (width,) = measured.axis("width")
        note = (
            f"{m.backend}, M = {width}, sigma_b^2 = 1, geometric mean over seeds; nothing is "
            "decided on it. Ordered "
            "left, chaotic right of the edge of chaos at sigma_w^2 = 2."
        )
        return plots.figure("Phase map of the dispersion, relu", axes, series, note)

    return build


def _map_line(
    measured: Measured,
    cell: Mapping[str, Any],
) -> Series:
    # (seeds, phases)
    values = measured("map_mean_square", **cell) / measured("map_mean", **cell) ** 2
    return Series.of(
        f"depth / width = {cell['depth'] / cell['width']:.2f}", MAP, values.T, log=True
    )
