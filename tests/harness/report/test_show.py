"""`ntk-claims show`: one claim, told in the terminal."""

import json
import os

import pytest

from harness import report
from harness.cli import main


@pytest.fixture
def folder(tmp_path, document, build_run):
    report.write(tmp_path / "here", document, build_run())
    return tmp_path / "here"


def test_a_claim_is_told_from_title_to_limits(folder, document, capsys):
    assert main(["show", "its-kernels", "--report", str(folder)]) == 0
    told = " ".join(capsys.readouterr().out.split())
    claim = document["claims"][0]
    parts = ("title", "statement", "operationalised", "departs", "limits")
    places = [told.index(claim[part]) for part in parts if part != "limits"]
    assert places == sorted(places)
    assert "SUPPORTED, at quick scale. exponent beats NTK: 0.156 [" in told
    assert "But: Tests the mechanism on a proxy data set" in told
    assert "2 of 2 controls came out as planted; 3 of 3 gates hold; 12 seeds" in told


def test_a_newer_report_is_named(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder.parent)
    os.utime(folder / "verdicts.json", (1_000, 1_000))
    name = folder.parent / "reports" / "quick-2"
    name.mkdir(parents=True)
    arguments = ["show", "its-kernels", "--report", "here"]
    main(arguments)
    assert capsys.readouterr().out.endswith("Of here.\n")
    for file in ("verdicts.json", "run.json"):
        (name / file).write_bytes((folder / file).read_bytes())
    main(arguments)
    newer = "Of here. A newer one: --report reports/quick-2\n"
    assert capsys.readouterr().out.endswith(newer)
    main([*arguments[:-1], "reports/quick-2"])
    assert capsys.readouterr().out.endswith("Of reports/quick-2.\n")


@pytest.mark.parametrize("verdict", ["SUPPORTED", "REFUTED"])
def test_the_recorded_reason_is_told_of_the_verdict_that_it_is_for(
    folder, document, monkeypatch, capsys, verdict
):
    monkeypatch.chdir(folder.parent)
    (folder.parent / "claims").mkdir()
    entry = f'quick = {{ verdict = "{verdict}", reason = "It grows." }}\n'
    text = f'["{document["claims"][0]["id"]}"]\n{entry}'
    (folder.parent / "claims" / "verdicts.toml").write_text(text)
    main(["show", "its-kernels", "--report", "here"])
    told = "Recorded reason. It grows." in capsys.readouterr().out
    assert told == (verdict == "SUPPORTED")


@pytest.mark.parametrize(
    ("part", "count"), [("vyas", "several claims"), ("nix", "no claim")]
)
def test_a_name_that_is_not_one_claims_lists_what_there_is(folder, part, count, capsys):
    assert main(["show", part, "--report", str(folder)]) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert f"has {count} whose id contains {part!r}" in said
    assert "vyas2022/label-noise" in said


def test_nothing_is_told_of_what_is_not_a_report(tmp_path, capsys):
    (tmp_path / "verdicts.json").write_text(json.dumps([]))
    assert main(["show", "x", "--report", str(tmp_path)]) == 2
