"""The empirical NTK in the course of training: how far it has moved, and how well it predicts.

The kernel at a time t of training is compared with itself at other times by centred kernel
alignment, which does not see its scale, and ridge regression with it is judged on test samples: a
kernel may move without predicting better.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from claims.vyas2022.curves import Arrays, initial, kernel_pair, network, optimizer_of
from claims.vyas2022.regression import mistakes, ridge_errors
from claims.vyas2022.tasks import samples
from harness import seeds
from harness.backends import Backend
from harness.measurements import Samples, kept
from harness.networks import Network, Theta
from harness.networks.builder import choice

Kernel = tuple[np.ndarray, np.ndarray]
"""Among the samples regressed on, (R, N, N), and of validation and test samples with them, (R, V +
T, N).
"""

HINT_NOISE = 0.5
AT_ONCE = 2**15
"""Samples whose outputs are taken at once: one pass may see a million."""


def kernel_evolution(
    backend: Backend,
    configuration: Mapping[str, Any],
    replicates: Sequence[int],
    stream: str,
) -> Arrays:
    """The empirical NTK at checkpoints of training: its alignment with itself at other times, and
    its test error.

    Configuration: task, size (samples regressed on), validation, test (counts); net, optimizer,
    rate, as in `curves.train`; batch_size, steps; checkpoints, in steps; schedule "constant" or
    "cosine" (falls to zero); regime: "fixed", trained on the samples regressed on, epoch after
    epoch, or "one-pass", on others, each of them once.
    Returns, per replicate: "cka", (R, C, C) over checkpoints; "error", of ridge regression with the
    kernel at the checkpoint, and "network_error", both rates on test samples, (R, C);
    "train_error", of the network at the end on the samples regressed on, (R,). All are NaN for a
    replicate whose training diverged.

    Raises:
        InvalidInput: for an unknown regime or schedule.
    """
    steps, batch = configuration["steps"], configuration["batch_size"]
    choice("regime", configuration["regime"], ("fixed", "one-pass"))
    choice("schedule", configuration["schedule"], ("constant", "cosine"))
    one_pass = configuration["regime"] == "one-pass"
    drawn, validation, test = _draw(
        configuration, replicates, stream, fresh=steps * batch if one_pass else 0
    )
    known = drawn[: configuration["size"]]
    training = drawn[configuration["size"] :] if one_pass else known
    net, start = _start(configuration, known, replicates, stream)

    def origin(x: np.ndarray) -> np.ndarray | float:
        """What is taken off the outputs: those before training, if f - f_0 is trained."""
        if not configuration["net"]["centred"]:
            return 0.0
        blocks = np.split(x, range(AT_ONCE, x.shape[1], AT_ONCE), axis=1)
        return np.concatenate(
            [backend.forward(net, start, block).astype(float) for block in blocks],
            axis=1,
        )

    trained = backend.train(
        net,
        start,
        training.x,
        configuration["net"]["label_scale"] * training.y + origin(training.x),
        optimizer=optimizer_of(backend, configuration, net, start, known.x),
        steps=steps,
        batch_size=batch,
        batch_seed=[
            seeds.derive("batches", stream=stream, replicate=r) for r in replicates
        ],
        schedule=_factors(configuration["schedule"], steps),
        checkpoints=tuple(configuration["checkpoints"]),
    )
    diverged = trained.reason == "diverged"
    thetas = [
        kept(trained.checkpoints[step], start, diverged)
        for step in configuration["checkpoints"]
    ]
    before, before_known = origin(test.x), origin(known.x)
    errors = [
        mistakes(backend.forward(net, theta, test.x) - before, test.y)[0]
        for theta in thetas
    ]
    last = kept(trained.theta, start, diverged)
    fit, _ = mistakes(backend.forward(net, last, known.x) - before_known, known.y)
    kernels = (
        kernel_pair(backend, net, theta, known, validation, test) for theta in thetas
    )
    judged = _judged(backend, kernels, known, validation, test)
    found = {**judged, "network_error": np.array(errors).T, "train_error": fit}
    for values in found.values():
        values[diverged] = np.nan
    return found


def told_kernel(
    backend: Backend,
    configuration: Mapping[str, Any],
    replicates: Sequence[int],
    stream: str,
) -> Arrays:
    """A kernel that evolves by construction: that at initialisation, ever more clearly told the
    labels.

    With its diagonal brought to 1 on average it gets h h^T added, h = (p y + n / 2) / (p^2 +
    1/4)^1/2, where p is the part of the steps that is done and n is noise of unit variance, drawn
    once: h turns from noise to labels. Test samples are told too, since knowing them is what this
    control is made for.

    Configuration: task, size, validation, test, net, steps, checkpoints, as of `kernel_evolution`.
    Returns, per replicate: "cka" and "error", as there.
    """
    known, validation, test = _draw(configuration, replicates, stream)
    net, start = _start(configuration, known, replicates, stream)
    gram, cross = kernel_pair(backend, net, start, known, validation, test)
    diagonal = np.einsum("rii->r", gram.astype(float))[:, None, None] / gram.shape[1]
    y = np.concatenate([known.y, validation.y, test.y], axis=1)
    draws = [
        seeds.generator("hint", stream=stream, replicate=r).standard_normal(y.shape[1:])
        for r in replicates
    ]
    noise, size = HINT_NOISE * np.array(draws), configuration["size"]

    def told(part: float) -> Kernel:
        hint = (part * y + noise) / (part**2 + HINT_NOISE**2) ** 0.5
        seen = hint[:, :size].transpose(0, 2, 1)
        return gram / diagonal + hint[:, :size] @ seen, cross / diagonal + hint[
            :, size:
        ] @ seen

    kernels = (
        told(step / configuration["steps"]) for step in configuration["checkpoints"]
    )
    return _judged(backend, kernels, known, validation, test)


def unrelated_kernels(
    backend: Backend,
    configuration: Mapping[str, Any],
    replicates: Sequence[int],
    stream: str,
) -> Arrays:
    """The empirical NTKs of independent initialisations, as many as there are checkpoints.

    Configuration: task, size, validation, test, net, checkpoints, as of `kernel_evolution`.
    Returns: "cka", (R, C, C) over initialisations; the first is the one that `kernel_evolution`
        starts from.
    """
    known, _, _ = _draw(configuration, replicates, stream)
    starts = [
        _start(configuration, known, replicates, stream, m)
        for m in range(len(configuration["checkpoints"]))
    ]
    return {
        "cka": alignment(
            [backend.empirical_ntk(net, theta, known.x) for net, theta in starts]
        )
    }


def alignment(grams: Sequence[np.ndarray]) -> np.ndarray:
    """Centred kernel alignment of every pair of kernels: C kernels (R, N, N) -> (R, C, C).

    <H K H, H L H> / (|H K H| |H L H|) in the Frobenius norm, H = I - 1/N (Cortes, Mohri,
    Rostamizadeh 2012; Kornblith et al. 2019). Its arc cosine is an angle, and a metric on kernels
    up to shift and scale.

    >>> k, l = np.diag([1.0, 2.0, 3.0])[None], np.diag([3.0, 2.0, 1.0])[None]
    >>> alignment([k, 5 * k + 7, l]).round(4)[0]
    array([[1.    , 1.    , 0.8462],
           [1.    , 1.    , 0.8462],
           [0.8462, 0.8462, 1.    ]])
    """
    kernels = np.array(grams, dtype=float)
    kernels -= kernels.mean(axis=-1, keepdims=True)
    kernels -= kernels.mean(axis=-2, keepdims=True)
    kernels /= np.linalg.norm(kernels, axis=(-2, -1), keepdims=True)
    flat = kernels.reshape(*kernels.shape[:2], -1).swapaxes(0, 1)
    return np.asarray(flat @ flat.swapaxes(1, 2))


def _judged(
    backend: Backend,
    kernels: Iterable[Kernel],
    known: Samples,
    validation: Samples,
    test: Samples,
) -> Arrays:
    grams, errors = [], []
    for (
        gram,
        cross,
    ) in kernels:  # one at a time: what is kept of each is the smaller part
        grams.append(gram)
        errors.append(
            ridge_errors(
                backend, gram, cross, (gram.shape[1],), known, validation, test
            )[0, :, 0]
        )
    return {"cka": alignment(grams), "error": np.array(errors).T}


def _draw(
    configuration: Mapping[str, Any],
    replicates: Sequence[int],
    stream: str,
    fresh: int = 0,
) -> tuple[Samples, Samples, Samples]:
    """Samples regressed on and `fresh` ones behind them, validation and test samples."""
    counts = (
        configuration["size"] + fresh,
        configuration["validation"],
        configuration["test"],
    )
    return samples(configuration["task"], replicates, stream, counts)


def _start(
    configuration: Mapping[str, Any],
    known: Samples,
    replicates: Sequence[int],
    stream: str,
    member: int = 0,
) -> tuple[Network, Theta]:
    net = network(configuration["net"], known.shape)
    return net, initial(net, replicates, stream, member)


def _factors(schedule: str, steps: int) -> np.ndarray | None:
    """On the learning rate, one per step."""
    return (
        (1 + np.cos(np.pi * np.arange(steps) / steps)) / 2
        if schedule == "cosine"
        else None
    )
