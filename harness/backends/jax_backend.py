"""JAX.

The same computation as compiled functions of one network, mapped over seeds; descent as one
compiled loop.

Tolerances against the oracle, relative in the Frobenius norm: float64 1e-10 and float32 1e-5.
Measured: 6e-16 and 3e-7. Matrix products run at "highest" precision, so there is no TF32. x64 is
switched on inside a session only.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any, TypeAlias

import numpy as np

from harness.backends.cost import structured_bytes
from harness.backends.infinite_steps import Kernel
from harness.backends.infinite_width import fill
from harness.backends.operations import Descent, Net, Outputs, Steps, Tensors
from harness.errors import BackendUnavailable
from harness.networks import Network
from harness.networks.layers import Activation

try:
    import jax
    import jax.numpy as jnp
except ImportError as error:
    raise BackendUnavailable(
        "The jax backend was asked for, but JAX is not installed. Install it: pip install "
        "'ntk-claims[jax]'."
    ) from error

from harness.backends.jax_autodiff import JaxAutodiff, compiled, first
from harness.backends.jax_descent import (
    Loop,
    Method,
    run,
    run_in_parts,
    seeds_together,
)
from harness.backends.jax_infinite import JaxArrays
from harness.backends.jax_layers import (
    ACTIVATIONS,
    derivative,
    layer_grams,
    layer_signals,
    network,
    over_seeds,
)
from harness.backends.jax_ridge import solve_ridges

Array: TypeAlias = jax.Array

FORWARD = 256
"""Samples of one call of the forward pass on a CPU."""
RUN = 64
"""Steps of a program of descent, at least; it runs as many of them as it is told."""


def operations(device: str, dtype: str | None) -> "JaxOperations":
    """The operations on "cpu", "cuda", or, for "auto", JAX's default device."""
    platforms = {"cpu": "cpu", "cuda": "gpu"}
    try:
        chosen = (
            jax.devices()[0] if device == "auto" else jax.devices(platforms[device])[0]
        )
    except RuntimeError as error:
        raise BackendUnavailable(
            f"The jax backend was asked for device {device!r}, but JAX {jax.__version__} sees none "
            f"({error}). "
            "Use device='cpu', or install the CUDA build: pip install 'ntk-claims[cuda]'. If that "
            "is there, nvidia-smi "
            "and python -c 'import jax; jax.devices()' say what hinders it: a driver, a library, "
            "CUDA_VISIBLE_DEVICES."
        ) from error
    return JaxOperations(chosen, dtype or "float32")


@partial(jax.jit, static_argnums=0)
def forward(net: Network, theta: Tensors, x: Array) -> Array:
    """f(x), (S, N, O)."""
    return over_seeds(partial(network, net), len(x) == 1, theta, x)


@partial(jax.jit, static_argnums=0)
def factors(net: Network, theta: Tensors, x: Array) -> Any:
    """layer_signals of every seed.

    A convolution mapped over weights becomes a grouped one, which is many times slower: one seed
    after another.
    """
    one = partial(layer_signals, net)
    if net.dense:
        return over_seeds(one, len(x) == 1, theta, x)
    if len(x) == 1:
        return jax.lax.map(lambda weights: one(weights, x[0]), theta)
    return jax.lax.map(lambda pair: one(*pair), (theta, x))


@partial(jax.jit, static_argnums=(0, 1))
def contract(net: Network, outputs: Outputs, left: Any, right: Any) -> Array:
    """layer_grams of every seed; right None: left again."""
    one = partial(layer_grams, net, outputs)
    return jax.vmap(one)(left) if right is None else jax.vmap(one)(left, right)


@partial(jax.jit, static_argnums=0)
def pullback(net: Network, theta: Tensors, x: Array, v: Array) -> Tensors:
    """J^T v, by reverse differentiation."""

    def one(theta: Tensors, x: Array, v: Array) -> Tensors:
        return jax.vjp(lambda t: network(net, t, x), theta)[1](v)[0]

    return over_seeds(one, len(x) == 1, theta, x, v)


@partial(jax.jit, static_argnums=0)
def pushforward(net: Network, theta: Tensors, x: Array, tangent: Tensors) -> Array:
    """J u, by forward differentiation."""

    def one(theta: Tensors, x: Array, u: Tensors) -> Array:
        return jax.jvp(lambda t: network(net, t, x), (theta,), (u,))[1]

    return over_seeds(one, len(x) == 1, theta, x, tangent)


@partial(jax.jit, static_argnums=(0, 1))
def ntk_samples(
    activation: Activation,
    names: tuple[tuple[str, str | None], ...],
    scales: Array,
    x: Array,
    *,
    noise: Tensors,
) -> Array:
    """The recursion of Backend.ntk_samples, written for one draw and mapped over draws.

    Names of weights and biases, and `sample_scales`, per layer: scales travel as arrays, so that
    the phases of a map share one program.
    """

    def one(noise: Tensors) -> Array:
        inputs, hs = [x], []
        for (weight, bias), scale in zip(names, scales, strict=True):
            h = scale[0] * jnp.linalg.norm(inputs[-1]) * noise[f"u{weight}"]
            hs.append(h if bias is None else h + scale[1] * noise[bias])
            inputs.append(ACTIVATIONS[activation](hs[-1]))
        delta, kernel = jnp.ones(1, x.dtype), jnp.zeros((), x.dtype)
        for index in range(len(names) - 1, -1, -1):
            (weight, _), scale, a, size = (
                names[index],
                scales[index],
                inputs[index],
                jnp.linalg.norm(delta),
            )
            kernel += size**2 * (scale[2] * (a @ a) + scale[3])
            if index:
                u, g, norm = (
                    noise[f"u{weight}"],
                    noise[f"g{weight}"],
                    jnp.linalg.norm(a),
                )
                a = a / jnp.where(norm > 0, norm, 1)
                upstream = scale[0] * (a * (u @ delta) + size * (g - a * (a @ g)))
                delta = upstream * derivative(activation, hs[index - 1])
        return kernel

    return jax.vmap(one)(noise)


def sample_scales(net: Network) -> np.ndarray:
    """Per layer: standard deviation of a weight and of a bias in the layer's output, and their
    scales squared.
    """
    rows = []
    for layer in net.layers:
        weight, bias = (
            layer.weight_scale,
            0.0 if layer.bias is None else layer.bias_scale,
        )
        rows.append(
            (weight * layer.weight_std, bias * layer.bias_std, weight**2, bias**2)
        )
    return np.array(rows)


class JaxOperations:
    """The operations of harness.backends.operations.Operations, in JAX."""

    def __init__(self, device: Any, dtype: str) -> None:
        self.target, self.dtype = device, dtype
        self.device = "cpu" if device.platform == "cpu" else "cuda"

    @contextmanager
    def session(self) -> Iterator[None]:
        """x64 for float64, no reduced precision, this device; all undone on leaving.

        A project's strict modes are for its own code: broadcasting, numbers that NumPy hands over,
        and NaN where a seed diverges or a matrix has no factor are meant here.
        """
        with (
            jax.enable_x64(self.dtype == "float64"),
            jax.default_matmul_precision("highest"),
            jax.default_device(self.target),
            jax.numpy_rank_promotion("allow"),
            jax.numpy_dtype_promotion("standard"),
            jax.transfer_guard("allow"),
            jax.debug_nans(False),
            jax.debug_infs(False),
        ):
            yield

    def put(self, array: np.ndarray) -> Array:
        """To the device; floating arrays in this dtype.

        NumPy converts, without a program to be compiled, and copies: JAX may go on reading what it
        was given.
        """
        own = (
            array.astype(self.dtype)
            if np.issubdtype(array.dtype, np.floating)
            else array.copy()
        )
        return jax.device_put(own)

    def fetch(self, tensor: Array) -> np.ndarray:
        """Back to NumPy."""
        return np.asarray(tensor)

    def autodiff(self) -> "JaxFunctionOperations":
        """The same for a `networks.Function`."""
        return JaxFunctionOperations(self.target, self.dtype)

    def forward(self, net: Network, theta: Tensors, x: Array) -> Array:
        """f(x), (S, N, O); on a CPU of so many samples at a time that all numbers of them share one
        program.
        """
        size, samples = FORWARD if self.device == "cpu" else x.shape[1], x.shape[1]
        if samples <= size:
            return forward(net, theta, x)
        # the last part reaches back
        starts = (*range(0, samples - size, size), samples - size)
        found = [
            forward(net, theta, jax.lax.dynamic_slice_in_dim(x, start, size, axis=1))
            for start in starts
        ]
        return jnp.concatenate(
            [*found[:-1], found[-1][:, len(found) * size - samples :]], axis=1
        )

    def factors(self, net: Network, theta: Tensors, x: Array) -> Any:
        """Per layer inputs (S, N, fan_in) and signals (S, N, O, fan_out)."""
        return factors(net, theta, x)

    def contract(self, net: Network, left: Any, right: Any, outputs: Outputs) -> Array:
        """The kernel block."""
        return contract(net, outputs, left, None if right is left else right)

    def sample_bytes(self, net: Network) -> int:
        """What `factors` keeps, and the patches and gradients of the largest layer beside it."""
        return structured_bytes(net) * np.dtype(self.dtype).itemsize

    def pullback(self, net: Network, theta: Tensors, x: Array, v: Array) -> Tensors:
        """J^T v."""
        return pullback(net, theta, x, v)

    def pushforward(
        self, net: Network, theta: Tensors, x: Array, tangent: Tensors
    ) -> Array:
        """J u."""
        return pushforward(net, theta, x, tangent)

    def ntk_samples(self, net: Network, x: Array, noise: Tensors) -> Array:
        """Theta(x, x) per draw."""
        names = tuple((layer.weight, layer.bias) for layer in net.layers)
        return ntk_samples(
            net.activation, names, self.put(sample_scales(net)), x, noise=noise
        )

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
        """Blocks of the shared recursion."""
        fill(self, JaxArrays(), Kernel(net, tangent), (x1, x2), memory=memory, out=out)

    def solve_ridges(
        self, gram: np.ndarray, y: np.ndarray, ridges: np.ndarray
    ) -> np.ndarray:
        """By Cholesky factorisation."""
        return solve_ridges(gram, y, ridges)

    def advance(
        self, net: Network, descent: Descent, steps: Steps
    ) -> tuple[Descent, np.ndarray]:
        """One compiled loop; rates and batches are padded to RUN steps, so that one program serves
        every length.
        """
        # In NumPy, as the losses below: outside of a program each operation compiles one of its own
        # for every shape.
        count = len(steps.rates)
        spare = max(RUN, 1 << (count - 1).bit_length()) - count
        padded = np.pad(steps.rates, ((0, spare), (0, 0))).astype(self.dtype)
        index = (
            None
            if steps.batches is None
            else np.pad(steps.batches, ((0, spare), (0, 0), (0, 0)))
        )
        # Learning rates travel as arrays, so a rate of its own must not compile the loop again.
        method = Method(replace(steps.optimizer, learning_rate=0.0), steps.loss)
        state = (descent.theta, descent.slots, descent.active, np.asarray(descent.step))
        loop = Loop(
            steps.data,
            index,
            padded,
            count,
            -math.inf if steps.target is None else steps.target,
        )
        together = seeds_together(descent.theta, descent.slots)
        if self.device == "cpu" and together < steps.rates.shape[1]:
            (theta, slots, active, step), losses = run_in_parts(
                net, method, state, loop, together=together
            )
        else:
            (theta, slots, active, step), losses = run(net, method, state, loop)
        return Descent(theta, slots, active, int(step)), np.asarray(losses)[:count]


class JaxFunctionOperations(JaxAutodiff, JaxOperations):  # type: ignore[misc]  # of another kind of network
    """The operations of a `networks.Function`: its kernel by differentiation, the rest as above,
    held against it.
    """

    def forward(self, net: Net, theta: Tensors, x: Array) -> Array:
        """f(x), (S, N, O)."""
        net, outputs = compiled(net), super().forward
        if len(first(theta)) > 1:
            self._hold(
                net,
                "outputs",
                theta,
                x,
                mapped=lambda theta, x: {"f": outputs(net, theta, x)},
            )
        return outputs(net, theta, x)

    def pullback(self, net: Net, theta: Tensors, x: Array, v: Array) -> Tensors:
        """J^T v."""
        net = compiled(net)
        self._hold(net, "gradient", theta, x, mapped=partial(self._gradient, net))
        return pullback(net, theta, x, v)

    def pushforward(
        self, net: Net, theta: Tensors, x: Array, tangent: Tensors
    ) -> Array:
        """J u."""
        net = compiled(net)

        def product(theta: Tensors, x: Array) -> Tensors:
            v, u = self._directions(net, theta, x)
            return {
                "product": jnp.einsum("sno,sno->s", v, pushforward(net, theta, x, u))
            }

        self._hold(net, "product", theta, x, mapped=product)
        return pushforward(net, theta, x, tangent)

    def advance(
        self, net: Net, descent: Descent, steps: Steps
    ) -> tuple[Descent, np.ndarray]:
        """The compiled loop, whose gradient is held against the function for the shape of its
        batches.
        """
        net, x = compiled(net), steps.data[0]
        if steps.batches is not None:
            x = self.fetch(x)[
                np.arange(len(x))[:, None], self.fetch(steps.batches)[0, : len(x)]
            ]
        self._hold(
            net, "gradient", descent.theta, x, mapped=partial(self._gradient, net)
        )
        return super().advance(net, descent, steps)

    def _gradient(self, net: Net, theta: Tensors, x: Array) -> Tensors:
        """J^T v of random v, name -> (S, size)."""
        v, _ = self._directions(net, theta, x)
        return {
            name: array.reshape(len(array), -1)
            for name, array in pullback(net, theta, x, v).items()
        }
