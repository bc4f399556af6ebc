"""What the cells of a session say of themselves: with what they were computed, when, and at what cost."""

import os
import platform
import re
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from harness import report
from harness.experiment import Request
from harness.sweep import Outcome


def run_record(
    started: datetime, plans: Mapping[str, Sequence[Request]], outcomes: Mapping[str, Outcome]
) -> dict[str, Any]:
    """The content of run.json: a session that began then and ends now, the cells of each claim, and of all.

    Args:
        started: with time zone.
        plans: claim id -> its cells.
        outcomes: digest of a request -> what became of it.
    """
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
        claims={claim: _cells(plan, outcomes) for claim, plan in plans.items()},
        total=_cells([outcome.request for outcome in outcomes.values()], outcomes),
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


def _cells(plan: Sequence[Request], outcomes: Mapping[str, Outcome]) -> report.Cells:
    own = [outcomes[digest] for digest in dict.fromkeys(request.digest for request in plan)]
    cells = [outcome.cell for outcome in own if outcome.cell is not None]
    times = sorted(datetime.fromisoformat(cell.provenance.started_at) for cell in cells)
    return report.Cells(
        computed=sum(outcome.kind == "done" for outcome in own),
        cached=sum(outcome.kind == "cached" for outcome in own),
        failed=sum(outcome.kind == "failed" for outcome in own),
        seconds=sum(cell.provenance.seconds for cell in cells),
        oldest=times[0] if times else None,
        newest=times[-1] if times else None,
    )
