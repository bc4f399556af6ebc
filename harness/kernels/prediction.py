"""Prediction with a kernel: ridge regression and gradient flow, as filters on its eigenvalues.

With K = U diag(lambda) U^T the predictor is k_test U diag(filter(lambda)) U^T y, where

    filter = 1 / (lambda + ridge)               ridge regression; the posterior mean of a GP with
                                                noise variance ridge
    filter = (1 - exp(-time lambda)) / lambda   gradient flow on 1/2 |f - y|^2 from f = 0, stopped
                                                at that time

so one eigendecomposition serves any number of ridges or times.

Which of the small eigenvalues are real and which are rounding, a kernel does not say. An eigenvalue
is unresolved up to N eps lambda_max, or up to the size of the most negative one, which is rounding
for certain. The filter of unresolved eigenvalues is multiplied by exp(-excess^2), which is 1 as
long as the ridge is large or the time is short beside the rounding errors, and 0 in the limit. So
both filters tend to that of ridge 0, where unresolved eigenvalues count as zero. The excess is

    eps lambda_max / ridge   ridge regression
    time cut                 gradient flow, where cut is the bound of unresolved eigenvalues above
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from harness.arrays import as_array
from harness.errors import InvalidInput

Ladder = float | Sequence[float] | np.ndarray
BLOCK = 1024
"""Rows of a kernel that are held against its columns at once."""


def regression(
    k_train: np.ndarray, y: np.ndarray, k_test: np.ndarray, ridge: Ladder
) -> np.ndarray:
    """Kernel ridge regression, k_test (k_train + ridge I)^-1 y, in float64.

    Args:
        k_train: (N, N), symmetric and positive semi-definite up to rounding: sqrt(eps) of its
            dtype, relative to the largest entry and to the largest eigenvalue. Pass a kernel
            computed in float32 as float32.
        y: (N,) or (N, O).
        k_test: (T, N), test inputs by training inputs.
        ridge: added to the diagonal as it is (not relative to the trace), >= 0; a number, or a
            sequence of R numbers. 0 gives the minimum-norm solution: eigenvalues up to N eps
            lambda_max, eps of k_train's dtype, or up to the size of the most negative one, count as
            zero. Positive ridges use every eigenvalue (negative ones, which are rounding, as zero),
            unless the ridge is as small as the rounding errors, eps lambda_max: the smaller it is,
            the less of those eigenvalues is used, and ridge 0 is the limit.

    Returns:
        (T,) or (T, O) float64, as y; with a leading axis of R for a sequence of ridges.

    Raises:
        InvalidInput: naming the argument, its value and what is allowed.

    >>> regression(np.eye(2), np.array([1.0, 2.0]), np.array([[1.0, 1.0]]), ridge=(0.0, 1.0))
    array([[3. ],
           [1.5]])
    """
    ridges = _ladder("ridge", ridge)[..., None]
    spectrum = _decompose(k_train, y, k_test)
    with np.errstate(over="ignore", under="ignore"):
        ridges = ridges / spectrum.unit
        shifted = spectrum.eigenvalues + ridges
        excess = np.divide(
            spectrum.rounding,
            ridges,
            out=np.full(ridges.shape, np.inf),
            where=ridges > 0,
        )
        kept = spectrum.kept(excess)
        return spectrum.predict(
            np.divide(kept, shifted, out=np.zeros(kept.shape), where=kept > 0)
        )


def gradient_flow(
    k_train: np.ndarray, y: np.ndarray, k_test: np.ndarray, time: Ladder
) -> np.ndarray:
    """Prediction of a linearised network after training by gradient flow for a time, in float64.

    k_test k_train^-1 (I - exp(-time k_train)) y solves df/dtime = -k_train (f - y), f = 0 at time
    0, which is gradient flow on 1/2 |f - y|^2 summed over examples (Lee et al. 2019). For a network
    that starts at f_0, pass y - f_0 and add its f_0 on the test inputs. As time grows it tends to
    the solution of `regression` at ridge 0: eigenvalues that count as zero there stop to take part
    where the time times N eps lambda_max passes 1. Times are finite and >= 0, in units of
    1/eigenvalue; the other arguments, the result and the errors are those of `regression`.

    >>> gradient_flow(np.eye(1), np.ones(1), np.ones((1, 1)), time=np.log(2))
    array([0.5])
    """
    times = _ladder("time", time)[..., None]
    spectrum = _decompose(k_train, y, k_test)
    with np.errstate(over="ignore", under="ignore"):
        times = times * spectrum.unit
        kept = spectrum.kept(times * spectrum.cut)
        limit = np.broadcast_to(times, kept.shape).copy()
        decayed = -np.expm1(-limit * spectrum.eigenvalues)
        flow = np.divide(
            decayed, spectrum.eigenvalues, out=limit, where=spectrum.eigenvalues > 0
        )
        filters = np.multiply(flow, kept, out=np.zeros(kept.shape), where=kept > 0)
        return spectrum.settled().predict(filters)


@dataclass(frozen=True)
class _Spectrum:
    """The kernel in units of `unit`, in the basis of its eigenvectors.

    Eigenvalues (N,) of k_train, negative ones as zero; k_test (T, N) and y (N, O) or (N,) in that
    basis. Rounding errors are about as large as `rounding`, and eigenvalues up to `cut` may be
    nothing else.
    """

    eigenvalues: np.ndarray
    rounding: float
    cut: float
    unit: float
    k_test: np.ndarray
    y: np.ndarray

    def kept(self, excess: np.ndarray) -> np.ndarray:
        """By how much, from 0 to 1, each eigenvalue takes part, (..., N); excess (..., 1)."""
        # exp(-36) is eps
        share = np.where(excess < 6, np.exp(-(np.minimum(excess, 6) ** 2)), 0.0)
        return np.where(self.eigenvalues > self.cut, 1.0, share)

    def settled(self) -> "_Spectrum":
        """Without the components of k_test along unresolved eigenvectors that are no larger than
        rounding errors.

        A long time would multiply them by itself.
        """
        nothing = (self.eigenvalues <= self.cut) & (
            np.abs(self.k_test) <= self.rounding
        )
        return replace(self, k_test=np.where(nothing, 0.0, self.k_test))

    def predict(self, filters: np.ndarray) -> np.ndarray:
        """Predictions for each filter on the eigenvalues, (..., N) -> (..., T, O) or (..., T)."""
        y = self.y.reshape(len(self.y), -1)
        predictions: np.ndarray = self.k_test @ (filters[..., None] * y)
        return predictions.reshape(*predictions.shape[:-1], *self.y.shape[1:])


@dataclass(frozen=True)
class Problem:
    """The arguments of a regression in float64: k_train (N, N), exactly symmetric, y (N, O) or
    (N,), k_test (T, N).

    Both kernels are in units of `unit`, and so a ridge must be. It is a power of two: 1 for kernels
    of usual size, and for others such that squares of their entries neither overflow nor vanish.
    `eps` is that of the dtype that k_train came in.
    """

    k_train: np.ndarray
    y: np.ndarray
    k_test: np.ndarray
    eps: float
    unit: float


def checked_problem(k_train: np.ndarray, y: np.ndarray, k_test: np.ndarray) -> Problem:
    """The arguments of a regression, checked.

    Raises:
        InvalidInput: as `regression` does, but for eigenvalues, which nobody looks at here.
    """
    k_train, y, k_test = (
        _real(name, value)
        for name, value in (("k_train", k_train), ("y", y), ("k_test", k_test))
    )
    _check_shapes(k_train, y, k_test)
    eps = max(float(np.finfo(k_train.dtype).eps), float(np.finfo(np.float64).eps))
    k_train, y, k_test = (
        array.astype(np.float64, copy=False) for array in (k_train, y, k_test)
    )
    largest = _check_symmetric(k_train, eps**0.5)
    unit = unit_of(largest)
    if unit != 1.0:
        k_train, k_test = k_train / unit, k_test / unit
    symmetric = k_train + k_train.T
    symmetric /= 2  # in place: of the largest kernels one more copy does not fit
    return Problem(symmetric, y, k_test, eps, unit)


def unit_of(largest: float) -> float:
    """1 for numbers of usual size; for others a power of two about the root of the largest of them.

    The root, so that neither the numbers nor others of usual size become extreme when they are
    divided by it.

    >>> unit_of(3.0), unit_of(2.0**-1000) == 2.0**-500
    (1.0, True)
    """
    if largest == 0.0 or 1e-100 < largest < 1e100:
        return 1.0
    return 2.0 ** round(math.log2(largest) / 2)


def _decompose(k_train: np.ndarray, y: np.ndarray, k_test: np.ndarray) -> _Spectrum:
    problem = checked_problem(k_train, y, k_test)
    eigenvalues, vectors = np.linalg.eigh(problem.k_train)
    lowest, highest = float(eigenvalues[0]), float(eigenvalues[-1])
    if lowest < -(problem.eps**0.5) * abs(highest):
        raise InvalidInput(
            "k_train must be positive semi-definite; its smallest eigenvalue is "
            f"{lowest * problem.unit:.3g}, its "
            f"largest {highest * problem.unit:.3g} (allowed: down to -{problem.eps**0.5:.1g} times "
            "the largest, "
            "sqrt(eps) of its dtype). Is it a kernel of inputs with themselves?"
        )
    return _Spectrum(
        eigenvalues=np.maximum(eigenvalues, 0.0),
        rounding=problem.eps * max(highest, 0.0),
        cut=max(len(eigenvalues) * problem.eps * highest, -lowest),
        unit=problem.unit,
        k_test=problem.k_test @ vectors,
        y=vectors.T @ problem.y,
    )


def _real(name: str, value: Any) -> np.ndarray:
    """The value as an array of floats (integers become float64), finite."""
    array = as_array(name, value)
    if array.dtype.kind not in "biuf":
        raise InvalidInput(
            f"{name} must be real: booleans, integers or floats; got dtype {array.dtype}."
        )
    array = array if array.dtype.kind == "f" else array.astype(np.float64)
    if not np.isfinite(array).all():
        raise InvalidInput(
            f"{name} must be finite; {np.count_nonzero(~np.isfinite(array))} of its entries are "
            "not."
        )
    return array


def _ladder(name: str, value: Ladder) -> np.ndarray:
    ladder = _real(name, value).astype(np.float64)
    if ladder.ndim > 1 or not (ladder >= 0).all():
        raise InvalidInput(
            f"{name} must be a number >= 0 or a sequence of such numbers; got {value!r}."
        )
    return ladder


def _check_shapes(k_train: np.ndarray, y: np.ndarray, k_test: np.ndarray) -> None:
    if k_train.ndim != 2 or k_train.shape[0] != k_train.shape[1] or not k_train.size:
        raise InvalidInput(
            f"k_train must be square, (N, N) with N >= 1; got {k_train.shape}."
        )
    n = len(k_train)
    if y.ndim not in (1, 2) or len(y) != n:
        raise InvalidInput(
            f"y must have shape ({n},) or ({n}, O), one row per row of k_train; got {y.shape}."
        )
    if k_test.ndim != 2 or k_test.shape[1] != n:
        raise InvalidInput(
            f"k_test must have shape (T, {n}), test inputs by training inputs; got {k_test.shape}."
        )


def _check_symmetric(k_train: np.ndarray, tolerance: float) -> float:
    """Refuses what is not; returns the largest entry's absolute value."""
    blocks = [slice(first, first + BLOCK) for first in range(0, len(k_train), BLOCK)]
    asymmetry = max(
        float(np.abs(k_train[rows] - k_train[:, rows].T).max()) for rows in blocks
    )
    largest = max(float(np.abs(k_train[rows]).max()) for rows in blocks)
    if asymmetry > tolerance * largest:
        raise InvalidInput(
            f"k_train must be symmetric; |k_train - k_train^T| reaches {asymmetry:.3g}, its "
            "largest entry is "
            f"{largest:.3g} (allowed: {tolerance:.1g} times that, sqrt(eps) of its dtype)."
        )
    return largest
