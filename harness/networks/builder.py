"""Puts networks together step by step, and checks that the steps fit."""

from typing import get_args

import numpy as np

from harness.errors import InvalidInput
from harness.networks.layers import Activate, Activation, AveragePool, Convolution, Dense, Grid, Step, Weighted
from harness.networks.network import Network, Parametrization


class Builder:
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
        """What was built."""
        return Network(self.inputs, tuple(self.steps), self.parametrization, self.sigma_w, self.sigma_b)

    def activate(self) -> None:
        """Adds the activation."""
        self.steps.append(Activate(self.activation, self.steps[-1].size))

    def dense(self, width: int) -> None:
        """Adds a dense layer; positions that came in count as features."""
        if not isinstance(width, (int, np.integer)) or width < 1:
            raise InvalidInput(f"The width of a hidden layer must be a positive integer; got {width!r}.")
        fan_in = self.grid[0] * self.grid[1] * self.channels
        self.steps.append(Dense(*self._weights(fan_in, int(width))))
        self.grid, self.channels = (1, 1), int(width)

    def convolve(self, channels: int, kernel: Grid, stride: Grid, padding: str) -> None:
        """Adds a convolution."""
        choice("padding", padding, ("same", "valid"))
        sizes = zip(self.grid, kernel, stride, strict=True)
        rows, columns = (_same(n, k, s) if padding == "same" else (0, 0) for n, k, s in sizes)
        if not isinstance(channels, (int, np.integer)) or channels < 1:
            raise InvalidInput(f"The channels of a convolution must be a positive integer; got {channels!r}.")
        if any(n + sum(p) < k for n, k, p in zip(self.grid, kernel, (rows, columns), strict=True)):
            raise InvalidInput(f"A kernel of {kernel} positions does not fit an input of {self.grid} positions.")
        weights = self._weights(kernel[0] * kernel[1] * self.channels, int(channels))
        step = Convolution(*weights, self.grid, self.channels, kernel, stride, (rows, columns))
        self.steps.append(step)
        self.grid, self.channels = step.out, step.fan_out

    def pool(self, window: Grid) -> None:
        """Adds average pooling over windows that tile the grid."""
        if any(n % k for n, k in zip(self.grid, window, strict=True)):
            raise InvalidInput(f"Pooling windows must tile the {self.grid} positions that come in; got {window}.")
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


def scales_of(
    activation: str, parametrization: Parametrization, sigma_w: float, sigma_b: float | None
) -> tuple[Parametrization, float, float | None]:
    """Parametrization and scales, checked; raises InvalidInput naming the argument."""
    choice("activation", activation, get_args(Activation))
    choice("parametrization", parametrization, get_args(Parametrization))
    if not (np.isfinite(sigma_w) and sigma_w > 0):
        raise InvalidInput(f"sigma_w must be finite and positive; got {sigma_w!r}.")
    if sigma_b is not None and not (np.isfinite(sigma_b) and sigma_b >= 0):
        raise InvalidInput(f"sigma_b must be None (no biases) or finite and >= 0; got {sigma_b!r}.")
    return parametrization, float(sigma_w), None if sigma_b is None else float(sigma_b)


def choice(name: str, value: str, allowed: tuple[str, ...]) -> None:
    """Raises InvalidInput, listing what is allowed, unless the value is."""
    if value not in allowed:
        raise InvalidInput(f"Unknown {name} {value!r}. Allowed: {', '.join(allowed)}.")
