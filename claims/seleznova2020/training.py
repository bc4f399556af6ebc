"""Training as the paper does it, and at a matched loss: the computations of the claims on
Experiment B.

All train in the span of the images (`in_span`), where the same numbers cost less.
"""

from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import Any

import numpy as np

from claims.seleznova2020.in_span import InSpan
from harness import measurements
from harness.backends import SGD, Backend, Stop
from harness.errors import InvalidInput
from harness.experiment import Configuration, grid
from harness.measurements import Arrays, edge, kept, relative_change, task
from harness.networks import Network, Theta

NETWORK = dict(width=64, activation="relu", parametrization="standard", sigma_b2=1.0)
TASK = dict(samples=32, labels="one-hot", label_scale=1.0, lane=0)
LARGE = dict(width=256, samples=128)  # what the full tier trains


def at_loss(**axes: Any) -> tuple[Configuration, ...]:
    """Configurations of `kernel_change`, as `grid` makes them: half the edge of stability, to loss
    0.05.
    """
    descent = dict(edge_fraction=0.5, max_steps=20_000, target_loss=0.05)
    return grid(**{**NETWORK, **TASK, **descent, **axes})


def by_protocol(steps_at: Mapping[int, int], **axes: Any) -> tuple[Configuration, ...]:
    """Configurations of `training_by_protocol`, one per depth with its number of steps.

    The paper trains for flow time 1 at width 256, which is 256 / M at width M.
    """
    common = {
        **NETWORK,
        **TASK,
        "centred": False,
        "edge_fraction": None,
        "flow_time": 4.0,
        **axes,
    }
    return tuple(
        cell
        for depth, steps in steps_at.items()
        for cell in grid(**common, depth=depth, steps=steps)
    )


def kernel_change(
    backend: Backend,
    configuration: Mapping[str, Any],
    replicates: Sequence[int],
    stream: str,
) -> Arrays:
    """`harness.measurements.kernel_change`, in the span of the images."""
    return measurements.kernel_change(
        InSpan.of(backend), configuration, replicates, stream
    )


def training_by_protocol(
    backend: Backend,
    configuration: Mapping[str, Any],
    replicates: Sequence[int],
    stream: str,
) -> Arrays:
    """Training as Seleznova and Kutyniok (2020, Experiment B) do it: a number of steps, whatever
    the loss by then.

    Full-batch gradient descent on the mean squared error. The rate is one for all seeds, flow_time
    / steps, or each seed's own fraction of the edge. Gradient flow depends on rate times steps
    alone, so the paper's 10^5 steps at rate 10^-5 are flow time 1. The kernel of the hidden layers
    grows as the width, so at width M the same training takes 256 / M; that of the first layer grows
    as |x|^2 instead, so with |x|^2 = 784 and M = 64 shallow networks are trained longer by this
    rule than at 256.

    Configuration: as of `harness.measurements.kernel_change`, but for how long and how fast:
    flow_time or edge_fraction, the other null; steps; target_loss, or null to go on to the last
    step.
    Returns per replicate: "kernel_change" at the end and "min_loss" (both NaN if training
    diverged), "steps", "linearised_loss" (what descent with Theta_0 frozen has after as many
    steps), "constant_loss" (of the best constant), "rate_over_edge", "condition" (lambda_max over
    the median eigenvalue of the full Theta_0); and at up to 8 "checkpoint_steps", evenly spaced in
    the logarithm, or the end where that is before: "drift" (the kernel change) and
    "checkpoint_losses", (replicates, checkpoints).

    Raises:
        InvalidInput: unless exactly one of flow_time and edge_fraction is given.
    """
    backend = InSpan.of(backend)
    net, theta, x, labels = task(configuration, replicates, stream)
    start = backend.forward(net, theta, x).astype(float)
    y = labels + start if configuration["centred"] else labels
    full = backend.empirical_ntk(net, theta, x, outputs="full").astype(float)
    spectrum, modes = np.linalg.eigh(
        full.transpose(0, 1, 3, 2, 4).reshape(len(full), labels[0].size, labels[0].size)
    )
    limit = labels[0].size / spectrum[:, -1]
    rate = _rate(configuration, limit)
    checkpoints = tuple(
        int(step)
        for step in np.unique(np.geomspace(1, configuration["steps"], 8).astype(int))
    )
    trained = backend.train(
        net,
        theta,
        x,
        y,
        optimizer=SGD(rate),
        steps=configuration["steps"],
        stop=Stop(loss=configuration["target_loss"]),
        checkpoints=checkpoints,
    )
    diverged = trained.reason == "diverged"
    before = full.trace(axis1=3, axis2=4)
    drift = [
        np.where(
            diverged,
            np.nan,
            relative_change(
                backend.empirical_ntk(net, kept(now, theta, diverged), x), before
            ),
        )
        for now in (*trained.checkpoints.values(), trained.theta)
    ]
    taken = np.minimum(np.array(checkpoints), trained.steps[:, None])
    losses = np.column_stack([trained.losses, np.full(len(replicates), np.nan)])
    losses[np.arange(len(replicates)), trained.steps] = trained.loss
    return {
        "kernel_change": drift[-1],
        "steps": trained.steps.astype(float),
        "min_loss": np.where(diverged, np.nan, np.nanmin(losses, axis=1)),
        "linearised_loss": linearised_loss(
            spectrum, modes, start - y, rate, trained.steps
        ),
        "constant_loss": labels.var(axis=1).mean(axis=1),
        "rate_over_edge": rate / limit,
        "condition": spectrum[:, -1]
        / np.abs(np.median(spectrum, axis=1)),  # which rounding may make negative
        "checkpoint_steps": taken.astype(float),
        "drift": np.column_stack(drift[:-1]),
        "checkpoint_losses": np.take_along_axis(losses, taken, axis=1),
    }


def training_map(
    backend: Backend,
    configuration: Mapping[str, Any],
    replicates: Sequence[int],
    stream: str,
) -> Arrays:
    """Training of one architecture from several phases, for a map: the end of it alone, under names
    of its own.

    The same images, weights and descent as `kernel_change` and `training_by_protocol`, whose names
    stay theirs.

    Configuration: as of `kernel_change`, with a list of values for sigma_w2, `steps` for max_steps,
    and flow_time: if given, the rate is flow_time / steps where that is no more than edge_fraction
    of the edge 2 / lambda_max, and otherwise that fraction, so that the steps may not last; first:
    only replicates numbered below it are trained. Returns, each (replicates, sigma_w2), NaN for
    replicates that are not trained: "map_change", Delta at the end, and "map_loss", the least, both
    NaN if training diverged; "map_reached", 1.0 if the target loss was; "map_lasted", 1.0 if it was
    or, without divergence, the flow time went by.
    """
    phases, steps = configuration["sigma_w2"], configuration["steps"]
    chosen = [
        replicate for replicate in replicates if replicate < configuration["first"]
    ]
    net, theta, x, y = _phases(configuration, chosen, stream)
    spanned = InSpan.of(backend)
    if configuration["centred"]:
        y = y + spanned.forward(net, theta, x).astype(float)
    full = spanned.empirical_ntk(net, theta, x, outputs="full").astype(float)
    flow_time = configuration["flow_time"] or 0.0
    rate = configuration["edge_fraction"] * edge(full)
    rate = np.minimum(rate, flow_time / steps) if flow_time else rate
    stop = Stop(loss=configuration["target_loss"])
    trained = spanned.train(
        net, theta, x, y, optimizer=SGD(rate), steps=steps, stop=stop
    )
    diverged, reached = trained.reason == "diverged", trained.reason == "loss"
    change = relative_change(
        spanned.empirical_ntk(net, kept(trained.theta, theta, diverged), x),
        full.trace(axis1=3, axis2=4),
    )
    least = np.fmin(np.fmin.reduce(trained.losses, axis=1), trained.loss)
    found = {
        "map_change": np.where(diverged, np.nan, change),
        "map_loss": np.where(diverged, np.nan, least),
        "map_reached": reached.astype(float),
        "map_lasted": (reached | ~diverged & (rate * steps > 0.999 * flow_time)).astype(
            float
        ),
    }
    arrays = {name: np.full((len(replicates), len(phases)), np.nan) for name in found}
    for name, array in found.items():
        arrays[name][np.isin(replicates, chosen)] = array.reshape(
            len(phases), len(chosen)
        ).T
    return arrays


def _phases(
    configuration: Mapping[str, Any],
    replicates: Sequence[int],
    stream: str,
) -> tuple[Network, Theta, np.ndarray, np.ndarray]:
    """The network, the weights of every phase and replicate in it, one phase after another, images
    and labels.
    """
    starts = [
        task({**configuration, "sigma_w2": sigma_w2}, replicates, stream)
        for sigma_w2 in configuration["sigma_w2"]
    ]
    nets, weights, x, y = zip(*starts, strict=True)
    theta = {
        name: np.concatenate(list(map(itemgetter(name), weights)))
        for name in weights[0]
    }
    # Which phase it is, is in the weights alone: any of the nets is the one that all are trained
    # in.
    return nets[0], theta, np.concatenate(x), np.concatenate(y)


def _rate(
    configuration: Mapping[str, Any],
    limit: np.ndarray,
) -> np.ndarray:
    flow_time, fraction = configuration["flow_time"], configuration["edge_fraction"]
    if (flow_time is None) == (fraction is None):
        raise InvalidInput(
            f"Give flow_time or edge_fraction, and the other as null; got {flow_time}, {fraction}."
        )
    return (
        fraction * limit
        if flow_time is None
        else np.full_like(limit, flow_time / configuration["steps"])
    )


def linearised_loss(
    spectrum: np.ndarray,
    modes: np.ndarray,
    residual: np.ndarray,
    rate: np.ndarray,
    steps: np.ndarray,
) -> np.ndarray:
    """The mean squared error of gradient descent with a frozen kernel, |(1 - 2 rate Theta_0 / N
    O)^steps r_0|^2 / N O.

    Eigenvalues (S, N O) and eigenvectors (S, N O, N O) of the kernel, r_0 = f_0 - y as (S, N, O),
    rate and steps (S,).
    """
    along = np.einsum("sab,sa->sb", modes, residual.reshape(spectrum.shape))
    factors = 1 - 2 * rate[:, None] * spectrum / spectrum.shape[1]
    with np.errstate(over="ignore"):  # above the edge it grows without bound
        return np.asarray(((factors ** steps[:, None] * along) ** 2).mean(axis=1))
