"""PyTorch on a GPU: the same numbers from the same inputs, run after run.

What the project's own operations call has a deterministic kernel, so where PyTorch knows of none it
is an error in them, and a warning in a function of someone else's (the derivatives of bilinear
interpolation, of adaptive pooling, cumsum ...). Equal numbers on another model of GPU, or with
another version, are not promised by anybody.

Source: PyTorch, `torch.use_deterministic_algorithms` and the page "Reproducibility".
"""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch

WORKSPACE = "CUBLAS_WORKSPACE_CONFIG"
"""Without it PyTorch refuses every matrix product where determinism is asked for; workers have it
from the start.
"""


@contextmanager
def deterministic(warn_only: bool) -> Iterator[None]:
    """Deterministic kernels alone, chosen without timing them; every global is given back as it was
    found.

    Args:
        warn_only: where there is no such kernel, warn; else RuntimeError.
    """
    with ExitStack() as undo:
        # What use_deterministic_algorithms does, without importing PyTorch's compiler, which takes
        # seconds.
        undo.callback(
            torch.set_deterministic_debug_mode, torch.get_deterministic_debug_mode()
        )
        torch.set_deterministic_debug_mode("warn" if warn_only else "error")
        for place, name, value in settings():
            undo.callback(setattr, place, name, getattr(place, name))
            setattr(place, name, value)
        if WORKSPACE not in os.environ:
            undo.callback(os.environ.pop, WORKSPACE, None)
            os.environ[WORKSPACE] = ":4096:8"
        yield


def settings() -> list[tuple[Any, str, bool]]:
    """Module, switch and value.

    Sums in half precision have switches too, but nothing here is in half precision.
    """
    return [
        (torch.backends.cudnn, "deterministic", True),
        (torch.backends.cudnn, "benchmark", False),
        # It would write NaN into all fresh memory, to find programs that read it before they wrote
        # to it.
        (torch.utils.deterministic, "fill_uninitialized_memory", False),
    ]
