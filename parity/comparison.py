"""Two backends of one framework and precision, quantity by quantity."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from harness.backends import Backend
from parity.quantities import QUANTITIES, Quantity


@dataclass(frozen=True)
class Compared:
    """One quantity in one precision.

    Args:
        backend, dtype, quantity: what.
        distance: the largest over the quantity's arrays; infinity where one is not finite, or has another shape.
        tolerance, why: registered.
        fault: what is wrong beside the distance; "" if nothing.
    """

    backend: str
    dtype: str
    quantity: str
    distance: float
    tolerance: float
    why: str
    fault: str = ""

    @property
    def agrees(self) -> bool:
        """Whether the devices agree; never of numbers that are not finite."""
        return not self.fault and self.distance <= self.tolerance

    def line(self) -> str:
        """For a terminal."""
        verdict = "agrees" if self.agrees else "DIFFERS"
        found = self.fault or f"{self.distance:.1e}, allowed {self.tolerance:.0e}"
        reason = "" if self.agrees else f" ({self.why})"
        return f"{verdict:<8} {self.backend:<6} {self.dtype}  {self.quantity}: {found}{reason}"


def compare(cpu: Backend, other: Backend, quantities: Sequence[Quantity] = QUANTITIES) -> Iterator[Compared]:
    """Every quantity on both devices.

    The distance is |a - b| / |a| in the Frobenius norm, where a is the CPU's.
    """
    for quantity in quantities:
        tolerance = quantity.float32 if cpu.dtype == "float32" else quantity.float64
        pairs = list(zip(quantity.compute(cpu), quantity.compute(other), strict=True))
        fault = next((fault for one, two in pairs if (fault := _fault(one, two))), "")
        distance = np.inf if fault else max(_distance(one, two) for one, two in pairs)
        yield Compared(cpu.name, cpu.dtype, quantity.name, float(distance), tolerance, quantity.why, fault)


def _fault(one: np.ndarray, two: np.ndarray) -> str:
    if (one.shape, one.dtype) != (two.shape, two.dtype):
        return f"{two.dtype} {two.shape} instead of {one.dtype} {one.shape}"
    for where, array in (("the CPU", one), ("the other device", two)):
        if not np.isfinite(array).all():
            return f"numbers that are not finite, on {where}"
    return ""


def _distance(one: np.ndarray, two: np.ndarray) -> float:
    scale = np.linalg.norm(one.astype(float))
    return float(np.linalg.norm(two.astype(float) - one.astype(float)) / scale) if scale else float(two.any())
