"""What is measured of one seed of the user's network, in a worker.

Three arms go through the same code: the network itself, a linearised copy of it, whose kernel is
constant, and the network with labels scaled up until it has to leave the kernel regime.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from harness import seeds
from harness.backends import SGD, Adam, Backend, Stop, Trained
from harness.backends.batch import Batch
from harness.backends.losses import LOSSES
from harness.backends.plan import Plan, Sampling
from harness.errors import InvalidInput
from harness.experiment import canonical
from harness.measurements import relative_change
from harness.networks import Function, Network, Theta
from harness.own import linearised
from harness.own.stability import edge_of_products, flatten_outputs
from harness.regime import data, network
from harness.regime.data import Sizes
from harness.regime.descent import Descended, Problem, descend
from harness.regime.recipe import Recipe

PROBES = 64
"""Training samples on which kernels are compared."""
LOOKS = 8
"""Kernels over training are taken after 1, 8, 64, 512 ... steps."""
LONGER = 4
"""The linearised network has so many times the network's steps to reach its loss."""
LINEAR = 1e-5
"""Relative change of a kernel below which it is rounding: the network is linear in its weights."""
LEAVES = 10.0
"""Labels are scaled so that the kernel should change by so many margins."""
LARGEST = 1e6
"""Factor of the labels."""
AFAR = 10.0
"""Stands for the kernel change of a run that diverged before its kernel was seen."""

Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class Setting:
    """One network at one width, on one data set.

    Attributes:
        net: the network.
        x, y: all samples and targets.
    """

    net: Network | Function
    data: data.Data
    y: np.ndarray


@dataclass(frozen=True)
class Task:
    """What one seed trains on and predicts."""

    x: np.ndarray
    y: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray

    def scaled(self, factor: float) -> "Task":
        """With labels so many times as large."""
        return Task(self.x, factor * self.y, self.x_test, factor * self.y_test)


def measure(
    backend: Backend,
    configuration: Mapping[str, Any],
    replicates: Sequence[int],
    stream: str,
) -> Arrays:
    """Kernels, functions and errors of the user's network, a row per seed.

    Configuration: network (file, name, sources, width), data (place, layout, digest), train, test,
    recipe, margin, and arm: "network", "linearised" or "scaled".

    Returns: "spread" (deviation of the initial kernel from one initialisation to another), "limit"
    (distance to the infinite-width kernel, NaN where that is not known), "change" (of the kernel
    over training), "changes" and "steps_of_changes" (at several steps), "distance" (of the trained
    function from the linearised one, on test samples, relative to how far the latter moved),
    "loss", "test_loss", "test_accuracy" (NaN in a regression) and the same of the linearised
    network at the same training loss, "kernel_...", "steps", "rate", "target", "reached",
    "diverged", "label_scale", "loss_curve", and "linear" (1.0: the scaled arm found the network
    linear in its weights).
    """
    setting = _setting(
        canonical(configuration["network"]), canonical(configuration["data"])
    )
    rows = [
        _of_seed(backend, setting, configuration, replicate, stream=stream)
        for replicate in replicates
    ]
    return {name: np.stack([row[name] for row in rows]) for name in rows[0]}


@lru_cache(maxsize=8)
def _setting(of_network: str, of_data: str) -> Setting:
    """The network and the data of a configuration, from their JSON.

    Raises:
        InvalidInput: if a file has changed since the call.
    """
    told, place = json.loads(of_network), json.loads(of_data)
    loaded = data.load(place["place"], place["layout"])
    maker = network.maker(f"{told['file']}:{told['name']}")
    if (maker.sources, loaded.digest) != (told["sources"], place["digest"]):
        raise InvalidInput(
            f"{maker.file.name}, what it imports, or {loaded.name} changed while it was measured. "
            "Start the command again."
        )
    made = network.made(maker, told["width"], loaded.shape)
    return Setting(made.net, loaded, data.targets(loaded, made.net.outputs))


def _of_seed(
    backend: Backend,
    setting: Setting,
    configuration: Mapping[str, Any],
    replicate: int,
    *,
    stream: str,
) -> Arrays:
    train, test = data.split(
        setting.data,
        Sizes(configuration["train"], configuration["test"]),
        replicate,
        stream,
    )
    x, y = setting.data.x, setting.y
    task = Task(x[train], y[train], x[test], y[test])
    first, second = (
        setting.net.init(
            seeds.derive(
                "regime weights",
                stream=stream,
                replicate=replicate,
                initialisation=number,
            )
        )
        for number in range(2)
    )
    batch_seed = seeds.derive("regime batches", stream=stream, replicate=replicate)
    run = Run(backend, Recipe.of(configuration["recipe"]), batch_seed)
    arm = configuration["arm"]
    if arm == "linearised":
        line = linearised(backend, setting.net, first)
        return trained_apart(run, line, first, task)
    if arm == "scaled":
        return scaled(run, setting.net, first, task, margin=configuration["margin"])
    measured = trained_apart(run, setting.net, first, task)
    return measured | at_start(backend, setting.net, (first, second), task.x[:PROBES])


def at_start(
    backend: Backend,
    net: Network | Function,
    pair: tuple[Theta, Theta],
    x: np.ndarray,
) -> Arrays:
    """How far the kernels of two initialisations lie apart, and one of them from the limit.

    "spread" is |Theta_1 - Theta_2| / (2 |Theta_1| |Theta_2|)^(1/2): the root mean square deviation
    of one kernel from the mean kernel, relative to it.
    """
    one, two = (backend.empirical_ntk(net, theta, x).astype(float) for theta in pair)
    sizes = np.linalg.norm(one) * np.linalg.norm(two)
    spread = np.linalg.norm(one - two) / np.sqrt(2 * sizes)
    return {"spread": np.asarray(spread), "limit": _to_limit(backend, net, one, x)}


def _to_limit(
    backend: Backend, net: Network | Function, kernel: np.ndarray, x: np.ndarray
) -> np.ndarray:
    """Relative distance to the infinite-width kernel; NaN where that is not known."""
    if not isinstance(net, Network):
        return np.asarray(np.nan)
    limit = backend.infinite_ntk(net, x).astype(float)
    return relative_change(kernel / net.outputs, limit)


@dataclass(frozen=True)
class Run:
    """How a network is trained, and where."""

    backend: Backend
    recipe: Recipe
    batch_seed: int

    def sampling(self, samples: int) -> Sampling:
        """Batches that fit so many samples."""
        size = self.recipe.batch_size
        size = None if size is None or size >= samples else size
        return Sampling(size, self.batch_seed, None)

    def train(
        self, net: Network | Function, theta: Theta, task: Task, optimizer: SGD | Adam
    ) -> Trained:
        """Trains until the target loss, with the weights after 1, 8, 64 ... steps."""
        steps = self.recipe.steps
        looks = tuple(LOOKS**k for k in range(20) if LOOKS**k < steps)
        return self.backend.train(
            net,
            theta,
            task.x,
            task.y,
            optimizer=optimizer,
            steps=steps,
            loss=self.recipe.loss,
            batch_size=self.sampling(len(task.x)).batch_size,
            batch_seed=self.batch_seed,
            stop=Stop(loss=self.recipe.target(task.y)),
            checkpoints=looks,
        )

    def batches(
        self, net: Network | Function, theta: Theta, task: Task, most: int
    ) -> np.ndarray | None:
        """The batches of so many steps, (most, B); None: full batches."""
        batch = Batch.of(net, theta, x=task.x, y=task.y)
        plan = Plan.of(
            batch,
            SGD(1.0),
            self.sampling(len(task.x)),
            steps=most,
            schedule=None,
            checkpoints=(),
        )
        drawn = plan.batches(0, most)
        return None if drawn is None else drawn[:, 0]


def trained_apart(
    run: Run, net: Network | Function, theta: Theta, task: Task
) -> Arrays:
    """The network trained, its kernel on the way, and the linearised network trained as it was."""
    backend = run.backend
    together = np.concatenate([task.x, task.x_test])
    kernel = backend.empirical_ntk(net, theta, together, outputs="full")
    before = _trace(kernel[:PROBES, :PROBES][: len(task.x), : len(task.x)])
    matrix = flatten_outputs(kernel)[:, : task.y.size]
    start = backend.forward(net, theta, together).astype(float)
    problem = Problem(matrix, start, task.y, run.recipe.loss)
    optimizer = run.recipe.made(_edge(problem))
    trained = run.train(net, theta, task, optimizer)
    kernels = _over_training(run, net, trained, before=before, x=task.x[: len(before)])
    summary = {
        **kernels,
        "steps": np.asarray(float(trained.steps)),
        "rate": np.asarray(float(optimizer.learning_rate)),
        "target": np.asarray(run.recipe.target(task.y)),
        "loss": np.asarray(float(trained.loss)),
        "reached": np.asarray(float(trained.reason == "loss")),
        "diverged": np.asarray(float(trained.reason == "diverged")),
        "label_scale": np.asarray(1.0),
        "linear": np.asarray(0.0),
        "loss_curve": _thinned(trained.losses),
        "spread": np.asarray(np.nan),
        "limit": np.asarray(np.nan),
    }
    if trained.reason == "diverged":
        return summary | _no_function()
    f = backend.forward(net, trained.theta, task.x_test).astype(float)
    line = _line(run, net, theta, task, problem=problem, trained=trained)
    return summary | _functions(f, line, task, start=start, loss=run.recipe.loss)


def _trace(kernel: np.ndarray) -> np.ndarray:
    """A kernel (N, M, O, O) summed over equal outputs, (N, M)."""
    return np.einsum("nmoo->nm", kernel).astype(float)


def _edge(problem: Problem) -> float:
    samples, outputs = problem.y.shape

    def product(v: np.ndarray) -> np.ndarray:
        own = problem.kernel[: v.size]
        pushed = own @ v.reshape(-1).astype(own.dtype)
        return pushed.reshape(v.shape).astype(float)

    f = problem.start[:samples]
    edge = float(edge_of_products(product, f, problem.loss))
    if not np.isfinite(edge):
        raise InvalidInput(
            "The initial kernel of the network is zero on the training samples: no step of "
            f"training changes its {outputs} outputs. Is its readout, or its input, zero?"
        )
    return edge


def _over_training(
    run: Run,
    net: Network | Function,
    trained: Trained,
    *,
    before: np.ndarray,
    x: np.ndarray,
) -> Arrays:
    """Relative change of the kernel after 1, 8, 64 ... steps, and at the end."""
    steps = int(trained.steps)
    looks = {k: w for k, w in trained.checkpoints.items() if k < steps}
    if trained.reason != "diverged":
        looks[steps] = trained.theta
    changes = {}
    for step, weights in sorted(looks.items()):
        if all(np.isfinite(array).all() for array in weights.values()):
            after = run.backend.empirical_ntk(net, weights, x)
            changes[step] = float(relative_change(after, before))
    last = list(changes.values())[-1] if changes else AFAR
    size = 24
    places = np.full(size, np.nan)
    values = np.full(size, np.nan)
    places[: len(changes)] = list(changes)
    values[: len(changes)] = list(changes.values())
    return {
        "change": np.asarray(last),
        "changes": values,
        "steps_of_changes": places,
    }


def _thinned(losses: np.ndarray) -> np.ndarray:
    """The loss at up to 50 steps, evenly spaced."""
    taken = losses[np.isfinite(losses)]
    curve = np.full(50, np.nan)
    if len(taken):
        every = np.unique(np.linspace(0, len(taken) - 1, 50).astype(int))
        curve[: len(every)] = taken[every]
    return curve


def _line(
    run: Run,
    net: Network | Function,
    theta: Theta,
    task: Task,
    *,
    problem: Problem,
    trained: Trained,
) -> Descended:
    """The linearised network after as many steps, and at the same loss."""
    steps, loss = int(trained.steps), float(trained.loss)
    most = LONGER * max(steps, 1)
    optimizer = run.recipe.made(_edge(problem))
    if isinstance(optimizer, SGD):
        batches = run.batches(net, theta, task, most)
        return descend(problem, optimizer, batches, steps=steps, loss=loss, most=most)
    return _line_of_adam(run, net, theta, task, optimizer=optimizer, trained=trained)


def _line_of_adam(
    run: Run,
    net: Network | Function,
    theta: Theta,
    task: Task,
    *,
    optimizer: Adam,
    trained: Trained,
) -> Descended:
    """Adam leaves the span of the Jacobian, so the linearised network is trained by its weights."""
    line = linearised(run.backend, net, theta)
    together = np.concatenate([task.x, task.x_test])
    steps, loss = int(trained.steps), float(trained.loss)

    def outputs(most: int, stop: Stop) -> tuple[np.ndarray, bool]:
        done = run.backend.train(
            line,
            theta,
            task.x,
            task.y,
            optimizer=optimizer,
            steps=most,
            loss=run.recipe.loss,
            batch_size=run.sampling(len(task.x)).batch_size,
            batch_seed=run.batch_seed,
            stop=stop,
        )
        f = run.backend.forward(line, done.theta, together).astype(float)
        return f, bool(done.reason == "loss")

    at_steps, _ = outputs(steps, Stop())
    at_loss, reached = outputs(LONGER * max(steps, 1), Stop(loss=loss))
    return Descended(at_steps, at_loss, reached)


def _functions(
    f: np.ndarray, line: Descended, task: Task, *, start: np.ndarray, loss: str
) -> Arrays:
    """Distance and errors of the trained network and the linearised one, on test samples."""
    trained = len(task.x)
    linear, at_loss = line.at_steps[trained:], line.at_loss[trained:]
    moved = np.linalg.norm(linear - start[trained:])
    apart = np.linalg.norm(f - linear)
    return {
        "distance": np.asarray(apart / moved if moved > 0 else np.nan),
        "test_loss": _loss(f, task.y_test, loss),
        "kernel_test_loss": _loss(at_loss, task.y_test, loss),
        "test_accuracy": _accuracy(f, task.y_test),
        "kernel_test_accuracy": _accuracy(at_loss, task.y_test),
        "kernel_reached": np.asarray(float(line.reached)),
    }


def _no_function() -> Arrays:
    names = (
        "distance",
        "test_loss",
        "kernel_test_loss",
        "test_accuracy",
        "kernel_test_accuracy",
        "kernel_reached",
    )
    return {name: np.asarray(np.nan) for name in names}


def _loss(f: np.ndarray, y: np.ndarray, loss: str) -> np.ndarray:
    return np.asarray(LOSSES[loss](f[None], y[None])[0])


def _accuracy(f: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Part of the samples whose class is right; NaN where the targets are no classes."""
    if y.shape[1] == 1:
        signs = np.isin(y, (-1.0, 1.0)).all()
        return np.asarray(((f > 0) == (y > 0)).mean() if signs else np.nan)
    one_hot = np.isin(y, (0.0, 1.0)).all()
    right = f.argmax(axis=1) == y.argmax(axis=1)
    return np.asarray(right.mean() if one_hot else np.nan)


def scaled(
    run: Run,
    net: Network | Function,
    theta: Theta,
    task: Task,
    *,
    margin: float,
) -> Arrays:
    """The network trained on labels scaled up, by what should change its kernel by ten margins.

    In the kernel regime the change grows in proportion to the labels. A kernel that changes by
    rounding alone is that of a network linear in its weights, which no labels take out of the
    regime: "linear" is 1 then.
    """
    plain = trained_apart(run, net, theta, task)
    change = float(plain["change"])
    if change < LINEAR:
        return plain | {"linear": np.asarray(1.0)}
    factor = min(LARGEST, max(LEAVES, LEAVES * margin / change))
    larger = Run(run.backend, run.recipe.scaled(factor), run.batch_seed)
    found = trained_apart(larger, net, theta, task.scaled(factor))
    return found | {"label_scale": np.asarray(factor)}
