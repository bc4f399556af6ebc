"""Figures of forgetting and learning against width."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from claims.wenger2023.forgetting import (
    Measure,
    against_width,
    first_forgotten,
    forgetting,
    learning_accuracy,
    slope,
)
from claims.wenger2023.tasks import CONVERGED, EARLY, FULL, after
from harness import plots
from harness.errors import DatasetUnavailable, NotMeasured
from harness.experiment import Experiment, Measurements
from harness.plots import Axes, Builder, Figure, Series

Lines = Mapping[str, tuple[Experiment, Mapping[str, Any]]]
"""Label -> an experiment, and which of its configurations are on the line."""
TRAP = (
    "After equal steps wide networks have learnt more, so that there is more to forget."
)


def halves(experiment: Experiment, *settings: str) -> Lines:
    """A line for each setting where stopped early, and one where converged."""
    lines = {}
    for setting in settings:
        for arm in (EARLY, CONVERGED):
            lines[f"{setting}, {arm}"] = (experiment, dict(bed=setting, arm=arm))
    return lines


def whole(experiments: Mapping[str, Experiment]) -> Lines:
    """A line for each experiment."""
    return {label: (experiment, {}) for label, experiment in experiments.items()}


def after_each(by_steps: Mapping[int, Experiment]) -> Lines:
    """A line for each number of steps per task."""
    return {after(steps): (experiment, {}) for steps, experiment in by_steps.items()}


def slopes_of(
    what: str,
    by_steps: Mapping[int, Experiment],
) -> Builder:
    """The slopes of AF, and of the forgetting of task 1 alone, against steps per task."""
    measures: dict[str, Measure] = {
        "AF, mean over the first four tasks": forgetting,
        "task 1 alone": first_forgotten,
    }

    def build(m: Measurements) -> Figure:
        series = []
        for label, measure in measures.items():
            places, slopes = [], []
            for steps, experiment in by_steps.items():
                with suppress(NotMeasured):
                    slopes.append(slope(m[experiment], measure))
                    places.append(steps)
            series.append(Series.of(label, places, slopes))
        axes = Axes(
            "steps per task", "slope per doubling of width", log_x=True, reference=0.0
        )
        note = (
            f"{m.backend}, mean over seeds. Above 0 wide networks forget more. {TRAP}"
        )
        title = f"Forgetting of {what}: slope in width against steps per task"
        return plots.figure(title, axes, series, note)

    return build


def forgetting_of(what: str, lines: Lines) -> Builder:
    """AF against width."""
    title = f"Forgetting of {what} against width"
    return _of_width(title, "forgetting AF", forgetting, lines)


def learning_of(what: str, lines: Lines) -> Builder:
    """LA against width."""
    title = f"Learning of {what} against width"
    return _of_width(title, "learning accuracy LA", learning_accuracy, lines)


def _of_width(
    title: str,
    label: str,
    measure: Measure,
    lines: Lines,
) -> Builder:
    """One line per entry, except where the tier lacks it or its images are not there."""

    def build(m: Measurements) -> Figure:
        series = []
        for name, (experiment, where) in lines.items():
            with suppress(NotMeasured, DatasetUnavailable):
                widths, values = against_width(m[experiment], measure, **where)
                series.append(Series.of(name, widths, list(values)))
        if not series:
            raise NotMeasured(f"Nothing of the figure {title!r} was measured.")
        axes = Axes("width", label, log_x=True)
        return plots.figure(title, axes, series, f"{m.backend}, mean over seeds.")

    return build


def of_forgetting(
    by_steps: Mapping[int, Experiment],
    stopped: Experiment,
    longest: Mapping[str, Experiment],
) -> list[Builder]:
    """Slopes, forgetting and learning of rotated digits by steps, and forgetting where tasks end at
    an accuracy and after 9,375 steps.
    """
    digits = after_each(by_steps)
    return [
        slopes_of("rotated digits", by_steps),
        forgetting_of("rotated digits", digits),
        learning_of("rotated digits", digits),
        forgetting_of("tasks to an accuracy", halves(stopped, *FULL)),
        forgetting_of("images after 9,375 steps", whole(longest)),
    ]
