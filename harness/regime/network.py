"""The user's file becomes a network: one of `harness.networks`, a PyTorch module, or a JAX pair."""

import ast
import hashlib
import importlib.util
import inspect
import sys
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from harness.errors import InvalidInput
from harness.networks import Function, Network
from harness.own import from_module, from_pair
from harness.own.functions import DoesNotFit

USUAL = ("network", "make", "model", "build")
"""Names that are taken without being asked for, in this order."""
KINDS = "a network of harness.networks, a torch.nn.Module, or a JAX pair (init, apply)"


@dataclass(frozen=True)
class Maker:
    """The function of a file that makes the network.

    Attributes:
        file: absolute.
        name: of the function in it.
        make: the function, or a class of modules.
        sources: SHA-256 of the file and of the modules beside it that it imports.
        takes_width: whether it has an argument `width`.
        default_width: that argument's default, if it is an integer.
        needs_width: whether it has no default.
    """

    file: Path
    name: str
    make: Callable[..., Any]
    sources: str
    takes_width: bool
    default_width: int | None
    needs_width: bool

    def __call__(self, width: int | None) -> Any:
        """What the function makes, at a width; None: at its own.

        Raises:
            InvalidInput: if it fails, quoting its error and the line.
        """
        arguments = {} if width is None else {"width": width}
        try:
            return self.make(**arguments)
        except InvalidInput:
            raise
        except (
            Exception,
            SystemExit,
        ) as error:  # whatever a function of someone else raises
            raise InvalidInput(
                f"{self.name} of {self.file.name} failed{_line(error, self.file)}: "
                f"{type(error).__name__}: {error}."
            ) from error


def maker(spec: str) -> Maker:
    """What "FILE.py" or "FILE.py:name" names.

    Raises:
        InvalidInput: if there is no such file or function, the file fails, or the function needs
            other arguments than `width`.
    """
    path, _, name = spec.partition(":")
    file = Path(path).absolute()
    if file.suffix != ".py" or not file.is_file():
        raise InvalidInput(
            f"There is no Python file {path}. Name the file that makes the network, as in "
            "net.py or net.py:make."
        )
    module = _imported(file)
    name = name or _only_name(module, file)
    make = getattr(module, name, None)
    if not callable(make):
        known = ", ".join(_public(module)) or "none"
        raise InvalidInput(
            f"{file.name} has no function {name!r} that makes a network. Functions there: {known}."
        )
    if _is_module(make):
        raise InvalidInput(
            f"{name} of {file.name} is one module, with weights of its own. Write a function that "
            f"makes a new one: def make(): return {type(make).__name__}(...)."
        )
    width = _width_of(make, name, file)
    default = None if width is None else width.default
    return Maker(
        file,
        name,
        make,
        _digest(file),
        takes_width=width is not None,
        default_width=default if isinstance(default, int) else None,
        needs_width=width is not None and default is width.empty,
    )


def _imported(file: Path) -> ModuleType:
    """The file as a module; modules beside it can be imported."""
    name = f"regime_network_{file.stem}"
    specification = importlib.util.spec_from_file_location(name, file)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    folder = str(file.parent)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    sys.modules[name] = module
    try:
        specification.loader.exec_module(module)
    except (Exception, SystemExit) as error:  # whatever a file of someone else raises
        raise InvalidInput(
            f"{file.name} failed when it was imported{_line(error, file)}: "
            f"{type(error).__name__}: {error}."
        ) from error
    return module


def _line(error: BaseException, file: Path) -> str:
    """The last line of that file that an error came through, in words."""
    if isinstance(error, SyntaxError) and error.lineno:
        return f" in line {error.lineno}"
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if Path(frame.filename) == file]
    return f" in line {lines[-1]}" if lines else ""


def _public(module: ModuleType) -> list[str]:
    """Functions and classes that the module itself defines."""
    return [
        name
        for name, value in vars(module).items()
        if not name.startswith("_")
        and callable(value)
        and getattr(value, "__module__", "") == module.__name__
    ]


def _only_name(module: ModuleType, file: Path) -> str:
    public = _public(module)
    for name in (*[name for name in USUAL if name in public], *public[:1]):
        if name in USUAL or len(public) == 1:
            return name
    if not public:
        raise InvalidInput(
            f"{file.name} has no function that makes a network. It must return {KINDS}."
        )
    raise InvalidInput(
        f"{file.name} has {len(public)} functions: {', '.join(public)}. Name the one that makes "
        f"the network, as in {file.name}:{public[0]}."
    )


def _width_of(
    make: Callable[..., Any], name: str, file: Path
) -> inspect.Parameter | None:
    """The argument `width` of the function, if it has one."""
    parameters = inspect.signature(make).parameters
    needed = [
        parameter.name
        for parameter in parameters.values()
        if parameter.default is parameter.empty
        and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
        and parameter.name != "width"
    ]
    if needed:
        raise InvalidInput(
            f"{name} of {file.name} needs {', '.join(needed)}; it may take `width` alone, or "
            "arguments with defaults."
        )
    return parameters.get("width")


def _digest(file: Path) -> str:
    """SHA-256 of the file, and of the modules beside it that it imports, directly or not."""
    found, waiting = set[Path](), [file]
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            waiting += _imports_of(path, file.parent)
    sha = hashlib.sha256()
    for path in sorted(found):
        sha.update(path.relative_to(file.parent).as_posix().encode() + b"\0")
        sha.update(path.read_bytes())
    return sha.hexdigest()


def _imports_of(path: Path, folder: Path) -> list[Path]:
    """Files in that folder that a file of it imports; of a package all of its files."""
    names = []
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.append(node.module)
    found = []
    for top in {name.partition(".")[0] for name in names} - {"harness"}:
        found += [folder / f"{top}.py", *(folder / top).rglob("*.py")]
    return [file for file in found if file.is_file()]


@dataclass(frozen=True)
class Made:
    """A network, for which backends it is, and in which shape it is given one input."""

    net: Network | Function
    backends: tuple[str, ...]
    shape: tuple[int, ...]
    kind: str

    @property
    def parameters(self) -> int:
        """How many numbers are trained."""
        counts = [_size(shape) for shape in self.net.shapes.values()]
        return sum(counts)


def _size(shape: tuple[int, ...]) -> int:
    product = 1
    for n in shape:
        product *= n
    return product


def made(maker: Maker, width: int | None, shape: tuple[int, ...]) -> Made:
    """The network at a width, for inputs of that shape.

    A module or a pair is given inputs in the first of the likely shapes that it takes: as the data
    have it, with a channel, or flat.

    Raises:
        InvalidInput: if it is no network, takes none of the shapes, or has dropout on or a batch
            norm in training mode.
    """
    found = maker(width)
    size = _size(shape)
    if isinstance(found, Network | Function):
        if found.inputs != size:
            raise InvalidInput(
                f"The network of {maker.file.name} takes {found.inputs} inputs, and the data have "
                f"{size}. Change one of them."
            )
        return _of_the_harness(found, size)
    if _is_module(found):

        def try_module(shape: tuple[int, ...]) -> Function:
            return from_module(lambda: maker(width), inputs=shape)

        channel = [(1, *shape)] if len(shape) == 2 else []
        return _first_that_fits(
            try_module, [*channel, shape, (size,)], "torch", "a PyTorch module"
        )
    if isinstance(found, tuple) and len(found) == 2 and all(map(callable, found)):

        def try_pair(shape: tuple[int, ...]) -> Function:
            return from_pair(*found, inputs=shape)

        channel = [(*shape, 1)] if len(shape) == 2 else []
        return _first_that_fits(
            try_pair, [*channel, shape, (size,)], "jax", "a JAX pair"
        )
    raise InvalidInput(
        f"{maker.name} of {maker.file.name} returns {_described(found)}; it must return {KINDS}."
    )


def _of_the_harness(net: Network | Function, size: int) -> Made:
    named = isinstance(net, Function) and isinstance(net.functions, Mapping)
    backends = tuple(net.functions) if named else ("torch", "jax")  # type: ignore[union-attr, arg-type]
    kind = "a network of harness.networks" if isinstance(net, Network) else "a function"
    usable = tuple(name for name in ("torch", "jax") if name in backends)
    return Made(net, usable, (size,), kind)


def _first_that_fits(
    build: Callable[[tuple[int, ...]], Function],
    shapes: list[tuple[int, ...]],
    backend: str,
    kind: str,
) -> Made:
    reasons = []
    for shape in dict.fromkeys(shapes):
        try:
            return Made(build(shape), (backend,), shape, kind)
        except DoesNotFit as error:
            reasons.append(f"(N, {', '.join(map(str, shape))}): {error}")
    listed = "\n  ".join(reasons)
    raise InvalidInput(f"The network takes the data in no likely shape:\n  {listed}")


def _is_module(found: Any) -> bool:
    """Without importing PyTorch: whether it is a torch.nn.Module."""
    return any(
        (parent.__module__, parent.__name__) == ("torch.nn.modules.module", "Module")
        for parent in type(found).__mro__
    )


def _described(found: Any) -> str:
    if isinstance(found, tuple):
        names = ", ".join(type(part).__name__ for part in found)
        return f"a tuple of {len(found)} ({names})"
    return "None" if found is None else f"a {type(found).__name__}"


def layout(maker: Maker, width: int | None) -> str:
    """Where colour images have their channels: "first" for a PyTorch module, else "last"."""
    return "first" if _is_module(maker(width)) else "last"
