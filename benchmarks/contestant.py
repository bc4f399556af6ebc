"""A party of the race, and what keeps some of them out of some cases."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from benchmarks.cases import Case
from harness import backends

Run = Callable[[], np.ndarray]
OURS, PRODUCT, COPY = "ours", "matrix product", "memory copy"
YARDSTICKS = (PRODUCT, COPY)
LARGEST_JACOBIAN = 2.0e9  # bytes
LONGEST_DETOUR = 40.0  # times the floor


@dataclass(frozen=True)
class Contestant:
    """Somebody who can compute a case.

    Args:
        name: as in the tables.
        prepare: case, device -> a function without arguments that returns the kernel as a NumPy
            array.
        refusal: why it does not enter a case; None: it enters.
    """

    name: str
    prepare: Callable[[Case, str], Run]
    refusal: Callable[[Case], str | None]


def ours(framework: str, case: Case, device: str) -> Run:
    """This project in one framework."""
    backend = backends.get(framework, device, case.dtype)
    if case.subject == "infinite":
        return lambda: backend.infinite_ntk(case.net, case.x)
    return lambda: backend.empirical_ntk(
        case.net, case.theta, case.x, outputs=case.outputs
    )


def no_solve(case: Case) -> str | None:
    """The refusal of ours in a framework."""
    return "solves are NumPy's" if case.subject == "solve" else None


def refused(case: Case, *reasons: str | None) -> str | None:
    """The first reason; peers are not entered on ladders, nor with several seeds."""
    if case.subject != "empirical":
        return "computes empirical kernels"
    if case.ladder is not None:
        return "ladders measure ours"
    return next((reason for reason in reasons if reason), None)


def whole_jacobian(case: Case) -> str | None:
    """The refusal of those that hold the whole Jacobian, where it is too large."""
    size = float(case.samples * case.net.outputs * case.parameters * case.itemsize)
    return (
        f"its Jacobian takes {size / 1e9:.1f} GB" if size > LARGEST_JACOBIAN else None
    )


def kernel_vector_products(case: Case) -> str | None:
    """The refusal of those that apply the kernel to every unit vector, where that is far above the
    floor.
    """
    passes = sum(
        layer.fan_in * layer.fan_out * getattr(layer, "positions", 1)
        for layer in case.net.layers
    )
    times = 6.0 * case.samples**2 * case.net.outputs * passes / case.floor_flops
    return (
        f"it takes {times:.0f} times the operations of the floor"
        if times > LONGEST_DETOUR
        else None
    )


def yardstick_size(device: str) -> int:
    """Rows of the square matrices whose product gives the rate of matrix products."""
    return 1024 if device == "cpu" else 8192


def yardstick_flops(device: str) -> float:
    """Operations of that product."""
    return 2.0 * yardstick_size(device) ** 3


def yardstick_bytes(dtype: str, device: str) -> float:
    """Bytes read and written by the copy that gives the rate of memory: of an array 16 times those
    matrices.
    """
    return 2.0 * 16 * yardstick_size(device) ** 2 * np.dtype(dtype).itemsize
