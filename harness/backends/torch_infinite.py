"""PyTorch: what the infinite-width recursion takes from it; operations run one after another on blocks in the cache."""

from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias

import torch

from harness.backends.infinite_steps import Pair, Term

Tensor: TypeAlias = torch.Tensor


class TorchArrays:
    """See `infinite_steps.Arrays`."""

    compiles = False
    sqrt = staticmethod(torch.sqrt)
    arctan = staticmethod(torch.arctan)
    where = staticmethod(torch.where)
    einsum = staticmethod(torch.einsum)
    clip = staticmethod(torch.clip)

    def eps(self, tensor: Tensor) -> float:
        """The distance from 1 to the next number of its dtype."""
        return torch.finfo(tensor.dtype).eps

    def pad(self, tensor: Tensor, widths: list[tuple[int, int]]) -> Tensor:
        """Zeros before and after, per axis."""
        return torch.nn.functional.pad(tensor, [width for pair in reversed(widths) for width in pair])

    def half_angle(self, s: Tensor) -> Tensor:
        """arcsin(sqrt(s))."""
        return torch.arcsin(torch.sqrt(s))

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
