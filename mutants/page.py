"""Tables of mutants: the page docs/mutants.md, and what the terminal shows."""

from collections.abc import Sequence

from mutants.workshop import Outcome

HEAD = """# Planted defects

A verifier that has never been seen to fail proves nothing. Here defects are planted where such work really goes wrong,
one at a time, into a copy of the sources; what must turn red is run with the defect and, to be sure that it means
anything, without it. `tox run -e mutants` repeats all of this, and `python -m mutants --write` writes this page.
"""


def page(outcomes: Sequence[Outcome]) -> str:
    """docs/mutants.md; it holds no time, so that equal outcomes make equal pages."""
    caught = sum(outcome.caught for outcome in outcomes)
    lines = [
        HEAD,
        f"{caught} of {len(outcomes)} are caught.\n",
        "| defect | what goes wrong | planted in | caught by |",
        "|---|---|---|---|",
        *(_row(outcome) for outcome in outcomes),
        "",
        *_missed(outcomes),
    ]
    return "\n".join(lines)


def _row(outcome: Outcome) -> str:
    mutant = outcome.mutant
    tests = "<br>".join(f"`{test}`" for test in mutant.caught_by)
    cells = (mutant.name, mutant.what, f"`{mutant.file}`", tests if outcome.caught else "**missed**")
    return f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |"


def _missed(outcomes: Sequence[Outcome]) -> list[str]:
    missed = [outcome for outcome in outcomes if not outcome.caught]
    if not missed:
        return []
    reasons = [f"- {o.mutant.name}: {o.mutant.known_missed or f'not known why ({o.note})'}" for o in missed]
    return ["## Missed", "", *reasons, ""]


def line(outcome: Outcome, width: int) -> str:
    """One outcome as a line of text, the name padded to `width`."""
    verdict = "caught" if outcome.caught else f"MISSED ({outcome.note})"
    tests = ", ".join(test.partition("::")[2] or test for test in outcome.mutant.caught_by)
    return f"{outcome.mutant.name:<{width}}  {verdict:<7} {outcome.seconds:5.1f} s  {tests}"


def table(outcomes: Sequence[Outcome]) -> str:
    """All outcomes with what each defect is, and the missed ones again at the end, with reasons."""
    width = max((len(outcome.mutant.name) for outcome in outcomes), default=0)
    lines = [f"{line(outcome, width)}\n{'':<{width}}  {outcome.mutant.what}" for outcome in outcomes]
    caught = sum(outcome.caught for outcome in outcomes)
    return "\n".join([*lines, "", f"{caught} of {len(outcomes)} caught.", *_missed(outcomes)])
