"""Puts a defect into its module as soon as the module has been imported, before anybody takes a
name from it.
"""

import functools
import importlib.abc
import importlib.machinery
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import Any, SupportsIndex

from tests.verify.mutants.defect import Defect, Replacement


class NoTargetError(Exception):
    """A module no longer has what a defect replaces."""


def plant_on_import(defect: Defect) -> None:
    """From now on, the import of the defect's module plants it."""
    sys.meta_path = _FirstStays([_Finder(defect), *sys.meta_path])


def target_of(defect: Defect, module: ModuleType) -> tuple[Any, str, Any]:
    """Where the target is, its name there, and the target as it is defined: functions of classes
    unbound.

    Raises:
        NoTargetError: if there is no such thing.
    """
    *path, name = defect.target.partition(":")[2].split(".")
    try:
        owner = functools.reduce(getattr, path, module)
        return owner, name, vars(owner)[name]
    except (AttributeError, KeyError):
        raise NoTargetError(
            f"Defect {defect.name!r}: there is no {defect.target}. Point it to where the function "
            "is now."
        ) from None


def plant(defect: Defect, module: ModuleType) -> None:
    """Puts the replacement in the place of the target."""
    owner, name, sound = target_of(defect, module)
    planted = _replaced(sound, defect.replacement)
    setattr(owner, name, planted)
    if isinstance(planted, functools.cached_property):
        planted.__set_name__(owner, name)


def _replaced(sound: Any, replacement: Replacement) -> Any:
    """The replacement, as the same kind of thing as the sound one."""
    if isinstance(sound, staticmethod):
        return staticmethod(_wrapped(sound.__func__, replacement))
    if isinstance(sound, property):
        return property(_wrapped(sound.fget, replacement))
    if isinstance(sound, functools.cached_property):
        return functools.cached_property(_wrapped(sound.func, replacement))
    if callable(sound):
        return _wrapped(sound, replacement)
    return replacement(sound)


def _wrapped(sound: Any, replacement: Replacement) -> Any:
    @functools.wraps(sound)
    def planted(*arguments: Any, **options: Any) -> Any:
        return replacement(sound, *arguments, **options)

    return planted


class _FirstStays(list[Any]):
    """The finders of modules, of which the first stays the first: pytest inserts one that rewrites
    assertions.
    """

    def insert(self, index: SupportsIndex, finder: Any) -> None:
        """Inserts behind the first."""
        super().insert(max(int(index), 1), finder)


class _Finder(importlib.abc.MetaPathFinder):
    """Finds the module of a defect as Python does, and plants the defect once the module has been
    executed.
    """

    def __init__(self, defect: Defect) -> None:
        self.defect = defect

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: ModuleType | None = None,
    ) -> importlib.machinery.ModuleSpec | None:
        """The module's own spec, whose loader plants; None for every other module."""
        if fullname != self.defect.module:
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path)
        if spec is None or spec.loader is None:
            return None
        execute = spec.loader.exec_module

        def execute_and_plant(module: ModuleType) -> None:
            execute(module)
            plant(self.defect, module)

        spec.loader.exec_module = execute_and_plant  # type: ignore[method-assign]
        return spec
