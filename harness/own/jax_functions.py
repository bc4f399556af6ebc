"""JAX: pairs of init and apply, and networks linearised at weights, as functions f(theta, x)."""

from collections.abc import Callable
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import keystr, tree_flatten_with_path, tree_unflatten

from harness.backends.jax_layers import network
from harness.backends.samplewise import first_line
from harness.errors import InvalidInput
from harness.networks import Function, Network, Theta
from harness.own.functions import DoesNotFit, checked_outputs

Array: TypeAlias = jax.Array
Callee: TypeAlias = Callable[[dict[str, Array], Array], Array]
Draw: TypeAlias = Callable[[np.random.Generator], dict[str, np.ndarray]]


def pair(
    init: Callable[[Any], Any],
    apply: Callable[[Any, Any], Any],
    shape: tuple[int, ...],
) -> tuple[Callee, Draw]:
    """The function of a pair, and what draws its weights."""
    if not callable(init) or not callable(apply):
        raise InvalidInput(
            "A JAX network is a pair of functions, init(key) and apply(parameters, x); got "
            f"{type(init).__name__} and {type(apply).__name__}."
        )
    leaves, tree = tree_flatten_with_path(_drawn(init, 0))
    names = [keystr(path) for path, leaf in leaves if _is_weight(leaf)]
    if not names:
        raise InvalidInput(
            "init(key) gives no array of floating-point numbers, so the network has no parameter."
        )

    def function(theta: dict[str, Array], x: Array) -> Array:
        found = [theta.get(keystr(path), leaf) for path, leaf in leaves]
        outputs = apply(tree_unflatten(tree, found), x.reshape(len(x), *shape))
        checked_outputs(outputs, len(x))
        return jnp.asarray(outputs)

    def draw(rng: np.random.Generator) -> dict[str, np.ndarray]:
        drawn, _ = tree_flatten_with_path(_drawn(init, int(rng.integers(2**31))))
        arrays = {keystr(path): leaf for path, leaf in drawn}
        return {name: np.asarray(arrays[name], dtype=float) for name in names}

    return function, draw


def outputs_of(function: Callee, draw: Draw, size: int) -> int:
    """O, by a call on zeros."""
    theta = {
        name: jnp.asarray(array, dtype=jnp.float32)
        for name, array in draw(np.random.default_rng(0)).items()
    }
    try:
        return int(function(theta, jnp.zeros((2, size))).shape[1])
    except InvalidInput:
        raise
    except Exception as error:  # whatever a function of someone else raises
        raise DoesNotFit(f"apply failed on two inputs: {first_line(error)}.") from error


def _drawn(init: Callable[[Any], Any], seed: int) -> Any:
    try:
        return init(jax.random.key(seed))
    except Exception as error:  # whatever a function of someone else raises
        raise InvalidInput(f"init(key) failed: {first_line(error)}.") from error


def _is_weight(leaf: Any) -> bool:
    return hasattr(leaf, "shape") and jnp.issubdtype(
        jnp.asarray(leaf).dtype, jnp.floating
    )


def linearised(net: Network | Function, start: Theta) -> Callee:
    """f(start, x) + J(start, x) (theta - start), by forward differentiation."""

    def function(theta: dict[str, Array], x: Array) -> Array:
        at = {name: jnp.asarray(start[name], theta[name].dtype) for name in theta}
        change = {name: theta[name] - at[name] for name in theta}
        outputs, product = jax.jvp(
            lambda weights: network(net, weights, x), (at,), (change,)
        )
        return jnp.asarray(outputs + product)

    return function
