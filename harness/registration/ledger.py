"""The registrations of a claims folder: read, checked, written.

    claims/registrations/<paper>/<name>.json       the record that holds, its digest, and where its history ends
    claims/registrations/<paper>/<name>.log.jsonl  one line for the registration and one per amendment, only appended to

Each line carries the digest of the line before it, and the record's file that of the last line, so a history that was
rewritten in part is detected and named. One rewritten throughout is not: for that there is the version control, and
the digest in every report that was handed out.
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from harness import experiment, strict_json
from harness.errors import InvalidInput
from harness.registration.changes import Change, changes, in_words
from harness.registration.record import ClaimRecord, Digest, Registration, Strict, Text
from harness.registration.rules import objections
from harness.study import Study

FOLDER = "registrations"
"""Beside the claims."""


class Entry(Strict):
    """A line of a claim's log; the first is the registration itself, which comes from nothing."""

    claim: Text
    date: Text
    reason: Text
    results_seen: bool
    before: Digest | None
    after: Digest
    changed: tuple[Change, ...]
    previous: Digest | None

    @property
    def digest(self) -> str:
        """SHA-256, in hex, of the canonical JSON of the line."""
        return experiment.digest(self.model_dump(mode="json"))


@dataclass(frozen=True)
class Registered:
    """What is registered of a claim: record as JSON values, the day it was written, and its history."""

    record: dict[str, Any]
    date: str
    digest: str
    history: tuple[Entry, ...]


def read(folder: Path, claim: str) -> Registered | None:
    """The registration of a claim, None if there is none.

    The record is not held against today's format, so that one of an older format can be compared and amended.

    Raises:
        InvalidInput: if a file is no registration or log, was altered by hand, or the history does not hold together.
    """
    path, log = _files(folder, claim)
    if not path.is_file() and not log.is_file():
        return None
    try:
        lines = log.read_text(encoding="utf-8").splitlines()
        history = tuple(Entry.model_validate_json(experiment.canonical(strict_json.parse(line))) for line in lines)
        content = strict_json.load(path)
        found = Registered(content["record"], content["date"], content["digest"], history)
        _check(found, content, claim)
    except (OSError, ValidationError, KeyError, TypeError, ValueError) as error:
        said = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error).rstrip(".")
        raise InvalidInput(
            f"the registration in {path.name} and {log.name} does not hold: {said}. "
            "Restore both files from the version control; neither is edited by hand"
        ) from error
    return found


def _check(found: Registered, content: dict[str, Any], claim: str) -> None:
    """Raises ValueError if the record is not what its digest says, or the history not a chain that ends in it."""
    if experiment.digest(found.record) != found.digest:
        raise ValueError(f"the record was altered: its digest is not {found.digest}")
    before, previous = None, None
    for number, entry in enumerate(found.history, 1):
        if entry.claim != claim or entry.previous != previous or entry.before != before:
            raise ValueError(f"the history was rewritten before entry {number}, of {entry.date}, which does not follow")
        before, previous = entry.after, entry.digest
    if before != found.digest or previous != content["history"] or claim != content["claim"]:
        raise ValueError("the history was rewritten at its end: it does not lead to the record")


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
    if registered.digest == record.digest:
        return ""
    found = list(changes(registered.record, record.content))
    return (
        f'unregistered change: {in_words(found)}; run `ntk-claims amend {claim} --reason "..." --results-seen yes|no`.'
    )


def register(study: Study, folder: Path, reason: str, results_seen: bool) -> Registered:
    """Writes the first registration of a claim.

    Raises:
        InvalidInput: if it is registered already, there is no reason, or a rule speaks against it.
    """
    claim = study.claim.id
    if read(folder, claim) is not None:
        raise InvalidInput(
            f"Claim {claim!r} is registered already; amend it: ntk-claims amend {claim} --reason "
            '"..." --results-seen yes|no'
        )
    return _write(study, folder, None, reason, results_seen)


def amend(study: Study, folder: Path, reason: str, results_seen: bool) -> Registered:
    """Appends to a claim's history, and writes its record anew.

    Raises:
        InvalidInput: if it is not registered, nothing changed, there is no reason, results are said not to have been
            seen that had been seen before, or a rule speaks against it.
    """
    claim = study.claim.id
    registered = read(folder, claim)
    if registered is None:
        raise InvalidInput(f"Claim {claim!r} is not registered; register it: ntk-claims register {claim}")
    if registered.digest == ClaimRecord.of(study).digest:
        raise InvalidInput(f"Nothing of claim {claim!r} changed since it was registered; there is nothing to amend.")
    seen = [entry.date for entry in registered.history if entry.results_seen]
    if seen and not results_seen:
        raise InvalidInput(
            f"By its own history, results of claim {claim!r} had been seen on {seen[0]}: say --results-seen yes."
        )
    return _write(study, folder, registered, reason, results_seen)


def _write(study: Study, folder: Path, old: Registered | None, reason: str, results_seen: bool) -> Registered:
    claim, record = study.claim.id, ClaimRecord.of(study)
    if not reason.strip():
        raise InvalidInput(f"Say why claim {claim!r} is registered as it is: a reason that readers of the report see.")
    if against := objections(study):
        raise InvalidInput(f"Claim {claim!r} cannot be registered: {'; '.join(against)}.")
    entry = Entry(
        claim=claim,
        date=datetime.now(UTC).date().isoformat(),
        reason=reason.strip(),
        results_seen=results_seen,
        before=old.digest if old else None,
        after=record.digest,
        changed=tuple(changes(old.record, record.content)) if old else (),
        previous=old.history[-1].digest if old else None,
    )
    new = Registration(claim=claim, date=entry.date, digest=record.digest, history=entry.digest, record=record)
    path, log = _files(folder, claim)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with log.open("a", encoding="utf-8", newline="\n") as file:
            file.write(experiment.canonical(entry.model_dump(mode="json")) + "\n")
        path.write_text(_text(new.model_dump(mode="json", exclude_defaults=True)), encoding="utf-8", newline="\n")
    except OSError as error:
        raise InvalidInput(f"The registration cannot be written below {folder}: {error.strerror or error}.") from error
    return Registered(record.content, entry.date, record.digest, (*(old.history if old else ()), entry))


def _text(content: dict[str, Any]) -> str:
    """Pretty JSON with sorted keys."""
    return json.dumps(content, sort_keys=True, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _files(folder: Path, claim: str) -> tuple[Path, Path]:
    """The record and the log; raises InvalidInput for an id that names no file below the folder."""
    parts = claim.split("/")
    if not all(part.isidentifier() for part in parts):
        raise InvalidInput(f"A claim's id must read <paper>/<name>, of letters, digits and _; got {claim!r}.")
    place = folder.joinpath(*parts)
    return place.with_name(f"{place.name}.json"), place.with_name(f"{place.name}.log.jsonl")
