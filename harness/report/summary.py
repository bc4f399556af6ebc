"""The verdicts as a Markdown table, for the job page of a CI service."""

import html
import re
from collections.abc import Mapping, Sequence
from typing import Any

from harness.report import findings
from harness.report.html import MEANINGS, cost
from harness.verdict import Kind

Json = Mapping[str, Any]
MARKS = {
    "SUPPORTED": "✅",
    "REFUTED": "❌",
    "INCONCLUSIVE": "◐",
    "DISAGREE": "≠",
    "NOT_RUN": "◌",
    "BROKEN": "⚠",
}


def summary_markdown(document: Json, run: Json | None = None) -> str:
    """What came out in a sentence or two, a table of claims, and folded away what the words mean
    and every effect.

    Every text of a claim is escaped. For the page of a CI job: cat summary.md >>
    "$GITHUB_STEP_SUMMARY".

    Args:
        document: content of verdicts.json.
        run: content of run.json; None leaves out what computing took.
    """
    groups = findings.grouped(document["claims"])
    lines = [
        f"# Verdicts at {document['tier']} scale",
        "",
        f"{tally(document)}. {_changes(document['claims'])}",
        "",
        *_warnings(document),
        "| Outcome | Claim | What decided | Secondary: for, against, open | Recorded |",
        "|---|---|---|---|---|",
        *(_row(claim) for _, claims in groups for claim in claims),
        "",
        "Effects are means over seeds (of ratios: geometric means), with the interval that holds "
        "Student's t and the bootstrap's in every backend. Every number is in report.html, which "
        "lies beside this summary.",
        *_folded(
            "What the verdicts mean",
            [f"- {MARKS[kind]} {kind}: {escape(MEANINGS[kind])}" for kind in Kind],
        ),
    ]
    if run is not None and (took := cost(run)):
        lines += ["", f"Computing: {took}."]
    return "\n".join(lines) + "\n"


def _warnings(document: Json) -> list[str]:
    """Claims with stale cells, and registrations without a claim file, a paragraph each."""
    stale = [
        f"{escape(c['title'])} ({c['stale']} of {c['cells']})"
        for c in document["claims"]
        if c.get("stale")
    ]
    lines = (
        [
            f"**Stale: cells were computed by other code than the present: {', '.join(stale)}.**",
            "",
        ]
        if stale
        else []
    )
    for one in document.get("unclaimed", ()):
        lines += [
            f"**{escape(one['claim'])} ({one['state']}):** {escape(one['words'])}",
            "",
        ]
    return lines


def tally(document: Json) -> str:
    """How many claims came to which outcome, worst news first.

    >>> claims = [{"verdict": {"kind": kind}} for kind in ("SUPPORTED", "SUPPORTED", "REFUTED")]
    >>> tally({"claims": claims})
    '1 REFUTED, 2 SUPPORTED'
    """
    found = [
        findings.outcome(claim)
        for _, claims in findings.grouped(document["claims"])
        for claim in claims
    ]
    counts = [f"{found.count(name)} {name}" for name in dict.fromkeys(found)]
    return ", ".join(counts) or "No claims"


def _changes(claims: Sequence[Json]) -> str:
    """Which verdicts are not the recorded ones."""
    changed = [
        claim
        for claim in claims
        if claim["recorded"] not in (None, claim["verdict"]["kind"])
    ]
    unknown = sum(claim["recorded"] is None for claim in claims)
    told = [
        f"**{escape(c['title'])}: {c['verdict']['kind']}, recorded {c['recorded']}.**"
        for c in changed
    ]
    if changed:
        told.insert(0, f"Changed against the record: {len(changed)}.")
    elif unknown < len(claims):
        told.append(
            "Every verdict is the recorded one."
            if not unknown
            else "No recorded verdict changed."
        )
    return " ".join(
        [*told, f"Without a recorded verdict: {unknown}."] if unknown else told
    )


def _folded(title: str, lines: Sequence[str]) -> list[str]:
    """Lines below a title that opens them; the title is HTML, where Markdown's backslashes would be
    shown.
    """
    return [
        "",
        "<details>",
        f"<summary>{html.escape(' '.join(title.split()))}</summary>",
        "",
        *lines,
        "",
        "</details>",
    ]


def _row(claim: Json) -> str:
    kind, paper = claim["verdict"]["kind"], claim["paper"]
    found = findings.support(claim)
    cells = [
        f"{MARKS[kind]} {findings.outcome(claim)}",
        f"{escape(claim['title'])}<br>"
        + escape(f"{paper['authors']} {paper['year']}, {paper['locus']}"),
        "<br>".join(escape(line) for line in findings.told(claim)),
        f"{found.for_it}, {found.against}, {found.open}",
        claim["recorded"] or "–",
    ]
    return f"| {' | '.join(cells)} |"


def escape(text: str) -> str:
    """The text as one line of Markdown that shows it and nothing else.

    >>> print(escape("a | b\\n<img src=x> [c](d)"))
    a \\| b &lt;img src=x&gt; \\[c\\](d)
    """
    one_line = (
        " ".join(text.split())
        .replace("&", "&amp;")
        .replace("<", "&lt;")
        .replace(">", "&gt;")
    )
    return re.sub(r"([\\`*_\[\]|~#!])", r"\\\1", one_line)
