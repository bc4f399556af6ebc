"""The digest of the code with which a claim turns measurements into effects.

A changed `effects` changes what is tested as much as a changed margin does. Covered: `effects`, `gates`, the claim's
own computations, and whatever of the claim's file they name, transitively. Not covered: comments, docstrings, layout,
figures, and the harness (the cells carry a digest of the code that measures; the statistics are in no digest).

The syntax tree is written out here rather than by `ast.dump`, whose text depends on the version of Python.
"""

import ast
import inspect
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from harness.claim import Study
from harness.errors import InvalidInput
from harness.experiment import digest

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
# Where names and literals stand, and what Python versions add.
IGNORED = {"ctx", "kind", "type_comment", "type_ignores", "type_params"}


def code_digest(study: Study) -> str:
    """SHA-256 of the code behind a study's effects; "" if `effects` or `gates` is not at the top level of a file.

    Gates that a study leaves out are the default's, which need none.

    Raises:
        InvalidInput: if the claim's file cannot be read as Python.
    """
    file = inspect.getsourcefile(study.effects) if inspect.isfunction(study.effects) else None
    if file is None:
        return ""
    try:
        body = ast.parse(Path(file).read_text(encoding="utf-8")).body
    except (OSError, SyntaxError, ValueError) as error:
        raise InvalidInput(f"The claim file {file} cannot be read as Python: {error}.") from error
    definitions = _definitions(body)
    functions = (study.effects, study.gates, *(experiment.measure for experiment in study.experiments))
    names = [function.__qualname__ for function in functions if _file_of(function) == file]
    due = [study.effects] if study.gates is Study.gates else [study.effects, study.gates]
    at_top = all(_file_of(function) == file and function.__qualname__ in definitions for function in due)
    return digest(_reached(names, definitions)) if at_top else ""


def _file_of(function: Callable[..., Any]) -> str | None:
    return inspect.getsourcefile(function) if inspect.isfunction(function) else None


def _definitions(body: list[ast.stmt]) -> dict[str, list[ast.AST]]:
    """Name -> what binds it at the top level of a file; of an import, the part that binds it."""
    found: dict[str, list[ast.AST]] = {}
    for statement in body:
        if isinstance(statement, ast.Import | ast.ImportFrom):
            for alias in statement.names:
                alone = ast.ImportFrom(getattr(statement, "module", None), [alias], getattr(statement, "level", 0))
                found.setdefault((alias.asname or alias.name).split(".")[0], []).append(alone)
        else:
            for name in _bound(statement):
                found.setdefault(name, []).append(statement)
    return found


def _bound(node: ast.AST) -> Iterator[str]:
    """The names that a statement binds in its own scope."""
    if isinstance(node, Definition):
        yield node.name
        return
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        yield node.id
    for child in ast.iter_child_nodes(node):
        yield from _bound(child)


def _reached(names: list[str], definitions: Mapping[str, list[ast.AST]]) -> dict[str, list[Any]]:
    """Name -> syntax of what binds it, for the names given and all that those name, transitively."""
    found: dict[str, list[Any]] = {}
    while names:
        name = names.pop()
        if name in definitions and name not in found:
            found[name] = [_syntax(statement) for statement in definitions[name]]
            inner = [node for statement in definitions[name] for node in ast.walk(statement)]
            names += [node.id for node in inner if isinstance(node, ast.Name)]
    return found


def _syntax(node: Any) -> Any:
    """A syntax tree as JSON values, without positions and docstrings, the same in every version of Python."""
    if isinstance(node, list):
        return [_syntax(part) for part in node]
    if not isinstance(node, ast.AST):
        return repr(node)
    fields = {name: value for name, value in ast.iter_fields(node) if name not in IGNORED and value not in (None, [])}
    if isinstance(node, Definition) and ast.get_docstring(node, clean=False) is not None:
        fields["body"] = node.body[1:]
    if isinstance(node, ast.Constant):
        fields["value"] = node.value  # None is a value here
    return [type(node).__name__, {name: _syntax(value) for name, value in fields.items()}]
