"""Figures that the claims on Experiment B share."""

from collections.abc import Mapping
from typing import Any

from harness import plots
from harness.experiment import Experiment, Measurements

DEPTH = "hidden layers"
LABELS = {"kernel_change": "kernel change Delta", "initial_loss": "mean squared error at the start"}
PAPERS_STEPS = 10**5  # at rate 1e-5: flow time 1
AXES = plots.Axes("steps of the paper's 10^5 at rate 10^-5", "kernel change Delta", log_x=True, log_y=True)


def against_depth(
    experiment: Experiment, quantity: str, title: str, phases: Mapping[str, Mapping[str, Any]]
) -> plots.Builder:
    """A quantity of networks trained to a matched loss over their depth, per phase, raw and centred."""
    per = {
        f"{phase}, {arm}": {**where, "centred": arm == "centred"}
        for phase, where in phases.items()
        for arm in ("raw", "centred")
    }
    axes = plots.Axes(DEPTH, LABELS[quantity], log_y=True)
    return plots.lines(experiment, quantity, over="depth", axes=axes, title=title, per=per)


def drift(phases: Mapping[str, Experiment]) -> plots.Builder:
    """Delta during training by the paper's protocol, one line per phase and depth."""

    def build(m: Measurements) -> plots.Figure:
        series = []
        for phase, experiment in phases.items():
            measured = m[experiment]
            for cell in measured.configurations():
                steps = measured.exactly("checkpoint_steps", cell).mean(axis=0)  # (checkpoints,)
                change = measured.exactly("drift", cell)  # (seeds, checkpoints)
                label = f"{phase}, {cell['depth']} layers"
                series.append(plots.Series.of(label, steps / cell["steps"] * PAPERS_STEPS, change.T, log=True))
        note = f"Raw, {m.backend}, geometric mean over seeds. A network that reaches its target loss stops there."
        return plots.figure("Drift of the kernel by the paper's protocol", AXES, series, note)

    return build
