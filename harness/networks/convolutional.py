"""Convolutional networks."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from harness.errors import InvalidInput
from harness.networks.builder import Builder, choice, scales_of
from harness.networks.layers import Activation, Grid
from harness.networks.network import Network, Parametrization


@dataclass(frozen=True)
class Conv:
    """Part of a `cnn`: a convolution with `channels` out, followed by the activation.

    `kernel` and `stride` are one number for both axes of an image (or the one axis of a sequence),
    or one per axis. `padding`: "same" keeps ceil(size / stride) positions, "valid" takes whole
    patches only.
    """

    channels: int
    kernel: int | tuple[int, ...] = 3
    stride: int | tuple[int, ...] = 1
    padding: Literal["same", "valid"] = "same"


@dataclass(frozen=True)
class Pool:
    """Part of a `cnn`: average pooling over windows without overlap; None: over all positions."""

    window: int | tuple[int, ...] | None = 2


@dataclass(frozen=True)
class Hidden:
    """Part of a `cnn`: a dense hidden layer, followed by the activation; before it, positions count
    as features.
    """

    width: int


Part = Conv | Pool | Hidden


def cnn(  # noqa: PLR0913, PLR0917 -- public; all but the first two have defaults
    shape: tuple[int, ...],
    parts: Sequence[Part],
    outputs: int = 1,
    activation: Activation = "relu",
    parametrization: Parametrization = "ntk",
    sigma_w: float = 2**0.5,
    sigma_b: float | None = None,
    *,
    train_zero_biases: bool = False,
) -> Network:
    """A convolutional network with a dense readout.

    Args:
        shape: of one input, (rows, columns, channels) for images, (length, channels) for sequences;
            x itself is flat.
        parts: Conv, Pool and Hidden, in order; the readout to `outputs` is added.
        activation, parametrization, sigma_w, sigma_b, train_zero_biases: as in `mlp`.

    Raises:
        InvalidInput: naming the part, its value and what is allowed.

    >>> net = cnn((28, 28, 1), [Conv(16), Pool(2), Conv(32, stride=2), Pool(None)], outputs=10)
    >>> net.shapes["W2"], net.inputs, net.outputs
    ((32, 144), 784, 10)
    """
    if len(shape) not in (2, 3) or not all(
        isinstance(n, (int, np.integer)) and n > 0 for n in shape
    ):
        raise InvalidInput(
            "shape must be (rows, columns, channels) or (length, channels), positive; got "
            f"{shape!r}."
        )
    if not isinstance(outputs, (int, np.integer)) or outputs < 1:
        raise InvalidInput(f"outputs must be a positive integer; got {outputs!r}.")
    image = len(shape) == 3
    choice("activation", activation, get_args(Activation))
    scales = scales_of(parametrization, sigma_w, sigma_b, train_zero_biases)
    grid = (int(shape[0]), int(shape[1])) if image else (1, int(shape[0]))
    builder = Builder(grid, int(shape[-1]), activation, scales)
    for part in parts:
        match part:
            case Conv():
                kernel, stride = (
                    _pair(part, part.kernel, image),
                    _pair(part, part.stride, image),
                )
                builder.convolve(part.channels, kernel, stride, part.padding)
                builder.activate()
            case Pool():
                builder.pool(
                    builder.grid
                    if part.window is None
                    else _pair(part, part.window, image)
                )
            case Hidden():
                builder.dense(part.width)
                builder.activate()
            case _:
                raise InvalidInput(
                    f"A part of a cnn must be Conv, Pool or Hidden; got {part!r}."
                )
    builder.dense(int(outputs))
    return builder.network()


def myrtle(  # noqa: PLR0913, PLR0917 -- public; all but the first two have defaults
    depth: Literal[5, 7, 10],
    channels: int,
    shape: tuple[int, int, int] = (32, 32, 3),
    outputs: int = 10,
    parametrization: Parametrization = "ntk",
    sigma_w: float = 2**0.5,
    sigma_b: float | None = None,
    *,
    train_zero_biases: bool = False,
) -> Network:
    """A Myrtle-type ReLU network: three groups of 3x3 convolutions with pooling by 2 between, and
    global pooling.

    Groups of 2, 1, 1 (depth 5), 2, 2, 2 (7) or 3, 3, 3 (10) convolutions, as in Shankar et al.
    2020, "Neural Kernels Without Tangents". The scales are those of `mlp`.

    >>> len(myrtle(5, 8).layers)
    5
    """
    groups = {5: (2, 1, 1), 7: (2, 2, 2), 10: (3, 3, 3)}
    if depth not in groups:
        raise InvalidInput(
            f"depth of a Myrtle network must be 5, 7 or 10; got {depth!r}."
        )
    first, second, third = ([Conv(channels)] * count for count in groups[depth])
    parts: list[Part] = [*first, Pool(2), *second, Pool(2), *third, Pool(None)]
    return cnn(
        shape,
        parts,
        outputs,
        "relu",
        parametrization,
        sigma_w=sigma_w,
        sigma_b=sigma_b,
        train_zero_biases=train_zero_biases,
    )


def _pair(part: Part, value: int | tuple[int, ...], image: bool) -> Grid:
    """One number per axis; a sequence has one row."""
    axes = 2 if image else 1
    sizes = value if isinstance(value, (tuple, list)) else (value,) * axes
    if len(sizes) != axes or not all(
        isinstance(n, (int, np.integer)) and n > 0 for n in sizes
    ):
        raise InvalidInput(
            f"{part} must have positive integers, one for both axes of an image or one per axis."
        )
    return (int(sizes[0]), int(sizes[1])) if image else (1, int(sizes[0]))
