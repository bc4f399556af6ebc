"""The naive oracle for any function: one sample after another, its Jacobian by differences.

Central differences with steps h and h/2, extrapolated to h = 0 (Richardson 1911): the error is
O(h^4), and eps |f| / h by rounding. Measured on kernels of networks with 16 units per layer,
relative in the Frobenius norm: 2e-13 to 4e-13 (tanh, erf, ReLU; sixteen times as much for a step
twice as large). A ReLU that switches within h of the weights is seen as a slope in between; so is
whatever else has a kink.
"""

from collections.abc import Callable

import numpy as np

from harness.backends.numpy_layers import sample, seed_slice, seeds_of
from harness.backends.operations import Tensors
from harness.networks import Function, Theta

STEP = 2.0**-10
"""h: a power of two, so that theta + h is hardly rounded, where truncation and rounding were
measured to be equal.
"""


def shifted(theta: Theta, name: str, index: tuple[int, ...], step: float) -> Theta:
    """The weights with one entry moved by a step."""
    array = np.array(theta[name])  # also of a scalar parameter, which has no axes
    array[index] += step
    return {**theta, name: array}


def derivative(
    f: Callable[[Theta], np.ndarray], theta: Theta, name: str, index: tuple[int, ...]
) -> np.ndarray:
    """df/d theta_name[index], (4 D(h/2) - D(h)) / 3 of central differences D(h)."""
    wide, narrow = (
        (f(shifted(theta, name, index, step)) - f(shifted(theta, name, index, -step)))
        / (2.0 * step)
        for step in (STEP, STEP / 2.0)
    )
    return (4.0 * narrow - wide) / 3.0


def called(net: Function, theta: Theta, x: np.ndarray) -> np.ndarray:
    """f(x) on copies: a function may change its arguments in place."""
    return np.asarray(
        net.of("numpy")({name: array.copy() for name, array in theta.items()}, x.copy())
    )


def jacobian(net: Function, theta: Theta, x: np.ndarray) -> np.ndarray:
    """df/dtheta of one network and one sample, x (n_0,): (O, P)."""

    def f(theta: Theta) -> np.ndarray:
        return called(net, theta, x[None])[0]

    columns = [
        derivative(f, theta, name, index)
        for name in theta
        for index in np.ndindex(theta[name].shape)
    ]
    return np.stack(columns, axis=1)


class Differences:
    """The operations of a `networks.Function` that depend on it."""

    def outdated(
        self, net: Function, theta: Tensors, x: np.ndarray, f: np.ndarray
    ) -> bool:
        """Never: nothing is compiled."""
        return False

    def forward(self, net: Function, theta: Tensors, x: np.ndarray) -> np.ndarray:
        """f(x), the samples of a seed together: mapping over them is what the check of samples is
        about.
        """
        return np.array(
            [
                called(net, seed_slice(theta, s), x[s if len(x) > 1 else 0])
                for s in range(seeds_of(theta))
            ]
        )

    def factors(self, net: Function, theta: Tensors, x: np.ndarray) -> np.ndarray:
        """The Jacobian, (S, N, O, P)."""
        return np.array(
            [
                [
                    jacobian(net, seed_slice(theta, s), sample(x, s, n))
                    for n in range(x.shape[1])
                ]
                for s in range(seeds_of(theta))
            ]
        )

    def pullback(
        self, net: Function, theta: Tensors, x: np.ndarray, v: np.ndarray
    ) -> Tensors:
        """J^T v, a sum over samples."""
        flat = np.einsum("snop,sno->sp", self.factors(net, theta, x), v)
        ends = np.cumsum([array[0].size for array in theta.values()])[:-1]
        parts = zip(theta.items(), np.split(flat, ends, axis=1), strict=True)
        return {name: part.reshape(array.shape) for (name, array), part in parts}
