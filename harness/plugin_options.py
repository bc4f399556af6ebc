"""The options of a claims run under pytest: `--ntk-tier` etc., and `--tier` where that is free.

A project's own conftest and plugins come first. A short name that they took stays theirs; ours has
the long one.
"""

import argparse
import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from harness.backends import DEVICES
from harness.experiment import TIERS
from harness.session import STORE
from harness.sweep.engines import GPUS_PER_CELL, RAY_ADDRESS
from harness.sweep.engines import available as engines_available

REPORTS = "reports"
ENGINES = ", ".join(engines_available())


@dataclass(frozen=True)
class Option:
    """An option: its name without dashes, its default, its help, and what else argparse is told."""

    name: str
    default: Any
    help: str
    more: Mapping[str, Any]

    @property
    def short(self) -> str:
        """The name that others may have taken."""
        return f"--{self.name}"

    @property
    def long(self) -> str:
        """The name that is ours in any case."""
        return f"--ntk-{self.name}"

    @property
    def dest(self) -> str:
        """The attribute of pytest's options."""
        return f"ntk_{self.name.replace('-', '_')}"

    def arguments(self) -> dict[str, Any]:
        """What `add_argument` takes."""
        return {
            "dest": self.dest,
            "default": self.default,
            "help": self.help,
            **self.more,
        }


FLAG = {"action": "store_true"}
OPTIONS = (
    Option(
        "tier", "quick", "scale of the experiments (default: quick)", {"choices": TIERS}
    ),
    Option(
        "backend", "torch,jax", "backends, comma-separated (default: torch,jax)", {}
    ),
    Option("engine", "local", f"what runs the cells: {ENGINES}", {}),
    Option("ray-address", None, RAY_ADDRESS, {"metavar": "HOST:PORT"}),
    Option("gpus-per-cell", None, GPUS_PER_CELL, {"type": float}),
    Option("device", "auto", "default: a GPU where there is one", {"choices": DEVICES}),
    Option(
        "claim-workers",
        None,
        "cells at a time (default: the engine chooses)",
        {"type": int},
    ),
    Option(
        "require-all",
        False,
        "a claim that is NOT_RUN fails instead of being skipped",
        FLAG,
    ),
    Option("store", None, f"where cells are kept (default: {STORE})", {}),
    Option(
        "report", None, f"folder of the report (default: {REPORTS}/<tier>-<time>)", {}
    ),
    Option(
        "download", False, "download the data sets that the claims need and lack", FLAG
    ),
    Option(
        "stale-ok",
        False,
        "--replay may judge cells of other code than the present",
        FLAG,
    ),
    Option(
        "replay", False, "judge the cells recorded in the store; compute nothing", FLAG
    ),
)
DEFAULTS = {option.name: option.default for option in OPTIONS}


def chosen(config: pytest.Config, name: str) -> Any:
    """The value of an option; its default where the plugin came too late for the command line."""
    option = next(option for option in OPTIONS if option.name == name)
    return getattr(config.option, option.dest, option.default)


def hide(config: pytest.Config, parser: pytest.Parser, args: list[str]) -> None:
    """Takes the values of our options out of the paths in which pytest looks for the first
    conftest.py.

    Our options are added once those files have said which names are theirs; until then a value such
    as `quick` counts as a path.
    """
    reader = argparse.ArgumentParser(
        add_help=False, allow_abbrev=False, exit_on_error=False
    )
    for option in OPTIONS:
        if option.more.get("action") == "store_true":
            reader.add_argument(option.long, option.short, action="store_true")
        else:
            reader.add_argument(option.long, option.short)
    try:
        _, others = reader.parse_known_args(args)
    except argparse.ArgumentError:  # an option without its value: pytest will say so
        return
    confcutdir = config.known_args_namespace.confcutdir
    config.known_args_namespace = parser.parse_known_args(
        others, namespace=copy.copy(config.option)
    )
    config.known_args_namespace.confcutdir = confcutdir


def add(parser: pytest.Parser) -> None:
    """Adds every option, by its short name too where that is free."""
    free = {option.name for option in OPTIONS if _is_free(parser, option.short)}
    group = parser.getgroup(
        "ntk-claims", "verify claims about the neural tangent kernel"
    )
    for option in OPTIONS:
        names = [option.long, option.short] if option.name in free else [option.long]
        group.addoption(*names, **option.arguments())


def _is_free(parser: pytest.Parser, name: str) -> bool:
    """Whether nobody has an option of that name: pytest then gives it back as unknown."""
    given = f"{name}=taken?"
    try:
        _, unknown = parser.parse_known_and_unknown_args([given])
    except (
        pytest.UsageError,
        argparse.ArgumentError,
        ValueError,
        TypeError,
    ):  # somebody has it, and wants other values
        return False
    return given in unknown
