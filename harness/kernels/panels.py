"""A kernel matrix as something that multiplies: an array read a panel of rows at a time, or a function."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from harness.errors import InvalidInput

Product = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class KernelMatrix:
    """A symmetric matrix K, (N, N), and how far it may be off: eps of the precision that it was computed in.

    An array may be mapped from a file: a product reads panels of rows, and converts each to float64, such that a panel
    stays within the budget. A function takes v, (N, O) float64, and returns K v, (N, O).

    Products and rows are those of K / unit. The unit is a power of two, 1 for kernels of usual size: squares of very
    large or very small numbers leave the range of float64, and the numbers themselves that of float32.
    """

    source: np.ndarray | Product
    size: int
    eps: float
    budget: int
    unit: float = 1.0

    @staticmethod
    def of(kernel: np.ndarray | Product, size: int, budget: int, ridge: float) -> "KernelMatrix":
        """Checks type, shape, dtype and, on random vectors, symmetry; raises InvalidInput.

        The unit is that of the kernel or of the ridge, whichever is larger.
        """
        if budget <= 0:
            raise InvalidInput(f"memory_budget must be a positive number of bytes; got {budget!r}.")
        if callable(kernel):  # it may compute in float32
            matrix = KernelMatrix(kernel, size, float(np.finfo(np.float32).eps), budget)
        else:
            kernel = np.asarray(kernel) if not isinstance(kernel, np.ndarray) else kernel
            if kernel.shape != (size, size) or kernel.dtype.kind != "f":
                raise InvalidInput(
                    f"kernel must be floating, of shape ({size}, {size}), one row and column per row of y; "
                    f"got {kernel.dtype}, {kernel.shape}."
                )
            eps = max(float(np.finfo(kernel.dtype).eps), float(np.finfo(np.float64).eps))
            matrix = KernelMatrix(kernel, size, eps, budget)
        pair = np.random.default_rng(0).standard_normal((size, 2))
        image = matrix @ pair
        unit = float(units(np.maximum(np.abs(image).max(), ridge)))
        matrix.check_symmetric(pair, image / unit)
        return replace(matrix, unit=unit)

    def __matmul__(self, v: np.ndarray) -> np.ndarray:
        """K v for v (N, O), float64; raises InvalidInput if it is not finite."""
        if callable(self.source):
            product = np.asarray(self.source(v))
            if product.shape != v.shape:
                raise InvalidInput(f"kernel must map (N, O) to (N, O); it made {product.shape} of {v.shape}.")
            product = product.astype(np.float64, copy=False) / self.unit
        else:
            product = np.empty_like(v)
            for rows in self.panels():
                with np.errstate(invalid="ignore", over="ignore"):  # reported below
                    product[rows] = self.rows(rows) @ v
        if not np.isfinite(product).all():
            row = int(np.flatnonzero(~np.isfinite(product).all(axis=1))[0])
            raise InvalidInput(f"kernel must be finite; row {row} has NaN or infinity, or its product overflows.")
        return product

    def panels(self) -> Iterator[slice]:
        """Slices of rows; a panel in the source's dtype and in float64 stays within the budget (at least one row)."""
        item = 0 if callable(self.source) else self.source.itemsize
        count = max(1, self.budget // (self.size * (item + 8)))
        for start in range(0, self.size, count):
            yield slice(start, min(start + count, self.size))

    def rows(self, rows: slice) -> np.ndarray:
        """A panel of K / unit, (rows, N) float64."""
        assert not callable(self.source)
        panel = np.asarray(self.source[rows], dtype=np.float64)
        return panel if self.unit == 1.0 else panel / self.unit

    def diagonal(self) -> np.ndarray:
        """That of K / unit, (N,) float64."""
        assert not callable(self.source)
        return np.asarray(np.diagonal(self.source), dtype=np.float64) / self.unit

    def check_symmetric(self, pair: np.ndarray, image: np.ndarray) -> None:
        """Compares u^T K v with v^T K u for a pair (N, 2) and what K makes of it, in any unit.

        Raises:
            InvalidInput: unless they agree to sqrt(eps).
        """
        difference = abs(pair[:, 0] @ image[:, 1] - pair[:, 1] @ image[:, 0])
        scale = np.linalg.norm(pair) * np.linalg.norm(image)
        if difference > self.eps**0.5 * scale:
            raise InvalidInput(
                f"kernel must be symmetric; for random u and v, u.Kv and v.Ku differ by {difference / scale:.3g} of "
                f"|u||Kv| (allowed: {self.eps**0.5:.1g}, sqrt(eps) of its dtype). Is it a kernel of inputs with "
                "themselves?"
            )


def targets(y: np.ndarray) -> np.ndarray:
    """y as a finite (N, O) float64 array; raises InvalidInput."""
    y = np.asarray(y)
    if y.ndim not in (1, 2) or y.size == 0 or y.dtype.kind not in "biuf":
        raise InvalidInput(f"y must be real, of shape (N,) or (N, O), not empty; got {y.dtype}, {y.shape}.")
    if not np.isfinite(y).all():
        raise InvalidInput(f"y must be finite; {np.count_nonzero(~np.isfinite(y))} of its entries are not.")
    return y.astype(np.float64).reshape(len(y), -1)


def units(largest: np.ndarray) -> np.ndarray:
    """Units in which numbers up to these are of usual size: powers of two, 1 from 1e-10 to 1e10 and for zero.

    >>> units(np.array([0.0, 5.0, 2.0**40])) / 2.0**40
    array([9.09494702e-13, 9.09494702e-13, 1.00000000e+00])
    """
    usual = (largest == 0) | ((largest > 1e-10) & (largest < 1e10))
    return np.exp2(np.floor(np.log2(np.where(usual, 1.0, largest))))


def relative(r: np.ndarray, y: np.ndarray) -> np.ndarray:
    """|r| / |y| per column; 0 where both vanish."""
    lengths, scale = np.linalg.norm(r, axis=0), np.linalg.norm(y, axis=0)
    return np.asarray(lengths / np.where(scale > 0, scale, 1.0))


def weights(solution: np.ndarray, scale: np.ndarray, unit: float) -> np.ndarray:
    """alpha in K alpha = y, from that of K / unit and y / scale, (N, O).

    Raises:
        InvalidInput: if alpha is not finite.
    """
    exponents = (np.log2(scale) - np.log2(unit)).astype(int)
    with np.errstate(over="ignore", under="ignore"):
        alpha: np.ndarray = np.ldexp(solution, exponents)
    if not np.isfinite(alpha).all():
        raise InvalidInput(
            f"alpha = (kernel + ridge I)^-1 y overflows: y is about {scale.max():.1g}, the kernel or ridge about "
            f"{unit:.1g}. Rescale one of them."
        )
    return alpha
