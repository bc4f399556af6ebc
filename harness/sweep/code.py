"""The digest of the code that a cell runs, and the versions of the packages under it.

A cell is stale once the code behind it changed. Code means: of a paper's modules only what the
computation names, transitively, so that editing a claim or another paper invalidates nothing; of
the harness the shared heavy modules, the one backend, and the files that the computation imports,
transitively. Nothing else counts: other packages are known by their versions. So the digest is the
same in a checkout and in an installed package (see `harness.sources`).
"""

from importlib import metadata
from pathlib import Path

import harness
from harness import papers
from harness.errors import BackendUnavailable, InvalidInput
from harness.experiment import digest
from harness.papers import CLAIMS
from harness.sources import Library, digest_of, parsed, reached
from harness.sweep.cell import Circumstances

SHARED = (
    "seeds",
    "networks",
    "measurements",
    "kernels",
    "datasets",
    "backends",
    "sweep/environment",
)
PACKAGES = {"numpy": ("numpy",), "jax": ("numpy", "jax", "jaxlib")}
HOME = Path(harness.__file__).resolve().parent


def circumstances(
    computation: str, backend: str, device: str, claims: Path = CLAIMS
) -> Circumstances:
    """Under which circumstances a computation would run now, here, in this backend, on this device
    class.
    """
    return Circumstances(
        device, code_digest(computation, backend, claims), versions(backend)
    )


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
            others = ",".join(name for name in ("torch", "jax") if name != backend)
            raise BackendUnavailable(
                f"Backend {backend!r} needs the package {package!r}, which is not installed. "
                f"Install it (pip install 'ntk-claims[{backend}]') or choose others (--backend "
                f"{others})."
            ) from None
    return found


def code_digest(computation: str, backend: str, claims: Path = CLAIMS) -> str:
    """SHA-256 over the sources that a computation runs in one backend.

    Args:
        computation: its stable name, see `harness.experiment.reference`.
        backend: name of the backend.
        claims: folder that holds the papers' folders; asked for computations of papers alone.

    Raises:
        InvalidInput: if the computation's file or function is not there, or is no Python.
    """
    library = Library(HOME, claims)
    if ":" in computation:
        modules, definitions = {_module(computation, library)}, []
    else:
        file = papers.locate(computation, claims)
        own = reached(
            [(papers.name_of(file), papers.split(computation)[1])],
            library,
            _of_the_harness,
        )
        modules, definitions = own.outside, own.records
    shared = _shared()
    used = _with_imports(modules, shared, library) | shared
    files = [file for file in used if not _of_another_backend(file, backend)]
    contents = {
        file.relative_to(HOME.parent).as_posix(): digest_of(file) for file in files
    }
    return digest({"files": contents, "definitions": definitions})


def prepare(backend: str) -> None:
    """Reads what every computation in a backend shares, which takes a while once in a process."""
    for file in _shared():
        if not _of_another_backend(file, backend):
            digest_of(file)


def _shared() -> set[Path]:
    return {file for part in SHARED for file in _files(HOME / part)}


def split(computation: str) -> tuple[str, str]:
    """Module of the harness and function, of a computation's name.

    >>> split("harness.measurements:drift")
    ('harness.measurements', 'drift')
    """
    target, _, name = computation.rpartition(":")
    # A plan must not call whatever can be imported.
    if not target.startswith("harness.") or not name.isidentifier():
        raise InvalidInput(
            f"Computation {computation!r} must read 'harness.module:function', or "
            "'<paper>/<function>' for a function "
            "at the top level of a file of claims/<paper>."
        )
    return target, name


def _module(computation: str, library: Library) -> str:
    module, _ = split(computation)
    if library.file(module) is None:
        raise InvalidInput(
            f"Computation {computation!r}: the harness has no module {module}."
        )
    return module


def _of_the_harness(module: str) -> bool:
    return module.split(".")[0] == "harness"


def _package(file: Path) -> str:
    """The package of a file of the harness."""
    return ".".join(file.relative_to(HOME.parent).parent.parts)


def _of_another_backend(file: Path, backend: str) -> bool:
    """Whether a file is `<name>_backend.py`, or its part `<name>_*.py`, of another backend."""
    name, underscore, _ = file.stem.partition("_")
    return (
        bool(underscore)
        and name != backend
        and file.with_name(f"{name}_backend.py").is_file()
    )


def _files(place: Path) -> list[Path]:
    """The sources of a module or package, given without suffix; none where there is neither."""
    if place.is_dir():
        return sorted(place.rglob("*.py"))
    file = place.with_name(f"{place.name}.py")
    return [file] if file.is_file() else []


def _with_imports(modules: set[str], known: set[Path], library: Library) -> set[Path]:
    """Files of modules of the harness, and of those that they import, and so on; not behind what is
    known.

    Raises:
        InvalidInput: if one of them cannot be read as Python.
    """
    found, waiting = set[Path](), list(modules)
    while waiting:
        file = _file(waiting.pop(), library)
        if file is not None and file not in found | known:
            found.add(file)
            waiting += [
                name
                for name in parsed(file, _package(file)).imported
                if _of_the_harness(name)
            ]
    return found


def _file(dotted: str, library: Library) -> Path | None:
    """The file of a module, or of the one that a name is imported from; but the harness itself
    imports nothing.
    """
    while dotted != "harness":
        if (file := library.file(dotted)) is not None:
            return file
        dotted = dotted.rpartition(".")[0]
    return None
