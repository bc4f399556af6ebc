"""JAX: what the kernel takes of any function, by automatic differentiation.

The Jacobian of every sample is taken of a batch of that sample alone, so samples cannot mix in the
kernel. What else depends on the network is differentiated in jax_backend for every kind of network.
All of it is mapped over seeds and compiled; `JaxAutodiff` holds it against the function itself, not
mapped, once per shape, and not compiled, every call.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from functools import cached_property, partial
from typing import Any, TypeAlias
from weakref import WeakKeyDictionary

import jax
import jax.numpy as jnp
import numpy as np

from harness.backends.cost import jacobian_numbers
from harness.backends.jax_layers import network
from harness.backends.operations import Outputs, Tensors
from harness.backends.probes import (
    difference,
    finite,
    moved,
    moved_rows,
    noise,
    tolerance,
)
from harness.errors import InvalidInput
from harness.networks import Function

Array: TypeAlias = jax.Array
Arrays: TypeAlias = dict[str, np.ndarray]

COMPILED: WeakKeyDictionary[Function, Function] = WeakKeyDictionary()
"""Function -> the one in whose name it is compiled: a copy, where what it closes over has changed
meanwhile.
"""
AGREED: WeakKeyDictionary[Function, set[tuple[object, ...]]] = WeakKeyDictionary()
"""Per function: quantity, precision and shape of what was found to be the same mapped and not
mapped.
"""


@partial(jax.jit, static_argnums=0)
def plain(net: Function, theta: Tensors, x: Array, v: Array) -> tuple[Array, Tensors]:
    """f and J^T v of one seed, with nothing mapped."""
    f, transposed = jax.vjp(lambda t: network(net, t, x), theta)
    return f, transposed(v)[0]


@partial(jax.jit, static_argnums=0)
def contracted(net: Function, theta: Tensors, x: Array, v: Array) -> Tensors:
    """J^T v of the mapped Jacobian, name -> (S, size)."""
    return {
        name: jnp.einsum("snop,sno->sp", j, v)
        for name, j in jacobian(net, theta, x).items()
    }


@partial(jax.jit, static_argnums=0)
def jacobian(net: Function, theta: Tensors, x: Array) -> Tensors:
    """The Jacobian per parameter, name -> (S, N, O, size)."""
    f, shared = net.of("jax"), len(x) == 1

    def one(theta: Tensors, x: Array) -> Tensors:
        return jax.jacrev(lambda t: f(t, x[None])[0])(theta)

    samples = jax.vmap(one, in_axes=(None, 0))
    found = jax.vmap(samples, in_axes=(0, None if shared else 0))(
        theta, x[0] if shared else x
    )
    return {name: array.reshape(*array.shape[:3], -1) for name, array in found.items()}


@partial(jax.jit, static_argnums=0)
def contract(outputs: Outputs, left: Tensors, right: Tensors) -> Array:
    """The sum over parameters of J J'^T."""
    return jnp.asarray(sum(gram(outputs, j, right[name]) for name, j in left.items()))


def gram(outputs: Outputs, j1: Array, j2: Array) -> Array:
    """J J'^T of Jacobians (S, N, O, size): (S, N1, N2), of outputs' sums, or (S, N1, N2, O, O)."""
    (seeds, n1, o, size), n2 = j1.shape, j2.shape[1]
    # One matrix product per seed: of Jacobians with four axes XLA makes transposed copies first.
    if outputs == "trace":
        return jnp.einsum(
            "snk,smk->snm",
            j1.reshape(seeds, n1, o * size),
            j2.reshape(seeds, n2, o * size),
        )
    products = jnp.einsum(
        "snk,smk->snm", j1.reshape(seeds, n1 * o, size), j2.reshape(seeds, n2 * o, size)
    )
    return products.reshape(seeds, n1, o, n2, o).swapaxes(2, 3)


class JaxAutodiff:
    """The operations of a `networks.Function` that are not those of a network."""

    dtype: str
    put: Callable[[np.ndarray], Array]
    fetch: Callable[[Array], np.ndarray]

    @cached_property
    def renewed(self) -> set[Function]:
        """Functions that were compiled anew in this call, which has operations of its own."""
        return set()

    def factors(self, net: Function, theta: Tensors, x: Array) -> Tensors:
        """The Jacobian per parameter, name -> (S, N, O, size)."""
        net = compiled(net)

        def mapped(theta: Tensors, x: Array) -> Tensors:
            return contracted(net, theta, x, self._directions(net, theta, x)[0])

        self._hold(net, "Jacobian", theta, x, mapped=mapped)
        return jacobian(net, theta, x)

    def contract(
        self, net: Function, left: Tensors, right: Tensors, outputs: Outputs
    ) -> Array:
        """The kernel block."""
        return contract(outputs, left, right)

    def sample_bytes(self, net: Function) -> int:
        """The Jacobian; what else the function needs while it is differentiated is not known, and
        not counted.
        """
        return jacobian_numbers(net) * np.dtype(self.dtype).itemsize

    def outdated(self, net: Function, theta: Tensors, x: Array, f: np.ndarray) -> bool:
        """Whether f, which a compiled program gave, is no longer f(theta, x) of one seed; then
        compiles anew.

        A program keeps the arrays and numbers that the function closed over when it was compiled.

        Raises:
            InvalidInput: f comes from what was just compiled anew. JAX itself keeps arrays that
                were changed in place.
        """
        weights = {name: array[0] for name, array in theta.items()}
        now = [
            self.fetch(jnp.asarray(array))[None]
            for array in uncompiled(net.of("jax"), weights, x[0])
        ]
        if all(self._same(array, f) for array in now):
            return False
        if net in self.renewed:
            raise InvalidInput(
                "The function gives other outputs when JAX compiles it than when it runs as it "
                "stands. Was an array or "
                "a jax.jit-compiled function that it closes over changed in place, does it draw "
                "random numbers of "
                "NumPy's, or is a rule that it brings (custom_vmap) wrong? JAX keeps "
                "what it read at first: put a new array in place of the old one (scale = 2 * "
                "scale, "
                "not scale *= 2), or make it part of theta."
            )
        self.renewed.add(net)
        COMPILED[net] = replace(net)
        return True

    def _same(self, now: np.ndarray, f: np.ndarray) -> bool:
        """Whether they differ by rounding alone, sqrt(eps) of the largest output."""
        rounding = np.finfo(self.dtype).eps ** 0.5 * np.abs(now[np.isfinite(now)]).max(
            initial=0.0
        )
        return now.shape == f.shape and np.allclose(
            now, f, rtol=0.0, atol=rounding, equal_nan=True
        )

    def _directions(
        self, net: Function, theta: Tensors, x: Array
    ) -> tuple[Array, Tensors]:
        """Random v (S, N, O) and u, shaped like the weights."""
        v = self.put(noise("v", (len(first(theta)), x.shape[1], net.outputs)))
        return v, {
            name: self.put(noise(f"u {name}", array.shape))
            for name, array in theta.items()
        }

    def _hold(
        self,
        net: Function,
        quantity: str,
        theta: Tensors,
        x: Array,
        *,
        mapped: Callable[[Tensors, Array], Tensors],
    ) -> None:
        """Holds a mapped quantity against the function of one seed after another; raises
        InvalidInput if they differ.

        `mapped` gives J^T v of random v, name -> (S, ...); for "outputs" f; for "product" <v, J u>
        of random u.
        """
        key = (quantity, self.dtype, len(first(theta)), x.shape)
        agreed = AGREED.setdefault(net, set())
        if key in agreed:
            return
        near = {
            name: self.put(moved(name, self.fetch(array)))
            for name, array in theta.items()
        }
        inputs = self.put(moved_rows(self.fetch(x)))
        right = self._plain(net, quantity, near, inputs)
        if not finite(right):  # of weights that diverged, say; it tells nothing
            return
        apart = difference(
            {name: self.fetch(array) for name, array in mapped(near, inputs).items()},
            right,
            self.dtype,
        )
        if not apart <= tolerance(self.dtype):
            raise InvalidInput(
                f"JAX's {quantity} of this function, mapped over seeds and samples (jax.vmap), "
                "differs by "
                f"{100 * apart:.2g} % from that of one seed after another. Is a rule that the "
                "function brings "
                "(custom_vmap, custom_vjp, custom_jvp) wrong?"
            )
        agreed.add(key)

    def _plain(self, net: Function, quantity: str, theta: Tensors, x: Array) -> Arrays:
        """What `mapped` of `_hold` has to give."""
        seeds = len(first(theta))
        v, u = self._directions(net, theta, x)
        outputs, gradients = [], []
        for s in range(seeds):
            weights = {name: array[s] for name, array in theta.items()}
            f, gradient = plain(net, weights, x[s if len(x) > 1 else 0], v[s])
            outputs.append(self.fetch(f))
            gradients.append(
                {
                    name: self.fetch(array).reshape(-1)
                    for name, array in gradient.items()
                }
            )
        if quantity == "outputs":
            return {"f": np.stack(outputs)}
        whole = {
            name: np.stack([gradient[name] for gradient in gradients]) for name in theta
        }
        if quantity == "Jacobian" or quantity == "gradient":
            return whole
        terms = [
            gradient * self.fetch(u[name]).reshape(gradient.shape)
            for name, gradient in whole.items()
        ]
        return {"product": np.concatenate(terms, axis=1).sum(1)}


def compiled(net: Function) -> Function:
    """The function in whose name programs are compiled now."""
    return COMPILED.get(net, net)


def first(theta: Tensors) -> Array:
    """One of the weights; its first axis is seeds."""
    return next(iter(theta.values()))


def uncompiled(f: Callable[..., Any], theta: Tensors, x: Array) -> Iterator[Any]:
    """f(theta, x) operation by operation, as it stands, and with nothing that was compiled inside
    it.

    Both, since some functions have to be compiled, and since JAX keeps arrays at different places
    in the two.
    """
    yield f(theta, x)
    with suppress(Exception):
        with jax.disable_jit():
            outputs = f(theta, x)
        yield outputs
