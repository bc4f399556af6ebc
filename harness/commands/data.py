"""`ntk-claims data`: the data sets, where each was found, and how to get what is not there."""

import argparse
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from harness import datasets
from harness.commands.options import added, aligned
from harness.datasets._places import ENVIRONMENT, Published, source
from harness.errors import DatasetUnavailable, InvalidInput
from harness.experiment import Request

COLUMNS = ("data set", "part", "download", "licence", "found in")


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the command to those of `ntk-claims`."""
    command = added(
        commands,
        "data",
        "Lists every data set: its parts, what a download takes, its licence, and where it was "
        "found (not verified "
        "yet). With fetch, downloads a part into the cache, and verifies it; nothing else "
        "downloads but `pytest claims "
        "--download`. A claim decides without a data set that is not there: what rests on it comes "
        "out NOT_RUN. Files "
        f"you have already: put them into a folder <data set>/, and set {ENVIRONMENT} to the "
        "folder around it.",
        "ntk-claims data",
        "ntk-claims data fetch cifar10",
        "ntk-claims data fetch svhn --part train",
    )
    command.add_argument(
        "action",
        nargs="?",
        choices=("list", "fetch"),
        default="list",
        help="default: list",
    )
    command.add_argument("name", nargs="?", help="data set to fetch")
    command.add_argument(
        "--part", help="part to fetch (default: all, if they are one download)"
    )
    command.set_defaults(run=data)


def data(options: argparse.Namespace) -> int:
    """Lists, or fetches."""
    if options.action == "list" and (options.name or options.part):
        raise InvalidInput(
            "`ntk-claims data list` takes no data set and no part: it lists all of them."
        )
    if options.action == "list":
        print("\n".join(aligned([COLUMNS, *_rows()])))
        return 0
    if not options.name:
        raise InvalidInput(
            f"Name a data set: ntk-claims data fetch NAME. To download: {', '.join(_downloads())}."
        )
    for part in [options.part] if options.part else _together(options.name):
        print(f"{options.name}, part {part}: {datasets.fetch(options.name, part)}")
    return 0


def fetch_for(wanted: Iterable[Request], tell: Callable[[str], object]) -> None:
    """Downloads what the cells take their images from and is not there; says for each set where it
    is, or why not.
    """
    named = {
        pair: None for request in wanted for pair in downloadable(request.configuration)
    }
    for name, part in named:
        try:
            tell(f"{name}, part {part}: {datasets.fetch(name, part)}\n")
        except DatasetUnavailable as error:
            tell(f"{error}\n")


def downloadable(configuration: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Data set and part of whatever in a configuration names both: a "dataset" whose "options" have
    a "part".

    >>> task = {"dataset": "svhn", "options": {"part": "train"}}
    >>> list(downloadable({"task": task, "sizes": (64, 128)}))
    [('svhn', 'train')]
    """
    options = configuration.get("options")
    if (
        "dataset" in configuration
        and isinstance(options, Mapping)
        and "part" in options
    ):
        yield configuration["dataset"], options["part"]
    for value in configuration.values():
        if isinstance(value, Mapping):
            yield from downloadable(value)


def _downloads() -> list[str]:
    return [name for name in datasets.names() if datasets.parts(name)]


def _together(name: str) -> list[str]:
    """The parts that one download brings; raises InvalidInput if there are several downloads, or
    none.
    """
    parts = datasets.parts(name)
    if not parts:
        raise InvalidInput(
            f"Data set {name!r} comes with this project. To download: {', '.join(_downloads())}."
        )
    if len({part.files for part in parts}) > 1:
        choice = ", ".join(f"{part.part} ({_size(part)})" for part in parts)
        raise InvalidInput(
            f"Data set {name!r} has several downloads; choose one with --part: {choice}."
        )
    return [parts[0].part]


def _rows() -> Iterator[tuple[str, ...]]:
    for name in datasets.names():
        for part in datasets.parts(name):
            place = source(part)
            yield (
                name,
                part.part,
                _size(part),
                part.licence,
                place or f"nowhere: {part.command}",
            )
        if not datasets.parts(name):
            yield name, "", "", "see fixtures/, LICENSE", "this project"


def _size(part: Published) -> str:
    return f"{part.megabytes:,.0f} MB"
