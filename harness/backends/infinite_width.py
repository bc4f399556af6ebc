"""Infinite-width kernels on a framework's device: blocks in NumPy; the recursions are elsewhere.

infinite_steps has that of perceptrons, infinite_positions that of convolutional networks.

The oracle is harness.kernels, whose module docstrings have the formulas and their sources. What
differs here:

* A pair's angle a is kept as s = sin^2(a/2) = deficit / (2 std std), of inputs that nearly coincide
  or are nearly opposite from their difference or sum in float64. So float32 loses no
  near-duplicates to cancellation in 1 - cos a.
* For perceptrons everything that belongs to one input (its standard deviations at every layer, the
  kernel's diagonal) is computed in NumPy, in float64: O(N) work beside the O(N^2) of the pairs.

Blocks are as large as a cache on the CPU, as large as the memory budget allows on a GPU. Accuracy,
relative to the diagonal and measured against the oracle, is stated at `Backend.infinite_ntk`.
"""

import math
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np

from harness.backends.batch import blocks
from harness.backends.infinite_positions import (
    convolutional,
    convolutional_selves,
    opening,
    pairs_of_positions,
)
from harness.backends.infinite_range import check_images, check_perceptron, check_selves
from harness.backends.infinite_steps import Arrays, Kernel, half_angles, perceptron
from harness.kernels.gaussian_pairs import gains, gate
from harness.kernels.infinite_width import symmetric
from harness.kernels.perceptron import PerceptronInputs
from harness.networks import AveragePool, Network

Tensor: TypeAlias = Any

_ARRAYS = 16  # of a block's size, alive at once
# s below which rounding of the dot product would show in the angle
_NEAR = {"float32": 1e-3, "float64": 1e-4}
_HOST = 2**20  # numbers of a panel of differences


class Device(Protocol):
    """What is asked of a backend's operations."""

    device: str
    dtype: str

    def put(self, array: np.ndarray) -> Tensor:
        """See Operations."""

    def fetch(self, tensor: Tensor) -> np.ndarray:
        """See Operations."""


@dataclass(frozen=True)
class Side:
    """Inputs of one block row: where they stand, their float64 directions (perceptrons alone), what
    the device has.
    """

    rows: slice
    directions: np.ndarray
    tensors: Any

    @property
    def count(self) -> int:
        """Number of inputs."""
        return self.rows.stop - self.rows.start


def fill(
    device: Device,
    arrays: Arrays,
    kernel: Kernel,
    x: tuple[np.ndarray, np.ndarray | None],
    *,
    memory: int,
    out: np.ndarray,
) -> None:
    """Writes the kernel of x = (x1, x2 or None for x1 itself), float64, into out (N1, N2)."""
    if device.device == "cpu":
        keep_freed_memory()
    kind = Perceptron if kernel.net.dense else Convolutional
    pairs = kind(device, arrays, kernel)
    rows = block_rows(
        device,
        arrays,
        kernel.net,
        max(len(part) for part in x if part is not None),
        memory=memory,
    )
    first = pairs.sides(x[0], rows)
    second = first if x[1] is None else pairs.sides(x[1], rows)
    for left in first:
        for right in second:
            if x[1] is None and right.rows.start < left.rows.start:
                continue
            block = pairs.block(left, right)
            out[left.rows, right.rows] = (
                symmetric(block, pairs.diagonal(left)) if left is right else block
            )
            if x[1] is None and left is not right:
                out[right.rows, left.rows] = block.T
        if isinstance(out, np.memmap):
            out.flush()


def keep_freed_memory() -> None:
    """Has the C library keep what a block frees for the next one, instead of returning it to the
    system.

    Otherwise each block's pages are faulted in anew, which took two fifths of the time. glibc keeps
    blocks up to the size of the largest that was mapped and freed, 32 MB at most (mallopt(3),
    M_MMAP_THRESHOLD); elsewhere: no effect.
    """
    np.empty(2**25 - 2**16, dtype=np.uint8)


def block_rows(
    device: Device, arrays: Arrays, net: Network, samples: int, *, memory: int
) -> int:
    """Rows and columns of a block: at most what fits the budget and, on a CPU, the cache.

    Few samples make one block, of a power of two where shapes are compiled.
    """
    pairs = memory // (_ARRAYS * np.dtype(device.dtype).itemsize)
    pairs = min(pairs, arrays.cached) if device.device == "cpu" else pairs
    rows = max(1, math.isqrt(pairs // pairs_of_positions(net)))
    needed = max(1, samples)
    return min(rows, 1 << (needed - 1).bit_length() if arrays.compiles else needed)


class Perceptron:
    """Blocks of a multilayer perceptron."""

    def __init__(self, device: Device, arrays: Arrays, kernel: Kernel) -> None:
        self._device, self._arrays, self._kernel = device, arrays, kernel
        self._angles = arrays.run(half_angles, _NEAR[device.dtype])
        self._propagate = arrays.run(perceptron, kernel)

    def sides(self, x: np.ndarray, rows: int) -> list[Side]:
        """The inputs in parts of so many rows, on the device."""
        with np.errstate(over="ignore", invalid="ignore"):  # refused below
            inputs = PerceptronInputs.of(self._kernel.net, x)
            self_kernels = inputs.diagonal(self._kernel.tangent)
        check_perceptron(self._device.dtype, self._kernel, inputs.stds, self_kernels)
        sides = []
        for part in blocks(len(x), rows):
            directions, factors = (
                inputs.directions[part],
                scales(self._kernel.net, inputs.stds[:, part]),
            )
            tensors = self._put(directions, 0, rows), self._put(factors, 2, rows)
            sides.append(Side(part, directions, (*tensors, self_kernels[part])))
        return sides

    def block(self, left: Side, right: Side) -> np.ndarray:
        """NTK (or NNGP) of two sides."""
        (one, scales1, _), (two, scales2, _) = left.tensors, right.tensors
        s, near = self._angles(one, two)
        if bool(near.any()):
            s = self._refined(s, self._device.fetch(near), left, right)
        return self._device.fetch(self._propagate(s, (scales1, scales2)))[
            : left.count, : right.count
        ]

    def diagonal(self, side: Side) -> np.ndarray:
        """The kernel of every input with itself."""
        diagonal: np.ndarray = side.tensors[2]
        return diagonal

    def _refined(self, s: Tensor, near: np.ndarray, left: Side, right: Side) -> Tensor:
        """s with the angles of nearly parallel pairs from differences, of nearly opposite ones from
        sums.
        """
        i, j = np.nonzero(near[: left.count, : right.count])
        if left is right:  # the diagonal is known
            i, j = i[i != j], j[i != j]
        if not len(i):
            return s
        panels = blocks(len(i), max(1, _HOST // left.directions.shape[1]))
        values = np.concatenate(
            [
                exact_half_angles(left.directions[i[p]], right.directions[j[p]])
                for p in panels
            ]
        )
        if self._arrays.compiles:  # a few lengths only
            spare = (1 << (len(i) - 1).bit_length()) - len(i)
            i, j, values = (
                np.pad(array, (0, spare), mode="edge") for array in (i, j, values)
            )
        return self._arrays.replaced(s, (i, j), self._device.put(values))

    def _put(self, array: np.ndarray, axis: int, rows: int) -> Tensor:
        """To the device; where shapes are compiled, padded to so many rows along the axis."""
        spare = rows - array.shape[axis] if self._arrays.compiles else 0
        array = array.astype(self._device.dtype)
        return self._device.put(padded(array, axis, spare))


def padded(array: np.ndarray, axis: int, spare: int) -> np.ndarray:
    """With so many zeros after the last entry along the axis."""
    return (
        np.pad(array, [(0, spare if n == axis else 0) for n in range(array.ndim)])
        if spare
        else array
    )


def exact_half_angles(directions1: np.ndarray, directions2: np.ndarray) -> np.ndarray:
    """sin^2(a/2) of pairs of unit vectors that nearly coincide or are nearly opposite, (pairs,)."""
    difference, total = directions1 - directions2, directions1 + directions2
    s, complement = (np.einsum("ij,ij->i", d, d) / 4 for d in (difference, total))
    exact: np.ndarray = np.where(s < complement, s, 1 - complement)
    return exact


def scales(net: Network, stds: np.ndarray) -> np.ndarray:
    """What inputs contribute to each dense layer of the recursion `infinite_steps.perceptron`, (D,
    6, N).

    stds (2 D, N) as in PerceptronInputs: before and after each layer. With gain g and bias variance
    b of the layer,

        before, after   root mean square of what comes in, standard deviation of what comes out
        gate            sqrt(g) times the gate of the activation before the layer
        ratio           sqrt(g) before / after = cos(beta), where sqrt(b) / after = sin(beta)
        sine, cosine    of beta / 2
    """
    found = []
    for index, layer in enumerate(net.dense_layers):
        gain, bias = gains(layer)
        before, after = stds[2 * index], stds[2 * index + 1]
        own = (
            gate(net.activation, stds[2 * index - 1]) if index else np.ones_like(before)
        )
        beta = np.arctan2(bias**0.5, gain**0.5 * before)
        found.append(
            [
                before,
                after,
                gain**0.5 * own,
                np.cos(beta),
                np.sin(beta / 2),
                np.cos(beta / 2),
            ]
        )
    return np.array(found)


class Convolutional:
    """Blocks of a convolutional network."""

    def __init__(self, device: Device, arrays: Arrays, kernel: Kernel) -> None:
        self._device, self._arrays, self._net = device, arrays, kernel.net
        self._selves = arrays.run(convolutional_selves, kernel)
        self._propagate = arrays.run(convolutional, kernel)

    def sides(self, x: np.ndarray, rows: int) -> list[Side]:
        """The inputs in parts of so many rows, on the device, with their standard deviations and
        own kernels.
        """
        check_images(self._device.dtype, self._net, x)
        sides = []
        for part in blocks(len(x), rows):
            spare = rows - (part.stop - part.start) if self._arrays.compiles else 0
            # a zero, which patches have for padding
            features = padded(entering(self._net, x[part]).T, 0, 1)
            images = self._device.put(padded(features, 1, spare))
            side = Side(part, np.empty((0, 0)), (images, *self._selves(images)))
            check_selves(self._device.dtype, self._net, x[part], self.diagonal(side))
            sides.append(side)
        return sides

    def block(self, left: Side, right: Side) -> np.ndarray:
        """NTK (or NNGP) of two sides."""
        (one, stds1, _), (two, stds2, _) = left.tensors, right.tensors
        return self._device.fetch(self._propagate((one, two), (stds1, stds2)))[
            : left.count, : right.count
        ]

    def diagonal(self, side: Side) -> np.ndarray:
        """The kernel of every input with itself."""
        return self._device.fetch(side.tensors[2])[: side.count]


def entering(net: Network, x: np.ndarray) -> np.ndarray:
    """What the first layer with weights takes: x (N, n_0) after the pooling before it."""
    for step in net.steps[: opening(net)[0] - 1]:
        assert isinstance(step, AveragePool)
        (rows, columns), (height, width) = step.out, step.window
        x = (
            x.reshape(len(x), rows, height, columns, width, step.channels)
            .mean(axis=(2, 4))
            .reshape(len(x), step.size)
        )
    return x
