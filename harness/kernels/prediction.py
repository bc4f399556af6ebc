"""Prediction with a kernel: ridge regression and gradient flow, both as a filter on the eigenvalues of the kernel.

With K = U diag(lambda) U^T the predictor is k_test U diag(filter(lambda)) U^T y, where

    filter = 1 / (lambda + ridge)                   ridge regression; posterior mean of a GP with noise variance ridge
    filter = (1 - exp(-time lambda)) / lambda       gradient flow on 1/2 |f - y|^2 from f = 0, stopped at that time

so one eigendecomposition serves any number of ridges or times.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.arrays import as_array
from harness.errors import InvalidInput

Ladder = float | Sequence[float] | np.ndarray
BLOCK = 1024
"""Rows of a kernel that are held against its columns at once."""


def regression(k_train: np.ndarray, y: np.ndarray, k_test: np.ndarray, ridge: Ladder) -> np.ndarray:
    """Kernel ridge regression, k_test (k_train + ridge I)^-1 y, in float64.

    Args:
        k_train: (N, N), symmetric and positive semi-definite up to rounding: sqrt(eps) of its dtype, relative to the
            largest entry and to the largest eigenvalue. Pass a kernel computed in float32 as float32.
        y: (N,) or (N, O).
        k_test: (T, N), test inputs by training inputs.
        ridge: added to the diagonal as it is (not relative to the trace), >= 0; a number, or a sequence of R numbers.
            0 gives the minimum-norm solution: eigenvalues up to N eps lambda_max, eps of k_train's dtype, count as
            zero. Positive ridges use every eigenvalue (negative ones, which are rounding, as zero).

    Returns:
        (T,) or (T, O) float64, as y; with a leading axis of R for a sequence of ridges.

    Raises:
        InvalidInput: naming the argument, its value and what is allowed.

    >>> regression(np.eye(2), np.array([1.0, 2.0]), np.array([[1.0, 1.0]]), ridge=(0.0, 1.0))
    array([[3. ],
           [1.5]])
    """
    ridges = _ladder("ridge", ridge)
    spectrum = _decompose(k_train, y, k_test)
    eigenvalues = np.maximum(spectrum.eigenvalues, 0.0)
    used = (ridges[..., None] > 0) | (eigenvalues > spectrum.cut)
    return spectrum.predict(np.divide(1.0, eigenvalues + ridges[..., None], out=np.zeros(used.shape), where=used))


def gradient_flow(k_train: np.ndarray, y: np.ndarray, k_test: np.ndarray, time: Ladder) -> np.ndarray:
    """Prediction of a linearised network after training by gradient flow for a time, in float64.

    k_test k_train^-1 (I - exp(-time k_train)) y solves df/dtime = -k_train (f - y), f = 0 at time 0, which is gradient
    flow on 1/2 |f - y|^2 summed over examples (Lee et al. 2019). For a network that starts at f_0, pass y - f_0 and
    add its f_0 on the test inputs. As time grows it tends to the solution of `regression` at ridge 0. Times are finite
    and >= 0, in units of 1/eigenvalue; the other arguments, the result and the errors are those of `regression`.

    >>> gradient_flow(np.eye(1), np.ones(1), np.ones((1, 1)), time=np.log(2))
    array([0.5])
    """
    times = _ladder("time", time)
    spectrum = _decompose(k_train, y, k_test)
    eigenvalues = np.maximum(spectrum.eigenvalues, 0.0)
    limit = np.broadcast_to(times[..., None], (*times.shape, len(eigenvalues))).copy()
    decayed = -np.expm1(-limit * eigenvalues)
    return spectrum.predict(np.divide(decayed, eigenvalues, out=limit, where=eigenvalues > 0))


@dataclass(frozen=True)
class _Spectrum:
    """Eigenvalues (N,) of k_train, and k_test (T, N) and y (N, O) or (N,) in the basis of its eigenvectors."""

    eigenvalues: np.ndarray
    cut: float
    k_test: np.ndarray
    y: np.ndarray

    def predict(self, filters: np.ndarray) -> np.ndarray:
        """Predictions for each filter on the eigenvalues, (..., N) -> (..., T, O) or (..., T)."""
        y = self.y.reshape(len(self.y), -1)
        predictions: np.ndarray = self.k_test @ (filters[..., None] * y)
        return predictions.reshape(*predictions.shape[:-1], *self.y.shape[1:])


def checked_problem(
    k_train: np.ndarray, y: np.ndarray, k_test: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """The arguments of a regression in float64, k_train made exactly symmetric, and eps of the dtype it came in.

    Raises:
        InvalidInput: as `regression` does, but for eigenvalues, which nobody looks at here.
    """
    k_train, y, k_test = (_real(name, value) for name, value in (("k_train", k_train), ("y", y), ("k_test", k_test)))
    _check_shapes(k_train, y, k_test)
    eps = max(float(np.finfo(k_train.dtype).eps), float(np.finfo(np.float64).eps))
    k_train, y, k_test = (array.astype(np.float64, copy=False) for array in (k_train, y, k_test))
    _check_symmetric(k_train, eps**0.5)
    symmetric = k_train + k_train.T
    symmetric /= 2  # in place: of the largest kernels one more copy does not fit
    return symmetric, y, k_test, eps


def _decompose(k_train: np.ndarray, y: np.ndarray, k_test: np.ndarray) -> _Spectrum:
    k_train, y, k_test, eps = checked_problem(k_train, y, k_test)
    eigenvalues, vectors = np.linalg.eigh(k_train)
    if eigenvalues[0] < -(eps**0.5) * abs(eigenvalues[-1]):
        raise InvalidInput(
            f"k_train must be positive semi-definite; its smallest eigenvalue is {eigenvalues[0]:.3g}, its largest "
            f"{eigenvalues[-1]:.3g} (allowed: down to -{eps**0.5:.1g} times the largest, sqrt(eps) of its dtype). "
            "Is it a kernel of inputs with themselves?"
        )
    return _Spectrum(eigenvalues, len(eigenvalues) * eps * eigenvalues[-1], k_test @ vectors, vectors.T @ y)


def _real(name: str, value: Any) -> np.ndarray:
    """The value as an array of floats (integers become float64), finite."""
    array = as_array(name, value)
    if array.dtype.kind not in "biuf":
        raise InvalidInput(f"{name} must be real: booleans, integers or floats; got dtype {array.dtype}.")
    array = array if array.dtype.kind == "f" else array.astype(np.float64)
    if not np.isfinite(array).all():
        raise InvalidInput(f"{name} must be finite; {np.count_nonzero(~np.isfinite(array))} of its entries are not.")
    return array


def _ladder(name: str, value: Ladder) -> np.ndarray:
    ladder = _real(name, value).astype(np.float64)
    if ladder.ndim > 1 or not (ladder >= 0).all():
        raise InvalidInput(f"{name} must be a number >= 0 or a sequence of such numbers; got {value!r}.")
    return ladder


def _check_shapes(k_train: np.ndarray, y: np.ndarray, k_test: np.ndarray) -> None:
    if k_train.ndim != 2 or k_train.shape[0] != k_train.shape[1] or not k_train.size:
        raise InvalidInput(f"k_train must be square, (N, N) with N >= 1; got {k_train.shape}.")
    n = len(k_train)
    if y.ndim not in (1, 2) or len(y) != n:
        raise InvalidInput(f"y must have shape ({n},) or ({n}, O), one row per row of k_train; got {y.shape}.")
    if k_test.ndim != 2 or k_test.shape[1] != n:
        raise InvalidInput(f"k_test must have shape (T, {n}), test inputs by training inputs; got {k_test.shape}.")


def _check_symmetric(k_train: np.ndarray, tolerance: float) -> None:
    blocks = [slice(first, first + BLOCK) for first in range(0, len(k_train), BLOCK)]
    asymmetry = max(float(np.abs(k_train[rows] - k_train[:, rows].T).max()) for rows in blocks)
    largest = max(float(np.abs(k_train[rows]).max()) for rows in blocks)
    if asymmetry > tolerance * largest:
        raise InvalidInput(
            f"k_train must be symmetric; |k_train - k_train^T| reaches {asymmetry:.3g}, its largest entry is "
            f"{largest:.3g} (allowed: {tolerance:.1g} times that, sqrt(eps) of its dtype)."
        )
