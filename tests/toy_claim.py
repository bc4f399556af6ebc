"""A toy claim.

Its truth is planted by the constants, which `plant` in conftest.py sets in each copy it makes.

Each cell leaves a line in the file `calls` of the current folder when its computation begins.
"""

import errno
import os
import time
from pathlib import Path

import numpy as np

from harness.experiment import Experiment, Tier, grid
from harness.study import (
    Control,
    Gate,
    Hypothesis,
    Paper,
    Statement,
    Study,
    Superiority,
)

NAME = "toy"
FAMILY = "toys"
EFFECT = 0.3  # mean of the effect; the margin is 0.1
SPREAD = 0.05  # effects lie evenly within so much of their mean
JAX = 0.0  # what jax measures beyond that
NULL = 0.0  # mean of the control that is false by construction
UNTRAINED = ""  # what the gate says
SECONDS = 0.0  # that each cell takes
BLOCK = 10  # seeds in a cell
FULL = False  # whether there is a full tier
FAULT = ""  # what fails: "computation", "effects" or "disk"

SEEDS = 10


def draw(backend, configuration, replicates, stream):
    """Evenly spread values; no random numbers, so that every p-value can be planted."""
    with Path("calls").open("a") as calls:
        calls.write(
            f"{configuration['name']} {configuration['arm']} {backend.name} {replicates[0]}\n"
        )
    time.sleep(configuration["seconds"])
    if configuration["fault"] == "disk":
        os.fsync = full
    if configuration["fault"] == "computation":
        raise ArithmeticError("no such number")
    fault = planted(f"{configuration['arm']} {replicates[0]}")
    if fault == "hang":
        time.sleep(3600)
    if fault == "hoard":
        np.ones(backend.memory_budget // 8)
    centre = (
        np.nan if fault == "diverge" else configuration["mean"][configuration["arm"]]
    )
    if backend.name == "jax" and configuration["arm"] == "effect":
        centre += configuration["jax"]
    return {
        "value": centre
        + configuration["spread"] * np.linspace(-1, 1, SEEDS)[list(replicates)]
    }


def planted(cell):
    """What goes wrong with this cell: the file `fault`, where there is one, reads "diverge effect
    3" or the like.
    """
    fault, _, where = (
        Path("fault").read_text().partition(" ")
        if Path("fault").exists()
        else ("", "", "")
    )
    return fault if where == cell else ""


def full(descriptor):
    """What os.fsync does on a full disk."""
    raise OSError(errno.ENOSPC, "No space left on device")


CLAIM = Statement(
    id=f"toy/{NAME}",
    paper=Paper("Doe", 2020, "On Toys", "section 1", "in full"),
    title=f"Toy {NAME}",
    statement="Toys work.",
    operationalised="As planted.",
    departs="",
    family=FAMILY,
    hypotheses=(
        Hypothesis(
            "gap",
            "the gap is positive",
            Superiority(0.1),
            "as good as any",
            0.3,
            0.05,
            agreement=0.05,
        ),
    ),
    controls=(
        Control("true", "gap", "SUPPORTED", "true by construction"),
        Control("false", "gap", "not SUPPORTED", "false by construction"),
    ),
    gates=(Gate("trained", "every toy was trained"),),
)

TIER = Tier(
    grid(
        name=NAME,
        arm=("effect", "true", "false"),
        mean={"effect": EFFECT, "true": 0.3, "false": NULL},
        jax=JAX,
        spread=SPREAD,
        seconds=SECONDS,
        fault=FAULT,
    ),
    replicates=SEEDS,
    block=BLOCK,
)


def effects(m):
    """One value per seed and arm."""
    if FAULT == "effects":
        raise RuntimeError("no effect today")
    return {
        "gap": m("value", arm="effect"),
        "true": m("value", arm="true"),
        "false": m("value", arm="false"),
    }


def gates(m):
    """What was planted."""
    return {"trained": UNTRAINED}


STUDY = Study(
    CLAIM,
    (Experiment(draw, TIER, TIER if FULL else None, dtype="float64"),),
    effects,
    gates,
)


def test_toy(verdict):
    """Passes if the toy works."""
    assert verdict.kind == "SUPPORTED", verdict.reason
