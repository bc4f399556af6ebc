"""The archive: its table holds the cells' numbers, its metadata is a Process Run Crate."""

import hashlib
import importlib
import io
import json
import lzma
import warnings
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow.parquet
import pytest
import requests
from rocrate_validator import models, services
from rocrate_validator.utils.http import HttpRequester

from harness import registration, report
from harness.errors import InvalidInput
from harness.experiment import Request
from harness.export import archive, crate, parquet, parts
from harness.sweep import Circumstances, Provenance, Store

FIXTURE = Path(__file__).parents[3] / "fixtures" / "ro-crate" / "context-1.1.jsonld.xz"
NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
ARRAYS = {
    "loss": np.array([0.5, np.nan]),
    "curve": np.array([[[1, 2, 3]], [[4, 5, 6]]], dtype=np.float32),
    "done": np.array([True, False]),
}


@pytest.fixture
def cells(tmp_path):
    """Two cells of one claim, one of them another claim's too."""
    store = Store(tmp_path / "store")
    for width in (64, 128):
        request = Request(
            "harness.measurements:drift",
            {"width": width},
            (3, 4),
            "registered",
            "torch",
            "float32",
        )
        origin = Provenance(
            "2026-01-01T00:00:00+00:00", 1.0, 8, "some machine", {}, "3.12.0"
        )
        store.put(
            request, Circumstances("cpu", "code", {"numpy": "2.0"}), origin, ARRAYS
        )
    found = [
        store.answers(Request(**{**vars(request), "configuration": {"width": w}}))[0]
        for w in (64, 128)
    ]
    return {"paper/a": found, "paper/b": found[:1]}


@pytest.fixture
def made(tmp_path, cells, document, build_run):
    """Writes the archive of a run, and gives its path."""
    folder, claim = tmp_path / "run", tmp_path / "claims" / "paper" / "test_a.py"
    claim.parent.mkdir(parents=True)
    claim.write_text("claim = 1\n")

    def make(target, document=document, run=None, **options):
        run = run or build_run(distributions={"numpy": "2.4.6", "ntk-claims": "0.1.0"})
        folder.mkdir(exist_ok=True)
        (folder / "verdicts.json").write_text(report.as_text(document))
        (folder / "run.json").write_text(report.as_text(run))
        for name in ("report.html", "summary.md"):
            (folder / name).write_text("Drawn elsewhere.")
        found = parts.parts(
            folder, document, run, cells, {"paper/a": claim}, tmp_path / "registrations"
        )
        archive.write(
            crate.crate(found, document, run, **options), tmp_path / target, NOON
        )
        return tmp_path / target

    return make


@pytest.fixture
def issues(monkeypatch):
    """What roc-validator objects to, with the context of RO-Crate 1.1 at hand and no network."""
    context = lzma.decompress(FIXTURE.read_bytes())

    def get(self, url, **options):
        assert url == "https://w3id.org/ro/crate/1.1/context"
        answer = requests.Response()
        answer.status_code, answer.url, answer.raw = 200, url, io.BytesIO(context)
        answer.headers["Content-Type"] = "application/ld+json"
        return answer

    monkeypatch.setattr(HttpRequester, "get", get, raising=False)

    def validate(path, severity=models.Severity.REQUIRED):
        settings = services.ValidationSettings(
            rocrate_uri=str(path),
            profile_identifier="process-run-crate-0.5",
            requirement_severity=severity,
            skip_availability_check=True,
        )
        with warnings.catch_warnings():  # rdflib warns of its own classes
            warnings.simplefilter("ignore", DeprecationWarning)
            return sorted(
                {issue.message for issue in services.validate(settings).get_issues()}
            )

    return validate


def rows(content):
    return pyarrow.parquet.read_table(io.BytesIO(content)).to_pylist()


def test_a_row_per_number(cells):
    found = rows(parquet.measurements(cells))
    assert len(found) == 3 * (2 + 6 + 2)
    assert [row["value"] for row in found[:10]] == pytest.approx(
        [0.5, np.nan, 1, 2, 3, 4, 5, 6, 1, 0], nan_ok=True
    )
    assert [(row["seed"], row["index"]) for row in found[2:8]] == [
        (s, [0, k]) for s in (3, 4) for k in range(3)
    ]
    assert found[0]["index"] == []
    assert {
        key: found[3][key]
        for key in ("claim", "computation", "quantity", "backend", "stream", "device")
    } == {
        "claim": "paper/a",
        "computation": "harness.measurements:drift",
        "quantity": "curve",
        "backend": "torch",
        "stream": "registered",
        "device": "cpu",
    }
    assert {(row["claim"], row["configuration"], row["cell"]) for row in found} == {
        (claim, f'{{"width":{cell.request.configuration["width"]}}}', cell.key)
        for claim, own in cells.items()
        for cell in own
    }


def test_the_table_says_what_its_columns_are(cells):
    schema = pyarrow.parquet.read_schema(io.BytesIO(parquet.measurements(cells)))
    assert {
        name: schema.field(name).metadata[b"description"].decode()
        for name in schema.names
    } == parquet.COLUMNS


def test_a_claim_without_cells_makes_no_rows():
    assert rows(parquet.measurements({"paper/a": []})) == []


def test_complex_numbers_are_refused(cells, monkeypatch):
    monkeypatch.setitem(
        vars(cells["paper/b"][0]), "arrays", {"phase": np.array([1j, 2j])}
    )
    with pytest.raises(
        InvalidInput,
        match=r"'phase' of claim 'paper/a' is complex; the table holds real numbers\.",
    ):
        parquet.measurements(cells)


def test_it_is_a_valid_process_run_crate(made, issues):
    assert issues(made("crate", agent="Ada Lovelace")) == []


def test_what_is_recommended_is_there_but_for_what_only_a_publisher_knows(made, issues):
    found = issues(made("crate", agent="Ada Lovelace"), models.Severity.RECOMMENDED)
    assert len(found) == 5, found
    for missing in (
        "Application SHOULD have a url",
        "absolute URI",
        "publisher",
        "`affiliation`",
        "an organizational",
    ):
        assert any(missing in message for message in found), (missing, found)


def test_the_validator_would_object(made, issues):
    """To a crate whose action names no instrument."""
    path = made("crate") / "ro-crate-metadata.json"
    content = json.loads(path.read_text())
    for entity in content["@graph"]:
        entity.pop("instrument", None)
    path.write_text(json.dumps(content))
    assert issues(path.parent) == [
        "The Action MUST have an instrument property that references the executed tool",
    ]


def test_the_odd_runs_are_archived_too(made, issues, hostile_document, hostile_run):
    folder = made(
        "hostile",
        hostile_document,
        hostile_run,
        agent="</script><script>alert(1)</script>",
    )
    assert issues(folder) == []
    assert "<script" not in (folder / "ro-crate-preview.html").read_text()
    bare = report.document([], "full", ["torch"], {})
    assert issues(made("bare", bare)) == []


def test_the_metadata_lists_every_file_with_its_digest(made):
    folder = made("crate")
    graph = {
        entity["@id"]: entity
        for entity in json.loads((folder / "ro-crate-metadata.json").read_text())[
            "@graph"
        ]
    }
    own = {"ro-crate-metadata.json", "ro-crate-preview.html"}
    written = {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file()
    } - own
    assert written == {part["@id"] for part in graph["./"]["hasPart"]}
    assert written >= {
        "measurements.parquet",
        "report.html",
        "claims/paper/test_a.py",
        "schemas/run.schema.json",
    }
    for name in written:
        content = (folder / name).read_bytes()
        assert (graph[name]["sha256"], graph[name]["contentSize"]) == (
            hashlib.sha256(content).hexdigest(),
            str(len(content)),
        )
    assert (
        graph["#verdicts"]["endTime"]
        == graph["./"]["datePublished"]
        == "2026-11-21T14:30:00+00:00"
    )
    assert graph["#sweep"]["result"] == {"@id": "measurements.parquet"}
    assert graph["#sweep"]["startTime"] == "2026-11-18T10:30:00+00:00"
    assert graph["#sweep"]["endTime"] == "2026-11-21T14:30:00+00:00"
    assert {"@id": "https://pytorch.org#torch-2.13.0"} in graph["#ntk-claims"][
        "softwareRequirements"
    ]


def test_the_environment_is_locked(made, build_run):
    lock = made("crate") / "environment" / "requirements.txt"
    assert lock.read_text().splitlines()[1:] == ["ntk-claims==0.1.0", "numpy==2.4.6"]
    assert not (made("older", run=build_run()) / "environment").exists()


def test_only_the_registration_that_was_judged_is_archived(
    made, document, tmp_path, monkeypatch
):
    claim = document["claims"][0]
    for ending in (".json", ".log.jsonl"):
        file = tmp_path / "registrations" / f"{claim['id']}{ending}"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("{}\n")
    for digest, archived in ((claim["registration"], True), ("0" * 64, False)):
        monkeypatch.setattr(
            registration,
            "read",
            lambda *_, digest=digest: SimpleNamespace(digest=digest),
        )
        folder = made(f"archive-{archived}") / "registrations"
        assert [
            path.is_file()
            for path in (
                folder / f"{claim['id']}.json",
                folder / f"{claim['id']}.log.jsonl",
            )
        ] == [archived] * 2


def test_two_archives_have_the_same_bytes(made):
    first, second = made("first"), made("second")
    names = sorted(path.relative_to(first) for path in first.rglob("*"))
    assert names == sorted(path.relative_to(second) for path in second.rglob("*"))
    assert all(
        (first / name).read_bytes() == (second / name).read_bytes()
        for name in names
        if (first / name).is_file()
    )
    zipped = [made(f"{name}.zip") for name in "ab"]
    assert zipped[0].read_bytes() == zipped[1].read_bytes()
    with zipfile.ZipFile(zipped[0]) as content:
        assert {name: content.read(name) for name in content.namelist()} == {
            name.as_posix(): (first / name).read_bytes()
            for name in names
            if (first / name).is_file()
        }
        assert {entry.date_time for entry in content.infolist()} == {
            (2026, 11, 21, 12, 0, 0)
        }


def test_an_archive_is_written_whole_or_not_at_all(made, tmp_path, monkeypatch):
    (tmp_path / "there").mkdir()
    with pytest.raises(
        InvalidInput,
        match=r"there exists\. Name a new folder for the crate, or a file that ends in \.zip",
    ):
        made("there")
    before = made("crate.zip").read_bytes()

    def full(*arguments, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(zipfile.ZipFile, "writestr", full)
    with pytest.raises(
        InvalidInput,
        match=r"crate\.zip cannot be written: No space left on device\. Name another place",
    ):
        made("crate.zip")
    assert (tmp_path / "crate.zip").read_bytes() == before
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize(
    ("package", "wanted"), [("pyarrow", "Parquet"), ("rocrate", "An RO-Crate")]
)
def test_a_missing_package_names_the_extra(made, monkeypatch, package, wanted):
    ordinary = importlib.import_module

    def imported(name):
        if name.split(".")[0] == package:
            raise ImportError(f"No module named {name!r}")
        return ordinary(name)

    monkeypatch.setattr("importlib.import_module", imported)
    with pytest.raises(
        InvalidInput,
        match=rf"{wanted} needs {package}, which .* pip install 'ntk-claims\[export\]'\.",
    ):
        made("crate")
