"""Engine "ray" on real clusters of this machine: several nodes as processes, logical GPUs, nodes
and workers killed.
"""

import importlib
import json
import os
import re
import shutil
import socket
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from harness import sweep
from harness.errors import BackendUnavailable, InvalidInput, StoreError
from harness.experiment import Request
from harness.sweep import Store, ray_cluster, ray_keeper
from harness.sweep.engines import Task
from harness.sweep.worker_process import Place

REQUIRED = os.environ.get("NTK_CLAIMS_RAY") == "required"
COMPUTATIONS = """
import os
import time
from pathlib import Path

import numpy as np


def draw(backend, configuration, replicates, stream):
    calls, start = Path("calls"), time.time()
    gpu = os.environ.get("CUDA_VISIBLE_DEVICES") or "-"
    with calls.open("a") as log:
        node, threads = os.environ["NODE"], os.environ["OMP_NUM_THREADS"]
        log.write(f"{configuration['point']} {os.getpid()} {gpu} {node} {threads}\\n")
    if configuration.get("then") == "hang":
        time.sleep(600)
    if configuration.get("then") == "exhaust":
        raise MemoryError
    meet, until = configuration.get("meet", 0), start + 120
    while len(calls.read_text().splitlines()) < meet and time.time() < until:
        time.sleep(0.05)
    time.sleep(configuration.get("seconds", 0))
    return {
        "draw": np.array(replicates) + 100.0 * configuration["point"],
        "span": np.array([[start, time.time()]] * len(replicates)),
    }
"""


@pytest.fixture(scope="module")
def ray():
    """The package; without it these tests are skipped, or fail where NTK_CLAIMS_RAY=required."""
    if find_spec("ray") is None:
        text = "ray is not installed (extra 'ray'); `tox run -e ray` runs these tests"
        pytest.fail(text) if REQUIRED else pytest.skip(text)
    return ray_cluster.package()


class Nodes:
    """A cluster whose nodes are processes of this machine; a node passes its name, NODE, on to its
    workers.
    """

    def __init__(self):
        self.nodes = {}
        self.cluster = importlib.import_module("ray.cluster_utils").Cluster()
        # short, as the paths of sockets must be
        self.folder = tempfile.mkdtemp(prefix="ray-", dir="/tmp")
        os.environ["RAY_TMPDIR"] = self.folder
        self.add("head", include_dashboard=False)

    @property
    def address(self):
        return self.cluster.address

    def add(self, name, **options):
        os.environ.update(ray_cluster.QUIET, NODE=name)
        options = {
            "num_cpus": 2,
            "num_gpus": 1,
            "object_store_memory": ray_cluster.OBJECT_STORE,
            **options,
        }
        self.nodes[name] = self.cluster.add_node(**options)

    def kill(self, name):
        self.cluster.remove_node(self.nodes.pop(name), allow_graceful=False)


@pytest.fixture(scope="module")
def nodes(ray):
    made = Nodes()
    made.add("second")
    yield made
    made.cluster.shutdown()
    shutil.rmtree(made.folder)
    del os.environ["NODE"], os.environ["RAY_TMPDIR"]


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


@pytest.fixture
def request_(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "claims" / "toy").mkdir(parents=True)
    (tmp_path / "claims" / "toy" / "computations.py").write_text(COMPUTATIONS)

    def make(point, backend="numpy", **configuration):
        configuration = {"point": point, **configuration}
        return Request("toy/draw", configuration, (0, 1), "test", backend, "float64")

    return make


@pytest.fixture
def calls(tmp_path):
    """Point, process, GPU, node and threads of each call so far."""

    def read():
        log = tmp_path / "calls"
        return (
            [line.split() for line in log.read_text().splitlines()]
            if log.exists()
            else []
        )

    return read


@pytest.fixture
def run(nodes, store):
    def on_cluster(requests, **options):
        options = {"device": "cpu", "ray_address": nodes.address, **options}
        return sweep.run(requests, store, engine="ray", **options)

    return on_cluster


def at_once(result):
    """How many cells ran at the same time, at most; those that `meet` so many wait for each other,
    however long.
    """
    spans = [outcome.cell.arrays["span"][0] for outcome in result.outcomes]
    return max(
        sum(start <= moment < end for start, end in spans) for moment, _ in spans
    )


def test_cells_are_spread_over_the_nodes_and_are_those_of_the_local_engine(
    run, request_, calls, tmp_path
):
    seen, requests = [], [request_(point, meet=4) for point in range(8)]
    result = run(requests, progress=seen.append)
    assert result.counts == {
        "planned": 8,
        "cached": 0,
        "done": 8,
        "failed": 0,
        "unfinished": 0,
    }
    assert {node for _, _, _, node, _ in calls()} == {"head", "second"}
    assert Counter(point for point, *_ in calls()) == {
        str(point): 1 for point in range(8)
    }
    assert at_once(result) == 4
    assert len(seen) >= 10  # at the start, after each cell, at the end
    local = sweep.run(requests, Store(tmp_path / "local"), device="cpu", workers=1)
    # a warm run needs no cluster
    assert run(requests, ray_address="127.0.0.1:1").counts["cached"] == 8
    for ours, theirs in zip(result.outcomes, local.outcomes, strict=True):
        assert ours.cell.circumstances == theirs.cell.circumstances
        assert np.array_equal(ours.cell.arrays["draw"], theirs.cell.arrays["draw"])
    assert not list((tmp_path / "store").glob(".probe*"))


def test_half_a_gpu_per_cell_runs_two_cells_on_each_side_by_side(
    run, nodes, request_, calls, monkeypatch
):
    monkeypatch.setenv("RAY_ADDRESS", nodes.address)
    result = run(
        [request_(point, meet=4) for point in range(8)],
        gpus_per_cell=0.5,
        ray_address=None,
    )
    assert at_once(result) == 4
    assert {gpu for _, _, gpu, _, _ in calls()} == {"0"}


def test_a_whole_gpu_per_cell_runs_one_cell_on_each_with_all_its_cores(
    run, request_, calls
):
    result = run([request_(point, meet=2) for point in range(4)], gpus_per_cell=1)
    assert at_once(result) == 2
    assert {threads for *_, threads in calls()} == {"2"}


def test_nothing_runs_after_the_deadline(run, request_, calls, alive):
    seen = []
    result = run(
        [request_(point, then="hang") for point in range(5)],
        deadline=time.time() + 40,
        progress=seen.append,
    )
    assert result.counts["unfinished"] == 5, [
        outcome.failure for outcome in result.outcomes
    ]
    # on a busy machine not every node has a worker by then
    assert 1 <= len(calls()) <= 4
    # though nothing ends, progress is shown, about once a second
    assert len(seen) > 10
    assert not any(alive(pid) for _, pid, *_ in calls())


def test_leaving_ends_every_worker_at_once(run, request_, calls, alive):
    def leave(status):
        if len(calls()) == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run([request_(point, then="hang") for point in range(9)], progress=leave)
    assert len(calls()) == 4
    assert not any(alive(pid) for _, pid, *_ in calls())


def test_a_node_killed_in_the_middle_costs_the_cells_in_flight_and_no_more(
    run, request_, calls, nodes, store, wait_for, alive
):
    nodes.add("third")
    requests = [request_(point, meet=6, seconds=2.0) for point in range(16)]
    killer = threading.Thread(
        target=lambda: (
            wait_for(lambda: sum("third" in call for call in calls()) >= 2, 120),
            nodes.kill("third"),
        )
    )
    killer.start()
    result = run(requests)
    killer.join()
    assert result.counts["done"] == 16
    assert sweep.recorded(requests, store).counts["cached"] == 16
    counts = Counter(point for point, *_ in calls())
    assert set(counts.values()) <= {1, 2}
    lost = {point for point, count in counts.items() if count == 2}
    assert 1 <= len(lost) <= 2  # the third node had two CPUs
    for outcome in result.outcomes:
        failures = store.failures(outcome.request, outcome.cell.circumstances)
        expected = (
            [("death", 1)]
            if str(outcome.request.configuration["point"]) in lost
            else []
        )
        assert [(failure.kind, failure.attempt) for failure in failures] == expected
    assert not any(alive(pid) for _, pid, *_ in calls())


def command(tmp_path, *options):
    plan = tmp_path / "plan.json"
    return [
        sys.executable,
        "-m",
        "harness.sweep",
        str(plan),
        "--store",
        str(tmp_path / "store"),
        *options,
    ]


@pytest.fixture
def plan(tmp_path, request_):
    def write(*requests):
        (tmp_path / "plan.json").write_text(
            json.dumps([asdict(request) for request in requests])
        )

    return write


def test_without_an_address_a_cluster_is_started_and_stopped_and_says_nothing(
    ray, plan, request_, start, tmp_path
):
    plan(*(request_(point) for point in range(3)))
    process = start(command(tmp_path, "--engine", "ray"), NODE="own", RAY_ADDRESS="")
    output, _ = process.communicate(timeout=100)
    assert process.returncode == 0, output
    assert all(line.startswith("cells: ") for line in output.splitlines()), output
    assert output.splitlines()[-1] == "cells: 3 of 3 done (0 cached), 0 failed"
    assert processes_naming(f"ray-{process.pid}-") == []
    assert list(Path("/tmp").glob(f"ray-{process.pid}-*")) == []


def processes_naming(text):
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            line = (folder / "cmdline").read_bytes().decode(errors="replace")
        except OSError:
            continue
        if text in line:
            found.append(line)
    return found


def test_a_coordinator_that_is_killed_takes_its_workers_with_it(
    ray, nodes, plan, request_, calls, start, wait_for, alive, tmp_path
):
    plan(*(request_(point, then="hang") for point in range(4)))
    options = ("--engine", "ray", "--ray-address", nodes.address, "--device", "cpu")
    process = start(command(tmp_path, *options))
    wait_for(lambda: len(calls()) == 4)
    process.kill()
    wait_for(lambda: not any(alive(pid) for _, pid, *_ in calls()), seconds=20)


def test_an_address_where_nothing_answers_is_named_at_once(run, request_):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        with pytest.raises(
            BackendUnavailable,
            match=rf"No Ray cluster answers at 127.0.0.1:{port} .*ray start --head",
        ):
            run([request_(1)], ray_address=f"127.0.0.1:{port}")


@pytest.mark.parametrize("address", ["ray://head:10001", "head", ":6379", "head:port"])
def test_an_address_that_is_none_is_refused(run, request_, address):
    expected = re.escape(
        f"A Ray address reads HOST:PORT, of the head node (usual port: 6379); got {address!r}."
    )
    with pytest.raises(InvalidInput, match=expected):
        run([request_(1)], ray_address=address)


def test_more_gpus_than_a_node_has(run, request_):
    with pytest.raises(
        InvalidInput,
        match="No node of the Ray cluster has a CPU and 4 GPUs, which a cell needs; they",
    ):
        run([request_(1)], gpus_per_cell=4)


@pytest.mark.parametrize("share", [0.0, -1.0, 1.5, float("nan")])
def test_a_share_that_ray_cannot_give(run, request_, share):
    with pytest.raises(
        InvalidInput, match=r"gpus_per_cell must be in \(0, 1\] or a whole number; got "
    ):
        run([request_(1)], gpus_per_cell=share)


def test_a_backend_that_is_not_there_is_named_before_anything_runs(
    run, request_, calls
):
    with pytest.raises(BackendUnavailable, match=r"numpy.*'cuda' is not available"):
        run([request_(1)], device="cuda", gpus_per_cell=1, workers=1)
    assert calls() == []


def test_options_of_ray_are_refused_with_another_engine(store, request_):
    message = (
        r"ray_address and gpus_per_cell are for engine 'ray'; .* engine 'local'. "
        r"Ask for engine 'ray' \(--engine ray\), or leave"
    )
    with pytest.raises(InvalidInput, match=message):
        sweep.run([request_(1)], store, gpus_per_cell=0.5)


def test_without_ray_the_extra_is_named(store, request_, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(
        BackendUnavailable,
        match=r"needs the package 'ray', .* \(pip install 'ntk-claims\[ray\]'\)",
    ):
        sweep.run([request_(1)], store, engine="ray")


def test_a_store_that_a_node_does_not_see_is_named_before_hours_are_spent(
    run, request_, calls, monkeypatch
):
    true = ray_keeper.arguments
    monkeypatch.setattr(
        ray_keeper,
        "arguments",
        lambda store, *more: true(store.with_name("elsewhere"), *more),
    )
    with pytest.raises(
        StoreError,
        match=r"it cannot read and write .*/elsewhere: .* mounts at the same path",
    ):
        run([request_(1)])
    assert calls() == []


@pytest.fixture
def keeper(tmp_path, monkeypatch):
    """A keeper in this process, as on a node that has the store."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NODE", "own")
    (tmp_path / "store").mkdir()
    made = ray_keeper.Keeper(
        *ray_keeper.arguments(tmp_path / "store", tmp_path / "claims", Place("cpu", 1))
    )
    yield made
    made.end()
    made._clear()


def test_a_node_without_the_current_folder_says_so(tmp_path):
    keeper = ray_keeper.Keeper(
        str(tmp_path), "claims", str(tmp_path / "gone"), {"device": "cpu", "threads": 1}
    )
    assert (
        keeper.arrive("probe")
        == f"there is no folder {tmp_path}/gone, from which the sweep was started"
    )


def test_a_node_that_may_not_write_says_so(keeper, tmp_path, monkeypatch):
    (tmp_path / "store" / "probe").write_text("?")
    # stands for a mount that is read-only: tests may run as root
    (tmp_path / "store" / "probe.answer").mkdir()
    assert keeper.arrive("probe").startswith(
        f"it cannot read and write {tmp_path}/store: "
    )


def test_a_node_with_other_code_refuses_the_cell(keeper, request_):
    circumstances = sweep.code.circumstances(request_(1).computation, "numpy", "cpu")
    other = type(circumstances)(circumstances.device, "0" * 64, circumstances.versions)
    answer = keeper.attempt(Task(request_(1), other), 60.0)
    assert answer["kind"] == "error"
    assert "code, packages or device changed in between" in answer["traceback"]


def test_a_keeper_that_was_ended_starts_nothing(keeper, request_, calls):
    keeper.end()
    circumstances = sweep.code.circumstances(request_(1).computation, "numpy", "cpu")
    assert keeper.attempt(Task(request_(1), circumstances), 60.0)["event"] == "died"
    assert calls() == []


def test_a_keeper_keeps_a_worker_of_one_backend(keeper):
    assert (
        keeper.greet("numpy")
        == keeper.greet("numpy")
        == {"event": "ready", "device": "cpu"}
    )
    answer = keeper.greet("cobol")  # the worker that is there is none of it
    assert answer["event"] == "unavailable"
    assert keeper.worker is None


@pytest.mark.parametrize(
    ("then", "limit", "event"), [("hang", 2.0, "late"), ("exhaust", 60.0, "failed")]
)
def test_a_worker_that_is_late_or_out_of_memory_computes_no_more(
    keeper, request_, calls, alive, then, limit, event
):
    def attempt(point, limit, **configuration):
        request = request_(point, **configuration)
        return keeper.attempt(
            Task(
                request, sweep.code.circumstances(request.computation, "numpy", "cpu")
            ),
            limit,
        )

    assert attempt(1, limit, then=then)["event"] == event
    ended = [pid for _, pid, *_ in calls()]
    assert ended
    assert not any(map(alive, ended))
    assert attempt(2, 60.0)["event"] == "done"
    assert calls()[-1][1] not in ended


@pytest.mark.parametrize(
    ("nodes_", "share", "workers", "layout"),
    [
        ([(16, 2)], 1.0, None, (2, 8)),
        ([(16, 2)], 0.4, None, (4, 4)),  # a fraction lies within one GPU
        ([(16, 8)], 2.0, None, (4, 4)),
        ([(8, 1), (8, 0)], 1.0, None, (1, 8)),
        ([(64, 0)], 0.0, None, (8, 8)),
        ([(64, 0)], 0.0, 20, (20, 3)),
        ([(4, 0), (4, 0)], 0.0, 3, (3, 2)),
        ([(0, 4)], 1.0, None, (0, 1)),
        ([], 0.0, None, (0, 1)),
    ],
)
def test_layout(nodes_, share, workers, layout):
    assert ray_cluster.layout(nodes_, share, workers) == layout
