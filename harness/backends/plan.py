"""What a training run is told, and what it gives back."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from harness import seeds
from harness.arrays import as_array
from harness.backends.batch import Batch
from harness.backends.operations import SGD, Adam, Loss, Optimizer
from harness.errors import InvalidInput
from harness.networks import Theta


@dataclass(frozen=True)
class Stop:
    """When a seed stops before the last step; without any criterion it never does.

    A seed whose outputs are not finite has reached nothing; it ends as "diverged".

    Args:
        loss: as soon as the training loss is at most this. With full batches this is seen at every
            step.
        accuracy: as soon as the training accuracy (arg max over outputs; the sign for one output)
            is at least this.
        validation: (x, y); the weights with the lowest validation loss are the result.
        patience: with validation, stop after this many checks without a new lowest loss; None: run
            to the end.
        every: steps between two checks of accuracy, validation and, with minibatches, of the
            training loss.
    """

    loss: float | None = None
    accuracy: float | None = None
    validation: tuple[np.ndarray, np.ndarray] | None = None
    patience: int | None = None
    every: int = 10

    def __post_init__(self) -> None:
        for name in ("loss", "accuracy"):
            value = getattr(self, name)
            if value is not None and np.isnan(value):
                raise InvalidInput(
                    f"{name} must be a number or None (no such criterion); got {value!r}."
                )
        if self.every < 1 or (self.patience is not None and self.patience < 1):
            raise InvalidInput(
                f"every and patience must be at least 1; got {self.every!r} and {self.patience!r}."
            )
        if self.patience is not None and self.validation is None:
            raise InvalidInput(
                "patience counts checks on validation data; give validation=(x, y) too."
            )


@dataclass(frozen=True)
class Trained:
    """The outcome of training. With seeds every array but `validation_steps` has their axis.

    Attributes:
        theta: the weights at the end; with validation those of the lowest validation loss.
        steps: steps taken, (S,).
        loss: training loss of `theta`, (S,).
        reason: why each seed ended, (S,): "loss", "accuracy", "validation", "steps" or "diverged"
            (its last training or validation loss is not finite).
        losses: the loss before each step, on that step's samples, (S, T); NaN after a seed has
            stopped.
        checkpoints: step -> weights; of a seed that had stopped by then, the weights it stopped
            with.
        validation: validation loss at each check, (S, checks); NaN after a seed has stopped.
        validation_steps: the steps of these checks, (checks,).
    """

    theta: Theta
    steps: np.ndarray
    loss: np.ndarray
    reason: np.ndarray
    losses: np.ndarray
    checkpoints: dict[int, Theta]
    validation: np.ndarray
    validation_steps: np.ndarray

    def single(self) -> "Trained":
        """The outcome of the only seed, without its axis."""
        first = {
            name: getattr(self, name)[0]
            for name in ("steps", "loss", "reason", "losses", "validation")
        }
        drop = {
            step: {name: a[0] for name, a in theta.items()}
            for step, theta in self.checkpoints.items()
        }
        return replace(
            self,
            theta={name: a[0] for name, a in self.theta.items()},
            checkpoints=drop,
            **first,
        )


@dataclass(frozen=True)
class Sampling:
    """Which samples are trained on, and in which order; see `Backend.train`."""

    batch_size: int | None
    batch_seed: int | Sequence[int]
    samples: int | None


@dataclass(frozen=True)
class Plan:
    """The registered part of a run: optimizer, rates per step and seed, batches, checkpoints,
    loss.
    """

    optimizer: Optimizer
    rates: np.ndarray
    batch_size: int | None
    lanes: tuple[tuple[int, int], ...]
    samples: int
    checkpoints: tuple[int, ...]
    loss: Loss = "squared"

    @staticmethod
    def of(
        batch: Batch,
        optimizer: Optimizer,
        sampling: Sampling,
        *,
        steps: int,
        schedule: np.ndarray | None,
        checkpoints: tuple[int, ...],
    ) -> "Plan":
        """Checks the arguments of `Backend.train`; raises InvalidInput."""
        batch_size = sampling.batch_size
        samples = _samples(sampling.samples, batch.data["x"].shape[1])
        if not isinstance(optimizer, SGD | Adam):
            raise InvalidInput(
                f"optimizer must be SGD(...) or Adam(...); got {optimizer!r}."
            )
        if steps < 0:
            raise InvalidInput(f"steps must be at least 0; got {steps!r}.")
        if batch_size is not None and not 1 <= batch_size <= samples:
            raise InvalidInput(
                f"batch_size must lie in 1..{samples}, the number of samples; got {batch_size!r}."
            )
        rate = as_array("learning_rate", optimizer.learning_rate).astype(float)
        if (
            rate.shape not in ((), (batch.seeds,))
            or not (np.isfinite(rate) & (rate > 0)).all()
        ):
            raise InvalidInput(
                f"learning_rate must be positive, a number or one per seed ({batch.seeds}); got "
                f"{rate}."
            )
        factors = (
            np.ones(steps)
            if schedule is None
            else as_array("schedule", schedule).astype(float)
        )
        if (
            factors.shape != (steps,)
            or not (np.isfinite(factors) & (factors >= 0)).all()
        ):
            got = factors if factors.shape == (steps,) else factors.shape
            raise InvalidInput(
                f"schedule must have one finite factor >= 0 per step, shape ({steps},); got {got}."
            )
        if not all(0 <= step <= steps for step in checkpoints):
            raise InvalidInput(
                f"checkpoints must lie in 0..{steps}, the number of steps; got {checkpoints}."
            )
        rates = factors[:, None] * np.broadcast_to(rate, batch.seeds)
        lanes = _lanes(sampling.batch_seed, batch.seeds)
        return Plan(
            optimizer,
            rates,
            batch_size,
            lanes,
            samples,
            tuple(sorted(set(checkpoints))),
        )

    @property
    def steps(self) -> int:
        """The most steps taken."""
        return len(self.rates)

    def batches(self, start: int, stop: int) -> np.ndarray | None:
        """Sample indices of the steps in [start, stop), (steps, S, B); None for full batches.

        An epoch is a fresh permutation per seed, cut into whole batches; what is left over is
        dropped.
        """
        if self.batch_size is None:
            return None
        per_epoch = self.samples // self.batch_size
        epochs = range(start // per_epoch, (stop - 1) // per_epoch + 1)
        order = np.concatenate([self._epoch(epoch, per_epoch) for epoch in epochs])
        first = epochs.start * per_epoch
        return order[start - first : stop - first]

    def _epoch(self, epoch: int, per_epoch: int) -> np.ndarray:
        size = self.batch_size or self.samples
        orders = [
            seeds.generator("batches", seed=seed, lane=lane, epoch=epoch).permutation(
                self.samples
            )
            for seed, lane in self.lanes
        ]
        return np.stack(
            [order[: per_epoch * size].reshape(per_epoch, size) for order in orders],
            axis=1,
        )


def _samples(samples: int | None, there: int) -> int:
    if samples is not None and not 1 <= samples <= there:
        raise InvalidInput(
            f"samples must lie in 1..{there}, the number of samples given; got {samples!r}."
        )
    return there if samples is None else int(samples)


def _lanes(batch_seed: int | Sequence[int], count: int) -> tuple[tuple[int, int], ...]:
    """What each seed's order of minibatches is drawn from: its own batch seed, or one for all and
    its place.
    """
    if isinstance(batch_seed, (int, np.integer)):
        return tuple((int(batch_seed), lane) for lane in range(count))
    if len(batch_seed) != count:
        raise InvalidInput(
            f"batch_seed must be one integer, or one per seed ({count}); got {len(batch_seed)}."
        )
    return tuple((int(seed), 0) for seed in batch_seed)
