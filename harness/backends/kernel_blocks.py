"""A kernel larger than its budget, block by block: sides are made once per row and per block."""

from typing import Any

import numpy as np

from harness.backends.batch import blocks
from harness.backends.cost import pair_numbers
from harness.backends.operations import Operations, Outputs
from harness.networks import Function, Network, Theta

Side = tuple[Theta, np.ndarray]


def fill_ntk(
    ops: Operations,
    net: Network | Function,
    sides: tuple[Side, Side],
    kernel: np.ndarray,
    *,
    outputs: Outputs,
    budget: int,
) -> None:
    """Writes J(x1) J(x2)^T into `kernel`, (S, N1, N2) or (S, N1, N2, O, O); a side is weights (S,
    ...) and inputs.

    Where right is left, blocks below the diagonal are those above it.
    """
    left, right = sides
    symmetric, x1, x2 = right is left, left[1], right[1]
    rows = block_rows(ops, net, len(kernel), outputs=outputs, budget=budget)
    theta1, theta2 = (
        {name: ops.put(array) for name, array in theta.items()} for theta, _ in sides
    )

    def block(
        one: Any, j: slice
    ) -> np.ndarray:  # a function, so that one block is freed before the next
        return ops.fetch(
            ops.contract(net, one, ops.factors(net, theta2, ops.put(x2[:, j])), outputs)
        )

    def fill_row(i: slice) -> None:
        one = ops.factors(net, theta1, ops.put(x1[:, i]))
        for j in even_blocks(x2.shape[1], rows):
            if not symmetric:
                kernel[:, i, j] = block(one, j)
            elif i == j:
                kernel[:, i, i] = ops.fetch(ops.contract(net, one, one, outputs))
                mirror(kernel[:, i, i])
            elif i.start < j.start:
                kernel[:, i, j] = block(one, j)
                kernel[:, j, i] = transposed(kernel[:, i, j])

    for i in even_blocks(x1.shape[1], rows):
        fill_row(i)
        _write_through(kernel)


def _write_through(kernel: np.ndarray) -> None:
    """Brings what was written to a mapped file to the disk."""
    if isinstance(kernel, np.memmap):
        kernel.flush()


def even_blocks(count: int, most: int) -> list[slice]:
    """Slices of one size, at most `most`, that cover range(count); the last reaches back over some
    of those before.

    What is compiled per shape is then compiled once. In a symmetric kernel each block that reaches
    back comes after those that it overlaps, and its own diagonal after that, so that equal entries
    end up equal.

    >>> [(s.start, s.stop) for s in even_blocks(8, 3)]
    [(0, 3), (3, 6), (5, 8)]
    """
    size = -(-count // -(-count // most))
    return [
        slice(start, start + size)
        for start in (*range(0, count - size, size), count - size)
    ]


def block_rows(
    ops: Operations,
    net: Network | Function,
    seeds: int,
    *,
    outputs: Outputs,
    budget: int,
) -> int:
    """Samples per block: two sides of factors, and as many kernel blocks as are alive at once.

    XLA computes both Grams of every layer before it adds them up: 11 blocks measured at 4 layers,
    26 at 10. PyTorch needs 5, and up to 15 with what the allocator keeps of those it freed.
    """
    side = 2.0 * seeds * ops.sample_bytes(net)
    entries = net.outputs**2 if outputs == "full" else 1
    terms = len(net.layers) if isinstance(net, Network) else len(net.shapes)
    numbers = pair_numbers(net, outputs) + (2.0 * terms + 1.0) * entries
    cell = numbers * seeds * np.dtype(ops.dtype).itemsize
    # The positive root of cell * rows^2 + side * rows = budget.
    rows = 2.0 * budget / (side + (side**2 + 4.0 * cell * budget) ** 0.5)
    return max(1, int(rows))


def mirror(block: np.ndarray) -> None:
    """Writes what stands above the diagonal of Theta(x, x) below it, tile by tile, in place."""
    for i in blocks(block.shape[1], 256):
        block[:, i.stop :, i] = transposed(block[:, i, i.stop :])
        tile = block[:, i, i]
        below, above = np.tril_indices(tile.shape[1], -1)
        tile[:, below, above] = transposed(tile)[:, below, above]
    if block.ndim == 5:  # of one sample, the matrix over outputs
        own = np.arange(block.shape[1])
        block[:, own, own] = (
            block[:, own, own] + block[:, own, own].swapaxes(-1, -2)
        ) / 2


def transposed(block: np.ndarray) -> np.ndarray:
    """Theta(x', x) from Theta(x, x'): samples swapped and, for the full kernel, outputs too."""
    return block.swapaxes(1, 2) if block.ndim == 3 else block.transpose(0, 2, 1, 4, 3)
