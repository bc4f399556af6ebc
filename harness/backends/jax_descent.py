"""JAX: gradient descent as one compiled loop over steps, all seeds at once."""

import math
from functools import partial
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np

from harness.backends.jax_layers import network, over_seeds
from harness.backends.operations import Adam, Loss, Optimizer, Tensors
from harness.networks import Network

Array: TypeAlias = jax.Array


CACHE = 2**20
"""Bytes of weights and moments that a core of a CPU holds at hand, in its second-level cache."""


def seeds_together(theta: Tensors, slots: tuple[Tensors, ...]) -> int:
    """How many seeds a CPU takes through a run of steps at once: a divisor of their number, as many
    as fit its cache.

    All at once, each step would fetch all weights and moments from memory: MLPs of 120 seeds took
    1.5 to 1.9 times as long (measured), CNNs of 64 channels of 10 seeds 1.4 times.
    """
    arrays = jax.tree.leaves((theta, slots))
    seeds, size = len(arrays[0]), sum(array.nbytes for array in arrays)
    return max(
        k
        for k in range(1, seeds + 1)
        if seeds % k == 0 and (k == 1 or k * size <= seeds * CACHE)
    )


class Method(NamedTuple):
    """What a compiled loop is made for: the optimizer, whose learning rate is not looked at, and
    the loss.
    """

    optimizer: Optimizer
    loss: Loss


class Loop(NamedTuple):
    """What a compiled loop over steps is given; its length is that of `rates`, of which the first
    `steps` are taken.

    Attributes:
        data: inputs x (S or 1, N, n_0) and targets y (S, N, O).
        batches: (steps, S, B) indices of samples; None: all samples at every step.
        rates: (steps, S).
        steps: number of steps.
        target: a seed whose loss is at most this stops.
    """

    data: Any
    batches: Any
    rates: Any
    steps: int
    target: float


def run_in_parts(
    net: Network, method: Method, state: Any, loop: Loop, *, together: int
) -> Any:
    """`run` of so many seeds, then of the next; what it returns is NumPy's.

    Cut and joined in NumPy: a loop over parts inside the program would be compiled for up to a
    second longer.
    """
    (theta, slots, active, step), (x, y) = state, loop.data
    done = []
    for start in range(0, len(active), together):
        own = slice(start, start + together)
        weights, moments, going, own_x, own_y = jax.tree.map(
            lambda a, own=own: np.asarray(a)[own],
            (theta, slots, active, None if len(x) == 1 else x, y),
        )
        part = loop._replace(
            data=(x if own_x is None else own_x, own_y),
            batches=None if loop.batches is None else loop.batches[:, own],
            rates=loop.rates[:, own],
        )
        (*found, _), losses = run(net, method, (weights, moments, going, step), part)
        # Fetched before the next part begins, or two would run at once.
        found, losses = jax.tree.map(np.asarray, (found, losses))
        done.append((found, losses.T))
    found, losses = jax.tree.map(lambda *parts: np.concatenate(parts), *done)
    return (*found, step + loop.steps), losses.T


@partial(jax.jit, static_argnums=(0, 1))
def run(net: Network, method: Method, state: Any, loop: Loop) -> Any:
    """The steps of a loop; state is (theta, slots, active, step)."""
    data, batches, rates, count, target = loop

    def losses_of(theta: Tensors, x: Array, y: Array) -> tuple[Array, Array]:
        f = over_seeds(partial(network, net), len(x) == 1, theta, x)
        losses = mean_losses(method.loss, f, y)
        return losses.sum(), losses

    def body(k: int, carry: Any) -> Any:
        (theta, slots, active, step), record = carry
        x, y = data if batches is None else minibatch(data, batches[k])
        grads, losses = jax.grad(losses_of, has_aux=True)(theta, x, y)
        active = active & jnp.isfinite(losses) & (losses > target)
        step = step + 1
        directions, slots = direct(method.optimizer, step, grads, slots)

        def update(weight: Array, direction: Array) -> Array:
            scale = jnp.where(active, rates[k], 0).reshape(-1, *[1] * (weight.ndim - 1))
            return weight - jnp.where(scale > 0, scale * direction, 0)

        return (
            jax.tree.map(update, theta, directions),
            slots,
            active,
            step,
        ), record.at[k].set(losses)

    return jax.lax.fori_loop(0, count, body, (state, jnp.zeros_like(rates)))


def mean_losses(loss: Loss, f: Array, y: Array) -> Array:
    """The loss of every seed, (S,), of outputs and targets (S, N, O)."""
    if loss == "squared":
        return jnp.mean((f - y) ** 2, axis=(1, 2))
    return -(y * jax.nn.log_softmax(f, axis=2)).sum(axis=2).mean(axis=1)


def minibatch(data: tuple[Array, Array], index: Array) -> tuple[Array, Array]:
    """The samples of one step, index (S, B)."""
    x, y = data
    rows = jnp.arange(len(index))[:, None]
    return x[rows if len(x) > 1 else 0, index], y[rows, index]


def direct(
    optimizer: Optimizer, step: Array, grads: Tensors, slots: Any
) -> tuple[Tensors, Any]:
    """Directions of a step, and the momentum or moments after it."""
    if isinstance(optimizer, Adam):
        b1, b2 = optimizer.beta1, optimizer.beta2
        m = jax.tree.map(lambda m, g: b1 * m + (1 - b1) * g, slots[0], grads)
        v = jax.tree.map(lambda v, g: b2 * v + (1 - b2) * g**2, slots[1], grads)

        def unbiased(m: Array, v: Array) -> Array:
            # 1 - b^t without the cancellation that costs float32 two digits and more at the first
            # steps.
            logs = (math.log(b) if b else -math.inf for b in (b1, b2))
            bias1, bias2 = (-jnp.expm1(step.astype(m.dtype) * log) for log in logs)
            return m / bias1 / (jnp.sqrt(v / bias2) + optimizer.epsilon)

        return jax.tree.map(unbiased, m, v), (m, v)
    if optimizer.momentum:
        velocity = jax.tree.map(
            lambda v, g: optimizer.momentum * v + g, slots[0], grads
        )
        return velocity, (velocity,)
    return grads, slots
