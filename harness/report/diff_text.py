"""The difference of two runs for a terminal, for Markdown, and as a page; colour is not needed."""

from collections.abc import Iterator, Sequence

from harness.report.diff import (
    AS_PRINTED,
    ClaimChange,
    Difference,
    EffectChange,
    HypothesisChange,
)
from harness.report.html import page
from harness.report.runs import Run
from harness.report.summary import MARKS, escape

MEANS = (
    "Effects are means over seeds with Student's t interval of level 1 - 2 alpha. Intervals that "
    "overlap do not prove "
    "effects equal, and runs over the same seeds are not independent."
)
SHORT_DIGEST = 12


def tiers(difference: Difference) -> str:
    """What to know where the runs are of different tiers; "" where they are not."""
    a, b = difference.a.tier, difference.b.tier
    if a == b:
        return ""
    return (
        f"The tiers differ: A is at {a} scale, B at {b} scale. "
        "A change may be one of scale, not of what is true."
    )


def as_lines(difference: Difference, everything: bool = False) -> list[str]:
    """For a terminal or a log, in at most 100 columns but for long labels; control characters are
    replaced.

    Args:
        difference: of the two runs.
        everything: list effects that agree to the printed digits too.
    """
    lines = [
        f"A  {difference.a.path}",
        f"   {difference.a.describe()}",
        f"B  {difference.b.path}",
        f"   {difference.b.describe()}",
        *([tiers(difference)] if tiers(difference) else []),
        "",
        f"Verdicts: {len(difference.changed)} of {difference.common} changed.",
        *_verdict_lines(difference.claims),
        "",
        "Effects: "
        f"{difference.effects}."
        f"{'' if everything else ' Those that changed (--all lists the others too):'}",
        *(
            line
            for claim in difference.claims
            for line in _effect_lines(claim, everything)
        ),
        "",
        f"Registrations: {len(difference.reregistered)} of {difference.common} changed.",
        *(
            f"  {c.id}  {_digest(c.registrations[0])} -> {_digest(c.registrations[1])}"
            for c in difference.reregistered
        ),
        "",
        f"Versions and devices: {len(difference.environment)} changed.",
        *(
            f"  {name}  {before} -> {after}"
            for name, (before, after) in difference.environment.items()
        ),
    ]
    return [_printable(line) for line in lines]


def _verdict_lines(claims: Sequence[ClaimChange]) -> Iterator[str]:
    width = max([5, *(len(claim.id) for claim in claims)])
    yield f"  {'':<9}  {'claim':<{width}}  {'A':<12}  B"
    for claim in claims:
        yield f"  {claim.state:<9}  {claim.id:<{width}}  {claim.kinds[0]:<12}  {claim.kinds[1]}"


def _effect_lines(claim: ClaimChange, everything: bool) -> Iterator[str]:
    shown = [
        h for h in claim.hypotheses if claim.in_both and (everything or not h.alike)
    ]
    if shown:
        yield f"  {claim.id}"
    for hypothesis in shown:
        yield (
            f"    {hypothesis.label} ({hypothesis.role}; "
            f"{needs(hypothesis)}){_verdicts(hypothesis)}"
        )
        for effect in listed(hypothesis, everything):
            yield f"      {effect.backend:<6} {effect.before} -> {effect.after}  {effect.words}"


def listed(
    hypothesis: HypothesisChange, everything: bool = False
) -> list[EffectChange]:
    """The effects that changed in the printed digits; all of them on demand."""
    return [effect for effect in hypothesis.effects if everything or not effect.alike]


def needs(hypothesis: HypothesisChange) -> str:
    """What a hypothesis asks for, in both runs if that changed."""
    before, after = hypothesis.needs
    return after if before == after else f"{before} -> {after}"


def _verdicts(hypothesis: HypothesisChange) -> str:
    before, after = hypothesis.kinds
    return "" if before == after else f": {before} -> {after}"


def _digest(digest: str) -> str:
    return digest[:SHORT_DIGEST]


def _printable(line: str) -> str:
    """A line that cannot move the cursor or colour the terminal, whatever a claim's title says."""
    return "".join(
        character if character.isprintable() else "\N{REPLACEMENT CHARACTER}"
        for character in line
    )


def as_markdown(difference: Difference) -> str:
    """For a CI job page: what changed; every text of a run is escaped."""
    note = tiers(difference)
    lines = [
        f"# {len(difference.changed)} of {difference.common} verdicts changed",
        "",
        *(
            f"- {side}: {escape(str(run.path))}, {escape(run.describe())}"
            for side, run in _sides(difference)
        ),
        "",
        *([note, ""] if note else []),
        "| | Claim | A | B | Registration |",
        "|---|---|---|---|---|",
        *(_markdown_row(claim) for claim in difference.claims),
        "",
        f"## Effects: {difference.effects}",
        "",
        f"{MEANS} Effects that agree to the printed digits are not listed.",
        "",
        *_markdown_effects(difference),
        f"## Versions and devices: {len(difference.environment)} changed",
        "",
        *(
            f"- {escape(name)}: {escape(x)} → {escape(y)}"
            for name, (x, y) in difference.environment.items()
        ),
    ]
    return "\n".join(lines).rstrip() + "\n"


def _sides(difference: Difference) -> tuple[tuple[str, Run], ...]:
    return ("A", difference.a), ("B", difference.b)


def _markdown_row(claim: ClaimChange) -> str:
    before, after = (
        f"{MARKS[kind]} {kind}" if kind in MARKS else kind for kind in claim.kinds
    )
    state = f"**{claim.state}**" if claim.changed else claim.state
    digests = [_digest(digest) for digest in claim.registrations]
    registration = (
        f"{escape(digests[0])} → {escape(digests[1])}" if claim.reregistered else "same"
    )
    return (
        f"| {state} | {escape(claim.title)} | {before} | {after} | "
        f"{registration if claim.in_both else '–'} |"
    )


def _markdown_effects(difference: Difference) -> Iterator[str]:
    rows = [
        row
        for claim in difference.claims
        if claim.in_both
        for hypothesis in claim.hypotheses
        if not hypothesis.alike
        for row in _markdown_rows(claim, hypothesis)
    ]
    if rows:
        yield from (
            "| Claim | Effect | Backend | A | B | Intervals |",
            "|---|---|---|---|---|---|",
            *rows,
            "",
        )


def _markdown_rows(claim: ClaimChange, hypothesis: HypothesisChange) -> Iterator[str]:
    """A row for each effect that changed; one without an effect where only the verdict or what it
    needs did.
    """
    what = (
        f"{escape(hypothesis.label)} ({hypothesis.role}; "
        f"{escape(needs(hypothesis))}){_verdicts(hypothesis)}"
    )
    start = f"| {escape(claim.title)} | {what} |"
    for effect in listed(hypothesis):
        yield (
            f"{start} {escape(effect.backend)} | {escape(effect.before)} | "
            f"{escape(effect.after)} | {effect.words} |"
        )
    if not listed(hypothesis):
        yield f"{start} all | | | {AS_PRINTED} |"


def as_page(difference: Difference) -> str:
    """A page of its own in the report's look: no script, and what a run says is escaped."""
    return page(
        "diff.html.j2",
        difference=difference,
        tiers=tiers(difference),
        means=MEANS,
        needs=needs,
        sides=_sides(difference),
    )
