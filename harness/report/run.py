"""The content of run.json: what differs from one run to the next. Nothing in it decides anything.

Its JSON Schema is `run.schema.json` beside this file.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from typing import Any

from harness.report.values import plain


@dataclass(frozen=True)
class Cells:
    """The cells behind one claim in this run.

    Args:
        computed, cached, failed: how many were computed now, taken from the store, or could not be
            computed.
        seconds: worker time that the computed and the cached ones took when they were computed.
        oldest, newest: when the first and the last of them were computed.
        shared: how many of them more than one claim of the run needs.
        devices: the worker time by device class, "cpu" or "cuda".
    """

    computed: int = 0
    cached: int = 0
    failed: int = 0
    seconds: float = 0.0
    oldest: datetime | None = None
    newest: datetime | None = None
    shared: int = 0
    devices: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Cost:
    """What computing took.

    Args:
        estimate: seconds that it was expected to take when it began; None if nothing like it was
            known.
        seconds: that it took, on the clock.
        spared: worker time that was spared since claims share cells.
    """

    estimate: float | None
    seconds: float
    spared: float


@dataclass(frozen=True)
class Git:
    """The git commit that was checked out when a run was made.

    Args:
        commit: its name in hex; None where it is not known.
        reason: why it is not known; "" where it is.
        clean: whether the tracked files were those of the commit; None where that is not known.
    """

    commit: str | None
    reason: str
    clean: bool | None


def run_record(  # noqa: PLR0913 -- the fields of run.json, each given by name
    *,
    started: datetime,
    finished: datetime,
    command: Sequence[str],
    platform: Mapping[str, Any],
    distributions: Mapping[str, str] | None = None,
    claims: Mapping[str, Cells],
    total: Cells,
    cost: Cost | None = None,
    git: Git | None = None,
    order: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """The content of run.json.

    Args:
        started, finished: with a time zone or both without.
        command: the words of the command.
        platform: name -> value, e.g. machine, processors, device.
        distributions: name -> version of everything installed; left out of the record where it is
            not known.
        claims: claim id -> its cells. Claims share cells, so these do not add up to `total`.
        total: the cells of the run.
        cost: of computing them; left out of the record where it is not known.
        git: the commit that was checked out; left out of the record where nobody looked.
        order: claim id -> in which order it was registered and run; left out of the record where
            there is none.

    Returns:
        JSON values; times in ISO 8601, ages at the end of the run in seconds. None is below zero:
        where a clock was set back in between, or another machine's is ahead, it is zero.
    """
    return {
        "started": started.isoformat(timespec="seconds"),
        "finished": finished.isoformat(timespec="seconds"),
        "seconds": _between(started, finished),
        "command": plain(list(command), {}),
        "platform": plain(platform, {}),
        **({"distributions": plain(distributions, {})} if distributions else {}),
        **({"cost": asdict(cost)} if cost else {}),
        **({"git": asdict(git)} if git else {}),
        **({"order": dict(order)} if order else {}),
        "cells": _cells(total, finished),
        "claims": {claim: _cells(cells, finished) for claim, cells in claims.items()},
    }


def _cells(cells: Cells, now: datetime) -> dict[str, Any]:
    record = {part.name: getattr(cells, part.name) for part in fields(Cells)}
    for end in ("oldest", "newest"):
        computed = record[end]
        record[end] = computed and {
            "computed": computed.isoformat(timespec="seconds"),
            "age": _between(computed, now),
        }
    return record


def _between(earlier: datetime, later: datetime) -> float:
    return max(0.0, (later - earlier).total_seconds())
