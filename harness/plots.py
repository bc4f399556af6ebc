"""Figures of a claim: what a reader of the paper would look for, as plain data to be drawn.

`lines` and `points` make the usual figures of one experiment; a figure of its own is a function of
the measurements that returns a `Figure`. Each point is a mean over seeds with its 95 % t interval.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from harness.experiment import Experiment, Measurements

Builder = Callable[[Measurements], "Figure"]
Marks = Literal["both", "line", "points"]


@dataclass(frozen=True)
class Series:
    """One line of a figure: x, y and, where known, a band; all of one length.

    If x are names, points with intervals; else `marks` says whether the line, its points or both
    are drawn. A curve of very many points is a line, observations are points.
    """

    label: str
    x: tuple[float, ...] | tuple[str, ...]
    y: tuple[float, ...]
    low: tuple[float, ...] | None = None
    high: tuple[float, ...] | None = None
    marks: Marks = "both"

    @staticmethod
    def of(
        label: str, x: ArrayLike, per_seed: Sequence[ArrayLike], log: bool = False
    ) -> "Series":
        """One point per x, a number or a name: the mean over seeds (log: the geometric mean) with
        its 95 % t interval.

        `per_seed` holds, for each x, one value per seed.
        """
        # Imported here: a worker that loads a claim file for its computation has NumPy alone.
        from harness.statistics.intervals import t_interval

        values = np.array([np.asarray(seeds, dtype=float) for seeds in per_seed])
        values = np.log(values) if log else values
        back = np.exp if log else np.asarray
        bands = (back(values.mean(axis=1)), *map(back, t_interval(values, alpha=0.025)))
        y, low, high = (tuple(float(a) for a in band) for band in bands)
        places = np.asarray(x)
        named = places.dtype.kind == "U"
        return Series(
            label,
            tuple(places.tolist() if named else places.astype(float).tolist()),
            y,
            low,
            high,
        )


@dataclass(frozen=True)
class Figure:
    """A figure as plain data; the report draws it. Series are told apart by label."""

    title: str
    description: str
    x_label: str
    y_label: str
    series: tuple[Series, ...]
    log_x: bool = False
    log_y: bool = False
    reference_y: float | None = None


@dataclass(frozen=True)
class Axes:
    """What the axes of a figure say.

    Args:
        x, y: their labels, with units.
        log_x, log_y: logarithmic; with log_y means over seeds are geometric.
        reference: a horizontal line, such as a margin or chance.
    """

    x: str
    y: str
    log_x: bool = False
    log_y: bool = False
    reference: float | None = None


def figure(title: str, axes: Axes, series: Sequence[Series], note: str = "") -> Figure:
    """A figure of these lines; the note says what a reader must know to read it."""
    return Figure(
        title,
        note,
        axes.x,
        axes.y,
        tuple(series),
        axes.log_x,
        axes.log_y,
        axes.reference,
    )


def lines(
    experiment: Experiment,
    quantity: str,
    *,
    over: str,
    axes: Axes,
    title: str,
    per: Mapping[str, Mapping[str, Any]],
) -> Builder:
    """A builder of a figure with one line per entry of `per`: its label, and which configurations
    are on it.

    claim.figure(plots.lines(matched, "kernel_change", over="depth", axes=..., title=..., per={
        "ordered": dict(sigma_w2=1.0), "chaotic": dict(sigma_w2=2.5)}))
    """

    def build(m: Measurements) -> Figure:
        measured = m[experiment]
        series = []
        for label, where in per.items():
            places = measured.axis(over, **where)
            values = [measured(quantity, **where, **{over: place}) for place in places]
            series.append(Series.of(label, places, values, log=axes.log_y))
        return figure(
            title, axes, series, f"{m.backend}, mean over seeds with 95 % intervals."
        )

    return build
