"""JAX. The same computation as compiled functions of one network, mapped over seeds; descent as one compiled loop.

Tolerances against the oracle, relative in the Frobenius norm: float64 1e-10 and float32 1e-5. Measured: 1e-15 and 2e-7.
Matrix products run at "highest" precision, so there is no TF32. x64 is switched on inside a session only.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any, TypeAlias

import numpy as np

from harness.backends.cost import cheaper_by_position, structured_bytes
from harness.backends.operations import Adam, Descent, Optimizer, Outputs, Tensors
from harness.errors import BackendUnavailable
from harness.networks import Network
from harness.networks.layers import Activate, AveragePool, Dense, Step, Weighted

try:
    import jax
    import jax.numpy as jnp
except ImportError as error:
    raise BackendUnavailable(
        "The jax backend was asked for, but JAX is not installed. Install it: pip install 'ntk-claims[jax]'."
    ) from error

Array: TypeAlias = jax.Array

ACTIVATIONS = {"relu": jax.nn.relu, "tanh": jnp.tanh, "erf": jax.scipy.special.erf, "sigmoid": jax.nn.sigmoid}


def operations(device: str, dtype: str | None) -> "JaxOperations":
    """The operations on "cpu", "cuda", or, for "auto", JAX's default device."""
    platforms = {"cpu": "cpu", "cuda": "gpu"}
    try:
        chosen = jax.devices()[0] if device == "auto" else jax.devices(platforms[device])[0]
    except RuntimeError as error:
        raise BackendUnavailable(
            f"The jax backend was asked for device {device!r}, but JAX {jax.__version__} sees none. "
            "Use device='cpu', or install the CUDA build: pip install 'ntk-claims[cuda]'."
        ) from error
    return JaxOperations(chosen, dtype or "float32")


def derivative(name: str, h: Array) -> Array:
    """phi'(h), by differentiation; relu'(0) = 0."""
    return jax.jvp(ACTIVATIONS[name], (h,), (jnp.ones_like(h),))[1]


def patches(layer: Weighted, x: Array) -> Array:
    """What the layer's weights see, (N, P, fan_in): im2col, channels last; a dense layer has one position."""
    if isinstance(layer, Dense):
        return x[:, None, :]
    (rows, columns), (height, width), (down, across) = layer.out, layer.kernel, layer.stride
    image = jnp.pad(x.reshape(len(x), *layer.grid, layer.channels), ((0, 0), *layer.padding, (0, 0)))
    # Strided slices side by side: a gather, or XLA's own patches, takes many times longer on a CPU.
    windows = [
        image[:, i : i + down * (rows - 1) + 1 : down, j : j + across * (columns - 1) + 1 : across]
        for i in range(height)
        for j in range(width)
    ]
    return jnp.stack(windows, axis=3).reshape(len(x), rows * columns, layer.fan_in)


def linear(step: Step, theta: Tensors, x: Array) -> Array:
    """A step without its bias, on the features (N, size) of one network; an activation is no linear step."""
    if isinstance(step, AveragePool):
        (rows, columns), (height, width) = step.out, step.window
        return x.reshape(len(x), rows, height, columns, width, step.channels).mean(axis=(2, 4)).reshape(len(x), -1)
    assert isinstance(step, Weighted)
    return (step.weight_scale * (patches(step, x) @ theta[step.weight].T)).reshape(len(x), -1)


def apply(step: Step, theta: Tensors, x: Array) -> Array:
    """One step on the features (N, size) of one network."""
    if isinstance(step, Activate):
        return ACTIVATIONS[step.name](x)
    h = linear(step, theta, x)
    if isinstance(step, AveragePool) or step.bias is None:
        return h
    return (h.reshape(len(x), -1, step.fan_out) + step.bias_scale * theta[step.bias]).reshape(h.shape)


def network(net: Network, theta: Tensors, x: Array) -> Array:
    """f(x) of one network, (N, O)."""
    for step in net.steps:
        x = apply(step, theta, x)
    return x


def pulled_back(step: Step, theta: Tensors, x: Array, delta: Array) -> Array:
    """The signals before a step, (N, O, size), from those after it: its Jacobian, transposed, times delta."""
    if isinstance(step, Activate):
        return delta * derivative(step.name, x)[:, None, :]
    flat = delta.reshape(-1, delta.shape[2])
    before = jax.ShapeDtypeStruct((len(flat), x.shape[1]), x.dtype)
    (back,) = jax.linear_transpose(partial(linear, step, theta), before)(flat)
    return back.reshape(*delta.shape[:2], -1)


def layer_signals(net: Network, theta: Tensors, x: Array) -> list[tuple[Array, Array]]:
    """Of one network, per layer with weights: its inputs (N, size) and the signals d f_o / d h, (N, O, P, fan_out)."""
    inputs = []
    for step in net.steps:
        inputs.append(x)
        x = apply(step, theta, x)
    delta = jnp.broadcast_to(jnp.eye(net.outputs, dtype=x.dtype), (len(x), net.outputs, net.outputs))
    found = []
    for index, (step, entering) in reversed(list(enumerate(zip(net.steps, inputs, strict=True)))):
        if isinstance(step, Weighted):
            found.append((entering, delta.reshape(*delta.shape[:2], -1, step.fan_out)))
        if index:
            delta = pulled_back(step, theta, entering, delta)
    return found[::-1]


def layer_grams(net: Network, outputs: Outputs, left: Any, right: Any) -> Array:
    """Of one network: the sum over layers, each in the structured form that costs less."""
    kernel: Array | float = 0.0
    for layer, (x1, d1), (x2, d2) in zip(net.layers, left, right, strict=True):
        by_position = cheaper_by_position(layer, len(x1), len(x2), net.outputs, outputs)
        gram = position_gram if by_position else gradient_gram
        kernel += gram(layer, outputs, (patches(layer, x1), d1), (patches(layer, x2), d2))
    return jnp.asarray(kernel)


def position_gram(layer: Weighted, outputs: Outputs, left: Any, right: Any) -> Array:
    """sum over positions p, p' of (w^2 <x_p, x'_p'> + s^2) <delta_p, delta'_p'>."""
    (p1, d1), (p2, d2) = left, right
    gram = layer.weight_scale**2 * jnp.einsum("npk,mqk->npmq", p1, p2)
    gram = gram + (0.0 if layer.bias is None else layer.bias_scale**2)
    if outputs == "trace":
        return (gram * jnp.einsum("nopc,moqc->npmq", d1, d2)).sum(axis=(1, 3))
    return (
        (gram[:, None, :, :, None, :] * jnp.einsum("nopc,mrqc->nopmrq", d1, d2)).sum(axis=(2, 5)).transpose(0, 2, 1, 3)
    )


def gradient_gram(layer: Weighted, outputs: Outputs, left: Any, right: Any) -> Array:
    """The same from gradients per sample, G = sum_p delta_p x_p^T, and their Gram."""
    (w1, b1), (w2, b2) = (sample_gradients(layer, side) for side in (left, right))
    subscripts = "nok,mok->nm" if outputs == "trace" else "nok,mrk->nmor"
    gram = layer.weight_scale**2 * jnp.einsum(subscripts, w1, w2)
    return gram if layer.bias is None else gram + layer.bias_scale**2 * jnp.einsum(subscripts, b1, b2)


def sample_gradients(layer: Weighted, side: Any) -> tuple[Array, Array]:
    """Gradients of weights (N, O, fan_out fan_in) and biases (N, O, fan_out), without their scales."""
    p, delta = side
    weights = jnp.einsum("nopc,npk->nock", delta, p)
    return weights.reshape(*weights.shape[:2], -1), delta.sum(axis=2)


def over_seeds(function: Any, shared_data: bool, *arguments: Any) -> Any:
    """Maps over the seed axis of the weights, and of the data unless all seeds share it; data comes second."""
    axes = [0, None if shared_data else 0, *[0] * (len(arguments) - 2)]
    data = jax.tree.map(lambda a: a[0], arguments[1]) if shared_data else arguments[1]
    return jax.vmap(function, in_axes=axes)(arguments[0], data, *arguments[2:])


@partial(jax.jit, static_argnums=0)
def forward(net: Network, theta: Tensors, x: Array) -> Array:
    """f(x), (S, N, O)."""
    return over_seeds(partial(network, net), len(x) == 1, theta, x)


@partial(jax.jit, static_argnums=0)
def factors(net: Network, theta: Tensors, x: Array) -> Any:
    """layer_signals of every seed."""
    return over_seeds(partial(layer_signals, net), len(x) == 1, theta, x)


@partial(jax.jit, static_argnums=(0, 1))
def contract(net: Network, outputs: Outputs, left: Any, right: Any) -> Array:
    """layer_grams of every seed."""
    return jax.vmap(partial(layer_grams, net, outputs))(left, right)


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


@partial(jax.jit, static_argnums=0)
def ntk_samples(net: Network, x: Array, noise: Tensors) -> Array:
    """The recursion of Backend.ntk_samples, written for one draw and mapped over draws."""

    def one(noise: Tensors) -> Array:
        inputs, hs = [x], []
        for layer in net.layers:
            h = layer.weight_scale * layer.weight_std * jnp.linalg.norm(inputs[-1]) * noise[f"u{layer.weight}"]
            hs.append(h if layer.bias is None else h + layer.bias_scale * layer.bias_std * noise[layer.bias])
            inputs.append(ACTIVATIONS[net.activation](hs[-1]))
        delta, kernel = jnp.ones(1, x.dtype), jnp.zeros((), x.dtype)
        for index in range(len(net.layers) - 1, -1, -1):
            layer, a, size = net.layers[index], inputs[index], jnp.linalg.norm(delta)
            bias = 0.0 if layer.bias is None else layer.bias_scale**2
            kernel += size**2 * (layer.weight_scale**2 * (a @ a) + bias)
            if index:
                u, g, norm = noise[f"u{layer.weight}"], noise[f"g{layer.weight}"], jnp.linalg.norm(a)
                a = a / jnp.where(norm > 0, norm, 1)
                upstream = layer.weight_scale * layer.weight_std * (a * (u @ delta) + size * (g - a * (a @ g)))
                delta = upstream * derivative(net.activation, hs[index - 1])
        return kernel

    return jax.vmap(one)(noise)


@partial(jax.jit, static_argnums=(0, 1))
def run(
    net: Network,
    optimizer: Optimizer,
    state: Any,
    data: Any,
    batches: Array | None,
    rates: Array,
    count: int,
    target: float,
) -> Any:
    """`count` steps, at most len(rates); state is (theta, slots, active, step)."""

    def losses_of(theta: Tensors, x: Array, y: Array) -> tuple[Array, Array]:
        f = over_seeds(partial(network, net), len(x) == 1, theta, x)
        losses = jnp.mean((f - y) ** 2, axis=(1, 2))
        return losses.sum(), losses

    def body(k: int, carry: Any) -> Any:
        (theta, slots, active, step), record = carry
        x, y = data if batches is None else minibatch(data, batches[k])
        grads, losses = jax.grad(losses_of, has_aux=True)(theta, x, y)
        active = active & jnp.isfinite(losses) & (losses > target)
        step = step + 1
        directions, slots = direct(optimizer, step, grads, slots)

        def update(weight: Array, direction: Array) -> Array:
            scale = jnp.where(active, rates[k], 0).reshape(-1, *[1] * (weight.ndim - 1))
            return weight - jnp.where(scale > 0, scale * direction, 0)

        return (jax.tree.map(update, theta, directions), slots, active, step), record.at[k].set(losses)

    return jax.lax.fori_loop(0, count, body, (state, jnp.zeros_like(rates)))


def minibatch(data: tuple[Array, Array], index: Array) -> tuple[Array, Array]:
    """The samples of one step, index (S, B)."""
    x, y = data
    rows = jnp.arange(len(index))[:, None]
    return x[rows if len(x) > 1 else 0, index], y[rows, index]


def direct(optimizer: Optimizer, step: Array, grads: Tensors, slots: Any) -> tuple[Tensors, Any]:
    """Directions of a step, and the momentum or moments after it."""
    if isinstance(optimizer, Adam):
        b1, b2 = optimizer.beta1, optimizer.beta2
        m = jax.tree.map(lambda m, g: b1 * m + (1 - b1) * g, slots[0], grads)
        v = jax.tree.map(lambda v, g: b2 * v + (1 - b2) * g**2, slots[1], grads)

        def unbiased(m: Array, v: Array) -> Array:
            # 1 - b^t without the cancellation that costs float32 two digits and more at the first steps.
            logs = (math.log(b) if b else -math.inf for b in (b1, b2))
            bias1, bias2 = (-jnp.expm1(step.astype(m.dtype) * log) for log in logs)
            return m / bias1 / (jnp.sqrt(v / bias2) + optimizer.epsilon)

        return jax.tree.map(unbiased, m, v), (m, v)
    if optimizer.momentum:
        velocity = jax.tree.map(lambda v, g: optimizer.momentum * v + g, slots[0], grads)
        return velocity, (velocity,)
    return grads, slots


class JaxOperations:
    """The operations of harness.backends.operations.Operations, in JAX."""

    def __init__(self, device: Any, dtype: str) -> None:
        self.target, self.dtype = device, dtype
        self.device = "cpu" if device.platform == "cpu" else "cuda"

    @contextmanager
    def session(self) -> Iterator[None]:
        """x64 for float64, no reduced precision, this device; all undone on leaving."""
        with (
            jax.enable_x64(self.dtype == "float64"),
            jax.default_matmul_precision("highest"),
            jax.default_device(self.target),
        ):
            yield

    def put(self, array: np.ndarray) -> Array:
        """To the device; floating arrays in this dtype."""
        return jnp.array(array, dtype=self.dtype if np.issubdtype(array.dtype, np.floating) else None)

    def fetch(self, tensor: Array) -> np.ndarray:
        """Back to NumPy."""
        return np.asarray(tensor)

    def forward(self, net: Network, theta: Tensors, x: Array) -> Array:
        """f(x), (S, N, O)."""
        return forward(net, theta, x)

    def factors(self, net: Network, theta: Tensors, x: Array) -> Any:
        """Per layer inputs (S, N, fan_in) and signals (S, N, O, fan_out)."""
        return factors(net, theta, x)

    def contract(self, net: Network, left: Any, right: Any, outputs: Outputs) -> Array:
        """The kernel block."""
        return contract(net, outputs, left, right)

    def sample_bytes(self, net: Network) -> int:
        """What `factors` keeps, and the patches and gradients of the largest layer beside it."""
        return structured_bytes(net) * np.dtype(self.dtype).itemsize

    def pullback(self, net: Network, theta: Tensors, x: Array, v: Array) -> Tensors:
        """J^T v."""
        return pullback(net, theta, x, v)

    def pushforward(self, net: Network, theta: Tensors, x: Array, tangent: Tensors) -> Array:
        """J u."""
        return pushforward(net, theta, x, tangent)

    def ntk_samples(self, net: Network, x: Array, noise: Tensors) -> Array:
        """Theta(x, x) per draw."""
        return ntk_samples(net, x, noise)

    def advance(
        self,
        net: Network,
        descent: Descent,
        optimizer: Optimizer,
        data: tuple[Array, Array],
        batches: Array | None,
        rates: np.ndarray,
        target: float | None,
    ) -> tuple[Descent, Array]:
        """One compiled loop; its length is padded to a power of two, so few lengths are ever compiled."""
        count = len(rates)
        padding = (1 << (count - 1).bit_length()) - count
        padded = self.put(np.pad(rates, ((0, padding), (0, 0))))
        index = None if batches is None else jnp.pad(batches, ((0, padding), (0, 0), (0, 0)))
        # Learning rates travel as arrays, so a rate of its own must not compile the loop again.
        kind = replace(optimizer, learning_rate=0.0)
        state = (descent.theta, descent.slots, descent.active, jnp.asarray(descent.step))
        limit = -math.inf if target is None else target
        (theta, slots, active, step), losses = run(net, kind, state, data, index, padded, count, limit)
        return Descent(theta, slots, active, int(step)), losses[:count]
