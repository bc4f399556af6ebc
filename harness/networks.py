"""Architectures, their parametrization, and their initial weights, drawn once in NumPy for every backend.

A multilayer perceptron with widths (n_0, ..., n_D) computes, for layers l = 1 ... D,

    h_l = w_l W_l x_{l-1} + s_l b_l,      x_l = phi(h_l) for l < D,      f(x) = h_D,

with one pair of scales per parametrization (both give the same distribution of f at initialisation):

    "ntk":       w_l = sigma_w / sqrt(n_{l-1}),  s_l = sigma_b,   W, b ~ N(0, 1)
    "standard":  w_l = s_l = 1,                  W ~ N(0, sigma_w^2 / n_{l-1}),  b ~ N(0, sigma_b^2)

A convolution is such a layer at every position of its output, on a patch: n_{l-1} is the fan-in, kernel positions times
channels, also where the patch reaches into the padding. Average pooling stands between layers.

Without biases (sigma_b = None) the second term is absent. With sigma_b = 0 biases start at zero and are trained; their
scale s_l is then 1 in both parametrizations, since a scale of zero would leave nothing to train (as Hanin, Nica 2019).

Sources: Jacot, Gabriel, Hongler 2018 (ntk); Seleznova, Kutyniok 2020, section 2 (standard).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, get_args

import numpy as np

from harness import seeds
from harness.errors import InvalidInput
from harness.layers import Activate, Activation, AveragePool, Convolution, Dense, Grid, Step, Weighted

Parametrization = Literal["ntk", "standard"]
Theta = dict[str, np.ndarray]


@dataclass(frozen=True)
class Network:
    """A feed-forward network; build it with `mlp` or `cnn`, which check their arguments.

    Attributes:
        inputs: n_0; x is (N, n_0), images flat with channels last.
        steps: what is done to x, in order; the last step is a dense layer.
    """

    inputs: int
    steps: tuple[Step, ...]
    parametrization: Parametrization
    sigma_w: float
    sigma_b: float | None

    @cached_property
    def layers(self) -> tuple[Weighted, ...]:
        """The steps that have weights, from input to readout."""
        return tuple(step for step in self.steps if isinstance(step, Weighted))

    @property
    def outputs(self) -> int:
        """Number of outputs O."""
        return self.steps[-1].size

    @property
    def activation(self) -> Activation:
        """The activation; "relu", which is then never used, if there is none."""
        return next((step.name for step in self.steps if isinstance(step, Activate)), "relu")

    @property
    def dense(self) -> bool:
        """Whether it is a multilayer perceptron."""
        return all(isinstance(step, Dense | Activate) for step in self.steps)

    @cached_property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Parameter name -> shape, in layer order, without a seed axis."""
        shapes: dict[str, tuple[int, ...]] = {}
        for layer in self.layers:
            shapes[layer.weight] = (layer.fan_out, layer.fan_in)
            if layer.bias is not None:
                shapes[layer.bias] = (layer.fan_out,)
        return shapes

    def init(self, seed: int | Iterable[int]) -> Theta:
        """Initial weights: name -> float64 array, with a leading seed axis if `seed` is a sequence.

        Every array has a stream of its own, derived from (seed, name): nets that share a seed and a shape share
        the normals behind it, whatever their sigma_w, sigma_b or parametrization, so arms can be paired.

        >>> net = mlp((3, 4, 2))
        >>> many, one = net.init(range(5)), net.init(2)
        >>> bool((many["W1"][2] == one["W1"]).all())
        True
        """
        if isinstance(seed, (int, np.integer)):
            return {name: std * self._normal(int(seed), name) for name, std in self._stds().items()}
        thetas = [self.init(int(s)) for s in seed]
        if not thetas:
            raise InvalidInput("init needs at least one seed; got an empty sequence.")
        return {name: np.stack([theta[name] for theta in thetas]) for name in thetas[0]}

    def _normal(self, seed: int, name: str) -> np.ndarray:
        return seeds.generator("weights", seed=seed, name=name).standard_normal(self.shapes[name])

    def _stds(self) -> dict[str, float]:
        stds: dict[str, float] = {}
        for layer in self.layers:
            stds[layer.weight] = layer.weight_std
            if layer.bias is not None:
                stds[layer.bias] = layer.bias_std
        return stds


def mlp(
    widths: Iterable[int],
    activation: Activation = "relu",
    parametrization: Parametrization = "ntk",
    sigma_w: float = 2**0.5,
    sigma_b: float | None = 0.0,
) -> Network:
    """A multilayer perceptron.

    Args:
        widths: (n_0, ..., n_D), input dimension first, number of outputs last; at least one layer.
        activation: "relu", "tanh", "erf" or "sigmoid", after every layer but the last.
        parametrization: "ntk" or "standard" (module docstring).
        sigma_w: standard deviation scale of the weights, every layer, the readout too; positive.
        sigma_b: the same for the biases. None: no bias parameters. 0.0: biases that start at zero and are trained.

    Raises:
        InvalidInput: naming the argument, its value and what is allowed.

    >>> mlp((784, 512, 10), activation="tanh", sigma_b=0.1).shapes["W2"]
    (10, 512)
    """
    widths = tuple(widths)
    if len(widths) < 2 or not all(isinstance(n, (int, np.integer)) and n > 0 for n in widths):
        raise InvalidInput(f"widths must be at least two positive integers (inputs, ..., outputs); got {widths!r}.")
    scales = _scales(activation, parametrization, sigma_w, sigma_b)
    builder = _Builder((1, 1), int(widths[0]), activation, *scales)
    for width in widths[1:-1]:
        builder.dense(int(width))
        builder.activate()
    builder.dense(int(widths[-1]))
    return builder.network()


@dataclass(frozen=True)
class Conv:
    """Part of a `cnn`: a convolution with `channels` out, followed by the activation.

    `kernel` and `stride` are one number for both axes of an image (or the one axis of a sequence), or one per axis.
    `padding`: "same" keeps ceil(size / stride) positions, "valid" takes whole patches only.
    """

    channels: int
    kernel: int | Grid = 3
    stride: int | Grid = 1
    padding: Literal["same", "valid"] = "same"


@dataclass(frozen=True)
class Pool:
    """Part of a `cnn`: average pooling over windows that do not overlap; None: over all positions."""

    window: int | Grid | None = 2


@dataclass(frozen=True)
class Hidden:
    """Part of a `cnn`: a dense hidden layer, followed by the activation; before it, positions count as features."""

    width: int


Part = Conv | Pool | Hidden


def cnn(
    shape: tuple[int, ...],
    parts: Sequence[Part],
    outputs: int = 1,
    activation: Activation = "relu",
    parametrization: Parametrization = "ntk",
    sigma_w: float = 2**0.5,
    sigma_b: float | None = 0.0,
) -> Network:
    """A convolutional network with a dense readout.

    Args:
        shape: of one input, (rows, columns, channels) for images, (length, channels) for sequences. x is (N, n_0), flat.
        parts: Conv, Pool and Hidden, in order; the readout to `outputs` is added.
        activation, parametrization, sigma_w, sigma_b: as in `mlp`.

    Raises:
        InvalidInput: naming the part, its value and what is allowed.

    >>> net = cnn((28, 28, 1), [Conv(16), Pool(2), Conv(32, stride=2), Pool(None)], outputs=10)
    >>> net.shapes["W2"], net.inputs, net.outputs
    ((32, 144), 784, 10)
    """
    if len(shape) not in (2, 3) or not all(isinstance(n, (int, np.integer)) and n > 0 for n in shape):
        raise InvalidInput(f"shape must be (rows, columns, channels) or (length, channels), positive; got {shape!r}.")
    if not isinstance(outputs, (int, np.integer)) or outputs < 1:
        raise InvalidInput(f"outputs must be a positive integer; got {outputs!r}.")
    image = len(shape) == 3
    scales = _scales(activation, parametrization, sigma_w, sigma_b)
    grid = (int(shape[0]), int(shape[1])) if image else (1, int(shape[0]))
    builder = _Builder(grid, int(shape[-1]), activation, *scales)
    for part in parts:
        match part:
            case Conv():
                kernel, stride = _pair(part, part.kernel, image), _pair(part, part.stride, image)
                builder.convolve(part, int(part.channels), kernel, stride)
                builder.activate()
            case Pool():
                builder.pool(part, builder.grid if part.window is None else _pair(part, part.window, image))
            case Hidden():
                builder.dense(part.width)
                builder.activate()
            case _:
                raise InvalidInput(f"A part of a cnn must be Conv, Pool or Hidden; got {part!r}.")
    builder.dense(int(outputs))
    return builder.network()


def myrtle(
    depth: Literal[5, 7, 10],
    channels: int,
    shape: tuple[int, int, int] = (32, 32, 3),
    outputs: int = 10,
    parametrization: Parametrization = "ntk",
    sigma_w: float = 2**0.5,
    sigma_b: float | None = 0.0,
) -> Network:
    """A Myrtle-type ReLU network: three groups of 3x3 convolutions with pooling by 2 between, and global pooling.

    Groups of 2, 1, 1 (depth 5), 2, 2, 2 (7) or 3, 3, 3 (10) convolutions, as in Shankar et al. 2020, "Neural Kernels
    Without Tangents".

    >>> len(myrtle(5, 8).layers)
    5
    """
    groups = {5: (2, 1, 1), 7: (2, 2, 2), 10: (3, 3, 3)}
    if depth not in groups:
        raise InvalidInput(f"depth of a Myrtle network must be 5, 7 or 10; got {depth!r}.")
    first, second, third = ([Conv(channels)] * count for count in groups[depth])
    parts = [*first, Pool(2), *second, Pool(2), *third, Pool(None)]
    return cnn(shape, parts, outputs, "relu", parametrization, sigma_w, sigma_b)


class _Builder:
    """Collects steps, and knows the shape of what has come out so far."""

    def __init__(
        self,
        grid: Grid,
        channels: int,
        activation: Activation,
        parametrization: Parametrization,
        sigma_w: float,
        sigma_b: float | None,
    ) -> None:
        self.grid, self.channels, self.activation = grid, channels, activation
        self.parametrization, self.sigma_w, self.sigma_b = parametrization, sigma_w, sigma_b
        self.inputs, self.steps = grid[0] * grid[1] * channels, list[Step]()

    def network(self) -> Network:
        return Network(self.inputs, tuple(self.steps), self.parametrization, self.sigma_w, self.sigma_b)

    def activate(self) -> None:
        self.steps.append(Activate(self.activation, self.steps[-1].size))

    def dense(self, width: int) -> None:
        if not isinstance(width, (int, np.integer)) or width < 1:
            raise InvalidInput(f"The width of a hidden layer must be a positive integer; got {width!r}.")
        fan_in = self.grid[0] * self.grid[1] * self.channels
        self.steps.append(Dense(*self._weights(fan_in, int(width))))
        self.grid, self.channels = (1, 1), int(width)

    def convolve(self, part: Conv, channels: int, kernel: Grid, stride: Grid) -> None:
        if part.padding not in ("same", "valid"):
            raise InvalidInput(f"Unknown padding in {part}. Allowed: same, valid.")
        padding = tuple(
            _same(n, k, s) if part.padding == "same" else (0, 0)
            for n, k, s in zip(self.grid, kernel, stride, strict=True)
        )
        if channels < 1 or any(n + sum(p) < k for n, k, p in zip(self.grid, kernel, padding, strict=True)):
            raise InvalidInput(f"{part} does not fit its input of {self.grid} positions, or has no channels.")
        weights = self._weights(kernel[0] * kernel[1] * self.channels, channels)
        step = Convolution(*weights, self.grid, self.channels, kernel, stride, (padding[0], padding[1]))
        self.steps.append(step)
        self.grid, self.channels = step.out, channels

    def pool(self, part: Pool, window: Grid) -> None:
        if any(n % k for n, k in zip(self.grid, window, strict=True)):
            raise InvalidInput(f"The windows of {part} must tile the {self.grid} positions that come in.")
        step = AveragePool(self.grid, self.channels, window)
        self.steps.append(step)
        self.grid = step.out

    def _weights(self, fan_in: int, fan_out: int) -> tuple[str, str | None, int, int, float, float, float, float]:
        """Names, sizes, scales and standard deviations of the next layer's parameters; see the module docstring."""
        index = sum(isinstance(step, Weighted) for step in self.steps) + 1
        gain, sigma_b, ntk = self.sigma_w / fan_in**0.5, self.sigma_b, self.parametrization == "ntk"
        scales = (gain, sigma_b or 1.0) if ntk else (1.0, 1.0)
        stds = (1.0, 1.0 if sigma_b else 0.0) if ntk else (gain, sigma_b or 0.0)
        return f"W{index}", None if sigma_b is None else f"b{index}", fan_in, fan_out, *scales, *stds


def _same(size: int, kernel: int, stride: int) -> Grid:
    """Padding before and after such that ceil(size / stride) patches fit; the odd one comes after."""
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


def _pair(part: Part, value: int | Grid, image: bool) -> Grid:
    """One number per axis; a sequence has one row."""
    pair = (value, value) if isinstance(value, (int, np.integer)) else tuple(value)
    if not image:
        pair = (1, pair[-1])
    if len(pair) != 2 or not all(isinstance(n, (int, np.integer)) and n > 0 for n in pair):
        raise InvalidInput(f"{part} must have positive integers, one for both axes or one per axis.")
    return int(pair[0]), int(pair[1])


def _scales(
    activation: str, parametrization: Parametrization, sigma_w: float, sigma_b: float | None
) -> tuple[Parametrization, float, float | None]:
    _choice("activation", activation, get_args(Activation))
    _choice("parametrization", parametrization, get_args(Parametrization))
    if not (np.isfinite(sigma_w) and sigma_w > 0):
        raise InvalidInput(f"sigma_w must be finite and positive; got {sigma_w!r}.")
    if sigma_b is not None and not (np.isfinite(sigma_b) and sigma_b >= 0):
        raise InvalidInput(f"sigma_b must be None (no biases) or finite and >= 0; got {sigma_b!r}.")
    return parametrization, float(sigma_w), None if sigma_b is None else float(sigma_b)


def _choice(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise InvalidInput(f"Unknown {name} {value!r}. Allowed: {', '.join(allowed)}.")


def ntk_noise(net: Network, seed: int, draws: int, dtype: type = np.float32) -> Theta:
    """Standard normals from which `Backend.ntk_samples` makes `draws` networks: name -> (draws, n).

    "uW1" ... (fan_out) stand for W x / |x|, "gW2" ... (fan_in) for the rest of W^T delta / |delta|, "b1" ... for the
    biases. They depend on the widths alone, so every activation, sigma_w and sigma_b can share them.

    >>> {name: array.shape for name, array in ntk_noise(mlp((5, 4, 1), sigma_b=0.0), seed=0, draws=2).items()}
    {'uW1': (2, 4), 'b1': (2, 4), 'uW2': (2, 1), 'gW2': (2, 4), 'b2': (2, 1)}
    """
    return {
        name: seeds.generator("ntk_noise", seed=seed, name=name).standard_normal((draws, size), dtype=dtype)
        for name, size in noise_sizes(net).items()
    }


def noise_sizes(net: Network) -> dict[str, int]:
    """Names and sizes of the normals that one draw of `ntk_noise` takes."""
    sizes: dict[str, int] = {}
    for layer in net.layers:
        sizes[f"u{layer.weight}"] = layer.fan_out
        if layer is not net.layers[0]:
            sizes[f"g{layer.weight}"] = layer.fan_in
        if layer.bias is not None:
            sizes[layer.bias] = layer.fan_out
    return sizes
