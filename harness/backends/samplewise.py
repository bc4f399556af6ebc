"""Whether a function is one of each sample by itself; the kernel of two samples means nothing if it is not."""

from typing import Any

import numpy as np

from harness import seeds
from harness.backends.batch import Batch
from harness.backends.operations import Operations
from harness.errors import InvalidInput
from harness.networks import Function


def check_samplewise(ops: Operations, net: Function, batch: Batch) -> None:
    """Compares f on the first two samples of the first seed, together, with f on each of them alone.

    Rounding apart, sqrt(eps) of the largest output, they must agree. The weights are moved a little from what was
    given, so that a readout that starts at zero, or a function with its start subtracted, hides nothing.

    Raises:
        InvalidInput: they differ, the result is not (N, O), or the function raised an error of its own.
    """
    theta = {name: ops.put(moved(name, array[0])[None]) for name, array in batch.theta.items()}
    x = next(array for name, array in batch.data.items() if name.startswith("x"))[:1, :2]
    together = called(ops, net, theta, x)
    alone = np.concatenate([called(ops, net, theta, x[:, n : n + 1]) for n in range(x.shape[1])], axis=1)
    tolerance = np.finfo(ops.dtype).eps ** 0.5 * np.abs(together).max()
    if (difference := np.abs(together - alone).max()) > tolerance:
        raise InvalidInput(
            f"The function gives other outputs for {x.shape[1]} samples together than for each alone: they differ by "
            f"{difference:.3g}, {tolerance:.3g} is rounding. Does it mix samples (a batch norm in training mode) or "
            "draw random numbers (dropout)? Put the module into evaluation mode."
        )


def moved(name: str, array: np.ndarray) -> np.ndarray:
    """The weights plus normal noise of a hundredth of their root mean square (of 1 if they are zero)."""
    scale = 0.01 * (float(np.sqrt(np.mean(np.square(array, dtype=float)))) or 1.0)
    noise = seeds.generator("samplewise", name=name).standard_normal(array.shape)
    return np.asarray(array + scale * noise)


def called(ops: Operations, net: Function, theta: dict[str, Any], x: np.ndarray) -> np.ndarray:
    """f(x) of one seed, (1, N, O), if that is its shape."""
    try:
        f = ops.fetch(ops.forward(net, theta, ops.put(x)))
    except InvalidInput:
        raise
    except Exception as error:  # whatever a function of someone else raises
        said = f"{type(error).__name__}: {error}".split("\n")[0].rstrip(". ")
        raise InvalidInput(
            f"The function failed on x of shape {x.shape[1:]}: {said}. It is called with a dict of one array per "
            "parameter and with x, mapped over seeds (torch.func.vmap, jax.vmap): a batch norm has to be in evaluation "
            "mode, a recurrent layer of PyTorch written as products, and buffers in the dtype and on the device of the "
            "backend."
        ) from error
    wanted = (1, x.shape[1], net.outputs)
    if f.shape != wanted:
        raise InvalidInput(f"The function must return shape {wanted[1:]} for x of {x.shape[1:]}; got {f.shape[1:]}.")
    return f
