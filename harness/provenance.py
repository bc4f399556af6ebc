"""What the cells of a session say of themselves: how and when they were computed, at what cost."""

import os
import platform
import re
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from harness import registration, report
from harness.errors import InvalidInput
from harness.experiment import Request
from harness.sweep import Outcome, Sweep, code


def run_record(
    started: datetime,
    plans: Mapping[str, Sequence[Request]],
    outcomes: Mapping[str, Outcome],
    swept: Sweep | None = None,
    *,
    made_on: registration.Moment | None = None,
    order: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """The content of run.json: a session that began then and ends now, the cells of each claim, and
    of all.

    Args:
        started: with time zone.
        plans: claim id -> its cells.
        outcomes: digest of a request -> what became of it.
        swept: the run that they are of, if it is known what it took.
        made_on: the git commit that was checked out, if it was asked for.
        order: claim id -> in which order it was registered and run.
    """
    users = Counter(
        name for plan in plans.values() for name in {request.digest for request in plan}
    )
    return report.run_record(
        started=started,
        finished=datetime.now(UTC),
        command=[Path(sys.argv[0]).name, *sys.argv[1:]],
        platform={
            "system": platform.platform(),
            "processors": os.cpu_count() or 1,
            "python": platform.python_version(),
        },
        distributions=_distributions(),
        claims={claim: _cells(plan, outcomes, users) for claim, plan in plans.items()},
        total=_cells(
            [outcome.request for outcome in outcomes.values()], outcomes, users
        ),
        cost=None
        if swept is None
        else report.Cost(swept.estimate, swept.seconds, _spared(outcomes, users)),
        git=None
        if made_on is None
        else report.Git(made_on.commit, made_on.no_commit, made_on.clean),
        order=order or {},
    )


def stale_cells(
    plan: Sequence[Request], outcomes: Mapping[str, Outcome], claims: Path
) -> int:
    """How many of a claim's cells were computed by other code than is here now, in the harness and
    in this folder of claims; by no code here counts too.
    """
    present: dict[tuple[str, str], str] = {}
    stale = 0
    for name, request in {request.digest: request for request in plan}.items():
        cell = outcomes[name].cell
        kind = (request.computation, request.backend)
        if cell is not None and kind not in present:
            present[kind] = _present(request, claims)
        stale += cell is not None and cell.circumstances.code != present[kind]
    return stale


def _present(request: Request, claims: Path) -> str:
    """The digest of the code that would compute a request now; "" where none would."""
    try:
        return code.code_digest(request.computation, request.backend, claims)
    except InvalidInput:
        return ""


def amendments(log: Sequence[registration.Entry]) -> tuple[report.Amendment, ...]:
    """The lines of a claim's log as the report has them."""
    return tuple(
        report.Amendment(
            date=entry.date,
            reason=entry.reason,
            results_seen=entry.results_seen,
            digest=entry.after,
            changed=tuple(registration.in_words([change]) for change in entry.changed),
            time=entry.time,
            commit=entry.commit,
            no_commit=entry.no_commit,
            withdrawn=entry.withdrawn,
            fresh_seeds=registration.fresh_seeds(entry.changed),
            rule_changed=any(".rule." in change.path for change in entry.changed),
        )
        for entry in log
    )


def order(
    logs: Mapping[str, Sequence[registration.Entry]],
    made_on: registration.Moment,
    plans: Mapping[str, Sequence[Request]],
    outcomes: Mapping[str, Outcome],
) -> dict[str, str]:
    """Claim id -> in which order its record in force was written and it was run, or why that cannot
    be shown.
    """
    return {
        claim: " ".join(
            [_order(log[-1], made_on), *_early(log[0], plans[claim], outcomes)]
        )
        for claim, log in logs.items()
        if log and plans[claim]
    }


def _order(entry: registration.Entry, made_on: registration.Moment) -> str:
    """In which order the commits of an entry and of a run stand."""
    if entry.time is None:
        return (
            f"The order cannot be shown: the entry of {entry.date} names the day "
            "alone, and no commit."
        )
    if entry.commit is None:
        return (
            f"The order cannot be shown: the entry of {entry.time} names no commit, "
            f"since {entry.no_commit}."
        )
    if made_on.commit is None:
        return f"The order cannot be shown: the run names no commit, since {made_on.no_commit}."
    here, before, after = Path.cwd(), entry.commit[:12], made_on.commit[:12]
    written = registration.committed_at(here, entry.commit)
    if written is not None and written > datetime.fromisoformat(entry.time):
        return (
            f"The entry of {entry.time} is backdated: "
            f"commit {before}, which it names, is younger ({written})."
        )
    ancestor = registration.is_ancestor(here, entry.commit, made_on.commit)
    if ancestor is None:
        return (
            f"The order cannot be shown: git does not know commit {before} or "
            f"{after} (a shallow clone?)."
        )
    if not ancestor:
        return (
            f"Registered at commit {before}, which is NO ancestor of {after}, "
            "the commit of the run."
        )
    same = "the same as" if before == after else "an ancestor of"
    return f"Registered at commit {before}, {same} commit {after}, at which it was run."


def _early(
    first: registration.Entry, plan: Sequence[Request], outcomes: Mapping[str, Outcome]
) -> list[str]:
    """That cells are older than the first entry, if they are and it says that no result had been
    seen.
    """
    begun = datetime.fromisoformat(first.time or f"{first.date}T00:00:00+00:00")
    cells = [outcomes[request.digest].cell for request in plan]
    early = [
        cell
        for cell in cells
        if cell and datetime.fromisoformat(cell.provenance.started_at) < begun
    ]
    if first.results_seen or not early:
        return []
    return [
        f"{len(early)} of its cells say that they were computed BEFORE it was registered."
    ]


def _spared(outcomes: Mapping[str, Outcome], users: Mapping[str, int]) -> float:
    """Worker time that more would have been needed if each claim computed its own cells."""
    return sum(
        (users[name] - 1) * outcome.cell.provenance.seconds
        for name, outcome in outcomes.items()
        if outcome.cell is not None and users[name] > 1
    )


def _distributions() -> dict[str, str]:
    """Normalised name -> version of everything that is installed; a folder that only looks like it
    has no name.
    """
    return {
        re.sub(r"[-_.]+", "-", found.name).lower(): found.version
        for found in metadata.distributions()
        if found.name
    }


def environment(
    outcomes: Mapping[str, Outcome], backends: Sequence[str]
) -> dict[str, dict[str, str]]:
    """What the cells of each backend were computed with, as they say themselves."""
    found = {}
    for backend in backends:
        cells = [
            o.cell
            for o in outcomes.values()
            if o.cell is not None and o.request.backend == backend
        ]
        facts = [
            {
                **cell.circumstances.versions,
                "device": cell.circumstances.device,
                "dtype": cell.request.dtype,
            }
            for cell in cells
        ]
        names = sorted({name for fact in facts for name in fact})
        found[backend] = {
            name: ", ".join(sorted({f[name] for f in facts if name in f}))
            for name in names
        }
    return found


def _cells(
    plan: Sequence[Request], outcomes: Mapping[str, Outcome], users: Mapping[str, int]
) -> report.Cells:
    names = dict.fromkeys(request.digest for request in plan)
    own = [outcomes[name] for name in names]
    cells = [outcome.cell for outcome in own if outcome.cell is not None]
    times = sorted(datetime.fromisoformat(cell.provenance.started_at) for cell in cells)
    return report.Cells(
        computed=sum(outcome.kind == "done" for outcome in own),
        cached=sum(outcome.kind == "cached" for outcome in own),
        failed=sum(outcome.kind == "failed" for outcome in own),
        shared=sum(users[name] > 1 for name in names),
        seconds=sum(cell.provenance.seconds for cell in cells),
        devices={
            device: sum(
                cell.provenance.seconds
                for cell in cells
                if cell.circumstances.device == device
            )
            for device in sorted({cell.circumstances.device for cell in cells})
        },
        oldest=times[0] if times else None,
        newest=times[-1] if times else None,
    )
