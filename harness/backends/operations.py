"""What a backend file provides: operations on its own arrays. Everything else is shared, in NumPy.

A backend file `<name>_backend.py` defines `operations(device, dtype)`, which returns an object of
this protocol or raises BackendUnavailable. Inside it every array has a leading seed axis: weights
(S, fan_out, fan_in) and (S, fan_out), inputs (S, N, n_0), or (1, N, n_0) if all seeds share them.
No array of a framework leaves it but through `fetch`.
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np

Outputs = Literal["trace", "full"]
Loss = Literal["squared", "cross-entropy"]
"""What is descended on; `Backend.train` has the formulas."""
Tensor = Any
Tensors = dict[str, Tensor]
Net = Any
"""A Network, or in the operations that `autodiff` returns, a Function."""


@dataclass(frozen=True)
class SGD:
    """Gradient descent, v <- momentum v + g, theta <- theta - learning_rate v.

    `learning_rate` is a number, or one per seed, shape (S,).
    """

    learning_rate: float | np.ndarray
    momentum: float = 0.0


@dataclass(frozen=True)
class Adam:
    """Adam with bias correction (Kingma, Ba 2015, algorithm 1); `learning_rate` as in SGD."""

    learning_rate: float | np.ndarray
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8


Optimizer = SGD | Adam


@dataclass
class Descent:
    """Where a training run stands, in the arrays of its backend.

    Attributes:
        theta: weights.
        slots: momentum, or first and second moments, per parameter.
        active: (S,) bool, the seeds that still train; the others keep their weights.
        step: number of steps taken by the active seeds.
    """

    theta: Tensors
    slots: tuple[Tensors, ...]
    active: Tensor
    step: int


@dataclass(frozen=True)
class Steps:
    """A run of steps of descent on a loss.

    Step k uses the samples batches[k] and the learning rates rates[k].

    Attributes:
        optimizer: whose learning rate is not looked at; the rates are `rates`.
        data: inputs x (S or 1, N, n_0) and targets y (S, N, O), on the device.
        batches: (steps, S, B) indices of samples, on the device; None: all samples at every step.
        rates: (steps, S).
        target: a seed whose loss is at most this stops and keeps its weights; None: no such loss.
        loss: what is descended on.
    """

    optimizer: Optimizer
    data: tuple[Tensor, Tensor]
    batches: Tensor | None
    rates: np.ndarray
    target: float | None
    loss: Loss = "squared"


class Operations(Protocol):
    """The waist between NumPy and a framework."""

    device: str
    dtype: str

    def session(self) -> AbstractContextManager[Any]:
        """Entered around every call: precision (TF32 off, x64 where asked), device, no global left
        changed.
        """

    def put(self, array: np.ndarray) -> Tensor:
        """A NumPy array to the device; floating arrays in this backend's dtype."""

    def fetch(self, tensor: Tensor) -> np.ndarray:
        """Back to NumPy."""

    def autodiff(self) -> "Operations":
        """The same operations for a `networks.Function`, by automatic differentiation."""

    def outdated(self, net: Net, theta: Tensors, x: Tensor, f: np.ndarray) -> bool:
        """Of a `networks.Function` and one seed: whether f is no longer f(theta, x), since a
        compiled program is old.

        What is called after that is compiled anew.
        """

    def forward(self, net: Net, theta: Tensors, x: Tensor) -> Tensor:
        """f(x), (S, N, O)."""

    def factors(self, net: Net, theta: Tensors, x: Tensor) -> Any:
        """What one side of a kernel block needs: activations and backpropagated signals (the
        oracle: the Jacobian).
        """

    def contract(self, net: Net, left: Any, right: Any, outputs: Outputs) -> Tensor:
        """The kernel block of two sides: (S, N1, N2) for "trace", (S, N1, N2, O, O) for "full".

        Where right is left, only what stands on and above the diagonal is read.
        """

    def sample_bytes(self, net: Net) -> int:
        """Memory that `factors` takes for one sample of one seed."""

    def pullback(self, net: Net, theta: Tensors, x: Tensor, v: Tensor) -> Tensors:
        """J^T v, shaped like the weights; v is (S, N, O)."""

    def pushforward(
        self, net: Net, theta: Tensors, x: Tensor, tangent: Tensors
    ) -> Tensor:
        """J u, (S, N, O); u is shaped like the weights."""

    def ntk_samples(self, net: Net, x: Tensor, noise: Tensors) -> Tensor:
        """Theta(x, x) of fresh networks, without their weight matrices, (draws,); see
        `Backend.ntk_samples`.
        """

    def fill_infinite(
        self,
        net: Net,
        x1: np.ndarray,
        x2: np.ndarray | None,
        *,
        tangent: bool,
        memory: int,
        out: np.ndarray,
    ) -> None:
        """Writes the infinite-width NTK, or NNGP, into `out` (N1, N2), with about `memory` bytes of
        blocks.

        Inputs are float64, NumPy; x2 is None for x1 itself. A framework calls
        `infinite_width.fill`.
        """

    def solve_ridges(
        self, gram: np.ndarray, y: np.ndarray, ridges: np.ndarray
    ) -> np.ndarray:
        """(gram + ridge I)^-1 y for each ridge, (R, N, O), all float64 and NumPy; NaN where that is
        not positive.

        gram is exactly symmetric, (N, N); y is (N, O).
        """

    def advance(
        self, net: Net, descent: Descent, steps: Steps
    ) -> tuple[Descent, Tensor]:
        """A run of steps, and the loss before each, (steps, S).

        A seed whose loss is at most the target, or not finite, stops and keeps its weights.
        """


def moments(optimizer: Optimizer) -> int:
    """How many slots an optimizer keeps per parameter."""
    return 2 if isinstance(optimizer, Adam) else 1 if optimizer.momentum else 0


def shapes(theta: Mapping[str, np.ndarray]) -> str:
    """Names and shapes of weights, for messages."""
    return ", ".join(
        f"{name} {tuple(np.shape(array))}" for name, array in theta.items()
    )
