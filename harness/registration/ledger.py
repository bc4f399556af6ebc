"""The registrations of a claims folder: read and checked. Written they are by `writing`.

    claims/registrations/<paper>/<name>.json       the record that holds, its digest, and where its
                                                   history ends
    claims/registrations/<paper>/<name>.log.jsonl  one line for the registration and one per
                                                   amendment, only appended to
    claims/registrations/chain.jsonl               a line for each of these lines, of all claims
                                                   (`chain`)

Each line carries the digest of the line before it, and the record's file that of the last line, so
a history that was rewritten in part is detected and named. The chain misses one that is deleted or
rewritten throughout. If the chain is rewritten too, the version control has what was taken away,
and every report that was handed out has the digest.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from harness import experiment, strict_json
from harness.errors import InvalidInput
from harness.registration import chain
from harness.registration.chain import CHAIN
from harness.registration.changes import Change, changes, in_words
from harness.registration.record import ClaimRecord, Digest, Strict, Text
from harness.study import Study

FOLDER = "registrations"
"""Beside the claims."""
WITHDRAWN = "withdrawn"
"""With this word begins what `check` says of a claim that was taken back."""


class Entry(Strict):
    """A line of a claim's log; the first is the registration itself, which comes from nothing.

    `time` is UTC, in seconds, and `commit` the git commit that was checked out, or `no_commit` says
    why there is none. Lines of before there was a chain have the day alone. A line that withdraws
    the claim changes nothing of its record.
    """

    claim: Text
    date: Text
    reason: Text
    results_seen: bool
    before: Digest | None
    after: Digest
    changed: tuple[Change, ...]
    previous: Digest | None
    time: Text | None = None
    commit: Text | None = None
    no_commit: str = ""
    withdrawn: bool = False

    @property
    def content(self) -> dict[str, Any]:
        """The line as JSON values; what came later than the first lines is left out where it says
        nothing.
        """
        return self.model_dump(mode="json", exclude_defaults=True)

    @property
    def digest(self) -> str:
        """SHA-256, in hex, of the canonical JSON of the line."""
        return experiment.digest(self.content)


@dataclass(frozen=True)
class Registered:
    """What is registered of a claim: record as JSON values, the day it was written, and its
    history.
    """

    record: dict[str, Any]
    date: str
    digest: str
    history: tuple[Entry, ...]

    @property
    def withdrawn(self) -> bool:
        """Whether the claim was taken back, and not taken up again."""
        return self.history[-1].withdrawn


def read(folder: Path, claim: str) -> Registered | None:
    """The registration of a claim, None if there is none.

    The record is not held against today's format, so that one of an older format can be compared
    and amended.

    Raises:
        InvalidInput: if a file is no registration or log, was altered by hand, the history does not
            hold together, or the chain has another one.
    """
    path, log = files(folder, claim)
    if not path.is_file() and not log.is_file():
        _check_absent(folder, claim)
        return None
    found = of_files(folder, claim)
    _check_chain(folder, found.history)
    return found


def of_files(folder: Path, claim: str) -> Registered:
    """What record and log say, held against each other; raises InvalidInput as `read` does."""
    path, log = files(folder, claim)
    try:
        lines = log.read_text(encoding="utf-8").splitlines()
        history = tuple(
            Entry.model_validate_json(experiment.canonical(strict_json.parse(line)))
            for line in lines
        )
        content = strict_json.load(path)
        found = Registered(
            content["record"], content["date"], content["digest"], history
        )
        _check(found, content, claim)
    except (OSError, ValidationError, KeyError, TypeError, ValueError) as error:
        said = (
            error.errors()[0]["msg"]
            if isinstance(error, ValidationError)
            else str(error).rstrip(".")
        )
        raise InvalidInput(
            f"the registration in {path.name} and {log.name} does not hold: {said}. "
            "Restore both files from the version control; neither is edited by hand"
        ) from error
    return found


def _check_absent(folder: Path, claim: str) -> None:
    """Raises InvalidInput if the chain knows a registration of which both files are gone."""
    links = [link for link in chain.read(folder) or () if link.claim == claim]
    if links:
        last = links[-1]
        seen = (
            "results had been seen" if last.results_seen else "no result had been seen"
        )
        raise InvalidInput(
            f"the registration of claim {claim!r} was deleted: {CHAIN} has {len(links)} lines of "
            "it, the last "
            f"({last.action}) of {last.date}, when {seen}. Restore its record and its log from the "
            "version control; "
            f"to take a claim back, restore them and run `ntk-claims withdraw {claim}`"
        )


def _check_chain(folder: Path, history: Sequence[Entry]) -> None:
    """Raises InvalidInput if the chain has another history of a claim, or is gone; logs older than
    it need none.
    """
    claim, links = history[0].claim, chain.read(folder)
    if links is None:
        check_older(history)
        return
    chained = [link.entry for link in links if link.claim == claim]
    written = [entry.digest for entry in history]
    if chained == written:
        return
    if chained == written[: len(chained)]:
        missing = history[len(chained)]
        raise InvalidInput(
            f"line {len(chained) + 1} of the log of claim {claim!r}, of {missing.date}, is not in "
            f"{CHAIN}: it was not "
            "written by `ntk-claims`, or was left out where two branches were merged. Restore the "
            "log from the version "
            "control, or take the line over as of now, in the open: `ntk-claims register --adopt`"
        )
    raise InvalidInput(
        f"the log of claim {claim!r} has {len(written)} lines, and {CHAIN} names {len(chained)}, "
        "which are not all "
        "among them: the log was cut or written anew. Restore both from the version control; "
        "neither is edited by hand"
    )


def check_older(lines: Sequence[Entry]) -> None:
    """Raises InvalidInput if there is no chain, and a line was written when there was one."""
    later = [entry for entry in lines if entry.time is not None]
    if later:
        raise InvalidInput(
            f"the chain of registrations, {CHAIN}, is gone, and the log of claim "
            f"{later[0].claim!r} has lines that "
            f"were in it. {chain.ADVICE}"
        )


def _check(found: Registered, content: dict[str, Any], claim: str) -> None:
    """Raises ValueError if the record is not what its digest says, or the history not a chain that
    ends in it.
    """
    if experiment.digest(found.record) != found.digest:
        raise ValueError(f"the record was altered: its digest is not {found.digest}")
    before, previous = None, None
    for number, entry in enumerate(found.history, 1):
        if entry.claim != claim or entry.previous != previous or entry.before != before:
            raise ValueError(
                f"the history was rewritten before entry {number}, of {entry.date}, which does not "
                "follow"
            )
        before, previous = entry.after, entry.digest
    if not found.history:
        raise ValueError("the history was rewritten at its end: it has no line")
    if (
        before != found.digest
        or previous != content["history"]
        or claim != content["claim"]
    ):
        raise ValueError(
            "the history was rewritten at its end: it does not lead to the record"
        )


def check(study: Study, folder: Path) -> str:
    """ "" if a study is what is registered of it; otherwise what is wrong, and what to do.

    Raises:
        InvalidInput: as `ClaimRecord.of` does.
    """
    claim, record = study.claim.id, ClaimRecord.of(study)
    try:
        registered = read(folder, claim)
    except InvalidInput as error:
        return f"{error}."
    if registered is None:
        return f"not registered: run `ntk-claims register {claim}`."
    if registered.withdrawn:
        last = registered.history[-1]
        return f"{WITHDRAWN} on {last.date}: {last.reason}"
    if registered.digest == record.digest:
        return ""
    found = list(changes(registered.record, record.content))
    return (
        f"unregistered change: {in_words(found)}; "
        f'run `ntk-claims amend {claim} --reason "..." --results-seen yes|no`.'
    )


def claims_on_file(folder: Path) -> list[str]:
    """The ids of the claims of which a folder has a record or a log, sorted."""
    names = {
        path.relative_to(folder).as_posix().removesuffix(ending)
        for ending in (".log.jsonl", ".json")
        for path in folder.glob(f"*/*{ending}")
    }
    return sorted(names)


def files(folder: Path, claim: str) -> tuple[Path, Path]:
    """The record and the log; raises InvalidInput for an id that names no file below the folder."""
    parts = claim.split("/")
    if not all(part.isidentifier() for part in parts):
        raise InvalidInput(
            f"A claim's id must read <paper>/<name>, of letters, digits and _; got {claim!r}."
        )
    place = folder.joinpath(*parts)
    return place.with_name(f"{place.name}.json"), place.with_name(
        f"{place.name}.log.jsonl"
    )
