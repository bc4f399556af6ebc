"""NTK and NNGP of a network in the limit of infinite width.

In a multilayer perceptron with q^0 = <x, x'> / n_0 and, for layers l = 1 ... D with weight scale
w_l, weight standard deviation d_l, fan-in n_{l-1}, bias scale s_l and bias standard deviation e_l
(harness.networks.Dense),

    K^l     = (w_l d_l)^2 n_{l-1} q^{l-1} + (s_l e_l)^2,   the covariance of preactivations
    q^l     = E[phi(u) phi(v)],   p^l = E[phi'(u) phi'(v)],   (u, v) ~ N(0, K^l of the pair)
    Theta^l = w_l^2 n_{l-1} q^{l-1} + s_l^2 + (w_l d_l)^2 n_{l-1} p^{l-1} Theta^{l-1},   Theta^0 = 0

the NNGP kernel is K^D (Lee et al. 2018) and the NTK is Theta^D (Jacot, Gabriel, Hongler 2018).
Without biases the terms in s_l are absent; with biases that start at zero (e_l = 0) only Theta has
them.

Convolutions and pooling turn K and Theta of a pair of inputs into matrices over pairs of positions:
position_pairs.

Accuracy is stated in perceptron (1e-9 or better) and convolutional (the same, but 1e-8 per layer
for near-duplicates).
"""

from typing import Protocol, Self, TypeVar

import numpy as np

from harness.kernels.arguments import checked_inputs, checked_out
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


def ntk(
    net: Network,
    x1: np.ndarray,
    x2: np.ndarray | None = None,
    out: np.ndarray | None = None,
) -> np.ndarray:
    """Infinite-width Neural Tangent Kernel of one output.

    In "ntk" parametrization the limit itself: widths of the hidden layers do not matter. In
    "standard" parametrization gradients of the weights grow with the width, and the result is the
    leading order at the net's own widths, sum_l (n_{l-1} q^{l-1} + 1) prod_{k>l} sigma_w^2 p^k:
    what finite nets of these widths have on average, up to a relative error of order depth/width.

    Args:
        net: a harness.networks.Network.
        x1: (N1, n_0), real.
        x2: (N2, n_0), or None for x1 against itself: half the work, exactly symmetric, analytic
            diagonal.
        out: where the result goes, (N1, N2) float64; it is also what is returned. For a kernel
            larger than memory, a file: `numpy.lib.format.open_memmap(path, "w+", "float64",
            shape)`, flushed after each row of blocks. None: a new array.

    Returns:
        (N1, N2) float64. Memory beyond the result: copies of x1 and x2 and a few blocks of 256 x
        256; for networks with convolutions about a dozen arrays of 2^16 numbers, or of positions^2
        where that is more.

    Raises:
        InvalidInput: if net is no Network, x1 or x2 is not a finite, real array of shape (N, n_0),
            or out does not fit.

    >>> from harness import networks
    >>> shallow = networks.mlp((2, 64, 1), sigma_w=1.0, sigma_b=None)
    >>> ntk(shallow, np.eye(2)).round(4)
    array([[0.5   , 0.0796],
           [0.0796, 0.5   ]])
    """
    return _assemble(net, x1, x2, out, tangent=True)


def nngp(
    net: Network,
    x1: np.ndarray,
    x2: np.ndarray | None = None,
    out: np.ndarray | None = None,
) -> np.ndarray:
    """Infinite-width covariance of one output at initialisation: E[f(x) f(x')] over the initial
    weights.

    It is the same in both parametrizations. Arguments, result and errors as for `ntk`.

    >>> from harness import networks
    >>> nngp(networks.mlp((2, 1), sigma_w=1.0, sigma_b=0.5), np.eye(2))
    array([[0.75, 0.25],
           [0.25, 0.75]])
    """
    return _assemble(net, x1, x2, out, tangent=False)


def _assemble(
    net: Network,
    x1: np.ndarray,
    x2: np.ndarray | None,
    out: np.ndarray | None,
    *,
    tangent: bool,
) -> np.ndarray:
    x1, x2 = checked_inputs(net, x1, x2)
    out = checked_out(out, (len(x1), len(x1 if x2 is None else x2)), "float64")
    prepare = PerceptronInputs.of if net.dense else ConvolutionalInputs.of
    with np.errstate(
        under="ignore"
    ):  # what vanishes beside the diagonal may vanish, also where users trap it
        _fill(out, prepare(net, x1), x2 if x2 is None else prepare(net, x2), tangent)
    return out


def _fill(
    kernel: np.ndarray, first: Prepared, second: Prepared | None, tangent: bool
) -> None:
    for rows in _blocks(first):
        if second is None:
            _fill_symmetric_row(kernel, first, rows, tangent)
        else:
            for columns in _blocks(second):
                kernel[rows, columns] = first[rows].against(second[columns], tangent)
        if isinstance(kernel, np.memmap):
            kernel.flush()


def _fill_symmetric_row(
    kernel: np.ndarray, inputs: Inputs, rows: slice, tangent: bool
) -> None:
    """One row of blocks from the diagonal on, and the column that mirrors it."""
    for columns in _blocks(inputs):
        if columns == rows:
            kernel[rows, rows] = symmetric(
                inputs[rows].against(inputs[rows], tangent),
                inputs[rows].diagonal(tangent),
            )
        elif columns.start > rows.start:
            kernel[rows, columns] = inputs[rows].against(inputs[columns], tangent)
            kernel[columns, rows] = kernel[rows, columns].T


def symmetric(block: np.ndarray, diagonal: np.ndarray) -> np.ndarray:
    """Both halves of a block from its upper one, since rounding may differ between them, and the
    exact diagonal.
    """
    upper = np.triu(block, 1)
    return upper + upper.T + np.diag(diagonal)


def _blocks(inputs: Inputs) -> list[slice]:
    return [
        slice(start, start + inputs.block_size)
        for start in range(0, len(inputs), inputs.block_size)
    ]
