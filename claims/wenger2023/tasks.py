"""Tasks that networks learn one after the other, and when each of them ends.

A setting is the images and tasks; an arm is when a task ends. Both name a cell, as `bed` and `arm`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from harness.experiment import Configuration, grid

DIGITS, FASHION, SPLIT = "rotated digits", "rotated Fashion-MNIST", "split Fashion-MNIST"
MNIST, CIFAR = "rotated MNIST", "split CIFAR-10"  # at the full tier, where these sets are at hand
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
    MNIST: dict(dataset="mnist", options={"part": "train"}, shrink=2, samples=1000, tests=5000, **FIVE_TURNS),
    CIFAR: dict(dataset="cifar10", shrink=2, samples=1000, tests=2000, **split(*PAIRS)),
}
"""Images and tasks of each setting, by tier."""

COMMON = dict(options={}, tests=800, momentum=0.7, batch_size=32, epochs=2000, rate={"edge": 0.3})
FIXED = {"fixed": 0.03}
"""One rate for all widths, below the edge of stability up to a width of 2,048."""

RULES: dict[tuple[str, str], dict[str, Any]] = {
    (DIGITS, EARLY): dict(stop={"accuracy": 0.9}, every=3),
    (DIGITS, CONVERGED): dict(stop={"accuracy": 0.99}, every=10),
    (DIGITS, EARLY_LOSS): dict(stop={"loss": 0.04}, every=3),
    (DIGITS, CONVERGED_LOSS): dict(stop={"loss": 0.018}, every=10),
    (DIGITS, ONE_RATE): dict(stop={"accuracy": 0.9}, every=3, rate=FIXED),
    (DIGITS, FIXED_EPOCHS): dict(stop={"epochs": 5}, every=10, rate=FIXED),
    (DIGITS, NO_TURNS): dict(stop={"accuracy": 0.9}, every=3),
    (DIGITS, HALF_TURNS): dict(stop={"accuracy": 0.9}, every=3),
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
TO_THE_LAST_IMAGE = dict(stop={"accuracy": 1.0}, every=50)


def cells(
    images: Mapping[str, Configuration], setting: str, arm: str, width: int | tuple[int, ...]
) -> tuple[Configuration, ...]:
    """Configurations of `continual`, one per width: a setting with the images of a tier, an arm with its rule."""
    rule = TO_THE_LAST_IMAGE if arm == LAST_IMAGE else RULES[setting, arm]
    return grid(**{**COMMON, **images[setting], **rule, "bed": setting, "arm": arm, "width": width})


def after_epochs(widths: tuple[int, ...], *epochs: int) -> tuple[Configuration, ...]:
    """Digits of the full tier, each task for a number of epochs; the arm of 5 epochs is that of the quick tier."""
    made = []
    for number in epochs:
        arm = FIXED_EPOCHS if number == 5 else f"{number} epochs"
        for cell in cells(FULL, DIGITS, FIXED_EPOCHS, widths):
            made.append({**cell, "arm": arm, "stop": {"epochs": number}})
    return tuple(made)


def turned_by_part(
    part: float, arm: str, images: Mapping[str, Configuration], width: int | tuple[int, ...]
) -> tuple[Configuration, ...]:
    """Digits, stopped early, whose tasks turn by a part of the usual angles."""
    tasks = [{**task, "angle": part * task["angle"]} for task in images[DIGITS]["tasks"]]
    return tuple({**cell, "tasks": tasks} for cell in cells(images, DIGITS, arm, width))


def both_halves(
    images: Mapping[str, Configuration], settings: Sequence[str], width: tuple[int, ...]
) -> tuple[Configuration, ...]:
    """Stopped early and converged, in each setting."""
    made = []
    for setting in settings:
        made += [*cells(images, setting, EARLY, width), *cells(images, setting, CONVERGED, width)]
    return tuple(made)


def to_the_last_image(widths: tuple[int, ...]) -> tuple[Configuration, ...]:
    """Every setting of the full tier, trained until every training image is right."""
    made = []
    for setting in FULL:
        made += cells(FULL, setting, LAST_IMAGE, widths)
    return tuple(made)


def named(cell: Configuration) -> str:
    """A configuration in words."""
    return f"{cell['bed']}, {cell['arm']}, width {cell['width']}"
