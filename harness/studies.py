"""Claim files: found in a folder, loaded, and their recorded verdicts.

A paper's folder holds its claims, one file `test_<predicate>.py` each, and modules that they share:
computations, estimators, figures. One file imports from another by the ordinary absolute import

    from claims.seleznova2020.experiments import kernel_change

which type checkers and editors understand from the project's root. (`from .experiments import
kernel_change` is the same thing.) There is no `__init__.py`. `load`, pytest's collection and the
workers import these modules in one way, as `claims.<paper>.<module>` (`harness.papers`): whichever
is the current folder, whether the claims folder is a link, and whatever it is called; so a function
is one object for all of them. A worker loads the module that defines a computation, and the claim's
file only if it is defined there.
"""

import re
import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from harness import papers
from harness.claim import Claim
from harness.errors import InvalidInput
from harness.experiment import TIERS
from harness.registration import FOLDER
from harness.study import Study
from harness.verdict import Kind

RECORD = "verdicts.toml"
IS_A_CLAIM = re.compile(rb"^claim\b[^=\n]*=|^def test_\w*\(verdict\b", re.MULTILINE)
RECORDABLE = (Kind.SUPPORTED, Kind.REFUTED, Kind.INCONCLUSIVE, Kind.DISAGREE)


@dataclass(frozen=True)
class Recorded:
    """The verdict that was recorded for a claim at a tier, and why it stands."""

    verdict: str
    reason: str


def load(path: Path) -> Study | None:
    """The study of a claim file, None if the file defines none. Runs the file's top level.

    Raises:
        InvalidInput: if the file cannot be loaded, naming it and what went wrong.
    """
    if path.suffix != ".py":
        raise InvalidInput(
            f"{path} is not a Python file; a claim is one file test_<predicate>.py."
        )
    try:
        module = papers.imported(path)
    except KeyboardInterrupt:
        raise
    # a file may also end in SystemExit, or in the Skipped of pytest.importorskip
    except BaseException as error:
        raise InvalidInput(
            f"The claim file {path} cannot be loaded: {type(error).__name__}: {error}"
        ) from error
    return study_of(module)


def study_of(module: ModuleType) -> Study | None:
    """The study of the claim that a module makes as `claim`; None if it makes none.

    Raises:
        InvalidInput: as `Claim.study` does.
    """
    made = getattr(module, "claim", None)
    return made.study if isinstance(made, Claim) else None


def discover(folder: Path) -> dict[Path, Study]:
    """Every claim file below a folder and its study, sorted by path.

    Raises:
        InvalidInput: if there is no such folder, a file cannot be loaded, or two claims have one
            id.
    """
    if not folder.is_dir():
        raise InvalidInput(
            f"There is no folder {folder}. Name the folder that holds the claims with --claims "
            "DIR. The published "
            "claims are in the project's repository only: an installed package has none."
        )
    loaded = {path: load(path) for path in sorted(folder.rglob("test_*.py"))}
    studies = {path: study for path, study in loaded.items() if study is not None}
    twice = [
        name
        for name, count in Counter(study.claim.id for study in studies.values()).items()
        if count > 1
    ]
    if twice:
        raise InvalidInput(
            f"Two claim files below {folder} have the id {', '.join(twice)}. Each claim has its "
            "own."
        )
    return studies


def root_of(path: Path) -> Path:
    """The claims folder that a file belongs to: the nearest above with verdicts.toml or
    registrations, else its own.
    """
    marks = (
        parent
        for parent in path.parents
        if (parent / RECORD).is_file() or (parent / FOLDER).is_dir()
    )
    return next(marks, path.parent)


def claims_folder(paths: Iterable[Path]) -> Path:
    """The folder that holds the papers' folders of these claim files; `claims` here if there is no
    file.

    Raises:
        InvalidInput: if there are several: a run has one.
    """
    folders = sorted({papers.folder_of(path) for path in paths})
    if len(folders) > 1:
        raise InvalidInput(
            f"The claims lie in papers' folders of {len(folders)} places: "
            f"{', '.join(map(str, folders))}. Name the "
            "claims of one at a time: ntk-claims ... --claims DIR, or pytest DIR."
        )
    return folders[0] if folders else papers.CLAIMS


def is_of_paper(path: Path) -> bool:
    """Whether a file is a claim of a paper: it makes one or asks for a verdict, in a folder where
    claims are kept.

    Tests of papers' modules may lie in a folder of that name too, as
    tests/claims/<paper>/test_<module>.py.
    """
    folder = papers.folder_of(path)
    marked = (
        folder.name == papers.PACKAGE
        or (folder / RECORD).is_file()
        or (folder / FOLDER).is_dir()
    )
    return marked and IS_A_CLAIM.search(path.read_bytes()) is not None


def recorded(folder: Path) -> dict[tuple[str, str], Recorded]:
    """(claim id, tier) -> recorded verdict, of the claims folder's verdicts.toml; empty without
    one.

    Raises:
        InvalidInput: if the file is not TOML, or an entry is not {verdict = "...", reason = "..."}
            under a tier, with a verdict that can be recorded and a reason.
    """
    path = folder / RECORD
    if not path.is_file():
        return {}
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InvalidInput(f"{path} cannot be read as TOML: {error}.") from error
    return {
        (claim, tier): _recorded(path, claim, tier, entry)
        for claim, tiers in content.items()
        for tier, entry in (
            tiers if isinstance(tiers, Mapping) else {"": tiers}
        ).items()
    }


def _recorded(path: Path, claim: str, tier: str, entry: object) -> Recorded:
    fields = dict(entry) if isinstance(entry, Mapping) else {}
    complete = set(fields) == {"verdict", "reason"} and str(fields["reason"]).strip()
    if tier not in TIERS or not complete or fields["verdict"] not in RECORDABLE:
        raise InvalidInput(
            f'{path}: an entry must read ["<claim>"] <tier> = {{ verdict = "...", reason = "..." '
            f"}} with tier one of "
            f"{', '.join(TIERS)}, verdict one of {', '.join(RECORDABLE)}, and a reason; "
            f"got {entry!r} for {claim!r} at {tier!r}."
        )
    return Recorded(fields["verdict"], str(fields["reason"]))
