"""All questions of one network, and its controls, over the sweep's store; the result as JSON."""

import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from harness import __version__, backends, sweep
from harness.backends import Backend
from harness.backends.losses import checked_loss, checked_targets
from harness.errors import InvalidInput, SweepFailed
from harness.experiment import Configuration, Request, canonical
from harness.numerals import counted, number
from harness.plots import Figure, Series
from harness.regime import data, network, questions
from harness.regime.data import Data, Sizes
from harness.regime.network import Made, Maker
from harness.regime.questions import QUESTIONS, TO_LIMIT, Answer
from harness.regime.recipe import Recipe
from harness.regime.widths import Scaling, Trend, scaling, trend
from harness.sweep import Status
from harness.verdict import Kind

VERSION = 1
COMPUTATION = "harness.regime.experiment:measure"
STREAM = "regime"
FEWEST_SEEDS = 5
CONTROL_SEEDS = 5
CONTROL_SAMPLES = 32
LARGEST_KERNEL = 4.0
"""GB, in float32."""
NOT_COVERED = (
    "Other data, other numbers of samples, other training and longer training: the kernel may move "
    "more.",
    "Seeds draw the initial weights, and which samples train and test. The answer is about that "
    "population, by its geometric mean, and not about the worst seed.",
    "Each of (a), (b) and (c) is decided at 5 % by itself. “In” needs all three. “Out” "
    "needs one, and is not corrected for their number.",
    "Kernels are compared on at most 64 training samples, summed over outputs.",
)

Json = dict[str, Any]
Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Asked:
    """A call.

    Args:
        spec: "FILE.py" or "FILE.py:name".
        place: a data set's name, or an npz file.
        backend: "torch", "jax", "both", or None: the first that fits.
        seeds: initialisations.
        margin: relative change up to which a network is in the kernel regime.
        recipe: how it is trained.
        train, test: samples; None: 128 and 64, where there are so many.
        width: of the network that is asked about; None: its own default, else the largest of
            `widths`.
        widths: of question (e); none: not asked.
        train_sizes: of the exponents in (d); none: not asked.
    """

    spec: str
    place: str
    backend: str | None = None
    seeds: int = 10
    margin: float = 0.1
    recipe: Recipe = field(default_factory=Recipe)
    train: int | None = None
    test: int | None = None
    width: int | None = None
    widths: tuple[int, ...] = ()
    train_sizes: tuple[int, ...] = ()


@dataclass(frozen=True)
class Plan:
    """A call that was checked: what is measured, of what."""

    asked: Asked
    maker: Maker
    data: Data
    made: Made
    width: int | None
    sizes: Sizes
    backends: tuple[str, ...]
    layout: str

    def configuration(self, **changes: Any) -> Configuration:
        """Of the network itself, or of what differs from it."""
        return {
            "network": {
                "file": str(self.maker.file),
                "name": self.maker.name,
                "sources": self.maker.sources,
                "width": changes.get("width", self.width),
            },
            "data": {
                "place": self.data.place,
                "layout": self.layout,
                "digest": self.data.digest,
            },
            "train": changes.get("train", self.sizes.train),
            "test": changes.get("test", self.sizes.test),
            "recipe": self.asked.recipe.record(),
            "margin": self.asked.margin,
            "arm": changes.get("arm", "network"),
        }

    def control(self, arm: str) -> Configuration:
        """Of a control: fewer samples."""
        return self.configuration(
            arm=arm,
            train=min(CONTROL_SAMPLES, self.sizes.train),
            test=min(CONTROL_SAMPLES, self.sizes.test),
        )

    def requests(self) -> list[Request]:
        """Every cell: one seed of one configuration in one backend."""
        main = [self.configuration()]
        main += [self.configuration(width=width) for width in self.asked.widths]
        main += [self.configuration(train=size) for size in self.asked.train_sizes]
        planned = [(cell, self.asked.seeds) for cell in main]
        planned += [(self.control("linearised"), CONTROL_SEEDS)]
        planned += [(self.control("scaled"), CONTROL_SEEDS)]
        return [
            Request(COMPUTATION, cell, (seed,), STREAM, backend, "float32")
            for cell, seeds in planned
            for backend in self.backends
            for seed in range(seeds)
        ]


def plan(asked: Asked) -> Plan:
    """The call, checked before anything is computed.

    Raises:
        InvalidInput: naming what is wrong: the call, the file, the network or the data.
        BackendUnavailable, DatasetUnavailable: if one of them is not there.
    """
    _check(asked)
    maker = network.maker(asked.spec)
    width = _width(maker, asked)
    layout = network.layout(maker, width)
    loaded = data.load(asked.place, layout)
    made = network.made(maker, width, loaded.shape)
    targets = data.targets(loaded, made.net.outputs)
    checked_targets("y", targets, checked_loss(asked.recipe.loss))
    sizes = data.sizes(loaded, asked.train, asked.test)
    names = _backends(asked.backend, made)
    _check_memory(max((sizes.train, *asked.train_sizes)), sizes.test, made)
    for size in asked.train_sizes:
        data.sizes(loaded, size, sizes.test)
    for other in asked.widths:
        network.made(maker, other, loaded.shape)
    for name in names:
        _try(made, backends.get(name), loaded, targets)
    return Plan(asked, maker, loaded, made, width, sizes, names, layout)


def _check_memory(train: int, test: int, made: Made) -> None:
    """Refuses a kernel of all outputs that is larger than 4 GB."""
    rows = (train + test) * made.net.outputs
    size = 4e-9 * rows**2
    if size > LARGEST_KERNEL:
        raise InvalidInput(
            f"The kernel of {train} training and {test} test samples with {made.net.outputs} "
            f"outputs would take {size:.0f} GB; at most {LARGEST_KERNEL:g} GB are allowed. Take "
            "fewer samples (--samples, --test, --sizes)."
        )


def _check(asked: Asked) -> None:
    if asked.seeds < FEWEST_SEEDS:
        raise InvalidInput(
            f"At least {FEWEST_SEEDS} seeds are needed for an interval that can be trusted; got "
            f"--seeds {asked.seeds}."
        )
    if not 0 < asked.margin < 1:
        raise InvalidInput(
            f"The margin is a relative change between 0 and 1, such as 0.1; got {asked.margin:g}."
        )
    for name, values in {"widths": asked.widths, "sizes": asked.train_sizes}.items():
        if values and (len(set(values)) < 2 or min(values) < 1):
            raise InvalidInput(
                f"--{name} takes two or more different positive numbers, as in --{name} "
                f"64,256,1024; got {','.join(map(str, values))}."
            )


def _width(maker: Maker, asked: Asked) -> int | None:
    """The width of the network that is asked about: its own, else the largest."""
    place = f"{maker.name} of {maker.file.name}"
    if not maker.takes_width:
        if asked.widths or asked.width is not None:
            raise InvalidInput(
                f"{place} takes no argument `width`, so it has no other widths. Write it as def "
                f"{maker.name}(width): ..."
            )
        return None
    if asked.width is not None and asked.width < 1:
        raise InvalidInput(f"A width must be positive; got --width {asked.width}.")
    chosen = maker.default_width if asked.width is None else asked.width
    if chosen is None and maker.needs_width and not asked.widths:
        raise InvalidInput(
            f"{place} needs a width. Give `width` a default, or ask for --width 256."
        )
    return max(asked.widths) if chosen is None and maker.needs_width else chosen


def _backends(asked: str | None, made: Made) -> tuple[str, ...]:
    if not made.backends:
        raise InvalidInput(
            "The network has a function for neither torch nor jax, so it cannot be measured."
        )
    if asked is None:
        return made.backends[:1]
    names = ("torch", "jax") if asked == "both" else (asked,)
    for name in names:
        if name not in made.backends:
            raise InvalidInput(
                f"The network is {made.kind}, which the {name} backend does not have. Ask for "
                f"--backend {made.backends[0]}, or leave the option out."
            )
    return names


def _try(made: Made, backend: Backend, loaded: Data, targets: np.ndarray) -> None:
    """One forward pass of two seeds: refuses what is random, mixes samples, or is not finite."""
    if getattr(made.net, "fixed", False):
        raise InvalidInput(
            "The initial weights of the network are fixed, so all seeds would be one network. Draw "
            "them from the generator that networks.from_callable hands to `initial`."
        )
    thetas = [made.net.init(seed) for seed in range(2)]
    same = [np.array_equal(thetas[0][name], thetas[1][name]) for name in thetas[0]]
    if all(same):
        raise InvalidInput(
            "The function makes the same initial weights every time, so all seeds would be one "
            "network. Take out what fixes its random numbers, such as torch.manual_seed."
        )
    f = backend.forward(made.net, thetas[0], loaded.x[:8])
    if not np.isfinite(f).all():
        raise InvalidInput(
            "The outputs of the network at its initial weights are not finite. Are its inputs too "
            "large? They are given as they are; see --data."
        )
    assert targets.shape[1] == f.shape[1]


def compute(
    planned: Plan,
    store: Path,
    *,
    device: str = "auto",
    workers: int | None = None,
    progress: Callable[[Status], object] = sweep.progress.silent,
) -> Json:
    """Computes what the store lacks, and says what it answers.

    Raises:
        SweepFailed: if a cell failed, with its error.
        InvalidInput: if training diverged.
    """
    swept = sweep.run(
        planned.requests(),
        sweep.Store(store),
        device=device,
        workers=workers,
        progress=progress,
    )
    for outcome in swept.outcomes:
        if outcome.failure is not None:
            raise SweepFailed(
                f"Seed {outcome.request.replicates[0]} could not be measured: "
                f"{_last_line(outcome.failure.traceback)} The cells that were computed are kept."
            )
    measured = Measured.of(swept)
    measured.check_descent(planned)
    versions = {
        name: dict(outcome.cell.circumstances.versions)
        for name in planned.backends
        for outcome in swept.outcomes
        if outcome.cell is not None and outcome.request.backend == name
    }
    seconds = sum(o.cell.provenance.seconds for o in swept.outcomes if o.cell)
    return Result(planned, measured).document() | {
        "versions": {
            "ntk-claims": __version__,
            "python": platform.python_version(),
            "backends": versions,
        },
        "cells": {**swept.counts, "seconds": round(seconds, 1)},
    }


def _last_line(traceback: str) -> str:
    lines = [line for line in traceback.strip().splitlines() if line.strip()]
    return lines[-1] if lines else "no reason is known."


@dataclass(frozen=True)
class Measured:
    """Quantities by backend and configuration, one row per seed."""

    cells: Mapping[tuple[str, str], list[Arrays]]

    @staticmethod
    def of(swept: sweep.Sweep) -> "Measured":
        """From the outcomes of a run, in the order of seeds."""
        cells: dict[tuple[str, str], dict[int, Arrays]] = {}
        for outcome in swept.outcomes:
            assert outcome.cell is not None
            request = outcome.request
            key = request.backend, canonical(request.configuration)
            cells.setdefault(key, {})[request.replicates[0]] = outcome.cell.arrays
        return Measured(
            {key: [rows[seed] for seed in sorted(rows)] for key, rows in cells.items()}
        )

    def __call__(self, quantity: str, cell: Configuration, backend: str) -> np.ndarray:
        """A quantity of every seed, (S, ...)."""
        rows = self.cells[backend, canonical(cell)]
        return np.concatenate([np.asarray(row[quantity], float) for row in rows])

    def check_descent(self, planned: Plan) -> None:
        """Raises InvalidInput if training diverged anywhere but in the scaled control, or began at
        its target.
        """
        for (backend, cell), rows in self.cells.items():
            diverged = [s for s, row in enumerate(rows) if row["diverged"][0]]
            if diverged and cell != canonical(planned.control("scaled")):
                rate = float(rows[diverged[0]]["rate"][0])
                raise InvalidInput(
                    f"Training diverged for {len(diverged)} of {len(rows)} seeds in {backend}, "
                    f"at learning rate {number(rate, 3)}. Take a smaller one (--rate), or leave "
                    "it out: half the edge of stability."
                )
            idle = [s for s, row in enumerate(rows) if not row["steps"][0]]
            if idle:
                target = float(rows[idle[0]]["target"][0])
                raise InvalidInput(
                    f"Training of seed {idle[0]} ended before its first step: the initial loss is "
                    f"below the target {number(target, 3)}. Ask for a lower one (--target-loss)."
                )


@dataclass(frozen=True)
class Control:
    """A network whose answer is known, through the same code."""

    name: str
    expected: str
    passed: bool
    sentence: str
    why: str


@dataclass(frozen=True)
class Result:
    """What was measured, and what it answers."""

    planned: Plan
    measured: Measured

    def effects(self, quantity: str, cell: Configuration) -> dict[str, np.ndarray]:
        """A quantity of every backend."""
        return {
            name: self.measured(quantity, cell, name) for name in self.planned.backends
        }

    def answers(self) -> list[Answer]:
        """(a), (b), (c) and (d), and the distance to infinite width where that is known."""
        main, margin = self.planned.configuration(), self.planned.asked.margin
        asked = list(QUESTIONS)
        limits = self.effects("limit", main)
        if all(np.isfinite(values).all() for values in limits.values()):
            asked.insert(1, TO_LIMIT)
        found = [
            questions.departure(question, self.effects(question.quantity, main), margin)
            for question in asked
        ]
        losses = self.effects("test_loss", main), self.effects("kernel_test_loss", main)
        return [*found, questions.better(*losses, margin)]

    def controls(self) -> list[Control]:
        """The linearised copy, in by (b) and (c); labels scaled up, out by (b)."""
        return [*self._linearised(), self._scaled()]

    def _linearised(self) -> list[Control]:
        cell, margin = self.planned.control("linearised"), self.planned.asked.margin
        why = "A linearised copy of the network has a constant kernel."
        found = []
        for question in QUESTIONS[1:]:
            effects = self.effects(question.quantity, cell)
            answer = questions.departure(question, effects, margin)
            passed = answer.kind == Kind.SUPPORTED
            name = f"linearised copy, ({question.letter})"
            found.append(Control(name, "in", passed, answer.sentence, why))
        return found

    def _scaled(self) -> Control:
        cell, margin = self.planned.control("scaled"), self.planned.asked.margin
        linear = self.effects("linear", cell)
        name = "labels scaled up, (b)"
        if all(values.all() for values in linear.values()):
            return Control(
                name,
                "out",
                True,
                "Not applicable: training moves the kernel by rounding alone, so the network is "
                "linear in its weights, and no labels take it out of the regime.",
                "Only a network that is not linear in its weights can leave the regime.",
            )
        answer = questions.departure(QUESTIONS[1], self.effects("change", cell), margin)
        scales = np.concatenate(list(self.effects("label_scale", cell).values()))
        why = (
            f"Labels {number(float(np.median(scales)), 3)} times as large (median over seeds) must "
            "take the network out of the regime."
        )
        return Control(name, "out", answer.kind == Kind.REFUTED, answer.sentence, why)

    def trends(self) -> list[Trend]:
        """(e): (a) to (c) over width."""
        widths = sorted(self.planned.asked.widths)
        if not widths:
            return []
        cells = [self.planned.configuration(width=width) for width in widths]
        return [
            trend(
                question,
                widths,
                self._curves(question.quantity, cells),
                self.planned.asked.margin,
            )
            for question in QUESTIONS
        ]

    def scaling(self) -> Scaling | None:
        """Exponents in the number of training samples."""
        sizes = sorted(self.planned.asked.train_sizes)
        if not sizes:
            return None
        cells = [self.planned.configuration(train=size) for size in sizes]
        network, kernel = (
            self._curves(name, cells) for name in ("test_loss", "kernel_test_loss")
        )
        return scaling(sizes, network, kernel, self.planned.asked.margin)

    def _curves(
        self, quantity: str, cells: Sequence[Configuration]
    ) -> dict[str, np.ndarray]:
        """A quantity of every backend over configurations, (S, K)."""
        by_cell = [self.effects(quantity, cell) for cell in cells]
        return {
            name: np.stack([values[name] for values in by_cell], axis=1)
            for name in self.planned.backends
        }

    def document(self) -> Json:
        """Everything, as JSON values."""
        answers, controls = self.answers(), self.controls()
        trusted = all(control.passed for control in controls)
        kind, sentence = questions.overall(answers, trusted)
        trends, scaled = self.trends(), self.scaling()
        asked, made = self.planned.asked, self.planned.made
        return {
            "version": VERSION,
            "network": {
                "file": self.planned.maker.file.name,
                "name": self.planned.maker.name,
                "kind": made.kind,
                "parameters": made.parameters,
                "inputs": list(made.shape),
                "outputs": made.net.outputs,
                "width": self.planned.width,
                "sources": self.planned.maker.sources,
            },
            "data": self.planned.data.describe(),
            "data_digest": self.planned.data.digest,
            "train": self.planned.sizes.train,
            "test": self.planned.sizes.test,
            "backends": list(self.planned.backends),
            "seeds": asked.seeds,
            "margin": asked.margin,
            "recipe": asked.recipe.record(),
            "training": asked.recipe.describe(),
            "used": self.used(),
            "overall": {
                "kind": str(kind),
                "answer": questions.WORDS.get(kind, "not trusted"),
                "sentence": sentence,
            },
            "answers": [
                {**questions.as_record(answer), "kind": str(answer.kind)}
                for answer in answers
            ],
            "controls": [asdict(control) for control in controls],
            "widths": [asdict(one) for one in trends],
            "sizes": None if scaled is None else asdict(scaled),
            "accuracies": self.accuracies(),
            "figures": [asdict(figure) for figure in self.figures(answers, trends)],
            "not_covered": list(NOT_COVERED),
        }

    def used(self) -> str:
        """What training came to, in a sentence."""
        main = self.planned.configuration()
        steps, rate, loss, reached = (
            np.concatenate(list(self.effects(name, main).values()))
            for name in ("steps", "rate", "loss", "reached")
        )
        runs, fewest, most = len(steps), int(steps.min()), int(steps.max())
        taken = f"{fewest}" if fewest == most else f"{fewest} to {most}"
        text = (
            f"Learning rates {_range(rate)}; {taken} steps; final training loss {_range(loss)}; "
            f"the target loss was reached in {int(reached.sum())} of {counted(runs, 'run')}."
        )
        if reached.all():
            return text
        return f"{text} The answers are about training that stops at step {most}."

    def accuracies(self) -> str:
        """Test accuracies of the network and its kernel; "" in a regression."""
        main = self.planned.configuration()
        own, of_kernel = (
            np.concatenate(list(self.effects(name, main).values()))
            for name in ("test_accuracy", "kernel_test_accuracy")
        )
        if not np.isfinite(own).all():
            return ""
        return (
            f"Test accuracy: network {100 * own.mean():.1f} %, its kernel "
            f"{100 * of_kernel.mean():.1f} % (means over seeds)."
        )

    def figures(
        self, answers: Sequence[Answer], trends: Sequence[Trend]
    ) -> list[Figure]:
        """The kernel over training, the answers, and the curves over width."""
        found = [self._over_training(), _departures(answers, self.planned.asked.margin)]
        if trends:
            found.append(_over_width(trends, self.planned.asked.margin))
        return found

    def _over_training(self) -> Figure:
        series = []
        arms = {
            "the network": self.planned.configuration(),
            "control: labels scaled up": self.planned.control("scaled"),
        }
        for label, cell in arms.items():
            for backend in self.planned.backends:
                steps = self.measured("steps_of_changes", cell, backend)
                changes = self.measured("changes", cell, backend)
                of = f" in {backend}" if len(self.planned.backends) > 1 else ""
                series += _curve(f"{label}{of}", steps, changes)
        return Figure(
            "The kernel over training",
            "Geometric mean over the seeds that still train, with its 95 % interval; the last "
            "point is the end of training. The dotted line is the margin.",
            "Step",
            "Relative change of the kernel",
            tuple(series),
            log_x=True,
            log_y=True,
            reference_y=self.planned.asked.margin,
        )


def _curve(label: str, steps: np.ndarray, changes: np.ndarray) -> list[Series]:
    """Means at the steps that at least five seeds have, and at the end."""
    looks = sorted({float(s) for s in steps[np.isfinite(steps)]})
    places, values = [], []
    for look in looks:
        at = changes[steps == look]
        at = at[np.isfinite(at) & (at > 0)]
        if len(at) >= FEWEST_SEEDS:
            places.append(look)
            values.append(at)
    last = np.isfinite(steps).sum(axis=1) - 1
    rows = np.arange(len(steps))
    ends, end = changes[rows, last], steps[rows, last]
    kept = np.isfinite(ends) & (ends > 0)
    place = (
        float(np.round(np.exp(np.log(end[kept]).mean()))) if kept.sum() > 1 else np.nan
    )
    if np.isfinite(place) and place not in places:
        places = [p for p in places if p < place]
        values = values[: len(places)]
        places.append(place)
        values.append(ends[kept])
    if not places:
        return []
    one = [
        Series.of(label, [p], [v], log=True)
        for p, v in zip(places, values, strict=True)
    ]
    return [
        Series(
            label,
            tuple(float(s.x[0]) for s in one),
            tuple(s.y[0] for s in one),
            tuple((s.low or s.y)[0] for s in one),
            tuple((s.high or s.y)[0] for s in one),
        )
    ]


def _departures(answers: Sequence[Answer], margin: float) -> Figure:
    asked = [answer for answer in answers if answer.letter != "d"]
    names = {"a": "(a) kernel over seeds", "a'": "to infinite width"}
    names |= {"b": "(b) kernel in training", "c": "(c) function"}
    backends_ = list(asked[0].effects)
    series = tuple(
        Series.of(
            backend,
            [names[answer.letter] for answer in asked],
            [np.maximum(answer.effects[backend], questions.FLOOR) for answer in asked],
            log=True,
        )
        for backend in backends_
    )
    return Figure(
        "Departures from the kernel regime",
        "Geometric mean over seeds with its 95 % interval. The dotted line is the margin: below it "
        "the network is in the regime.",
        "",
        "Relative departure",
        series,
        log_y=True,
        reference_y=margin,
    )


def _over_width(trends: Sequence[Trend], margin: float) -> Figure:
    labels = {"a": "(a) kernel over seeds", "b": "(b) kernel in training"}
    labels |= {"c": "(c) function"}
    series = []
    for one in trends:
        for backend, curves in one.effects.items():
            of = f" in {backend}" if len(one.effects) > 1 else ""
            values = np.maximum(np.array(curves).T, questions.FLOOR)
            label = f"{labels[one.letter]}{of}"
            series.append(Series.of(label, one.widths, list(values), log=True))
    return Figure(
        "Departures over width",
        "Geometric mean over seeds with its 95 % interval. The dotted line is the margin.",
        "Width",
        "Relative departure",
        tuple(series),
        log_x=True,
        log_y=True,
        reference_y=margin,
    )


def _range(values: np.ndarray) -> str:
    low, high = float(values.min()), float(values.max())
    if number(low, 3) == number(high, 3):
        return number(low, 3)
    return f"{number(low, 3)} to {number(high, 3)}"
