"""JAX: what each step of one network does to features and signals, and each layer's term of the kernel."""

from functools import partial
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp

from harness.backends.cost import cheaper_by_position
from harness.backends.operations import Outputs, Tensors
from harness.networks import Function, Network
from harness.networks.layers import Activate, AveragePool, Dense, Step, Weighted

Array: TypeAlias = jax.Array

ACTIVATIONS = {"relu": jax.nn.relu, "tanh": jnp.tanh, "erf": jax.scipy.special.erf, "sigmoid": jax.nn.sigmoid}


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


def network(net: Network | Function, theta: Tensors, x: Array) -> Array:
    """f(x) of one network, (N, O)."""
    if isinstance(net, Function):
        return net.of("jax")(theta, x)
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
