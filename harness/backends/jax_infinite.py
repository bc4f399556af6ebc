"""JAX: what the infinite-width recursion takes from it; one function compiled per net and block."""

import functools
import math
import operator
from collections.abc import Callable
from functools import cache, partial
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from numpy.polynomial import Chebyshev, Polynomial

from harness.backends.infinite_steps import Pair, Term
from harness.networks import Convolution

Array: TypeAlias = jax.Array


class JaxArrays:
    """See `infinite_steps.Arrays`."""

    compiles = True
    cached = 2**18  # few arrays in use: XLA fuses a layer's operations
    sqrt = staticmethod(jnp.sqrt)
    arctan = staticmethod(jnp.arctan)
    where = staticmethod(jnp.where)
    einsum = staticmethod(jnp.einsum)
    clip = staticmethod(jnp.clip)

    def eps(self, tensor: Array) -> float:
        """The distance from 1 to the next number of its dtype."""
        return float(jnp.finfo(tensor.dtype).eps)

    def relu(self, s: Array) -> Pair:
        """As the formula stands; XLA fuses it."""
        half = half_angle(s)
        rise = (half * (1 - 2 * s) - jnp.sqrt(s * (1 - s))) / math.pi
        return jnp.clip(s + rise, 0, 1), 1 - (2 / math.pi) * half

    def multiply_add(self, one: Array, two: Array, three: Array) -> Array:
        """one + two three."""
        return one + two * three

    def total(self, term: Term, terms: list[tuple[float, float, float]]) -> Pair:
        """A compiled loop; unrolled, it would compile for minutes."""
        first = term(*terms[0])
        if len(terms) == 1:
            return first
        numbers = jnp.asarray(terms[1:], dtype=first[0].dtype).reshape(-1, 3)

        def add(k: int, sums: Pair) -> Pair:
            one, two = term(*numbers[k])
            return sums[0] + one, sums[1] + two

        return jax.lax.fori_loop(0, len(numbers), add, first)

    def run(self, function: Callable[..., Any], *static: Any) -> Callable[..., Any]:
        """Compiled once per function, static arguments and shapes."""
        return partial(compiled, function, static)

    def replaced(self, tensor: Array, index: tuple[Any, Any], values: Array) -> Array:
        """The tensor with other values in these places."""
        return tensor.at[index].set(values)

    def settled(self, s: Array, low: float, high: float) -> Array:
        """By comparison."""
        return jnp.where(s > low, jnp.where(s < high, s, 1.0), 0.0)

    def slid(
        self, conv: Convolution, axis: int, axes: tuple[int, ...], q: Array
    ) -> Array:
        """Slices of one padded array: XLA computes it once; of padded slices it would compute each
        anew.
        """
        q = jnp.pad(
            q, [conv.padding[axis] if n in axes else (0, 0) for n in range(q.ndim)]
        )
        reach = conv.stride[axis] * (conv.out[axis] - 1) + 1
        windows = [
            slice(offset, offset + reach, conv.stride[axis])
            for offset in range(conv.kernel[axis])
        ]
        return functools.reduce(
            operator.add,
            (
                q[tuple(w if n in axes else slice(None) for n in range(q.ndim))]
                for w in windows
            ),
        )


@partial(jax.jit, static_argnums=(0, 1))
def compiled(
    function: Callable[..., Any], static: tuple[Any, ...], *tensors: Any
) -> Any:
    """function(arrays, *static, *tensors)."""
    return function(JaxArrays(), *static, *tensors)


def half_angle(s: Array) -> Array:
    """arcsin(sqrt(s)), as sqrt(t) times a polynomial in t - 1/4, t = min(s, 1 - s).

    XLA's arcsin takes 15 ns per entry on a CPU, this 2 ns; the angle was nearly all of the time.
    """
    t = jnp.minimum(s, 1 - s)
    series = jnp.zeros_like(t)
    for coefficient in reversed(arcsine_coefficients(float(jnp.finfo(s.dtype).eps))):
        series = series * (t - 0.25) + coefficient
    half = jnp.sqrt(t) * series
    return jnp.where(s > 0.5, math.pi / 2 - half, half)


@cache
def arcsine_coefficients(eps: float) -> list[float]:
    """Of the polynomial in u = t - 1/4 that is arcsin(sqrt(t)) / sqrt(t) on [0, 1/2] to eps, from
    the constant term up.

    The function is singular at t = 1, hence its Chebyshev coefficients fall by 3 + sqrt(8) per
    degree, and they start three degrees below 1. In powers about the middle of the interval the
    polynomial loses no digits.

    >>> len(arcsine_coefficients(2.0**-23)), len(arcsine_coefficients(2.0**-52))
    (8, 19)
    """
    degree = math.ceil(-math.log(eps) / math.log(3 + 8**0.5)) - 3
    u = np.cos(math.pi * (np.arange(200) + 0.5) / 200) / 4
    ratio = np.arcsin(np.sqrt(u + 0.25)) / np.sqrt(u + 0.25)
    fitted = Chebyshev.fit(u, ratio, degree, domain=[-0.25, 0.25])
    return [float(c) for c in fitted.convert(kind=Polynomial).coef]
