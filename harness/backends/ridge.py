"""Kernel ridge regression on a backend's device: the checks, seeds and predictions, in NumPy.

One Cholesky factorisation per ridge, n^3 / 3 each, in float64 whatever the backend's dtype. A
ladder of 13 takes what one eigendecomposition does on a CPU (n = 512: 0.06 s of one core, n = 2048:
2.3 s and 2.1 s); on a GPU it is matrix products, and an eigendecomposition is not.
"""

import numpy as np

from harness.backends.operations import Operations
from harness.errors import InvalidInput
from harness.kernels.prediction import Ladder, checked_problem


def regress(
    ops: Operations,
    k_train: np.ndarray,
    y: np.ndarray,
    k_test: np.ndarray,
    *,
    ridge: Ladder,
) -> np.ndarray:
    """`Backend.kernel_regression`, in its session."""
    ridges = _positive(ridge)
    if np.ndim(k_train) != 3:
        return _one(ops, k_train, y, k_test, ridges=ridges)
    counts = [np.shape(array)[:1] for array in (k_train, y, k_test)]
    if len(set(counts)) > 1:
        raise InvalidInput(
            "k_train, y and k_test must have one leading seed axis, as k_train has; they begin "
            f"with {counts}."
        )
    return np.array(
        [
            _one(ops, *seed, ridges=ridges)
            for seed in zip(k_train, y, k_test, strict=True)
        ]
    )


def _one(
    ops: Operations,
    k_train: np.ndarray,
    y: np.ndarray,
    k_test: np.ndarray,
    *,
    ridges: np.ndarray,
) -> np.ndarray:
    problem = checked_problem(k_train, y, k_test)
    gram, y, k_test = problem.k_train, problem.y, problem.k_test
    targets, ladder = y.reshape(len(y), -1), np.atleast_1d(ridges) / problem.unit
    probe = problem.eps**0.5 * float(np.linalg.norm(gram))
    weights = ops.solve_ridges(gram, targets, ladder)
    # A ridge no larger than the probe that left a positive matrix tells as much as the probe would.
    told = np.isfinite(weights[ladder <= probe]).all(axis=(1, 2)).any()
    if (
        not told
        and not np.isfinite(ops.solve_ridges(gram, targets, np.array([probe]))).all()
    ):
        raise InvalidInput(
            "k_train must be positive semi-definite up to rounding; with "
            f"{probe * problem.unit:.3g} added to its "
            f"diagonal (sqrt(eps) of its dtype, {problem.eps**0.5:.1g}, times its Frobenius norm) "
            "it still has no "
            "Cholesky factor. "
            "Is it a kernel of inputs with themselves?"
        )
    predictions = np.array([k_test @ alpha for alpha in weights])
    return predictions.reshape(*ridges.shape, len(k_test), *y.shape[1:])


def _positive(ridge: Ladder) -> np.ndarray:
    ridges = np.asarray(ridge, dtype=np.float64)
    if ridges.ndim > 1 or not ((ridges > 0) & np.isfinite(ridges)).all():
        raise InvalidInput(
            f"ridge must be a positive number or a sequence of such numbers; got {ridge!r}. "
            "Without a ridge: "
            "kernels.regression, which gives the minimum-norm solution."
        )
    return ridges
