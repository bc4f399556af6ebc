"""Training of the linearised network in the space of functions, with its kernel.

SGD on the linearised network moves its weights within the span of J^T: theta = theta_0 - J^T a with
one number per training sample and output, a (N, O). So

    v <- momentum v + g,    a <- a + rate v,    f = f_0 - Theta(., x) a,

where g is the derivative of the loss in the outputs on this step's batch, and zero elsewhere. It is
the same descent, not a limit of it: same rate, batches, momentum and number of steps, any loss.
"""

from dataclasses import dataclass

import numpy as np

from harness.backends import SGD
from harness.backends.losses import LOSSES
from harness.own.stability import softmax


@dataclass(frozen=True)
class Problem:
    """What is trained on.

    Attributes:
        kernel: of training and test samples with training ones, ((N + T) O, N O).
        start: f_0 on both, (N + T, O).
        y: (N, O).
        loss: "squared" or "cross-entropy".
    """

    kernel: np.ndarray
    start: np.ndarray
    y: np.ndarray
    loss: str

    def outputs(self, a: np.ndarray) -> np.ndarray:
        """f on both, (N + T, O)."""
        moved = self.kernel @ a.reshape(-1).astype(self.kernel.dtype)
        return self.start - moved.reshape(self.start.shape)

    def trained(self, a: np.ndarray) -> np.ndarray:
        """f on the training samples, (N, O)."""
        own = self.kernel[: a.size]
        moved = own @ a.reshape(-1).astype(self.kernel.dtype)
        return self.start[: len(a)] - moved.reshape(a.shape)

    def loss_of(self, f: np.ndarray) -> float:
        """The training loss of outputs on the training samples."""
        return float(LOSSES[self.loss](f[None], self.y[None])[0])

    def derivative(self, f: np.ndarray, batch: np.ndarray | None) -> np.ndarray:
        """Of the loss in f (N, O), averaged over a batch; zero for other samples."""
        each = self._of_each(f)
        if batch is None:
            return np.asarray(each / len(f))
        part = np.zeros_like(each)
        part[batch] = each[batch] / len(batch)
        return part

    def _of_each(self, f: np.ndarray) -> np.ndarray:
        """The derivative of each sample's loss in f, (N, O)."""
        if self.loss == "squared":
            return np.asarray(2 * (f - self.y) / f.shape[1])
        return softmax(f) - self.y


@dataclass(frozen=True)
class Descended:
    """The linearised network after the network's number of steps, and at the network's loss.

    Attributes:
        at_steps: f on training and test samples, (N + T, O).
        at_loss: the same, where its training loss is first at most that of the network; after the
            last step if it never is.
        reached: whether it is.
    """

    at_steps: np.ndarray
    at_loss: np.ndarray
    reached: bool


def descend(
    problem: Problem,
    optimizer: SGD,
    batches: np.ndarray | None,
    *,
    steps: int,
    loss: float,
    most: int,
) -> Descended:
    """The linearised network trained as the network was.

    Args:
        problem, optimizer: what, and how.
        batches: (most, B) indices; None: full batches.
        steps: that the network took.
        loss: at which the network ended.
        most: steps at which the search for that loss is given up; at least `steps`.
    """
    rate = float(optimizer.learning_rate)
    a, v = (np.zeros(problem.y.shape) for _ in range(2))
    at_steps: np.ndarray | None = None
    at_loss: np.ndarray | None = None
    for step in range(most + 1):
        f = problem.trained(a)
        if step == steps:
            at_steps = problem.outputs(a)
        if at_loss is None and problem.loss_of(f) <= loss * (1 + 1e-6):
            at_loss = problem.outputs(a)
        if at_steps is not None and at_loss is not None:
            break
        batch = None if batches is None else batches[min(step, len(batches) - 1)]
        v = optimizer.momentum * v + problem.derivative(f, batch)
        a = a + rate * v
    assert at_steps is not None
    reached = at_loss is not None
    return Descended(
        at_steps, problem.outputs(a) if at_loss is None else at_loss, reached
    )
