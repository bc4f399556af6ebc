"""What training descends on: losses of outputs f and targets y, both (S, N, O), in NumPy.

    squared        mean over samples n and outputs o of (f_no - y_no)^2
    cross-entropy  mean over samples n of - sum_o y_no log p_no,  p_no = e^f_no / sum_k e^f_nk

A backend writes the gradients of its own; these are the losses that the training loop stops by.
"""

from collections.abc import Callable, Mapping
from typing import get_args

import numpy as np

from harness.backends.operations import Loss
from harness.errors import InvalidInput

WHOLE = 1e-6
"""By how much the probabilities of a sample may miss a sum of one: they may come in float32."""


def squared(f: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Mean squared error over samples and outputs, per seed, (S,)."""
    with np.errstate(
        over="ignore", invalid="ignore"
    ):  # of a seed that diverged; its loss says so
        return np.asarray(((f.astype(float) - y) ** 2).mean(axis=(1, 2)))


def cross_entropy(f: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Mean cross-entropy over samples, in nats, per seed, (S,).

    The largest output is subtracted first, so that no exponential overflows.

    >>> float(cross_entropy(np.array([[[1000.0, 0.0]]]), np.array([[[0.0, 1.0]]]))[0])
    1000.0
    """
    with np.errstate(over="ignore", invalid="ignore"):  # as above
        shifted = f.astype(float) - f.max(axis=2, keepdims=True)
        normaliser = np.log(np.exp(shifted).sum(axis=2, keepdims=True))
        per_sample = (y * (normaliser - shifted)).sum(axis=2)
        return np.asarray(per_sample.mean(axis=1))


LOSSES: Mapping[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "squared": squared,
    "cross-entropy": cross_entropy,
}


def checked_loss(loss: str) -> Loss:
    """The loss of that name.

    Raises:
        InvalidInput: naming those that there are.
    """
    for known in get_args(Loss):
        if loss == known:
            return known  # type: ignore[no-any-return]  # get_args has no types
    raise InvalidInput(f"Unknown loss {loss!r}. Allowed: {', '.join(get_args(Loss))}.")


def checked_targets(name: str, y: np.ndarray, loss: Loss) -> None:
    """Raises InvalidInput unless the loss is defined for targets y, (S, N, O) or (N, O).

    Cross-entropy needs the probabilities of at least two classes: one-hot rows, or others that are
    not negative and have the sum 1.
    """
    if loss != "cross-entropy":
        return
    if y.shape[-1] < 2:
        raise InvalidInput(
            f"Cross-entropy needs a network with at least 2 outputs; {name} has 1 column. "
            'Take loss="squared" with targets -1 and 1.'
        )
    totals = y.sum(axis=-1)
    wrong = (np.abs(totals - 1) > WHOLE) | (y < 0).any(axis=-1)
    if wrong.any():
        row = tuple(int(i) for i in np.argwhere(wrong)[0])
        raise InvalidInput(
            f"Cross-entropy needs probabilities: {name} >= 0 with the sum 1 in every row; row "
            f"{row} is {y[row]}. Of class labels take np.eye({y.shape[-1]})[labels]."
        )
