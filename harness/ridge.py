"""Kernel regression whose ridge is chosen on validation samples."""

from collections.abc import Callable

import numpy as np


def by_validation(
    regression: Callable[..., np.ndarray],
    k_train: np.ndarray,
    y: np.ndarray,
    k_other: np.ndarray,
    y_held: np.ndarray,
    ridges: np.ndarray,
) -> tuple[np.ndarray, float]:
    """Kernel regression with the one of the ridges that has the least squared error on validation
    samples.

    Args:
        regression: `Backend.kernel_regression`, or `kernels.regression`.
        k_train: (N, N); y: (N, O); k_other: (V + T, N) of the V validation and then the T test
            samples; y_held: (V, O).
        ridges: added to the diagonal as they are. Those below the rounding errors of a nearly
            singular kernel, with which it is not positive definite, are passed over (see
            `Backend.kernel_regression`).

    Returns:
        Predictions on the tests, (T, O), and that least error.
    """
    return least(regression(k_train, y, k_other, ridges), y_held)


def least(ladder: np.ndarray, y_held: np.ndarray) -> tuple[np.ndarray, float]:
    """What `by_validation` returns, from the predictions with every ridge, (ridges, V + T, O)."""
    missed = ((ladder[:, : len(y_held)] - y_held) ** 2).mean(axis=(1, 2))
    missed = np.where(np.isnan(missed), np.inf, missed)
    return ladder[missed.argmin(), len(y_held) :], float(missed.min())
