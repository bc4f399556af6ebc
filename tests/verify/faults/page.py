"""The table of faults: the page docs/faults.md, and what the terminal shows."""

from collections.abc import Sequence

from tests.verify.faults.fault import Outcome

HEAD = """# Faults

A run of hours is killed, runs into a full disk, or finds its files damaged. Here that is done on purpose: each fault is
planted into real runs of a toy claim (thirty cells, two workers), at random moments, and a rerun on the same store must
complete. Survived means: no cell that was in the store is lost, none that was finished is computed again (the
computation itself keeps a log of each time it begins), what had to be said is said, and the rerun's verdicts.json is
byte for byte that of an undisturbed run. `tox run -e faults` repeats all of this, and `python -m tests.verify.faults --write` writes
this page.
"""


def page(outcomes: Sequence[Outcome]) -> str:
    """docs/faults.md."""
    total, survived = (sum(getattr(outcome, name) for outcome in outcomes) for name in ("times", "survived"))
    return "\n".join(
        [
            HEAD,
            f"{survived} of {total} are survived.\n",
            "| fault | how it is planted, and what must come of it | times | survived | cells lost | computed twice |",
            "|---|---|---:|---:|---:|---:|",
            *map(_row, outcomes),
            "",
            *(f"- {outcome.fault.name}: {note}\n" for outcome in outcomes for note in _notes(outcome)),
        ]
    )


def _row(outcome: Outcome) -> str:
    counts = (outcome.times, outcome.survived, outcome.lost, outcome.twice)
    return f"| {' | '.join([outcome.fault.name, outcome.fault.planted, *map(str, counts)])} |"


def _notes(outcome: Outcome) -> list[str]:
    return [f"not planted: {outcome.skipped}."] if outcome.skipped else list(outcome.notes)


def line(outcome: Outcome, width: int) -> str:
    """One outcome as text, the fault's name padded to `width`."""
    counts = f"{outcome.survived:3} of {outcome.times:3} survived, {outcome.lost} lost, {outcome.twice} computed twice"
    return "\n    ".join([f"{outcome.fault.name:<{width}}  {counts}", *_notes(outcome)])
