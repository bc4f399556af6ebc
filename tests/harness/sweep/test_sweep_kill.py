"""Runs that are killed, interrupted, or that share a store: nothing is lost, nothing is computed
twice, none stays.
"""

import json
import os
import signal
import sys
from collections import Counter
from dataclasses import asdict

import pytest

from harness import sweep
from harness.experiment import Request
from harness.sweep import Store

COMPUTATIONS = """
import os
import time
from pathlib import Path

import numpy as np


def draw(backend, configuration, replicates, stream):
    with Path("calls").open("a") as log:
        log.write(f"{configuration['point']} {os.getpid()}\\n")
    time.sleep(configuration["seconds"])
    generator = np.random.default_rng(configuration["point"])
    return {"draw": generator.standard_normal((len(replicates), 3))}
"""
POINTS = 12


@pytest.fixture
def plan(tmp_path, monkeypatch):
    """Plan files of twelve cells that last so many seconds each, and the requests in them."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "claims" / "toy").mkdir(parents=True)
    (tmp_path / "claims" / "toy" / "computations.py").write_text(COMPUTATIONS)

    def make(seconds):
        requests = [
            Request(
                "toy/draw",
                {"point": p, "seconds": seconds},
                (0, 1),
                "test",
                "numpy",
                "float64",
            )
            for p in range(POINTS)
        ]
        (tmp_path / "plan.json").write_text(
            json.dumps([asdict(request) for request in requests])
        )
        return requests

    return make


@pytest.fixture
def calls(tmp_path):
    """Point and process of each call so far."""

    def read():
        log = tmp_path / "calls"
        return (
            [tuple(map(int, line.split())) for line in log.read_text().splitlines()]
            if log.exists()
            else []
        )

    return read


@pytest.fixture
def interruptible():
    """Interrupts reach what a test starts, even behind a shell that ignores them."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def coordinator(start, interruptible):
    """Starts `python -m harness.sweep` on the plan; ends it after the test."""
    command = [
        sys.executable,
        "-m",
        "harness.sweep",
        "plan.json",
        "--store",
        "store",
        "--device",
        "cpu",
    ]
    return lambda: start([*command, "--workers", "2"])


def drawn(requests, store):
    return [
        outcome.cell.arrays["draw"].tolist()
        for outcome in sweep.recorded(requests, store).outcomes
    ]


linux = pytest.mark.skipif(
    sys.platform != "linux", reason="looks processes up in /proc"
)


@linux
@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGKILL, -9), (signal.SIGTERM, -15), (signal.SIGINT, 130)],
)
def test_after_a_kill_only_the_missing_cells_are_computed(
    plan, calls, coordinator, wait_for, alive, tmp_path, number, code
):
    requests, store = plan(seconds=0.1), Store(tmp_path / "store")
    process = coordinator()
    wait_for(lambda: len(calls()) >= 5)
    process.send_signal(number)
    process.communicate()
    assert process.returncode == code
    before = calls()
    wait_for(lambda: not any(alive(pid) for _, pid in before), seconds=5)
    kept = [
        outcome.request.configuration["point"]
        for outcome in sweep.recorded(requests, store).outcomes
        if outcome.cell
    ]
    assert 3 <= len(kept) < POINTS  # two were in hand

    again = coordinator()
    output, _ = again.communicate()
    assert again.returncode == 0, output
    after = Counter(point for point, _ in calls()[len(before) :])
    assert after == Counter(set(range(POINTS)) - set(kept))
    whole = sweep.run(requests, Store(tmp_path / "uninterrupted"), device="cpu")
    assert drawn(requests, store) == [
        outcome.cell.arrays["draw"].tolist() for outcome in whole.outcomes
    ]


@linux
def test_ctrl_c_does_not_wait_for_the_cell_in_hand(
    plan, calls, coordinator, wait_for, alive
):
    plan(seconds=60)
    process = coordinator()
    wait_for(lambda: len(calls()) >= 1)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=20)
    assert process.returncode == 130
    assert output.endswith(
        "Interrupted. Cells done so far are kept; start again to go on.\n"
    )
    assert not alive(calls()[0][1])


@linux
def test_a_worker_killed_from_outside_is_replaced(
    plan, calls, coordinator, wait_for, tmp_path
):
    requests = plan(seconds=0.1)
    process = coordinator()
    wait_for(lambda: len(calls()) >= 3)
    os.kill(calls()[-1][1], signal.SIGKILL)
    output, _ = process.communicate()
    assert process.returncode == 0, output
    assert len({pid for _, pid in calls()}) == 3
    assert len(calls()) <= POINTS + 1
    assert (
        sweep.recorded(requests, Store(tmp_path / "store")).counts["cached"] == POINTS
    )


def test_two_runs_may_share_a_store(plan, coordinator, tmp_path):
    requests = plan(seconds=0.02)
    first, second = coordinator(), coordinator()
    for process in (first, second):
        output, _ = process.communicate()
        assert process.returncode == 0, output
    result = sweep.recorded(requests, Store(tmp_path / "store"))
    assert result.counts["cached"] == POINTS
    assert result.notices == ()
    assert list(tmp_path.rglob("*.tmp")) == []
