"""docs/full-tier.md: what cells of the full tier were measured to cost."""

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.commands.options import discovered
from harness.experiment import Request, digest
from harness.numerals import duration
from harness.papers import CLAIMS
from tests.verify.gpu.plans import Extremes, extremes

ROOT = Path(__file__).parents[3]
PAGE, LINES = ROOT / "docs" / "full-tier.md", ROOT / "docs" / "full-tier.jsonl"
BEGIN, END = (
    "<!-- cells: made by python -m tests.verify.gpu.page -->",
    "<!-- end of cells -->",
)
HEADINGS = (
    "claim",
    "computation",
    "cells",
    "",
    "CPU seconds",
    "host",
    "launches",
    "GFLOP",
)

Line = Mapping[str, Any]


def rows(found: Sequence[Extremes], measured: Mapping[str, Line]) -> list[list[str]]:
    """Two rows of the table for each: the smallest configuration and the largest."""
    table = []
    for own in found:
        ends = {"smallest": own.smallest, "largest": own.largest}
        if own.smallest == own.largest:
            ends = {"all alike": own.smallest}
        for name, request in ends.items():
            first = [own.claim, request.computation, str(own.cells)]
            cost = _cost(measured.get(kind(request)))
            table.append([*first, name, *cost])
    return table


def kind(request: Request) -> str:
    """What a request has in common with its line."""
    return digest(
        [
            request.computation,
            dict(request.configuration),
            len(request.replicates),
            request.backend,
            request.dtype,
        ]
    )


def read(file: Path) -> dict[str, Line]:
    """The lines of a measurement by their kind, those with counts first."""
    lines = [json.loads(text) for text in file.read_text("utf-8").splitlines()]
    lines.sort(key=lambda line: "launches" in line)
    names = ("computation", "configuration", "replicates", "backend", "dtype")
    return {digest([line[name] for name in names]): line for line in lines}


def _cost(line: Line | None) -> list[str]:
    if line is None:
        return ["not measured", "", "", ""]
    if line["error"]:
        reason = line["error"].partition(":")[0]
        return [REASONS.get(reason, reason), "", "", ""]
    counts = ["", ""]
    if "launches" in line:
        counts = [f"{line['launches']:,}", f"{line['flops'] / 1e9:.2g}"]
    share = line["host"] / line["seconds"]
    return [duration(line["cpu"]), f"{share:.0%}", *counts]


REASONS = {
    "TooLongError": "longer than allowed",
    "DatasetUnavailable": "its data are not here",
}


def markdown(table: Sequence[Sequence[str]]) -> str:
    """The table."""
    marks = ["---"] * 2 + ["---:"] + ["---"] + ["---:"] * 4
    return "\n".join(f"| {' | '.join(row)} |" for row in [HEADINGS, marks, *table])


def main(arguments: Sequence[str] | None = None) -> int:
    """Writes the table into the page."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.verify.gpu.page", description=__doc__
    )
    parser.add_argument("--claims", type=Path, default=CLAIMS)
    options = parser.parse_args(arguments)
    found = [
        own
        for study in discovered(options).values()
        for own in extremes(study)
        if own.smallest.backend == "torch"
    ]
    before, _, rest = PAGE.read_text("utf-8").partition(BEGIN)
    table = markdown(rows(found, read(LINES)))
    after = rest.partition(END)[2]
    PAGE.write_text(f"{before}{BEGIN}\n\n{table}\n\n{END}{after}", encoding="utf-8")
    print(PAGE.relative_to(ROOT))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
