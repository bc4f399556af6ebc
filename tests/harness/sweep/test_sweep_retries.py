"""What is tried again, with how much memory; what is not computed a second time; and clocks that
are set meanwhile.
"""

import time
from dataclasses import asdict
from datetime import UTC, datetime

import pytest

from harness import report, sweep
from harness.experiment import Request
from harness.sweep import Store, code
from harness.sweep.engines import Settings
from harness.sweep.worker import Worker

COMPUTATIONS = """
from pathlib import Path

import numpy as np


def budget(backend, configuration, replicates, stream):
    with Path("calls").open("a") as calls:
        calls.write(f"{backend.memory_budget}\\n")
    return {"budget": np.full(len(replicates), backend.memory_budget)}


def block(backend, configuration, replicates, stream):
    budget(backend, configuration, replicates, stream)
    return {"sum": np.full(len(replicates), np.ones(backend.memory_budget // 8).sum())}
"""


@pytest.fixture
def request_(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "claims" / "toy").mkdir(parents=True)
    (tmp_path / "claims" / "toy" / "computations.py").write_text(COMPUTATIONS)
    return lambda name: Request(f"toy/{name}", {}, (0, 1), "test", "numpy", "float64")


@pytest.fixture
def budgets(tmp_path):
    """The memory budget of each call so far."""
    log = tmp_path / "calls"
    return lambda: (
        [int(line) for line in log.read_text().split()] if log.exists() else []
    )


@pytest.fixture
def serve(tmp_path):
    """A worker of the numpy backend in this process: its answer to a task."""
    worker = Worker("numpy", "cpu", 1, Store(tmp_path / "store"))

    def answer(request, **more):
        circumstances = code.circumstances(request.computation, "numpy", "cpu")
        return worker.serve(
            {"request": asdict(request), "circumstances": asdict(circumstances), **more}
        )

    return answer


@pytest.mark.parametrize(("attempt", "budget"), [(1, 2**30), (2, 2**27), (3, 2**24)])
def test_each_retry_has_an_eighth_of_the_memory_and_says_so(
    serve, request_, budgets, tmp_path, attempt, budget
):
    assert serve(request_("budget"), attempt=attempt)["event"] == "done"
    assert budgets() == [budget]
    (answer,) = Store(tmp_path / "store").answers(request_("budget"))
    assert answer.provenance.environment["memory_budget"] == str(budget)


def test_a_cell_that_ran_out_of_memory_succeeds_with_smaller_blocks(
    request_, budgets, tmp_path
):
    store = Store(tmp_path / "store")
    result = sweep.run(
        [request_("block")], store, device="cpu", workers=1, memory_limit=700 * 2**20
    )
    assert result.counts["done"] == 1
    assert budgets() == [2**30, 2**27]
    wanted = result.outcomes[0]
    assert wanted.cell.arrays["sum"].tolist() == [2**24] * 2
    (failure,) = store.failures(wanted.request, wanted.cell.circumstances)
    assert (failure.kind, failure.attempt) == ("memory", 1)


def test_what_is_stored_meanwhile_is_not_computed_again(serve, request_, budgets):
    first = serve(request_("budget"))
    assert serve(request_("budget"), attempt=2) == first
    assert len(budgets()) == 1


@pytest.mark.parametrize("jump", [-1e6, 1e6])
def test_the_seconds_until_the_deadline_are_those_at_the_start_however_the_clock_is_set(
    tmp_path, monkeypatch, jump
):
    settings = Settings(tmp_path, deadline=time.time() + 60)
    true = time.time
    monkeypatch.setattr(time, "time", lambda: true() + jump)
    assert 0 < settings.left() <= 60


@pytest.mark.parametrize("jump", [-1e6, 1e6])
def test_a_run_ends_at_its_deadline_though_the_clock_is_set(
    request_, tmp_path, monkeypatch, jump
):
    slow = tmp_path / "claims" / "toy" / "computations.py"
    slow.write_text(
        "import time\n\ndef wait(backend, configuration, replicates, stream):\n    time.sleep(60)\n"
    )
    true, start = time.time, time.monotonic()

    def set_clock(status):
        monkeypatch.setattr(time, "time", lambda: true() + jump)

    wanted = Request("toy/wait", {}, (0,), "test", "numpy", "float64")
    found = sweep.run(
        [wanted],
        Store(tmp_path / "store"),
        device="cpu",
        deadline=true() + 3,
        progress=set_clock,
    )
    # the cell would be done, were the deadline put off
    assert (found.counts["unfinished"], found.counts["done"]) == (1, 0)
    assert time.monotonic() - start > 2


def test_a_clock_that_was_set_back_gives_no_negative_times_and_ages():
    now, ahead = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 3, tzinfo=UTC)
    cells = report.Cells(
        computed=1, oldest=datetime(2025, 12, 31, tzinfo=UTC), newest=ahead
    )
    run = report.run_record(
        started=ahead, finished=now, command=[], platform={}, claims={}, total=cells
    )
    assert run["seconds"] == 0
    assert (run["cells"]["oldest"]["age"], run["cells"]["newest"]["age"]) == (86400, 0)
