"""Figures of forgetting and learning against width."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from claims.wenger2023.forgetting import (
    Measure,
    against_width,
    forgetting,
    learning_accuracy,
)
from claims.wenger2023.tasks import CONVERGED, EARLY
from harness import plots
from harness.errors import DatasetUnavailable, NotMeasured
from harness.experiment import Experiment, Measurements
from harness.plots import Axes, Builder, Figure, Series

Lines = Mapping[str, tuple[Experiment, Mapping[str, Any]]]
"""Label -> an experiment, and which of its configurations are on the line."""
TRAP = "After equal epochs wide networks have learnt more, so that there is more to forget."


def halves(experiment: Experiment, *settings: str) -> Lines:
    """A line for each setting where stopped early, and one where converged."""
    lines = {}
    for setting in settings:
        for arm in (EARLY, CONVERGED):
            lines[f"{setting}, {arm}"] = (experiment, dict(bed=setting, arm=arm))
    return lines


def by_arm(experiment: Experiment, setting: str, *arms: str) -> Lines:
    """A line for each arm of a setting."""
    return {arm: (experiment, dict(bed=setting, arm=arm)) for arm in arms}


def by_setting(experiment: Experiment, *settings: str) -> Lines:
    """A line for each setting, where there is one arm."""
    return {setting: (experiment, dict(bed=setting)) for setting in settings}


def forgetting_of(what: str, lines: Lines, note: str = "") -> Builder:
    """AF against width."""
    return _of_width(
        f"Forgetting of {what} against width", "forgetting AF", forgetting, lines, note
    )


def learning_of(what: str, lines: Lines, note: str = "") -> Builder:
    """LA against width."""
    return _of_width(
        f"Learning of {what} against width",
        "learning accuracy LA",
        learning_accuracy,
        lines,
        note,
    )


def _of_width(
    title: str, label: str, measure: Measure, lines: Lines, note: str
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
        text = f"{m.backend}, mean over seeds. {note}".strip()
        return plots.figure(title, axes, series, text)

    return build
