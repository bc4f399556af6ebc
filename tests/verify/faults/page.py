"""The table of faults: in docs/operations.md, and what the terminal shows."""

import re
from collections.abc import Sequence

from tests.verify.faults.fault import Outcome

BLOCK = re.compile(r"(<!-- faults:[^>]*-->\n).*?(<!-- end of faults -->)", re.DOTALL)


def updated(text: str, outcomes: Sequence[Outcome]) -> str:
    """The text of docs/operations.md, with the table of these outcomes between its pair of
    comments.
    """
    (_,) = BLOCK.findall(text)
    return BLOCK.sub(lambda match: f"{match[1]}\n{table(outcomes)}\n{match[2]}", text)


def table(outcomes: Sequence[Outcome]) -> str:
    """The outcomes as a Markdown table, and what was not survived or not planted."""
    total, survived = (
        sum(getattr(outcome, name) for outcome in outcomes)
        for name in ("times", "survived")
    )
    return "\n".join(
        [
            f"{survived} of {total} are survived.\n",
            "| fault | how it is planted, and what must come of it | times | survived | cells lost "
            "| computed twice |",
            "|---|---|---:|---:|---:|---:|",
            *map(_row, outcomes),
            "",
            *(
                f"- {outcome.fault.name}: {note}\n"
                for outcome in outcomes
                for note in _notes(outcome)
            ),
        ]
    )


def _row(outcome: Outcome) -> str:
    counts = (outcome.times, outcome.survived, outcome.lost, outcome.twice)
    return f"| {' | '.join([outcome.fault.name, outcome.fault.planted, *map(str, counts)])} |"


def _notes(outcome: Outcome) -> list[str]:
    return (
        [f"not planted: {outcome.skipped}."] if outcome.skipped else list(outcome.notes)
    )


def line(outcome: Outcome, width: int) -> str:
    """One outcome as text, the fault's name padded to `width`."""
    counts = (
        f"{outcome.survived:3} of {outcome.times:3} survived, {outcome.lost} lost, "
        f"{outcome.twice} computed twice"
    )
    return "\n    ".join([f"{outcome.fault.name:<{width}}  {counts}", *_notes(outcome)])
