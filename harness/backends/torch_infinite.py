"""PyTorch: what the infinite-width recursion takes from it; operations run one after another on blocks in the cache."""

import math
from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias

import torch

from harness.backends.infinite_steps import Pair, Term

Tensor: TypeAlias = torch.Tensor


def padded(tensor: Tensor, widths: list[tuple[int, int]]) -> Tensor:
    """With zeros before and after, per axis; PyTorch counts axes from the last."""
    return torch.nn.functional.pad(tensor, [width for pair in reversed(widths) for width in pair])


class TorchArrays:
    """See `infinite_steps.Arrays`."""

    compiles = False
    cached = 2**16  # a dozen arrays in use, one operation after another
    sqrt = staticmethod(torch.sqrt)
    arctan = staticmethod(torch.arctan)
    where = staticmethod(torch.where)
    einsum = staticmethod(torch.einsum)
    clip = staticmethod(torch.clip)
    pad = staticmethod(padded)

    def eps(self, tensor: Tensor) -> float:
        """The distance from 1 to the next number of its dtype."""
        return torch.finfo(tensor.dtype).eps

    def relu(self, s: Tensor) -> Pair:
        """In place: on blocks in a cache each pass over memory counts."""
        half = torch.sqrt(s).arcsin_()
        sine = torch.addcmul(s, s, s, value=-1).sqrt_()
        rise = torch.addcmul(half, half, s, value=-2).sub_(sine)
        return torch.add(s, rise, alpha=1 / math.pi).clamp_(0, 1), half.mul_(-2 / math.pi).add_(1)

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

    def replaced(self, tensor: Tensor, index: tuple[Any, Any], values: Tensor) -> Tensor:
        """The tensor with other values in these places."""
        rows, columns = (torch.as_tensor(axis, device=tensor.device) for axis in index)
        return tensor.index_put((rows, columns), values)
