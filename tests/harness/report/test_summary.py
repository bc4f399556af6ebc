"""The Markdown summary."""

import json
import re

from harness import report
from harness.report.terminal import claim_lines


def test_the_summary_has_a_row_per_claim(document):
    summary = report.summary_markdown(document)
    rows = [line for line in summary.splitlines() if line.startswith("| ")][1:]
    assert summary.startswith(
        "# Verdicts at quick scale\n\n1 BROKEN, 1 REFUTED, 1 NOT DECIDED, 1 AGREEMENT NOT SHOWN"
    )
    assert len(rows) == 6
    assert rows[0].startswith("| ⚠ BROKEN | ")
    assert rows[-1].startswith("| ✅ SUPPORTED | ")
    assert "exponent beats NTK: 0.156 \\[" in rows[-1]
    assert "(90 % interval; needs &gt; 0.05)<br>Both primary effects hold" in rows[-1]
    assert "| 1, 0, 0 | SUPPORTED |" in rows[-1]
    assert "3 of 24 cells ran out of memory (jax)." in rows[4]


def test_the_first_sentence_names_what_changed(document):
    sentence = report.summary_markdown(document).splitlines()[2]
    assert (
        "Changed against the record: 1. **The kernel evolves through most of training: DISAGREE, "
        "recorded" in sentence
    )
    assert sentence.endswith("recorded SUPPORTED.** Without a recorded verdict: 3.")
    known = [
        {**claim, "recorded": claim["verdict"]["kind"]} for claim in document["claims"]
    ]
    assert (
        "1 SUPPORTED. Every verdict is the recorded one.\n"
        in report.summary_markdown({**document, "claims": known})
    )
    known[0]["recorded"] = None
    one = report.summary_markdown({**document, "claims": known})
    assert (
        "1 SUPPORTED. No recorded verdict changed. Without a recorded verdict: 1.\n"
        in one
    )


def test_a_broken_claim_says_why(document):
    (row,) = [
        line
        for line in report.summary_markdown(document).splitlines()
        if line.startswith("| ⚠")
    ]
    assert "Control “GP target” came out SUPPORTED" in row


def test_a_terminal_counts_what_stands_beside(document):
    supported, refuted = (claim_lines(claim) for claim in document["claims"][:2])
    assert supported[-1] == "    Secondary effects: 1 for the title, 0 against, 0 open"
    assert refuted[-1] == "    Secondary effects: 1 for the title, 0 against, 0 open"


def test_a_summary_is_the_same_whether_from_memory_or_from_its_file(document):
    assert report.summary_markdown(document) == report.summary_markdown(
        json.loads(report.as_text(document))
    )


def test_hostile_text_stays_text(hostile_document):
    summary = report.summary_markdown(hostile_document)
    assert "<script" not in summary
    assert "<img" not in summary
    assert "&lt;script&gt;" in summary
    (row,) = [line for line in summary.splitlines() if line.startswith("| ⚠")]
    assert len(re.findall(r"(?<!\\)\|", row)) == 6  # five cells, as in the head
