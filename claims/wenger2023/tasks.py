"""Tasks that networks learn one after the other, and when each of them ends.

A setting is the images and tasks; an arm is when a task ends. Both name a cell, as `bed` and `arm`.
"""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from harness.experiment import Configuration

DIGITS, FASHION, SPLIT = (
    "rotated digits",
    "rotated Fashion-MNIST",
    "split Fashion-MNIST",
)
# at the full tier, where these sets are at hand
MNIST, CIFAR = ("rotated MNIST", "split CIFAR-10")
EARLY, CONVERGED = "stopped early", "converged"
EARLY_LOSS, CONVERGED_LOSS = "early, by loss", "converged, by loss"
ONE_RATE, FIXED_EPOCHS = "early, one rate", "fixed epochs"
NO_TURNS, HALF_TURNS = "no turns", "half turns"
LAST_IMAGE = "to the last image"

CLASSES = list(range(10))
PAIRS = [[0, 1], [2, 3], [4, 5], [6, 7], [8, 9]]


def turned(*degrees: float) -> dict[str, Any]:
    """All ten classes, turned by another angle in each task."""
    return {"tasks": [{"angle": angle, "classes": CLASSES} for angle in degrees]}


def split(*pairs: list[int]) -> dict[str, Any]:
    """Two classes in each task."""
    return {"tasks": [{"angle": 0.0, "classes": pair} for pair in pairs]}


OF_DIGITS = dict(dataset="digits", shrink=1)
OF_FASHION = dict(dataset="fashion-mnist", shrink=2)
FIVE_TURNS = turned(0.0, 22.5, 45.0, 67.5, 90.0)

QUICK: dict[str, Configuration] = {
    DIGITS: dict(OF_DIGITS, samples=300, **turned(0.0, 45.0, 90.0)),
    FASHION: dict(OF_FASHION, samples=200, **turned(0.0, 45.0, 90.0)),
    SPLIT: dict(OF_FASHION, samples=200, **split(*PAIRS[:3])),
}
FULL: dict[str, Configuration] = {
    DIGITS: dict(OF_DIGITS, samples=200, tests=700, **FIVE_TURNS),
    FASHION: dict(OF_FASHION, samples=1000, tests=2000, **FIVE_TURNS),
    SPLIT: dict(OF_FASHION, samples=200, **split(*PAIRS)),
    MNIST: dict(
        dataset="mnist",
        options={"part": "train"},
        shrink=2,
        samples=1000,
        tests=5000,
        **FIVE_TURNS,
    ),
    CIFAR: dict(dataset="cifar10", shrink=2, samples=1000, tests=2000, **split(*PAIRS)),
}
"""Images and tasks of each setting, by tier."""

COMMON = dict(
    options={}, tests=800, momentum=0.7, batch_size=32, epochs=2000, rate={"edge": 0.3}
)
FIXED, BELOW_EDGE = {"fixed": 0.03}, 2048
"""One rate for all widths, and the largest width at which it is below the edge of stability."""

EPOCHS = {
    "1 epochs": 1,
    "2 epochs": 2,
    FIXED_EPOCHS: 5,
    "10 epochs": 10,
    "20 epochs": 20,
}
MORE_EPOCHS = [arm for arm in EPOCHS if arm != FIXED_EPOCHS]
TURNS = {NO_TURNS: 0.0, HALF_TURNS: 0.5}
"""The part of their angles by which tasks turn."""

SHORT, LONG = (
    dict(stop={"accuracy": 0.9}, every=3),
    dict(stop={"accuracy": 0.99}, every=10),
)
RULES: dict[tuple[str, str], dict[str, Any]] = {
    (DIGITS, EARLY): SHORT,
    (DIGITS, CONVERGED): LONG,
    (DIGITS, EARLY_LOSS): dict(stop={"loss": 0.04}, every=3),
    (DIGITS, CONVERGED_LOSS): dict(stop={"loss": 0.018}, every=10),
    (DIGITS, ONE_RATE): dict(SHORT, rate=FIXED),
    (DIGITS, NO_TURNS): SHORT,
    (DIGITS, HALF_TURNS): SHORT,
    (FASHION, EARLY): dict(stop={"loss": 0.042}, every=3),
    (FASHION, CONVERGED): dict(stop={"loss": 0.022}, every=10),
    (SPLIT, EARLY): dict(stop={"accuracy": 0.95}, every=3),
    (SPLIT, CONVERGED): LONG,
    (MNIST, EARLY): dict(stop={"accuracy": 0.9}, every=5),
    (MNIST, CONVERGED): dict(stop={"accuracy": 0.99}, every=50),
    (CIFAR, EARLY): dict(stop={"accuracy": 0.9}, every=5),
    (CIFAR, CONVERGED): dict(stop={"accuracy": 0.99}, every=50),
}
"""When a task ends, and the steps between two looks."""


def cells(
    images: Mapping[str, Configuration],
    settings: Iterable[str],
    arms: Iterable[str],
    widths: Sequence[int],
) -> tuple[Configuration, ...]:
    """Configurations of `continual`: every setting of which the tier has images, every arm, every
    width.

    With one rate for all widths those at which it is above the edge of stability are left out.
    """
    made: list[Configuration] = []
    for setting, arm in itertools.product(settings, arms):
        if setting not in images:
            continue
        rule = _rule(setting, arm)
        fixed = rule.get("rate") == FIXED
        cell = {**COMMON, **images[setting], **rule, "bed": setting, "arm": arm}
        cell["tasks"] = _tasks(images[setting], arm)
        made += [
            {**cell, "width": width}
            for width in widths
            if width <= BELOW_EDGE or not fixed
        ]
    return tuple(made)


def _rule(setting: str, arm: str) -> dict[str, Any]:
    if arm == LAST_IMAGE:
        return dict(stop={"accuracy": 1.0}, every=50)
    if arm in EPOCHS:
        return dict(stop={"epochs": EPOCHS[arm]}, every=10, rate=FIXED)
    return RULES[setting, arm]


def _tasks(images: Configuration, arm: str) -> list[dict[str, Any]]:
    part = TURNS.get(arm, 1.0)
    return [{**task, "angle": part * task["angle"]} for task in images["tasks"]]


def named(cell: Configuration) -> str:
    """A configuration in words."""
    return f"{cell['bed']}, {cell['arm']}, width {cell['width']}"
