"""Linear systems of kernel ridge regression in PyTorch: LAPACK on a CPU, cuSOLVER on a GPU."""

import numpy as np
import torch


def solve_ridges(
    gram: np.ndarray, y: np.ndarray, ridges: np.ndarray, device: str
) -> np.ndarray:
    """(gram + ridge I)^-1 y for each ridge, (R, N, O) float64; NaN where there is no Cholesky
    factor.

    Two matrices are held on the device: the kernel, whose diagonal changes, and its factor.
    """
    shifted, targets = (
        torch.tensor(array, dtype=torch.float64, device=device) for array in (gram, y)
    )
    diagonal, found = (
        shifted.diagonal().clone(),
        np.full((len(ridges), *y.shape), np.nan),
    )
    for k, ridge in enumerate(ridges.tolist()):
        shifted.diagonal().copy_(diagonal + ridge)
        factor, failed = torch.linalg.cholesky_ex(shifted)
        if not failed.item():
            found[k] = torch.cholesky_solve(targets, factor).cpu().numpy()
        del factor  # before the next one is made
    return found
