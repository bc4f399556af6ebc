"""What pytest loads of ntk-claims in every project: a look for claims.

Where there are none, it does nothing more.

The plugin itself is `harness.plugin`. It is imported where claims are found, so that a project
without claims keeps its options, its fixtures and a top-level package `harness` of its own. This
module imports nothing of `harness`.

Claims are found in the folders of the command line, in `testpaths`, in the current folder and in
the root folder. A file elsewhere that turns out to make a claim brings the plugin too, with the
default of every option; `-p harness.plugin` brings it always, `-p no:ntk_claims` never.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

PLUGIN = "harness.plugin"
CLAIMS = "claims"
RECORD = "verdicts.toml"
REGISTRATIONS = "registrations/*/*.jsonl"
TEST_FILES = ("test_*.py", "*/test_*.py")
MENTIONS = (b"harness.claim", b"harness.study")


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests(
    early_config: pytest.Config, parser: pytest.Parser, args: list[str]
) -> Iterator[None]:
    """Brings the plugin and its options where there are claims."""
    manager = early_config.pluginmanager
    if manager.has_plugin(PLUGIN) or not _has_claims(early_config):
        return (yield)
    manager.import_plugin(PLUGIN)
    plugin: Any = manager.get_plugin(PLUGIN)
    if plugin is None:  # -p no:harness.plugin
        return (yield)
    return (yield from plugin.pytest_load_initial_conftests(early_config, parser, args))


def pytest_pycollect_makeitem(collector: pytest.Collector) -> None:
    """Brings the plugin where a module makes a claim in a folder that did not look like it."""
    if not isinstance(
        collector, pytest.Module
    ) or collector.config.pluginmanager.has_plugin(PLUGIN):
        return
    made = vars(collector.obj).get("claim")
    if type(made).__module__ == "harness.claim":
        collector.config.pluginmanager.import_plugin(PLUGIN)


def _has_claims(config: pytest.Config) -> bool:
    return any(
        _marked(place, config.rootpath) or _written(place) for place in _places(config)
    )


def _places(config: pytest.Config) -> list[Path]:
    """The files and folders that this call may collect; those of the command line first."""
    current = config.invocation_params.dir
    named = [
        current / text.split("::")[0]
        for text in config.known_args_namespace.file_or_dir
    ]
    usual = [config.rootpath / text for text in config.getini("testpaths")]
    return [
        place
        for place in (*named, *usual, current, config.rootpath)
        if os.path.exists(place)
    ]


def _marked(place: Path, root: Path) -> bool:
    """Whether verdicts or registrations are recorded in this folder, in its claims, or above it
    within the project.
    """
    above = [folder for folder in place.parents if folder.is_relative_to(root)]
    return any(
        os.path.isfile(folder / RECORD) or any(folder.glob(REGISTRATIONS))
        for folder in (place, place / CLAIMS, *above)
    )


def _written(place: Path) -> bool:
    """Whether this file makes a claim, or one in this folder's claims, before anything is
    registered.
    """
    if os.path.isfile(place):
        return _mentions(place)
    folder = place if place.name == CLAIMS else place / CLAIMS
    return any(
        _mentions(file) for pattern in TEST_FILES for file in folder.glob(pattern)
    )


def _mentions(file: Path) -> bool:
    try:
        source = file.read_bytes() if file.suffix == ".py" else b""
    except OSError:  # whoever collects it will say so
        return False
    return any(mention in source for mention in MENTIONS)
