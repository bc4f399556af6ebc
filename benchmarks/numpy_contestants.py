"""NumPy and SciPy: kernels at infinite width, and regression with a kernel against SciPy's Cholesky
in place.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.linalg

from benchmarks.cases import RIDGE, Case
from benchmarks.contestant import COPY, OURS, PRODUCT, Contestant, Run, yardstick_size
from harness import kernels


def problem(case: Case) -> tuple[np.ndarray, np.ndarray, float]:
    """A kernel of the case's net with itself, its first rows as test inputs, and a ridge."""
    kernel = kernels.ntk(case.net, case.x)
    return kernel, kernel[:10].copy(), RIDGE * float(np.trace(kernel)) / len(kernel)


def ours(case: Case, device: str) -> Run:
    """harness.kernels.ntk, or .regression."""
    if case.subject == "infinite":
        return lambda: kernels.ntk(case.net, case.x)
    kernel, test, ridge = problem(case)
    return lambda: kernels.regression(kernel, case.y, test, ridge)


def in_place(case: Case, device: str) -> Run:
    """Cholesky in place in column order, checks off; the copy that it destroys is made inside."""
    kernel, test, ridge = problem(case)

    def run() -> np.ndarray:
        matrix = np.array(kernel.T, order="F")
        matrix.flat[:: len(matrix) + 1] += ridge
        factor = scipy.linalg.cho_factor(
            matrix, lower=True, overwrite_a=True, check_finite=False
        )
        return test @ scipy.linalg.cho_solve(factor, case.y, check_finite=False)

    return run


def matrix_product(case: Case, device: str) -> Run:
    """A square product of the case's dtype."""
    a = np.ones((yardstick_size("cpu"),) * 2, case.dtype)
    return lambda: (a @ a)[:1, 0]


def memory_copy(case: Case, device: str) -> Run:
    """A copy of an array far larger than the caches, into memory that is there already."""
    a = np.ones((16, *(yardstick_size("cpu"),) * 2), case.dtype)
    b = np.ones_like(a)

    def run() -> np.ndarray:
        np.copyto(b, a)
        return b[0, 0, :1]

    return run


def peak_memory(device: str, run: Run) -> int | None:
    """None: ask the operating system."""
    return None


def contestants() -> tuple[Contestant, ...]:
    """All of them; ours first, since the others are compared with it."""
    any_case: Callable[[Any], None] = lambda case: None  # noqa: E731

    def only_solve(case: Case) -> str | None:
        return None if case.subject == "solve" else "solves"

    return (
        Contestant(
            OURS,
            ours,
            lambda case: (
                "computes no empirical kernels" if case.subject == "empirical" else None
            ),
        ),
        Contestant("scipy in place", in_place, only_solve),
        Contestant(PRODUCT, matrix_product, any_case),
        Contestant(COPY, memory_copy, any_case),
    )
