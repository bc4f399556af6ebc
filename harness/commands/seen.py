"""What may have shown results of a claim: recorded verdicts, reports, and cells of its streams in a
store.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from harness import registration, strict_json, studies
from harness.experiment import canonical
from harness.study import Study
from harness.sweep.cell import HEADER_LIMIT

Json = Mapping[str, Any]
Key = tuple[str, str, str]


def seen(study: Study, claims: Path, store: Path) -> list[str]:
    """Where results of a claim are, each in a sentence's part; empty if nowhere.

    A cell counts if its stream, its configuration and the name of its computation are those of the
    claim, in whatever file: a claim that was copied or renamed asks for the same seeds. So do those
    that are registered of the claim now.

    Args:
        study: the claim.
        claims: folder of the claims; reports are looked for in `reports` beside it.
        store: where cells are kept.
    """
    claim = study.claim.id
    tiers = sorted(
        tier for recorded, tier in studies.recorded(claims) if recorded == claim
    )
    found = (
        [
            f"{claims / studies.RECORD} records a verdict of {claim!r} ({', '.join(tiers)})"
        ]
        if tiers
        else []
    )
    reports = [str(path) for path in _reports(claims) if _shows(path, claim)]
    found += (
        [f"{reports[0]} has effects of {claim!r}" + _more(len(reports), "reports")]
        if reports
        else []
    )
    registered = registration.read(claims / registration.FOLDER, claim)
    wanted = _keys(registration.ClaimRecord.of(study).content)
    wanted |= _keys(registered.record) if registered else set()
    cells = [key for key in _stored(store) if key in wanted]
    if cells:
        found.append(
            f"the store {store} holds cells of stream {cells[0][2]!r}"
            + _more(len(cells), "cells")
        )
    return found


def _more(count: int, what: str) -> str:
    return f" ({count} such {what})" if count > 1 else ""


def _reports(claims: Path) -> list[Path]:
    """The verdicts.json of every report in the folder `reports` beside the claims, and of the
    recorded ones.
    """
    folder = claims.resolve().parent / "reports"
    return sorted(
        [*folder.glob("*/verdicts.json"), *folder.glob("recorded/*/verdicts.json")]
    )


def _shows(path: Path, claim: str) -> bool:
    """Whether a report has effects of a claim; a file that is no report has none."""
    try:
        content: Any = strict_json.load(path)
        return any(
            entry["id"] == claim and any(entry["effects"].values())
            for entry in content["claims"]
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def _keys(record: Json) -> set[Key]:
    """Computation (without its file), configuration and stream of everything that a record asks
    for.
    """
    return {
        (
            _function(experiment["measure"]),
            canonical(configuration),
            experiment["stream"],
        )
        for experiment in record.get("experiments", ())
        for tier in experiment["tiers"].values()
        for configuration in tier["grid"]
    }


def _function(computation: str) -> str:
    return computation.rpartition(":")[2]


def _stored(store: Path) -> Iterator[Key]:
    """Of each request that a store has an answer to; by the headers alone, nothing is verified."""
    for folder in store.glob("cells/*/*"):
        path = next(folder.glob("*.cell"), None)
        request = _request(path) if path is not None else None
        if request is not None:
            yield request


def _request(path: Path) -> Key | None:
    try:
        with path.open("rb") as file:
            file.readline(HEADER_LIMIT)
            request: Any = strict_json.parse(file.readline(HEADER_LIMIT))["request"]
        return (
            _function(request["computation"]),
            canonical(request["configuration"]),
            request["stream"],
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
