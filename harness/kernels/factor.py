"""Linear systems of a positive definite matrix by a Cholesky factor, in NumPy alone.

NumPy's own factor takes twice SciPy's time, and NumPy has no substitution. Both are done here in
panels, so that nearly all of the work is matrix products: at N = 2048 the factor takes 1.1 times
SciPy's time (measured, one core, float64).
"""

import numpy as np

PANEL = 128
"""Columns that the factor's finished columns are taken from at once."""
BLOCK = 32
"""Columns that LAPACK factors; a multiple of it is `PANEL`."""
CALLS = 1.6e6
"""Multiply-adds that take as long as the calls of NumPy for a block of columns (measured)."""
EIGENDECOMPOSITION = 4
"""Multiply-adds of an eigendecomposition, in N^3: 12 factors (measured)."""
REFLECTION = 1e5
"""Multiply-adds that take as long as what an eigendecomposition does for each row beside them."""


def cheaper_by_factors(n: int, count: int) -> bool:
    """Whether as many factors, N^3 / 3 multiply-adds each, cost less than one eigendecomposition.

    >>> cheaper_by_factors(1000, 1), cheaper_by_factors(1000, 30), cheaper_by_factors(10, 1)
    (True, False, False)
    """
    factors = count * (n**3 / 3 + CALLS * -(-n // BLOCK))
    return factors < EIGENDECOMPOSITION * n**3 + REFLECTION * n


def factor(matrix: np.ndarray) -> np.ndarray:
    """The lower triangle L with L L^T = matrix, (N, N) float64, in the place of the matrix.

    Above the diagonal the matrix is not read, and stays. Raises numpy.linalg.LinAlgError where it
    is not positive definite.
    """
    n = len(matrix)
    for first in range(0, n, PANEL):
        last = min(first + PANEL, n)
        _subtract(matrix, slice(0, first), slice(first, last))
        for start in range(first, last, BLOCK):
            own = slice(start, min(start + BLOCK, last))
            _subtract(matrix, slice(first, start), own)
            diagonal = np.linalg.cholesky(matrix[own, own])
            matrix[own, own] = diagonal
            below = slice(own.stop, n)
            matrix[below, own] = matrix[below, own] @ np.linalg.inv(diagonal).T
    return matrix


def _subtract(matrix: np.ndarray, done: slice, own: slice) -> None:
    """What the finished columns account for, from columns on and below the diagonal."""
    if done.stop > done.start:
        matrix[own.start :, own] -= matrix[own.start :, done] @ matrix[own, done].T


def solve(lower: np.ndarray, y: np.ndarray) -> np.ndarray:
    """(L L^T)^-1 y, (N, O), by substitution with the factor L; not read above its diagonal."""
    solution = y.copy()
    blocks = [slice(start, start + BLOCK) for start in range(0, len(y), BLOCK)]
    inverses = [np.linalg.inv(np.tril(lower[own, own])) for own in blocks]
    # L z = y, from the first row down
    for own, inverse in zip(blocks, inverses, strict=True):
        known = lower[own, : own.start] @ solution[: own.start]
        solution[own] = inverse @ (solution[own] - known)
    # L^T x = z, from the last row up
    for own, inverse in zip(blocks[::-1], inverses[::-1], strict=True):
        known = lower[own.stop :, own].T @ solution[own.stop :]
        solution[own] = inverse.T @ (solution[own] - known)
    return solution
