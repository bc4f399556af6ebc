"""The recursion of harness.kernels.position_pairs over blocks, once for every framework.

The axes of the inputs stand after those of the positions, (rows, columns, N1, rows', columns', N2),
so a sum over the offsets of a kernel adds stretches of memory, and a factor of one side multiplies
as such. What belongs to one input is (rows, columns, N, 1) on the left of a pair and (rows,
columns, 1, N) on its right. Inputs paired with themselves are a case of that: one on the left, N on
the right.

The first layer with weights is a matrix product of patches; what stands before it acts on the
inputs themselves.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from harness.backends.infinite_steps import Arrays, Kernel, Pair, activate
from harness.kernels.convolutional import crossed_steps
from harness.kernels.gaussian_pairs import ErfMixture, dual, gains
from harness.networks import (
    Activate,
    AveragePool,
    Convolution,
    Dense,
    Network,
    Weighted,
)

Tensor: TypeAlias = Any
Factors: TypeAlias = tuple[Tensor, ...]
Sides: TypeAlias = tuple[Factors, Factors]
Images: TypeAlias = tuple[Tensor, Tensor | None]


@dataclass(frozen=True)
class State:
    """K and Theta, (rows, columns, N1, rows', columns', N2); not crossed: (rows, columns, N1, N2),
    where p = p'.

    Theta is None where the NNGP alone is asked for.
    """

    moment: Tensor
    theta: Tensor
    crossed: bool

    def mapped(self, function: Callable[[Tensor], Tensor], crossed: bool) -> "State":
        """Both through a function."""
        theta = None if self.theta is None else function(self.theta)
        return State(function(self.moment), theta, crossed)

    @property
    def kernel(self) -> Tensor:
        """Theta, or K if there is none."""
        return self.moment if self.theta is None else self.theta

    def uncrossed(self, arrays: Arrays) -> "State":
        """The part where p = p'."""
        return (
            self.mapped(lambda k: arrays.einsum("ijaijb->ijab", k), False)
            if self.crossed
            else self
        )

    def stds(self, arrays: Arrays) -> Tensor:
        """sqrt(K[p, p]) of inputs paired with themselves, (rows, columns, 1, N)."""
        variances = (
            arrays.einsum("ijaijb->ijab", self.moment) if self.crossed else self.moment
        )
        # rounding, where pooling cancels
        return arrays.sqrt(arrays.clip(variances, 0.0, math.inf))


def opening(net: Network) -> tuple[int, Weighted]:
    """The first layer with weights, before which only pooling stands, and the number of steps up to
    it.
    """
    return next(
        (count, step)
        for count, step in enumerate(net.steps, 1)
        if isinstance(step, Weighted)
    )


def pairs_of_positions(net: Network) -> int:
    """Pairs of positions in the largest state of a pair of inputs."""
    (first, _), crossed = opening(net), crossed_steps(net)
    outs = [step.out if isinstance(step, Convolution) else (1, 1) for step in net.steps]
    sizes = [
        math.prod(out) ** (2 if n <= crossed else 1)
        for n, out in enumerate(outs, 1)
        if n >= first
    ]
    return max(sizes)


def convolutional(
    arrays: Arrays,
    kernel: Kernel,
    images: tuple[Tensor, Tensor],
    factors_of_sides: tuple[Sequence[Factors], Sequence[Factors]],
) -> Tensor:
    """The kernel of two sides of images (features + 1, N), with the factors of every activation of
    both.
    """
    left, right = factors_of_sides
    turned = (tuple(factor[:, :, 0, :, None] for factor in factors) for factors in left)
    pairs = zip(turned, right, strict=True)
    state = propagate(arrays, kernel, images, lambda _: next(pairs))
    return state.kernel[0, 0]


def convolutional_selves(
    arrays: Arrays, kernel: Kernel, images: Tensor
) -> tuple[tuple[Factors, ...], Tensor]:
    """Of every input paired with itself: the factors of every activation, and the kernel, (N,)."""
    found: list[Factors] = []

    def own(state: State) -> Sides:
        found.append(factors(arrays, kernel.net.activation, state.stds(arrays)))
        return found[-1], found[-1]

    state = propagate(arrays, kernel, (images, None), own)
    return tuple(found), state.kernel[0, 0, 0]


def propagate(
    arrays: Arrays,
    kernel: Kernel,
    images: Images,
    factors_of: Callable[[State], Sides],
) -> State:
    """The state at the output; `factors_of` gives both sides' factors of the next activation."""
    net = kernel.net
    (first, layer), crossed = opening(net), crossed_steps(net)
    state = start(
        arrays, layer, images, tangent=kernel.tangent, crossed=crossed > first
    )
    for count, step in enumerate(net.steps[first:], first + 1):
        match step:
            case Activate():
                state = activated(arrays, step, state, factors_of(state))
            case AveragePool():
                state = pooled(step, state)
            case _:
                state = weighed(arrays, step, state)
        state = state.uncrossed(arrays) if count == crossed else state
    return state


def start(
    arrays: Arrays, layer: Weighted, images: Images, *, tangent: bool, crossed: bool
) -> State:
    """The state after the first layer with weights; images (features + 1, N), of which the last is
    the padding.
    """
    index, (rows, columns) = np.arange(layer.fan_in)[None], (1, 1)
    if isinstance(layer, Convolution):
        index, (rows, columns) = layer.patches, layer.out
    index = index.astype(np.int32)  # whatever JAX's x64 is set to
    left = images[0][index]
    right = left if images[1] is None else images[1][index]
    if images[1] is None:
        gram, count = (
            arrays.einsum("pka,qka->pqa" if crossed else "pka,pka->pa", left, right),
            1,
        )
    else:
        gram, count = (
            arrays.einsum("pka,qkb->paqb" if crossed else "pka,pkb->pab", left, right),
            left.shape[-1],
        )
    gram = gram.reshape(
        rows, columns, count, *((rows, columns) if crossed else ()), right.shape[-1]
    )
    gain, bias = gains(layer)
    theta = None
    if tangent:
        theta = gram * layer.weight_scale**2
        theta += 0.0 if layer.bias is None else layer.bias_scale**2
    gram *= gain / layer.fan_in
    gram += bias
    return State(gram, theta, crossed)


def activated(arrays: Arrays, step: Activate, state: State, sides: Sides) -> State:
    """After the activation, with the `factors` of both sides; overwrites what it made itself."""
    left, right = sides
    if state.crossed:
        left = tuple(factor[:, :, :, None, None] for factor in left)
        right = tuple(factor[:, :, 0][None, None, None] for factor in right)
    (before1, after1, half1, gate1), (before2, after2, half2, gate2) = left, right
    s = before1 * before2
    s -= state.moment
    s *= half1
    s *= half2
    eps = arrays.eps(s)
    # what rounding alone can make of equal patches, and of opposite ones
    s = arrays.settled(s, 4 * eps, 1 - 4.5 * eps)
    s, slope = activate(
        arrays, step.name, s, before=(before1, before2), after=(after1, after2)
    )
    s -= 0.5
    s *= -2 * after1
    s *= after2
    if state.theta is None:
        return State(s, None, state.crossed)
    slope *= (
        gate1  # before theta: with large inputs the product of the two alone overflows
    )
    slope *= state.theta
    slope *= gate2
    return State(s, slope, state.crossed)


def factors(arrays: Arrays, name: str, std: Tensor) -> Factors:
    """What an input contributes to an activation, from its standard deviations before it, all of
    their shape.

    Root mean squares before and after, 1 / (sqrt(2) before) or zero, and the gate, as
    `gaussian_pairs.gate`.
    """
    live, zero = std > 0, 0.0 * std
    half = arrays.where(live, 0.5**0.5 / arrays.where(live, std, 1.0), zero)
    gate = (
        arrays.where(live, 0.5**0.5, zero)
        if name == "relu"
        else 1 / arrays.sqrt(1 + std**2)
    )
    return std, std_after(arrays, name, std), half, gate


def std_after(arrays: Arrays, name: str, std: Tensor) -> Tensor:
    """Root mean square after the activation, from the standard deviation before it."""
    if name == "relu":
        return std * 0.5**0.5
    phi = dual(name)  # type: ignore[arg-type]
    assert isinstance(phi, ErfMixture)
    variance = std**2

    def term(weight: Any, noise1: Any, noise2: Any) -> Pair:
        root = arrays.sqrt((noise1 + noise2) * variance + noise1 * noise2)
        return weight * arrays.arctan(variance / root), 0 * variance

    return arrays.sqrt(
        phi.offset**2 + (2 / math.pi) * arrays.total(term, phi.terms())[0]
    )


def weighed(arrays: Arrays, layer: Convolution | Dense, state: State) -> State:
    """A layer with weights, which adds up positions: those of a patch, or all; constants come after
    the sums.
    """
    gain, bias = gains(layer)
    if isinstance(layer, Convolution):
        sums = state.mapped(
            lambda q: patches(arrays, layer, q, state.crossed), state.crossed
        )
        terms = layer.kernel[0] * layer.kernel[1]
    else:
        sums = state.mapped(lambda q: q.sum(axis=(0, 1), keepdims=True), False)
        terms = state.moment.shape[0] * state.moment.shape[1]
    theta = None
    if sums.theta is not None:
        theta = (
            gain / terms * sums.theta
            + layer.weight_scale**2 * layer.fan_in / terms * sums.moment
        )
        theta = theta if layer.bias is None else theta + layer.bias_scale**2
    return State(gain / terms * sums.moment + bias, theta, state.crossed)


def patches(arrays: Arrays, conv: Convolution, q: Tensor, crossed: bool) -> Tensor:
    """Sum over kernel offsets, which both positions of a pair share: first over those in rows, then
    in columns.
    """
    for axis in (0, 1):
        if (conv.kernel[axis], conv.stride[axis]) == (1, 1):
            continue
        axes = (axis, axis + 3) if crossed else (axis,)
        q = arrays.slid(conv, axis, axes, q)
    return q


def pooled(pool: AveragePool, state: State) -> State:
    """Mean over the windows of both positions; pooling of one position changes nothing."""
    if not state.crossed:
        return state
    (rows, columns), (height, width) = pool.out, pool.window

    def mean(q: Tensor) -> Tensor:
        windows = q.reshape(
            rows,
            height,
            columns,
            width,
            q.shape[2],
            rows,
            height,
            columns,
            width,
            q.shape[5],
        )
        return windows.mean(axis=(1, 3, 6, 8))

    return state.mapped(mean, True)
