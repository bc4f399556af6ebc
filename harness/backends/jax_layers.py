"""JAX: what a network's steps do to features and signals, and each layer's term of the kernel."""

from collections.abc import Sequence
from functools import partial
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp

from harness.backends.cost import cheaper_by_position
from harness.backends.operations import Outputs, Tensors
from harness.networks import Function, Network
from harness.networks.layers import (
    Activate,
    AveragePool,
    Convolution,
    Dense,
    Grid,
    Step,
    Weighted,
)

Array: TypeAlias = jax.Array

PANEL = 2**20
"""Bytes of patches that are made and used at once."""
TILE = 256
"""Rows and columns of the tiles that a diagonal block is cut into."""

ACTIVATIONS = {
    "relu": jax.nn.relu,
    "tanh": jnp.tanh,
    "erf": jax.scipy.special.erf,
    "sigmoid": jax.nn.sigmoid,
}


def derivative(name: str, h: Array) -> Array:
    """phi'(h), by differentiation; relu'(0) = 0."""
    return jax.jvp(ACTIVATIONS[name], (h,), (jnp.ones_like(h),))[1]


def patches(layer: Weighted, x: Array) -> Array:
    """What the layer's weights see, (N, P, fan_in): im2col, channels last; a dense layer has one
    position.
    """
    if isinstance(layer, Dense):
        return x[:, None, :]
    (rows, columns), (height, width), (down, across) = (
        layer.out,
        layer.kernel,
        layer.stride,
    )
    image = jnp.pad(
        x.reshape(len(x), *layer.grid, layer.channels), ((0, 0), *layer.padding, (0, 0))
    )
    # Strided slices side by side: a gather, or XLA's own patches, takes many times longer on a CPU.
    windows = [
        image[
            :,
            i : i + down * (rows - 1) + 1 : down,
            j : j + across * (columns - 1) + 1 : across,
        ]
        for i in range(height)
        for j in range(width)
    ]
    return jnp.stack(windows, axis=3).reshape(len(x), rows * columns, layer.fan_in)


def linear(step: Step, theta: Tensors, x: Array) -> Array:
    """A step without its bias, on the features (N, size) of one network; an activation is no linear
    step.
    """
    if isinstance(step, AveragePool):
        (rows, columns), (height, width) = step.out, step.window
        return (
            x.reshape(len(x), rows, height, columns, width, step.channels)
            .mean(axis=(2, 4))
            .reshape(len(x), -1)
        )
    assert isinstance(step, Weighted)
    return (step.weight_scale * (patches(step, x) @ theta[step.weight].T)).reshape(
        len(x), -1
    )


def convolved(layer: Convolution, theta: Tensors, x: Array) -> Array:
    """The same as `linear` for a convolution, by XLA's; on a CPU in float32 four times as fast
    (measured).
    """
    kernel = (
        theta[layer.weight]
        .reshape(layer.fan_out, *layer.kernel, layer.channels)
        .transpose(1, 2, 3, 0)
    )
    image = x.reshape(len(x), *layer.grid, layer.channels)
    h = convolution(image, kernel, layer.stride, layer.padding)
    return (layer.weight_scale * h).reshape(len(x), -1)


def unconvolved(layer: Convolution, theta: Tensors, h: Array) -> Array:
    """The transpose of `convolved`, for stride 1: a convolution with the kernel turned around."""
    kernel = (
        theta[layer.weight]
        .reshape(layer.fan_out, *layer.kernel, layer.channels)
        .transpose(1, 2, 0, 3)[::-1, ::-1]
    )
    padding = [
        (k - 1 - before, k - 1 - after)
        for k, (before, after) in zip(layer.kernel, layer.padding, strict=True)
    ]
    image = h.reshape(len(h), *layer.out, layer.fan_out)
    return (layer.weight_scale * convolution(image, kernel, (1, 1), padding)).reshape(
        len(h), -1
    )


def convolution(
    image: Array, kernel: Array, stride: Grid, padding: Sequence[Grid]
) -> Array:
    """Of images, channels last, with a kernel (height, width, channels in, channels out)."""
    return jax.lax.conv_general_dilated(
        image, kernel, stride, padding, dimension_numbers=("NHWC", "HWIO", "NHWC")
    )


def apply(step: Step, theta: Tensors, x: Array) -> Array:
    """One step on the features (N, size) of one network."""
    if isinstance(step, Activate):
        return ACTIVATIONS[step.name](x)
    return biased(step, theta, linear(step, theta, x))


def applied(step: Step, theta: Tensors, x: Array) -> Array:
    """The same where nothing is differentiated and no seeds are mapped over: XLA's convolution is
    slow there only.

    In float64, and on a GPU (where it was not measured and picks algorithms by itself), products of
    patches stay.
    """
    if isinstance(step, Convolution) and x.dtype == jnp.float32:
        fast, slow = partial(convolved, step, theta), partial(linear, step, theta)
        return biased(
            step, theta, jax.lax.platform_dependent(x, cpu=fast, default=slow)
        )
    return apply(step, theta, x)


def biased(step: Step, theta: Tensors, h: Array) -> Array:
    """h + s b at every position, of a step that has biases."""
    if not isinstance(step, Weighted) or step.bias is None:
        return h
    return (
        h.reshape(len(h), -1, step.fan_out) + step.bias_scale * theta[step.bias]
    ).reshape(h.shape)


def network(net: Network | Function, theta: Tensors, x: Array) -> Array:
    """f(x) of one network, (N, O)."""
    if isinstance(net, Function):
        return net.of("jax")(theta, x)
    for step in net.steps:
        x = apply(step, theta, x)
    return x


def over_seeds(function: Any, shared_data: bool, *arguments: Any) -> Any:
    """Maps over the seed axis of the weights, and of the data unless all seeds share it; data comes
    second.
    """
    axes = [0, None if shared_data else 0, *[0] * (len(arguments) - 2)]
    data = jax.tree.map(lambda a: a[0], arguments[1]) if shared_data else arguments[1]
    return jax.vmap(function, in_axes=axes)(arguments[0], data, *arguments[2:])


def pulled_back(step: Step, theta: Tensors, x: Array, delta: Array) -> Array:
    """The signals before a step, (N, O, size), from those after it: its Jacobian, transposed, times
    delta.
    """
    if isinstance(step, Activate):
        return delta * derivative(step.name, x)[:, None, :]
    before = jax.ShapeDtypeStruct(
        (delta.shape[0] * delta.shape[1], x.shape[1]), x.dtype
    )

    def transposed(flat: Array) -> Array:
        return jax.linear_transpose(partial(linear, step, theta), before)(flat)[0]

    back, flat = transposed, delta.reshape(-1, delta.shape[2])
    if (
        isinstance(step, Convolution)
        and x.dtype == jnp.float32
        and step.stride == (1, 1)
    ):
        back = partial(
            jax.lax.platform_dependent,
            cpu=partial(unconvolved, step, theta),
            default=transposed,
        )
    return back(flat).reshape(*delta.shape[:2], -1)


def layer_signals(net: Network, theta: Tensors, x: Array) -> list[tuple[Array, Array]]:
    """Of one network, per layer with weights: its inputs (N, size) and the signals d f_o / d h, (N,
    O, P, fan_out).
    """
    inputs = []
    for step in net.steps:
        inputs.append(x)
        x = applied(step, theta, x)
    delta = jnp.broadcast_to(
        jnp.eye(net.outputs, dtype=x.dtype), (len(x), net.outputs, net.outputs)
    )
    found = []
    for index, (step, entering) in reversed(
        list(enumerate(zip(net.steps, inputs, strict=True)))
    ):
        if isinstance(step, Weighted):
            found.append((entering, delta.reshape(*delta.shape[:2], -1, step.fan_out)))
        if index:
            delta = pulled_back(step, theta, entering, delta)
    return found[::-1]


def layer_grams(net: Network, outputs: Outputs, left: Any, right: Any = None) -> Array:
    """Of one network: the sum over layers, each in the structured form that costs less.

    right None: left again.
    """
    n1, n2 = (len((left if side is None else side)[0][0]) for side in (left, right))
    if right is None and net.dense and n1 >= 2 * TILE:
        return upper_half(net, outputs, left)
    kernel: Array | float = 0.0
    for index, layer in enumerate(net.layers):
        by_position = cheaper_by_position(layer, n1, n2, net.outputs, kind=outputs)
        factors, gram = (
            (position_factors, position_gram)
            if by_position
            else (gradient_factors, gradient_gram)
        )
        one = factors(layer, left[index])
        kernel += gram(
            layer, outputs, one, one if right is None else factors(layer, right[index])
        )
    return jnp.asarray(kernel)


def upper_half(net: Network, outputs: Outputs, side: Any) -> Array:
    """A diagonal block by square tiles on and above its diagonal; zero below."""
    samples = len(side[0][0])
    tiles = -(-samples // TILE)
    padded = jax.tree.map(
        lambda a: jnp.pad(a, ((0, tiles * TILE - samples), *[(0, 0)] * (a.ndim - 1))),
        side,
    )
    pairs = jnp.array([(i, j) for i in range(tiles) for j in range(i, tiles)]) * TILE
    tail = (net.outputs, net.outputs) if outputs == "full" else ()

    def body(k: int, kernel: Array) -> Array:
        i, j = pairs[k]
        rows, columns = (
            jax.tree.map(
                partial(jax.lax.dynamic_slice_in_dim, start_index=at, slice_size=TILE),
                padded,
            )
            for at in (i, j)
        )
        tile = layer_grams(net, outputs, rows, columns)
        return jax.lax.dynamic_update_slice(kernel, tile, (i, j, *[0] * len(tail)))

    empty = jnp.zeros((tiles * TILE, tiles * TILE, *tail), side[0][0].dtype)
    return jax.lax.fori_loop(0, len(pairs), body, empty)[:samples, :samples]


def position_factors(layer: Weighted, side: Any) -> Any:
    """Patches and signals."""
    return patches(layer, side[0]), side[1]


def position_gram(layer: Weighted, outputs: Outputs, left: Any, right: Any) -> Array:
    """sum over positions p, p' of (w^2 <x_p, x'_p'> + s^2) <delta_p, delta'_p'>."""
    (p1, d1), (p2, d2) = left, right
    gram = layer.weight_scale**2 * jnp.einsum("npk,mqk->npmq", p1, p2)
    gram = gram + (0.0 if layer.bias is None else layer.bias_scale**2)
    if outputs == "trace":
        return (gram * jnp.einsum("nopc,moqc->npmq", d1, d2)).sum(axis=(1, 3))
    return (
        (gram[:, None, :, :, None, :] * jnp.einsum("nopc,mrqc->nopmrq", d1, d2))
        .sum(axis=(2, 5))
        .transpose(0, 2, 1, 3)
    )


def gradient_factors(layer: Weighted, side: Any) -> Any:
    """Gradients of weights (N, O, fan_out fan_in) and biases (N, O, fan_out), without their scales.

    A panel of samples after another, whose patches fit into a CPU's cache.
    """
    x, delta = side
    patch = delta.shape[2] * layer.fan_in * x.dtype.itemsize

    def one(sample: Any) -> Array:
        x, delta = sample
        return jnp.einsum("opc,pk->ock", delta, patches(layer, x[None])[0])

    weights = jax.lax.map(one, (x, delta), batch_size=max(1, PANEL // patch))
    return weights.reshape(*weights.shape[:2], -1), delta.sum(axis=2)


def gradient_gram(layer: Weighted, outputs: Outputs, left: Any, right: Any) -> Array:
    """The same from gradients per sample, G = sum_p delta_p x_p^T, and their Gram."""
    (w1, b1), (w2, b2) = left, right
    gram = layer.weight_scale**2 * outputs_gram(w1, w2, outputs)
    return (
        gram
        if layer.bias is None
        else gram + layer.bias_scale**2 * outputs_gram(b1, b2, outputs)
    )


def outputs_gram(g1: Array, g2: Array, outputs: Outputs) -> Array:
    """<g, g'> of g (N, O, n): summed over outputs, or of all their pairs."""
    if outputs == "trace":
        return g1.reshape(len(g1), -1) @ g2.reshape(len(g2), -1).T
    return jnp.einsum("nok,mrk->nmor", g1, g2)
