"""Linear systems of kernel ridge regression in JAX: LAPACK on a CPU, cuSOLVER on a GPU."""

import jax
import jax.numpy as jnp
import numpy as np


@jax.jit
def solve(gram: jax.Array, y: jax.Array, ridge: jax.Array) -> jax.Array:
    """(gram + ridge I)^-1 y, (N, O); NaN where there is no Cholesky factor."""
    diagonal = jnp.arange(len(gram))
    # That the places differ spares a GPU a loop over them, which adds one after another to be
    # deterministic.
    shifted = gram.at[diagonal, diagonal].add(ridge, unique_indices=True)
    factor = jax.lax.linalg.cholesky(shifted, symmetrize_input=False)
    return jax.scipy.linalg.cho_solve((factor, True), y)


def solve_ridges(gram: np.ndarray, y: np.ndarray, ridges: np.ndarray) -> np.ndarray:
    """The same for each ridge, (R, N, O) float64.

    Three matrices are held on the device: the kernel, the kernel with a ridge, and its factor.
    """
    with jax.enable_x64(True):
        kernel, targets = jnp.asarray(gram), jnp.asarray(y)
        found = np.empty((len(ridges), *y.shape))
        for k, ridge in enumerate(ridges):
            found[k] = solve(kernel, targets, jnp.asarray(ridge))
        return found
