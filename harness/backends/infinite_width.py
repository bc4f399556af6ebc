"""Infinite-width kernels on a framework's device: blocks here, in NumPy; the recursion in infinite_steps.

The oracle is harness.kernels, whose module docstrings have the formulas and their sources. What differs here:

* A pair's angle a is kept as s = sin^2(a/2) = deficit / (2 std std), of inputs that nearly coincide or are nearly
  opposite from their difference or sum in float64. So float32 loses no near-duplicates to cancellation in 1 - cos a.
* For perceptrons everything that belongs to one input (its standard deviations at every layer, the kernel's diagonal)
  is computed in NumPy, in float64: O(N) work beside the O(N^2) of the pairs.

Blocks are as large as a cache on the CPU, as large as the memory budget allows on a GPU. Accuracy, relative to the
diagonal and measured against the oracle, is stated at `Backend.infinite_ntk`.
"""

import math
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, TypeAlias

import numpy as np

from harness.backends.batch import blocks
from harness.backends.infinite_steps import Arrays, convolutional, convolutional_selves, half_angles, perceptron
from harness.kernels.convolutional import entry, pairs_of_positions
from harness.kernels.gaussian_pairs import gains
from harness.kernels.infinite_width import symmetric
from harness.kernels.perceptron import PerceptronInputs
from harness.networks import Network

Tensor: TypeAlias = Any

_CACHED = 2**16  # pairs of positions whose arrays, about a dozen in use, stay in a CPU's cache of a few MB
_ARRAYS = 16  # of a block's size, alive at once
_NEAR = {"float32": 1e-3, "float64": 1e-4}  # s below which rounding of the dot product would show in the angle
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
    """Inputs of one block row: where they stand, their float64 directions (perceptrons alone), what the device has."""

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
    net: Network,
    x: tuple[np.ndarray, np.ndarray | None],
    tangent: bool,
    memory: int,
    out: np.ndarray,
) -> None:
    """Writes the NTK (or NNGP) of x = (x1, x2 or None for x1 itself), float64, into out (N1, N2)."""
    kind = Perceptron if net.dense else Convolutional
    kernel = kind(device, arrays, net, tangent)
    rows = block_rows(device, arrays, net, max(len(part) for part in x if part is not None), memory)
    first = kernel.sides(x[0], rows)
    second = first if x[1] is None else kernel.sides(x[1], rows)
    for left in first:
        for right in second:
            if x[1] is not None or left.rows.start < right.rows.start:
                out[left.rows, right.rows] = kernel.block(left, right)
            elif left is right:
                out[left.rows, left.rows] = symmetric(kernel.block(left, left), kernel.diagonal(left))
            if x[1] is None and left.rows.start < right.rows.start:
                out[right.rows, left.rows] = out[left.rows, right.rows].T
        if isinstance(out, np.memmap):
            out.flush()


def block_rows(device: Device, arrays: Arrays, net: Network, samples: int, memory: int) -> int:
    """Rows and columns of a block: at most what fits the budget and, on a CPU, the cache.

    Few samples make one block, of a power of two where shapes are compiled.
    """
    pairs = memory // (_ARRAYS * np.dtype(device.dtype).itemsize)
    pairs = min(pairs, _CACHED) if device.device == "cpu" else pairs
    rows = max(1, math.isqrt(pairs // pairs_of_positions(net)))
    needed = max(1, samples)
    return min(rows, 1 << (needed - 1).bit_length() if arrays.compiles else needed)


class Perceptron:
    """Blocks of a multilayer perceptron."""

    def __init__(self, device: Device, arrays: Arrays, net: Network, tangent: bool) -> None:
        self._device, self._arrays, self._net, self._tangent = device, arrays, net, tangent
        self._angles = arrays.run(half_angles, _NEAR[device.dtype])
        self._propagate = arrays.run(perceptron, net, tangent)

    def sides(self, x: np.ndarray, rows: int) -> list[Side]:
        """The inputs in parts of so many rows, on the device."""
        inputs = PerceptronInputs.of(self._net, x)
        self_kernels = inputs.diagonal(self._tangent)
        sides = []
        for part in blocks(len(x), rows):
            padding = rows - (part.stop - part.start) if self._arrays.compiles else 0
            put = partial(self._put, padding=padding)
            vectors = [{name: put(v) for name, v in layer.items()} for layer in scales(self._net, inputs.stds[:, part])]
            directions = inputs.directions[part]
            sides.append(Side(part, directions, (put(directions), vectors, self_kernels[part])))
        return sides

    def block(self, left: Side, right: Side) -> np.ndarray:
        """NTK (or NNGP) of two sides."""
        (one, vectors1, _), (two, vectors2, _) = left.tensors, right.tensors
        s, near = self._angles(one, two)
        if bool(near.any()):
            s = self._refined(s, self._device.fetch(near), left, right)
        return self._device.fetch(self._propagate(s, vectors1, vectors2))[: left.count, : right.count]

    def diagonal(self, side: Side) -> np.ndarray:
        """The kernel of every input with itself."""
        diagonal: np.ndarray = side.tensors[2]
        return diagonal

    def _refined(self, s: Tensor, near: np.ndarray, left: Side, right: Side) -> Tensor:
        """s with the angles of nearly parallel pairs from differences, of nearly opposite ones from sums."""
        i, j = np.nonzero(near[: left.count, : right.count])
        if left is right:  # the diagonal is known
            i, j = i[i != j], j[i != j]
        if not len(i):
            return s
        panels = blocks(len(i), max(1, _HOST // left.directions.shape[1]))
        values = np.concatenate([exact_half_angles(left.directions[i[p]], right.directions[j[p]]) for p in panels])
        if self._arrays.compiles:  # a few lengths only
            spare = (1 << (len(i) - 1).bit_length()) - len(i)
            i, j, values = (np.pad(array, (0, spare), mode="edge") for array in (i, j, values))
        return self._arrays.replaced(s, (i, j), self._device.put(values))

    def _put(self, array: np.ndarray, padding: int) -> Tensor:
        """To the device, with zeros after the last sample, along the first axis."""
        return self._device.put(np.pad(array, [(0, padding)] + [(0, 0)] * (array.ndim - 1)) if padding else array)


def exact_half_angles(directions1: np.ndarray, directions2: np.ndarray) -> np.ndarray:
    """sin^2(a/2) of pairs of unit vectors that nearly coincide or are nearly opposite, (pairs,)."""
    difference, total = directions1 - directions2, directions1 + directions2
    s, complement = (np.einsum("ij,ij->i", d, d) / 4 for d in (difference, total))
    exact: np.ndarray = np.where(s < complement, s, 1 - complement)
    return exact


def scales(net: Network, stds: np.ndarray) -> list[dict[str, np.ndarray]]:
    """Per dense layer what its inputs contribute to the recursion of `infinite_steps.perceptron`, each (N,).

    stds (2 D, N) as in PerceptronInputs: before and after each layer. With gain g and bias variance b of the layer,

        before, after   root mean square of what comes in, standard deviation of what comes out
        gate            sqrt(g) times the activation's own factor
        ratio           sqrt(g) before / after = cos(beta), and sqrt(b) / after = sin(beta)
        sine, cosine    of beta / 2, only if b > 0
    """
    found = []
    for index, layer in enumerate(net.dense_layers):
        gain, bias = gains(layer)
        before, after = stds[2 * index], stds[2 * index + 1]
        own = {"before": before, "after": after, "gate": gain**0.5 * np.ones_like(before)}
        if index > 0 and net.activation == "relu":
            own["gate"] = np.where(before > 0, (gain / 2) ** 0.5, 0.0)  # relu'(0) = 0
        if bias > 0:
            beta = np.arctan2(bias**0.5, gain**0.5 * before)
            own |= {"ratio": np.cos(beta), "sine": np.sin(beta / 2), "cosine": np.cos(beta / 2)}
        found.append(own)
    return found


class Convolutional:
    """Blocks of a convolutional network."""

    def __init__(self, device: Device, arrays: Arrays, net: Network, tangent: bool) -> None:
        self._device, self._arrays, self._tangent = device, arrays, tangent
        self._entry = entry(net)
        self._selves = arrays.run(convolutional_selves, net)
        self._propagate = arrays.run(convolutional, net, tangent)

    def sides(self, x: np.ndarray, rows: int) -> list[Side]:
        """The inputs in parts of so many rows, on the device, with their standard deviations and own kernels."""
        grid, channels = self._entry
        sides = []
        for part in blocks(len(x), rows):
            padding = rows - (part.stop - part.start) if self._arrays.compiles else 0
            images = np.pad(x[part], ((0, padding), (0, 0))).reshape(-1, math.prod(grid), channels)
            images = self._device.put(images)
            sides.append(Side(part, np.empty((0, 0)), (images, *self._selves(images))))
        return sides

    def block(self, left: Side, right: Side) -> np.ndarray:
        """NTK (or NNGP) of two sides."""
        (one, stds1, _), (two, stds2, _) = left.tensors, right.tensors
        return self._device.fetch(self._propagate(one, two, stds1, stds2))[: left.count, : right.count]

    def diagonal(self, side: Side) -> np.ndarray:
        """The kernel of every input with itself."""
        selves: np.ndarray = self._device.fetch(side.tensors[2][int(self._tangent)])
        return selves[: side.count]
