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
    base: Sequence[np.ndarray] | None = None,
) -> np.ndarray:
    """Error rate and squared error of kernel ridge regression on nested samples, (2, R, sizes).

    Args:
        gram: (R, N, N), of the training samples; cross: (R, V + T, N), of validation and test
            samples with them.
        base: predictions on training, validation and test samples, (R, ., 1), that are corrected by
            regressing on what they leave over; None: zero.

    The ridge is that of RIDGES with the lowest squared error on the validation samples, for each
    size and replicate.
    """
    base = base or [np.zeros_like(data.y) for data in (training, validation, test)]
    return corrected_errors(
        backend, gram, cross, sizes, training, validation, test, [base]
    )[0]


def corrected_errors(
    backend: Backend,
    gram: np.ndarray,
    cross: np.ndarray,
    sizes: Sequence[int],
    training: Samples,
    validation: Samples,
    test: Samples,
    bases: Sequence[Sequence[np.ndarray]],
) -> np.ndarray:
    """As `ridge_errors`, for each of some bases, (bases, 2, R, sizes).

    What they leave over are right-hand sides of the same linear systems; the ridge is chosen for
    each by itself.
    """
    found = np.empty((len(bases), 2, len(gram), len(sizes)))
    left = np.concatenate([training.y - before for before, _, _ in bases], axis=2)
    for r in range(len(gram)):
        for k, n in enumerate(sizes):
            k_train = gram[r, :n, :n]
            ridges = RIDGES * float(np.diag(k_train).mean())
            ladder = backend.kernel_regression(
                k_train, left[r, :n], cross[r, :, :n], ridges
            )
            for b, (_, before_validation, before_test) in enumerate(bases):
                f, _ = least(
                    ladder[..., b : b + 1], (validation.y - before_validation)[r]
                )
                found[b, :, r, k] = mistakes(before_test[r] + f, test.y[r])
    return found


def mistakes(f: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Error rate (wrong signs) and mean squared error of predictions and targets (..., N, 1): each
    (...).

    The error rate is NaN where a prediction is not finite: NaN has no sign, and would count as -1.
    """
    rate = ((f > 0) != (y > 0)).mean(axis=(-2, -1))
    finite = np.isfinite(f).all(axis=(-2, -1))
    return np.where(finite, rate, np.nan), ((f - y) ** 2).mean(axis=(-2, -1))
