"""The claims' files, without running them: registered as the rules of evidence ask."""

import inspect
import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness import studies
from harness.experiment import TIERS, canonical
from harness.registration import ClaimRecord
from harness.statistics.claim_power import whole_power
from harness.statistics.power import WANTED

ROOT = Path(__file__).parents[2]
CLAIMS = ROOT / "claims"
FILES = sorted(CLAIMS.rglob("test_*.py"))
SEEDS = 10

DIGESTS = """
from pathlib import Path
from harness import studies
from harness.registration import ClaimRecord

for study in studies.discover(Path("claims")).values():
    print(study.claim.id, ClaimRecord.of(study).digest)
"""

each_claim = pytest.mark.parametrize(
    "path", FILES, ids=lambda path: path.relative_to(CLAIMS).as_posix()
)


@pytest.fixture
def study(path, monkeypatch):
    """The study of a claim file; None if the file has none."""
    monkeypatch.chdir(ROOT)
    return studies.load(path)


def tiers(study):
    """Name and tier of each experiment at each scale that there is."""
    return [
        (name, getattr(e, name))
        for e in study.experiments
        for name in TIERS
        if getattr(e, name) is not None
    ]


def test_there_are_claims():
    assert FILES


@each_claim
def test_a_file_is_one_claim_named_after_it(path, study):
    assert study is not None, "the file makes no claim"
    assert (
        study.claim.id
        == f"{path.parent.relative_to(CLAIMS).as_posix()}/{path.stem.removeprefix('test_')}"
    )


@each_claim
def test_every_experiment_has_a_quick_tier_and_each_tier_ten_seeds_or_more(study):
    assert study.experiments
    for name, tier in tiers(study):
        assert tier.replicates >= SEEDS, name
        same = {other.replicates for scale, other in tiers(study) if scale == name}
        assert len(same) == 1, (
            "arms are paired by seed, so all experiments have the same seeds"
        )


@each_claim
def test_no_configuration_of_an_experiment_comes_twice(study):
    for name in TIERS:
        grids = [
            getattr(e, name).grid
            for e in study.experiments
            if getattr(e, name) is not None
        ]
        for cells in grids:
            assert len(cells) == len({canonical(cell) for cell in cells})


@each_claim
def test_every_claim_is_designed_to_be_decided(path, study):
    family = [file for file in FILES if file.parent == path.parent]
    (seeds,) = {experiment.quick.replicates for experiment in study.experiments}
    found = whole_power(study.claim.at("quick").primary, seeds, len(family))
    assert found.power.value >= WANTED, found.weakest


@each_claim
def test_controls_are_planted_both_ways_on_hypotheses_of_the_claim(study):
    assert {control.expected for control in study.claim.controls} == {
        "SUPPORTED",
        "not SUPPORTED",
    }
    for control in study.claim.controls:
        assert study.claim.hypothesis(control.hypothesis)
        assert control.why.strip()


@each_claim
def test_a_worker_loads_no_claim_file(study):
    """Computations stand in modules of their paper, which need numpy and the harness alone."""
    files = {Path(inspect.getsourcefile(e.measure)).name for e in study.experiments}
    assert not [name for name in files if name.startswith("test_")]


@each_claim
def test_what_a_reader_needs_is_said(study):
    claim = study.claim
    said = [
        claim.title,
        claim.statement,
        claim.operationalised,
        claim.departs,
        claim.paper.locus,
        claim.paper.read,
    ]
    said += [text for h in claim.hypotheses for text in (h.statement, h.why_margin)]
    assert all(text.strip() for text in said)


def test_digests_are_the_same_in_another_process(monkeypatch):
    """Whatever the order of sets and the number of the process: hash seeds differ."""
    monkeypatch.chdir(ROOT)
    here = {
        s.claim.id: ClaimRecord.of(s).digest
        for s in studies.discover(Path("claims")).values()
    }
    environment = {**os.environ, "PYTHONHASHSEED": "1"}
    command = [sys.executable, "-c", DIGESTS]
    output = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=True
    ).stdout
    assert dict(line.split() for line in output.splitlines()) == here
    assert len(set(here.values())) == len(FILES)


def test_verdicts_are_recorded_for_claims_and_tiers_that_there_are():
    found = studies.discover(CLAIMS).values()
    known = {
        (study.claim.id, name)
        for study in found
        for name in TIERS
        if all(getattr(e, name) for e in study.experiments)
    }
    assert set(studies.recorded(CLAIMS)) <= known
