"""An audit: which recorded cells to compute again, and whether what comes out is what was recorded.

Tolerances, by the precision asked of the backend, hold for the same code, versions and device
class. They are above the rounding of a computation that does not amplify it, and no higher. On the
same processor, 20 cells of the quick tier, in both backends, came back bit for bit, with one thread
and with two. With another kernel of OpenBLAS, errors of kernels at initialisation moved by 2e-15.
With sums in another order (trained one seed at a time), chaotic networks of ten layers carried
rounding on to 3e-2 of their kernel's change in JAX, and to 1e-6 in PyTorch. A tolerance that
forgave this would forgive an altered cell; so such a cell is different, and the audit says on which
processor and with how many threads each of the two was computed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import ceil, inf

import numpy as np

from harness.errors import InvalidInput
from harness.experiment import Request, digest

TOLERANCES = {"float32": 1e-5, "float64": 1e-10}


class Result(StrEnum):
    """What became of a recorded cell in an audit."""

    IDENTICAL = "identical"
    CLOSE = "within tolerance"
    DIFFERENT = "different"
    FAILED = "not recomputed"
    INCOMPARABLE = "not comparable"


AGREE = (Result.IDENTICAL, Result.CLOSE)


@dataclass(frozen=True)
class Finding:
    """A result, the largest relative difference (None where nothing could be subtracted), and where
    or why.
    """

    result: Result
    difference: float | None = None
    reason: str = ""


def size(sample: str, population: int) -> int:
    """How many cells a sample is: "all", a number of cells, or a share "5%", which is rounded up.

    Raises:
        InvalidInput: for anything else, and for a sample of nothing.

    >>> size("5%", 120), size("7", 120), size("all", 120), size("500", 120)
    (6, 7, 120, 120)
    """
    text = "100%" if sample == "all" else sample.strip()
    try:
        wanted = (
            float(text[:-1]) * population / 100 if text.endswith("%") else int(text)
        )
    except ValueError:
        wanted = 0
    if not 0 < wanted < inf or (text.endswith("%") and wanted > population):
        raise InvalidInput(
            "The sample must be 'all', a share such as '5%' (above 0, at most 100) or a number of "
            "cells such as '12' "
            f"(at least 1); got {sample!r}."
        )
    return min(population, ceil(wanted))


def draw(groups: Sequence[Sequence[Request]], wanted: int, seed: int) -> list[Request]:
    """So many different requests, and at least one of each group; the same for the same seed on
    every machine.

    The order is that of SHA-256 over seed and request, so a larger sample contains a smaller one's.
    """
    pool = {request.digest: request for group in groups for request in group}
    ranks = {name: digest([seed, name]) for name in pool}
    order = sorted(pool, key=ranks.__getitem__)
    drawn = {
        min((request.digest for request in group), key=ranks.__getitem__)
        for group in groups
        if group
    }
    drawn |= set(
        [name for name in order if name not in drawn][: max(0, wanted - len(drawn))]
    )
    return [pool[name] for name in order if name in drawn]


def compare(
    recorded: Mapping[str, np.ndarray],
    again: Mapping[str, np.ndarray],
    tolerance: float,
) -> Finding:
    """Every array of a cell against the same array computed again.

    The difference of an array is max |again - recorded| / max |recorded|, for each replicate alone,
    and the largest of these counts. Infinities and NaN must stand in the same places, and whatever
    is no float must be equal.
    """
    if recorded.keys() != again.keys():
        return Finding(
            Result.DIFFERENT,
            reason=f"recorded {_names(recorded)}; recomputed {_names(again)}",
        )
    for name, array in recorded.items():
        reason = _unlike(array, again[name])
        if reason:
            return Finding(Result.DIFFERENT, reason=f"{name}: {reason}")
    differences = {
        name: _difference(array, again[name]) for name, array in recorded.items()
    }
    name = max(differences, key=differences.__getitem__)
    if all(array.tobytes() == again[key].tobytes() for key, array in recorded.items()):
        return Finding(Result.IDENTICAL, 0.0)
    result = Result.CLOSE if differences[name] <= tolerance else Result.DIFFERENT
    return Finding(result, differences[name], name)


def _names(arrays: Mapping[str, np.ndarray]) -> str:
    return ", ".join(sorted(arrays))


def _unlike(recorded: np.ndarray, again: np.ndarray) -> str:
    """Why two arrays cannot be subtracted, or may not differ at all; "" if they can."""
    if (recorded.dtype, recorded.shape) != (again.dtype, again.shape):
        return f"recorded {recorded.dtype}{recorded.shape}, recomputed {again.dtype}{again.shape}"
    if not np.issubdtype(recorded.dtype, np.inexact):
        return (
            ""
            if np.array_equal(recorded, again)
            else f"{recorded.dtype}, of which all must be equal"
        )
    finite = np.isfinite(recorded)
    same = np.array_equal(finite, np.isfinite(again))
    if not same or not np.array_equal(
        recorded[~finite], again[~finite], equal_nan=True
    ):
        return "infinities or NaN stand in other places"
    return ""


def _difference(recorded: np.ndarray, again: np.ndarray) -> float:
    """The largest over replicates of max |again - recorded| / max |recorded|, over the finite
    entries.
    """
    if not np.issubdtype(recorded.dtype, np.inexact):
        return 0.0
    # so that no difference of float32 overflows
    wide = np.result_type(recorded, np.float64)
    old, new = (
        np.where(np.isfinite(recorded), array, 0).astype(wide)
        for array in (recorded, again)
    )
    apart, scale = (
        np.abs(array).reshape(len(array), -1).max(axis=1, initial=0.0)
        for array in (new - old, old)
    )
    return float(
        np.divide(apart, scale, out=np.where(apart > 0, inf, 0.0), where=scale > 0).max(
            initial=0.0
        )
    )
