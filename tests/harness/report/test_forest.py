"""The first screen: what decided each claim, on one axis, and what each backend shows alone, in
every kind of run.
"""

import copy
import re
from xml.etree import ElementTree

import pytest

from harness import report
from harness.report.findings import in_margins
from harness.report.forest import alone, forest_svg
from harness.verdict import Kind


@pytest.fixture
def claims(document):
    """Name -> a claim of the example that a test may change."""
    return {
        claim["id"].split("/")[1]: claim for claim in copy.deepcopy(document)["claims"]
    }


def rows(text):
    """The first table, a text per row, without markup."""
    table = re.search(r'<table class="overview".*?</table>', text, re.DOTALL)[0]
    found = re.findall(r'<tr role="row">(.*?)</tr>', table, re.DOTALL)
    return [
        " ".join(re.sub(r"<title.*?</desc>|<[^>]+>", " ", row, flags=re.DOTALL).split())
        for row in found
    ]


def effect(kind="Superiority", margin=0.05, registered=0.2, **ends):
    values = {
        "mean": sum(ends["t"]) / 2,
        "low": ends["t"][0],
        "high": ends["t"][1],
        "bootstrap": ends.get("bootstrap"),
    }
    verdict = {"kind": "SUPPORTED", "p": 0.01, "backends": {"torch": values}}
    rule = {"kind": kind, "margin": margin}
    return {
        "label": "gap",
        "rule": rule,
        "registered": {"effect": registered},
        "scale": "linear",
        "verdict": verdict,
    }


@pytest.mark.parametrize(
    ("found", "interval", "units"),
    [
        (effect(t=(0, 1)), (0.05, 0.15), (0, 2)),  # from the margin to three of them
        (effect(margin=-0.5, t=(0, 1)), (-1.0, 0.0), (-1, 1)),
        (
            effect(margin=0.0, registered=-0.2, t=(0, 1)),
            (-0.1, 0.4),
            (-0.5, 2),
        ),  # no margin: the registered effect
        (effect(margin=0.0, registered=0.0, t=(0, 1)), (-0.1, 0.4), (-0.1, 0.4)),
        (
            effect("Equivalence", 0.1, t=(0, 1)),
            (-0.02, 0.05),
            (0.5, 1),
        ),  # holds no difference at all
        (effect("Equivalence", 0.1, t=(0, 1)), (-0.3, -0.2), (-2, -1)),
        (effect("Equivalence", 0.1, t=(0, 1)), (0.05, 0.1), (0, 0.5)),
    ],
)
def test_right_of_zero_is_the_claims_side(found, interval, units):
    assert in_margins(interval, found) == pytest.approx(units)


def drawn(svg):
    root = ElementTree.fromstring(svg)
    return [path.attrib for path in root.iter("path")], root.find("desc").text


def test_a_row_has_both_intervals_and_its_mean_on_the_common_axis():
    paths, words = drawn(
        forest_svg(effect(t=(0.1, 0.2), bootstrap=[0.05, 0.15]), ["torch"], "f")
    )
    thin, thick, mean = (path["d"] for path in paths)
    # x = 86 + 26 log2(1 + |u|) pixels; the ends are 0, 1 and 3 margins beyond the margin, the mean
    # 2.
    assert re.findall(r"[MH]([\d.]+)", thin) == ["86", "138"]
    assert re.findall(r"[MH]([\d.]+)", thick) == ["112", "138"]
    assert mean.startswith("M127.2 ")
    assert words == "torch 2, from 0 to 3"


def test_beyond_the_axis_an_arrow_says_so():
    inside, _ = drawn(forest_svg(effect(t=(0.1, 0.2)), ["torch"], "f"))
    beyond, _ = drawn(forest_svg(effect(t=(-5.0, 9.0)), ["torch"], "f"))
    assert len(beyond) == len(inside) + 2
    assert re.findall(r"[MH]([\d.]+)", beyond[0]["d"]) == ["8", "190"]


def test_all_backends_are_one_mark_unless_their_means_can_be_seen_to_differ():
    both = effect(t=(0.1, 0.2))
    both["verdict"]["backends"]["jax"] = {
        **both["verdict"]["backends"]["torch"],
        "mean": 0.1501,
        "high": 0.21,
    }
    paths, words = drawn(forest_svg(both, ["torch", "jax"], "f"))
    assert len(paths) == 3
    assert words == "torch and jax 2, from 1 to 3.2"
    both["verdict"]["backends"]["jax"]["mean"] = 0.19
    paths, words = drawn(forest_svg(both, ["torch", "jax"], "f"))
    assert len(paths) == 6
    assert words.startswith("torch 2, from 1 to 3; jax 2.8")


def test_without_a_finite_interval_there_is_no_row():
    assert forest_svg(effect(t=(0.1, 0.2)), ["jax"], "f") == ""
    unknown = effect(t=(0.1, 0.2))
    unknown["verdict"]["backends"]["torch"]["low"] = None
    assert forest_svg(unknown, ["torch"], "f") == ""


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("network-outscales-its-kernels", (Kind.SUPPORTED, Kind.SUPPORTED)),
        ("constant-sample", (Kind.REFUTED, Kind.REFUTED)),
        ("across-width", (Kind.INCONCLUSIVE, Kind.INCONCLUSIVE)),
        (
            "keeps-evolving",
            (Kind.SUPPORTED, Kind.SUPPORTED),
        ),  # each by itself: they differ from each other
        ("hyperparameters", (Kind.NOT_RUN, Kind.NOT_RUN)),
        ("label-noise", (Kind.BROKEN, Kind.BROKEN)),
    ],
)
def test_what_each_backend_shows_alone(claims, name, kinds):
    assert tuple(alone(claims[name], backend) for backend in ("torch", "jax")) == kinds


def test_a_gate_or_a_bootstrap_that_fails_in_one_backend_shows_there(claims):
    claim = claims["network-outscales-its-kernels"]
    claim["gates"][0]["failures"]["jax"] = "loss 0.2"
    assert [alone(claim, backend) for backend in ("torch", "jax")] == [
        Kind.SUPPORTED,
        Kind.INCONCLUSIVE,
    ]
    claim["hypotheses"][0]["verdict"]["backends"]["torch"]["bootstrap"] = [0.04, 0.2]
    assert alone(claim, "torch") == Kind.INCONCLUSIVE
    claim["hypotheses"][0]["verdict"]["backends"]["torch"]["bootstrap"] = [None, 0.2]
    assert alone(claim, "torch") == Kind.INCONCLUSIVE


def test_a_backend_that_did_not_run_is_not_passed_over(document, build_run):
    half = copy.deepcopy(document)
    for claim in half["claims"]:
        for hypothesis in claim["hypotheses"]:
            if hypothesis["verdict"]:
                del hypothesis["verdict"]["backends"]["jax"]
    (row,) = [r for r in rows(report.render(half, build_run())) if "Networks gain" in r]
    assert "Backends differ: torch SUPPORTED, jax NOT RUN" in row


def test_a_run_of_one_backend_is_no_replication_either(document, build_run):
    text = report.render(document | {"backends": ["torch"]}, build_run())
    assert "Computed in torch alone." in text
    assert "one result, computed twice</strong>" in report.render(document, build_run())


def test_a_run_without_claims_says_so(build_run):
    text = report.render(report.document([], "quick", [], {}), build_run(claims={}))
    assert rows(text)[1:] == ["This run has no claims."]
    assert "none were verified." in text
    assert "No backend." in text


def test_a_claim_that_broke_before_anything_was_measured_says_why(document, build_run):
    broken = copy.deepcopy(document)
    (missing,) = [
        claim for claim in broken["claims"] if claim["verdict"]["kind"] == Kind.NOT_RUN
    ]
    missing["verdict"] |= {
        "kind": Kind.BROKEN,
        "reason": "The code of `effects` raised KeyError: 'loss'.",
    }
    (row,) = [
        row
        for row in rows(report.render(broken, build_run()))
        if "hyperparameters" in row
    ]
    assert (
        "Nothing measured: The code of `effects` raised KeyError: &#39;loss&#39;."
        in row
    )


def test_the_tally_says_what_became_of_every_claim(document, build_run):
    text = report.render(document, build_run())
    (counts,) = re.findall(r'<p class="counts">.*?</p>', text, re.DOTALL)
    assert " ".join(re.sub(r"<[^>]+>", "", counts).split()) == (
        "6 claims of 1 paper: 1 is broken, 1 does not hold, 2 are undecided, 1 was not run, "
        "1 holds."
    )


def test_figures_are_missing_where_there_are_none(document, build_run):
    bare = copy.deepcopy(document)
    for claim in bare["claims"]:
        claim["figures"] = []
    text = report.render(bare, build_run())
    assert "<figure" in report.render(document, build_run())
    assert "<figure" not in text
