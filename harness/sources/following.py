"""Definitions followed from name to name, across modules."""

import ast
import functools
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from harness.sources.reading import Imports, Library, imports_of, syntax
from harness.sources.scopes import Chain, Definition, names_in

Node = tuple[str, str]
"""Dotted name of a module, and a name at its top level; WHOLE for all of the module."""

WHOLE = "*"


@dataclass
class Reached:
    """What a function names, transitively.

    Args:
        records: of each definition in the order of discovery: its name, and of each statement that
            makes it its syntax and what the names in it stand for.
        outside: modules of the project behind which nothing was followed.
    """

    records: list[Any] = field(default_factory=list)
    outside: set[str] = field(default_factory=set)


def reached(
    starts: Sequence[Node],
    library: Library,
    boundary: Callable[[str], bool],
    closed: Collection[Node] = (),
) -> Reached:
    """All that some definitions name, transitively, across modules.

    Args:
        starts: where to begin.
        library: where modules lie.
        boundary: whether a module is named instead of being followed.
        closed: definitions that are named likewise.

    Raises:
        InvalidInput: if a module on the way is no Python.
    """
    result = Reached()
    numbers = {node: index for index, node in enumerate(dict.fromkeys(starts))}
    waiting = list(numbers)
    for module, name in waiting:  # which grows on the way
        source = library.source(module)
        assert source is not None
        statements = source.statements if name == WHOLE else source.names.get(name, ())
        described = []
        for statement in statements:
            stands_for = {}
            for chain, targets in _targets(
                statement, module, library, boundary=boundary, outside=result.outside
            ):
                nodes = dict.fromkeys(
                    target for target in targets if not isinstance(target, str)
                )
                new = [
                    node for node in nodes if node not in closed and node not in numbers
                ]
                numbers.update(
                    {node: len(numbers) + index for index, node in enumerate(new)}
                )
                waiting += new
                stands_for[".".join(chain)] = [
                    _described(target, numbers) for target in targets
                ]
            described.append([_syntax(statement), stands_for])
        result.records.append([name, described])
    return result


def _described(target: Node | str, numbers: dict[Node, int]) -> int | str:
    """A definition by its number in the order of discovery, if it has one; else by its name."""
    if not isinstance(target, str) and target in numbers:
        return numbers[target]
    return _named(target)


def _named(target: Node | str) -> str:
    """A definition that is not followed, by its name; of a paper's, whichever of its files holds
    it.
    """
    if isinstance(target, str):
        return target
    module, name = target
    return name if module.startswith("claims.") else f"{module}:{name}"


def _targets(
    statement: ast.stmt,
    module: str,
    library: Library,
    *,
    boundary: Callable[[str], bool],
    outside: set[str],
) -> Iterator[tuple[Chain, list[Node | str]]]:
    """The names in a statement, each with the definitions or dotted names that it may stand for."""
    source = library.source(module)
    assert source is not None
    resolver = _Resolver(library, boundary, outside)
    inner = (
        _imports(statement, library.package(module))
        if isinstance(statement, Definition)
        else {}
    )
    for chain in _names(statement):
        if chain[0] in inner:
            found = [
                target
                for dotted in inner[chain[0]]
                for target in resolver.dotted(_joined(dotted, chain))
            ]
        else:
            found = resolver.name(module, chain, frozenset())
        if found:
            yield chain, found


@dataclass(frozen=True)
class _Resolver:
    """Finds what a name stands for; notes the modules at which it stops."""

    library: Library
    boundary: Callable[[str], bool]
    outside: set[str]

    def name(
        self, module: str, chain: Chain, seen: frozenset[Node]
    ) -> list[Node | str]:
        """What a name at a module's top level stands for; nothing for a local or built-in one."""
        source, root = self.library.source(module), chain[0]
        if source is None or (module, root) in seen:
            return []
        seen |= {(module, root)}
        targets: list[Node | str] = [(module, root)] if root in source.names else []
        for dotted in source.imports.get(root, ()):
            targets += self.dotted(_joined(dotted, chain), seen)
        if not targets:
            for star in source.stars:
                targets += self.name(star, chain, seen)
        return targets

    def dotted(
        self, parts: Chain, seen: frozenset[Node] = frozenset()
    ) -> list[Node | str]:
        """What a dotted name stands for: of the project, a definition or a whole module; else the
        name itself.
        """
        module, rest = parts[0], parts[1:]
        if self.library.source(module) is None and not self._has_modules(module):
            return [".".join(parts)]
        while True:
            deeper = bool(rest) and self._has_modules(f"{module}.{rest[0]}")
            if (
                not deeper
                and self.library.file(module) is not None
                and self.boundary(module)
            ):
                self.outside.add(module)
                return [":".join([module, ".".join(rest)])]
            if not rest:
                return (
                    [(module, WHOLE)]
                    if self.library.source(module) is not None
                    else [module]
                )
            if not self.boundary(module) and (found := self.name(module, rest, seen)):
                return found
            if not deeper:
                return [".".join(parts)]
            module, rest = f"{module}.{rest[0]}", rest[1:]

    def _has_modules(self, dotted: str) -> bool:
        """Whether this is a module of the project, or a folder of such."""
        first, *inner = dotted.split(".")
        root = {"harness": self.library.home, "claims": self.library.claims}.get(first)
        return root is not None and (
            self.library.file(dotted) is not None or root.joinpath(*inner).is_dir()
        )


@functools.lru_cache(maxsize=4096)
def _names(statement: ast.stmt) -> tuple[Chain, ...]:
    return tuple(dict.fromkeys(names_in(statement)))


@functools.lru_cache(maxsize=4096)
def _imports(statement: ast.stmt, package: str) -> Imports:
    return imports_of([*ast.walk(statement)], package)


_syntax = functools.lru_cache(maxsize=4096)(syntax)
"""Of a statement, which is the same object until its file changes."""


def _joined(dotted: str, chain: Chain) -> Chain:
    """What `chain` reads if its first name stands for `dotted`."""
    return (*dotted.split("."), *chain[1:])
