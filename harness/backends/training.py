"""The training loop: which samples and rates at which step, who stops when, what is kept.

Shared by all backends.

The device does runs of steps (`Operations.advance`); between two runs this loop, in NumPy, checks,
keeps and stops.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from harness.backends.batch import checked
from harness.backends.losses import LOSSES, checked_targets
from harness.backends.operations import Descent, Operations, Steps, moments
from harness.backends.plan import Plan, Stop, Trained
from harness.errors import InvalidInput
from harness.networks import Function, Network, Theta

# Steps between two looks at the device: long enough to hide the synchronisation, short enough to
# stop soon.
RUN = 50


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


@dataclass(frozen=True)
class Training:
    """What stays as it is while a network is trained.

    Attributes:
        data: inputs x (S or 1, N, n_0) and targets y (S, N, O), on the device.
        validation: inputs on the device, and targets; None without a validation set.
    """

    ops: Operations
    net: Network | Function
    data: tuple[Any, Any]
    validation: tuple[Any, np.ndarray] | None
    plan: Plan
    stop: Stop


def descend(
    ops: Operations,
    net: Network | Function,
    theta: Theta,
    data: tuple[np.ndarray, np.ndarray],
    *,
    plan: Plan,
    stop: Stop,
) -> Trained:
    """Runs the plan until every seed has stopped or the steps are used up; `Backend.train` says
    what is returned.
    """
    seeds_count = plan.rates.shape[1]
    validation = _validation_data(ops, net, plan, stop)
    # Minibatches pick their samples; a full batch is those that are trained on.
    rows = slice(None if plan.batch_size else plan.samples)
    x, y = ops.put(data[0][:, rows]), ops.put(data[1][:, rows])
    training = Training(ops, net, (x, y), validation, plan, stop)
    weights = {name: ops.put(array) for name, array in theta.items()}
    slots = tuple(
        {n: ops.put(np.zeros_like(a)) for n, a in theta.items()}
        for _ in range(moments(plan.optimizer))
    )
    descent = Descent(weights, slots, ops.put(np.ones(seeds_count, dtype=bool)), 0)
    watch = Watch(
        steps=np.zeros(seeds_count, dtype=int),
        reason=np.full(seeds_count, "", dtype="U10"),
        best=np.full(seeds_count, np.inf),
        since_best=np.zeros(seeds_count, dtype=int),
        best_theta=dict(theta),
    )
    # In the backend's precision, so that device and record compare with the same number.
    target = (
        None
        if stop.loss is None or plan.batch_size
        else float(np.asarray(stop.loss, dtype=ops.dtype))
    )
    while True:
        _look(training, descent, watch)
        if descent.step == plan.steps or not ops.fetch(descent.active).any():
            break
        start, end = descent.step, _next_look(descent.step, plan, stop)
        batches = plan.batches(start, end)
        steps = Steps(
            optimizer=plan.optimizer,
            data=(x, y),
            batches=None if batches is None else ops.put(batches),
            rates=plan.rates[start:end],
            target=target,
            loss=plan.loss,
        )
        descent, losses = ops.advance(net, descent, steps)
        _record(np.asarray(ops.fetch(losses), dtype=float), target, watch)
    return _outcome(training, descent, watch)


def _next_look(step: int, plan: Plan, stop: Stop) -> int:
    looks = [step + RUN, plan.steps, *(c for c in plan.checkpoints if c > step)]
    if (
        stop.accuracy is not None
        or stop.validation is not None
        or (stop.loss is not None and plan.batch_size)
    ):
        looks.append((step // stop.every + 1) * stop.every)
    return min(looks)


def _record(losses: np.ndarray, target: float | None, watch: Watch) -> None:
    """Losses of a run of steps, (steps, S), into the record; seeds that the device stopped get
    their reason.
    """
    running = watch.reason == ""
    stopped = (
        ~np.isfinite(losses)
        if target is None
        else ~np.isfinite(losses) | (losses <= target)
    )
    halted = stopped.any(axis=0) & running
    first = np.where(halted, stopped.argmax(axis=0), len(losses))
    watch.steps[running] += first[running]
    for s in np.flatnonzero(halted):
        watch.reason[s] = "loss" if np.isfinite(losses[first[s], s]) else "diverged"
    seen = (np.arange(len(losses))[:, None] <= first) & running
    watch.losses.append(np.where(seen, losses, np.nan))


def _look(training: Training, descent: Descent, watch: Watch) -> None:
    """Keeps a checkpoint that is due, and stops seeds by accuracy, by validation, or by loss with
    minibatches.
    """
    ops, plan, stop = training.ops, training.plan, training.stop
    if descent.step in plan.checkpoints:
        watch.checkpoints[descent.step] = _fetched(ops, descent.theta)
    if descent.step % stop.every and descent.step < plan.steps:
        return
    running = watch.reason == ""
    done = {}
    if stop.accuracy is not None or (stop.loss is not None and plan.batch_size):
        f, y = _trained_on(training, descent.theta)
        loss = LOSSES[plan.loss](f, y)
        if stop.accuracy is not None:
            done["accuracy"] = (accuracy(f, y) >= stop.accuracy) & np.isfinite(loss)
        if stop.loss is not None and plan.batch_size:
            done["loss"] = loss <= stop.loss
    if training.validation is not None:
        done["validation"] = _validate(training, descent, watch, running)
    for reason, seeds_done in done.items():
        watch.reason[seeds_done & running & (watch.reason == "")] = reason
    descent.active = ops.put(watch.reason == "")


def _trained_on(training: Training, theta: Any) -> tuple[np.ndarray, np.ndarray]:
    """Outputs and targets of the samples that are trained on."""
    ops, (x, targets), samples = training.ops, training.data, training.plan.samples
    f, y = (
        np.asarray(ops.fetch(tensor))
        for tensor in (ops.forward(training.net, theta, x), targets)
    )
    return f[:, :samples], y[:, :samples]


def _validate(
    training: Training, descent: Descent, watch: Watch, running: np.ndarray
) -> np.ndarray:
    """Validation loss now; keeps the weights of seeds at a new lowest; who has lost patience, (S,)
    bool.

    A seed without a finite loss that has lost patience has diverged, which is its reason then.
    """
    ops, stop = training.ops, training.stop
    assert training.validation is not None
    x, y = training.validation
    outputs = np.asarray(ops.fetch(ops.forward(training.net, descent.theta, x)))
    losses = LOSSES[training.plan.loss](outputs, y)
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
    lost = np.asarray(watch.since_best >= patience)
    watch.reason[running & lost & ~np.isfinite(losses)] = "diverged"
    return lost


def _outcome(training: Training, descent: Descent, watch: Watch) -> Trained:
    ops, plan, stop = training.ops, training.plan, training.stop
    theta = _fetched(ops, descent.theta)
    if stop.validation is not None:
        # The loss of the last weights: that of the best ones, below, is finite although these may
        # not be.
        watch.reason[(watch.reason == "") & ~np.isfinite(watch.validation[-1])] = (
            "diverged"
        )
        theta = {
            name: np.asarray(best, dtype=theta[name].dtype)
            for name, best in watch.best_theta.items()
        }
    weights = {name: ops.put(array) for name, array in theta.items()}
    loss = LOSSES[plan.loss](*_trained_on(training, weights))
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
        validation=np.stack(watch.validation, axis=1)
        if watch.validation
        else np.empty((count, 0)),
        validation_steps=np.array(watch.validation_steps, dtype=int),
    )


def _validation_data(
    ops: Operations, net: Network | Function, plan: Plan, stop: Stop
) -> tuple[Any, np.ndarray] | None:
    if stop.validation is None:
        return None
    seeds_count = plan.rates.shape[1]
    x = checked("validation x", stop.validation[0], net.inputs, ndim=(2, 3))
    y = checked("validation y", stop.validation[1], net.outputs, ndim=(2, 3))
    if x.shape[-2] != y.shape[-2] or any(
        a.ndim == 3 and len(a) != seeds_count for a in (x, y)
    ):
        raise InvalidInput(
            f"validation x and y must have equally many samples, and {seeds_count} seeds or no "
            "seed axis; "
            f"got {x.shape} and {y.shape}."
        )
    checked_targets("validation y", y, plan.loss)
    return ops.put(x if x.ndim == 3 else x[None]), y


def _fetched(ops: Operations, theta: dict[str, Any]) -> Theta:
    """A copy: some backends update weights in place."""
    return {name: np.array(ops.fetch(tensor)) for name, tensor in theta.items()}


def accuracy(f: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Fraction of samples whose arg max (one output: sign) is right, per seed, (S,).

    NaN for a seed with an output that is not finite: the arg max of NaN is class 0, and NaN > 0 is
    False, so a network that diverged would be right about every sample of that class.

    >>> y = -np.ones((2, 4, 1))
    >>> accuracy(np.stack([y[0], np.full((4, 1), np.nan)]), y)
    array([ 1., nan])
    """
    right = (
        (f > 0) == (y > 0)
        if f.shape[2] == 1
        else (f.argmax(axis=2) == y.argmax(axis=2))[..., None]
    )
    return np.where(np.isfinite(f).all(axis=(1, 2)), right.mean(axis=(1, 2)), np.nan)
