"""The digest of the code that turns a claim's measurements into effects, estimators included.

A changed `effects` changes what is tested as much as a changed margin does. Covered: `effects` and
`gates`, and whatever they name, transitively: in the claim's file, in its paper's modules, and in
the harness. Of a paper's own computations what they name in the paper's modules is covered too. Not
covered: comments, docstrings, layout, figures; the code of the harness that measures, whose digest
the cells carry; and two kinds of modules that are named instead:

- general estimators (`harness.statistics`): the record holds their names and versions, of those
  that `effects` and `gates` name and of those that every verdict rests on;
- `LANGUAGE`: what a claim is written in, the same for all claims.
"""

import inspect
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import harness
from harness import papers
from harness.experiment import digest
from harness.sources import Definition, Library, Node, Reached, reached
from harness.statistics.versions import DECIDING, VERSIONS
from harness.study import Study

HOME = Path(harness.__file__).resolve().parent
STATISTICS = "harness.statistics"
LANGUAGE = (
    "harness.claim",
    "harness.study",
    "harness.plots",
    "harness.experiment",
    "harness.errors",
)


@dataclass(frozen=True)
class Code:
    """The code of a claim.

    Args:
        digest: SHA-256, in hex, of what effects and gates name; "" if either is at the top level of
            no file.
        estimators: name of a module of harness.statistics -> its version.
    """

    digest: str
    estimators: dict[str, int]


def code_of(study: Study) -> Code:
    """The code behind a study's effects.

    Gates that a study leaves out are the default's, which need none.

    Raises:
        InvalidInput: if a file on the way cannot be read as Python.
    """
    due = list(study.estimators) or [study.effects] + [study.gates] * (
        study.gates is not Study.gates
    )
    places = [_place(function) for function in due]
    if not all(place is not None and _at_top(*place) for place in places):
        return Code("", _estimators((), Library(HOME, papers.CLAIMS)))
    starts = [node for place in places if place is not None for node in [place[0]]]
    library = Library(HOME, papers.folder_of(Path(inspect.getfile(due[0]))))
    computations = [
        place[0] for e in study.experiments if (place := _place(e.measure)) is not None
    ]
    effects = reached(
        starts,
        library,
        _is_named,
        closed=[node for node in computations if node not in starts],
    )
    own = _computations(computations, library)
    outside = [
        name.split(".")[2]
        for name in effects.outside
        if name.startswith(f"{STATISTICS}.")
    ]
    return Code(digest([effects.records, own.records]), _estimators(outside, library))


def _place(function: Callable[..., Any]) -> tuple[Node, Path] | None:
    """Module and name of a function, and its claims folder; None if it is of no file."""
    if not inspect.isfunction(function):
        return None
    file = Path(inspect.getsourcefile(function) or "").absolute()
    if not file.is_file():
        return None
    if file.resolve().is_relative_to(HOME):
        inner = file.resolve().relative_to(HOME.parent).with_suffix("").parts
        return (
            ".".join(inner).removesuffix(".__init__"),
            function.__qualname__,
        ), papers.CLAIMS
    return (papers.name_of(file), function.__qualname__), papers.folder_of(file)


def _at_top(node: Node, claims: Path) -> bool:
    source = Library(HOME, claims).source(node[0])
    return source is not None and any(
        isinstance(bound, Definition) for bound in source.names.get(node[1], ())
    )


def _computations(computations: Sequence[Node], library: Library) -> Reached:
    """What the paper's own computations name in the paper's modules."""
    own = [
        node
        for node in dict.fromkeys(computations)
        if node[0].startswith(f"{papers.PACKAGE}.")
    ]
    there = [node for node in own if _at_top(node, library.claims)]
    return reached(there, library, lambda module: module.split(".")[0] == "harness")


def _is_named(module: str) -> bool:
    """Whether a module is named in the record, or the harness's, and so is not followed."""
    return (
        module in LANGUAGE
        or module == STATISTICS
        or module.startswith(f"{STATISTICS}.")
    )


def _estimators(named: Iterable[str], library: Library) -> dict[str, int]:
    """Versions of the estimators named, of those that every verdict rests on, and of those that
    these import.
    """
    found, waiting = dict[str, int](), [*DECIDING, *named]
    while waiting:
        name = waiting.pop()
        source = library.source(f"{STATISTICS}.{name}")
        if name in found or source is None:
            continue
        found[name] = VERSIONS[name]
        imported = [
            dotted for dotted in source.imported if dotted.startswith(f"{STATISTICS}.")
        ]
        waiting += [dotted.split(".")[2] for dotted in imported]
    return dict(sorted(found.items()))
