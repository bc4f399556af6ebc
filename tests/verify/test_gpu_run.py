"""The prepared GPU run, on the CPU: what it plans, what it saves, that a bare machine runs it."""

import json
import os
from pathlib import Path

import pytest

from harness.experiment import Request
from harness.sweep import Store
from tests.harness.sweep.test_bare_machine import BARE
from tests.verify.gpu import page
from tests.verify.gpu.__main__ import Ended, main
from tests.verify.gpu.plans import Extremes, size

ROOT = Path(__file__).parents[2]
ABSENT = "scipy,statsmodels,pytest,altair,vl_convert,jinja2,pooch,pydantic,jax,jaxlib"


@pytest.fixture
def bare(tmp_path, monkeypatch):
    """Processes that are started from now on have numpy and torch alone."""
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(BARE)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(site), str(ROOT)]))
    monkeypatch.setenv("ABSENT", ABSENT)


def lines(file):
    return [json.loads(line) for line in Path(file).read_text().splitlines()]


def test_each_step_is_saved_as_it_ends_on_a_machine_with_numpy_and_torch_alone(
    plant, bare, capsys
):
    plant("toy", FULL=True)
    assert main(["prepare", "plans"]) == 0
    planned = {
        name: json.loads(Path("plans", f"{name}.json").read_text())
        for name in ("quick", "full")
    }
    run = ["run", "plans", "--out", "out", "--device", "cpu", "--backend", "torch"]
    code = main([*run, "--steps", "quick,full", "--seconds", "60"])
    assert code == 0, Path("out/quick.log").read_text()
    record = json.loads(Path("out/run.json").read_text())
    assert [(step["step"], step["code"]) for step in record["steps"]] == [
        ("quick", 0),
        ("full", 0),
    ]
    store = Store(Path("out/store"))
    quick = [own for own in planned["quick"] if own["backend"] == "torch"]
    assert quick
    assert all(store.answers(Request(**own)) for own in quick)
    measured = lines("out/full-torch.jsonl")
    full = [own for own in planned["full"] if own["backend"] == "torch"]
    assert len(measured) == len(full)
    assert all(0 < line["host"] <= line["seconds"] for line in measured)
    assert all(line["cpu"] > 0 for line in measured)
    assert all(own["stream"].startswith("rehearsal of ") for own in planned["full"])
    assert not any(store.answers(Request(**own)) for own in full), "a rehearsal"


def test_plans_that_are_not_there_are_named_with_the_command_that_writes_them(
    tmp_path, capsys
):
    missing = tmp_path / "plans"
    assert main(["run", str(missing), "--out", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    assert f"{missing / 'quick.json'} is not there" in said
    assert f"python -m tests.verify.gpu prepare {missing}" in said


def test_an_unknown_step_is_refused_with_those_that_there_are(capsys):
    with pytest.raises(SystemExit):
        main(["run", "plans", "--out", "out", "--steps", "quick,sleep"])
    assert "unknown step 'sleep'; allowed: parity, quick, races, full" in (
        capsys.readouterr().err
    )


@pytest.mark.parametrize(
    ("step", "code", "well"),
    [
        ("quick", 3, True),
        ("quick", 1, False),
        ("full", None, True),
        ("parity", None, False),
    ],
)
def test_time_that_is_up_is_no_failure_but_parity_must_come_to_its_end(
    step, code, well
):
    assert Ended(step, "torch", code, 1.0).well == well


def test_configurations_of_a_computation_are_ordered_by_their_numbers():
    small, large = (
        Request("x:f", {"widths": [64, width], "lazy": True}, (0,), "s", "torch", "d")
        for width in (64, 4096)
    )
    assert size(small) == 12.0
    assert size(large) == 18.0


def test_the_page_says_of_each_end_what_it_cost_or_why_that_is_not_known(tmp_path):
    small, large, other = (
        Request("x:f", {"width": width}, (0, 1), "rehearsal of a", "torch", "float32")
        for width in (64, 4096, 16)
    )
    line = {
        "computation": "x:f",
        "configuration": {"width": 64},
        "replicates": 2,
        "backend": "torch",
        "dtype": "float32",
        "seconds": 4.0,
        "cpu": 3.0,
        "host": 1.0,
        "error": "",
    }
    counted = line | {"cpu": 5.0, "launches": 1200, "flops": 2_000_000_000}
    stopped = line | {"configuration": {"width": 4096}, "error": "TooLongError: It was"}
    file = tmp_path / "lines"
    file.write_text("\n".join(json.dumps(own) for own in (counted, line, stopped)))
    found = [
        Extremes("toy/a", 7, small, large),
        Extremes("toy/b", 1, other, other),
    ]
    assert page.rows(found, page.read(file)) == [
        ["toy/a", "x:f", "7", "smallest", "5 s", "25%", "1,200", "2"],
        ["toy/a", "x:f", "7", "largest", "longer than allowed", "", "", ""],
        ["toy/b", "x:f", "1", "all alike", "not measured", "", "", ""],
    ]
