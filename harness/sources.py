"""Python sources as evidence: parsed, never executed, and followed from a function to all that it names.

A digest of code must be the same on every machine and change only with what the code does. So files are decoded as
Python does it (PEP 263, UTF-8 by default, whatever the locale), lines may end in LF or CRLF, and what is digested is
the syntax tree without comments, docstrings and layout. The tree is written out here rather than by `ast.dump`, whose
text depends on the version of Python. Definitions are told apart by the order in which they are reached, not by their
files, so that a function may move between files.
"""

import ast
import functools
import hashlib
import json
import tokenize
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.errors import InvalidInput

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
Scope = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | Comprehension
Imports = dict[str, list[str]]
Chain = tuple[str, ...]
Node = tuple[str, str]
"""Dotted name of a module, and a name at its top level; WHOLE for all of the module."""

WHOLE = "*"
# Where names and literals stand, and what Python versions add.
IGNORED = {"ctx", "kind", "type_comment", "type_ignores", "type_params"}


@dataclass(frozen=True)
class Source:
    """A parsed file.

    Args:
        statements: its top level, without imports and docstring.
        names: name -> the statements that bind or change it.
        imports: name -> the dotted names that it may stand for.
        stars: modules of which it imports everything.
        imported: dotted names of all that it may load, from inside functions too.
        digest: SHA-256, in hex, of the syntax of the whole file.
    """

    statements: tuple[ast.stmt, ...]
    names: dict[str, list[ast.stmt]]
    imports: Imports
    stars: tuple[str, ...]
    imported: tuple[str, ...]
    digest: str

    def binds(self, name: str) -> bool:
        """Whether a name is defined or imported at the top level."""
        return name in self.names or name in self.imports


@dataclass(frozen=True)
class Library:
    """Where the modules of `harness` and of `claims` lie; no other module is followed.

    Args:
        home: folder of the package `harness`.
        claims: folder that holds a folder for each paper.
    """

    home: Path
    claims: Path

    def file(self, dotted: str) -> Path | None:
        """The file of a module or package; None if it is none of the project's or the claims'."""
        first, *inner = dotted.split(".")
        roots = {"harness": self.home, "claims": self.claims}
        if first not in roots:
            return None
        place = roots[first].joinpath(*inner)
        candidates = [place / "__init__.py"]
        if inner:
            candidates.insert(0, place.with_name(f"{place.name}.py"))
        return next((file for file in candidates if file.is_file()), None)

    def source(self, dotted: str) -> Source | None:
        """The parsed file of a module; raises InvalidInput if it is no Python."""
        file = self.file(dotted)
        if file is None:
            return None
        package = dotted if file.name == "__init__.py" else dotted.rpartition(".")[0]
        return parsed(file, package)


@dataclass
class Reached:
    """What a function names, transitively.

    Args:
        records: of each definition in the order of discovery: its name, its syntax, and what its names stand for.
        outside: modules of the project behind which nothing was followed.
    """

    records: list[Any] = field(default_factory=list)
    outside: set[str] = field(default_factory=set)


def parsed(file: Path, package: str) -> Source:
    """A file of a package, parsed; kept until the file changes.

    Raises:
        InvalidInput: if it cannot be read, or is no Python.
    """
    try:
        state = file.stat()
        return _parsed(file, package, state.st_mtime_ns, state.st_size)
    except (OSError, SyntaxError, ValueError) as error:
        raise InvalidInput(f"{file} cannot be read as Python ({error}).") from error


@functools.lru_cache(maxsize=2048)
def _parsed(file: Path, package: str, _changed: int, _size: int) -> Source:
    with tokenize.open(file) as opened:
        tree = ast.parse(opened.read())
    names: dict[str, list[ast.stmt]] = {}
    for statement in tree.body:
        for name in dict.fromkeys(_touched(statement)):
            names.setdefault(name, []).append(statement)
    top = [node for statement in tree.body if not isinstance(statement, Definition) for node in ast.walk(statement)]
    imported = [name for bound in _imports([*ast.walk(tree)], package).values() for name in bound]
    text = json.dumps(syntax(tree.body), separators=(",", ":"))
    return Source(
        tuple(s for s in tree.body if not isinstance(s, ast.Import | ast.ImportFrom) and not _is_text(s)),
        names,
        _imports(top, package),
        tuple(_stars(top, package)),
        tuple(dict.fromkeys([*imported, *_stars([*ast.walk(tree)], package)])),
        hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest(),
    )


def reached(
    starts: Sequence[Node], library: Library, boundary: Callable[[str], bool], closed: Collection[Node] = ()
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
        stands_for: dict[str, list[Any]] = {}
        for statement in statements:
            for chain, targets in _targets(statement, module, library, boundary, result.outside):
                stands_for[".".join(chain)] = []
                for target in targets:
                    if not isinstance(target, str) and target not in closed and target not in numbers:
                        numbers[target] = len(numbers)
                        waiting.append(target)
                    stands_for[".".join(chain)].append(numbers.get(target, "".join(target)))
        result.records.append([name, [syntax(statement) for statement in statements], stands_for])
    return result


def _targets(
    statement: ast.stmt, module: str, library: Library, boundary: Callable[[str], bool], outside: set[str]
) -> Iterator[tuple[Chain, list[Node | str]]]:
    """The names in a statement, each with the definitions or dotted names that it may stand for."""
    source = library.source(module)
    assert source is not None
    resolver = _Resolver(library, boundary, outside)
    inner = _imports([*ast.walk(statement)], _package(module, library)) if isinstance(statement, Definition) else {}
    for chain in dict.fromkeys(_chains(statement)):
        if chain[0] in inner:
            found = [target for dotted in inner[chain[0]] for target in resolver.dotted(_joined(dotted, chain))]
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

    def name(self, module: str, chain: Chain, seen: frozenset[Node]) -> list[Node | str]:
        """What a name at the top level of a module stands for; nothing for a local or built-in one."""
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

    def dotted(self, parts: Chain, seen: frozenset[Node] = frozenset()) -> list[Node | str]:
        """What a dotted name stands for: of the project, a definition or a whole module; else the name itself."""
        module, rest = parts[0], parts[1:]
        if self.library.source(module) is None and not self._has_modules(module):
            return [".".join(parts)]
        while True:
            deeper = bool(rest) and self._has_modules(f"{module}.{rest[0]}")
            if not deeper and self.library.file(module) is not None and self.boundary(module):
                self.outside.add(module)
                return [":".join([module, ".".join(rest)])]
            if not rest:
                return [(module, WHOLE)] if self.library.source(module) is not None else [module]
            if not self.boundary(module) and (found := self.name(module, rest, seen)):
                return found
            if not deeper:
                return [".".join(parts)]
            module, rest = f"{module}.{rest[0]}", rest[1:]

    def _has_modules(self, dotted: str) -> bool:
        """Whether this is a module of the project, or a folder of such."""
        first, *inner = dotted.split(".")
        root = {"harness": self.library.home, "claims": self.library.claims}.get(first)
        return root is not None and (self.library.file(dotted) is not None or root.joinpath(*inner).is_dir())


def _package(module: str, library: Library) -> str:
    file = library.file(module)
    return module if file is not None and file.name == "__init__.py" else module.rpartition(".")[0]


def _joined(dotted: str, chain: Chain) -> Chain:
    """What `chain` reads if its first name stands for `dotted`."""
    return (*dotted.split("."), *chain[1:])


def _touched(node: ast.AST) -> Iterator[str]:
    """The names that a statement binds or changes in its own scope, but for imports.

    A call that stands alone, such as `TABLE.update(...)`, may change whatever it names.
    """
    if isinstance(node, Definition):
        yield node.name
    elif isinstance(node, ast.Expr):
        yield from () if _is_text(node) else (part.id for part in ast.walk(node) if isinstance(part, ast.Name))
    elif isinstance(node, Comprehension | ast.Lambda):
        yield from (part.target.id for part in ast.walk(node) if isinstance(part, ast.NamedExpr))
    elif isinstance(node, ast.Name):
        yield from () if isinstance(node.ctx, ast.Load) else (node.id,)
    elif isinstance(node, ast.Attribute | ast.Subscript) and not isinstance(node.ctx, ast.Load):
        base = node.value
        while isinstance(base, ast.Attribute | ast.Subscript):
            base = base.value
        yield from (part.id for part in ast.walk(base) if isinstance(part, ast.Name))
    else:
        for child in ast.iter_child_nodes(node):
            yield from _touched(child)


def _is_text(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _imports(nodes: Sequence[ast.AST], package: str) -> Imports:
    """Name -> dotted names that import statements bind it to; of `import a.b`, `a` to itself, and `a.b` to itself."""
    found: Imports = {}
    for node in nodes:
        if isinstance(node, ast.Import):
            for alias in node.names:
                first = alias.name.split(".")[0]
                found.setdefault(alias.asname or first, []).append(alias.name if alias.asname else first)
                if alias.name != first:
                    found.setdefault(alias.name, []).append(alias.name)
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                if alias.name != "*":
                    dotted = f"{_absolute(node, package)}.{alias.name}"
                    found.setdefault(alias.asname or alias.name, []).append(dotted)
    return found


def _stars(nodes: Sequence[ast.AST], package: str) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and any(alias.name == "*" for alias in node.names):
            yield _absolute(node, package)


def _absolute(node: ast.ImportFrom, package: str) -> str:
    """The module that `from ... import` names, dots at its front resolved."""
    above = package.split(".")
    base = above[: len(above) - node.level + 1] if node.level else []
    return ".".join([*base, *([node.module] if node.module else [])])


def _chains(node: ast.AST, local: frozenset[str] = frozenset()) -> Iterator[Chain]:
    """Each name that is not local, with the attributes that are asked of it: `a.b.c(d)` gives (a, b, c) and (d,)."""
    if isinstance(node, ast.Name | ast.Attribute) and (chain := _chain(node)):
        yield from () if chain[0] in local else (chain,)
    elif isinstance(node, Scope):
        inner = _scope(node, local)
        own = {id(part) for part in _inside(node)}
        for child in _children(node):
            yield from _chains(child, inner if id(child) in own else local)
    else:
        for child in ast.iter_child_nodes(node):
            yield from _chains(child, local)


def _chain(node: ast.AST) -> Chain:
    """A name with attributes; empty if what the attributes are asked of is no name."""
    attributes = list[str]()
    while isinstance(node, ast.Attribute):
        attributes.append(node.attr)
        node = node.value
    return (node.id, *reversed(attributes)) if isinstance(node, ast.Name) else ()


def _children(node: ast.AST) -> Iterator[ast.AST]:
    """The parts of a function or comprehension, comprehensions' targets and sources one by one."""
    for child in ast.iter_child_nodes(node):
        yield from ast.iter_child_nodes(child) if isinstance(child, ast.comprehension) else (child,)


def _inside(node: ast.AST) -> list[ast.AST]:
    """Those parts that are evaluated in the scope of its own: not defaults, decorators and annotations."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return list(node.body)
    if isinstance(node, ast.Lambda):
        return [node.body]
    first = next(child for child in ast.iter_child_nodes(node) if isinstance(child, ast.comprehension))
    return [child for child in _children(node) if child is not first.iter]


def _scope(node: ast.AST, local: frozenset[str]) -> frozenset[str]:
    """The local names in a function or comprehension, with those of the functions around it."""
    parameters = (
        {part.arg for part in ast.walk(node.args) if isinstance(part, ast.arg)} if hasattr(node, "args") else set()
    )
    bound, outer = set[str](parameters), set[str]()
    for part in _inside(node):
        for inner in _of_scope(part):
            if isinstance(inner, ast.Global):
                outer.update(inner.names)
            elif isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store):
                bound.add(inner.id)
            elif isinstance(inner, Definition):
                bound.add(inner.name)
    return (local | bound) - outer


def _of_scope(node: ast.AST) -> Iterator[ast.AST]:
    """A tree without what is in scopes of its own."""
    yield node
    if not isinstance(node, Scope | ast.ClassDef):
        for child in ast.iter_child_nodes(node):
            yield from _of_scope(child)


def syntax(node: Any) -> Any:
    """A syntax tree as JSON values, without positions and docstrings, the same in every version of Python."""
    if isinstance(node, list):
        return [syntax(part) for part in node]
    if isinstance(node, ast.Constant):
        return ["Constant", ascii(node.value)]  # what `repr` escapes depends on the version of Unicode
    if not isinstance(node, ast.AST):
        return ascii(node)
    fields = {name: value for name, value in ast.iter_fields(node) if name not in IGNORED and value not in (None, [])}
    if isinstance(node, Definition) and ast.get_docstring(node, clean=False) is not None:
        fields["body"] = node.body[1:]
    return [type(node).__name__, {name: syntax(value) for name, value in fields.items()}]
