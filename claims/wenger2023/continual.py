"""Continual learning: tasks one after the other in one network with a single head, and its accuracy
on each of them.

What the network forgets of them is computed in `forgetting`.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from operator import itemgetter
from typing import Any

import numpy as np

from harness import datasets, networks, seeds
from harness.backends import SGD, Backend, Stop, training
from harness.errors import InvalidInput
from harness.measurements import edge, kept
from harness.networks import Network, Theta

Arrays = dict[str, np.ndarray]
PROBE = 64
"""The edge of stability is taken on so many images: its eigenvalue belongs to their mean, and
hardly needs more.
"""


def rotation(side: int, degrees: float) -> np.ndarray:
    """The matrix (side^2, side^2) that turns an image, flattened row by row, counterclockwise about
    its middle.

    Bilinear: a pixel of the turned image is the mean of the four that its place falls among in the
    original, weighted by nearness; what lies outside the original is 0.

    >>> (rotation(2, 90) @ [1, 2, 3, 4]).round(3)
    array([2., 4., 1., 3.])
    """
    row, column = (np.indices((side, side)).reshape(2, -1, 1) - (side - 1) / 2).round(9)
    cosine, sine = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    from_row, from_column = cosine * row + sine * column, cosine * column - sine * row
    near = [
        np.maximum(1 - np.abs(there - here.T), 0)
        for there, here in ((from_row, row), (from_column, column))
    ]
    return np.asarray(near[0] * near[1])


def continual(
    backend: Backend,
    configuration: Mapping[str, Any],
    replicates: Sequence[int],
    stream: str,
) -> Arrays:
    """Accuracy on every task after training on each, by SGD with momentum from where the last task
    ended.

    One hidden layer, ReLU, standard parametrization, PyTorch's default weights; one-hot targets.
    Velocities start anew in each task.

    Configuration: dataset, options, shrink: see `images`; tasks: list of {"angle": degrees,
    "classes": those that take part, in the order of the outputs}, as many classes in each; samples
    for training in each task, same_images (or others in each task), tests; width; loss "squared" or
    "cross-entropy"; rate: {"fixed": r}, or {"edge": a part} of the edge of stability at the start;
    momentum, batch_size, steps: the most per task; stop: {"accuracy": a} or {"loss": l} on the
    task's training images, or {} for all steps; every: steps between two looks. Other keys only
    name the cell.
    Returns per replicate: "accuracy", (R, T, T), a[t, i] on the test images; per task, (R, T):
    "steps"; the training "loss" and "fitted", the training accuracy, at the end; "reached", 1.0
    where the stopping rule was; and "rate_over_edge", (R,). From the task on whose training
    diverges, accuracies and loss of a replicate are NaN, and nothing is reached.
    """
    data = [
        task_images(configuration, replicates, stream, t)
        for t in range(len(configuration["tasks"]))
    ]
    x, y = data[0][0]
    net = networks.mlp(
        (x.shape[2], configuration["width"], y.shape[2]),
        parametrization="standard",
        sigma_b=0.0,
    )
    theta = start = networks.default_weights(
        net, [seeds.derive("init", stream=stream, replicate=r) for r in replicates]
    )
    limit = edge_at(backend, net, theta, x[:, :PROBE], configuration["loss"])
    rate = (
        limit * configuration["rate"]["edge"]
        if "edge" in configuration["rate"]
        else configuration["rate"]["fixed"]
    )
    rule = configuration["stop"]
    diverged = np.zeros(len(replicates), dtype=bool)
    found: dict[str, list[np.ndarray]] = {
        "accuracy": [],
        "steps": [],
        "loss": [],
        "fitted": [],
        "reached": [],
    }
    for t, ((x, y), _) in enumerate(data):
        trained = backend.train(
            net,
            theta,
            x,
            y,
            optimizer=SGD(rate, configuration["momentum"]),
            steps=configuration["steps"],
            loss=configuration["loss"],
            batch_size=configuration["batch_size"],
            batch_seed=[
                seeds.derive("batches", stream=stream, replicate=r, task=t)
                for r in replicates
            ],
            stop=Stop(**rule, every=configuration["every"]),
        )
        # A replicate that diverged is NaN from then on; others go on, beside it at its weights of
        # the start.
        diverged |= trained.reason == "diverged"
        theta = kept(trained.theta, start, diverged)
        right = np.array(
            [training.accuracy(backend.forward(net, theta, x), y) for _, (x, y) in data]
        ).T
        fitted = training.accuracy(backend.forward(net, theta, x), y)
        reached = np.isin(trained.reason, list(rule) or ["steps"])
        found["accuracy"].append(np.where(diverged[:, None], np.nan, right))
        found["steps"].append(trained.steps.astype(float))
        found["loss"].append(np.where(diverged, np.nan, trained.loss))
        found["fitted"].append(np.where(diverged, np.nan, fitted))
        found["reached"].append((reached & ~diverged).astype(float))
    return {name: np.stack(values, axis=1) for name, values in found.items()} | {
        "rate_over_edge": rate / limit
    }


def edge_at(
    backend: Backend,
    net: Network,
    theta: Theta,
    x: np.ndarray,
    loss: str,
) -> np.ndarray:
    """The largest stable learning rate 2 / lambda_max(G), (R,), of the Gauss-Newton matrix G at
    weights theta, by inputs x (R, N, n_0).

    G = J^T H J for the Hessian H of the loss by the outputs: 2 / (N O) times the identity for the
    mean squared error, and for cross-entropy a block (diag p - p p^T) / N per image, p the
    probabilities of its classes. With a square root S S^T = H the eigenvalues of G are those of
    S^T Theta S, Theta = J J^T.
    """
    kernel = backend.empirical_ntk(net, theta, x, outputs="full").astype(float)
    if loss == "squared":
        return edge(kernel)
    replicates, samples, _, classes, _ = kernel.shape
    outputs = backend.forward(net, theta, x).astype(float)
    exponentials = np.exp(outputs - outputs.max(axis=2, keepdims=True))
    root = np.sqrt(exponentials / exponentials.sum(axis=2, keepdims=True))  # of p
    # diag p - p p^T = S S^T with S = diag(root) (1 - root root^T), since |root| = 1.
    projection = np.eye(classes) - root[..., :, None] * root[..., None, :]
    s = root[..., :, None] * projection  # (R, N, O, O)
    right = np.einsum("rnmop,rmpq->rnmoq", kernel, s, optimize=True)
    both = np.einsum("rnoq,rnmop->rnmqp", s, right, optimize=True)
    size = samples * classes
    flat = both.transpose(0, 1, 3, 2, 4).reshape(replicates, size, size) / samples
    return np.asarray(2 / np.linalg.eigvalsh(flat)[:, -1])


def task_images(
    configuration: Mapping[str, Any],
    replicates: Sequence[int],
    stream: str,
    task: int,
) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Training and test images of a task: inputs (R, N, pixels) and one-hot targets (R, N,
    classes).

    A permutation of the set per replicate decides: of the images whose class takes part, the first
    are for testing, the same for all tasks with these classes, and the next are for training: the
    same in each task where the configuration says so, else others.

    Raises:
        InvalidInput: if the set has too few images of the task's classes.
    """
    x, labels = images(
        configuration["dataset"],
        tuple(sorted(configuration["options"].items())),
        configuration["shrink"],
    )
    classes, angle = (
        configuration["tasks"][task]["classes"],
        configuration["tasks"][task]["angle"],
    )
    tests, samples = configuration["tests"], configuration["samples"]
    part = np.flatnonzero(np.isin(labels, classes))
    sets = 1 if configuration["same_images"] else task + 1
    first, needed = tests + (sets - 1) * samples, tests + sets * samples
    if len(part) < needed:
        raise InvalidInput(
            f"Data set {configuration['dataset']!r} has {len(part)} images of the classes "
            f"{list(classes)}; {tests} for testing and {sets} times {samples} for training are "
            f"{needed}. Ask for fewer."
        )
    orders = [
        seeds.generator("data", stream=stream, replicate=r).permutation(part)
        for r in replicates
    ]
    turn, of_class = rotation(x.shape[1], angle), np.array(classes)
    both = [
        np.array(list(map(itemgetter(rows), orders)))
        for rows in (slice(first, first + samples), slice(tests))
    ]
    train, test = (
        (turned(x[i], turn), (labels[i][..., None] == of_class).astype(float))
        for i in both
    )
    return train, test


def turned(
    x: np.ndarray,
    turn: np.ndarray,
) -> np.ndarray:
    """Images (..., side, side[, channels]) turned by a `rotation` and flattened, (..., pixels)."""
    flat = x.reshape(*x.shape[:2], len(turn), -1)
    return np.einsum("pq,rnqc->rnpc", turn, flat, optimize=True).reshape(
        *x.shape[:2], -1
    )


@cache
def images(
    dataset: str,
    options: tuple[tuple[str, Any], ...],
    shrink: int,
) -> tuple[np.ndarray, np.ndarray]:
    """A data set's images and labels, squares of `shrink` pixels averaged; (N, side, side[,
    channels]), float32.

    Divided by the root mean square of all pixels. Not centred: the background stays 0, which is
    what rotation fills in with.
    """
    data = datasets.load(dataset, **dict(options))
    side = data.x.shape[1] // shrink
    x = data.x.reshape(len(data), side, shrink, side, shrink, *data.x.shape[3:]).mean(
        axis=(2, 4)
    )
    return x / np.sqrt((x**2).mean()), data.labels
