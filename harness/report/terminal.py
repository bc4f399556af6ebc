"""A claim in lines for a terminal, as docs/reading-a-verdict.md explains it."""

import textwrap
from collections.abc import Mapping
from typing import Any

from harness.numerals import counted, needs, p_equals, p_value
from harness.report import findings
from harness.report.document import in_words_stale
from harness.verdict import Kind

Json = Mapping[str, Any]
WIDTH = 100


def claim_lines(claim: Json) -> list[str]:
    """The outcome, the effect that decided, what goes with it, p, and the secondary effects.

    Args:
        claim: of verdicts.json.
    """
    outcome = claim["verdict"]
    lines = [f"{findings.outcome(claim):<19} {claim['id']} ({claim['tier']})"]
    lines += [f"    {' '.join(line.split())}" for line in findings.told(claim)]
    if findings.measured(claim, "primary"):
        family = p_value(outcome["p_family"])
        lines.append(f"    p {p_value(outcome['p'])}, in its family {family}")
    if findings.measured(claim, "secondary"):
        lines.append(f"    {_secondary(claim)}")
    if claim.get("stale"):
        lines.append(f"    STALE: {in_words_stale(claim['stale'], claim['cells'])}")
    return lines


def finding_line(claim: Json) -> str:
    """The outcome, the claim, and in one line what decided it."""
    hypothesis = findings.deciding(claim)
    kept = findings.obstacles(claim)
    if kept:
        told = kept[0]
    elif hypothesis is None or claim["verdict"]["kind"] == Kind.BROKEN:
        told = " ".join(claim["verdict"]["reason"].split())
    else:
        told = f"{findings.value(hypothesis)}, {needs(hypothesis)}"
    return f"{findings.outcome(claim):<19} {claim['id']} ({claim['tier']}): {told}"


def told_at_length(claim: Json, reason: str = "") -> str:
    """One claim as a person would tell it: what the paper says, what decided, every effect, where
    the test departs from the paper, and what the verdict does not say.

    Args:
        claim: of verdicts.json.
        reason: why its verdict stands, as recorded; "" where that is not known.
    """
    paper = claim["paper"]
    read = (
        f"{paper['authors']} {paper['year']}, {paper['locus']}. Read: {paper['read']}."
    )
    parts = [
        claim["title"],
        f"{claim['statement']} ({read})",
        f"{findings.outcome(claim)}, {claim['scale']}. {_sentences(claim)}",
        f"Recorded reason. {reason}" if reason else "",
        *_effects(claim, "primary"),
        *_effects(claim, "secondary"),
        f"How it is measured. {claim['operationalised']}",
        f"Where that departs from the paper. {claim['departs']}",
        f"Limits. {claim['limits']}",
        _checks(claim),
    ]
    return "\n\n".join(_wrapped(part) for part in parts if part.strip())


def _sentences(claim: Json) -> str:
    lines = [" ".join(line.split()).rstrip(".") for line in findings.told(claim)]
    if claim["verdict"]["kind"] == Kind.SUPPORTED:
        lines.append(p_equals(claim["verdict"]["p"]).capitalize())
    return " ".join(f"{line}." for line in lines)


def _effects(claim: Json, role: str) -> list[str]:
    own = findings.measured(claim, role)
    if not own:
        return []
    lines = [f"  {h['verdict']['kind']:<13}{findings.in_a_line(h)}" for h in own]
    heads = {
        "primary": "Primary effects; all of them must hold:",
        "secondary": f"{_secondary(claim)}:",
    }
    return ["\n".join([heads[role], *lines])]


def _secondary(claim: Json) -> str:
    found = findings.support(claim)
    return (
        f"Secondary effects: {found.for_it} for the title, {found.against} against, "
        f"{found.open} open"
    )


def _checks(claim: Json) -> str:
    passed = sum(bool(control["passed"]) for control in claim["controls"])
    held = len(claim["gates"]) - len(findings.failed_gates(claim))
    return (
        f"{passed} of {counted(len(claim['controls']), 'control')} came out as planted; "
        f"{held} of {counted(len(claim['gates']), 'gate')} hold{'s' * (held == 1)}; "
        f"{counted(claim['replicates'], 'seed')}; registered: {findings.registered(claim)}."
    )


def _wrapped(text: str) -> str:
    """Paragraphs at the width of a terminal; lines of a list keep theirs."""
    found = []
    for line in text.split("\n"):
        indent = " " * 15 if line.startswith("  ") else ""
        found.append(textwrap.fill(line, WIDTH, subsequent_indent=indent))
    return "\n".join(found)
