"""The verdicts as a Markdown table, for the job page of a CI service."""

import re
from collections.abc import Mapping
from typing import Any

from harness.report.numerals import headline, needs

Json = Mapping[str, Any]
MARKS = {"SUPPORTED": "✅", "REFUTED": "❌", "INCONCLUSIVE": "◐", "DISAGREE": "≠", "NOT_RUN": "◌", "BROKEN": "⚠"}


def summary_markdown(document: Json) -> str:
    """A line of counts and a table of claims; every text of a claim is escaped.

    Args:
        document: content of verdicts.json.
    """
    counts = [f"{count} {kind}" for kind, count in document["counts"].items() if count]
    lines = [
        f"# Verdicts at {document['tier']} scale",
        "",
        f"{', '.join(counts) or 'No claims'}. Effects are means over seeds, with their interval of level 1 − 2α.",
        "",
        "| Verdict | Claim | Paper | Measured | Recorded |",
        "|---|---|---|---|---|",
        *(_row(claim, document["backends"]) for claim in document["claims"]),
    ]
    return "\n".join(lines) + "\n"


def _row(claim: Json, backends: list[str]) -> str:
    kind, paper = claim["verdict"]["kind"], claim["paper"]
    cells = [
        f"{MARKS[kind]} {kind}",
        escape(claim["title"]),
        escape(f"{paper['authors']} {paper['year']}, {paper['locus']}"),
        _measured(claim, backends),
        claim["recorded"] or "–",
    ]
    return f"| {' | '.join(cells)} |"


def _measured(claim: Json, backends: list[str]) -> str:
    decided = [part for part in claim["hypotheses"] if part["role"] == "primary" and part["verdict"]]
    return "<br>".join(_effect(part, backends) for part in decided) or escape(claim["verdict"]["reason"])


def _effect(hypothesis: Json, backends: list[str]) -> str:
    shown = {name: headline(hypothesis, name) for name in hypothesis["verdict"]["backends"]}
    values = [
        f"{escape(name)} {shown[name]['mean']} \\[{shown[name]['low']}, {shown[name]['high']}\\]"
        for name in backends
        if name in shown
    ]
    return f"{escape(hypothesis['label'])}: {'; '.join(values)} ({escape(needs(hypothesis))})"


def escape(text: str) -> str:
    """The text as one line of Markdown that shows it and nothing else.

    >>> print(escape("a | b\\n<img src=x> [c](d)"))
    a \\| b &lt;img src=x&gt; \\[c\\](d)
    """
    one_line = " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_\[\]|~#!])", r"\\\1", one_line)
