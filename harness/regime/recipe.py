"""How the network is trained, as options say it, and in words."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from harness.backends import SGD, Adam
from harness.errors import InvalidInput

STEPS = 1000
TARGET = 0.2
"""Part of the loss of the best constant at which training ends, unless told otherwise."""
ADAM_RATE = 1e-3
OF_EDGE = 0.5
SLOWER = 10
"""By how much the control with labels scaled up trains more slowly."""


@dataclass(frozen=True)
class Recipe:
    """Optimizer, rate, batches, steps and loss.

    Args:
        optimizer: "sgd" or "adam".
        rate: learning rate; None: of SGD half the edge of stability at the start, times (1 -
            momentum); of Adam 0.001.
        momentum: of SGD.
        batch_size: None: full batch.
        steps: the most.
        target_loss: training ends at this loss; None: at a fifth of that of the best constant.
        loss: "squared" or "cross-entropy".
        of_edge: part of the edge of stability that SGD takes as its rate, where none is given.
    """

    optimizer: str = "sgd"
    rate: float | None = None
    momentum: float = 0.0
    batch_size: int | None = None
    steps: int = STEPS
    target_loss: float | None = None
    loss: str = "squared"
    of_edge: float = OF_EDGE

    def __post_init__(self) -> None:
        positive = {
            "rate": self.rate,
            "batch size": self.batch_size,
            "number of steps": self.steps,
            "target loss": self.target_loss,
        }
        for name, value in positive.items():
            if value is not None and not (np.isfinite(value) and value > 0):
                raise InvalidInput(f"The {name} must be positive; got {value}.")
        if not 0 <= self.momentum < 1:
            raise InvalidInput(f"The momentum must lie in [0, 1); got {self.momentum}.")
        if self.momentum and self.optimizer == "adam":
            raise InvalidInput("Adam takes no momentum; leave out --momentum.")

    def record(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)

    @staticmethod
    def of(record: Mapping[str, Any]) -> "Recipe":
        """From its record."""
        return Recipe(**record)

    def made(self, edge: float) -> SGD | Adam:
        """The optimizer at an edge of stability."""
        if self.optimizer == "adam":
            return Adam(self.rate or ADAM_RATE)
        rate = self.of_edge * edge * (1 - self.momentum)
        return SGD(rate if self.rate is None else self.rate, self.momentum)

    def target(self, y: np.ndarray) -> float:
        """The loss at which training on y (N, O) ends."""
        if self.target_loss is not None:
            return self.target_loss
        mean = y.mean(axis=0)
        if self.loss == "squared":
            return TARGET * float(((y - mean) ** 2).mean())
        return TARGET * float(-(mean * np.log(np.maximum(mean, 1e-12))).sum())

    def scaled(self, factor: float) -> "Recipe":
        """For labels that are so many times as large: the squared loss, and a target like it.

        The rate is a tenth, since the kernel grows, and the edge of stability falls with it.
        """
        target = self.target_loss if self.loss == "squared" else None
        return replace(
            self,
            loss="squared",
            target_loss=None if target is None else target * factor**2,
            rate=None if self.rate is None else self.rate / SLOWER,
            of_edge=self.of_edge / SLOWER,
        )

    def describe(self) -> str:
        """In a sentence."""
        names = {"sgd": "gradient descent", "adam": "Adam"}
        momentum = f" with momentum {self.momentum:g}" if self.momentum else ""
        batches = (
            "full batches"
            if self.batch_size is None
            else f"batches of {self.batch_size}"
        )
        end = (
            f"{100 * TARGET:g} % of the loss of the best constant"
            if self.target_loss is None
            else f"the loss {self.target_loss:g}"
        )
        loss = "the mean squared error" if self.loss == "squared" else "cross-entropy"
        return (
            f"{names[self.optimizer]}{momentum} on {loss}, {batches}, {self._rate()}, until "
            f"{end}, at most {self.steps} steps"
        )

    def _rate(self) -> str:
        if self.rate is not None:
            return f"learning rate {self.rate:g}"
        if self.optimizer == "adam":
            return f"learning rate {ADAM_RATE:g}"
        shrunk = " times (1 - momentum)" if self.momentum else ""
        return f"learning rate at half the edge of stability{shrunk}"
