"""What README.md and docs show of a recorded report, generated between pairs of comments."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.errors import InvalidInput
from harness.numerals import counted
from harness.report import calibration, findings
from harness.report.calibration_tables import rates
from harness.report.html import anchor
from harness.report.summary import MARKS, escape, tally
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
    """The tally and the verdicts as a Markdown table, a row per claim, worst news first.

    Args:
        document: content of verdicts.json.
        report: link to report.html.
    """
    groups = findings.grouped(document["claims"])
    sections = {
        claim["id"]: f"{report}#{anchor(claim, position)}"
        for position, claim in enumerate(document["claims"], start=1)
    }
    rows = [
        _row(claim, sections[claim["id"]]) for _, claims in groups for claim in claims
    ]
    lines = [
        f"**{counted(len(document['claims']), 'claim')}: {tally(document)}.** "
        f"{document['tier'].capitalize()} scale; means over seeds; an interval spans Student's t "
        f"and the bootstrap's, of every backend. {_versions(document)}. Shown is the primary "
        f"effect nearest to failing; every effect: [full report]({report}).",
        "",
        "| Outcome | Claim | The effect that decided, and the limit that goes with it |",
        "|---|---|---|",
        *rows,
    ]
    return "\n".join(lines) + "\n"


def _row(claim: Json, section: str) -> str:
    """A claim with links to its section of the report, and to its file."""
    kind, paper = claim["verdict"]["kind"], claim["paper"]
    folder, _, predicate = claim["id"].rpartition("/")
    cells = [
        f"{MARKS[kind]} {findings.outcome(claim)}",
        f"[{escape(claim['title'])}]({section})<br>{escape(paper['authors'])} "
        f"{paper['year']} ([check](claims/{folder}/test_{predicate}.py))",
        "<br>".join(escape(line) for line in findings.told(claim)),
    ]
    return f"| {' | '.join(cells)} |"


def _versions(document: Json) -> str:
    """Each backend with its version and device."""
    known = [
        (name, document["environment"].get(name, {})) for name in document["backends"]
    ]
    return ", ".join(
        f"{name} {facts.get(name, '')} on {facts.get('device', 'no device')}"
        for name, facts in known
    )
