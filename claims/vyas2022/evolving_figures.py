"""Figures of the claim on kernels in the course of training."""

from collections.abc import Sequence

import numpy as np

from claims.vyas2022.evolving import (
    ARMS,
    DECAYED,
    FIXED,
    IMAGES,
    LAZY,
    ONE_PASS,
    Arm,
    Kernels,
    improvement,
    parts,
)
from harness import plots
from harness.errors import DatasetUnavailable
from harness.experiment import Measured, Measurements
from harness.plots import Axes, Builder, Figure, Series
from harness.statistics.intervals import t_interval

NOTE = "the leftmost points are the start"
QUALITY, DISTANCE = "How well the kernel predicts", "How far the final kernel is"


def of_digits(digits: Kernels) -> list[Builder]:
    """Errors, distances to the final kernel, and what is still to come, on 1-D digits."""
    shown, networks = (ONE_PASS, FIXED, DECAYED, LAZY), (ONE_PASS, FIXED)
    return [
        errors(QUALITY, digits, shown, networks=networks),
        distances(DISTANCE, digits, ARMS),
        still_to_come(digits, networks),
    ]


def of_images(images: Kernels) -> list[Builder]:
    """Errors and distances to the final kernel on images."""
    return [
        errors(f"{QUALITY}, on images", images, IMAGES),
        distances(f"{DISTANCE}, on images", images, IMAGES),
    ]


def steps(measured: Measured, arm: Arm) -> np.ndarray:
    """Steps at the checkpoints; step 0, the start, is drawn at half of the first of any arm."""
    (cell,) = measured.configurations(arm=arm.name)
    first = min(
        cell["checkpoints"][1] / cell["steps"] for cell in measured.configurations()
    )
    return np.maximum(parts(measured, arm), first / 2) * cell["steps"]


def errors(
    title: str,
    kernels: Kernels,
    arms: Sequence[Arm],
    networks: Sequence[Arm] = (),
) -> Builder:
    """Error of regression with the kernel of each time, and of networks; those without a data set
    are left out.
    """
    axes = Axes("step", "test error", log_x=True, log_y=True)

    def build(m: Measurements) -> Figure:
        measured = m[kernels.trained]
        lines = {}
        for arm in there(measured, arms):
            gamma = improvement(m, kernels, arm)
            low, high = t_interval(gamma, 0.025)
            label = f"kernel: {arm} ({gamma.mean():.2f} [{low:.2f}, {high:.2f}])"
            lines[label] = arm, "error"
        for arm in networks:
            lines[f"network: {arm}"] = arm, "network_error"
        series = []
        for label, (arm, quantity) in lines.items():
            values = measured(quantity, arm=arm.name)
            series.append(
                Series.of(label, steps(measured, arm), list(values.T), log=True)
            )
        note = (
            f"{m.backend}, geometric means; {NOTE}. "
            "In brackets the late slope, negated, and its interval."
        )
        return plots.figure(title, axes, series, note)

    return build


def distances(
    title: str,
    kernels: Kernels,
    arms: Sequence[Arm],
) -> Builder:
    """1 - CKA to the final kernel; the line is the distance between independent initialisations of
    the first arm.
    """

    def build(m: Measurements) -> Figure:
        measured = m[kernels.trained]
        series = []
        for arm in there(measured, arms):
            to_end = measured("cka", arm=arm.name)[:, :, -1]
            values = 1 - to_end
            places = steps(measured, arm)
            drawn = Series.of(str(arm), places, list(values.T))
            series.append(drawn)
        independent = m[kernels.independent]("cka", arm=arms[0].strangers)
        first = independent[:, 0, 1:]  # with the other two
        axes = Axes(
            "step",
            "1 - CKA to the final kernel",
            log_x=True,
            reference=float(1 - first.mean()),
        )
        note = f"{m.backend}; {NOTE}. The line: between two initialisations."
        return plots.figure(title, axes, series, note)

    return build


def still_to_come(kernels: Kernels, arms: Sequence[Arm]) -> Builder:
    """What part of all change is still to come: in the angle to the final kernel, and in ln error
    of the first arm.
    """
    axes = Axes("part of the steps", "part of the change still to come")

    def build(m: Measurements) -> Figure:
        measured = m[kernels.trained]
        series = []
        for arm in arms:
            cka = measured("cka", arm=arm.name)[:, :-1, -1]
            # over the last: without the jitter of single steps
            of_last = cka / cka[:, -1:]
            angle = np.arccos(np.minimum(of_last, 1))
            label = f"angle to the final kernel: {arm}"
            times = parts(measured, arm)[:-1]
            drawn = Series.of(label, times, list(left(angle).T))
            series.append(drawn)
        first = arms[0]
        values = left(np.log(measured("error", arm=first.name)))
        times = parts(measured, first)
        drawn = Series.of(f"ln error: {first}", times, list(values.T))
        series.append(drawn)
        series.append(Series("steady change", (0.0, 1.0), (1.0, 0.0)))
        note = (
            f"{m.backend}. Of the angle what the last 3 epochs move is left out, "
            "as jitter of single steps."
        )
        return plots.figure(
            "How much of all change is still to come", axes, series, note
        )

    return build


def left(values: np.ndarray) -> np.ndarray:
    """The part of all change that is still to come at each time; values (R, C)."""
    return np.asarray((values - values[:, -1:]) / (values[:, :1] - values[:, -1:]))


def there(
    measured: Measured,
    arms: Sequence[Arm],
) -> list[Arm]:
    """The arms whose data set is there.

    Raises:
        DatasetUnavailable: if that of none is.
    """
    lacking = {cell["arm"] for cell, _ in measured.absent}
    found = [arm for arm in arms if arm.name not in lacking]
    if not found:
        raise DatasetUnavailable(
            f"The data sets of {', '.join(map(str, arms))} are not there."
        )
    return found
