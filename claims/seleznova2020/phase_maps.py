"""Maps of training over (sigma_w^2, depth), as Seleznova and Kutyniok (2020, Experiment B) draw
them.

Figures alone: few replicates, and no effect is made of them. A map's cells measure under names of
their own (`training.training_map`); at quick scale they fill in between the claim's own cells.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from claims.seleznova2020.training import training_map
from harness import plots
from harness.claim import Claim
from harness.experiment import Configuration, Experiment, Measured, Measurements, grid
from harness.plots import Axes, Builder, Figure, Series

Points = dict[int, dict[float, float]]
"""Depth -> sigma_w^2 -> mean."""

Protocol = Literal["matched loss", "fixed rate", "half the edge"]

SIGMA_W2 = (0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.0, 2.5, 3.0)
DEPTHS = (3, 6, 10, 15, 20, 30)
REPLICATES = 3  # that are trained, of those that the claims have

NET = dict(
    activation="relu",
    parametrization="standard",
    sigma_b2=1.0,
    labels="one-hot",
    label_scale=1.0,
    lane=0,
)
QUICK, FULL = (
    dict(NET, width=m, samples=n, first=REPLICATES) for m, n in ((64, 32), (256, 64))
)
# The fixed rate is flow time over steps: the paper's at its width, 256. The kernel grows as M but
# for its first layer's part, so at 64 it is 4 times: more training than at 256 for shallow networks
# (`training.training_by_protocol`).
SETTINGS: dict[Protocol, tuple[Configuration, Configuration]] = {
    "matched loss": (
        dict(flow_time=None, edge_fraction=0.5, target_loss=0.05, steps=6_000),
        dict(flow_time=None, edge_fraction=0.5, target_loss=0.05, steps=10_000),
    ),
    "fixed rate": (
        dict(flow_time=4.0, edge_fraction=0.75, target_loss=0.02, steps=700),
        dict(flow_time=1.0, edge_fraction=0.75, target_loss=0.02, steps=4_000),
    ),
    "half the edge": (
        dict(flow_time=None, edge_fraction=0.5, target_loss=0.02, steps=800),
        dict(flow_time=None, edge_fraction=0.5, target_loss=0.02, steps=4_000),
    ),
}
COUNTS = {
    "matched loss": "map_reached",
    "fixed rate": "map_lasted",
    "half the edge": None,
}
"""Which of a map's replicates count, by protocol."""
NOTES = {
    "matched loss": "Left out: where a network did not come to that loss.",
    "fixed "
    "rate": "Training stops at loss 0.02; a rate above three quarters of a network's edge is put "
    "there. Left "
    "out: where the steps then did not last.",
    "half the edge": "Training stops at loss 0.02.",
}


def experiment(
    claim: Claim,
    protocol: Protocol,
    *quick: Mapping[str, Any],
    centred: Any = (False, True),
) -> Experiment:
    """Adds the cells of a map: at quick scale those of the axes given, sigma_w2 as lists; at full
    scale all of it.
    """
    few, many = SETTINGS[protocol]
    cells = [
        cell
        for axes in quick
        for cell in grid(**{**QUICK, **few, "centred": centred, **axes})
    ]
    full = grid(**FULL, **many, centred=centred, sigma_w2=list(SIGMA_W2), depth=DEPTHS)
    return claim.experiment(training_map, cells, full=full)


@dataclass(frozen=True)
class Shown:
    """What a map shows: in its title, on its axis, and the names of the quantity in its own cells
    and the claim's.
    """

    title: str
    label: str
    mapped: str
    own: str


CHANGE = Shown("kernel change", "kernel change Delta", "map_change", "kernel_change")
LOSS = Shown("trainability", "least mean squared error", "map_loss", "min_loss")


def figure(
    mapped: Experiment,
    own: Sequence[Experiment],
    protocol: Protocol,
    shown: Shown,
    *,
    centred: bool,
    reference: float | None = None,
) -> Builder:
    """A map as lines over sigma_w^2, one per depth; the claim's own cells (`own`) stand in where it
    has none.
    """
    arm = "centred" if centred else "raw"
    axes = Axes("sigma_w^2", shown.label, log_y=True, reference=reference)

    def build(m: Measurements) -> Figure:
        note = (
            f"{shown.label[0].upper()}{shown.label[1:]} over sigma_w^2, {protocol}, {arm}; "
            "sigma_b^2 = 1, edge of "
            f"chaos at 2. {m.backend}, geometric mean of {REPLICATES} seeds; nothing is decided on "
            "it. "
            f"{NOTES[protocol]}"
        )
        points: Points = {}
        _add(points, m[mapped], shown.mapped, COUNTS[protocol], centred)
        for of_claim in own:
            _add(points, m[of_claim], shown.own, None, centred)
        series = [_line(f"{depth} layers", points[depth]) for depth in sorted(points)]
        return plots.figure(
            f"Phase map: {shown.title}, {protocol}, {arm}", axes, series, note
        )

    return build


def _add(
    points: Points,
    measured: Measured,
    quantity: str,
    counts: str | None,
    centred: bool,
) -> None:
    """Adds geometric means over the map's replicates, where there is no point yet; NaN where one
    does not count.
    """
    for cell in measured.configurations(centred=centred):
        values = measured.exactly(quantity, cell)[:REPLICATES]
        if counts is not None:
            counted = measured.exactly(counts, cell)[:REPLICATES] == 1
            values = np.where(counted, values, np.nan)
        logarithms = np.log(values).mean(axis=0)
        means = np.atleast_1d(np.exp(logarithms))
        of_depth = points.setdefault(cell["depth"], {})
        for sigma_w2, mean in zip(np.atleast_1d(cell["sigma_w2"]), means, strict=True):
            if SIGMA_W2[0] <= sigma_w2 <= SIGMA_W2[-1]:
                of_depth.setdefault(float(sigma_w2), float(mean))


def _line(
    label: str,
    means: dict[float, float],
) -> Series:
    finite = sorted(
        (sigma_w2, mean) for sigma_w2, mean in means.items() if np.isfinite(mean)
    )
    return Series(
        label,
        tuple(sigma_w2 for sigma_w2, _ in finite),
        tuple(mean for _, mean in finite),
    )
