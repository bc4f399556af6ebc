"""`ntk-claims show`: one claim, told in the terminal."""

import json

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
