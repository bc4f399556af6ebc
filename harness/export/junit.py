"""JUnit XML (the xunit2 flavour that pytest writes) from verdicts.json and run.json, without a pytest run.

There is no one standard; this keeps to what pytest, Jenkins and GitLab share: testsuites, testsuite, testcase with
properties, and one of failure, error and skipped.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree as Xml

from harness.export.outcome import outcome, properties
from harness.export.run_times import moment, seconds
from harness.report.values import clean

Json = Mapping[str, Any]
ENDINGS = {
    "failed": ("failure", "verdict"),
    "error": ("error", "broken"),
    "skipped": ("skipped", "not run"),
    "expected": ("skipped", "pytest.xfail"),
}
"""Status -> tag and type; a recorded verdict is what pytest reports as an expected failure."""


def junit(document: Json, run: Json) -> str:
    """The run as JUnit XML: a test per claim, its properties beside it.

    Args:
        document, run: contents of verdicts.json and run.json.
    """
    claims = document["claims"]
    counts = Counter(tag for claim in claims if (tag := ENDINGS.get(outcome(claim).status, ("", ""))[0]))
    suites = Xml.Element("testsuites", name="ntk-claims")
    suite = Xml.SubElement(
        suites,
        "testsuite",
        name=f"ntk-claims, {document['tier']} tier",
        tests=str(len(claims)),
        failures=str(counts["failure"]),
        errors=str(counts["error"]),
        skipped=str(counts["skipped"]),
        time=f"{run['seconds']:.3f}",
        timestamp=moment(run["started"]).isoformat(),
    )
    for claim in claims:
        _case(suite, claim, seconds(run, claim["id"]))
    Xml.indent(suites)
    return f"<?xml version='1.0' encoding='utf-8'?>\n{Xml.tostring(suites, encoding='unicode')}\n"


def _case(suite: Xml.Element, claim: Json, took: float) -> None:
    paper, _, name = clean(claim["id"]).rpartition("/")
    case = Xml.SubElement(suite, "testcase", classname=f"claims.{paper}", name=name, time=f"{took:.3f}")
    listed = Xml.SubElement(case, "properties")
    for key, value in properties(claim).items():
        Xml.SubElement(listed, "property", name=clean(key), value=clean(value))
    end = outcome(claim)
    if end.status in ENDINGS:
        tag, kind = ENDINGS[end.status]
        Xml.SubElement(case, tag, type=kind, message=clean(end.message)).text = clean(claim["title"])
