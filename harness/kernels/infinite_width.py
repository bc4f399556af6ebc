"""NTK and NNGP of a multilayer perceptron in the limit of infinite width.

With q^0 = <x, x'> / n_0 and, for layers l = 1 ... D with weight scale w_l, weight standard deviation d_l, fan-in
n_{l-1}, bias scale s_l and bias standard deviation e_l (harness.networks.Dense),

    K^l     = (w_l d_l)^2 n_{l-1} q^{l-1} + (s_l e_l)^2                                covariance of preactivations
    q^l     = E[phi(u) phi(v)],   p^l = E[phi'(u) phi'(v)],   (u, v) ~ N(0, K^l of the pair)
    Theta^l = w_l^2 n_{l-1} q^{l-1} + s_l^2 + (w_l d_l)^2 n_{l-1} p^{l-1} Theta^{l-1},   Theta^0 = 0

the NNGP kernel is K^D (Lee et al. 2018) and the NTK is Theta^D (Jacot, Gabriel, Hongler 2018). Without biases the
terms in s_l are absent; with sigma_b = 0 only Theta has them.

Accuracy, relative to the diagonal: relu 1e-14, erf 1e-13, tanh, sigmoid 1e-9, at every correlation and variance. Equal
inputs, and for relu opposite ones, are exact to rounding. Two exceptions: for relu without biases and inputs that are
not exactly but within 1e-7 rad opposite, entries that should nearly vanish are off by up to 1e-8; and in the chaotic
phase of the other activations, where chi = sigma_w^2 E[phi'^2] > 1, rounding grows with depth by up to chi per layer.
"""

import itertools
from dataclasses import dataclass

import numpy as np

from harness.errors import InvalidInput
from harness.kernels.gaussian_pairs import Pairs, dense, dense_std, dual, gains
from harness.networks import Network

_BLOCK = 256  # rows and columns computed at once: six float64 blocks fit into a cache of a few MB
_NEAR = 1e-4  # 1 - cosine below which rounding in the dot product would show, and the difference is taken instead


def ntk(net: Network, x1: np.ndarray, x2: np.ndarray | None = None) -> np.ndarray:
    """Infinite-width Neural Tangent Kernel of one output.

    In "ntk" parametrization the limit itself: widths of the hidden layers do not matter. In "standard"
    parametrization gradients of the weights grow with the width, and the result is the leading order at the net's
    own widths, sum_l (n_{l-1} q^{l-1} + 1) prod_{k>l} sigma_w^2 p^k: what finite nets of these widths have on
    average, up to a relative error of order depth/width.

    Args:
        net: a harness.networks.Network.
        x1: (N1, n_0), real.
        x2: (N2, n_0), or None for x1 against itself: half the work, exactly symmetric, analytic diagonal.

    Returns:
        (N1, N2) float64. Memory beyond the result: copies of x1 and x2 and a few blocks of 256 x 256.

    Raises:
        InvalidInput: if net is no Network, or x1 or x2 is not a finite, real array of shape (N, n_0).

    >>> from harness import networks
    >>> shallow = networks.mlp((2, 64, 1), sigma_w=1.0, sigma_b=None)
    >>> ntk(shallow, np.eye(2)).round(4)
    array([[0.5   , 0.0796],
           [0.0796, 0.5   ]])
    """
    return _assemble(net, x1, x2, tangent=True)


def nngp(net: Network, x1: np.ndarray, x2: np.ndarray | None = None) -> np.ndarray:
    """Infinite-width covariance of one output at initialisation: E[f(x) f(x')] over the initial weights.

    It is the same in both parametrizations. Arguments, result and errors as for `ntk`.

    >>> from harness import networks
    >>> nngp(networks.mlp((2, 1), sigma_w=1.0, sigma_b=0.5), np.eye(2))
    array([[0.75, 0.25],
           [0.25, 0.75]])
    """
    return _assemble(net, x1, x2, tangent=False)


@dataclass(frozen=True)
class _Inputs:
    """Inputs in polar form: rows of length one (or zero), and per input the scales of everything they cause.

    stds (2 D, N): root mean square of q^0, K^1, q^1, K^2, ... K^D, in the order in which they are met.
    """

    directions: np.ndarray
    stds: np.ndarray

    def __getitem__(self, rows: slice) -> "_Inputs":
        return _Inputs(self.directions[rows], self.stds[:, rows])

    @property
    def blocks(self) -> list[slice]:
        return [slice(start, start + _BLOCK) for start in range(0, len(self.directions), _BLOCK)]


def _inputs(net: Network, name: str, x: np.ndarray) -> _Inputs:
    lengths, directions = _polar(name, x, net.inputs)
    stds = [lengths / net.inputs**0.5]
    for layer in net.dense_layers:
        if layer is not net.dense_layers[0]:
            stds.append(dual(net.activation).std(stds[-1]))
        stds.append(dense_std(layer, stds[-1]))
    return _Inputs(directions, np.stack(stds))


def _polar(name: str, x: np.ndarray, inputs: int) -> tuple[np.ndarray, np.ndarray]:
    """Lengths (N,) and directions (N, n_0) of the rows, checked; the direction of a zero row is zero."""
    x = np.asarray(x)
    if x.ndim != 2 or x.shape[1] != inputs:
        raise InvalidInput(f"{name} must have shape (N, {inputs}), one row per input of the net; got {x.shape}.")
    if x.dtype.kind not in "biuf":
        raise InvalidInput(f"{name} must be real: booleans, integers or floats; got dtype {x.dtype}.")
    x = np.ascontiguousarray(x, dtype=np.float64)
    lengths = np.sqrt(np.einsum("ij,ij->i", x, x))
    if not np.isfinite(lengths).all():
        rows = np.flatnonzero(~np.isfinite(lengths))
        raise InvalidInput(
            f"{name} must be finite, and so must the squared lengths of its rows; {len(rows)} of {len(x)} rows are not "
            f"(first: row {rows[0]}). Remove or rescale them."
        )
    return lengths, x / np.where(lengths == 0.0, 1.0, lengths)[:, None]


def _assemble(net: Network, x1: np.ndarray, x2: np.ndarray | None, tangent: bool) -> np.ndarray:
    if not isinstance(net, Network):
        raise InvalidInput(f"Infinite-width kernels need a harness.networks.Network; got {type(net).__name__}.")
    first = _inputs(net, "x1", x1)
    if x2 is None:
        return _symmetric(net, first, tangent)
    second = _inputs(net, "x2", x2)
    kernel = np.empty((len(first.directions), len(second.directions)))
    for rows, columns in itertools.product(first.blocks, second.blocks):
        kernel[rows, columns] = _block(net, first[rows], second[columns], tangent)
    return kernel


def _symmetric(net: Network, inputs: _Inputs, tangent: bool) -> np.ndarray:
    kernel = np.empty((len(inputs.directions),) * 2)
    for rows, columns in itertools.combinations_with_replacement(inputs.blocks, 2):
        block = _block(net, inputs[rows], inputs[columns], tangent)
        if rows == columns:  # rounding may differ between the halves
            block = np.triu(block, 1) + np.triu(block, 1).T
        kernel[rows, columns], kernel[columns, rows] = block, block.T
    stds = inputs.stds
    np.fill_diagonal(kernel, _propagate(net, stds, stds, np.zeros(len(kernel)))[tangent])
    return kernel


def _block(net: Network, first: _Inputs, second: _Inputs, tangent: bool) -> np.ndarray:
    stds1, stds2 = first.stds[:, :, None], second.stds[:, None, :]
    deficit = stds1[0] * stds2[0] * _cosine_deficit(first.directions, second.directions)
    return _propagate(net, stds1, stds2, deficit)[tangent]


def _cosine_deficit(directions1: np.ndarray, directions2: np.ndarray) -> np.ndarray:
    """1 - cosine of all pairs, (N1, N2); from the difference of the directions where they nearly coincide."""
    deficit: np.ndarray = 1 - directions1 @ directions2.T
    near = deficit < _NEAR
    for row in np.flatnonzero(near.any(axis=1)):
        difference = directions2[near[row]] - directions1[row]
        deficit[row, near[row]] = np.einsum("ij,ij->i", difference, difference) / 2
    return deficit


def _propagate(
    net: Network, stds1: np.ndarray, stds2: np.ndarray, deficit: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """NNGP and NTK from the scales of the inputs, (2 D, ...), and the deficit of q^0 that they broadcast with."""
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
