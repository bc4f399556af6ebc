"""The verdicts as a Markdown table, for the job page of a CI service."""

import html
import re
from collections.abc import Mapping, Sequence
from typing import Any

from harness.numerals import counted, finding, headline, needs
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
SHOWN = 3
"""Effects in a row of the table; a claim with more shows the one that decides, and all of them
below.
"""


def summary_markdown(document: Json, run: Json | None = None) -> str:
    """What came out in a sentence or two, a table of claims, and folded away what the words mean
    and every effect.

    Every text of a claim is escaped. For the page of a CI job: cat summary.md >>
    "$GITHUB_STEP_SUMMARY".

    Args:
        document: content of verdicts.json.
        run: content of run.json; None leaves out what computing took.
    """
    many = [claim for claim in document["claims"] if len(_decided(claim)) > SHOWN]
    lines = [
        f"# Verdicts at {document['tier']} scale",
        "",
        f"{tally(document)}. {_changes(document['claims'])}",
        "",
        *_warnings(document),
        "| Verdict | Claim | Paper | Measured | Recorded |",
        "|---|---|---|---|---|",
        *(_row(claim, document["backends"]) for claim in document["claims"]),
        "",
        "Effects are means over seeds (of ratios: geometric means), with their interval of level 1 "
        "− 2α. Every number, "
        "figure and control is in report.html, which lies beside this summary.",
        *_folded(
            "What the verdicts mean",
            [f"- {MARKS[kind]} {kind}: {escape(MEANINGS[kind])}" for kind in Kind],
        ),
    ]
    why = [
        f"- {escape(c['title'])}: {escape(c['verdict']['reason'])}"
        for c in _others(document["claims"])
    ]
    lines += _folded("Why the others are not SUPPORTED", why) if why else []
    beside = [
        _beside(claim) for claim in document["claims"] if claim["verdict"]["beside"]
    ]
    lines += _folded("What stands beside the verdicts, ours", beside) if beside else []
    for claim in many:
        effects = [
            f"- {_effect(part, document['backends'])}" for part in _decided(claim)
        ]
        lines += _folded(
            f"All {counted(len(effects), 'effect')}: {claim['title']}", effects
        )
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
    """How many claims came to which verdict, always in the same order.

    >>> tally({"counts": {"REFUTED": 1, "SUPPORTED": 2, "BROKEN": 0}})
    '2 SUPPORTED, 1 REFUTED'
    """
    counts = [
        f"{document['counts'][kind]} {kind}"
        for kind in Kind
        if document["counts"].get(kind)
    ]
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


def _others(claims: Sequence[Json]) -> list[Json]:
    return [claim for claim in claims if claim["verdict"]["kind"] != Kind.SUPPORTED]


def _beside(claim: Json) -> str:
    """The secondary effects that did not come out as the claim did, below its title."""
    listed = claim["verdict"]["beside"]
    found = [
        f"  - {MARKS[one['kind']]} {escape(one['title'])}: {escape(one['effect'])}"
        for one in listed
    ]
    return "\n".join(
        [f"- {MARKS[claim['verdict']['kind']]} {escape(claim['title'])}", *found]
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


def _row(claim: Json, backends: Sequence[str]) -> str:
    kind, paper = claim["verdict"]["kind"], claim["paper"]
    cells = [
        f"{MARKS[kind]} {kind}",
        escape(claim["title"]),
        escape(f"{paper['authors']} {paper['year']}, {paper['locus']}"),
        _measured(claim, backends),
        claim["recorded"] or "–",
    ]
    return f"| {' | '.join(cells)} |"


def _decided(claim: Json) -> list[Json]:
    return [
        part
        for part in claim["hypotheses"]
        if part["role"] == "primary" and part["verdict"]
    ]


def _measured(claim: Json, backends: Sequence[str]) -> str:
    decided = _decided(claim)
    if len(decided) > SHOWN:
        hardest = max(
            decided,
            key=lambda part: (
                1.0 if part["verdict"]["p"] is None else part["verdict"]["p"]
            ),
        )
        return f"{_effect(hardest, backends)}<br>the largest p of {len(decided)}; all are below"
    return "<br>".join(_effect(part, backends) for part in decided) or escape(
        claim["verdict"]["reason"]
    )


def _effect(hypothesis: Json, backends: Sequence[str]) -> str:
    measured = hypothesis["verdict"]["backends"]
    values = [
        f"{name} {headline(hypothesis, name)}" for name in backends if name in measured
    ]
    return escape(
        finding(f"{hypothesis['label']}: {{}}", "; ".join(values), needs(hypothesis))
    )


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
