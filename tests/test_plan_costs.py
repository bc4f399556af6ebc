"""`ntk-claims plan` with work that is counted: estimates for cells that never ran, the fit, and the page."""

import json
import re
from collections import Counter
from pathlib import Path

import pytest

from harness import studies
from harness.cli import main
from harness.commands import full_tier
from harness.commands.fitting import by_likeness
from harness.commands.readme import RECORDED
from harness.commands.times import Found
from harness.experiment import Request
from harness.session import Settings, requests
from harness.workload import rates
from harness.workload.rates import ANY, Check, Rates

ROOT = Path(__file__).parents[1]
COST = {"start": 0.0, "macs": 1e-9, "numbers": 0.0, "calls": 0.0, "host": 0.0, "draws": 0.0}
CHECKS = {name: Check(30, 1.25, 2.5) for name in ("free", "stopped", "likeness")}
COUNTS = """
from harness.workload.operations import Work

COUNTED = {"toy/draw_first": lambda configuration, replicates: Work(macs=7.2e11 * replicates)}
"""


@pytest.fixture
def counted(plant, pytester):
    """The toy claim, whose work is counted: an hour of a core for each seed in 5 cells; and rates."""
    file = plant("first", BLOCK=2, FULL=True)
    (pytester.path / "claims" / "work.py").write_text(COUNTS)
    own = Rates(COST, {"toy/draw_first": {"": 5.0}}, CHECKS, "here")
    rates.write(pytester.path / "rates.json", {"torch": own, "jax": own})
    return file


@pytest.fixture
def call(pytester, capsys):
    def run(*arguments):
        code = main(list(arguments))
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def rows(text):
    """Backend -> its cells in the table, of the first claim."""
    found = {}
    for line in text.splitlines():
        name, *cells = re.split(r"\s{2,}", line.strip())
        if name in {"torch", "jax", "numpy"}:
            found.setdefault(name, cells)
    return found


def test_cells_that_never_ran_are_estimated_by_their_work(counted, call):
    code, out, err = call("plan", "--tier", "full", "--rates", "rates.json", "--device", "40", "1")
    assert (code, err) == (0, "")
    heading = re.split(r"\s{2,}", out.splitlines()[0].strip())
    assert heading == ["cells", "shared", "cached", "stale", "to compute", "estimate", "at most", "device"]
    count = int(rows(out)["torch"][0])
    assert rows(out)["torch"][5].startswith("~")
    assert rows(out)["torch"] == rows(out)["jax"]
    assert count > 0
    assert "half of the cells within a factor of 1.25, 90 % within 2.5" in " ".join(out.split())
    assert "Device: a conversion, not a measurement" in out
    assert max(map(len, out.splitlines())) <= 100


def test_what_ran_goes_before_what_is_counted(counted, call):
    before = rows(call("plan", "--rates", "rates.json")[1])
    call("sweep", "--backend", "numpy")
    after = rows(call("plan", "--backend", "torch,numpy", "--rates", "rates.json")[1])
    assert before["torch"][5].startswith("~")
    assert not after["torch"][5].startswith("~")  # the same cells ran in NumPy
    assert after["torch"][6] == before["torch"][6]  # at most, by work


def test_without_a_count_there_is_no_estimate(counted, pytester, call):
    (pytester.path / "claims" / "work.py").unlink()
    assert rows(call("plan", "--rates", "rates.json", "--device", "40", "1")[1])["torch"][5:] == ["unknown"] * 3


def test_a_fit_needs_cells(counted, call):
    assert call("plan", "--fit", "new.json") == (
        2,
        "",
        "ntk-claims: The store has no cell of this plan to fit rates to. Run it first: pytest claims.\n",
    )
    call("sweep", "--backend", "numpy")
    code, _, err = call("plan", "--backend", "numpy", "--fit", "new.json")
    assert code == 2
    assert "Rates are fitted to 20 cells at least" in err


def test_a_fit_is_written(plant, pytester, call):
    plant("first", BLOCK=1)
    (pytester.path / "claims" / "work.py").write_text(COUNTS)
    call("sweep", "--backend", "numpy")
    assert call("plan", "--backend", "numpy", "--fit", "new.json") == (0, "rates from 30 cells in new.json\n", "")
    fitted = rates.read(pytester.path / "new.json")["numpy"]
    assert {name: check.cells for name, check in fitted.checks.items()} == {"free": 30, "likeness": 30}
    assert fitted.machine


def test_the_scheduler_is_checked_on_cells_that_it_has_not_seen():
    """One cell ran in both backends; the other is like it in its computation alone."""
    found = [
        Found(name, Request("toy:f", {"width": width}, (0,), "doc", backend, "float32"), (seconds,), "here", True)
        for name, width, backend, seconds in [("a", 1, "torch", 2.0), ("b", 1, "jax", 4.0), ("c", 2, "torch", 9.0)]
    ]
    assert by_likeness(found, found) == [0.5, 2.0, 3.0]
    assert by_likeness(found[:1], found[:1]) == []


@pytest.mark.parametrize("of", ["", " of one", " of 1 2 3"])
def test_a_plan_in_a_page_is_of_a_gpu(tmp_path, monkeypatch, capsys, of):
    monkeypatch.chdir(ROOT)
    (tmp_path / "page.md").write_text(f"<!-- plan{of}: made -->\n<!-- end of plan -->\n")
    assert main(["readme", RECORDED, "--readme", str(tmp_path / "page.md")]) == 2
    assert "A plan is of a GPU by two numbers, TFLOP/s in float32 and TB/s, as in" in capsys.readouterr().err


def test_what_ran_is_shown_as_measured(tmp_path):
    cells = {"seconds": 9000.0, "devices": {"cuda": 7200.0, "cpu": 1800.0}}
    run = {"cells": {"devices": {"cuda": 7200.0}}, "claims": {"toy/first": cells}}
    (tmp_path / "run.json").write_text(json.dumps(run))
    assert full_tier.measured(tmp_path / "run.json") == {"": "2.0 on cuda", "toy/first": "0.5 on cpu, 2.0 on cuda"}
    assert full_tier.measured(tmp_path / "none.json") == {}
    (tmp_path / "run.json").write_text("[]")
    with pytest.raises(
        full_tier.InvalidInput, match=r"run\.json is no record of a run: TypeError.*Write the report again"
    ):
        full_tier.measured(tmp_path / "run.json")


def test_a_plan_in_a_page_needs_rates(tmp_path):
    with pytest.raises(
        full_tier.InvalidInput, match=r"There are no rates .*rates\.json\. Fit them: ntk-claims plan --fi"
    ):
        full_tier.plan_table(tmp_path, "67 3.35")


def test_the_page_counts_cells_and_shared_ones_as_the_plan_does(monkeypatch):
    monkeypatch.chdir(ROOT)
    table = full_tier.plan_table(ROOT / RECORDED, "67 3.35")
    shown = {line.split(" | ")[0].removeprefix("| "): line.split(" | ")[1:3] for line in table.splitlines()}
    settings = Settings("full", ("torch",), Path("none"))
    own = {
        study.claim.id: {request.digest for request in requests(study, settings)}
        for study in studies.discover(Path("claims")).values()
        if study.claim.id.startswith("seleznova2020")
    }
    needed = Counter(name for names in own.values() for name in names)
    for claim, names in own.items():
        assert shown[claim] == [str(len(names)), str(sum(needed[name] > 1 for name in names))]
    assert sum(count > 1 for count in needed.values()) > 0


def test_every_computation_that_may_be_stopped_has_a_factor_for_it():
    fitted = json.loads((ROOT / RECORDED / "rates.json").read_text())
    assert {name for own in fitted.values() for name, factors in own["factors"].items() if ANY in factors} == {
        "harness.forgetting:continual",
        "harness.in_span:kernel_change",
        "harness.in_span:training_by_protocol",
        "harness.in_span:training_map",
        "harness.measurements:kernel_change",
    }
