"""The naive oracle: what each step of one network does to one sample, and its backpropagation."""

import math
from collections.abc import Callable

import numpy as np

from harness.backends.operations import Tensors
from harness.networks import Network, Theta
from harness.networks.layers import (
    Activate,
    AveragePool,
    Convolution,
    Dense,
    Step,
    Weighted,
)

erf = np.vectorize(math.erf, otypes=[float])

ScalarFunction = Callable[[np.ndarray], np.ndarray]
ACTIVATIONS: dict[str, ScalarFunction] = {
    "relu": lambda h: np.maximum(h, 0.0),
    "tanh": np.tanh,
    "erf": erf,
    "sigmoid": lambda h: 0.5 * (1.0 + np.tanh(0.5 * h)),
}
DERIVATIVES: dict[str, ScalarFunction] = {
    "relu": lambda h: (h > 0.0).astype(float),
    "tanh": lambda h: 1.0 - np.tanh(h) ** 2,
    "erf": lambda h: 2.0 / np.sqrt(np.pi) * np.exp(-(h**2)),
    "sigmoid": lambda h: 0.25 * (1.0 - np.tanh(0.5 * h) ** 2),
}


def apply(step: Step, theta: Theta, x: np.ndarray) -> np.ndarray:
    """One step of one network on the features of one sample, (size,)."""
    match step:
        case Dense():
            return affine(step, theta, x)
        case Convolution():
            return np.array(
                [affine(step, theta, patch) for patch in padded(x)[step.patches]]
            ).ravel()
        case Activate():
            return ACTIVATIONS[step.name](x)
        case AveragePool():
            return np.array([x[window].mean() for window in windows(step)])


def affine(layer: Weighted, theta: Theta, x: np.ndarray) -> np.ndarray:
    """weight_scale * W x + bias_scale * b."""
    h = layer.weight_scale * theta[layer.weight] @ x
    return h if layer.bias is None else h + layer.bias_scale * theta[layer.bias]


def padded(x: np.ndarray) -> np.ndarray:
    """Features with one zero at the end, which patches index where they reach into the padding."""
    return np.append(x, 0.0)


def windows(pool: AveragePool) -> list[np.ndarray]:
    """For every feature that comes out, the indices of those that it is the mean of."""
    index = np.arange(pool.grid[0] * pool.grid[1] * pool.channels).reshape(
        *pool.grid, pool.channels
    )
    (rows, columns), (height, width) = pool.out, pool.window
    return [
        index[
            r * height : (r + 1) * height, c * width : (c + 1) * width, channel
        ].ravel()
        for r in range(rows)
        for c in range(columns)
        for channel in range(pool.channels)
    ]


def features(net: Network, theta: Theta, x: np.ndarray) -> list[np.ndarray]:
    """What goes into each step, and what comes out of the last, of one network and one sample, x
    (n_0,).
    """
    found = [x]
    for step in net.steps:
        found.append(apply(step, theta, found[-1]))
    return found


def gradient(net: Network, theta: Theta, x: np.ndarray, v: np.ndarray) -> Theta:
    """d <v, f(x)> / d theta for one network and one sample, by backpropagation; v (O,)."""
    inputs = features(net, theta, x)[:-1]
    grads: Theta = {}
    delta = v
    for step, entering in zip(reversed(net.steps), reversed(inputs), strict=True):
        if isinstance(step, Weighted):
            grads |= layer_gradient(step, entering, delta)
        delta = pulled_back(step, theta, entering, delta)
    return {name: grads[name] for name in net.shapes}


def layer_gradient(layer: Weighted, x: np.ndarray, delta: np.ndarray) -> Theta:
    """Gradient of one layer's parameters: a sum over positions, of which a dense layer has one."""
    patches = padded(x)[layer.patches] if isinstance(layer, Convolution) else x[None]
    deltas = delta.reshape(len(patches), layer.fan_out)
    pairs = zip(deltas, patches, strict=True)
    grads = {
        layer.weight: layer.weight_scale
        * sum((np.outer(d, patch) for d, patch in pairs), start=np.array(0.0))
    }
    if layer.bias is not None:
        grads[layer.bias] = layer.bias_scale * deltas.sum(axis=0)
    return grads


def pulled_back(
    step: Step, theta: Theta, x: np.ndarray, delta: np.ndarray
) -> np.ndarray:
    """The signal before a step from the signal after it: its Jacobian, transposed, times delta."""
    match step:
        case Dense():
            return step.weight_scale * theta[step.weight].T @ delta
        case Convolution():
            before = np.zeros(len(x) + 1)
            for index, d in zip(
                step.patches, delta.reshape(step.positions, step.fan_out), strict=True
            ):
                np.add.at(before, index, step.weight_scale * theta[step.weight].T @ d)
            return before[:-1]
        case Activate():
            return delta * DERIVATIVES[step.name](x)
        case AveragePool():
            before = np.zeros_like(x)
            for d, window in zip(delta, windows(step), strict=True):
                before[window] += d / len(window)
            return before


def flatten(theta: Theta) -> np.ndarray:
    """All parameters of one network in one vector, (P,)."""
    return np.concatenate([array.ravel() for array in theta.values()])


def seed_slice(theta: Tensors, seed: int) -> Theta:
    """The weights of one seed."""
    return {name: array[seed] for name, array in theta.items()}


def sample(x: np.ndarray, seed: int, n: int) -> np.ndarray:
    """Sample n of one seed; data without a seed axis of its own is shared."""
    return x[seed if x.shape[0] > 1 else 0, n]


def seeds_of(theta: Tensors) -> int:
    """Length of the seed axis."""
    return len(next(iter(theta.values())))
