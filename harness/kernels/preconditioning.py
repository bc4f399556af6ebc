"""Preconditioners of K + ridge I for conjugate gradients: functions v -> P^-1 v on (N, O)."""

import numpy as np

from harness.errors import InvalidInput
from harness.kernels.panels import KernelMatrix, Product


def jacobi(kernel: KernelMatrix, ridge: float) -> Product:
    """P = diag(K) + ridge I, both in the kernel's unit.

    Helps where the rows differ in scale; needs the kernel as an array.
    """
    if callable(kernel.source):
        raise InvalidInput(
            "The jacobi preconditioner needs the kernel's diagonal, and kernel is a function. Use nystrom."
        )
    diagonal = kernel.diagonal() + ridge
    if not (diagonal > 0).all():
        lowest = (diagonal.min() - ridge) * kernel.unit
        raise InvalidInput(f"kernel must have a diagonal above -ridge; entry {int(diagonal.argmin())} is {lowest:.3g}.")
    return lambda v: v / diagonal[:, None]


def nystrom(kernel: KernelMatrix, ridge: float, rank: int) -> Product:
    """The randomised Nystroem preconditioner (Frangella, Tropp, Udell 2023, algorithms 2.1 and section 5.1).

    With an orthonormal random test matrix Q, (N, rank), K is approximated by (K Q)(Q^T K Q)^+ (K Q)^T = U L U^T of rank
    `rank`, and with l its smallest eigenvalue (K and ridge in the kernel's unit)

        P^-1 = (l + ridge) U (L + ridge)^-1 U^T + (I - U U^T):

    the captured eigenvalues of K + ridge I become l + ridge, and the others, at most about l, stay. It costs one
    product of K with `rank` vectors and holds about 3 N rank numbers. The test matrix is drawn from a fixed seed.
    """
    if not 1 <= rank <= kernel.size:
        raise InvalidInput(f"rank must be between 1 and N = {kernel.size}; got {rank}.")
    q = np.linalg.qr(np.random.default_rng(1).standard_normal((kernel.size, rank)))[0]
    u, eigenvalues = approximate(kernel @ q, q, kernel.eps)
    weights = (eigenvalues[-1] + ridge) / (eigenvalues + ridge) - 1.0
    return lambda v: v + u @ (weights[:, None] * (u.T @ v))


def approximate(image: np.ndarray, q: np.ndarray, eps: float) -> tuple[np.ndarray, np.ndarray]:
    """U (N, rank) and L (rank,), falling, of the Nystroem approximation from K Q and Q.

    A shift of about the rounding error makes the small matrix positive definite, and is taken off again.
    """
    for precision in (np.finfo(np.float64).eps, eps, np.sqrt(eps)):
        shift = float(len(q) ** 0.5 * precision * np.linalg.norm(image, 2))
        shifted = image + shift * q
        small = q.T @ shifted
        try:
            factor = np.linalg.cholesky((small + small.T) / 2)
        except np.linalg.LinAlgError:
            continue
        half = np.linalg.solve(factor, shifted.T).T
        u, singular, _ = np.linalg.svd(half, full_matrices=False)
        return u, np.maximum(singular**2 - shift, 0.0)
    raise InvalidInput(
        "kernel must be positive semi-definite, and a random projection of it is not, by more than sqrt(eps) of its "
        "dtype. Is it a kernel of inputs with themselves?"
    )
