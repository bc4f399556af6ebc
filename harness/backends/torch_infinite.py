"""PyTorch: what the infinite-width recursion takes from it; operations run one after another on
blocks in the cache.
"""

import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, TypeAlias

import torch

from harness.backends.infinite_steps import Pair, Term
from harness.networks import Convolution

Tensor: TypeAlias = torch.Tensor


class TorchArrays:
    """See `infinite_steps.Arrays`."""

    compiles = False
    cached = 2**18
    sqrt = staticmethod(torch.sqrt)
    arctan = staticmethod(torch.arctan)
    where = staticmethod(torch.where)
    einsum = staticmethod(torch.einsum)
    clip = staticmethod(torch.clip)

    def eps(self, tensor: Tensor) -> float:
        """The distance from 1 to the next number of its dtype."""
        return torch.finfo(tensor.dtype).eps

    def relu(self, s: Tensor) -> Pair:
        """In place: on blocks in a cache each pass over memory counts."""
        half = torch.sqrt(s).arcsin_()
        sine = torch.addcmul(s, s, s, value=-1).sqrt_()
        rise = torch.addcmul(half, half, s, value=-2).sub_(sine)
        return torch.add(s, rise, alpha=1 / math.pi).clamp_(0, 1), half.mul_(
            -2 / math.pi
        ).add_(1)

    def multiply_add(self, one: Tensor, two: Tensor, three: Tensor) -> Tensor:
        """one + two three."""
        return torch.addcmul(one, two, three)

    def total(self, term: Term, terms: list[tuple[float, float, float]]) -> Pair:
        """A loop."""
        first, second = term(*terms[0])
        for numbers in terms[1:]:
            one, two = term(*numbers)
            first, second = first.add_(one), second.add_(two)
        return first, second

    def run(self, function: Callable[..., Any], *static: Any) -> Callable[..., Any]:
        """The function as it is."""
        return partial(function, self, *static)

    def replaced(
        self, tensor: Tensor, index: tuple[Any, Any], values: Tensor
    ) -> Tensor:
        """The tensor with other values in these places."""
        rows, columns = (torch.as_tensor(axis, device=tensor.device) for axis in index)
        return tensor.index_put((rows, columns), values)

    def settled(self, s: Tensor, low: float, high: float) -> Tensor:
        """In place."""
        negative = torch.threshold_(s.neg_(), -high, -1.0)
        return torch.threshold_(negative.neg_(), low, 0.0)

    def slid(
        self, conv: Convolution, axis: int, axes: tuple[int, ...], q: Tensor
    ) -> Tensor:
        """In place, each offset where it meets no padding."""
        total = q.new_zeros(
            [conv.out[axis] if n in axes else size for n, size in enumerate(q.shape)]
        )
        for there, here in reached(conv, axis):
            total[along(axes, there)].add_(q[along(axes, here)])
        return total


def reached(conv: Convolution, axis: int) -> Iterator[tuple[slice, slice]]:
    """Per kernel offset along rows (0) or columns (1): positions out whose patch has it, and those
    that come in there.

    >>> conv = Convolution(
    ...     "W1", None, 3, 1, 1.0, 1.0, 1.0, 0.0, (1, 3), 1, (1, 3), (1, 1), ((0, 0), (1, 1))
    ... )
    >>> list(reached(conv, 1))[0]
    (slice(1, 3, None), slice(0, 2, 1))
    """
    size, out, stride, before = (
        conv.grid[axis],
        conv.out[axis],
        conv.stride[axis],
        conv.padding[axis][0],
    )
    for offset in range(-before, conv.kernel[axis] - before):
        first = max(0, -(offset // stride))  # the first r with r * stride + offset >= 0
        stop = min(out, (size - 1 - offset) // stride + 1)
        if first < stop:
            yield (
                slice(first, stop),
                slice(
                    first * stride + offset, (stop - 1) * stride + offset + 1, stride
                ),
            )


def along(axes: tuple[int, ...], part: slice) -> tuple[slice, ...]:
    """An index that takes the part along these axes."""
    return tuple(part if axis in axes else slice(None) for axis in range(max(axes) + 1))
