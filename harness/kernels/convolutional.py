"""Blocks of the kernels of a convolutional network: the recursion over pairs of positions.

A pair of inputs takes positions^2 float64 up to the last pooling, and positions after it or without
pooling.

Accuracy, relative to the diagonal: relu and erf 1e-13, tanh, sigmoid 1e-9. Equal patches are exact
to rounding. For patches that are not equal but within 1e-7 rad of equal (or, for relu, of opposite)
directions, relu's Theta is off by up to 1e-8 per layer: angles come from covariances here, which
resolve no smaller ones. Chaos amplifies rounding as in perceptron.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from harness.kernels.position_pairs import State, activate, start, transform
from harness.networks import Activate, AveragePool, Convolution, Network
from harness.networks.layers import Grid

_BLOCK = (
    2**16
    # pairs of positions computed at once: the dozen float64 arrays in use then fit into a cache of
    # a few MB
)

Stds = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class ConvolutionalInputs:
    """Images, the standard deviations that they cause before each activation, and their kernels
    with themselves.

    images (N, positions, channels); stds: per activation (N, rows, columns); selves (2, N): NNGP
    and NTK.
    """

    net: Network
    images: np.ndarray
    stds: tuple[np.ndarray, ...]
    selves: np.ndarray

    @classmethod
    def of(cls, net: Network, x: np.ndarray) -> "ConvolutionalInputs":
        """From x (N, n_0), float64 and finite."""
        grid, channels = entry(net)
        images = x.reshape(len(x), math.prod(grid), channels)
        size = max(1, _BLOCK // pairs_of_positions(net))
        parts = [
            _alone(net, images[first : first + size])
            for first in range(0, max(len(x), 1), size)
        ]
        stds = tuple(
            np.concatenate(std)
            for std in zip(*(part[0] for part in parts), strict=True)
        )
        return cls(
            net, images, stds, np.concatenate([part[1] for part in parts], axis=1)
        )

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, rows: slice) -> "ConvolutionalInputs":
        stds = tuple(std[rows] for std in self.stds)
        return ConvolutionalInputs(
            self.net, self.images[rows], stds, self.selves[:, rows]
        )

    @property
    def block_size(self) -> int:
        """Rows of a block."""
        return max(1, math.isqrt(_BLOCK // pairs_of_positions(self.net)))

    def against(self, other: "ConvolutionalInputs", tangent: bool) -> np.ndarray:
        """One block, (N1, N2)."""
        stds = zip(
            (std[:, None] for std in self.stds),
            (std[None] for std in other.stds),
            strict=True,
        )
        state = _propagate(
            self.net, self.images[:, None], other.images[None], lambda _: next(stds)
        )
        return (state.theta if tangent else state.moment)[..., 0, 0]

    def diagonal(self, tangent: bool) -> np.ndarray:
        """The kernel of every input with itself, (N,)."""
        diagonal: np.ndarray = self.selves[int(tangent)]
        return diagonal


def _alone(net: Network, images: np.ndarray) -> tuple[list[np.ndarray], np.ndarray]:
    """Every input paired with itself: standard deviations before each activation, and NNGP and NTK
    (2, N).
    """
    stds: list[np.ndarray] = []

    def own(state: State) -> Stds:
        stds.append(state.stds)
        return stds[-1], stds[-1]

    state = _propagate(net, images, images, own)
    return stds, np.stack([state.moment[:, 0, 0], state.theta[:, 0, 0]])


def _propagate(
    net: Network,
    images1: np.ndarray,
    images2: np.ndarray,
    stds: Callable[[State], Stds],
) -> State:
    """The state at the output; `stds` gives the standard deviations before the next activation."""
    crossed = crossed_steps(net)
    state = start(images1, images2, entry(net)[0], crossed > 0)
    for index, step in enumerate(net.steps):
        state = (
            activate(step, state, *stds(state))
            if isinstance(step, Activate)
            else transform(step, state)
        )
        if index + 1 == crossed:
            state = state.uncrossed()
    return state


def crossed_steps(net: Network) -> int:
    """Number of steps up to the last pooling, which take all pairs of positions; windows of one do
    not count.
    """
    pools = [
        n
        for n, step in enumerate(net.steps, 1)
        if isinstance(step, AveragePool) and step.window != (1, 1)
    ]
    return max(pools, default=0)


def entry(net: Network) -> tuple[Grid, int]:
    """Positions and channels of an input; a dense first layer takes one position."""
    first = net.steps[0]
    return (
        (first.grid, first.channels)
        if isinstance(first, Convolution | AveragePool)
        else ((1, 1), net.inputs)
    )


def pairs_of_positions(net: Network) -> int:
    """Pairs of positions in the largest state of a pair of inputs, the first one."""
    positions = math.prod(entry(net)[0])
    return positions**2 if crossed_steps(net) else positions
