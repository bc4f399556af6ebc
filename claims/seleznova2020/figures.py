"""Figures that the claims on Experiment B share."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from claims.seleznova2020 import phase_maps
from claims.seleznova2020.runs import Change, Constancy, Trainability
from claims.seleznova2020.settings import (
    BEST_CONSTANT,
    DEEP,
    DEEPEST,
    DEPTHS,
    RELU,
    SETTINGS,
    part_left,
)
from harness import plots
from harness.experiment import Experiment, Measurements
from harness.plots import Axes, Builder, Figure, Series

DEPTH = "hidden layers"
LABELS = {
    "kernel_change": "kernel change Delta",
    "drift": "kernel change Delta",
    "initial_loss": "mean squared error at the start",
    "min_loss": "least mean squared error",
    "checkpoint_losses": "mean squared error",
}
PAPERS_STEPS = 10**5  # at rate 1e-5: flow time 1


@dataclass(frozen=True)
class Arm:
    """Some configurations of an experiment, one per depth, and the quantity to show; "" for the
    figure's own.
    """

    experiment: Experiment
    where: Mapping[str, Any] = field(default_factory=dict)
    quantity: str = ""


def against_depth(
    experiment: Experiment, quantity: str, title: str, net: str
) -> Builder:
    """A quantity of networks trained to a matched loss over their depth, per phase, raw and
    centred.
    """
    setting = SETTINGS[net]
    per = {
        f"{phase}, {arm}": {"sigma_w2": sigma_w2, "centred": arm == "centred"}
        for phase, sigma_w2 in (
            ("ordered", setting.ordered),
            ("chaotic", setting.chaotic),
        )
        for arm in ("raw", "centred")
    }
    axes = Axes(DEPTH, LABELS[quantity], log_y=True)
    return plots.lines(
        experiment, quantity, over="depth", axes=axes, title=title, per=per
    )


def of_arms(
    quantity: str,
    title: str,
    arms: Mapping[str, Arm],
    *,
    reference: float,
    note: str = "",
    paper: Sequence[Series] = (),
) -> Builder:
    """A quantity over depth, one line per arm, beside what the paper shows."""
    axes = Axes(DEPTH, LABELS[quantity], log_y=True, reference=reference)

    def build(m: Measurements) -> Figure:
        series = []
        for label, arm in arms.items():
            measured = m[arm.experiment]
            depths = measured.axis("depth", **arm.where)
            values = [
                measured(arm.quantity or quantity, depth=depth, **arm.where)
                for depth in depths
            ]
            drawn = Series.of(label, depths, values, log=True)
            series.append(drawn)
        return plots.figure(
            title,
            axes,
            [*series, *paper],
            f"{m.backend}, geometric mean over seeds. {note}",
        )

    return build


def part_learnt(experiments: Mapping[str, Experiment]) -> Builder:
    """The part of the labels' variance that is learnt by the end, over depth, one line per
    experiment.
    """
    axes = Axes(DEPTH, "part of the labels' variance learnt")

    def build(m: Measurements) -> Figure:
        series = []
        for label, experiment in experiments.items():
            measured = m[experiment]
            depths = measured.axis("depth")
            series.append(
                Series.of(
                    label,
                    depths,
                    [1 - part_left(measured, depth=depth) for depth in depths],
                )
            )
        note = (
            f"{m.backend}, mean over seeds. No more than what is learnt can have "
            "moved the kernel for the labels."
        )
        return plots.figure(
            "What was learnt by the end of the protocol", axes, series, note
        )

    return build


def conditioning(arms: Mapping[str, Arm]) -> Builder:
    """The part that is left against the condition number of the kernel at the start, one point per
    depth.
    """
    axes = Axes(
        "log10 of the condition number of Theta_0",
        "part of the labels' variance left",
        log_y=True,
    )

    def build(m: Measurements) -> Figure:
        series = []
        for label, arm in arms.items():
            measured = m[arm.experiment]
            depths = measured.axis("depth", **arm.where)
            condition = [
                measured("condition", depth=depth, **arm.where) for depth in depths
            ]
            places = np.log10(condition).mean(axis=1).round(1)  # (depths,)
            values = [part_left(measured, depth=depth, **arm.where) for depth in depths]
            drawn = Series.of(label, places, values, log=True)
            series.append(drawn)
        note = f"lambda_max over the median eigenvalue. {m.backend}, geometric means over seeds."
        return plots.figure(
            "Conditioning and what is left to learn", axes, series, note
        )

    return build


def course(
    quantity: str,
    title: str,
    arms: Mapping[str, Experiment],
) -> Builder:
    """The drift, or the losses at checkpoints, during training by the paper's protocol, one line
    per arm and depth.
    """
    steps_of_paper = "steps of the paper's 10^5 at rate 10^-5"
    axes = Axes(steps_of_paper, LABELS[quantity], log_x=True, log_y=True)

    def build(m: Measurements) -> Figure:
        series = []
        for label, experiment in arms.items():
            measured = m[experiment]
            for cell in measured.configurations():
                # (checkpoints,)
                steps = measured.exactly("checkpoint_steps", cell).mean(axis=0)
                values = measured.exactly(quantity, cell)  # (seeds, checkpoints)
                places = steps / cell["steps"] * PAPERS_STEPS
                series.append(
                    Series.of(
                        f"{label}, {cell['depth']} layers",
                        places,
                        list(values.T),
                        log=True,
                    )
                )
        note = (
            f"{m.backend}, geometric mean over seeds. "
            "A network that reaches its target loss stops there."
        )
        return plots.figure(title, axes, series, note)

    return build


def of_trainability(run: Trainability) -> list[Builder]:
    """What is left to learn over depth and over conditioning, the course of training at the fixed
    rate, and the maps.
    """
    arms = {f"{net}, fixed rate": Arm(run.slow[net]) for net in run.slow}
    arms["ReLU, sigma_w^2 = 0.5, fixed rate"] = Arm(run.more_ordered)
    for net, experiment in run.faster.items():
        arms[f"{net}, half the edge"] = Arm(experiment)
    read = "paper, ReLU, sigma_w^2 = 0.5, M = 256, read off"
    losses = of_arms(
        "min_loss",
        "Trainability against depth",
        arms,
        reference=BEST_CONSTANT,
        note="Read off the paper (ReLU): about 0.09 up to sigma_w^2 = 0.9 with 10 layers and 1.2 "
        "with 20.",
        paper=[Series(read, (DEEP, DEEPEST), (0.09, 0.09))],
    )
    title = "Loss during training at the fixed rate"
    return [
        losses,
        conditioning(arms),
        course("checkpoint_losses", title, run.slow),
        loss_map(run.map_slow, [run.slow[RELU], run.more_ordered], "fixed rate"),
        loss_map(run.map_faster, [run.faster[RELU]], "half the edge"),
    ]


def loss_map(
    mapped: Experiment,
    own: Sequence[Experiment],
    protocol: phase_maps.Protocol,
) -> Builder:
    """The map of the least loss of raw networks; see `phase_maps.figure`."""
    return phase_maps.figure(
        mapped,
        own,
        protocol,
        phase_maps.LOSS,
        centred=False,
        reference=BEST_CONSTANT,
    )


def of_change(run: Change) -> list[Builder]:
    """The kernel's change at a matched loss over depth, where raw networks start, the course of the
    drift by the paper's protocol, and the maps.
    """
    figures = []
    for net, experiment in run.matched.items():
        title = f"Kernel change at training loss 0.05, {net}"
        figures.append(against_depth(experiment, "kernel_change", title, net))
    relu = run.matched[RELU]
    far_off = "A raw chaotic network starts far off, ReLU"
    figures.append(against_depth(relu, "initial_loss", far_off, RELU))
    title = "Drift of the kernel by the paper's protocol, ReLU"
    arms = {"ordered": run.ordered, "chaotic": run.chaotic}
    figures.append(course("drift", title, arms))
    for centred in (False, True):
        figures.append(
            phase_maps.figure(
                run.mapped,
                [relu],
                "matched loss",
                phase_maps.CHANGE,
                centred=centred,
            )
        )
    return figures


def of_constancy(run: Constancy, reference: float) -> list[Builder]:
    """The course of the drift, the kernel's change over depth, what was learnt, and the map."""
    arms = {f"{net}, by protocol": Arm(run.raw[net]) for net in run.raw}
    arms["ReLU, by protocol, sigma_w^2 = 0.5"] = Arm(run.more_ordered)
    for net, experiment in run.matched.items():
        arms[f"{net}, at loss 0.05"] = Arm(experiment, dict(centred=False))
    most = Series("paper, ReLU, M = 256, read off: most", DEPTHS, (2**-4,) * 3)
    changes = of_arms(
        "kernel_change",
        "Kernel change against depth",
        arms,
        reference=reference,
        paper=[most],
    )
    mapped = phase_maps.figure(
        run.mapped,
        [run.raw[RELU], run.more_ordered],
        "fixed rate",
        phase_maps.CHANGE,
        centred=False,
    )
    drift = course("drift", "Drift of the kernel during training", run.raw)
    return [drift, changes, part_learnt(run.raw), mapped]
