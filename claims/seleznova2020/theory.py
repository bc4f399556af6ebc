"""What theory says in closed form: the finite-size law of the dispersion, mean-field quantities,
Theorem 3.
"""

import numpy as np

from claims.seleznova2020.variance import architecture, inputs
from harness import kernels

LIMIT = 10_000
"""A width at which bias gradients, left out of the paper's kappa, are 1e-4 of the kernel."""


def finite_size_law(depth: int, width: int) -> float:
    """R of a ReLU net at (2, 0) with bias gradients, |x| = 1, n_0 = M, up to O(1/M^2) per layer.

    With p = 1 + 5/M and r = 1 + 1/M, the contributions W_j, B_j of layer j = 1 ... L+1 have mean 1
    and moments E[W_j W_k] = p^(L-|j-k|) r^|j-k|, E[B_j B_k] = p^(L+1-max), E[W_j B_k] = p^(L+1-max)
    r^max(j-k, 0). Our derivation.
    """
    p, r = 1 + 5 / width, 1 + 1 / width
    j, k = np.ogrid[1 : depth + 2, 1 : depth + 2]
    later = p ** (depth + 1 - np.maximum(j, k))
    weights = p ** (depth - abs(j - k)) * r ** abs(j - k)
    moments = weights + later + 2 * later * r ** np.maximum(j - k, 0)
    return float(moments.sum() / (2 * (depth + 1)) ** 2)


def mean_field(
    phase: tuple[float, float],
    depth: int,
) -> tuple[float, float, float]:
    """q and q_sr, variance and covariance of f_0, and kappa1 / kappa2, in the limit of infinite
    width.

    The phase is (sigma_w^2, sigma_b^2) of a ReLU net; inputs are at correlation 1/2.
    """
    net, x = architecture(LIMIT, depth, *phase), inputs(LIMIT, 2)
    q, q_sr = kernels.nngp(net, x)[0]
    kappa1, kappa2 = kernels.ntk(net, x)[0]
    return q, q_sr, kappa1 / kappa2


def theorem3(
    q: float,
    q_sr: float,
    kappa_ratio: float,
    samples: int,
) -> float:
    """Var f_inf ~ (1 + A^2/S) (q - q_sr) + (A - 1)^2 q_sr with A = S / (kappa1/kappa2 + S - 1)."""
    a = samples / (kappa_ratio + samples - 1)
    of_differences = (1 + a**2 / samples) * (q - q_sr)
    common = (a - 1) ** 2 * q_sr
    return of_differences + common
