"""Kernel ridge regression whose ridge is chosen on validation samples, and what it gets wrong on
others.
"""

from collections.abc import Sequence

import numpy as np

from harness.backends import Backend
from harness.measurements import Samples
from harness.ridge import least

RIDGES = np.logspace(-7, 1, 13)
"""Of kernel regression, relative to the mean of the kernel's diagonal."""


def ridge_errors(
    backend: Backend,
    gram: np.ndarray,
    cross: np.ndarray,
    sizes: Sequence[int],
    training: Samples,
    validation: Samples,
    test: Samples,
) -> np.ndarray:
    """Error rate and squared error of kernel ridge regression on nested samples, (2, R, sizes).

    Args:
        gram: (R, N, N), of the training samples; cross: (R, V + T, N), of validation and test
            samples with them.

    The ridge is that of RIDGES with the lowest squared error on the validation samples, for each
    size and replicate.
    """
    errors = np.empty((2, len(gram), len(sizes)))
    for r in range(len(gram)):
        for k, n in enumerate(sizes):
            k_train = gram[r, :n, :n]
            ridges = RIDGES * float(np.diag(k_train).mean())
            ladder = backend.kernel_regression(
                k_train, training.y[r, :n], cross[r, :, :n], ridges
            )
            f, _ = least(ladder, validation.y[r])
            errors[:, r, k] = mistakes(f, test.y[r])
    return errors


def mistakes(
    f: np.ndarray,
    y: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Error rate (wrong signs) and mean squared error of predictions and targets (..., N, 1): each
    (...).

    The error rate is NaN where a prediction is not finite: NaN has no sign, and would count as -1.
    """
    rate = ((f > 0) != (y > 0)).mean(axis=(-2, -1))
    finite = np.isfinite(f).all(axis=(-2, -1))
    return np.where(finite, rate, np.nan), ((f - y) ** 2).mean(axis=(-2, -1))
