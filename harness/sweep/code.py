"""The digest of the code that a cell runs, and the versions of the packages under it.

A cell is stale once the code behind it changed. Code means: the shared heavy modules of the harness, the one backend,
and of a claim's own file only what the computation uses, so that editing a claim's prose invalidates nothing. Source
is parsed, never executed, and no framework is imported.
"""

import ast
import hashlib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import harness
from harness.errors import BackendUnavailable, InvalidInput
from harness.experiment import digest
from harness.sweep.cell import Circumstances

SHARED = ("seeds", "networks", "measurements", "kernels", "datasets", "backends", "sweep/environment")
PACKAGES = {"numpy": ("numpy",), "jax": ("numpy", "jax", "jaxlib")}
HOME = Path(harness.__file__).resolve().parent

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def circumstances(computation: str, backend: str, device: str) -> Circumstances:
    """Under which circumstances a computation would run now, here, in this backend, on this device class."""
    return Circumstances(device, code_digest(computation, backend), versions(backend))


def versions(backend: str) -> dict[str, str]:
    """Versions of numpy and of the backend's framework, which is not imported.

    Raises:
        BackendUnavailable: if a package is not installed.

    >>> sorted(versions("numpy"))
    ['numpy']
    """
    found = {}
    for package in PACKAGES.get(backend, ("numpy", backend)):
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            raise BackendUnavailable(
                f"Backend {backend!r} needs the package {package!r}, which is not installed. "
                f"Install it (pip install 'ntk-claims[{backend}]') or leave this backend out."
            ) from None
    return found


def code_digest(computation: str, backend: str) -> str:
    """SHA-256 over the sources that a computation runs in one backend.

    Raises:
        InvalidInput: if the computation's file or function is not there, or is no Python.
    """
    target, name = split(computation)
    own, text = _used(Path(target), name) if target.endswith(".py") else (set(_module(target)), "")
    shared = {file for part in SHARED for file in _files(HOME / part)}
    files = [file for file in _with_imports(own, shared) | shared if not _of_another_backend(file, backend)]
    contents = {_label(file): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}
    return digest({"files": contents, "function": text})


def split(computation: str) -> tuple[str, str]:
    """Module or path, and function, of a computation's reference.

    >>> split("claims/vyas2022/test_gap.py:curves")
    ('claims/vyas2022/test_gap.py', 'curves')
    """
    target, _, name = computation.rpartition(":")
    ours = target.endswith(".py") or target.startswith("harness.")  # a plan must not call whatever can be imported
    if not ours or not name.isidentifier():
        raise InvalidInput(
            f"Computation {computation!r} must read 'harness.module:function' or 'path/of/claim.py:function', "
            "with a function at the top level of its file."
        )
    return target, name


def _of_another_backend(file: Path, backend: str) -> bool:
    """Whether a file is `<name>_backend.py`, or a part of it, `<name>_*.py`, of some other backend."""
    name, underscore, _ = file.stem.partition("_")
    return bool(underscore) and name != backend and file.with_name(f"{name}_backend.py").is_file()


def _files(place: Path) -> list[Path]:
    """The sources of a module or package, given without suffix; none where there is neither."""
    if place.is_dir():
        return sorted(place.rglob("*.py"))
    file = place.with_name(f"{place.name}.py")
    return [file] if file.is_file() else []


def _module(dotted: str) -> list[Path]:
    """The sources of a module of this project: of the installed harness, or under the current folder."""
    if dotted == "harness":
        return []
    for root in (HOME.parent, Path.cwd()):
        if found := _files(root.joinpath(*dotted.split("."))):
            return found
    return []


def _with_imports(files: set[Path], known: set[Path]) -> set[Path]:
    """The files, and the project's files that they import, and those that these import; not behind what is known.

    Raises:
        InvalidInput: if one of them cannot be read as Python.
    """
    found, waiting = set[Path](), list(files)
    while waiting:
        file = waiting.pop()
        if file not in found | known:
            found.add(file)
            try:
                tree = ast.parse(file.read_text())
            except (OSError, SyntaxError, ValueError) as error:
                raise InvalidInput(f"{file}, which a computation uses, cannot be read as Python ({error}).") from error
            waiting += [other for dotted in _imported(tree) for other in _module(dotted)]
    return found


def _label(file: Path) -> str:
    """A name that is the same wherever the project lies."""
    resolved = file.resolve()
    for root in (HOME.parent, Path.cwd()):
        if resolved.is_relative_to(root):
            return resolved.relative_to(root).as_posix()
    return file.name


def _used(path: Path, name: str) -> tuple[set[Path], str]:
    """Project files that a function of a file imports, and the text of all that it names in its file, transitively."""
    try:
        text = path.read_text()
        body = ast.parse(text).body
    except (OSError, SyntaxError, ValueError) as error:
        raise InvalidInput(f"Computation {path}:{name}: the file cannot be read as Python ({error}).") from error
    definitions: dict[str, list[ast.stmt]] = {}
    for statement in body:
        for bound in _bound(statement):
            definitions.setdefault(bound, []).append(statement)
    if name not in definitions:
        raise InvalidInput(f"Computation {path}:{name}: there is no {name!r} at the top level of that file.")
    statements = _reachable(name, definitions)
    files = {file for statement in statements for dotted in _imported(statement) for file in _module(dotted)}
    return files, "".join(_source(text, statement) for statement in body if statement in statements)


def _reachable(name: str, definitions: dict[str, list[ast.stmt]]) -> set[ast.stmt]:
    names, statements = [name], set[ast.stmt]()
    while names:
        for statement in definitions.get(names.pop(), []):
            if statement not in statements:
                statements.add(statement)
                names += [node.id for node in ast.walk(statement) if isinstance(node, ast.Name)]
    return statements


def _bound(node: ast.AST) -> set[str]:
    """The names that a statement binds."""
    if isinstance(node, Definition):
        return {node.name}
    if isinstance(node, ast.Import | ast.ImportFrom):
        return {(alias.asname or alias.name).split(".")[0] for alias in node.names}
    own = {node.id} if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) else set()
    return own.union(*map(_bound, ast.iter_child_nodes(node)))


def _imported(statement: ast.AST) -> Iterator[str]:
    """Dotted names of what the import statements within a statement, or a module, may load."""
    for node in ast.walk(statement):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _source(text: str, statement: ast.stmt) -> str:
    decorators = statement.decorator_list if isinstance(statement, Definition) else []
    first = min([statement.lineno, *(decorator.lineno for decorator in decorators)])
    return "\n".join(text.split("\n")[first - 1 : statement.end_lineno])
