"""The Markdown summary."""

import json
import re

from harness import report
from harness.report.terminal import claim_lines


def test_the_summary_has_a_row_per_claim(document):
    summary = report.summary_markdown(document)
    rows = [line for line in summary.splitlines() if line.startswith("| ")][1:]
    assert summary.startswith(
        "# Verdicts at quick scale\n\n1 SUPPORTED, 1 REFUTED, 1 INCONCLUSIVE"
    )
    assert len(rows) == 6
    assert "exponent beats eNTK: torch 0.204 \\[0.158, 0.249\\]; jax 0.204" in rows[0]
    assert "(needs &gt; 0.05)" in rows[0]
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
    assert "1 BROKEN. Every verdict is the recorded one.\n" in report.summary_markdown(
        {**document, "claims": known}
    )
    known[0]["recorded"] = None
    one = report.summary_markdown({**document, "claims": known})
    assert (
        "1 BROKEN. No recorded verdict changed. Without a recorded verdict: 1.\n" in one
    )


def test_a_claim_of_many_effects_shows_the_one_that_decides_and_folds_the_rest(
    document,
):
    claim = json.loads(json.dumps(document["claims"][0]))
    first, second = claim["hypotheses"][:2]
    claim["hypotheses"] = [{**first, "label": f"easy {k}"} for k in range(3)] + [
        {**second, "label": "hard"}
    ]
    claim["hypotheses"][3]["verdict"]["p"] = 0.04
    summary = report.summary_markdown({**document, "claims": [claim]})
    (row,) = [line for line in summary.splitlines() if line.startswith("| ✅")]
    assert "hard: torch" in row
    assert "the largest p of 4; all are below" in row
    assert "easy" not in row
    folded = summary.split("<summary>All 4 effects: ")[1]
    assert [line[2:8] for line in folded.splitlines() if line.startswith("- ")] == [
        "easy 0",
        "easy 1",
        "easy 2",
        "hard: ",
    ]


def test_every_verdict_but_the_good_one_is_explained(document):
    summary = report.summary_markdown(document)
    why = summary.split("<summary>Why the others are not SUPPORTED</summary>")[1].split(
        "</details>"
    )[0]
    assert why.count("\n- ") == 5
    assert (
        "- Label noise does not close the gap: Control “GP target” came out SUPPORTED"
        in why
    )


def test_what_stands_beside_is_folded_below_its_claim(document):
    summary = report.summary_markdown(document)
    beside = summary.split("<summary>What stands beside the verdicts, ours</summary>")[
        1
    ].split("</details>")[0]
    claims = re.split(r"\n(?=- )", beside.strip())
    assert claims[0].startswith(
        "- ❌ Pre-training the kernel on few samples does not help\n  - ✅ kernels alike: −0.0"
    )
    # all that is beside it came out as it did
    assert not any("Networks gain more" in claim for claim in claims)


def test_a_terminal_lists_what_stands_beside(document):
    supported, refuted = (claim_lines(claim) for claim in document["claims"][:2])
    assert not [line for line in supported if "kernels alike" in line]
    (beside,) = document["claims"][1]["verdict"]["beside"]
    assert refuted[-1] == f"    beside it, SUPPORTED: kernels alike: {beside['effect']}"


def test_a_summary_is_the_same_whether_from_memory_or_from_its_file(document):
    assert report.summary_markdown(document) == report.summary_markdown(
        json.loads(report.as_text(document))
    )


def test_hostile_text_stays_text(hostile_document):
    hypotheses = hostile_document["claims"][0]["hypotheses"]
    claim = {**hostile_document["claims"][0], "hypotheses": [hypotheses[0]] * 4}
    for document in (hostile_document, {**hostile_document, "claims": [claim]}):
        summary = report.summary_markdown(document)
        assert "<script" not in summary
        assert "<img" not in summary
        assert "&lt;script&gt;" in summary
        (row,) = [line for line in summary.splitlines() if line.startswith("| ⚠")]
        assert len(re.findall(r"(?<!\\)\|", row)) == 6  # five cells, as in the head
