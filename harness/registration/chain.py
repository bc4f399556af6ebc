"""The chain: one file for all registrations of a claims folder, which outlives each claim's files.

    claims/registrations/chain.jsonl    a line for each registration, amendment and withdrawal;
                                        only appended to

Each line names the line of the claim's log that it stands for, and carries the digest of the
chain's line before it. A record or a log that is deleted, cut or written anew is therefore noticed.
The chain itself can be written anew as a whole, or cut at its end; then the version control has the
lines that were taken away (`cut`).
"""

from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import PositiveInt, ValidationError

from harness import experiment, strict_json
from harness.errors import InvalidInput
from harness.registration import moment
from harness.registration.moment import Moment
from harness.registration.record import Digest, Strict, Text

CHAIN = "chain.jsonl"
ADVICE = "Restore it from the version control; it is not edited by hand"

Action = Literal["registered", "amended", "withdrawn", "adopted"]


class Link(Strict):
    """A line of the chain.

    "adopted" is what was written into a log before there was a chain: its `date` is what that line
    says, its `time` is when it was taken over.
    """

    number: PositiveInt
    action: Action
    claim: Text
    entry: Digest
    record: Digest
    date: Text
    reason: Text
    results_seen: bool
    time: Text
    commit: Text | None
    no_commit: str
    previous: Digest | None

    @property
    def digest(self) -> str:
        """SHA-256, in hex, of the canonical JSON of the line."""
        return experiment.digest(self.model_dump(mode="json"))


def read(folder: Path) -> tuple[Link, ...] | None:
    """The chain of a folder of registrations; None if there is no such file.

    Raises:
        InvalidInput: if a line is no link, does not follow the one before, or is of an earlier
            time.
    """
    path = folder / CHAIN
    if not path.is_file():
        return None
    links: list[Link] = []
    try:
        for line in path.read_text(encoding="utf-8").splitlines():
            link = Link.model_validate_json(
                experiment.canonical(strict_json.parse(line))
            )
            _check(link, links)
            links.append(link)
    except (OSError, ValidationError, TypeError, ValueError) as error:
        said = (
            error.errors()[0]["msg"]
            if isinstance(error, ValidationError)
            else str(error).rstrip(".")
        )
        raise InvalidInput(
            f"the chain of registrations, {CHAIN}, does not hold at line {len(links) + 1}: {said}. "
            f"{ADVICE}"
        ) from error
    return tuple(links)


def _check(link: Link, before: list[Link]) -> None:
    """Raises ValueError if a link does not follow those before it."""
    last = before[-1] if before else None
    if link.number != len(before) + 1 or link.previous != (
        last.digest if last else None
    ):
        raise ValueError(
            "a line was altered, taken away or put in: it does not follow the line before"
        )
    if last is not None and _time(link) < _time(last):
        raise ValueError(
            f"its time, {link.time}, is before that of the line before, {last.time}"
        )


def _time(link: Link) -> datetime:
    return datetime.fromisoformat(link.time)


def append(folder: Path, action: Action, line: Any, made: Moment) -> None:
    """Appends a line of a claim's log (`ledger.Entry`) to the chain.

    Raises:
        InvalidInput: if the chain does not hold, or its last line is of a later time than now.
    """
    links = read(folder) or ()
    last = links[-1] if links else None
    if last is not None and datetime.fromisoformat(made.time) < _time(last):
        raise InvalidInput(
            f"The clock says {made.time}, and the last line of {CHAIN} is of {last.time}. Set the "
            "clock right."
        )
    link = Link(
        number=len(links) + 1,
        action=action,
        claim=line.claim,
        entry=line.digest,
        record=line.after,
        date=line.date,
        reason=line.reason,
        results_seen=line.results_seen,
        time=made.time,
        commit=made.commit,
        no_commit=made.no_commit,
        previous=last.digest if last else None,
    )
    with (folder / CHAIN).open("a", encoding="utf-8", newline="\n") as file:
        file.write(experiment.canonical(link.model_dump(mode="json")) + "\n")


def cut(folder: Path) -> str:
    """What speaks against the chain in version control: who took lines away; "" if nothing."""
    where = moment.cut(folder, CHAIN)
    if not where:
        return ""
    return (
        f"lines of {CHAIN}, which only grows, were taken away or altered in "
        f"{where if where.startswith('the ') else f'commit {where[:12]}'}"
    )
