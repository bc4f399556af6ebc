"""JAX: what the kernel takes of any function, by automatic differentiation.

The Jacobian of every sample is taken of a batch of that sample alone, so samples cannot mix in the kernel. What else
depends on the network is differentiated in jax_backend for every kind of network.
"""

from functools import partial
from typing import TypeAlias

import jax
import jax.numpy as jnp
import numpy as np

from harness.backends.cost import jacobian_numbers
from harness.backends.operations import Outputs, Tensors
from harness.networks import Function

Array: TypeAlias = jax.Array


@partial(jax.jit, static_argnums=0)
def jacobian(net: Function, theta: Tensors, x: Array) -> Tensors:
    """The Jacobian per parameter, name -> (S, N, O, size)."""
    f, shared = net.of("jax"), len(x) == 1

    def one(theta: Tensors, x: Array) -> Tensors:
        return jax.jacrev(lambda t: f(t, x[None])[0])(theta)

    samples = jax.vmap(one, in_axes=(None, 0))
    found = jax.vmap(samples, in_axes=(0, None if shared else 0))(theta, x[0] if shared else x)
    return {name: array.reshape(*array.shape[:3], -1) for name, array in found.items()}


@partial(jax.jit, static_argnums=0)
def contract(outputs: Outputs, left: Tensors, right: Tensors) -> Array:
    """The sum over parameters of J J'^T."""
    return jnp.asarray(sum(gram(outputs, j, right[name]) for name, j in left.items()))


def gram(outputs: Outputs, j1: Array, j2: Array) -> Array:
    """J J'^T of Jacobians (S, N, O, size): (S, N1, N2) summed over outputs, or (S, N1, N2, O, O)."""
    (seeds, n1, o, size), n2 = j1.shape, j2.shape[1]
    # One matrix product per seed: of Jacobians with four axes XLA makes transposed copies first.
    if outputs == "trace":
        return jnp.einsum("snk,smk->snm", j1.reshape(seeds, n1, o * size), j2.reshape(seeds, n2, o * size))
    products = jnp.einsum("snk,smk->snm", j1.reshape(seeds, n1 * o, size), j2.reshape(seeds, n2 * o, size))
    return products.reshape(seeds, n1, o, n2, o).swapaxes(2, 3)


class JaxAutodiff:
    """The operations of a `networks.Function` that are not those of a network."""

    dtype: str

    def factors(self, net: Function, theta: Tensors, x: Array) -> Tensors:
        """The Jacobian per parameter, name -> (S, N, O, size)."""
        return jacobian(net, theta, x)

    def contract(self, net: Function, left: Tensors, right: Tensors, outputs: Outputs) -> Array:
        """The kernel block."""
        return contract(outputs, left, right)

    def sample_bytes(self, net: Function) -> int:
        """The Jacobian; what else the function needs while it is differentiated is not known, and not counted."""
        return jacobian_numbers(net) * np.dtype(self.dtype).itemsize
