"""The architectures in neural_tangents.stax, and our weights as its parameters."""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from neural_tangents import stax

ACTIVATIONS = {
    "relu": stax.Relu,
    "erf": stax.Erf,
    "tanh": lambda: stax.Elementwise(jnp.tanh),
    "sigmoid": lambda: stax.Elementwise(jax.nn.sigmoid),
}


def network(
    architecture: dict[str, Any], activation: Any = None
) -> tuple[Any, Any, Any]:
    """(init_fn, apply_fn, kernel_fn) of an architecture, or of the same one with another
    activation.
    """
    ((kind, arguments),) = architecture.items()
    scales = {
        "W_std": arguments["sigma_w"],
        "b_std": arguments["sigma_b"],
        "parameterization": arguments["parametrization"],
    }
    activation = activation or ACTIVATIONS[arguments["activation"]]
    if kind == "mlp":
        *hidden, outputs = arguments["widths"][1:]
        layers = [
            layer
            for width in hidden
            for layer in (stax.Dense(width, **scales), activation())
        ]
        return stax.serial(*layers, stax.Dense(outputs, **scales))
    layers, axes = [], len(arguments["shape"]) - 1
    for part in arguments["parts"]:
        layers += convolutional(part, axes, activation, scales)
    return stax.serial(
        *layers,
        *flatten(arguments["parts"]),
        stax.Dense(arguments["outputs"], **scales),
    )


def diagonal_twin(architecture: dict[str, Any]) -> Any:
    """kernel_fn of a network with the same NTK diagonal in exact arithmetic and none of its
    rounding; None: no such.

    At equal inputs the angle of relu is zero, but the library takes it from the square root of a
    difference that rounds to about 1e-16: it is off by up to 1e-8, and so is the diagonal of the
    NTK by 1e-9. There relu has E[phi^2] = q / 2 and E[phi'^2] = 1 / 2, and so has x / sqrt(2),
    where the library needs no angle. With pooling the diagonal also takes in pairs of different
    positions, so that there is no twin.
    """
    ((_, arguments),) = architecture.items()
    pooled = any(part == "Pool" for part, _ in arguments.get("parts", []))
    if arguments["activation"] != "relu" or pooled:
        return None
    return network(architecture, lambda: stax.ABRelu(2**-0.5, 2**-0.5))[2]


def convolutional(
    part: list[Any], axes: int, activation: Any, scales: dict[str, Any]
) -> list[Any]:
    """The layers that one part of a cnn stands for."""
    kind, options = part
    match kind:
        case "Conv":
            kernel, stride = (
                per_axis(options.get("kernel", 3), axes),
                per_axis(options.get("stride", 1), axes),
            )
            padding = options.get("padding", "same").upper()
            return [
                stax.Conv(options["channels"], kernel, stride, padding, **scales),
                activation(),
            ]
        case "Pool" if options["window"] is None:
            return [stax.GlobalAvgPool()]
        case "Pool":
            window = per_axis(options["window"], axes)
            return [stax.AvgPool(window, window)]
        case "Hidden":
            return [
                stax.Flatten(),
                stax.Dense(options["width"], **scales),
                activation(),
            ]
    raise ValueError(f"Unknown part {kind!r}. Known: Conv, Pool, Hidden.")


def flatten(parts: list[Any]) -> list[Any]:
    """What the readout needs before it: nothing where positions are gone already."""
    return (
        []
        if parts[-1] == ["Pool", {"window": None}] or parts[-1][0] == "Hidden"
        else [stax.Flatten()]
    )


def per_axis(value: int | list[int], axes: int) -> tuple[int, ...]:
    """One number per spatial axis."""
    return (value,) * axes if isinstance(value, int) else tuple(value)


def images(architecture: dict[str, Any], x: np.ndarray) -> jnp.ndarray:
    """Flat inputs (N, n_0) in the shape that the network takes."""
    ((kind, arguments),) = architecture.items()
    return jnp.asarray(x if kind == "mlp" else x.reshape(len(x), *arguments["shape"]))


def parameters(
    init_fn: Any, x: jnp.ndarray, theta: dict[str, np.ndarray]
) -> list[tuple[Any, ...]]:
    """Our weights in the tree that init_fn makes; theta is W1, b1, W2, ...

    with weights of (fan_out, fan_in).
    """
    _, template = init_fn(jax.random.PRNGKey(0), x.shape)
    tree, index = [], 0
    for layer in template:
        if layer:
            index += 1
            weight = theta[f"W{index}"].reshape(
                layer[0].shape[-1], *layer[0].shape[:-1]
            )
            bias = (
                None
                if layer[1] is None
                else jnp.asarray(theta[f"b{index}"].reshape(layer[1].shape))
            )
            layer = (jnp.asarray(np.moveaxis(weight, 0, -1)), bias)
        tree.append(layer)
    counts = [
        sum(math.prod(leaf.shape) for leaf in jax.tree_util.tree_leaves(t))
        for t in (tree, theta)
    ]
    if counts[0] != counts[1]:
        raise ValueError(
            f"The networks have {counts[1]} (ours) and {counts[0]} (theirs) parameters."
        )
    return tree
