"""JUnit XML and CTRF: what each verdict comes to, what goes with it, and the published schemas."""

import json
import time
from pathlib import Path
from xml.etree import ElementTree

import jsonschema
import pytest

from harness import report
from harness.export import ctrf, junit, outcome, properties
from harness.verdict import Kind

ROOT = Path(__file__).parents[2]
RECORDED = ROOT / "reports" / "recorded" / "quick"
CTRF = json.loads((ROOT / "fixtures" / "ctrf" / "ctrf-schema-0.0.json").read_text())


@pytest.fixture(scope="module", params=["every verdict", "hostile", "recorded", "empty"])
def run(request, document, hostile_document, build_run, hostile_run):
    """verdicts.json and run.json of odd and ordinary runs."""
    empty = report.document([], "full", ["torch"], {}), build_run(claims={})
    runs = {"every verdict": (document, build_run()), "hostile": (hostile_document, hostile_run), "empty": empty}
    return runs.get(request.param) or report.load(RECORDED)


def cases(text):
    """Title of a claim's place -> its test case."""
    return {f"{c.get('classname')}/{c.get('name')}": c for c in ElementTree.fromstring(text).iter("testcase")}


def test_ctrf_follows_its_published_schema(run):
    content = ctrf(*run)
    jsonschema.validate(content, CTRF, format_checker=jsonschema.FormatChecker())
    counts = content["results"]["summary"]
    assert (
        counts["tests"]
        == len(run[0]["claims"])
        == sum(counts[name] for name in ("passed", "failed", "skipped", "other"))
    )
    assert counts["stop"] - counts["start"] == counts["duration"] >= 0


def test_junit_can_be_parsed_and_counts_its_cases(run):
    document, _ = run
    (suite,) = ElementTree.fromstring(junit(*run))
    assert int(suite.get("tests")) == len(suite) == len(document["claims"])
    for attribute, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        assert int(suite.get(attribute)) == len(list(suite.iter(tag)))


def test_the_same_run_gives_the_same_bytes(build_document, build_run):
    first, second = ((build_document(), build_run()) for _ in range(2))
    assert junit(*first) == junit(*second)
    assert report.as_text(ctrf(*first)) == report.as_text(ctrf(*second))


def test_what_stands_beside_goes_with_the_claim(document):
    claims = {claim["verdict"]["kind"]: claim for claim in document["claims"]}
    assert properties(claims["REFUTED"])["beside"].startswith("SUPPORTED kernels alike: -0.0")
    assert "beside" not in properties(claims["SUPPORTED"])


@pytest.mark.parametrize(
    ("kind", "recorded", "status"),
    [
        (Kind.SUPPORTED, None, "passed"),
        (Kind.SUPPORTED, "SUPPORTED", "passed"),
        (Kind.SUPPORTED, "REFUTED", "failed"),
        (Kind.REFUTED, None, "failed"),
        (Kind.REFUTED, "REFUTED", "expected"),
        (Kind.REFUTED, "INCONCLUSIVE", "failed"),
        (Kind.INCONCLUSIVE, "INCONCLUSIVE", "expected"),
        (Kind.DISAGREE, "SUPPORTED", "failed"),
        (Kind.DISAGREE, "DISAGREE", "expected"),
        (Kind.NOT_RUN, "SUPPORTED", "skipped"),
        (Kind.BROKEN, "REFUTED", "error"),
    ],
)
def test_a_change_of_verdict_fails(document, build_run, kind, recorded, status):
    claim = {**document["claims"][0], "recorded": recorded}
    claim["verdict"] = {**claim["verdict"], "kind": kind}
    alone = {**document, "claims": [claim]}
    assert outcome(claim).status == status
    (case,) = cases(junit(alone, build_run())).values()
    ends = {"passed": None, "failed": "failure", "error": "error", "skipped": "skipped", "expected": "skipped"}
    assert next((end.tag for end in case if end.tag != "properties"), None) == ends[status]
    (test,) = ctrf(alone, build_run())["results"]["tests"]
    codes = {"expected": "other", "error": "failed"}
    assert (test["status"], test["rawStatus"]) == (codes.get(status, status), kind)


def test_a_case_says_what_decided(document, build_run):
    found = cases(junit(document, build_run()))
    case = found["claims.vyas2022/network-outscales-its-kernels"]
    told = {entry.get("name"): entry.get("value") for entry in case.iter("property")}
    (claim, hypothesis) = (document["claims"][0], document["claims"][0]["hypotheses"][0])
    estimate = hypothesis["verdict"]["backends"]["jax"]
    assert (told["verdict"], told["tier"], told["scale"]) == ("SUPPORTED", "quick", "at quick scale")
    assert (told["backends"], told["replicates"]) == ("jax,torch", "12")
    assert told["registration"] == claim["registration"]
    assert float(told["p"]) == claim["verdict"]["p"]
    assert float(told["exponent beats eNTK.margin"]) == 0.05
    assert float(told["exponent beats eNTK.jax.effect"]) == estimate["mean"]
    assert json.loads(told["exponent beats eNTK.jax.interval"]) == [estimate["low"], estimate["high"]]
    assert case.get("time") == "512.500"
    refused = found["claims.vyas2022/label-noise"].find("error")
    assert refused.get("message").startswith("BROKEN: Control “GP target” came out SUPPORTED")


def test_what_was_not_measured_has_no_property(document):
    missing = next(claim for claim in document["claims"] if claim["verdict"]["kind"] == "NOT_RUN")
    told = properties(missing)
    assert not {"p", "backends", "recorded", "exponent beats eNTK.jax.effect"} & told.keys()
    assert told["exponent beats eNTK.rule"] == "Superiority"


def test_characters_that_xml_forbids_are_replaced(document, build_run):
    """A verdicts.json may come from anywhere."""
    claim = {**document["claims"][0], "title": "nul \x00", "verdict": {**document["claims"][0]["verdict"]}}
    claim["verdict"] |= {"kind": "BROKEN", "reason": "bell \x07 \ud800 <b>&amp;]]>"}
    (case,) = cases(junit({**document, "claims": [claim]}, build_run())).values()
    assert case.find("error").get("message") == "BROKEN: bell \ufffd \ufffd <b>&amp;]]>"
    assert case.find("error").text == "nul \ufffd"


@pytest.fixture
def tokyo(monkeypatch):
    """A machine far from UTC."""
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.skipif(not hasattr(time, "tzset"), reason="the time zone of a process cannot be set here")
@pytest.mark.usefixtures("tokyo")
def test_ctrf_times_are_those_of_the_run(document, build_run):
    results = ctrf(document, build_run())["results"]
    assert results["summary"]["stop"] == 1795271400000  # 2026-11-21T14:30:00Z
    assert results["summary"]["duration"] == 483000
    assert results["tests"][0]["duration"] == 512500  # milliseconds
