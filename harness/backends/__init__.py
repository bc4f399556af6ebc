"""The backends: one computation, in NumPy (the oracle), PyTorch and JAX. NumPy arrays in and out.

A backend is one file here, `<name>_backend.py`; its name is found by listing the folder.
"""

import importlib
from pathlib import Path

from harness.backends.backend import Backend
from harness.backends.operations import SGD, Adam
from harness.backends.plan import Stop, Trained
from harness.errors import InvalidInput

__all__ = ["SGD", "Adam", "Backend", "Stop", "Trained", "available", "get", "known"]

DTYPES = ("float32", "float64")
DEVICES = ("auto", "cpu", "cuda")


def available() -> tuple[str, ...]:
    """Names of the backends that have a file here, whether or not their framework is installed.

    >>> available()
    ('jax', 'numpy', 'torch')
    """
    return tuple(
        sorted(
            path.name.removesuffix("_backend.py")
            for path in Path(__file__).parent.glob("*_backend.py")
        )
    )


def known(name: str) -> str:
    """The name, if it is that of a backend with a file here; else raises InvalidInput."""
    if name not in available():
        raise InvalidInput(
            f"Unknown backend {name!r}. Available: {', '.join(available())}. Add "
            f"harness/backends/{name}_backend.py."
        )
    return name


def get(
    name: str,
    device: str = "auto",
    dtype: str | None = None,
    memory_budget: int = 2**30,
) -> Backend:
    """A backend by name.

    Args:
        name: "numpy", "torch" or "jax".
        device: "auto" (a GPU if the framework sees one), "cpu" or "cuda".
        dtype: "float32" (default) or "float64"; the numpy oracle has float64 only, and takes it by
            default.
        memory_budget: bytes that a kernel computation may use beyond its result.

    Raises:
        InvalidInput: unknown name, device or dtype, or a dtype that the backend lacks.
        BackendUnavailable: the framework is not installed, or the device is not there.

    >>> get("numpy").dtype
    'float64'
    """
    known(name)
    if device not in DEVICES:
        raise InvalidInput(f"Unknown device {device!r}. Allowed: {', '.join(DEVICES)}.")
    if dtype is not None and dtype not in DTYPES:
        raise InvalidInput(f"Unknown dtype {dtype!r}. Allowed: {', '.join(DTYPES)}.")
    if memory_budget <= 0:
        raise InvalidInput(
            f"memory_budget must be a positive number of bytes; got {memory_budget!r}."
        )
    module = importlib.import_module(f"harness.backends.{name}_backend")
    return Backend(name, module.operations(device, dtype), memory_budget)
