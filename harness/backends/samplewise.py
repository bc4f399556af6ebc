"""Whether a function is one of each sample by itself; the kernel of two samples means nothing if it
is not.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from harness.backends.batch import Batch
from harness.backends.operations import Operations
from harness.backends.probes import different_rows, moved, moved_rows
from harness.errors import ClaimsError, InvalidInput
from harness.networks import Function


def check_samplewise(ops: Operations, net: Function, batch: Batch) -> None:
    """Compares f of the first seed on some rows, together, with f on each of them alone.

    The rows are up to three different ones of the data, and the same moved a little: equal rows,
    blank rows or a single row would hide that samples mix. Rounding apart, sqrt(eps) of the largest
    output, they must agree. The weights are moved a little, too, so that a readout that starts at
    zero, or a function with its start subtracted, hides nothing.

    Raises:
        InvalidInput: they differ, the result is not (N, O), or the function raised an error of its
            own.
    """
    theta = {
        name: ops.put(moved(name, array[0])[None])
        for name, array in batch.theta.items()
    }
    rows = list(different_rows(batch))
    outputs = [called(ops, net, theta, row) for row in rows]
    near = []
    for row in moved_rows(np.array(rows)):
        try:
            near.append((row, called(ops, net, theta, row)))
        except InvalidInput:  # the function takes only some numbers, say indices
            if len(rows) < 2:
                raise
    rows += [row for row, _ in near]
    alone = np.concatenate([*outputs, *[f for _, f in near]], axis=1)
    together = called(ops, net, theta, np.array(rows))
    with errors_of_the_function("when it was called once more"):
        if ops.outdated(net, theta, ops.put(np.array(rows)[None]), together):
            return check_samplewise(ops, net, batch)
    return compare(together, alone, ops.dtype)


def compare(together: np.ndarray, alone: np.ndarray, dtype: str) -> None:
    """Refuses outputs of samples together that are not those of each alone, (1, N, O)."""
    with np.errstate(invalid="ignore"):
        apart = np.abs(together - alone)
    apart[(together == alone) | (np.isnan(together) & np.isnan(alone))] = 0.0
    finite = np.abs(together[np.isfinite(together)])
    tolerance = np.finfo(dtype).eps ** 0.5 * finite.max(initial=0.0)
    if not (apart <= tolerance).all():
        raise InvalidInput(
            f"The function gives other outputs for {together.shape[1]} samples together than for "
            "each alone: they "
            f"differ by {apart.max():.3g}, {tolerance:.3g} is rounding. Does it mix samples (a "
            "batch norm in training "
            "mode) or draw random numbers (dropout)? Put the module into evaluation mode. The "
            "samples are rows of the "
            "data, and rows near them."
        )


def called(
    ops: Operations, net: Function, theta: dict[str, Any], x: np.ndarray
) -> np.ndarray:
    """f(x) of one seed, (1, N, O), if that is its shape; x is (N, n_0), or one row."""
    x = np.atleast_2d(x)
    with errors_of_the_function(f"on x of shape {x.shape}"):
        f = ops.fetch(ops.forward(net, theta, ops.put(x[None])))
    expected = (1, len(x), net.outputs)
    if f.shape != expected:
        raise InvalidInput(
            f"The function must return shape {expected[1:]} for x of {x.shape}; got {f.shape[1:]}."
        )
    return f


@contextmanager
def errors_of_the_function(place: str) -> Iterator[None]:
    """Tells what a function raises, or PyTorch or JAX while they differentiate it, as InvalidInput.

    Our own errors pass as they are, and so does a lack of memory, which is no fault of the
    function.
    """
    try:
        yield
    except (ClaimsError, MemoryError):
        raise
    except Exception as error:  # whatever a function of someone else raises
        if out_of_memory(error):
            raise
        raise InvalidInput(
            f"The function failed {place}: {first_line(error)}. It is called with a dict of one "
            "array per "
            "parameter and with x: a batch norm has to be in evaluation mode, and buffers in the "
            "dtype and on the "
            "device of the backend. In torch it is differentiated by autograd, mapped over seeds "
            "and samples where "
            "that works (torch.func.vmap); in jax it is compiled and mapped (jax.jit, jax.vmap)."
        ) from error


def first_line(error: BaseException) -> str:
    """Type and first line of what was raised."""
    return f"{type(error).__name__}: {error}".split("\n")[0].rstrip(". ")


def out_of_memory(error: BaseException) -> bool:
    """Whether a framework lacked memory."""
    said = f"{type(error).__name__}: {error}".lower()
    signs = (
        "out of memory",
        "outofmemory",
        "resource_exhausted",
        "allocate memory",
        "not enough memory",
        "_alloc_",
    )
    return isinstance(error, MemoryError) or any(sign in said for sign in signs)
