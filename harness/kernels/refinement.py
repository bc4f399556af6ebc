"""Kernel ridge regression with a float32 factor and float64 accuracy: iterative refinement."""

import numpy as np

from harness.errors import InvalidInput
from harness.kernels.conjugate_gradients import Solution
from harness.kernels.panels import KernelMatrix, relative, targets, units, weights


def refined_solve(
    kernel: np.ndarray,
    y: np.ndarray,
    ridge: float,
    *,
    tolerance: float = 1e-10,
    max_steps: int = 20,
    memory_budget: int = 2**30,
) -> Solution:
    """alpha in (K + ridge I) alpha = y from a float32 Cholesky factor, refined with float64 residuals.

    Each step solves for the residual with the factor and adds the result, which multiplies the error by about
    c = condition number * 6e-8 (float32 rounding; Higham 2002, chapter 12). So this is exact enough, in a few steps, up
    to a condition number of about 1e6; beyond it progress slows down, and past 1e7 the factorisation fails or the
    residual stops falling, which is refused. The factor takes half the memory and about half the time of one in
    float64. It cannot mend a kernel that was computed in float32: entries are taken as they are.

    Args:
        kernel: (N, N), symmetric, float64 or float32, also mapped from a file.
        y: (N,) or (N, O).
        ridge: >= 0, added to the diagonal as it is.
        tolerance: on |y - (K + ridge I) alpha| / |y| in float64. The error of alpha may be larger by the condition.
        max_steps: refinement steps at most.
        memory_budget: bytes for a panel of the kernel. Beside it are the factor, 4 N^2 bytes, and a few of y.

    Returns:
        A Solution, all of it converged; `iterations` are refinement steps.

    Raises:
        InvalidInput: naming the argument, its value and what is allowed; also, with the condition number, if float32
            is not enough, or if alpha overflows.

    >>> refined_solve(np.array([[2.0, 1.0], [1.0, 3.0]]), np.array([1.0, 0.0]), ridge=0.0).alpha
    array([ 0.6, -0.2])
    """
    right = targets(y)
    if not (np.isfinite(ridge) and ridge >= 0):
        raise InvalidInput(f"ridge must be finite and >= 0; got {ridge!r}.")
    if not (0 < tolerance < 1) or max_steps < 1:
        raise InvalidInput(
            f"tolerance must be between 0 and 1, max_steps at least 1; got {tolerance!r} and {max_steps!r}."
        )
    if not isinstance(kernel, np.ndarray):
        raise InvalidInput(f"kernel must be a NumPy array, since it is factored; got {type(kernel).__name__}.")
    matrix = KernelMatrix.of(kernel, len(right), memory_budget, ridge)
    scale = units(np.abs(right).max(axis=0))
    right, ridge = right / scale, ridge / matrix.unit
    factor, reciprocal = _factor(matrix, ridge)
    x, r, steps = np.zeros_like(right), right, 0
    residual = float(relative(r, right).max())
    while not residual <= tolerance:  # also if it is NaN
        x += _solved(factor, r)
        r, before, steps = right - (matrix @ x + ridge * x), residual, steps + 1
        residual = float(relative(r, right).max())
        if not residual <= tolerance and (not residual <= before / 2 or steps >= max_steps):
            raise InvalidInput(
                f"kernel + ridge I has a condition number {1 / max(reciprocal, 1e-8):.0e} (1-norm, estimated), "
                f"and with a float32 factor the relative residual stays at {residual:.3g} (tolerance {tolerance:.3g}, "
                f"{steps} steps). Raise the ridge, or use kernels.solve or a float64 factorisation."
            )
    count = np.full(right.shape[1], steps)
    residuals = relative(r, right)
    alpha = weights(x, scale, matrix.unit).reshape(np.shape(y))
    return Solution(alpha, count, residuals, residuals <= tolerance, tolerance)


def _factor(matrix: KernelMatrix, ridge: float) -> tuple[np.ndarray, float]:
    """The Cholesky factor in float32, upper, and an estimate of its reciprocal condition."""
    import scipy.linalg  # not at the top: a worker imports harness.kernels and has NumPy alone

    factor = np.empty((matrix.size, matrix.size), dtype=np.float32, order="F")
    for rows in matrix.panels():
        factor[:, rows] = matrix.rows(rows).T
    diagonal = np.einsum("ii->i", factor)
    diagonal += ridge
    norm = max(float(np.abs(factor[:, rows]).sum(axis=0).max()) for rows in matrix.panels())
    try:
        factor = scipy.linalg.cholesky(factor, overwrite_a=True, check_finite=False)
    except np.linalg.LinAlgError as error:
        raise InvalidInput(
            f"kernel + ridge I is not positive definite in float32: its condition number is above about 1e7, or it has "
            f"a negative eigenvalue ({error}). Raise the ridge ({ridge * matrix.unit:.3g}), or use kernels.solve or a "
            "float64 factorisation."
        ) from error
    reciprocal, _ = scipy.linalg.lapack.spocon(factor, norm)
    return factor, float(reciprocal)


def _solved(factor: np.ndarray, r: np.ndarray) -> np.ndarray:
    """(K + ridge I)^-1 r, as well as float32 can; columns are scaled, so that small residuals do not underflow."""
    import scipy.linalg

    scale = np.abs(r).max(axis=0)
    scale = np.where(scale > 0, scale, 1.0)
    solution = scipy.linalg.cho_solve((factor, False), (r / scale).astype(np.float32), check_finite=False)
    return np.asarray(solution, dtype=np.float64) * scale
