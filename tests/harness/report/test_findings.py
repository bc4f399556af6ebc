"""One rule for what decided a claim, in every place that tells it; and what goes with a verdict."""

import copy
import re

import pytest

from harness.export import properties
from harness.report import findings, html, readme, summary
from harness.report.refutation import p_refuted
from harness.report.terminal import claim_lines, finding_line, told_at_length
from harness.verdict import Kind

FAILED = [
    {
        "name": "trained",
        "failures": {"torch": "", "jax": "2 of 10\nlearnt nothing; allowed: 1"},
    }
]
KEPT = {"kind": "INCONCLUSIVE", "alone": "INCONCLUSIVE", "p": None, "p_family": None}
TAKEN = {"kind": "INCONCLUSIVE", "alone": "SUPPORTED", "p": 0.035, "p_family": 0.069}


@pytest.fixture
def claims(document):
    """Name -> a claim of the example that a test may change."""
    return {
        claim["id"].split("/")[1]: claim for claim in copy.deepcopy(document)["claims"]
    }


@pytest.fixture
def tied(document):
    """Claims of which both primary effects have the same p, the least that a bootstrap can give."""
    tied = copy.deepcopy(document)
    for claim in tied["claims"]:
        for hypothesis in claim["hypotheses"]:
            if hypothesis["verdict"] and hypothesis["verdict"]["kind"] == "SUPPORTED":
                hypothesis["verdict"]["p"] = 0.00025
    return tied


def test_every_place_names_the_same_effect(tied, build_run):
    page = re.sub(r"<[^>]+>", "", html.render(tied, build_run()))
    told = {
        "page": html.render(tied, build_run()),
        "summary": summary.summary_markdown(tied),
        "readme": readme.table(tied, "report.html"),
    }
    for number, claim in enumerate(tied["claims"], 1):
        hypothesis = findings.deciding(claim)
        if hypothesis is None:
            continue
        line = findings.in_a_line(hypothesis)
        assert properties(claim)["decided_by"] == hypothesis["name"]
        assert properties(claim)["finding"] == line
        assert claim_lines(claim)[1].strip() == line
        assert line in " ".join(told_at_length(claim).split())
        assert summary.escape(line) in told["summary"]
        assert summary.escape(line) in told["readme"]
        row = told["page"].split(f'href="#{html.anchor(claim, number)}"')[1]
        assert findings.value(hypothesis) in row.split("</tr>")[0]
        assert line.split(" (")[0] in page


def test_of_equal_p_the_effect_nearest_to_its_margin_decides(tied):
    claim = tied["claims"][0]
    assert findings.deciding(claim)["name"] == "exponent beats NTK"
    claim["hypotheses"][0]["verdict"]["p"] = 0.04
    assert findings.deciding(claim)["name"] == "exponent beats eNTK"


def test_an_effect_that_fails_decides_and_a_secondary_one_never(claims):
    claim = claims["constant-sample"]
    assert findings.deciding(claim)["verdict"]["kind"] == Kind.REFUTED
    assert findings.fellows(claim) == "None of 2 primary effects holds"
    assert (
        findings.fellows(claims["network-outscales-its-kernels"])
        == "Both primary effects hold"
    )
    for hypothesis in claim["hypotheses"]:
        hypothesis["role"] = "secondary"
    assert findings.deciding(claim) is None
    assert findings.deciding(claims["hyperparameters"]) is None


@pytest.mark.parametrize(
    ("gates", "verdict", "expected"),
    [
        (FAILED, KEPT, ("Gate “trained” failed: 2 of 10 learnt nothing; allowed: 1",)),
        (
            [],
            TAKEN,
            (
                "p\xa0=\xa00.035 alone, p\xa0=\xa00.069 after correcting for the paper's claims",
            ),
        ),
        ([{"name": "trained", "failures": {"torch": "", "jax": ""}}], KEPT, ()),
        ([], {**TAKEN, "kind": "DISAGREE"}, ()),
        ([], {**TAKEN, "kind": "SUPPORTED"}, ()),
    ],
    ids=["gate", "family", "no gate failed", "backends", "holds"],
)
def test_gates_and_the_family_are_told_where_they_keep_a_claim(
    gates, verdict, expected
):
    assert findings.obstacles({"gates": gates, "verdict": verdict}) == expected


def test_inconclusive_says_which(claims):
    claim = claims["network-outscales-its-kernels"]
    claim["gates"] = []
    claim["verdict"] |= TAKEN
    assert findings.outcome(claim) == "LOST TO CORRECTION"
    claim["verdict"] |= KEPT
    assert findings.outcome({**claim, "gates": FAILED}) == "GATE FAILED"
    deciding = findings.deciding(claim)["verdict"]
    deciding["kind"] = "INCONCLUSIVE"
    for found in deciding["backends"].values():
        found["bootstrap"] = [0.01, found["high"]]
    assert findings.outcome(claim) == "METHODS DISAGREE"
    for found in deciding["backends"].values():
        found["low"] = 0.01
    assert findings.outcome(claim) == "NOT DECIDED"
    assert findings.outcome(claims["keeps-evolving"]) == "AGREEMENT NOT SHOWN"


def test_worst_news_stand_first_and_no_claim_is_left_out(document):
    groups = findings.grouped(document["claims"])
    assert [group.heading for group, _ in groups] == [
        "Broken",
        "Does not hold",
        "Undecided",
        "Not run",
        "Holds",
    ]
    assert sum(len(claims) for _, claims in groups) == len(document["claims"])


def test_an_effect_that_speaks_against_the_title_counts_against_it(claims):
    claim = claims["network-outscales-its-kernels"]
    assert findings.support(claim) == (1, 0, 0)
    (secondary,) = findings.measured(claim, "secondary")
    secondary["against_title"] = True
    assert findings.support(claim) == (0, 1, 0)
    secondary["verdict"]["kind"] = "REFUTED"
    assert findings.support(claim) == (1, 0, 0)
    secondary["verdict"]["kind"] = "DISAGREE"
    assert findings.support(claim) == (0, 0, 1)


def test_the_but_is_the_first_sentence_of_limits(claims):
    claim = claims["network-outscales-its-kernels"]
    claim["limits"] = "At sigma_w^2 = 2.1 and M = 64 only.\nNothing else is said."
    assert findings.but(claim) == "At sigma_w^2 = 2.1 and M = 64 only."
    assert claim_lines(claim)[3] == "    But: At sigma_w^2 = 2.1 and M = 64 only."


@pytest.mark.parametrize(
    ("first_seen", "changes", "expected"),
    [
        (False, [], "before"),
        (True, [], "after 1st run"),
        (False, [{"fresh_seeds": True}], "redone"),
        (True, [{"fresh_seeds": True, "rule_changed": True}], "redone, rule moved"),
        (False, [{"fresh_seeds": False}], "before"),
        (False, [{"rule_changed": True}], "rule moved after results"),
        (
            True,
            [{"fresh_seeds": True}, {"rule_changed": True}],
            "rule moved after results",
        ),
    ],
)
def test_when_what_decides_was_registered(first_seen, changes, expected):
    entry = {"results_seen": True, "changed": []}
    history = [
        {**entry, "results_seen": first_seen},
        *({**entry, **c} for c in changes),
    ]
    assert findings.registered({"history": history}) == expected
    assert findings.registered({"history": []}) == "not"


def test_a_refutation_has_its_own_p(claims):
    claim = claims["constant-sample"]
    hypothesis = findings.deciding(claim)
    assert hypothesis["verdict"]["p"] > 0.9
    assert p_refuted(claim, hypothesis) < 0.05
    supported = claims["network-outscales-its-kernels"]
    assert p_refuted(supported, findings.deciding(supported)) > 0.9
    claim["effects"]["jax"][hypothesis["name"]][0] = None
    assert p_refuted(claim, hypothesis) is None


def test_exploration_that_foresaw_a_refutation_is_told(claims):
    claim = claims["constant-sample"]
    assert findings.foreseen(claim) == ""
    findings.deciding(claim)["registered"]["effect"] = -0.2
    assert findings.foreseen(claim).startswith("Foreseen: exploration")


def test_a_line_of_a_terminal_says_what_kept_a_claim(claims):
    claim = claims["network-outscales-its-kernels"]
    assert re.fullmatch(
        r"SUPPORTED +vyas2022/network-outscales-its-kernels \(quick\): "
        r"0\.15\d \[0\.\d+, 0\.\d+\], needs > 0\.05",
        finding_line(claim),
    )
    claim["verdict"] |= KEPT
    assert finding_line({**claim, "gates": FAILED}).endswith(
        "GATE FAILED         vyas2022/network-outscales-its-kernels (quick): "
        "Gate “trained” failed: 2 of 10 learnt nothing; allowed: 1"
    )
