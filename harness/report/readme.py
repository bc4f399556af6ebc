"""The table of recorded verdicts in README.md, from the verdicts.json of a recorded report."""

import os
import re
from collections.abc import Mapping
from math import exp
from pathlib import Path
from typing import Any

from harness.errors import InvalidInput
from harness.report.numerals import estimate, needs
from harness.report.summary import MARKS, escape

Json = Mapping[str, Any]
BLOCK = re.compile(r"(<!-- verdicts:[^>]*-->\n).*?(<!-- end of verdicts -->)", re.DOTALL)


def updated(text: str, document: Json, folder: Path, readme: Path) -> str:
    """The text of a README, with the table of verdicts between its two comments.

    Args:
        text: of the README.
        document: content of verdicts.json.
        folder: of the report, and `readme`, the path of the README: the link to the report leads from one to the other.

    Raises:
        InvalidInput: if the text has not exactly one pair of the comments.
    """
    if len(BLOCK.findall(text)) != 1:
        raise InvalidInput(
            f"{readme} must have the lines <!-- verdicts: ... --> and <!-- end of verdicts --> once; "
            "the table of verdicts goes between them."
        )
    report = Path(os.path.relpath(folder / "report.html", readme.parent)).as_posix()
    return BLOCK.sub(lambda found: f"{found[1]}\n{table(document, report)}\n{found[2]}", text)


def table(document: Json, report: str) -> str:
    """The verdicts as a Markdown table, a row per claim, and a line that says what they rest on.

    Args:
        document: content of verdicts.json.
        report: link to report.html.
    """
    lines = [
        "| Verdict | Claim | What decided | Beside it, ours |",
        "|---|---|---|---|",
        *(_row(claim) for claim in document["claims"]),
        "",
        f"At {document['tier']} scale; means over seeds, with an interval that holds those of all backends, "
        "Student's t and bootstrap. "
        f"{_versions(document)}. All effects: [full report]({report})",
    ]
    return "\n".join(lines) + "\n"


def _row(claim: Json) -> str:
    kind, paper = claim["verdict"]["kind"], claim["paper"]
    folder, _, predicate = claim["id"].rpartition("/")
    cells = [
        f"{MARKS[kind]} {kind}",
        f"[{escape(claim['title'])}](claims/{folder}/test_{predicate}.py)"
        f"<br>{escape(paper['authors'])} {paper['year']}",
        _deciding(_measured(claim, "primary")) or escape(claim["verdict"]["reason"]),
        _counts(_measured(claim, "secondary")),
    ]
    return f"| {' | '.join(cells)} |"


def _deciding(primary: list[Json]) -> str:
    """The effects that keep a claim from being SUPPORTED; where all hold, the one that does so least clearly."""
    if not primary:
        return ""
    against = [hypothesis for hypothesis in primary if hypothesis["verdict"]["kind"] != "SUPPORTED"]
    shown = against or [max(primary, key=lambda hypothesis: hypothesis["verdict"]["p"])]
    marks = (f"{MARKS[hypothesis['verdict']['kind']]} " if against else "" for hypothesis in shown)
    lines = [mark + _effect(hypothesis) for mark, hypothesis in zip(marks, shown, strict=True)]
    rest = len(primary) - len(shown)
    return "<br>".join(lines + ([f"and {rest} more, which hold{'s' * (rest == 1)}"] if rest else []))


def _counts(hypotheses: list[Json]) -> str:
    """How many of each verdict, in order of the marks."""
    kinds = [hypothesis["verdict"]["kind"] for hypothesis in hypotheses]
    return " ".join(f"{kinds.count(kind)} {mark}" for kind, mark in MARKS.items() if kind in kinds)


def _measured(claim: Json, role: str) -> list[Json]:
    """The hypotheses of a role whose effects were measured."""
    own = (hypothesis for hypothesis in claim["hypotheses"] if hypothesis["role"] == role)
    return [hypothesis for hypothesis in own if hypothesis["verdict"] and hypothesis["verdict"]["backends"]]


def _effect(hypothesis: Json) -> str:
    """Label, mean over backends, the interval that holds theirs, and what is needed, on the scale readers are shown."""
    backends = list(hypothesis["verdict"]["backends"].values())
    low, high = hypothesis["verdict"]["interval"]
    values = {"mean": sum(backend["mean"] for backend in backends) / len(backends), "low": low, "high": high}
    if hypothesis["scale"] == "ratio":
        values = {name: exp(value) for name, value in values.items()}
    shown = estimate(values)
    interval = f"\\[{shown['low']}, {shown['high']}\\]"
    return f"{escape(hypothesis['label'])}: {shown['mean']} {interval}, {escape(needs(hypothesis))}"


def _versions(document: Json) -> str:
    """Each backend with its version and device."""
    known = [(name, document["environment"].get(name, {})) for name in document["backends"]]
    return ", ".join(f"{name} {facts.get(name, '')} on {facts.get('device', 'no device')}" for name, facts in known)
