"""Arguments of the kernels, checked."""

import numpy as np

from harness.arrays import as_array
from harness.errors import InvalidInput
from harness.networks import Network

SHORTEST = 1e-150
"""Length of the shortest row that is not 0."""


def checked_inputs(
    net: Network, x1: np.ndarray, x2: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray | None]:
    """x1 and x2 (or None) as float64; raises InvalidInput, as `harness.kernels.ntk` does."""
    if not isinstance(net, Network):
        raise InvalidInput(
            f"Infinite-width kernels need a harness.networks.Network; got {type(net).__name__}."
        )
    return _checked("x1", x1, net.inputs), x2 if x2 is None else _checked(
        "x2", x2, net.inputs
    )


def _checked(name: str, x: np.ndarray, inputs: int) -> np.ndarray:
    """x (N, n_0) as float64."""
    x = as_array(name, x)
    if x.ndim != 2 or x.shape[1] != inputs:
        raise InvalidInput(
            f"{name} must have shape (N, {inputs}), one row per input of the net; got {x.shape}."
        )
    if x.dtype.kind not in "biuf":
        raise InvalidInput(
            f"{name} must be real: booleans, integers or floats; got dtype {x.dtype}."
        )
    x = np.ascontiguousarray(x, dtype=np.float64)
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        squares = np.einsum("ij,ij->i", x, x)
    finite = np.isfinite(squares)
    if not finite.all():
        rows = np.flatnonzero(~finite)
        raise InvalidInput(
            f"{name} must be finite, and so must the squared lengths of its rows; {len(rows)} of "
            f"{len(x)} rows are not "
            f"(first: row {rows[0]}). Remove or rescale them."
        )
    short = (squares < SHORTEST**2) & x.any(axis=1)
    if short.any():
        raise InvalidInput(
            f"{name} must have rows that are 0 or longer than {SHORTEST:.0e}, whose squares do not "
            "vanish; "
            f"{np.count_nonzero(short)} of {len(x)} rows are not (first: row "
            f"{np.flatnonzero(short)[0]}). Set them to "
            "0, or rescale all of them."
        )
    return x


def checked_out(
    out: np.ndarray | None, shape: tuple[int, ...], dtype: str
) -> np.ndarray:
    """The array that a kernel is to be written into, if it has that shape and dtype; a new one for
    None.
    """
    if out is None:
        return np.empty(shape, dtype)
    if not isinstance(out, np.ndarray):
        raise InvalidInput(
            "out must be a NumPy array, such as numpy.lib.format.open_memmap; got "
            f"{type(out).__name__}."
        )
    if out.shape != shape or out.dtype != dtype:
        raise InvalidInput(
            f"out must have shape {shape} and dtype {dtype}; got {out.shape} and {out.dtype}."
        )
    if not out.flags.writeable:
        raise InvalidInput(
            "out must be writable, and it is read-only. Open a mapped file with mode 'w+' or 'r+'."
        )
    return out
