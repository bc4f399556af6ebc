"""Kernel ridge regression where a factorisation does not fit: preconditioned conjugate gradients, in float64.

The kernel is read a panel at a time, from memory or from a file, or is a function that multiplies by it. Directions of
several right-hand sides share each pass over the kernel, and every one takes its own steps.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from harness.errors import InvalidInput
from harness.kernels.panels import KernelMatrix, Product, relative, targets, units, weights
from harness.kernels.preconditioning import jacobi, nystrom

Preconditioner = Literal["nystrom", "jacobi", "none"]


@dataclass(frozen=True)
class Solution:
    """What an iterative solver reached, per right-hand side.

    Attributes:
        alpha: (N,) or (N, O) float64, as y.
        iterations: (O,) steps taken.
        residuals: (O,) |y - (K + ridge I) alpha| / |y|, computed from alpha itself, not carried along.
        converged: (O,) bool, residuals <= tolerance.
        tolerance: what was asked for.
    """

    alpha: np.ndarray
    iterations: np.ndarray
    residuals: np.ndarray
    converged: np.ndarray
    tolerance: float

    def checked(self) -> np.ndarray:
        """alpha; raises InvalidInput unless every right-hand side converged."""
        if not self.converged.all():
            raise InvalidInput(
                f"{np.count_nonzero(~self.converged)} of {len(self.converged)} right-hand sides did not converge: "
                f"after {self.iterations.max()} iterations the relative residual is {self.residuals.max():.3g}, the "
                f"tolerance {self.tolerance:.3g}. Raise max_iterations, the rank of the preconditioner or the ridge, "
                "or, for a kernel function in float32, the tolerance."
            )
        return self.alpha


def solve(
    kernel: np.ndarray | Product,
    y: np.ndarray,
    ridge: float,
    *,
    preconditioner: Preconditioner | Product = "nystrom",
    rank: int | None = None,
    tolerance: float = 1e-8,
    max_iterations: int = 1000,
    memory_budget: int = 2**30,
) -> Solution:
    """alpha in (K + ridge I) alpha = y, by preconditioned conjugate gradients (Hestenes, Stiefel 1952).

    Predictions are k_test @ alpha. Where K fits into memory twice, a Cholesky factorisation is faster.

    Args:
        kernel: (N, N), symmetric and positive semi-definite, float32 or float64, also mapped from a file; or a function
            from v, (N, O) float64, to K v. For a network with one output, with K never formed:
            `lambda v: backend.ntk_vector_product(net, theta, x, v.T[:, :, None])[:, :, 0].T`.
        y: (N,) or (N, O).
        ridge: > 0, added to the diagonal as it is.
        preconditioner: "nystrom" (randomised, of that rank), "jacobi", "none", or a function v -> P^-1 v, symmetric
            and positive definite. See harness.kernels.preconditioning for the formulas.
        rank: of "nystrom"; None: min(N, 200). A kernel function is called with that many columns at once.
        tolerance: on |y - (K + ridge I) alpha| / |y|. The error of alpha may be larger by the condition number.
        max_iterations: products with the kernel after which each right-hand side gives up.
        memory_budget: bytes for a panel of the kernel. Beside it are N (3 rank + 8 O) numbers of 8 bytes.

    Returns:
        A Solution. It says which right-hand sides converged; its `checked()` is alpha, or raises if one did not.
        Where the products are inexact (a float32 kernel function), the residual stalls at their precision.

    Raises:
        InvalidInput: naming the argument, its value and what is allowed; also if K + ridge I proves not positive
            definite on the way, or alpha overflows.

    >>> solve(np.diag([1.0, 3.0]), np.array([2.0, 8.0]), ridge=1.0).checked().round(6)
    array([1., 2.])
    """
    right = targets(y)
    if not (np.isfinite(ridge) and ridge > 0):
        raise InvalidInput(f"ridge must be finite and > 0 for conjugate gradients; got {ridge!r}.")
    if not (0 < tolerance < 1) or max_iterations < 1:
        raise InvalidInput(
            f"tolerance must be between 0 and 1, max_iterations at least 1; got {tolerance!r} and {max_iterations!r}."
        )
    matrix = KernelMatrix.of(kernel, len(right), memory_budget, ridge)
    scale = units(np.abs(right).max(axis=0))
    right, ridge = right / scale, ridge / matrix.unit
    precondition = _preconditioner(preconditioner, matrix, ridge, rank)
    x, r, iterations = np.zeros_like(right), right, np.zeros(right.shape[1], dtype=int)
    residuals, goals = relative(r, right), tolerance * np.linalg.norm(right, axis=0)
    while (left := residuals > tolerance).any() and iterations.max() < max_iterations:
        limit = max_iterations - int(iterations.max())
        step, counts = _descend(matrix, ridge, precondition, r[:, left], goals[left], limit)
        x[:, left] += step
        iterations[left] += counts
        r = right - (matrix @ x + ridge * x)
        before, residuals = residuals, relative(r, right)
        if not (residuals[left] < before[left] / 2).any():  # starting again from the true residual no longer helps
            break
    alpha = weights(x, scale, matrix.unit).reshape(np.shape(y))
    return Solution(alpha, iterations, residuals, residuals <= tolerance, tolerance)


def _descend(
    matrix: KernelMatrix, ridge: float, precondition: Product, r: np.ndarray, goals: np.ndarray, limit: int
) -> tuple[np.ndarray, np.ndarray]:
    """x with (K + ridge I) x = r up to |residual| <= goals, from 0, and the steps taken; r, (N, O), is used up."""
    x, p = np.zeros_like(r), precondition(r)
    rz = (r * p).sum(axis=0)
    counts = np.zeros(r.shape[1], dtype=int)
    for _ in range(limit):
        on = np.flatnonzero(np.linalg.norm(r, axis=0) > goals)
        if not len(on):
            break
        ap = matrix @ p[:, on] + ridge * p[:, on]
        curvature = (p[:, on] * ap).sum(axis=0)
        if not (curvature > 0).all() or not (rz[on] > 0).all():
            raise InvalidInput(
                f"kernel + ridge I and the preconditioner must be positive definite; a search direction p has "
                f"p.(K + ridge I)p = {curvature.min():.3g} and r.P^-1 r = {rz[on].min():.3g}. Raise the ridge "
                f"({ridge * matrix.unit:.3g}) above N eps lambda_max of the kernel's precision."
            )
        step = rz[on] / curvature
        x[:, on] += step * p[:, on]
        r[:, on] -= step * ap
        z = precondition(r[:, on])
        new = (r[:, on] * z).sum(axis=0)
        p[:, on] = z + new / rz[on] * p[:, on]
        rz[on] = new
        counts[on] += 1
    return x, counts


def _preconditioner(choice: Preconditioner | Product, matrix: KernelMatrix, ridge: float, rank: int | None) -> Product:
    if callable(choice):
        return lambda v: matrix.unit * choice(v)
    match choice:
        case "nystrom":
            return nystrom(matrix, ridge, min(matrix.size, 200) if rank is None else rank)
        case "jacobi":
            return jacobi(matrix, ridge)
        case "none":
            return np.copy
    raise InvalidInput(f"Unknown preconditioner {choice!r}. Allowed: nystrom, jacobi, none, or a function.")
