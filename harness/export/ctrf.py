"""CTRF, the Common Test Report Format (https://ctrf.io, specification 0.0.0), from verdicts.json and run.json."""

import uuid
from collections import Counter
from collections.abc import Mapping
from typing import Any

from harness import __version__
from harness.experiment import digest
from harness.export.outcome import outcome, properties
from harness.export.run_times import moment, seconds

Json = Mapping[str, Any]
SPECIFICATION = "0.0.0"
NAMESPACE = uuid.uuid5(uuid.NAMESPACE_DNS, "ntk-claims")
STATUS = {"passed": "passed", "failed": "failed", "error": "failed", "skipped": "skipped", "expected": "other"}
"""A recorded verdict that is not SUPPORTED neither passes nor fails a run: "other", with the verdict as rawStatus."""
STATUSES = ("passed", "failed", "skipped", "pending", "other")


def ctrf(document: Json, run: Json) -> dict[str, Any]:
    """The run as a CTRF document: a test per claim, its hypotheses as steps, its properties as labels.

    Times are milliseconds; a test's duration is the worker time of its cells, which claims share. Identifiers are
    derived from the content, so the same run gives the same bytes.

    Args:
        document, run: contents of verdicts.json and run.json.
    """
    tests = [_test(claim, seconds(run, claim["id"])) for claim in document["claims"]]
    counts = Counter(test["status"] for test in tests)
    start, stop = (round(1000 * moment(run[end]).timestamp()) for end in ("started", "finished"))
    return {
        "reportFormat": "CTRF",
        "specVersion": SPECIFICATION,
        "reportId": str(uuid.uuid5(NAMESPACE, digest([document, run]))),
        "timestamp": moment(run["finished"]).isoformat(),
        "generatedBy": f"ntk-claims {__version__}",
        "results": {
            "tool": {"name": "ntk-claims", "version": __version__},
            "summary": {
                "tests": len(tests),
                **{status: counts[status] for status in STATUSES},
                "suites": len({test["suite"][0] for test in tests}),
                "start": start,
                "stop": stop,
                "duration": stop - start,
            },
            "tests": tests,
            "environment": {
                "testEnvironment": f"{document['tier']} tier",
                "osPlatform": str(run["platform"].get("system", "unknown")),
                "extra": {"backends": document["environment"], "platform": run["platform"]},
            },
        },
    }


def _test(claim: Json, took: float) -> dict[str, Any]:
    end = outcome(claim)
    return {
        "id": str(uuid.uuid5(NAMESPACE, claim["id"])),
        "name": claim["title"] or claim["id"],
        "status": STATUS[end.status],
        "rawStatus": claim["verdict"]["kind"],
        "duration": round(1000 * took),
        "suite": [claim["id"].partition("/")[0], claim["id"]],
        "message": claim["verdict"]["reason"],
        "type": "claim",
        "tags": [claim["tier"], claim["family"]],
        "labels": properties(claim),
        "steps": [_step(hypothesis) for hypothesis in claim["hypotheses"]],
    }


def _step(hypothesis: Json) -> dict[str, Any]:
    verdict = hypothesis["verdict"]
    kind = verdict["kind"] if verdict else "NOT_RUN"
    status = {"SUPPORTED": "passed", "REFUTED": "failed", "NOT_RUN": "skipped"}.get(kind, "other")
    extra = {"verdict": kind, "role": hypothesis["role"], "needs": hypothesis["rule"]["words"]}
    return {"name": hypothesis["label"] or hypothesis["name"], "status": status, "extra": extra}
