"""The Markdown summary."""

import re

from harness import report


def test_the_summary_has_a_row_per_claim(document):
    summary = report.summary_markdown(document)
    rows = [line for line in summary.splitlines() if line.startswith("| ")][1:]
    assert summary.startswith("# Verdicts at quick scale\n\n1 SUPPORTED, 1 REFUTED, 1 INCONCLUSIVE")
    assert len(rows) == 6
    assert "exponent beats eNTK: torch 0.204 \\[0.158, 0.249\\]; jax 0.204" in rows[0]
    assert "(needs &gt; 0.05)" in rows[0]
    assert "3 of 24 cells ran out of memory (jax)." in rows[4]


def test_hostile_text_stays_text(hostile_document):
    summary = report.summary_markdown(hostile_document)
    assert "<script" not in summary
    assert "<img" not in summary
    assert "&lt;script&gt;" in summary
    assert len(re.findall(r"(?<!\\)\|", summary.splitlines()[-1])) == 6  # five cells, as in the head
