"""Two backends of one framework and precision, quantity by quantity."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from harness.backends import Backend
from tests.verify.parity.quantities import QUANTITIES, Quantity


@dataclass(frozen=True)
class Compared:
    """One quantity in one precision.

    Args:
        backend, dtype, quantity: what.
        distance: the largest over the quantity's arrays; infinity where one is not finite, or has
            another shape.
        tolerance, why: registered.
        fault: what is wrong beside the distance; "" if nothing.
        digest: SHA-256 of what the other device computed; two runs of equal digests agree to the
            last bit.
    """

    backend: str
    dtype: str
    quantity: str
    distance: float
    tolerance: float
    why: str
    fault: str = ""
    digest: str = ""

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


def compare(
    cpu: Backend, other: Backend, quantities: Sequence[Quantity] = QUANTITIES
) -> Iterator[Compared]:
    """Every quantity on both devices.

    The distance is |a - b| / |a| in the Frobenius norm, where a is the CPU's. The other device
    computes everything twice, and has to agree with itself to the last bit. An error there is a
    fault of that quantity alone.
    """
    for quantity in quantities:
        tolerance = quantity.float32 if cpu.dtype == "float32" else quantity.float64
        known, found = quantity.compute(cpu), list[np.ndarray]()
        try:
            found, again = quantity.compute(other), quantity.compute(other)
            fault = _faults(known, found, again)
        except Exception as error:  # what a framework on a GPU may raise
            fault = f"{type(error).__name__}: {error}".split("\n")[0]
        distance = np.inf if fault else max(map(_distance, known, found))
        judged = float(distance), tolerance, quantity.why, fault
        yield Compared(
            cpu.name, cpu.dtype, quantity.name, *judged, digest=_digest(found)
        )


def _faults(
    known: Sequence[np.ndarray],
    found: Sequence[np.ndarray],
    again: Sequence[np.ndarray],
) -> str:
    faults = (
        fault
        for one, two in zip(known, found, strict=True)
        if (fault := _fault(one, two))
    )
    unsteady = (
        ""
        if _digest(found) == _digest(again)
        else "not the same to the last bit when computed again"
    )
    return next(faults, unsteady)


def _fault(one: np.ndarray, two: np.ndarray) -> str:
    if (one.shape, one.dtype) != (two.shape, two.dtype):
        return f"{two.dtype} {two.shape} instead of {one.dtype} {one.shape}"
    for where, array in (("the CPU", one), ("the other device", two)):
        if not np.isfinite(array).all():
            return f"numbers that are not finite, on {where}"
    return ""


def _digest(arrays: Sequence[np.ndarray]) -> str:
    return hashlib.sha256(b"".join(array.tobytes() for array in arrays)).hexdigest()


def _distance(one: np.ndarray, two: np.ndarray) -> float:
    scale = np.linalg.norm(one.astype(float))
    return (
        float(np.linalg.norm(two.astype(float) - one.astype(float)) / scale)
        if scale
        else float(two.any())
    )
