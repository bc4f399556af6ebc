"""What is written to the registrations: a claim registered, amended, withdrawn; the chain begun."""

import json
from pathlib import Path
from typing import Any

from harness import experiment
from harness.errors import InvalidInput
from harness.registration import chain, moment
from harness.registration.chain import Action
from harness.registration.changes import changes
from harness.registration.ledger import (
    Entry,
    Registered,
    check_older,
    claims_on_file,
    files,
    of_files,
    read,
)
from harness.registration.record import ClaimRecord
from harness.registration.rules import objections
from harness.study import Study


def register(
    study: Study, folder: Path, reason: str, results_seen: bool, *, family: int = 1
) -> Registered:
    """Writes the first registration of a claim; `family` is the number of claims of its family.

    Raises:
        InvalidInput: if it is registered already, there is no reason, or a rule speaks against it.
    """
    claim = study.claim.id
    if read(folder, claim) is not None:
        raise InvalidInput(
            f"Claim {claim!r} is registered already; amend it: ntk-claims amend {claim} --reason "
            '"..." --results-seen yes|no'
        )
    record = _allowed(study, family)
    return _write(
        folder,
        record,
        None,
        action="registered",
        reason=reason,
        results_seen=results_seen,
    )


def amend(
    study: Study, folder: Path, reason: str, results_seen: bool, *, family: int = 1
) -> Registered:
    """Appends to a claim's history, and writes its record anew; `family` as for `register`.

    Raises:
        InvalidInput: if it is not registered, nothing changed, there is no reason, results are said
            not to have been seen that had been seen before, or a rule speaks against it.
    """
    claim = study.claim.id
    registered = read(folder, claim)
    if registered is None:
        raise InvalidInput(
            f"Claim {claim!r} is not registered; register it: ntk-claims register {claim}"
        )
    if registered.digest == ClaimRecord.of(study).digest and not registered.withdrawn:
        raise InvalidInput(
            f"Nothing of claim {claim!r} changed since it was registered; there is nothing to "
            "amend."
        )
    seen = [entry.date for entry in registered.history if entry.results_seen]
    if seen and not results_seen:
        raise InvalidInput(
            f"By its own history, results of claim {claim!r} had been seen on {seen[0]}: say "
            "--results-seen yes."
        )
    record = _allowed(study, family)
    return _write(
        folder,
        record,
        registered,
        action="amended",
        reason=reason,
        results_seen=results_seen,
    )


def withdraw(folder: Path, claim: str, reason: str, results_seen: bool) -> Registered:
    """Takes a claim back, in the open: its record and its log stay, and the log says so.

    `amend` takes it up again.

    The claim's file need not be there any more. Results that had been seen by the claim's history
    stay seen.

    Raises:
        InvalidInput: if the claim is not registered, is withdrawn already, or there is no reason.
    """
    registered = read(folder, claim)
    if registered is None:
        raise InvalidInput(
            f"Claim {claim!r} is not registered, so there is nothing to withdraw."
        )
    if registered.withdrawn:
        raise InvalidInput(
            f"Claim {claim!r} was withdrawn on {registered.history[-1].date} already."
        )
    seen = results_seen or any(entry.results_seen for entry in registered.history)
    return _write(
        folder,
        registered.record,
        registered,
        action="withdrawn",
        reason=reason,
        results_seen=seen,
    )


def adopt(folder: Path) -> list[Entry]:
    """Takes every line of a log that the chain lacks over into it, as of now; the lines that were
    taken over.

    For registrations of before there was a chain. The chain says "adopted", and when; no file of a
    claim is changed.

    Raises:
        InvalidInput: if the chain, or a claim's record or log, does not hold.
    """
    links = chain.read(folder)
    known = {link.entry for link in links or ()}
    claims = claims_on_file(folder)
    lines = [
        entry
        for claim in claims
        for entry in of_files(folder, claim).history
        if entry.digest not in known
    ]
    if links is None:
        check_older(lines)
    made = moment.now(folder)
    for entry in sorted(lines, key=lambda entry: entry.time or entry.date):
        chain.append(folder, "adopted", entry, made)
    for claim in claims:
        read(folder, claim)
    return lines


def _allowed(study: Study, family: int) -> dict[str, Any]:
    """The record of a study; raises InvalidInput if a rule of evidence speaks against it."""
    if against := objections(study, family):
        raise InvalidInput(
            f"Claim {study.claim.id!r} cannot be registered: {'; '.join(against)}."
        )
    return ClaimRecord.of(study).content


def _write(
    folder: Path,
    record: dict[str, Any],
    old: Registered | None,
    *,
    action: Action,
    reason: str,
    results_seen: bool,
) -> Registered:
    """Writes a line into the claim's log and the chain, and the record with where its history ends
    now.
    """
    history = old.history if old else ()
    claim = history[-1].claim if history else record["claim"]["id"]
    if not reason.strip():
        raise InvalidInput(
            f"Say why claim {claim!r} is {action}: a reason that readers of the report see."
        )
    _take_over_first(folder)
    made = moment.now(folder)
    entry = Entry(
        claim=claim,
        date=made.time[:10],
        reason=reason.strip(),
        results_seen=results_seen,
        before=old.digest if old else None,
        after=experiment.digest(record),
        changed=tuple(changes(old.record, record)) if old else (),
        previous=history[-1].digest if old else None,
        time=made.time,
        commit=made.commit,
        no_commit=made.no_commit,
        withdrawn=action == "withdrawn",
    )
    content = {
        "claim": claim,
        "date": entry.date,
        "digest": entry.after,
        "history": entry.digest,
        "record": record,
    }
    path, log = files(folder, claim)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with log.open("a", encoding="utf-8", newline="\n") as file:
            file.write(experiment.canonical(entry.content) + "\n")
        path.write_text(_text(content), encoding="utf-8", newline="\n")
        chain.append(folder, action, entry, made)
    except OSError as error:
        raise InvalidInput(
            f"The registration cannot be written below {folder}: {error.strerror or error}."
        ) from error
    return Registered(record, entry.date, entry.after, (*history, entry))


def _take_over_first(folder: Path) -> None:
    """Begins the chain with what was registered before there was one, so that it lacks nothing."""
    if chain.read(folder) is None and claims_on_file(folder):
        adopt(folder)


def _text(content: dict[str, Any]) -> str:
    """Pretty JSON with sorted keys."""
    return (
        json.dumps(
            content, sort_keys=True, indent=1, ensure_ascii=False, allow_nan=False
        )
        + "\n"
    )
