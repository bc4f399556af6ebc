"""What the cells of a session say of themselves: with what they were computed, when, and at what cost."""

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

from harness import report
from harness.experiment import Request
from harness.sweep import Outcome, Sweep


def run_record(
    started: datetime,
    plans: Mapping[str, Sequence[Request]],
    outcomes: Mapping[str, Outcome],
    swept: Sweep | None = None,
) -> dict[str, Any]:
    """The content of run.json: a session that began then and ends now, the cells of each claim, and of all.

    Args:
        started: with time zone.
        plans: claim id -> its cells.
        outcomes: digest of a request -> what became of it.
        swept: the run that they are of, if it is known what it took.
    """
    users = Counter(name for plan in plans.values() for name in {request.digest for request in plan})
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
        total=_cells([outcome.request for outcome in outcomes.values()], outcomes, users),
        cost=None if swept is None else report.Cost(swept.estimate, swept.seconds, _spared(outcomes, users)),
    )


def _spared(outcomes: Mapping[str, Outcome], users: Mapping[str, int]) -> float:
    """Worker time that more would have been needed if each claim computed its own cells."""
    return sum(
        (users[name] - 1) * outcome.cell.provenance.seconds
        for name, outcome in outcomes.items()
        if outcome.cell is not None and users[name] > 1
    )


def _distributions() -> dict[str, str]:
    """Normalised name -> version of everything that is installed; a folder that only looks like it has no name."""
    return {
        re.sub(r"[-_.]+", "-", found.name).lower(): found.version for found in metadata.distributions() if found.name
    }


def environment(outcomes: Mapping[str, Outcome], backends: Sequence[str]) -> dict[str, dict[str, str]]:
    """What the cells of each backend were computed with, as they say themselves."""
    found = {}
    for backend in backends:
        cells = [o.cell for o in outcomes.values() if o.cell is not None and o.request.backend == backend]
        facts = [
            {**cell.circumstances.versions, "device": cell.circumstances.device, "dtype": cell.request.dtype}
            for cell in cells
        ]
        names = sorted({name for fact in facts for name in fact})
        found[backend] = {name: ", ".join(sorted({f[name] for f in facts if name in f})) for name in names}
    return found


def _cells(plan: Sequence[Request], outcomes: Mapping[str, Outcome], users: Mapping[str, int]) -> report.Cells:
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
            device: sum(cell.provenance.seconds for cell in cells if cell.circumstances.device == device)
            for device in sorted({cell.circumstances.device for cell in cells})
        },
        oldest=times[0] if times else None,
        newest=times[-1] if times else None,
    )
