"""Which inputs the infinite-width kernels of a dtype take; the others are refused with the range.

The recursions multiply standard deviations in pairs. So those of one input, at every layer, must
lie within the square root of the dtype's range, with room for sums above and for the terms of sums,
to rounding, below: 1e-15 to 1e18 for float32, 1e-145 to 1e153 for float64. What biases outweigh may
be smaller, and what is 0 may be so.
"""

import numpy as np

from harness.backends.infinite_steps import Kernel
from harness.errors import InvalidInput
from harness.kernels.convolutional import crossed_steps
from harness.kernels.gaussian_pairs import gains
from harness.networks import Network


def limits(dtype: str) -> tuple[float, float]:
    """The smallest and the largest standard deviation.

    >>> limits("float32")
    (1e-15, 1e+18)
    """
    info = np.finfo(dtype)
    low = np.ceil(np.log10(float(info.tiny) / float(info.eps)) / 2)
    high = np.floor(np.log10(float(info.max)) / 2) - 1
    return float(f"1e{low:.0f}"), float(f"1e{high:.0f}")


def check_perceptron(
    dtype: str, kernel: Kernel, stds: np.ndarray, diagonal: np.ndarray
) -> None:
    """Of the standard deviations (2 D, N) of `PerceptronInputs`, float64, and the kernel's
    diagonal, (N,).

    Raises:
        InvalidInput: naming the first row that is out of the range.
    """
    low, high = limits(dtype)
    largest = stds.max(axis=0)
    _refuse(dtype, largest, ~((largest <= high) & (diagonal <= high**2)))
    if kernel.tangent and all(layer.bias is not None for layer in kernel.net.layers):
        # at least the square of the readout's bias scale, beside which small moments do not count
        return
    responses = np.where(stds[1:] > 0, stds[1:], np.inf).min(axis=0)
    _refuse(dtype, responses, responses < low)


def check_images(dtype: str, net: Network, x: np.ndarray) -> None:
    """Of inputs (N, n_0), float64, of a convolutional network: their lengths, which bound those of
    all patches.

    Raises:
        InvalidInput: naming the first row that is out of the range.
    """
    low, high = limits(dtype)
    lengths = np.sqrt(np.einsum("ij,ij->i", x, x))
    small = (lengths > 0) & (lengths < low)
    biased = all(gains(layer)[1] > 0 for layer in net.layers)
    _refuse(dtype, lengths, (lengths > high) | (False if biased else small))


def check_selves(dtype: str, net: Network, x: np.ndarray, diagonal: np.ndarray) -> None:
    """Of the kernel of every input of a convolutional network with itself, (N,), as it came out.

    Raises:
        InvalidInput: naming the first row that is out of the range.
    """
    low, high = limits(dtype)
    with np.errstate(invalid="ignore", over="ignore"):
        roots = np.sqrt(diagonal.astype(np.float64))
    # a mean may be 0, but not a sum of squares
    vanished = (roots == 0) & x.any(axis=1) & (crossed_steps(net) == 0)
    _refuse(dtype, roots, ~(roots <= high) | ((roots > 0) & (roots < low)) | vanished)


def _refuse(dtype: str, sizes: np.ndarray, wrong: np.ndarray) -> None:
    if not wrong.any():
        return
    low, high = limits(dtype)
    row = int(np.flatnonzero(wrong)[0])
    advice = "Rescale the inputs or the weights" + (
        ", or use a float64 backend." if dtype == "float32" else "."
    )
    raise InvalidInput(
        f"{np.count_nonzero(wrong)} of {len(wrong)} inputs are out of the range of {dtype} (first: "
        f"row {row}): a "
        f"standard deviation at infinite width, or the root of the kernel, is {sizes[row]:.3g}; "
        "allowed are 0 and "
        f"{low:.0e} to {high:.0e}. {advice}"
    )
