"""NTK and NNGP of a network in the limit of infinite width.

In a multilayer perceptron with q^0 = <x, x'> / n_0 and, for layers l = 1 ... D with weight scale w_l, weight standard
deviation d_l, fan-in n_{l-1}, bias scale s_l and bias standard deviation e_l (harness.networks.Dense),

    K^l     = (w_l d_l)^2 n_{l-1} q^{l-1} + (s_l e_l)^2                                covariance of preactivations
    q^l     = E[phi(u) phi(v)],   p^l = E[phi'(u) phi'(v)],   (u, v) ~ N(0, K^l of the pair)
    Theta^l = w_l^2 n_{l-1} q^{l-1} + s_l^2 + (w_l d_l)^2 n_{l-1} p^{l-1} Theta^{l-1},   Theta^0 = 0

the NNGP kernel is K^D (Lee et al. 2018) and the NTK is Theta^D (Jacot, Gabriel, Hongler 2018). Without biases the
terms in s_l are absent; with sigma_b = 0 only Theta has them.

Convolutions and pooling turn K and Theta of a pair of inputs into matrices over pairs of positions: position_pairs.

Accuracy is stated in perceptron (1e-9 or better) and convolutional (the same, but 1e-8 per layer for near-duplicates).
"""

import itertools
from typing import Protocol, Self, TypeVar

import numpy as np

from harness.errors import InvalidInput
from harness.kernels.convolutional import ConvolutionalInputs
from harness.kernels.perceptron import PerceptronInputs
from harness.networks import Network


class Inputs(Protocol):
    """Inputs of one net, prepared for the recursion."""

    @property
    def block_size(self) -> int:
        """Number of inputs whose pairs are computed at once."""

    def __len__(self) -> int: ...

    def __getitem__(self, rows: slice) -> Self: ...

    def against(self, other: Self, tangent: bool) -> np.ndarray:
        """NTK (or NNGP) of these inputs with others, (N1, N2)."""

    def diagonal(self, tangent: bool) -> np.ndarray:
        """NTK (or NNGP) of every input with itself, (N,)."""


Prepared = TypeVar("Prepared", bound=Inputs)


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
        (N1, N2) float64. Memory beyond the result: copies of x1 and x2 and a few blocks of 256 x 256; for networks
        with convolutions about a dozen arrays of 2^16 numbers, or of positions^2 where that is more.

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


def _assemble(net: Network, x1: np.ndarray, x2: np.ndarray | None, tangent: bool) -> np.ndarray:
    if not isinstance(net, Network):
        raise InvalidInput(f"Infinite-width kernels need a harness.networks.Network; got {type(net).__name__}.")
    x1 = _checked("x1", x1, net.inputs)
    x2 = x2 if x2 is None else _checked("x2", x2, net.inputs)
    if net.dense:
        return _kernel(PerceptronInputs.of(net, x1), x2 if x2 is None else PerceptronInputs.of(net, x2), tangent)
    return _kernel(ConvolutionalInputs.of(net, x1), x2 if x2 is None else ConvolutionalInputs.of(net, x2), tangent)


def _kernel(first: Prepared, second: Prepared | None, tangent: bool) -> np.ndarray:
    if second is None:
        return _symmetric(first, tangent)
    kernel = np.empty((len(first), len(second)))
    for rows, columns in itertools.product(_blocks(first), _blocks(second)):
        kernel[rows, columns] = first[rows].against(second[columns], tangent)
    return kernel


def _symmetric(inputs: Inputs, tangent: bool) -> np.ndarray:
    kernel = np.empty((len(inputs), len(inputs)))
    for rows, columns in itertools.combinations_with_replacement(_blocks(inputs), 2):
        block = inputs[rows].against(inputs[columns], tangent)
        if rows == columns:  # rounding may differ between the halves
            block = np.triu(block, 1) + np.triu(block, 1).T
        kernel[rows, columns], kernel[columns, rows] = block, block.T
    np.fill_diagonal(kernel, inputs.diagonal(tangent))
    return kernel


def _blocks(inputs: Inputs) -> list[slice]:
    return [slice(start, start + inputs.block_size) for start in range(0, len(inputs), inputs.block_size)]


def _checked(name: str, x: np.ndarray, inputs: int) -> np.ndarray:
    """x (N, n_0) as float64."""
    x = np.asarray(x)
    if x.ndim != 2 or x.shape[1] != inputs:
        raise InvalidInput(f"{name} must have shape (N, {inputs}), one row per input of the net; got {x.shape}.")
    if x.dtype.kind not in "biuf":
        raise InvalidInput(f"{name} must be real: booleans, integers or floats; got dtype {x.dtype}.")
    x = np.ascontiguousarray(x, dtype=np.float64)
    finite = np.isfinite(np.einsum("ij,ij->i", x, x))
    if not finite.all():
        rows = np.flatnonzero(~finite)
        raise InvalidInput(
            f"{name} must be finite, and so must the squared lengths of its rows; {len(rows)} of {len(x)} rows are not "
            f"(first: row {rows[0]}). Remove or rescale them."
        )
    return x
