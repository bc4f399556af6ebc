"""The modules of papers, `claims/<paper>/*.py`: named, found and imported, the same for everyone.

A computation of a paper is called "<paper>/<function>". The name says neither where the claims
folder lies nor which file of the paper holds the function, so it stays when the folder is used from
elsewhere, through a link or beside an installed package, and when the function moves within its
paper.

Modules are imported as `claims.<paper>.<module>`, whatever the claims folder is called, and
wherever it lies. See `harness.studies`.
"""

import ast
import importlib
import importlib.machinery
import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

from harness import sources
from harness.errors import InvalidInput

PACKAGE = "claims"
CLAIMS = Path("claims")
"""The claims folder unless told otherwise, from the current folder."""

STAMP = "__ntk_claims_state__"
"""The attribute of a paper's module that says in which state its file was imported."""


def name_of(file: Path) -> str:
    """Dotted name of a paper's module.

    >>> name_of(Path("somewhere/claims/seleznova2020/experiments.py"))
    'claims.seleznova2020.experiments'
    """
    return f"{PACKAGE}.{file.absolute().parent.name}.{file.stem}"


def folder_of(file: Path) -> Path:
    """The claims folder to which a paper's file belongs: the one that holds the paper's folder.

    >>> folder_of(Path("/somewhere/claims/seleznova2020/experiments.py")).as_posix()
    '/somewhere/claims'
    """
    return file.absolute().parent.parent


def split(computation: str) -> tuple[str, str]:
    """Paper and function of a computation's name.

    Raises:
        InvalidInput: if it does not read "<paper>/<function>".

    >>> split("vyas2022/curves")
    ('vyas2022', 'curves')
    """
    paper, _, function = computation.rpartition("/")
    if not re.fullmatch(r"\w[\w.-]*", paper) or not function.isidentifier():
        raise InvalidInput(
            f"Computation {computation!r} must read '<paper>/<function>', for a function at the "
            "top level of a file "
            "of claims/<paper>, or 'harness.module:function'."
        )
    return paper, function


def locate(computation: str, claims: Path = CLAIMS) -> Path:
    """The one file of a paper that defines a computation at its top level.

    Raises:
        InvalidInput: if there is no such folder or function, or if two files define it, naming
            them.
    """
    paper, function = split(computation)
    folder = claims / paper
    if not folder.is_dir():
        raise InvalidInput(
            f"Computation {computation!r}: there is no folder {folder} (looked from {Path.cwd()}). "
            "Name the folder "
            "that holds the papers' folders with --claims."
        )
    files = [file for file in _files(folder) if _defines(file, function)]
    if not files:
        raise InvalidInput(
            f"Computation {computation!r}: no file of {folder} defines a function {function!r} at "
            "its top level."
        )
    if len(files) > 1:
        raise InvalidInput(
            f"Computation {computation!r}: {' and '.join(map(str, files))} each define "
            f"{function!r}, so the name does "
            "not say which is meant. Give one of them another name, or keep it in one module that "
            "both import."
        )
    return files[0]


def _files(folder: Path) -> list[Path]:
    """The Python files of a paper, claim files last."""
    return sorted(
        folder.glob("*.py"), key=lambda file: (file.name.startswith("test_"), file.name)
    )


def _defines(file: Path, function: str) -> bool:
    try:
        source = sources.parsed(file, f"{PACKAGE}.{file.parent.name}")
    except InvalidInput:
        # Whoever needs this file is told what is wrong with it; here it hides no function of
        # another.
        if re.search(
            rf"^(async )?def {function}\b",
            file.read_bytes().decode(errors="replace"),
            re.MULTILINE,
        ):
            raise
        return False
    return any(
        isinstance(bound, ast.FunctionDef | ast.AsyncFunctionDef)
        for bound in source.names.get(function, ())
    )


def imported(file: Path) -> ModuleType:
    """A paper's module, imported as `claims.<paper>.<module>`; imported once, and again after its
    file was changed.

    From then on `claims` is the folder to which this file belongs, for this process.
    """
    bind(folder_of(file))
    name = name_of(file)
    importlib.invalidate_caches()
    try:
        return importlib.import_module(name)
    finally:
        _changed()  # notes the state of the files that came in


def bind(claims: Path) -> None:
    """Makes `claims` this folder, for imports of papers' modules.

    Modules of another folder are forgotten, and so are all if a file of theirs was changed since.
    """
    place = str(claims.absolute())
    package = sys.modules.get(PACKAGE)
    if (
        package is not None
        and list(getattr(package, "__path__", ())) == [place]
        and not _changed()
    ):
        return
    for name in [
        name
        for name in sys.modules
        if name == PACKAGE or name.startswith(f"{PACKAGE}.")
    ]:
        del sys.modules[name]
    spec = importlib.machinery.ModuleSpec(PACKAGE, None, is_package=True)
    spec.submodule_search_locations = [place]
    package = importlib.util.module_from_spec(spec)
    package.__path__ = [place]
    sys.modules[PACKAGE] = package


def _changed() -> bool:
    """Whether the file of an imported module changed since it was imported; notes those that are
    new.
    """
    for name, module in list(sys.modules.items()):
        if not name.startswith(f"{PACKAGE}."):
            continue
        file = getattr(module, "__file__", None)
        if file is None:
            continue
        try:
            state = Path(file).stat()
        except OSError:
            return True
        now = (state.st_mtime_ns, state.st_size)
        if vars(module).setdefault(STAMP, now) != now:
            return True
    return False
