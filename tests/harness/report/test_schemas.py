"""The published JSON Schemas hold for what is written: the recorded run, and runs as odd as they
come.
"""

import json
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path

import jsonschema
import pytest

from harness import report
from harness.export.parts import schemas
from harness.provenance import run_record

RECORDED = sorted(
    (Path(__file__).parents[3] / "reports" / "recorded").glob("*/verdicts.json")
)
VALIDATOR = jsonschema.Draft202012Validator


@pytest.fixture(scope="module")
def run_schema():
    return json.loads((files("harness.report") / "run.schema.json").read_text())


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.parent.name)
def test_the_recorded_reports_follow_their_schemas(path, schema, run_schema):
    document, run = report.load(path.parent)
    jsonschema.validate(document, schema, VALIDATOR)
    jsonschema.validate(run, run_schema, VALIDATOR)


def test_runs_follow_their_schema(build_run, hostile_run, run_schema):
    VALIDATOR.check_schema(run_schema)
    real = run_record(datetime.now(UTC), {}, {})
    assert real["distributions"]["ntk-claims"]
    for run in (build_run(), build_run(claims={}), hostile_run, real):
        jsonschema.validate(json.loads(report.as_text(run)), run_schema, VALIDATOR)


@pytest.mark.parametrize(
    "change",
    [{"host": "worker-7"}, {"started": "yesterday"}, {"distributions": {"numpy": 2}}],
)
def test_the_schema_of_a_run_allows_nothing_else(build_run, run_schema, change):
    with pytest.raises(
        jsonschema.ValidationError, match=r"host|yesterday|2 is not of type"
    ):
        jsonschema.validate({**build_run(), **change}, run_schema, VALIDATOR)


def test_every_published_schema_is_one():
    published = schemas()
    assert set(published) == {
        "verdicts.schema.json",
        "run.schema.json",
        "registration.schema.json",
    }
    for content in published.values():
        VALIDATOR.check_schema(json.loads(content))
