"""Puts networks together step by step, and checks that the steps fit."""

from dataclasses import dataclass
from typing import get_args

import numpy as np

from harness.errors import InvalidInput
from harness.networks.layers import (
    Activate,
    Activation,
    AveragePool,
    Convolution,
    Dense,
    Grid,
    Step,
    Weighted,
)
from harness.networks.network import Network, Parametrization


class Builder:
    """Collects steps, and knows the shape of what has come out so far."""

    def __init__(
        self,
        grid: Grid,
        channels: int,
        activation: Activation,
        scales: "Scales",
    ) -> None:
        self.grid, self.channels, self.activation, self.scales = (
            grid,
            channels,
            activation,
            scales,
        )
        self.inputs, self.steps = grid[0] * grid[1] * channels, list[Step]()

    def network(self) -> Network:
        """What was built."""
        scales = self.scales
        return Network(
            self.inputs,
            tuple(self.steps),
            scales.parametrization,
            scales.sigma_w,
            scales.sigma_b,
        )

    def activate(self) -> None:
        """Adds the activation."""
        self.steps.append(Activate(self.activation, self.steps[-1].size))

    def dense(self, width: int) -> None:
        """Adds a dense layer; positions that came in count as features."""
        if not isinstance(width, (int, np.integer)) or width < 1:
            raise InvalidInput(
                f"The width of a hidden layer must be a positive integer; got {width!r}."
            )
        fan_in = self.grid[0] * self.grid[1] * self.channels
        self.steps.append(Dense(*self._weights(fan_in, int(width))))
        self.grid, self.channels = (1, 1), int(width)

    def convolve(self, channels: int, kernel: Grid, stride: Grid, padding: str) -> None:
        """Adds a convolution."""
        choice("padding", padding, ("same", "valid"))
        sizes = zip(self.grid, kernel, stride, strict=True)
        rows, columns = (
            _same(n, k, s) if padding == "same" else (0, 0) for n, k, s in sizes
        )
        if not isinstance(channels, (int, np.integer)) or channels < 1:
            raise InvalidInput(
                f"The channels of a convolution must be a positive integer; got {channels!r}."
            )
        if any(
            n + sum(p) < k
            for n, k, p in zip(self.grid, kernel, (rows, columns), strict=True)
        ):
            raise InvalidInput(
                f"A kernel of {kernel} positions does not fit an input of {self.grid} positions."
            )
        weights = self._weights(kernel[0] * kernel[1] * self.channels, int(channels))
        step = Convolution(
            *weights, self.grid, self.channels, kernel, stride, (rows, columns)
        )
        self.steps.append(step)
        self.grid, self.channels = step.out, step.fan_out

    def pool(self, window: Grid) -> None:
        """Adds average pooling over windows that tile the grid."""
        if any(n % k for n, k in zip(self.grid, window, strict=True)):
            raise InvalidInput(
                f"Pooling windows must tile the {self.grid} positions that come in; got {window}."
            )
        step = AveragePool(self.grid, self.channels, window)
        self.steps.append(step)
        self.grid = step.out

    def _weights(
        self, fan_in: int, fan_out: int
    ) -> tuple[str, str | None, int, int, float, float, float, float]:
        """Names, sizes, scales and standard deviations of the next layer's parameters; see the
        module docstring.
        """
        index = sum(isinstance(step, Weighted) for step in self.steps) + 1
        weight_scale, weight_std = self.scales.weight(fan_in)
        bias_scale, bias_std = self.scales.bias
        bias = None if self.scales.sigma_b is None else f"b{index}"
        return (
            f"W{index}",
            bias,
            fan_in,
            fan_out,
            weight_scale,
            bias_scale,
            weight_std,
            bias_std,
        )


def _same(size: int, kernel: int, stride: int) -> Grid:
    """Padding before and after so that ceil(size / stride) patches fit; an odd one is after."""
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


@dataclass(frozen=True)
class Scales:
    """Parametrization and scales of a network, all layers alike; build it with `scales_of`, which
    checks them.
    """

    parametrization: Parametrization
    sigma_w: float
    sigma_b: float | None
    train_zero_biases: bool

    @property
    def ntk(self) -> bool:
        """Whether scales stand in the layers; in the standard parametrization they stand in the
        weights.
        """
        return self.parametrization == "ntk"

    def weight(self, fan_in: int) -> tuple[float, float]:
        """Scale of the weights in a layer, and the standard deviation that they are drawn with."""
        gain = self.sigma_w / fan_in**0.5
        return (gain, 1.0) if self.ntk else (1.0, gain)

    @property
    def bias(self) -> tuple[float, float]:
        """Scale of the biases in a layer, and the standard deviation that they are drawn with."""
        if self.sigma_b is None or self.train_zero_biases:
            return 1.0, 0.0
        return (self.sigma_b, 1.0) if self.ntk else (1.0, self.sigma_b)


def scales_of(
    parametrization: Parametrization,
    sigma_w: float,
    sigma_b: float | None,
    train_zero_biases: bool,
) -> Scales:
    """Parametrization and scales, checked; raises InvalidInput naming the argument."""
    choice("parametrization", parametrization, get_args(Parametrization))
    if not (np.isfinite(sigma_w) and sigma_w > 0):
        raise InvalidInput(f"sigma_w must be finite and positive; got {sigma_w!r}.")
    if sigma_b is not None and not (np.isfinite(sigma_b) and sigma_b >= 0):
        raise InvalidInput(
            f"sigma_b must be None (no biases) or finite and >= 0; got {sigma_b!r}."
        )
    if train_zero_biases and (parametrization != "ntk" or sigma_b != 0):
        raise InvalidInput(
            "train_zero_biases=True needs parametrization='ntk' and sigma_b=0.0; "
            f"got {parametrization!r} and {sigma_b!r}. All other biases are trained without it: "
            "leave it out."
        )
    return Scales(
        parametrization,
        float(sigma_w),
        None if sigma_b is None else float(sigma_b),
        bool(train_zero_biases),
    )


def choice(name: str, value: str, allowed: tuple[str, ...]) -> None:
    """Raises InvalidInput, listing what is allowed, unless the value is."""
    if value not in allowed:
        raise InvalidInput(f"Unknown {name} {value!r}. Allowed: {', '.join(allowed)}.")
