"""What the steps of a convolutional network do to covariances between positions of two inputs.

The state of a pair of inputs is K[p, p'] and Theta[p, p'], the covariance between position p of one
and p' of the other and its tangent counterpart, both per channel. With q = E[phi phi] and p =
E[phi' phi'] of each pair of positions:

    convolution      K'[r, r'] = (w d)^2 C sum over offsets o of q[r t + o, r' t + o] + (s e)^2
    average pooling  K'[r, r'] = mean over p in window r and p' in window r' of q[p, p']
    dense layer      K'        = (w d)^2 C sum over positions p of q[p, p] + (s e)^2

with weight scale w and standard deviation d, those of the bias s and e, stride t, C channels in,
the offsets those of the kernel, and zero where r t + o or r' t + o lies in the padding. Theta' is
the same sum, of (w d)^2 C p Theta + w^2 C q, plus s^2.

Sources: Novak et al. 2019, "Bayesian Deep Convolutional Networks with Many Channels are Gaussian
Processes" (K); Arora et al. 2019, "On Exact Computation with an Infinitely Wide Neural Net"
(Theta).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.kernels.gaussian_pairs import Pairs, dual, gains
from harness.networks import Activate, AveragePool, Convolution, Dense, Weighted

# 1 - correlation that rounding alone can make of equal patches
_EQUAL = 8 * float(np.finfo(np.float64).eps)

Sum = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class State:
    """K and Theta, (..., rows, columns, rows, columns); not crossed: (..., rows, columns), where p
    = p', and no more.

    Convolutions and dense layers read p = p' of their result from p = p' of what comes in; only
    pooling needs the rest.
    """

    moment: np.ndarray
    theta: np.ndarray
    crossed: bool

    @property
    def stds(self) -> np.ndarray:
        """sqrt(K[p, p]) of inputs paired with themselves, (..., rows, columns)."""
        variances = (
            np.einsum("...ijij->...ij", self.moment) if self.crossed else self.moment
        )
        # rounding, where pooling cancels
        stds: np.ndarray = np.sqrt(np.maximum(variances, 0.0))
        return stds

    def uncrossed(self) -> "State":
        """The part where p = p'."""
        moment, theta = (
            np.einsum("...ijij->...ij", array) for array in (self.moment, self.theta)
        )
        return State(moment, theta, crossed=False)


def start(
    images1: np.ndarray, images2: np.ndarray, grid: tuple[int, int], crossed: bool
) -> State:
    """The state of the inputs themselves; images (..., positions, channels) broadcast together."""
    pairs = "...pc,...qc->...pq" if crossed else "...pc,...pc->...p"
    moment = np.einsum(pairs, images1, images2) / images1.shape[-1]
    moment = moment.reshape(
        *moment.shape[: -2 if crossed else -1], *grid, *(grid if crossed else ())
    )
    return State(moment, np.zeros_like(moment), crossed)


def activate(
    step: Activate, state: State, stds1: np.ndarray, stds2: np.ndarray
) -> State:
    """After the activation; stds (..., rows, columns), before it, broadcast with the leading axes
    of the state.
    """
    phi = dual(step.name)
    after1, after2 = phi.std(stds1), phi.std(stds2)
    if state.crossed:
        stds1, after1 = (std[..., None, None] for std in (stds1, after1))
        stds2, after2 = (std[..., None, None, :, :] for std in (stds2, after2))
    product = stds1 * stds2
    deficit = product - state.moment
    deficit[deficit <= _EQUAL * product] = 0.0
    pairs, slopes = phi.pairs(Pairs(stds1, stds2, deficit), after1, after2)
    return State(
        pairs.moment, np.multiply(slopes, state.theta, out=slopes), state.crossed
    )


def transform(step: Convolution | Dense | AveragePool, state: State) -> State:
    """After a step that is linear in K and Theta.

    Dense layers, and pooling of one position, take p = p' alone.
    """
    match step:
        case Convolution():
            return _weigh(
                step,
                state,
                lambda q: _patches(step, q, state.crossed),
                step.kernel[0] * step.kernel[1],
            )
        case Dense():
            rows, columns = state.moment.shape[-2:]
            return _weigh(
                step,
                state,
                lambda q: np.sum(q, axis=(-2, -1), keepdims=True),
                rows * columns,
            )
        case AveragePool():
            return (
                State(_pool(step, state.moment), _pool(step, state.theta), True)
                if state.crossed
                else state
            )


def _weigh(layer: Weighted, state: State, gather: Sum, terms: int) -> State:
    """A layer with weights, which adds up `terms` positions."""
    gain, bias = gains(layer)
    moment = gather(gain / terms * state.moment) + bias
    theta = gather(
        gain / terms * state.theta
        + layer.weight_scale**2 * layer.fan_in / terms * state.moment
    )
    if layer.bias is not None:
        theta += layer.bias_scale**2
    return State(moment, theta, state.crossed)


def _patches(conv: Convolution, q: np.ndarray, crossed: bool) -> np.ndarray:
    """Sum over kernel offsets, which both positions of a pair share: first over those in rows, then
    in columns.
    """
    for axis in (0, 1):
        q = _slide(conv, q, axis, (axis - 4, axis - 2) if crossed else (axis - 2,))
    return q


def _slide(
    conv: Convolution, q: np.ndarray, axis: int, axes: tuple[int, ...]
) -> np.ndarray:
    """Sum over the kernel's offsets along rows (axis 0) or columns (1); `axes` of q are those of
    the positions.
    """
    size, out, stride, before = (
        conv.grid[axis],
        conv.out[axis],
        conv.stride[axis],
        conv.padding[axis][0],
    )
    total = np.zeros(
        [out if index - q.ndim in axes else n for index, n in enumerate(q.shape)]
    )
    for offset in range(-before, conv.kernel[axis] - before):
        first = max(0, -(offset // stride))  # the first r with r * stride + offset >= 0
        stop = min(out, (size - 1 - offset) // stride + 1)
        if first < stop:
            source = slice(
                first * stride + offset, (stop - 1) * stride + offset + 1, stride
            )
            total[_along(axes, slice(first, stop))] += q[_along(axes, source)]
    return total


def _along(axes: tuple[int, ...], part: slice) -> tuple[Any, ...]:
    """An index that takes the part along these axes, which count from the end."""
    return (
        ...,
        *(part if axis in axes else slice(None) for axis in range(min(axes), 0)),
    )


def _pool(pool: AveragePool, q: np.ndarray) -> np.ndarray:
    """Mean over the windows of both positions."""
    (rows, columns), (height, width) = pool.out, pool.window
    windows = q.reshape(*q.shape[:-4], *(rows, height, columns, width) * 2)
    mean: np.ndarray = windows.mean(axis=(-7, -5, -3, -1))
    return mean
