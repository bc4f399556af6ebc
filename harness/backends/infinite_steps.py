"""The recursion of harness.kernels over blocks of pairs, once for every framework: pure functions, nothing in place.

Their first argument is a framework's `Arrays`; then come what is static and the tensors. A pair at angle a is kept as
s = sin^2(a/2), so E[uv] = std1 std2 (1 - 2 s); harness.kernels.gaussian_pairs says why, and whence the formulas are.

A dense layer with gain g and bias variance b turns cos a into r1 r2 cos a + t1 t2, where r_i = cos(beta_i) and
t_i = sin(beta_i) are the shares of weights and bias in the standard deviation after it. Without cancellation that is

    s' = r1 r2 s + sin^2((beta1 - beta2) / 2).
"""

import functools
import math
import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from harness.kernels.convolutional import crossed_steps, entry
from harness.kernels.gaussian_pairs import ErfMixture, dual, gains
from harness.networks import Activate, AveragePool, Convolution, Dense, Network

Tensor: TypeAlias = Any
Pair = tuple[Tensor, Tensor]
Term = Callable[[Any, Any, Any], Pair]


class Arrays(Protocol):
    """What the recursion takes from a framework, and how the framework runs it.

    Attributes:
        compiles: whether it compiles per shape, so that all blocks should have the same.
        cached: pairs of positions in a block whose arrays stay in a CPU's cache of a few MB.
        sqrt, arctan, where, clip, einsum: as in NumPy.
        pad: (tensor, [(before, after) per axis]), with zeros.
    """

    compiles: bool
    cached: int
    sqrt: Callable[..., Tensor]
    arctan: Callable[..., Tensor]
    where: Callable[..., Tensor]
    clip: Callable[..., Tensor]
    einsum: Callable[..., Tensor]
    pad: Callable[..., Tensor]

    def eps(self, tensor: Tensor) -> float:
        """The distance from 1 to the next number of its dtype."""

    def relu(self, s: Tensor) -> Pair:
        """s after relu, s + ((a/2) cos a - (sin a)/2) / pi, and 2 E[phi' phi'] = 1 - a/pi.

        With h = a/2 = arcsin(sqrt(s)): cos a = 1 - 2 s and (sin a)/2 = sqrt(s (1 - s)). Kept within [0, 1], which
        rounding would leave where s is below eps^2.
        """

    def multiply_add(self, one: Tensor, two: Tensor, three: Tensor) -> Tensor:
        """one + two three."""

    def total(self, term: Term, terms: list[tuple[float, float, float]]) -> Pair:
        """The sums of both results of term(*numbers) over the terms."""

    def run(self, function: Callable[..., Any], *static: Any) -> Callable[..., Any]:
        """The function of tensors that is left of function(arrays, *static, *tensors), compiled if need be."""

    def replaced(self, tensor: Tensor, index: tuple[Any, Any], values: Tensor) -> Tensor:
        """The tensor with other values in these places; a place may be named twice with the same value."""


def half_angles(arrays: Arrays, near: float, directions1: Tensor, directions2: Tensor) -> Pair:
    """s of all pairs, (N1, N2), and where it is so near to 0 or 1 that rounding shows in the angle."""
    s = arrays.clip(0.5 - 0.5 * (directions1 @ directions2.T), 0.0, 1.0)
    return s, (s < near) | (s > 1 - near)


def perceptron(arrays: Arrays, net: Network, tangent: bool, s: Tensor, scales1: Tensor, scales2: Tensor) -> Tensor:
    """NTK (or NNGP) of a multilayer perceptron from s of the inputs and both sides' `infinite_width.scales`."""
    theta: Tensor = None
    after: Pair = (None, None)
    for index, layer in enumerate(net.dense_layers):
        before1, after1, gate1, ratio1, sine1, cosine1 = scales1[index, :, :, None]
        before2, after2, gate2, ratio2, sine2, cosine2 = scales2[index, :, None, :]
        slope: Tensor = None
        if index:
            s, slope = activate(arrays, net.activation, s, after, (before1, before2))
        if tangent:
            fresh = (0.5 - s) * (2 * layer.weight_scale**2 * layer.fan_in * before1) * before2
            fresh = fresh if layer.bias is None else fresh + layer.bias_scale**2
            theta = fresh if slope is None else arrays.multiply_add(fresh, theta * gate1, slope * gate2)
        if gains(layer)[1]:
            turn = sine1 * cosine2 - cosine1 * sine2  # sin((beta1 - beta2) / 2)
            s = arrays.multiply_add(turn * turn, s * ratio1, ratio2)
        after = after1, after2
    return theta if tangent else (1 - 2 * s) * after[0] * after[1]


def activate(arrays: Arrays, name: str, s: Tensor, before: Pair, after: Pair) -> Pair:
    """s after the activation, and E[phi' phi'] without the gates of both sides; see `gate`."""
    if name == "relu":
        return arrays.relu(s)
    phi = dual(name)  # type: ignore[arg-type]
    assert isinstance(phi, ErfMixture)
    return erf_mixture(arrays, phi, s, before, after)


def erf_mixture(arrays: Arrays, phi: ErfMixture, s: Tensor, before: Pair, after: Pair) -> Pair:
    """s after a mixture of error functions, and E[phi' phi']; standard deviations broadcast with s."""
    std1, std2 = before
    product, variance1, variance2 = std1 * std2, std1**2, std2**2
    covariance, determinant = product * (1 - 2 * s), 4 * product**2 * s * (1 - s)

    def term(weight: Any, noise1: Any, noise2: Any) -> Pair:
        root = arrays.sqrt(determinant + (noise1 * variance2 + noise1 * noise2) + noise2 * variance1)
        return weight * arrays.arctan(covariance / root), weight / root

    moment, dot = arrays.total(term, phi.terms())
    bound = after[0] * after[1]
    deficit = bound - (phi.offset**2 + (2 / math.pi) * moment)
    s_after = arrays.clip(deficit / (2 * (bound + (bound == 0))), 0.0, 1.0)
    distinct = (s > 0) | (std1 != std2)  # else a chaotic net amplifies rounding
    return s_after * distinct, (2 / math.pi) * dot


@dataclass(frozen=True)
class State:
    """K and Theta of pairs, (..., rows, columns, rows, columns), or (..., rows, columns) where p = p' alone."""

    moment: Tensor
    theta: Tensor
    crossed: bool

    def uncrossed(self, arrays: Arrays) -> "State":
        """The part where p = p'."""
        if not self.crossed:
            return self
        moment, theta = (arrays.einsum("...ijij->...ij", k) for k in (self.moment, self.theta))
        return State(moment, theta, crossed=False)

    def stds(self, arrays: Arrays) -> Tensor:
        """sqrt(K[p, p]) of inputs paired with themselves, (..., rows, columns)."""
        return arrays.sqrt(arrays.clip(self.uncrossed(arrays).moment, 0.0, math.inf))  # rounding, where pooling cancels


def convolutional(
    arrays: Arrays,
    net: Network,
    tangent: bool,
    images1: Tensor,
    images2: Tensor,
    stds1: Sequence[Tensor],
    stds2: Sequence[Tensor],
) -> Tensor:
    """NTK (or NNGP) of images (N, positions, channels) whose stds before each activation, (N, rows, columns), come."""
    stds = zip((std[:, None] for std in stds1), (std[None] for std in stds2), strict=True)
    state = propagate(arrays, net, images1[:, None], images2[None], lambda _: next(stds))
    return (state.theta if tangent else state.moment)[..., 0, 0]


def convolutional_selves(arrays: Arrays, net: Network, images: Tensor) -> tuple[tuple[Tensor, ...], Pair]:
    """Of every input paired with itself: the stds before each activation, and NNGP and NTK, (N,) each."""
    stds: list[Tensor] = []

    def own(state: State) -> Pair:
        stds.append(state.stds(arrays))
        return stds[-1], stds[-1]

    state = propagate(arrays, net, images, images, own)
    return tuple(stds), (state.moment[..., 0, 0], state.theta[..., 0, 0])


def propagate(arrays: Arrays, net: Network, images1: Tensor, images2: Tensor, stds: Callable[[State], Pair]) -> State:
    """The state at the output; `stds` gives the standard deviations before the next activation."""
    crossed = crossed_steps(net)
    state = start(arrays, images1, images2, entry(net)[0], crossed > 0)
    for count, step in enumerate(net.steps, 1):
        match step:
            case Activate():
                state = activated(arrays, step, state, *stds(state))
            case AveragePool():
                state = pooled(step, state)
            case _:
                state = weighed(arrays, step, state)
        state = state.uncrossed(arrays) if count == crossed else state
    return state


def start(arrays: Arrays, images1: Tensor, images2: Tensor, grid: tuple[int, int], crossed: bool) -> State:
    """The state of the inputs themselves; images (..., positions, channels) broadcast together."""
    pairs = "...pc,...qc->...pq" if crossed else "...pc,...pc->...p"
    moment = arrays.einsum(pairs, images1, images2) / images1.shape[-1]
    moment = moment.reshape(*moment.shape[: -2 if crossed else -1], *grid, *(grid if crossed else ()))
    return State(moment, 0 * moment, crossed)


def activated(arrays: Arrays, step: Activate, state: State, std1: Tensor, std2: Tensor) -> State:
    """After the activation; stds (..., rows, columns), before it, broadcast with the leading axes of the state."""
    before, eps = (std1, std2), arrays.eps(state.moment)
    after = tuple(std_after(arrays, step.name, std) for std in before)
    gates = tuple(arrays.where(std > 0, 0.5**0.5, 0.0 * std) if step.name == "relu" else std**0 for std in before)
    if state.crossed:
        before, after, gates = (
            (one[..., None, None], two[..., None, None, :, :]) for one, two in (before, after, gates)
        )
    product = before[0] * before[1]
    s = arrays.clip((product - state.moment) / (2 * (product + (product == 0))), 0.0, 1.0)
    s = arrays.where(s <= 4 * eps, 0.0, s)  # what rounding alone can make of equal patches, and of opposite ones
    s = arrays.where(s < 1 - 4.5 * eps, s, 1.0)
    s, slope = activate(arrays, step.name, s, before, after)
    return State(after[0] * after[1] * (1 - 2 * s), state.theta * slope * gates[0] * gates[1], state.crossed)


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

    return arrays.sqrt(phi.offset**2 + (2 / math.pi) * arrays.total(term, phi.terms())[0])


def weighed(arrays: Arrays, layer: Convolution | Dense, state: State) -> State:
    """A layer with weights, which adds up positions: those of a patch, or all."""
    gain, bias = gains(layer)
    if isinstance(layer, Convolution):
        terms = layer.kernel[0] * layer.kernel[1]
    else:
        terms = state.moment.shape[-2] * state.moment.shape[-1]

    def gather(q: Tensor) -> Tensor:
        if isinstance(layer, Convolution):
            return patches(arrays, layer, q, state.crossed)
        return q.sum(axis=(-2, -1), keepdims=True)

    moment = gather(gain / terms * state.moment) + bias
    theta = gather(gain / terms * state.theta + layer.weight_scale**2 * layer.fan_in / terms * state.moment)
    return State(moment, theta if layer.bias is None else theta + layer.bias_scale**2, state.crossed)


def patches(arrays: Arrays, conv: Convolution, q: Tensor, crossed: bool) -> Tensor:
    """Sum over kernel offsets, which both positions of a pair share: first over those in rows, then in columns."""
    for axis in (0, 1):
        axes = (axis - 4, axis - 2) if crossed else (axis - 2,)
        widths = [conv.padding[axis] if n - q.ndim in axes else (0, 0) for n in range(q.ndim)]
        padded, reach = arrays.pad(q, widths), conv.stride[axis] * (conv.out[axis] - 1) + 1
        windows = [slice(offset, offset + reach, conv.stride[axis]) for offset in range(conv.kernel[axis])]
        places = ((..., *(w if n in axes else slice(None) for n in range(min(axes), 0))) for w in windows)
        q = functools.reduce(operator.add, (padded[place] for place in places))  # sum would add zero first
    return q


def pooled(pool: AveragePool, state: State) -> State:
    """Mean over the windows of both positions; pooling of one position changes nothing."""
    if not state.crossed:
        return state
    (rows, columns), (height, width) = pool.out, pool.window

    def mean(q: Tensor) -> Tensor:
        windows = q.reshape(*q.shape[:-4], *(rows, height, columns, width) * 2)
        return windows.mean(axis=(-7, -5, -3, -1))

    return State(mean(state.moment), mean(state.theta), True)
