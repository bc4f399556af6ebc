"""A toy works.

Claim
    Toys work.

Measured
    As planted: `plant` in conftest.py sets the constants in each copy it makes.

Departs
    Each cell leaves a line in the file `calls` of the current folder when its computation begins.

Limits
    It is a toy.
"""

import errno
import os
import time
from pathlib import Path

import numpy as np

from harness.claim import Claim, Paper, grid
from harness.experiment import Experiment, Tier

NAME = "toy"
FAMILY = "toy"
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


claim = Claim(
    __doc__.replace("A toy works.", f"Toy {NAME}"),
    id=f"{FAMILY}/{NAME}",
    paper=Paper("Doe", 2020, "On Toys", "section 1", "in full"),
    locus="section 1",
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
# with blocks at the quick tier, and a full tier only if asked for
toys = Experiment(draw, TIER, TIER if FULL else None, dtype="float64")
claim.experiments.append(toys)


@claim.effect(
    primary=True,
    above=0.1,
    expect=(0.3, 0.05),
    agreement=0.05,
    because="as good as any",
)
def gap(m):
    """The gap is {}."""
    if FAULT == "effects":
        raise RuntimeError("no effect today")
    return m[toys]("value", arm="effect")


@claim.control("SUPPORTED", of=gap)
def true(m):
    """True by construction."""
    return m[toys]("value", arm="true")


@claim.control("not SUPPORTED", of=gap)
def false(m):
    """False by construction."""
    return m[toys]("value", arm="false")


@claim.gate()
def trained(m):
    """Every toy was trained."""
    return UNTRAINED


def test_toy(verdict):
    """Passes if the toy works."""
    assert verdict.kind == "SUPPORTED", verdict.reason
