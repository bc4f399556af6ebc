"""The roll of a folder of registrations: registered claims of which there is no file any more."""

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from harness.errors import InvalidInput
from harness.registration import chain
from harness.registration.ledger import claims_on_file, read
from harness.study import Study


@dataclass(frozen=True)
class Unclaimed:
    """A registration without a claim file, or one that is not what the chain has of it.

    Args:
        claim: its id.
        family: that it was registered in; "" where that cannot be read.
        state: "withdrawn" in the open; "missing", its file is gone; "altered", its record or log
            does not hold.
        words: what is known of it, in a sentence.
    """

    claim: str
    family: str
    state: Literal["withdrawn", "missing", "altered"]
    words: str


def unclaimed(folder: Path, claims: Collection[str]) -> tuple[Unclaimed, ...]:
    """Every registration that no claim file stands for, sorted by id; and last, what is wrong with
    the chain itself.

    Args:
        folder: of the registrations.
        claims: the ids of all claim files beside it.
    """
    try:
        chained = {link.claim for link in chain.read(folder) or ()}
    except InvalidInput as error:
        chained, wrong = set(), [f"{error}."]
    else:
        wrong = [f"{text}." for text in [chain.cut(folder)] if text]
    gone = sorted((chained | set(claims_on_file(folder))) - set(claims))
    return (
        *(_of(folder, claim) for claim in gone),
        *(Unclaimed(chain.CHAIN, "", "altered", _sentence(text)) for text in wrong),
    )


def family_sizes(
    studies: Iterable[Study], unclaimed: Iterable[Unclaimed]
) -> Counter[str]:
    """Family -> number of its claims: every claim file, and every registration without one."""
    sizes = Counter(study.claim.family for study in studies)
    return sizes + Counter(one.family for one in unclaimed if one.family)


def _of(folder: Path, claim: str) -> Unclaimed:
    try:
        found = read(folder, claim)
    except InvalidInput as error:
        return Unclaimed(claim, "", "altered", _sentence(f"{error}."))
    if found is None:  # the files went away in between
        return Unclaimed(claim, "", "missing", "Registered, and gone.")
    family, last = (
        str(found.record.get("claim", {}).get("family", "")),
        found.history[-1],
    )
    if found.withdrawn:
        seen = (
            "after results had been seen"
            if last.results_seen
            else "before any result was seen"
        )
        return Unclaimed(
            claim,
            family,
            "withdrawn",
            f"Withdrawn on {last.date}, {seen}: {last.reason}",
        )
    return Unclaimed(
        claim,
        family,
        "missing",
        f"Registered on {found.history[0].date}, and there is no claim file of it. Restore the "
        "file, or take "
        f'the claim back in the open: ntk-claims withdraw {claim} --reason "...".',
    )


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}"
