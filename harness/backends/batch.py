"""Arguments of a backend, checked against the network, with their seed axes made explicit."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from harness.arrays import as_array
from harness.backends.operations import shapes
from harness.errors import InvalidInput
from harness.networks import Function, Network, Theta, noise_sizes


@dataclass(frozen=True)
class Batch:
    """Weights (S, ...) and data (S, N, d), or (1, N, d) where all seeds share it."""

    theta: Theta
    data: dict[str, np.ndarray]
    seeds: int
    had_seeds: bool

    @staticmethod
    def of(net: Network | Function, theta: Theta, **data: np.ndarray) -> "Batch":
        """Checks everything; arguments named x...

        are inputs, the others have one column per output.

        Raises:
            InvalidInput: naming the argument, what it has and what is expected.
        """
        if not isinstance(net, Network | Function):
            raise InvalidInput(
                "net must be a Network, such as networks.mlp makes, or a function made one by "
                "networks.from_callable; "
                f"got {type(net).__name__}."
            )
        widths = {
            name: net.inputs if name.startswith("x") else net.outputs for name in data
        }
        arrays = {
            name: checked(name, array, widths[name], ndim=(2, 3))
            for name, array in data.items()
        }
        if "x" in arrays and len({array.shape[-2] for array in arrays.values()}) > 1:
            lengths = ", ".join(
                f"{name} has {array.shape[-2]}" for name, array in arrays.items()
            )
            raise InvalidInput(f"Arguments must have equally many samples; {lengths}.")
        counts = {
            f"data {name}": len(array)
            for name, array in arrays.items()
            if array.ndim == 3
        }
        if (weights := checked_theta(net, theta)) is not None:
            counts["weights"] = weights
        if len(set(counts.values())) > 1:
            raise InvalidInput(
                f"Weights and data must have equally many seeds; got {counts}."
            )
        seeds = next(iter(counts.values()), 1)
        # Weights of one seed, with data of many, serve all of them.
        wide = {
            name: np.broadcast_to(real(name, theta[name]), (seeds, *shape))
            for name, shape in net.shapes.items()
        }
        return Batch(
            wide,
            {name: a if a.ndim == 3 else a[None] for name, a in arrays.items()},
            seeds,
            bool(counts),
        )

    def wide(self, name: str) -> np.ndarray:
        """Data of that name with its seed axis spread over all seeds, (S, N, d)."""
        array = self.data[name]
        return np.broadcast_to(array, (self.seeds, *array.shape[1:]))

    def squeeze(self, result: np.ndarray) -> np.ndarray:
        """Drops the seed axis if the caller gave none."""
        return result if self.had_seeds else result[0]


def checked(
    name: str, array: np.ndarray, width: int, ndim: tuple[int, ...]
) -> np.ndarray:
    """The array, if it is real, finite, not empty, has `width` columns and one of the numbers of
    axes.
    """
    array = real(name, array)
    if array.ndim not in ndim or array.shape[-1] != width or array.size == 0:
        wanted = {1: f"({width},)", 2: f"(N, {width})", 3: f"(S, N, {width})"}
        allowed = " or ".join(wanted[n] for n in ndim)
        raise InvalidInput(
            f"{name} must have shape {allowed}, with N and S at least 1; got {array.shape}."
        )
    if not np.isfinite(array).all():
        where = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
        raise InvalidInput(
            f"{name} must be finite; entry {where} is {array[where]}. Clean the data first."
        )
    return array


def real(name: str, array: np.ndarray) -> np.ndarray:
    """The array, integers as float64; raises InvalidInput for what is masked or not of real
    numbers.
    """
    array = as_array(name, array)
    if not (
        np.issubdtype(array.dtype, np.floating)
        or np.issubdtype(array.dtype, np.integer)
    ):
        raise InvalidInput(
            f"{name} must be an array of real numbers; its dtype is {array.dtype}."
        )
    return array.astype(float) if np.issubdtype(array.dtype, np.integer) else array


def checked_theta(net: Network | Function, theta: Theta) -> int | None:
    """The number of seeds of the weights, None without a seed axis; raises InvalidInput if they do
    not fit the net.
    """
    if set(theta) != set(net.shapes):
        raise InvalidInput(
            f"theta must hold {', '.join(net.shapes)}; got "
            f"{', '.join(map(str, theta)) or 'nothing'}."
        )
    found = {name: np.shape(theta[name]) for name in net.shapes}
    axes = {
        name: max(0, len(found[name]) - len(shape))
        for name, shape in net.shapes.items()
    }
    leads = {found[name][:count] for name, count in axes.items()}
    fits = all(found[name][count:] == net.shapes[name] for name, count in axes.items())
    lead = leads.pop()
    if leads or not fits or len(lead) > 1 or lead == (0,):
        expected = ", ".join(f"{name} {shape}" for name, shape in net.shapes.items())
        raise InvalidInput(
            f"theta must have shapes {expected}, or one leading seed axis on each; got "
            f"{shapes(theta)}."
        )
    for name, array in theta.items():
        if not np.isfinite(real(f"theta {name}", array)).all():
            raise InvalidInput(
                f"theta must be finite; {name} is not. Did training diverge?"
            )
    return lead[0] if lead else None


def other_weights(
    net: Network | Function, theta: Theta, theta2: Theta, batch: Batch
) -> Theta:
    """theta2 with the seed axis of the batch; raises InvalidInput unless its shapes are those of
    theta.
    """
    checked_theta(net, theta2)
    if any(np.shape(theta2[name]) != np.shape(array) for name, array in theta.items()):
        raise InvalidInput(
            f"theta2 must have the shapes of theta, {shapes(theta)}; got {shapes(theta2)}."
        )
    return {
        name: np.broadcast_to(theta2[name], (batch.seeds, *shape))
        for name, shape in net.shapes.items()
    }


def checked_noise(
    net: Network, noise: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """The noise that `networks.ntk_noise` draws for this network; what else the mapping holds is
    left out.
    """
    sizes = noise_sizes(net)
    if missing := [name for name in sizes if name not in noise]:
        raise InvalidInput(
            f"noise lacks {', '.join(missing)}. Draw it with networks.ntk_noise for this network."
        )
    wanted = {name: as_array(f"noise {name}", noise[name]) for name in sizes}
    draws = {array.shape[:-1] for array in wanted.values()}
    if len(draws) > 1 or any(
        wanted[name].shape[1:] != (size,) for name, size in sizes.items()
    ):
        expected = ", ".join(f"{name} (draws, {size})" for name, size in sizes.items())
        raise InvalidInput(f"noise must have shapes {expected}; got {shapes(wanted)}.")
    return wanted


def blocks(count: int, size: int) -> Iterator[slice]:
    """Slices of at most `size` that cover range(count).

    >>> [(s.start, s.stop) for s in blocks(5, 2)]
    [(0, 2), (2, 4), (4, 5)]
    """
    for start in range(0, count, size):
        yield slice(start, min(start + size, count))
