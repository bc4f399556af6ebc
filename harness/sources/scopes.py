"""The names that a piece of code asks of the scope around it."""

import ast
from collections.abc import Iterator

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
Scope = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | Comprehension
Chain = tuple[str, ...]
"""A name and the attributes asked of it."""


def names_in(node: ast.AST, local: frozenset[str] = frozenset()) -> Iterator[Chain]:
    """Each name that is not local, with the attributes that are asked of it: `a.b.c(d)` gives (a,
    b, c) and (d,).
    """
    if isinstance(node, ast.Name | ast.Attribute) and (chain := _chain(node)):
        yield from () if chain[0] in local else (chain,)
    elif isinstance(node, Scope):
        inner = _scope(node, local)
        own = {id(part) for part in _inside(node)}
        for child in _children(node):
            yield from names_in(child, inner if id(child) in own else local)
    else:
        for child in ast.iter_child_nodes(node):
            yield from names_in(child, local)


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
        yield from (
            ast.iter_child_nodes(child)
            if isinstance(child, ast.comprehension)
            else (child,)
        )


def _inside(node: ast.AST) -> list[ast.AST]:
    """Those parts that are evaluated in the scope of its own: not defaults, decorators and
    annotations.
    """
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return list(node.body)
    if isinstance(node, ast.Lambda):
        return [node.body]
    first = next(
        child
        for child in ast.iter_child_nodes(node)
        if isinstance(child, ast.comprehension)
    )
    return [child for child in _children(node) if child is not first.iter]


def _scope(node: ast.AST, local: frozenset[str]) -> frozenset[str]:
    """The local names in a function or comprehension, with those of the functions around it."""
    parameters = (
        ast.walk(node.args)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        else ()
    )
    bound, outer = (
        {part.arg for part in parameters if isinstance(part, ast.arg)},
        set[str](),
    )
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
