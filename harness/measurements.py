"""What is measured: computations from a configuration and replicates to arrays, in any backend.

Each takes (backend, configuration, replicates, stream) and returns arrays with a leading replicate
axis. Seeds come from the named axes (purpose, stream, replicate), so every backend and every arm
sees the same weights and data.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness import datasets, kernels, networks, seeds
from harness.backends import SGD, Backend, Stop
from harness.errors import InvalidInput
from harness.networks import Network, Theta

Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class Samples:
    """Inputs and targets of one role, x (R, N, n_0) and y (R, N, 1); `shape` is that of one input,
    as `cnn` takes it.

    >>> whole = Samples(np.zeros((2, 8, 30)), np.zeros((2, 8, 1)), (30,))
    >>> whole[:4].x.shape, whole[:4].y.shape
    ((2, 4, 30), (2, 4, 1))
    """

    x: np.ndarray
    y: np.ndarray
    shape: tuple[int, ...]

    def __getitem__(self, rows: slice) -> "Samples":
        """Some of the samples, of every replicate."""
        return Samples(self.x[:, rows], self.y[:, rows], self.shape)


def distance_to_limit(
    backend: Backend,
    configuration: Mapping[str, Any],
    replicates: Sequence[int],
    stream: str,
) -> Arrays:
    """Distance of the NTK at initialisation to its limit at infinite width, |Theta_0 - Theta| /
    |Theta| (Frobenius).

    A multilayer perceptron with one output in NTK parametrization, on Gaussian inputs; no data set
    is needed.

    Configuration: width, depth (hidden layers), inputs (their dimension), samples, activation,
    sigma_w2, sigma_b2 (None for no biases), average (the kernel is a mean over this many networks),
    initialisation (the number of an independent draw of the weights of the same replicate).
    Returns: "distance", one per replicate.
    """
    sigma_b2 = configuration["sigma_b2"]
    net = networks.mlp(
        (configuration["inputs"],)
        + (configuration["width"],) * configuration["depth"]
        + (1,),
        configuration["activation"],
        "ntk",
        configuration["sigma_w2"] ** 0.5,
        None if sigma_b2 is None else sigma_b2**0.5,
    )
    shape = configuration["samples"], configuration["inputs"]
    draw = configuration["initialisation"]
    distances = np.empty(len(replicates))
    for r, replicate in enumerate(replicates):
        x = seeds.generator("data", stream=stream, replicate=replicate).standard_normal(
            shape
        )
        members = [
            seeds.derive(
                "init",
                stream=stream,
                replicate=replicate,
                initialisation=draw,
                member=member,
            )
            for member in range(configuration["average"])
        ]
        empirical = backend.empirical_ntk(net, net.init(members), x).mean(axis=0)
        distances[r] = relative_change(empirical, kernels.ntk(net, x))
    return {"distance": distances}


def kernel_change(
    backend: Backend,
    configuration: Mapping[str, Any],
    replicates: Sequence[int],
    stream: str,
) -> Arrays:
    """Change of the empirical NTK over training, Delta = |Theta_t - Theta_0| / |Theta_0|
    (Frobenius, sum of outputs).

    Full-batch gradient descent on the mean squared error (Seleznova, Kutyniok 2020, Experiment B),
    here to a matched loss, with the learning rate a fixed fraction of the edge 2 / lambda_max of
    the Gauss-Newton matrix at the start.

    Configuration: width, depth, samples, activation, parametrization, sigma_w2, sigma_b2; labels
    "one-hot" or "sign"; label_scale; centred (train f - f_0 instead of f); target_loss;
    edge_fraction; max_steps; lane (an independent initialisation of the same replicate).
    Returns per replicate: "kernel_change" (NaN if training diverged), "steps", "initial_loss",
    "final_loss", "reached" (1.0 if the target loss was reached), "loss_curve" (the loss at up to 50
    steps, evenly spaced, NaN after the end).
    """
    net, theta, x, y = task(configuration, replicates, stream)
    if configuration["centred"]:
        # Training f - f_0 towards y is training f towards y + f_0.
        y = y + backend.forward(net, theta, x).astype(float)
    before = backend.empirical_ntk(net, theta, x)
    trained = backend.train(
        net,
        theta,
        x,
        y,
        optimizer=SGD(
            configuration["edge_fraction"]
            * edge(backend.empirical_ntk(net, theta, x, outputs="full"))
        ),
        steps=configuration["max_steps"],
        stop=Stop(loss=configuration["target_loss"]),
    )
    # A seed that diverged has no kernel to speak of: NaN, which no verdict is drawn from; the
    # others keep theirs.
    diverged = trained.reason == "diverged"
    change = relative_change(
        backend.empirical_ntk(net, kept(trained.theta, theta, diverged), x), before
    )
    losses = np.concatenate(
        [trained.losses, np.full((len(replicates), 1), np.nan)], axis=1
    )
    every = np.linspace(0, losses.shape[1] - 1, 50).astype(int)
    return {
        "kernel_change": np.where(diverged, np.nan, change),
        "steps": trained.steps.astype(float),
        "initial_loss": losses[:, 0],
        "final_loss": trained.loss,
        "reached": (trained.reason == "loss").astype(float),
        "loss_curve": losses[:, every],
    }


def task(
    configuration: Mapping[str, Any], replicates: Sequence[int], stream: str
) -> tuple[Network, Theta, np.ndarray, np.ndarray]:
    """What is trained on Fashion-MNIST: a multilayer perceptron, its weights at the start, x (R, N,
    784) and y (R, N, O).

    Configuration: width, depth, samples, activation, parametrization, sigma_w2, sigma_b2, labels,
    label_scale and lane, as of `kernel_change`.
    """
    x, classes = images(replicates, stream, configuration["samples"])
    y = configuration["label_scale"] * targets(classes, configuration["labels"])
    net = networks.mlp(
        (x.shape[2],)
        + (configuration["width"],) * configuration["depth"]
        + (y.shape[2],),
        configuration["activation"],
        configuration["parametrization"],
        configuration["sigma_w2"] ** 0.5,
        configuration["sigma_b2"] ** 0.5,
    )
    lane = configuration["lane"]
    theta = net.init(
        seeds.derive("init", stream=stream, replicate=r, lane=lane) for r in replicates
    )
    return net, theta, x, y


def kept(theta: Theta, start: Theta, diverged: np.ndarray) -> Theta:
    """The weights; those at the start for seeds that diverged, which have no kernel to speak of."""
    return {
        n: np.where(diverged.reshape(-1, *[1] * (a.ndim - 1)), start[n], a)
        for n, a in theta.items()
    }


def edge(kernel: np.ndarray) -> np.ndarray:
    """The largest stable learning rate 2 / lambda_max(H) per seed; H = 2 Theta / (N O) for the mean
    squared error.

    `kernel` is the full empirical NTK, (S, N, N, O, O).
    """
    seeds_count, samples, _, outputs, _ = kernel.shape
    flat = (
        kernel.astype(float)
        .transpose(0, 1, 3, 2, 4)
        .reshape(seeds_count, samples * outputs, samples * outputs)
    )
    return np.asarray(samples * outputs / np.linalg.eigvalsh(flat)[:, -1])


def relative_change(kernel: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """|kernel - reference| / |reference| in the Frobenius norm of the last two axes.

    >>> float(relative_change(np.diag([1.0, 2.0]), np.eye(2)))
    0.7071067811865475
    """
    kernel, reference = (
        np.asarray(kernel, dtype=float),
        np.asarray(reference, dtype=float),
    )
    return np.asarray(
        np.linalg.norm(kernel - reference, axis=(-2, -1))
        / np.linalg.norm(reference, axis=(-2, -1))
    )


def images(
    replicates: Sequence[int], stream: str, samples: int
) -> tuple[np.ndarray, np.ndarray]:
    """Fashion-MNIST per replicate: x (R, samples, 784), pixel means removed, |x|^2 = 784; classes
    (R, samples).

    A replicate's images are the first `samples` of a permutation from its data seed: subsets are
    nested.
    """
    data = datasets.load("fashion-mnist")
    pixels = data.x.reshape(len(data.x), -1).astype(float)
    chosen = np.array(
        [
            seeds.generator("data", stream=stream, replicate=r).permutation(len(pixels))
            for r in replicates
        ]
    )
    chosen = chosen[:, :samples]
    x = pixels[chosen] - pixels.mean(axis=0)
    return x * (
        x.shape[2] ** 0.5 / np.linalg.norm(x, axis=2, keepdims=True)
    ), data.labels[chosen]


def targets(classes: np.ndarray, labels: str) -> np.ndarray:
    """Classes 0..9, (..., N), as regression targets: "one-hot", (..., N, 10), or "sign", (..., N,
    1), +1 below 5.
    """
    if labels == "one-hot":
        return np.eye(10)[classes]
    if labels == "sign":
        return np.where(classes < 5, 1.0, -1.0)[..., None]
    raise InvalidInput(f"Unknown labels {labels!r}. Allowed: one-hot, sign.")
