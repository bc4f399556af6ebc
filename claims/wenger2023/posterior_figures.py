"""Figures of posteriors: two functions with their bands, and their distances against width."""

from collections.abc import Mapping

import numpy as np

from claims.wenger2023 import posterior_grid
from claims.wenger2023.finite_posterior import IN_BAND
from claims.wenger2023.posterior_grid import IMAGES, LINE
from harness import plots
from harness.experiment import Experiment, Measurements
from harness.plots import Axes, Builder, Figure, Series

AGAINST_WIDTH = {
    "distance": ("Distance of the means", "RMS distance / RMS of the infinite mean"),
    "sd_factor": ("Difference of the standard deviations", "factor, geometric mean"),
    "sd_ratio": ("Over-confidence", "finite sd / infinite sd, geometric mean"),
    "share_outside": (
        "Infinite mean outside the finite 95 % band",
        "share of test points",
    ),
}
"""Title and label of each quantity."""


def both_posteriors(experiment: Experiment) -> Builder:
    """The infinite posterior and that of one network with their 95 % bands, in 1-D, and the data;
    of the first seed.
    """

    def build(m: Measurements) -> Figure:
        measured = m[experiment]
        (where,) = measured.configurations()
        first = {}
        for name in ("x", "y", "places", "finite", "infinite"):
            first[name] = measured.exactly(name, where)[0]
        series = [
            observations(first["x"], first["y"]),
            banded("infinite width", first["places"], first["infinite"]),
            banded(f"width {where['width']}", first["places"], first["finite"]),
        ]
        note = (
            f"{m.backend}, one network and the data of the first seed; bands hold 95 % of each "
            "posterior of the function, without noise."
        )
        title = "A finite network's posterior and that at infinite width"
        return plots.figure(title, Axes("x", "f(x)"), series, note)

    return build


def banded(
    label: str,
    places: np.ndarray,
    posterior: np.ndarray,
) -> Series:
    """A posterior's mean and sd, (2, T), as a line with its 95 % band."""
    mean, sd = posterior
    ends = mean - IN_BAND * sd, mean + IN_BAND * sd
    curves = [tuple(curve.tolist()) for curve in (places, mean, *ends)]
    return Series(label, *curves, marks="line")


def observations(x: np.ndarray, y: np.ndarray) -> Series:
    """The training data, as points."""
    return Series("data", tuple(x.tolist()), tuple(y.tolist()), marks="points")


def against_width(quantity: str, experiment: Experiment, line: float) -> Builder:
    """A quantity of every setting against width, one of `AGAINST_WIDTH`; `line` is its margin, or
    where nothing differs.
    """

    def build(m: Measurements) -> Figure:
        title, label = AGAINST_WIDTH[quantity]
        per_seed = getattr(posterior_grid, quantity)
        measured = m[experiment]
        series = []
        for setting in (LINE, IMAGES):
            widths = measured.axis("width", setting=setting)
            values = [per_seed(measured, setting, width) for width in widths]
            series.append(Series.of(setting, widths, values))
        axes = Axes("width", label, log_x=True, reference=line)
        note = f"{m.backend}, mean over seeds with its 95 % interval; the line is at {line:.3g}."
        return plots.figure(title, axes, series, note)

    return build


def of_posteriors(
    shown: Experiment,
    ladder: Experiment,
    lines: Mapping[str, float],
) -> list[Builder]:
    """Both posteriors of one network, and quantities against width, each with the line at which
    something counts as different.
    """
    against = [against_width(name, ladder, line) for name, line in lines.items()]
    return [both_posteriors(shown), *against]
