"""Blocks of the kernels of a multilayer perceptron: the recursion on one number per pair.

Accuracy, relative to the diagonal: relu 1e-14, erf 1e-13, tanh, sigmoid 1e-9, at every correlation
and variance. Equal inputs, and for relu opposite ones, are exact to rounding. Two exceptions: for
relu without biases and inputs that are not exactly but within 1e-7 rad opposite, entries that
should nearly vanish are off by up to 1e-8; and in the chaotic phase of the other activations, where
chi = sigma_w^2 E[phi'^2] > 1, rounding grows with depth by up to chi per layer.
"""

from dataclasses import dataclass

import numpy as np

from harness.kernels.gaussian_pairs import Pairs, dense, dense_std, dual, gains
from harness.networks import Network

_BLOCK = 256  # rows and columns computed at once: six float64 blocks fit into a cache of a few MB
# 1 - cosine below which rounding in the dot product would show, and the difference is taken instead
_NEAR = 1e-4


@dataclass(frozen=True)
class PerceptronInputs:
    """Inputs in polar form: rows of length one (or zero), and per input the scales of everything
    they cause.

    stds (2 D, N): root mean square of q^0, K^1, q^1, K^2, ... K^D, in the order in which they are
    met.
    """

    net: Network
    directions: np.ndarray
    stds: np.ndarray

    @classmethod
    def of(cls, net: Network, x: np.ndarray) -> "PerceptronInputs":
        """From x (N, n_0), float64 and finite; the direction of a zero row is zero."""
        lengths = np.sqrt(np.einsum("ij,ij->i", x, x))
        stds = [lengths / net.inputs**0.5]
        for layer in net.dense_layers:
            if layer is not net.dense_layers[0]:
                stds.append(dual(net.activation).std(stds[-1]))
            stds.append(dense_std(layer, stds[-1]))
        return cls(
            net, x / np.where(lengths == 0.0, 1.0, lengths)[:, None], np.stack(stds)
        )

    def __len__(self) -> int:
        return len(self.directions)

    def __getitem__(self, rows: slice) -> "PerceptronInputs":
        return PerceptronInputs(self.net, self.directions[rows], self.stds[:, rows])

    @property
    def block_size(self) -> int:
        """Rows of a block."""
        return _BLOCK

    def against(self, other: "PerceptronInputs", tangent: bool) -> np.ndarray:
        """One block, (N1, N2)."""
        stds1, stds2 = self.stds[:, :, None], other.stds[:, None, :]
        deficit = (
            stds1[0] * stds2[0] * _cosine_deficit(self.directions, other.directions)
        )
        return _propagate(self.net, stds1, stds2, deficit)[tangent]

    def diagonal(self, tangent: bool) -> np.ndarray:
        """The kernel of every input with itself, (N,)."""
        return _propagate(self.net, self.stds, self.stds, np.zeros(len(self)))[tangent]


def _cosine_deficit(directions1: np.ndarray, directions2: np.ndarray) -> np.ndarray:
    """1 - cosine of all pairs, (N1, N2); from the difference of the directions where they nearly
    coincide.
    """
    deficit: np.ndarray = 1 - directions1 @ directions2.T
    near = deficit < _NEAR
    for row in np.flatnonzero(near.any(axis=1)):
        difference = directions2[near[row]] - directions1[row]
        deficit[row, near[row]] = np.einsum("ij,ij->i", difference, difference) / 2
    return deficit


def _propagate(
    net: Network, stds1: np.ndarray, stds2: np.ndarray, deficit: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """NNGP and NTK from the scales of the inputs, (2 D, ...), and the deficit of q^0 that they
    broadcast with.
    """
    phi = dual(net.activation)
    pairs, theta = Pairs(stds1[0], stds2[0], deficit), np.zeros_like(deficit)
    for index, layer in enumerate(net.dense_layers):
        if index > 0:
            pairs, slopes = phi.pairs(pairs, stds1[2 * index], stds2[2 * index])
            theta = theta * slopes
        gain, _ = gains(layer)
        theta = gain * theta + layer.weight_scale**2 * layer.fan_in * pairs.moment
        if layer.bias is not None:
            theta += layer.bias_scale**2
        pairs = dense(layer, pairs, stds1[2 * index + 1], stds2[2 * index + 1])
    return pairs.moment, theta
