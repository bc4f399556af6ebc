"""The training loop: which samples and rates at which step, who stops when, what is kept. Shared by all backends.

The device does runs of steps (`Operations.advance`); between two runs this loop, in NumPy, checks, keeps and stops.
"""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from harness import seeds
from harness.backends.batch import Batch, checked
from harness.backends.operations import SGD, Adam, Descent, Operations, Optimizer, moments
from harness.errors import InvalidInput
from harness.networks import MLP, Theta

RUN = 50  # Steps between two looks at the device: long enough to hide the synchronisation, short enough to stop soon.


@dataclass(frozen=True)
class Stop:
    """When a seed stops before the last step; without any criterion it never does.

    Args:
        loss: as soon as the training loss is at most this. With full batches this is seen at every step.
        accuracy: as soon as the training accuracy (arg max over outputs; the sign for one output) is at least this.
        validation: (x, y); the weights with the lowest validation loss are the result.
        patience: with validation, stop after this many checks without a new lowest loss; None: run to the end.
        every: steps between two checks of accuracy, validation and, with minibatches, of the training loss.
    """

    loss: float | None = None
    accuracy: float | None = None
    validation: tuple[np.ndarray, np.ndarray] | None = None
    patience: int | None = None
    every: int = 10

    def __post_init__(self) -> None:
        if self.every < 1 or (self.patience is not None and self.patience < 1):
            raise InvalidInput(f"every and patience must be at least 1; got {self.every!r} and {self.patience!r}.")
        if self.patience is not None and self.validation is None:
            raise InvalidInput("patience counts checks on validation data; give validation=(x, y) too.")


@dataclass(frozen=True)
class Trained:
    """The outcome of training. With seeds every array but `validation_steps` has their axis.

    Attributes:
        theta: the weights at the end; with validation those of the lowest validation loss.
        steps: steps taken, (S,).
        loss: training loss of `theta`, (S,).
        reason: why each seed ended, (S,): "loss", "accuracy", "validation", "steps" or "diverged" (loss not finite).
        losses: the loss before each step, on that step's samples, (S, T); NaN after a seed has stopped.
        checkpoints: step -> weights; of a seed that had stopped by then, the weights it stopped with.
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
        first = {name: getattr(self, name)[0] for name in ("steps", "loss", "reason", "losses", "validation")}
        drop = {step: {name: a[0] for name, a in theta.items()} for step, theta in self.checkpoints.items()}
        return replace(self, theta={name: a[0] for name, a in self.theta.items()}, checkpoints=drop, **first)


@dataclass(frozen=True)
class Plan:
    """The registered part of a run: optimizer, rates per step and seed, batches, checkpoints."""

    optimizer: Optimizer
    rates: np.ndarray
    batch_size: int | None
    batch_seed: int
    samples: int
    checkpoints: tuple[int, ...]

    @staticmethod
    def of(
        batch: Batch,
        optimizer: Optimizer,
        steps: int,
        batch_size: int | None,
        batch_seed: int,
        schedule: np.ndarray | None,
        checkpoints: tuple[int, ...],
    ) -> "Plan":
        """Checks the arguments of `Backend.train`; raises InvalidInput."""
        samples = batch.data["x"].shape[1]
        if not isinstance(optimizer, SGD | Adam):
            raise InvalidInput(f"optimizer must be SGD(...) or Adam(...); got {optimizer!r}.")
        if steps < 0:
            raise InvalidInput(f"steps must be at least 0; got {steps!r}.")
        if batch_size is not None and not 1 <= batch_size <= samples:
            raise InvalidInput(f"batch_size must lie in 1..{samples}, the number of samples; got {batch_size!r}.")
        rate = np.asarray(optimizer.learning_rate, dtype=float)
        if rate.shape not in ((), (batch.seeds,)) or not (np.isfinite(rate) & (rate > 0)).all():
            raise InvalidInput(f"learning_rate must be positive, a number or one per seed ({batch.seeds}); got {rate}.")
        factors = np.ones(steps) if schedule is None else np.asarray(schedule, dtype=float)
        if factors.shape != (steps,) or not (np.isfinite(factors) & (factors >= 0)).all():
            got = factors if factors.shape == (steps,) else factors.shape
            raise InvalidInput(f"schedule must have one finite factor >= 0 per step, shape ({steps},); got {got}.")
        if not all(0 <= step <= steps for step in checkpoints):
            raise InvalidInput(f"checkpoints must lie in 0..{steps}, the number of steps; got {checkpoints}.")
        rates = factors[:, None] * np.broadcast_to(rate, batch.seeds)
        return Plan(optimizer, rates, batch_size, batch_seed, samples, tuple(sorted(set(checkpoints))))

    @property
    def steps(self) -> int:
        """The most steps taken."""
        return len(self.rates)

    def batches(self, start: int, stop: int) -> np.ndarray | None:
        """Sample indices of the steps in [start, stop), (steps, S, B); None for full batches.

        An epoch is a fresh permutation per seed, cut into whole batches; what is left over is dropped.
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
            seeds.generator("batches", seed=self.batch_seed, lane=lane, epoch=epoch).permutation(self.samples)
            for lane in range(self.rates.shape[1])
        ]
        return np.stack([order[: per_epoch * size].reshape(per_epoch, size) for order in orders], axis=1)


@dataclass
class Watch:
    """What the loop keeps while it runs, per seed."""

    steps: np.ndarray
    reason: np.ndarray
    best: np.ndarray
    since_best: np.ndarray
    best_theta: dict[str, Any]
    losses: list[np.ndarray] = field(default_factory=list)
    checkpoints: dict[int, Theta] = field(default_factory=dict)
    validation: list[np.ndarray] = field(default_factory=list)
    validation_steps: list[int] = field(default_factory=list)


def descend(
    ops: Operations, net: MLP, theta: Theta, data: tuple[np.ndarray, np.ndarray], plan: Plan, stop: Stop
) -> Trained:
    """Runs the plan until every seed has stopped or the steps are used up; `Backend.train` says what is returned."""
    seeds_count = plan.rates.shape[1]
    validation = _validation_data(ops, net, stop, seeds_count)
    x, y = ops.put(data[0]), ops.put(data[1])
    weights = {name: ops.put(array) for name, array in theta.items()}
    slots = tuple({n: ops.put(np.zeros_like(a)) for n, a in theta.items()} for _ in range(moments(plan.optimizer)))
    descent = Descent(weights, slots, ops.put(np.ones(seeds_count, dtype=bool)), 0)
    watch = Watch(
        steps=np.zeros(seeds_count, dtype=int),
        reason=np.full(seeds_count, "", dtype="U10"),
        best=np.full(seeds_count, np.inf),
        since_best=np.zeros(seeds_count, dtype=int),
        best_theta=dict(theta),
    )
    # In the backend's precision, so that device and record compare with the same number.
    target = None if stop.loss is None or plan.batch_size else float(np.asarray(stop.loss, dtype=ops.dtype))
    while True:
        _look(ops, net, descent, (x, y), validation, stop, plan, watch)
        if descent.step == plan.steps or not ops.fetch(descent.active).any():
            break
        start, end = descent.step, _next_look(descent.step, plan, stop)
        batches = plan.batches(start, end)
        descent, losses = ops.advance(
            net,
            descent,
            plan.optimizer,
            (x, y),
            None if batches is None else ops.put(batches),
            plan.rates[start:end],
            target,
        )
        _record(ops, descent, np.asarray(ops.fetch(losses), dtype=float), target, watch)
    return _outcome(ops, net, descent, (x, y), plan, stop, watch)


def _next_look(step: int, plan: Plan, stop: Stop) -> int:
    looks = [step + RUN, plan.steps, *(c for c in plan.checkpoints if c > step)]
    if stop.accuracy is not None or stop.validation is not None or (stop.loss is not None and plan.batch_size):
        looks.append((step // stop.every + 1) * stop.every)
    return min(looks)


def _record(ops: Operations, descent: Descent, losses: np.ndarray, target: float | None, watch: Watch) -> None:
    """Losses of a run of steps, (steps, S), into the record; seeds that the device stopped get their reason."""
    running = watch.reason == ""
    stopped = ~np.isfinite(losses) if target is None else ~np.isfinite(losses) | (losses <= target)
    halted = stopped.any(axis=0) & running
    first = np.where(halted, stopped.argmax(axis=0), len(losses))
    watch.steps[running] += first[running]
    for s in np.flatnonzero(halted):
        watch.reason[s] = "loss" if np.isfinite(losses[first[s], s]) else "diverged"
    seen = (np.arange(len(losses))[:, None] <= first) & running
    watch.losses.append(np.where(seen, losses, np.nan))


def _look(
    ops: Operations,
    net: MLP,
    descent: Descent,
    data: tuple[Any, Any],
    validation: tuple[Any, np.ndarray] | None,
    stop: Stop,
    plan: Plan,
    watch: Watch,
) -> None:
    """Keeps a checkpoint that is due, and stops seeds by accuracy, by validation, or by loss with minibatches."""
    if descent.step in plan.checkpoints:
        watch.checkpoints[descent.step] = _fetched(ops, descent.theta)
    if descent.step % stop.every and descent.step < plan.steps:
        return
    running = watch.reason == ""
    done = {}
    if stop.accuracy is not None or (stop.loss is not None and plan.batch_size):
        f, y = np.asarray(ops.fetch(ops.forward(net, descent.theta, data[0]))), np.asarray(ops.fetch(data[1]))
        if stop.accuracy is not None:
            done["accuracy"] = accuracy(f, y) >= stop.accuracy
        if stop.loss is not None and plan.batch_size:
            done["loss"] = squared(f, y) <= stop.loss
    if validation is not None:
        done["validation"] = _validate(ops, net, descent, validation, stop, watch, running)
    for reason, seeds_done in done.items():
        watch.reason[seeds_done & running & (watch.reason == "")] = reason
    descent.active = ops.put(watch.reason == "")


def _validate(
    ops: Operations,
    net: MLP,
    descent: Descent,
    validation: tuple[Any, np.ndarray],
    stop: Stop,
    watch: Watch,
    running: np.ndarray,
) -> np.ndarray:
    """Validation loss now; keeps the weights of seeds at a new lowest; who has lost patience, (S,) bool."""
    losses = squared(np.asarray(ops.fetch(ops.forward(net, descent.theta, validation[0]))), validation[1])
    better = running & (losses < watch.best)
    watch.best = np.where(better, losses, watch.best)
    watch.since_best = np.where(better, 0, watch.since_best + running)
    if better.any():
        now = _fetched(ops, descent.theta)
        for name, best in watch.best_theta.items():
            mask = better.reshape(-1, *[1] * (best.ndim - 1))
            watch.best_theta[name] = np.where(mask, now[name], best)
    watch.validation.append(np.where(running, losses, np.nan))
    watch.validation_steps.append(descent.step)
    patience = np.inf if stop.patience is None else stop.patience
    return np.asarray(watch.since_best >= patience)


def _outcome(
    ops: Operations, net: MLP, descent: Descent, data: tuple[Any, Any], plan: Plan, stop: Stop, watch: Watch
) -> Trained:
    theta = _fetched(ops, descent.theta)
    if stop.validation is not None:
        theta = {name: np.asarray(best, dtype=theta[name].dtype) for name, best in watch.best_theta.items()}
    weights = {name: ops.put(array) for name, array in theta.items()}
    loss = squared(np.asarray(ops.fetch(ops.forward(net, weights, data[0]))), np.asarray(ops.fetch(data[1])))
    # The last step may have reached the target; its loss is seen only here.
    if stop.loss is not None and stop.validation is None:
        watch.reason[(watch.reason == "") & (loss <= stop.loss)] = "loss"
    watch.reason[(watch.reason == "") & ~np.isfinite(loss)] = "diverged"
    watch.reason[watch.reason == ""] = "steps"
    for step in plan.checkpoints:
        watch.checkpoints.setdefault(step, _fetched(ops, descent.theta))
    count = len(watch.steps)
    return Trained(
        theta=theta,
        steps=watch.steps,
        loss=loss,
        reason=watch.reason,
        losses=np.concatenate(watch.losses).T if watch.losses else np.empty((count, 0)),
        checkpoints=watch.checkpoints,
        validation=np.stack(watch.validation, axis=1) if watch.validation else np.empty((count, 0)),
        validation_steps=np.array(watch.validation_steps, dtype=int),
    )


def _validation_data(ops: Operations, net: MLP, stop: Stop, seeds_count: int) -> tuple[Any, np.ndarray] | None:
    if stop.validation is None:
        return None
    x = checked("validation x", stop.validation[0], net.inputs, ndim=(2, 3))
    y = checked("validation y", stop.validation[1], net.outputs, ndim=(2, 3))
    if x.shape[-2] != y.shape[-2] or any(a.ndim == 3 and len(a) != seeds_count for a in (x, y)):
        raise InvalidInput(
            f"validation x and y must have equally many samples, and {seeds_count} seeds or no seed axis; "
            f"got {x.shape} and {y.shape}."
        )
    return ops.put(x if x.ndim == 3 else x[None]), y


def _fetched(ops: Operations, theta: dict[str, Any]) -> Theta:
    """A copy: some backends update weights in place."""
    return {name: np.array(ops.fetch(tensor)) for name, tensor in theta.items()}


def squared(f: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Mean squared error over samples and outputs, per seed, (S,)."""
    with np.errstate(over="ignore", invalid="ignore"):  # of a seed that diverged; its loss says so
        return np.asarray(((f.astype(float) - y) ** 2).mean(axis=(1, 2)))


def accuracy(f: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Fraction of samples whose arg max (one output: sign) is right, per seed, (S,)."""
    right = (f > 0) == (y > 0) if f.shape[2] == 1 else (f.argmax(axis=2) == y.argmax(axis=2))[..., None]
    return np.asarray(right.mean(axis=(1, 2)))
