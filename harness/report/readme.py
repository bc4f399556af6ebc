"""What README.md and docs show of a recorded report, generated between pairs of comments."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.errors import InvalidInput
from harness.numerals import finding, needs, with_interval
from harness.report import calibration
from harness.report.calibration_tables import rates
from harness.report.obstacles import obstacles
from harness.report.summary import MARKS, escape
from harness.report.terminal import claim_lines

Json = Mapping[str, Any]
NAMES = ("verdicts", "example", "calibration")
BLOCK = re.compile(
    rf"(<!-- ({'|'.join(NAMES)})(?: of ([^:>]+))?:[^>]*-->\n).*?(<!-- end of \2 -->)",
    re.DOTALL,
)


def updated(text: str, document: Json, folder: Path, readme: Path) -> str:
    """The text of a Markdown file, with what is generated between its pairs of comments.

        <!-- verdicts: a note --> ... <!-- end of verdicts -->         the table of verdicts
        <!-- example of CLAIM: a note --> ... <!-- end of example -->  one claim, as in a terminal
        <!-- calibration: a note --> ... <!-- end of calibration -->   the simulated error rates

    Args:
        text: of the file.
        document: content of verdicts.json.
        folder: of the report, and `readme`, the path of the file: the link to the report leads from
            one to the other.

    Raises:
        InvalidInput: if the text has no such pair or one of them twice, or an example of a claim
            that is not there.
    """
    found = [match[1] for match in BLOCK.findall(text)]
    if not found or len(set(found)) < len(found):
        raise InvalidInput(
            f"{readme} must have the lines <!-- NAME: ... --> and <!-- end of NAME -->, each NAME "
            "once at "
            f"most, and one of: {', '.join(NAMES)}. What is generated goes between them."
        )

    def filled(match: re.Match[str]) -> str:
        report = Path(os.path.relpath(folder / "report.html", readme.parent)).as_posix()
        made = {
            "verdicts": lambda of: table(document, report),
            "example": lambda of: example(document, of),
            "calibration": lambda of: rates(calibration.read(folder) or {}),
        }
        return f"{match[1]}\n{made[match[2]](match[3] or '')}\n{match[4]}"

    return BLOCK.sub(filled, text)


def example(document: Json, claim: str) -> str:
    """One claim as `ntk-claims verdict` prints it; raises InvalidInput where the report has no such
    claim.
    """
    own = [entry for entry in document["claims"] if entry["id"] == claim]
    if not own:
        known = ", ".join(entry["id"] for entry in document["claims"]) or "none"
        raise InvalidInput(
            f"The report has no claim {claim!r} to be an example. It has: {known}."
        )
    return "\n".join(["```", *claim_lines(own[0]), "```"]) + "\n"


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
        f"At {document['tier']} scale; means over seeds, with an interval that holds those of all "
        "backends, "
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
        _decided(claim) or escape(claim["verdict"]["reason"]),
        _counts(_measured(claim, "secondary")),
    ]
    return f"| {' | '.join(cells)} |"


def _decided(claim: Json) -> str:
    """What keeps the claim beside its effects, and the effects; "" where none was measured."""
    effects = _deciding(_measured(claim, "primary"))
    kept = [
        f"{MARKS[claim['verdict']['kind']]} {escape(obstacle)}"
        for obstacle in obstacles(claim)
    ]
    return "<br>".join([*kept, effects]) if effects else ""


def _deciding(primary: list[Json]) -> str:
    """The effects that keep a claim from being SUPPORTED; where all hold, the one that does so
    least clearly.
    """
    if not primary:
        return ""
    against = [
        hypothesis
        for hypothesis in primary
        if hypothesis["verdict"]["kind"] != "SUPPORTED"
    ]
    shown = against or [max(primary, key=lambda hypothesis: hypothesis["verdict"]["p"])]
    marks = (
        f"{MARKS[hypothesis['verdict']['kind']]} " if against else ""
        for hypothesis in shown
    )
    lines = [
        mark + _effect(hypothesis)
        for mark, hypothesis in zip(marks, shown, strict=True)
    ]
    rest = len(primary) - len(shown)
    return "<br>".join(
        lines + ([f"and {rest} more, which hold{'s' * (rest == 1)}"] if rest else [])
    )


def _counts(hypotheses: list[Json]) -> str:
    """How many of each verdict, in order of the marks."""
    kinds = [hypothesis["verdict"]["kind"] for hypothesis in hypotheses]
    return " ".join(
        f"{kinds.count(kind)} {mark}" for kind, mark in MARKS.items() if kind in kinds
    )


def _measured(claim: Json, role: str) -> list[Json]:
    """The hypotheses of a role whose effects were measured."""
    own = (
        hypothesis for hypothesis in claim["hypotheses"] if hypothesis["role"] == role
    )
    return [
        hypothesis
        for hypothesis in own
        if hypothesis["verdict"] and hypothesis["verdict"]["backends"]
    ]


def _effect(hypothesis: Json) -> str:
    """The sentence with the mean, the interval over all backends, and what is needed."""
    backends = list(hypothesis["verdict"]["backends"].values())
    low, high = hypothesis["verdict"]["interval"]
    mean = sum(backend["mean"] for backend in backends) / len(backends)
    value = with_interval({"mean": mean, "low": low, "high": high}, hypothesis["scale"])
    sentence = hypothesis.get("sentence") or f"{hypothesis['label']}: {{}}"
    return escape(finding(sentence, value, needs(hypothesis)))


def _versions(document: Json) -> str:
    """Each backend with its version and device."""
    known = [
        (name, document["environment"].get(name, {})) for name in document["backends"]
    ]
    return ", ".join(
        f"{name} {facts.get(name, '')} on {facts.get('device', 'no device')}"
        for name, facts in known
    )
