"""The naive oracle: float64, one sample after another, an explicit Jacobian.

Slow, and obviously right.

The other backends are tested against this file. Nothing here is clever on purpose.
"""

import math
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

import numpy as np

from harness import kernels
from harness.backends.numpy_differences import Differences
from harness.backends.numpy_layers import (
    ACTIVATIONS,
    DERIVATIVES,
    features,
    flatten,
    gradient,
    sample,
    seed_slice,
    seeds_of,
)
from harness.backends.operations import (
    Adam,
    Descent,
    Optimizer,
    Outputs,
    Steps,
    Tensors,
)
from harness.errors import BackendUnavailable, InvalidInput
from harness.networks import Network, Theta


def operations(device: str, dtype: str | None) -> "Oracle":
    """The oracle; it runs on the CPU in float64 only."""
    if device not in ("auto", "cpu"):
        raise BackendUnavailable(
            f"The numpy backend runs on the cpu; device {device!r} is not available."
        )
    if dtype not in (None, "float64"):
        raise InvalidInput(
            f"The numpy backend, the oracle, computes in float64; got dtype {dtype!r}."
        )
    return Oracle()


class Oracle:
    """The operations, written as loops over seeds, samples and outputs."""

    device = "cpu"
    dtype = "float64"

    def session(self) -> AbstractContextManager[Any]:
        """A seed that diverges is told by its loss, as in the other backends, not by NumPy's
        warnings.
        """
        return np.errstate(over="ignore", invalid="ignore")

    def put(self, array: np.ndarray) -> np.ndarray:
        """A copy; floating arrays in float64."""
        return np.array(
            array,
            dtype=float if np.issubdtype(array.dtype, np.floating) else array.dtype,
        )

    def fetch(self, tensor: np.ndarray) -> np.ndarray:
        """The array itself."""
        return tensor

    def autodiff(self) -> "FunctionOracle":
        """The same for a `networks.Function`."""
        return FunctionOracle()

    def forward(self, net: Network, theta: Tensors, x: np.ndarray) -> np.ndarray:
        """f(x), one sample at a time."""
        return np.array(
            [
                [
                    features(net, seed_slice(theta, s), sample(x, s, n))[-1]
                    for n in range(x.shape[1])
                ]
                for s in range(seeds_of(theta))
            ]
        )

    def factors(self, net: Network, theta: Tensors, x: np.ndarray) -> np.ndarray:
        """The Jacobian, (S, N, O, P)."""
        unit = np.eye(net.outputs)
        return np.array(
            [
                [
                    [
                        flatten(gradient(net, seed_slice(theta, s), sample(x, s, n), e))
                        for e in unit
                    ]
                    for n in range(x.shape[1])
                ]
                for s in range(seeds_of(theta))
            ]
        )

    def contract(
        self, net: Network, left: np.ndarray, right: np.ndarray, outputs: Outputs
    ) -> np.ndarray:
        """J J^T."""
        subscripts = "snop,smop->snm" if outputs == "trace" else "snop,smqp->snmoq"
        return np.einsum(subscripts, left, right, optimize=True)

    def sample_bytes(self, net: Network) -> int:
        """One row of the Jacobian per output."""
        return 8 * net.outputs * sum(math.prod(shape) for shape in net.shapes.values())

    def pullback(
        self, net: Network, theta: Tensors, x: np.ndarray, v: np.ndarray
    ) -> Tensors:
        """J^T v, a sum over samples."""
        total = {name: np.zeros_like(array) for name, array in theta.items()}
        for s in range(seeds_of(theta)):
            for n in range(x.shape[1]):
                for name, grad in gradient(
                    net, seed_slice(theta, s), sample(x, s, n), v[s, n]
                ).items():
                    total[name][s] += grad
        return total

    def pushforward(
        self, net: Network, theta: Tensors, x: np.ndarray, tangent: Tensors
    ) -> np.ndarray:
        """J u, with the explicit Jacobian."""
        u = np.array([flatten(seed_slice(tangent, s)) for s in range(seeds_of(theta))])
        return np.einsum("snop,sp->sno", self.factors(net, theta, x), u, optimize=True)

    def ntk_samples(self, net: Network, x: np.ndarray, noise: Tensors) -> np.ndarray:
        """Theta(x, x) of weights that are made explicit, one draw after another."""
        draws = len(next(iter(noise.values())))
        thetas = [
            explicit_weights(net, x, {name: array[d] for name, array in noise.items()})
            for d in range(draws)
        ]
        jacobians = [flatten(gradient(net, theta, x, np.ones(1))) for theta in thetas]
        return np.array([jacobian @ jacobian for jacobian in jacobians])

    def fill_infinite(
        self,
        net: Network,
        x1: np.ndarray,
        x2: np.ndarray | None,
        *,
        tangent: bool,
        memory: int,
        out: np.ndarray,
    ) -> None:
        """By harness.kernels, whose blocks fit into a cache."""
        (kernels.ntk if tangent else kernels.nngp)(net, x1, x2, out)

    def solve_ridges(
        self, gram: np.ndarray, y: np.ndarray, ridges: np.ndarray
    ) -> np.ndarray:
        """By the eigenvalues, of which each must be positive with the ridge."""
        eigenvalues, vectors = np.linalg.eigh(gram)
        shifted = eigenvalues + ridges[:, None]
        found = np.empty((len(ridges), *y.shape))
        for k, denominators in enumerate(shifted):
            found[k] = vectors / denominators @ (vectors.T @ y)
        found[shifted.min(axis=1) <= 0] = np.nan
        return found

    def advance(
        self, net: Network, descent: Descent, steps: Steps
    ) -> tuple[Descent, np.ndarray]:
        """Gradient descent, momentum or Adam on the mean squared error, or on cross-entropy."""
        losses = []
        for k, rate in enumerate(steps.rates):
            x, y = (
                steps.data
                if steps.batches is None
                else minibatch(steps.data, steps.batches[k])
            )
            f = self.forward(net, descent.theta, x)
            loss, slope = (
                squared_error(f, y) if steps.loss == "squared" else cross_entropy(f, y)
            )
            losses.append(loss)
            stopped = ~np.isfinite(loss) | (
                False if steps.target is None else loss <= steps.target
            )
            grads = self.pullback(net, descent.theta, x, slope)
            descent = self._step(
                replace(descent, active=descent.active & ~stopped),
                steps.optimizer,
                grads,
                rate,
            )
        return descent, np.array(losses)

    def _step(
        self, descent: Descent, optimizer: Optimizer, grads: Tensors, rate: np.ndarray
    ) -> Descent:
        step, slots, direction = descent.step + 1, descent.slots, grads
        if isinstance(optimizer, Adam):
            b1, b2 = optimizer.beta1, optimizer.beta2
            m = {name: b1 * slots[0][name] + (1 - b1) * g for name, g in grads.items()}
            v = {
                name: b2 * slots[1][name] + (1 - b2) * g**2 for name, g in grads.items()
            }
            slots = (m, v)
            direction = {
                name: (m[name] / (1 - b1**step))
                / (np.sqrt(v[name] / (1 - b2**step)) + optimizer.epsilon)
                for name in grads
            }
        elif optimizer.momentum:
            direction = {
                name: optimizer.momentum * slots[0][name] + g
                for name, g in grads.items()
            }
            slots = (direction,)
        theta = {name: array.copy() for name, array in descent.theta.items()}
        for s in np.flatnonzero(descent.active):
            for name in theta:
                theta[name][s] -= rate[s] * direction[name][s]
        return Descent(theta, slots, descent.active, step)


class FunctionOracle(Differences, Oracle):  # type: ignore[misc]  # of another kind of network
    """The operations of a `networks.Function`: its Jacobian by differences, the rest as above."""


def squared_error(f: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The mean squared error, (S,), and its derivative by f, (S, N, O)."""
    residual = f - y
    loss = np.mean(residual**2, axis=(1, 2))
    return loss, 2.0 * residual / (y.shape[1] * y.shape[2])


def cross_entropy(f: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The mean cross-entropy, (S,), and its derivative by f, (softmax(f) - y) / N, (S, N, O)."""
    exponentials = np.exp(f - f.max(axis=2, keepdims=True))
    totals = exponentials.sum(axis=2, keepdims=True)
    logarithms = f - f.max(axis=2, keepdims=True) - np.log(totals)
    loss = -(y * logarithms).sum(axis=2).mean(axis=1)
    return loss, (exponentials / totals - y) / y.shape[1]


def minibatch(
    data: tuple[np.ndarray, np.ndarray], index: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The samples of one step: index (S, B) into x (S or 1, N, n_0) and y (S, N, O)."""
    x, y = data
    rows = np.arange(len(index))[:, None]
    return x[rows if x.shape[0] > 1 else 0, index], y[rows, index]


def unit(vector: np.ndarray) -> np.ndarray:
    """vector / |vector|; zero, which has no direction, stays zero (a layer whose ReLUs are all
    off).
    """
    norm = np.linalg.norm(vector)
    return vector / norm if norm > 0 else vector


def explicit_weights(net: Network, x: np.ndarray, noise: Theta) -> Theta:
    """Weights of one network that has exactly the forward and backward signals which the noise
    prescribes.

    With a = x / |x| of the layer's input and d = delta / |delta| of its backpropagated signal, W =
    u a^T + d (P g)^T, where P projects away from a, gives W a = u and W^T delta = a (u . delta) +
    |delta| P g.
    """
    theta: Theta = {
        layer.bias: layer.bias_std * noise[layer.bias]
        for layer in net.layers
        if layer.bias is not None
    }
    inputs, hs = [x], []
    for layer in net.layers:
        h = (
            layer.weight_scale
            * layer.weight_std
            * np.linalg.norm(inputs[-1])
            * noise[f"u{layer.weight}"]
        )
        if layer.bias is not None:
            h = h + layer.bias_scale * theta[layer.bias]
        hs.append(h)
        inputs.append(ACTIVATIONS[net.activation](h))
    delta = np.ones(1)
    for index in range(len(net.layers) - 1, -1, -1):
        layer = net.layers[index]
        a = unit(inputs[index])
        # The backward noise of the first layer would only move the gradient with respect to x.
        u, g = (
            noise[f"u{layer.weight}"],
            noise.get(f"g{layer.weight}", np.zeros(layer.fan_in)),
        )
        theta[layer.weight] = layer.weight_std * (
            np.outer(u, a) + np.outer(unit(delta), g - a * (a @ g))
        )
        upstream = layer.weight_scale * theta[layer.weight].T @ delta
        delta = (
            upstream * DERIVATIVES[net.activation](hs[index - 1])
            if index > 0
            else upstream
        )
    return {name: theta[name] for name in net.shapes}
