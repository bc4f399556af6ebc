"""Files and modules: read, parsed, and what their top level binds."""

import ast
import functools
import hashlib
import json
import tokenize
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.errors import InvalidInput
from harness.sources.scopes import Comprehension, Definition

Imports = dict[str, list[str]]

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
    """

    statements: tuple[ast.stmt, ...]
    names: dict[str, list[ast.stmt]]
    imports: Imports
    stars: tuple[str, ...]
    imported: tuple[str, ...]

    def binds(self, name: str) -> bool:
        """Whether a name is defined or imported at the top level."""
        return name in self.names or name in self.imports


@dataclass(frozen=True)
class Library:
    """Where the modules of `harness` and of `claims` lie; no other module is followed.

    What was found stays as it was found: a library is made for one question.

    Args:
        home: folder of the package `harness`.
        claims: folder that holds a folder for each paper.
    """

    home: Path
    claims: Path
    _files: dict[str, Path | None] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    _sources: dict[str, Source | None] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def file(self, dotted: str) -> Path | None:
        """The file of a module or package; None if it is none of the project's or the claims'."""
        if dotted not in self._files:
            self._files[dotted] = self._file(dotted)
        return self._files[dotted]

    def _file(self, dotted: str) -> Path | None:
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
        if dotted not in self._sources:
            file = self.file(dotted)
            package = self.package(dotted)
            self._sources[dotted] = None if file is None else parsed(file, package)
        return self._sources[dotted]

    def package(self, dotted: str) -> str:
        """The package of a module, which is itself where it is one."""
        file = self.file(dotted)
        is_one = file is not None and file.name == "__init__.py"
        return dotted if is_one else dotted.rpartition(".")[0]


def parsed(file: Path, package: str) -> Source:
    """A file of a package, parsed; kept until the file changes.

    Raises:
        InvalidInput: if it cannot be read, or is no Python.
    """
    return _kept(_parsed, file, package)


def digest_of(file: Path) -> str:
    """SHA-256, in hex, of the syntax of a file; kept until the file changes.

    Raises:
        InvalidInput: if it cannot be read, or is no Python.
    """
    return _kept(_digest, file)


def _kept(read: Callable[..., Any], file: Path, *more: str) -> Any:
    """What a function makes of a file in its present state."""
    try:
        state = file.stat()
        return read(file, state.st_mtime_ns, state.st_size, *more)
    except (OSError, SyntaxError, ValueError) as error:
        raise InvalidInput(f"{file} cannot be read as Python ({error}).") from error


def _tree(file: Path) -> ast.Module:
    with tokenize.open(file) as opened:
        return ast.parse(opened.read())


@functools.lru_cache(maxsize=2048)
def _digest(file: Path, _changed: int, _size: int) -> str:
    text = json.dumps(syntax(_tree(file).body), separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


@functools.lru_cache(maxsize=2048)
def _parsed(file: Path, _changed: int, _size: int, package: str) -> Source:
    tree = _tree(file)
    names: dict[str, list[ast.stmt]] = {}
    for statement in tree.body:
        for name in dict.fromkeys(_touched(statement)):
            names.setdefault(name, []).append(statement)
    top = [
        node
        for statement in tree.body
        if not isinstance(statement, Definition)
        for node in ast.walk(statement)
    ]
    imported = [
        name
        for bound in imports_of([*ast.walk(tree)], package).values()
        for name in bound
    ]
    return Source(
        tuple(
            s
            for s in tree.body
            if not isinstance(s, ast.Import | ast.ImportFrom) and not _is_text(s)
        ),
        names,
        imports_of(top, package),
        tuple(_stars(top, package)),
        tuple(dict.fromkeys([*imported, *_stars([*ast.walk(tree)], package)])),
    )


def _touched(node: ast.AST) -> Iterator[str]:
    """The names that a statement binds or changes in its own scope, but for imports.

    A call that stands alone, such as `TABLE.update(...)`, may change whatever it names.
    """
    if isinstance(node, Definition):
        yield node.name
    elif isinstance(node, ast.Expr):
        yield from (
            ()
            if _is_text(node)
            else (part.id for part in ast.walk(node) if isinstance(part, ast.Name))
        )
    elif isinstance(node, Comprehension | ast.Lambda):
        yield from (
            part.target.id for part in ast.walk(node) if isinstance(part, ast.NamedExpr)
        )
    elif isinstance(node, ast.Name):
        yield from () if isinstance(node.ctx, ast.Load) else (node.id,)
    elif isinstance(node, ast.Attribute | ast.Subscript) and not isinstance(
        node.ctx, ast.Load
    ):
        base = node.value
        while isinstance(base, ast.Attribute | ast.Subscript):
            base = base.value
        yield from (part.id for part in ast.walk(base) if isinstance(part, ast.Name))
    else:
        for child in ast.iter_child_nodes(node):
            yield from _touched(child)


def _is_text(statement: Any) -> bool:
    """Whether a statement is a text alone, as docstrings are."""
    constant = statement.value if isinstance(statement, ast.Expr) else None
    return isinstance(constant, ast.Constant) and isinstance(constant.value, str)


def imports_of(nodes: Sequence[ast.AST], package: str) -> Imports:
    """Name -> dotted names that import statements bind it to; of `import a.b`, `a` to itself, and
    `a.b` to itself.
    """
    found: Imports = {}
    for node in nodes:
        if isinstance(node, ast.Import):
            for alias in node.names:
                first = alias.name.split(".")[0]
                found.setdefault(alias.asname or first, []).append(
                    alias.name if alias.asname else first
                )
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
        if isinstance(node, ast.ImportFrom) and any(
            alias.name == "*" for alias in node.names
        ):
            yield _absolute(node, package)


def _absolute(node: ast.ImportFrom, package: str) -> str:
    """The module that `from ... import` names, dots at its front resolved."""
    above = package.split(".")
    base = above[: len(above) - node.level + 1] if node.level else []
    return ".".join([*base, *([node.module] if node.module else [])])


def syntax(node: Any) -> Any:
    """A syntax tree as JSON values, without positions and docstrings, the same in every version of
    Python.
    """
    if isinstance(node, list):
        return [syntax(part) for part in node if not _is_text(part)]
    if isinstance(node, ast.Constant):
        # what `repr` escapes depends on the version of Unicode
        return ["Constant", ascii(node.value)]
    if not isinstance(node, ast.AST):
        return ascii(node)
    fields = {
        name: value
        for name, value in ast.iter_fields(node)
        if name not in IGNORED and value not in (None, [])
    }
    return [
        type(node).__name__,
        {name: syntax(value) for name, value in fields.items()},
    ]
