"""Architectures, their parametrization, and their initial weights, drawn once in NumPy for every backend.

A multilayer perceptron with widths (n_0, ..., n_D) computes, for layers l = 1 ... D,

    h_l = w_l W_l x_{l-1} + s_l b_l,      x_l = phi(h_l) for l < D,      f(x) = h_D,

with one pair of scales per parametrization (both give the same distribution of f at initialisation):

    "ntk":       w_l = sigma_w / sqrt(n_{l-1}),  s_l = sigma_b,   W, b ~ N(0, 1)
    "standard":  w_l = s_l = 1,                  W ~ N(0, sigma_w^2 / n_{l-1}),  b ~ N(0, sigma_b^2)

Without biases (sigma_b = None) the second term is absent. With sigma_b = 0 biases start at zero and are trained; their
scale s_l is then 1 in both parametrizations, since a scale of zero would leave nothing to train (as Hanin, Nica 2019).

Sources: Jacot, Gabriel, Hongler 2018 (ntk); Seleznova, Kutyniok 2020, section 2 (standard).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, get_args

import numpy as np

from harness import seeds
from harness.errors import InvalidInput

Activation = Literal["relu", "tanh", "erf", "sigmoid"]
Parametrization = Literal["ntk", "standard"]
Theta = dict[str, np.ndarray]


@dataclass(frozen=True)
class Dense:
    """One dense layer, h = weight_scale * W x + bias_scale * b, with W of shape (fan_out, fan_in)."""

    weight: str
    bias: str | None
    fan_in: int
    fan_out: int
    weight_scale: float
    bias_scale: float
    weight_std: float
    bias_std: float


@dataclass(frozen=True)
class MLP:
    """A multilayer perceptron; build it with `mlp`, which checks its arguments."""

    widths: tuple[int, ...]
    activation: Activation
    parametrization: Parametrization
    sigma_w: float
    sigma_b: float | None

    @cached_property
    def layers(self) -> tuple[Dense, ...]:
        """The dense layers from input to readout."""
        return tuple(self._dense(index) for index in range(1, len(self.widths)))

    def _dense(self, index: int) -> Dense:
        fan_in, fan_out = self.widths[index - 1 : index + 1]
        gain = self.sigma_w / fan_in**0.5
        ntk = self.parametrization == "ntk"
        return Dense(
            weight=f"W{index}",
            bias=None if self.sigma_b is None else f"b{index}",
            fan_in=fan_in,
            fan_out=fan_out,
            weight_scale=gain if ntk else 1.0,
            bias_scale=self.sigma_b if ntk and self.sigma_b else 1.0,
            weight_std=1.0 if ntk else gain,
            bias_std=1.0 if ntk and self.sigma_b else self.sigma_b or 0.0,
        )

    @property
    def inputs(self) -> int:
        """Input dimension n_0."""
        return self.widths[0]

    @property
    def outputs(self) -> int:
        """Number of outputs O."""
        return self.widths[-1]

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
) -> MLP:
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
    _choice("activation", activation, get_args(Activation))
    _choice("parametrization", parametrization, get_args(Parametrization))
    if not (np.isfinite(sigma_w) and sigma_w > 0):
        raise InvalidInput(f"sigma_w must be finite and positive; got {sigma_w!r}.")
    if sigma_b is not None and not (np.isfinite(sigma_b) and sigma_b >= 0):
        raise InvalidInput(f"sigma_b must be None (no biases) or finite and >= 0; got {sigma_b!r}.")
    sigma_b = None if sigma_b is None else float(sigma_b)
    return MLP(tuple(int(n) for n in widths), activation, parametrization, float(sigma_w), sigma_b)


def _choice(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise InvalidInput(f"Unknown {name} {value!r}. Allowed: {', '.join(allowed)}.")


def ntk_noise(net: MLP, seed: int, draws: int, dtype: type = np.float32) -> Theta:
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


def noise_sizes(net: MLP) -> dict[str, int]:
    """Names and sizes of the normals that one draw of `ntk_noise` takes."""
    sizes: dict[str, int] = {}
    for layer in net.layers:
        sizes[f"u{layer.weight}"] = layer.fan_out
        if layer is not net.layers[0]:
            sizes[f"g{layer.weight}"] = layer.fan_in
        if layer.bias is not None:
            sizes[layer.bias] = layer.fan_out
    return sizes
