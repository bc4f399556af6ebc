"""What keeps a claim whose effects may all hold: on the first screen and in the README."""

import copy

import pytest

from harness.report import html, readme
from harness.report.obstacles import obstacles
from harness.report.summary import escape

FAILED = [{"name": "trained", "failures": {"torch": "", "jax": "4 of 10 were not"}}]
KEPT = {"kind": "INCONCLUSIVE", "alone": "INCONCLUSIVE", "p_family": None}
TAKEN = {"kind": "INCONCLUSIVE", "alone": "SUPPORTED", "p_family": 0.069}


@pytest.mark.parametrize(
    ("gates", "verdict", "expected"),
    [
        (FAILED, KEPT, ("gate “trained” failed",)),
        ([], TAKEN, ("p\xa0=\xa00.069 after Holm",)),
        ([{"name": "trained", "failures": {"torch": "", "jax": ""}}], KEPT, ()),
        ([], {**TAKEN, "kind": "DISAGREE"}, ()),
        ([], {**TAKEN, "kind": "SUPPORTED"}, ()),
    ],
    ids=["gate", "family", "no gate failed", "backends", "holds"],
)
def test_gates_and_the_family_are_named_where_they_keep_a_claim(
    gates, verdict, expected
):
    assert obstacles({"gates": gates, "verdict": verdict}) == expected


def test_the_page_and_the_readme_show_it_beside_the_effects(document, build_run):
    kept = copy.deepcopy(document)
    for claim in kept["claims"]:
        claim["gates"] = [{**gate, "failures": {}} for gate in claim["gates"]]
    assert "But gate" not in html.render(kept, build_run())
    claim = next(one for one in kept["claims"] if one["verdict"]["kind"] == "SUPPORTED")
    claim["verdict"] = {**claim["verdict"], **TAKEN}
    assert "But p\xa0=\xa00.069 after Holm" in html.render(kept, build_run())
    assert f"| ◐ {escape(obstacles(claim)[0])}<br>" in readme.table(kept, "report.html")
