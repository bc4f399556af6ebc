"""The steps that a network is made of: layers with weights, and what stands between them.

Features travel flat, (..., size), images channel last: position (i, j), channel c at ((i * width) +
j) * channels + c. So a dense layer after a convolution needs no flattening, and every network takes
x of shape (N, n_0).
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

Activation = Literal["relu", "tanh", "erf", "sigmoid"]
Grid = tuple[int, int]


@dataclass(frozen=True)
class _Affine:
    """What dense layers and convolutions share: names of the parameters, W of shape (fan_out,
    fan_in), and scales.
    """

    weight: str
    bias: str | None
    fan_in: int
    fan_out: int
    weight_scale: float
    bias_scale: float
    weight_std: float
    bias_std: float


@dataclass(frozen=True)
class Dense(_Affine):
    """One dense layer, h = weight_scale * W x + bias_scale * b; W is (fan_out, fan_in)."""

    @property
    def size(self) -> int:
        """Features that come out."""
        return self.fan_out


@dataclass(frozen=True)
class Convolution(_Affine):
    """One convolution: at every output position, a dense layer on a patch of the input, with the
    same weights.

    W is (fan_out, fan_in), fan_out the channels out and fan_in = kernel positions * channels in, in
    the order (row, column, channel) of the patch. `padding` is what is put before and after, per
    axis; padding is zero.
    """

    grid: Grid
    channels: int
    kernel: Grid
    stride: Grid
    padding: tuple[Grid, Grid]

    @cached_property
    def out(self) -> Grid:
        """Rows and columns of output positions."""
        sizes = zip(self.grid, self.kernel, self.stride, self.padding, strict=True)
        rows, columns = ((n + sum(pad) - k) // s + 1 for n, k, s, pad in sizes)
        return rows, columns

    @property
    def positions(self) -> int:
        """Number of output positions."""
        return self.out[0] * self.out[1]

    @property
    def size(self) -> int:
        """Features that come out."""
        return self.positions * self.fan_out

    @cached_property
    def patches(self) -> np.ndarray:
        """Which flat input feature each patch entry is, (positions, fan_in); the padding is feature
        number `grid size`.

        >>> conv = Convolution(
        ...     "W1", None, 3, 1, 1.0, 1.0, 1.0, 0.0, (1, 3), 1, (1, 3), (1, 1), ((0, 0), (1, 1))
        ... )
        >>> conv.patches.tolist()
        [[3, 0, 1], [0, 1, 2], [1, 2, 3]]
        """
        axes = [
            np.arange(out)[:, None] * stride + np.arange(kernel)[None, :] - pad[0]
            for out, stride, kernel, pad in zip(
                self.out, self.stride, self.kernel, self.padding, strict=True
            )
        ]
        row, column = axes[0][:, None, :, None, None], axes[1][None, :, None, :, None]
        inside = (
            (row >= 0) & (row < self.grid[0]) & (column >= 0) & (column < self.grid[1])
        )
        index = (row * self.grid[1] + column) * self.channels + np.arange(self.channels)
        index = np.where(inside, index, self.grid[0] * self.grid[1] * self.channels)
        return np.asarray(index.reshape(self.positions, self.fan_in))


@dataclass(frozen=True)
class Activate:
    """The activation, entry by entry."""

    name: Activation
    size: int


@dataclass(frozen=True)
class AveragePool:
    """The mean over windows that do not overlap; they cover the grid."""

    grid: Grid
    channels: int
    window: Grid

    @property
    def out(self) -> Grid:
        """Rows and columns of windows."""
        return self.grid[0] // self.window[0], self.grid[1] // self.window[1]

    @property
    def size(self) -> int:
        """Features that come out."""
        return self.out[0] * self.out[1] * self.channels


Weighted = Dense | Convolution
Step = Dense | Convolution | Activate | AveragePool
