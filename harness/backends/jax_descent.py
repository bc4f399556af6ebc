"""JAX: gradient descent as one compiled loop over steps, all seeds at once."""

import math
from functools import partial
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp

from harness.backends.jax_layers import network, over_seeds
from harness.backends.operations import Adam, Optimizer, Tensors
from harness.networks import Network

Array: TypeAlias = jax.Array


@partial(jax.jit, static_argnums=(0, 1))
def run(
    net: Network,
    optimizer: Optimizer,
    state: Any,
    data: Any,
    batches: Array | None,
    rates: Array,
    count: int,
    target: float,
) -> Any:
    """`count` steps, at most len(rates); state is (theta, slots, active, step)."""

    def losses_of(theta: Tensors, x: Array, y: Array) -> tuple[Array, Array]:
        f = over_seeds(partial(network, net), len(x) == 1, theta, x)
        losses = jnp.mean((f - y) ** 2, axis=(1, 2))
        return losses.sum(), losses

    def body(k: int, carry: Any) -> Any:
        (theta, slots, active, step), record = carry
        x, y = data if batches is None else minibatch(data, batches[k])
        grads, losses = jax.grad(losses_of, has_aux=True)(theta, x, y)
        active = active & jnp.isfinite(losses) & (losses > target)
        step = step + 1
        directions, slots = direct(optimizer, step, grads, slots)

        def update(weight: Array, direction: Array) -> Array:
            scale = jnp.where(active, rates[k], 0).reshape(-1, *[1] * (weight.ndim - 1))
            return weight - jnp.where(scale > 0, scale * direction, 0)

        return (jax.tree.map(update, theta, directions), slots, active, step), record.at[k].set(losses)

    return jax.lax.fori_loop(0, count, body, (state, jnp.zeros_like(rates)))


def minibatch(data: tuple[Array, Array], index: Array) -> tuple[Array, Array]:
    """The samples of one step, index (S, B)."""
    x, y = data
    rows = jnp.arange(len(index))[:, None]
    return x[rows if len(x) > 1 else 0, index], y[rows, index]


def direct(optimizer: Optimizer, step: Array, grads: Tensors, slots: Any) -> tuple[Tensors, Any]:
    """Directions of a step, and the momentum or moments after it."""
    if isinstance(optimizer, Adam):
        b1, b2 = optimizer.beta1, optimizer.beta2
        m = jax.tree.map(lambda m, g: b1 * m + (1 - b1) * g, slots[0], grads)
        v = jax.tree.map(lambda v, g: b2 * v + (1 - b2) * g**2, slots[1], grads)

        def unbiased(m: Array, v: Array) -> Array:
            # 1 - b^t without the cancellation that costs float32 two digits and more at the first steps.
            logs = (math.log(b) if b else -math.inf for b in (b1, b2))
            bias1, bias2 = (-jnp.expm1(step.astype(m.dtype) * log) for log in logs)
            return m / bias1 / (jnp.sqrt(v / bias2) + optimizer.epsilon)

        return jax.tree.map(unbiased, m, v), (m, v)
    if optimizer.momentum:
        velocity = jax.tree.map(lambda v, g: optimizer.momentum * v + g, slots[0], grads)
        return velocity, (velocity,)
    return grads, slots
