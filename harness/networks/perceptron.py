"""Multilayer perceptrons."""

from collections.abc import Iterable
from typing import get_args

import numpy as np

from harness.errors import InvalidInput
from harness.networks.builder import Builder, choice, scales_of
from harness.networks.layers import Activation
from harness.networks.network import Network, Parametrization


def mlp(  # noqa: PLR0917 -- public; all but the first have defaults
    widths: Iterable[int],
    activation: Activation = "relu",
    parametrization: Parametrization = "ntk",
    sigma_w: float = 2**0.5,
    sigma_b: float | None = None,
    *,
    train_zero_biases: bool = False,
) -> Network:
    """A multilayer perceptron.

    Args:
        widths: (n_0, ..., n_D), input dimension first, number of outputs last; at least one layer.
        activation: "relu", "tanh", "erf" or "sigmoid", after every layer but the last.
        parametrization: "ntk" or "standard" (module docstring).
        sigma_w: standard deviation scale of the weights, every layer, the readout too; positive.
        sigma_b: the same for the biases. None: no bias parameters. 0.0: in "standard", biases that
            start at zero and are trained; in "ntk", biases that are scaled by zero and so add
            nothing to the output or the kernel.
        train_zero_biases: with "ntk" and sigma_b=0.0, biases that start at zero, have scale 1 and
            are trained.

    Raises:
        InvalidInput: naming the argument, its value and what is allowed.

    >>> mlp((784, 512, 10), activation="tanh", sigma_b=0.1).shapes["W2"]
    (10, 512)
    """
    widths = tuple(widths)
    if len(widths) < 2 or not all(
        isinstance(n, (int, np.integer)) and n > 0 for n in widths
    ):
        raise InvalidInput(
            f"widths must be at least two positive integers (inputs, ..., outputs); got {widths!r}."
        )
    choice("activation", activation, get_args(Activation))
    scales = scales_of(parametrization, sigma_w, sigma_b, train_zero_biases)
    builder = Builder((1, 1), int(widths[0]), activation, scales)
    for width in widths[1:-1]:
        builder.dense(int(width))
        builder.activate()
    builder.dense(int(widths[-1]))
    return builder.network()
