"""What PyTorch is asked for: operations dispatched, each a launch or a few, and arithmetic."""

from collections.abc import Callable
from typing import Any

from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry


class Counter(TorchDispatchMode):
    """Counts what is dispatched while it is active.

    Attributes:
        operations: calls of PyTorch's own operations; views among them launch nothing, and a few
            launch more than one kernel.
        flops: floating-point operations of matrix products and convolutions; nothing else counts.
    """

    def __init__(self) -> None:
        super().__init__()
        self.operations, self.flops = 0, 0

    def __torch_dispatch__(
        self,
        operation: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Runs an operation and counts it."""
        named = kwargs or {}
        result = operation(*args, **named)
        self.operations += 1
        if (formula := flop_registry.get(operation._overloadpacket)) is not None:
            self.flops += formula(*args, **named, out_val=result)
        return result


def counted(work: Callable[[], Any]) -> dict[str, int]:
    """What some work asks PyTorch for.

    >>> import torch
    >>> a = torch.eye(10)
    >>> counted(lambda: a @ a)
    {'launches': 1, 'flops': 2000}
    """
    with Counter() as counter:
        work()
    return {"launches": counter.operations, "flops": counter.flops}
