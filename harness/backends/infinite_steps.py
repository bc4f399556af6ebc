"""The recursion of perceptrons over blocks of pairs, once for every framework, and what both
recursions take from one.

Their first argument is a framework's `Arrays`; then come what is static and the tensors. A pair at
angle a is kept as s = sin^2(a/2), so E[uv] = std1 std2 (1 - 2 s); harness.kernels.gaussian_pairs
says why, and whence the formulas are.

A dense layer with gain g and bias variance b turns cos a into r1 r2 cos a + t1 t2, where r_i =
cos(beta_i) and t_i = sin(beta_i) are the shares of weights and bias in the standard deviation after
it. Without cancellation that is

    s' = r1 r2 s + sin^2((beta1 - beta2) / 2).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from harness.kernels.gaussian_pairs import ErfMixture, dual, gains
from harness.networks import Convolution, Network

Tensor: TypeAlias = Any
Pair = tuple[Tensor, Tensor]
Term = Callable[[Any, Any, Any], Pair]


class Arrays(Protocol):
    """What the recursion takes from a framework, and how the framework runs it.

    Attributes:
        compiles: whether it compiles per shape, so that all blocks should have the same.
        cached: pairs of positions in a block whose arrays stay in a CPU's cache of a few MB.
        sqrt, arctan, where, clip, einsum: as in NumPy.
    """

    compiles: bool
    cached: int
    sqrt: Callable[..., Tensor]
    arctan: Callable[..., Tensor]
    where: Callable[..., Tensor]
    clip: Callable[..., Tensor]
    einsum: Callable[..., Tensor]

    def eps(self, tensor: Tensor) -> float:
        """The distance from 1 to the next number of its dtype."""

    def relu(self, s: Tensor) -> Pair:
        """s after relu, s + ((a/2) cos a - (sin a)/2) / pi, and 2 E[phi' phi'] = 1 - a/pi.

        With h = a/2 = arcsin(sqrt(s)): cos a = 1 - 2 s and (sin a)/2 = sqrt(s (1 - s)). Kept within
        [0, 1], which rounding would leave where s is below eps^2.
        """

    def multiply_add(self, one: Tensor, two: Tensor, three: Tensor) -> Tensor:
        """one + two three."""

    def settled(self, s: Tensor, low: float, high: float) -> Tensor:
        """s, but 0 where it is at most low, and 1 where it is at least high; may overwrite s."""

    def slid(
        self, conv: Convolution, axis: int, axes: tuple[int, ...], q: Tensor
    ) -> Tensor:
        """Sums over the kernel's offsets along rows (axis 0) or columns (1), zero in the padding.

        `axes` of q are those of the positions, one or both of a pair.
        """

    def total(self, term: Term, terms: list[tuple[float, float, float]]) -> Pair:
        """The sums of both results of term(*numbers) over the terms."""

    def run(self, function: Callable[..., Any], *static: Any) -> Callable[..., Any]:
        """The function of tensors that is left of function(arrays, *static, *tensors), compiled if
        need be.
        """

    def replaced(
        self, tensor: Tensor, index: tuple[Any, Any], values: Tensor
    ) -> Tensor:
        """The tensor with other values in these places; a place may be named twice with the same
        value.
        """


@dataclass(frozen=True)
class Kernel:
    """A kernel of a network at infinite width: its NTK if `tangent`, else its NNGP."""

    net: Network
    tangent: bool


def half_angles(
    arrays: Arrays, near: float, directions1: Tensor, directions2: Tensor
) -> Pair:
    """s of all pairs, (N1, N2), and where, near 0 or 1, rounding shows in the angle."""
    s = arrays.clip(0.5 - 0.5 * (directions1 @ directions2.T), 0.0, 1.0)
    return s, (s < near) | (s > 1 - near)


def perceptron(
    arrays: Arrays, kernel: Kernel, s: Tensor, scales: tuple[Tensor, Tensor]
) -> Tensor:
    """The kernel of a multilayer perceptron from s of the inputs and both sides'
    `infinite_width.scales`.
    """
    net, tangent = kernel.net, kernel.tangent
    theta: Tensor = None
    after: Pair = (None, None)
    for index, layer in enumerate(net.dense_layers):
        before1, after1, gate1, ratio1, sine1, cosine1 = scales[0][index, :, :, None]
        before2, after2, gate2, ratio2, sine2, cosine2 = scales[1][index, :, None, :]
        slope: Tensor = None
        if index:
            s, slope = activate(
                arrays, net.activation, s, before=after, after=(before1, before2)
            )
        if tangent:
            fresh = (
                (0.5 - s)
                * (2 * layer.weight_scale**2 * layer.fan_in * before1)
                * before2
            )
            fresh = fresh if layer.bias is None else fresh + layer.bias_scale**2
            theta = (
                fresh
                if slope is None
                else arrays.multiply_add(fresh, theta * gate1, slope * gate2)
            )
        if gains(layer)[1]:
            turn = sine1 * cosine2 - cosine1 * sine2  # sin((beta1 - beta2) / 2)
            s = arrays.multiply_add(turn * turn, s * ratio1, ratio2)
        after = after1, after2
    return theta if tangent else (1 - 2 * s) * after[0] * after[1]


def activate(
    arrays: Arrays, name: str, s: Tensor, *, before: Pair, after: Pair
) -> Pair:
    """s after the activation, and E[phi' phi'] without the gates of both sides,
    `gaussian_pairs.gate`.
    """
    if name == "relu":
        return arrays.relu(s)
    phi = dual(name)  # type: ignore[arg-type]
    assert isinstance(phi, ErfMixture)
    return erf_mixture(arrays, phi, s, before=before, after=after)


def erf_mixture(
    arrays: Arrays, phi: ErfMixture, s: Tensor, *, before: Pair, after: Pair
) -> Pair:
    """s after a mixture of error functions, and E[phi' phi'] / (gate1 gate2); standard deviations
    broadcast with s.

    `ErfMixture._moments` has the formulas. Here, too, each side is in units of 1 / gate =
    sqrt(std^2 + 1), in which the variances are below 1: those of large inputs would leave the range
    of float32 at the fourth power.
    """
    std1, std2 = before
    inverse1, inverse2 = 1 / (std1**2 + 1), 1 / (std2**2 + 1)
    variance1, variance2 = std1**2 * inverse1, std2**2 * inverse2
    product = (std1 * arrays.sqrt(inverse1)) * (std2 * arrays.sqrt(inverse2))
    covariance, determinant = product * (1 - 2 * s), 4 * product**2 * s * (1 - s)

    def term(weight: Any, noise1: Any, noise2: Any) -> Pair:
        root = arrays.multiply_add(
            determinant, noise1 * inverse1, variance2 + noise2 * inverse2
        )
        root = arrays.sqrt(arrays.multiply_add(root, variance1, noise2 * inverse2))
        return weight * arrays.arctan(covariance / root), weight / root

    moment, dot = arrays.total(term, phi.terms())
    bound = after[0] * after[1]
    deficit = bound - (phi.offset**2 + (2 / math.pi) * moment)
    s_after = arrays.clip(deficit / (2 * (bound + (bound == 0))), 0.0, 1.0)
    distinct = (s > 0) | (std1 != std2)  # else a chaotic net amplifies rounding
    return s_after * distinct, (2 / math.pi) * dot
