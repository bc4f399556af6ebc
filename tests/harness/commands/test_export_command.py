"""`ntk-claims export`: from a run's folder and its store to each format, and what stands in the way
is named.
"""

import json
import re
from collections import Counter
from pathlib import Path

import pyarrow.parquet
import pytest

from harness import backends, report, studies
from harness.cli import main
from harness.registration import FOLDER
from harness.session import Settings, requests, verify
from harness.sweep import Circumstances, Provenance, Store
from harness.sweep.code import code_digest


@pytest.fixture
def call(pytester, capfdbinary):
    """Runs the command in the test's folder; exit code, standard output and error."""

    def run(*arguments):
        capfdbinary.readouterr()
        code = main(("export", *arguments))
        return code, *(text.decode() for text in capfdbinary.readouterr())

    return run


@pytest.fixture
def record(plant, pytester):
    """Plants toy claims, puts their cells into a store, and writes the report of a run."""
    origin = Provenance(
        "2026-01-01T00:00:00+00:00", 1.0, 8, "some machine", {}, "3.12.0"
    )

    def write(folder="run", store="store", **toys):
        chosen = [
            studies.load(plant(name, **constants)) for name, constants in toys.items()
        ]
        settings = Settings("quick", ("numpy",), Path(store), replay=True)
        for study in chosen:
            for request in requests(study, settings):
                measure = study.experiments[0].measure
                arrays = measure(
                    backends.get("numpy"),
                    request.configuration,
                    request.replicates,
                    request.stream,
                )
                present = code_digest(request.computation, request.backend)
                Store(store).put(
                    request,
                    Circumstances("cpu", present, {"numpy": "1.0"}),
                    origin,
                    arrays,
                )
        registrations = {study.claim.id: Path("claims") / FOLDER for study in chosen}
        sizes = Counter(study.claim.family for study in chosen)
        session = verify(
            chosen,
            settings,
            registrations=registrations,
            family_sizes=sizes,
            progress=lambda status: None,
        )
        report.write(folder, session.document, session.run)

    return write


def test_every_format_at_once(record, call, pytester):
    record(holds={}, fails={"EFFECT": 0.0})
    code, out, _ = call(
        *(
            "run",
            "--store",
            "store",
            "--agent",
            "Ada Lovelace",
            "--crate",
            "out/crate",
            "--parquet",
            "out/m.parquet",
        ),
        *("--markdown", "out/summary.md", "--schemas", "out/s"),
    )
    assert (code, len(out.splitlines())) == (0, 6)
    out = pytester.path / "out"
    assert (out / "summary.md").read_text() == (
        pytester.path / "run" / "summary.md"
    ).read_text()
    assert {path.name for path in (out / "s").iterdir()} == {
        f"{name}.schema.json" for name in ("verdicts", "run", "registration")
    }
    table = pyarrow.parquet.read_table(out / "m.parquet").to_pylist()
    assert len(table) == 2 * 3 * 10
    assert (out / "m.parquet").read_bytes() == (
        out / "crate" / "measurements.parquet"
    ).read_bytes()
    gap = [
        row["value"]
        for row in table
        if row["claim"] == "toy/holds" and '"arm":"effect"' in row["configuration"]
    ]
    document, _ = report.load(pytester.path / "run")
    assert gap == document["claims"][0]["effects"]["numpy"]["gap"]
    kept = {
        path.relative_to(out / "crate").as_posix()
        for path in (out / "crate").rglob("*.*")
    }
    assert kept >= {
        "claims/toy/test_holds.py",
        "registrations/toy/holds.json",
        "environment/requirements.txt",
    }
    assert "Ada Lovelace" in (out / "crate" / "ro-crate-metadata.json").read_text()


def test_a_minus_writes_to_the_terminal(record, call, pytester):
    record(holds={})
    code, out, _ = call("run", "--markdown", "-")
    assert (code, out) == (0, (pytester.path / "run" / "summary.md").read_text())


def test_a_table_needs_neither_store_nor_claims(record, call, pytester):
    record(holds={})
    for place in ("store", "claims"):
        (pytester.path / place).rename(pytester.path / f"gone {place}")
    assert call("run", "--markdown", "summary.md")[:2] == (0, "summary.md\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["run"],
            r"Name what to write: one or more of --markdown, .*See ntk-claims export --help\.",
        ),
        (
            ["nowhere", "--markdown", "-"],
            r"nowhere/verdicts\.json cannot be read as part of a report",
        ),
        (
            ["run", "--markdown", "run/run.json/x"],
            r"run/run\.json/x cannot be written: .*\. Name another file\.",
        ),
        (
            ["run", "--parquet", "x", "--store", "gone"],
            r"3 of 3 cells of backend 'numpy' are missing",
        ),
        (
            ["run", "--parquet", "x", "--store", "store", "--claims", "run"],
            r"'toy/holds' of the run is not there, so",
        ),
        (
            ["run", "--crate", "run", "--store", "store"],
            r"run exists\. Name a new folder for the crate",
        ),
    ],
)
def test_what_stands_in_the_way_is_named(record, call, pytester, arguments, message):
    record(holds={})
    before = sorted(pytester.path.rglob("*"))
    code, _, err = call(*arguments)
    assert code == 2
    assert re.search(message, err), err
    assert sorted(pytester.path.rglob("*")) == before


def test_a_claim_that_was_changed_since_is_refused(record, call, plant):
    record(holds={})
    plant("holds", EFFECT=0.4)
    code, _, err = call("run", "--parquet", "x", "--store", "store")
    assert code == 2
    assert (
        "The claim 'toy/holds' of the run is not as it was in the run, so its cells cannot be told."
        in err
    )


def test_cells_of_another_run_are_refused(record, call, pytester):
    record(holds={})
    path = pytester.path / "run" / "verdicts.json"
    document = json.loads(path.read_text())
    document["claims"][0]["effects"]["numpy"]["gap"][3] += 0.001
    path.write_text(report.as_text(document))
    code, _, err = call("run", "--parquet", "x", "--store", "store")
    assert code == 2
    assert re.search(
        r"The cells of claim 'toy/holds' in store give other effects 'gap' in numpy than the run "
        r"has",
        err,
    )


def test_the_help_says_what_each_format_is_for(capsys):
    with pytest.raises(SystemExit, match="0"):
        main(["export", "--help"])
    told = capsys.readouterr().out
    for name in (
        "--markdown FILE  a table",
        "JUnit XML is pytest's",
        "--crate PLACE    the archive",
        "[export]",
    ):
        assert name in told
    assert max(map(len, told.splitlines())) <= 120
