"""Natural gradient descent, and how far the Jacobian drifts from where it started."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from harness import networks, seeds
from harness.backends import Backend
from harness.measurements import images, targets
from harness.networks import Network, Theta

SINGULAR, DIVERGED = 1e-12, 1e8
"""lambda_min / lambda_max, and |r|^2 / |r_0|^2, at which a run stops."""
SIGMA_B = 0.1**0.5

ETA = 0.5
DESCENT = dict(eta=ETA, steps=8, looks=[1, 2, 4, 8], label_scale=1.0, centred=False)
MLP = dict(DESCENT, family="mlp", depth=3, samples=32)
DEEP = dict(DESCENT, family="mlp", depth=16, samples=32)
CNN = dict(DESCENT, family="cnn", depth=2, samples=32)
POOLED_CNN = dict(CNN, family="pooled cnn")
TWO_LAYERS = dict(DESCENT, family="two-layer", depth=1, samples=8)
SCALED = dict(TWO_LAYERS, centred=True)


def natural_gradient(
    backend: Backend,
    configuration: Mapping[str, Any],
    replicates: Sequence[int],
    stream: str,
) -> dict[str, np.ndarray]:
    """theta <- theta - eta J^T (J J^T)^-1 (f - y), and the drift C' = 3 |J - J_0|_2 /
    lambda_min(J_0 J_0^T)^1/2.

    No Jacobian: (J - J_0)(J - J_0)^T = Theta(t, t) - Theta(t, 0) - Theta(0, t) + Theta(0, 0). A run
    whose Gram matrix is singular to rounding, or whose residual has grown without bound, stays
    where it is.

    Configuration: family "two-layer" (10 inputs on a sphere, no biases), "mlp", "cnn" or "pooled
    cnn"; width, depth, samples, label_scale, centred (train f - f_0), eta, steps, looks: the steps
    after which C' is taken.
    Returns per replicate: "residuals", |f - y|^2 after 0 ... steps; "drift", C' at the looks;
    "reach", their largest distance over R = 3 |f_0 - y| / lambda_min^1/2; "ball", C' at R along the
    first step; "eigenvalues" of J_0 J_0^T.
    """
    net, x, y = problem(configuration, replicates, stream)
    start = net.init(
        seeds.derive("init", stream=stream, replicate=r) for r in replicates
    )
    outputs = backend.forward(net, start, x)
    y = configuration["label_scale"] * y + (outputs if configuration["centred"] else 0)
    first = gram = backend.empirical_ntk(net, start, x)
    eigenvalues = np.linalg.eigvalsh(first)
    smallest = np.maximum(eigenvalues[:, 0], SINGULAR * eigenvalues[:, -1])

    def drift(theta: Theta, gram: np.ndarray) -> np.ndarray:
        """C' at theta, whose Gram matrix is given."""
        cross = backend.empirical_ntk(net, start, x, x, theta2=theta)
        squared = np.linalg.eigvalsh(gram - cross - cross.transpose(0, 2, 1) + first)[
            :, -1
        ]
        return 3 * np.sqrt(np.maximum(squared, np.finfo(float).tiny) / smallest)

    theta, residual = start, outputs - y
    drifts, reach = [], []
    residuals = [(residual**2).sum(axis=(1, 2))]
    radius = 3 * np.sqrt(residuals[0] / smallest)
    for step in range(1, configuration["steps"] + 1):
        going = (np.linalg.cond(gram) < 1 / SINGULAR) & (
            residuals[-1] < DIVERGED * residuals[0]
        )
        solution = np.linalg.solve(
            np.where(going[:, None, None], gram, np.eye(x.shape[1])), residual
        )
        direction = backend.pullback(
            net, theta, x, np.where(going[:, None, None], solution, 0)
        )
        if step == 1:
            edge = moved(
                theta, direction, radius / np.where(going, length(direction), 1)
            )
        theta = moved(theta, direction, configuration["eta"])
        residual = backend.forward(net, theta, x) - y
        gram = backend.empirical_ntk(net, theta, x)
        residuals.append((residual**2).sum(axis=(1, 2)))
        if step in configuration["looks"]:
            drifts.append(drift(theta, gram))
            reach.append(
                length({name: theta[name] - start[name] for name in theta}) / radius
            )
    ball = drift(edge, backend.empirical_ntk(net, edge, x))
    return {
        "residuals": np.array(residuals).T,
        "drift": np.array(drifts).T,
        "reach": np.max(reach, axis=0),
        "ball": ball,
        "eigenvalues": eigenvalues,
    }


def problem(
    configuration: Mapping[str, Any],
    replicates: Sequence[int],
    stream: str,
) -> tuple[Network, np.ndarray, np.ndarray]:
    """The network of a configuration, its inputs (R, N, n_0) and its targets +-1, (R, N, 1)."""
    family, width, depth, samples = (
        configuration[key] for key in ("family", "width", "depth", "samples")
    )
    if family == "two-layer":
        return networks.mlp((10, width, 1), sigma_b=None), *on_sphere(
            replicates, stream, samples
        )
    x, classes = images(replicates, stream, samples)
    y = targets(classes, "sign")
    if family == "mlp":
        return networks.mlp((784, *[width] * depth, 1), sigma_b=SIGMA_B), x, y
    parts = [networks.Pool(2), networks.Conv(width)] * depth
    if family == "pooled cnn":
        parts.append(networks.Pool(None))
    return networks.cnn((28, 28, 1), parts, sigma_b=SIGMA_B), x, y


def on_sphere(
    replicates: Sequence[int], stream: str, samples: int
) -> tuple[np.ndarray, np.ndarray]:
    """Inputs of length 10^1/2, uniform in direction, (R, N, 10), and signs at random, (R, N, 1)."""
    draws = [seeds.generator("sphere", stream=stream, replicate=r) for r in replicates]
    x = np.array([rng.standard_normal((samples, 10)) for rng in draws])
    y = np.array([rng.choice([-1.0, 1.0], (samples, 1)) for rng in draws])
    return x * (10**0.5 / np.linalg.norm(x, axis=2, keepdims=True)), y


def length(direction: Theta) -> np.ndarray:
    """Euclidean length over all weights, per replicate."""
    squares = [
        (array**2).sum(axis=tuple(range(1, array.ndim))) for array in direction.values()
    ]
    return np.asarray(np.sqrt(sum(squares)))


def moved(
    theta: Theta,
    direction: Theta,
    by: float | np.ndarray,
) -> Theta:
    """theta - by * direction; `by` is a number, or one per replicate."""
    ends = {}
    for name, array in theta.items():
        ends[name] = (
            array - np.reshape(by, (-1,) + (1,) * (array.ndim - 1)) * direction[name]
        )
    return ends
