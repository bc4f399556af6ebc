"""Tasks that networks learn one after the other, and when each of them ends.

A setting is the images and tasks, an arm is when a task ends; both name a cell, as `bed` and `arm`.
On the axis of steps every task takes as many steps, with the same images, cross-entropy and one
rate. Elsewhere a task ends at a training accuracy or loss, on images of its own.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from harness.experiment import Configuration

SAME_DIGITS, SAME_FASHION = "the same digits", "1,000 Fashion-MNIST images"
MORE_FASHION, MORE_MNIST = "8,000 Fashion-MNIST images", "10,000 MNIST images"
DIGITS, FASHION, SPLIT = (
    "rotated digits",
    "rotated Fashion-MNIST",
    "split Fashion-MNIST",
)
# at the full tier, where these sets are at hand
MNIST, CIFAR = ("rotated MNIST", "split CIFAR-10")
STOPPED = EARLY, CONVERGED = "stopped early", "converged"
LONGEST = SAME_DIGITS, MORE_FASHION, MORE_MNIST
"""What networks learn for 9,375 steps per task, at the full tier."""

CLASSES = list(range(10))
PAIRS = [[0, 1], [2, 3], [4, 5], [6, 7], [8, 9]]


def turned(*degrees: float) -> dict[str, Any]:
    """All ten classes, turned by another angle in each task."""
    return {"tasks": [{"angle": angle, "classes": CLASSES} for angle in degrees]}


def split(*pairs: list[int]) -> dict[str, Any]:
    """Two classes in each task."""
    return {"tasks": [{"angle": 0.0, "classes": pair} for pair in pairs]}


OF_DIGITS = dict(dataset="digits", options={}, shrink=1)
OF_FASHION = dict(dataset="fashion-mnist", options={}, shrink=2)
OF_MNIST = dict(dataset="mnist", options={"part": "train"}, shrink=2)
OF_CIFAR = dict(dataset="cifar10", options={}, shrink=2)
FIVE_TURNS = turned(0.0, 22.5, 45.0, 67.5, 90.0)

SAME: dict[str, Configuration] = {
    SAME_DIGITS: dict(OF_DIGITS, samples=1200, tests=597),
    SAME_FASHION: dict(OF_FASHION, samples=1000, tests=1000),
    MORE_FASHION: dict(OF_FASHION, samples=8000, tests=2000),
    MORE_MNIST: dict(OF_MNIST, samples=10_000, tests=5000),
}
"""Images on the axis of steps; the tasks are `FIVE_TURNS`."""

QUICK: dict[str, Configuration] = {
    DIGITS: dict(OF_DIGITS, samples=300, tests=800, **turned(0.0, 45.0, 90.0)),
}
FULL: dict[str, Configuration] = {
    DIGITS: dict(OF_DIGITS, samples=200, tests=700, **FIVE_TURNS),
    FASHION: dict(OF_FASHION, samples=1000, tests=2000, **FIVE_TURNS),
    SPLIT: dict(OF_FASHION, samples=200, tests=800, **split(*PAIRS)),
    MNIST: dict(OF_MNIST, samples=1000, tests=5000, **FIVE_TURNS),
    CIFAR: dict(OF_CIFAR, samples=1000, tests=2000, **split(*PAIRS)),
}
"""Images and tasks where a stopping rule ends them, by tier."""

PLAIN = dict(
    same_images=True,
    loss="cross-entropy",
    rate={"fixed": 0.01},
    momentum=0.0,
    batch_size=32,
    stop={},
    every=50,
)
"""Training on the axis of steps: that of Guha and Lakshman 2024."""

RULED = dict(
    same_images=False,
    loss="squared",
    rate={"edge": 0.3},
    momentum=0.7,
    batch_size=32,
    steps=60_000,
)
RULES: dict[tuple[str, str], dict[str, Any]] = {
    (DIGITS, EARLY): dict(stop={"accuracy": 0.9}, every=3),
    (DIGITS, CONVERGED): dict(stop={"accuracy": 0.99}, every=10),
    (FASHION, EARLY): dict(stop={"loss": 0.042}, every=3),
    (FASHION, CONVERGED): dict(stop={"loss": 0.022}, every=10),
    (SPLIT, EARLY): dict(stop={"accuracy": 0.95}, every=3),
    (SPLIT, CONVERGED): dict(stop={"accuracy": 0.99}, every=10),
    (MNIST, EARLY): dict(stop={"accuracy": 0.9}, every=5),
    (MNIST, CONVERGED): dict(stop={"accuracy": 0.99}, every=50),
    (CIFAR, EARLY): dict(stop={"accuracy": 0.9}, every=5),
    (CIFAR, CONVERGED): dict(stop={"accuracy": 0.99}, every=50),
}
"""When a task ends, and the steps between two looks."""


def after(steps: int) -> str:
    """The arm in which every task takes so many steps."""
    return f"{steps:,} steps"


def at_steps(
    setting: str,
    steps: int,
    widths: Sequence[int],
    part: float = 1.0,
) -> tuple[Configuration, ...]:
    """Configurations of `continual` on the axis of steps, one per width.

    Args:
        part: of their angles, by which the tasks turn.
    """
    cell = {**PLAIN, **SAME[setting], "steps": steps}
    tasks = [{**task, "angle": part * task["angle"]} for task in FIVE_TURNS["tasks"]]
    names = {"bed": setting, "arm": after(steps)}
    return tuple({**cell, "tasks": tasks, **names, "width": width} for width in widths)


def until(
    images: Mapping[str, Configuration],
    settings: Iterable[str],
    arms: Iterable[str],
    widths: Sequence[int],
) -> tuple[Configuration, ...]:
    """Configurations of `continual` that end each task by a rule: every setting, arm and width."""
    made: list[Configuration] = []
    for setting in settings:
        for arm in arms:
            rule = RULES[setting, arm]
            names = {"bed": setting, "arm": arm}
            cell = {**RULED, **images[setting], **rule, **names}
            made += [{**cell, "width": width} for width in widths]
    return tuple(made)


def named(cell: Configuration) -> str:
    """A configuration in words."""
    return f"{cell['bed']}, {cell['arm']}, width {cell['width']}"
