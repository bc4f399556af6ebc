"""What a run of requests against a store comes to."""

import contextlib
import errno
import math
import os
import re
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pytest

from harness import sweep
from harness.errors import BackendUnavailable, InvalidInput, StoreError, SweepFailed
from harness.experiment import Measured, Request
from harness.sweep import Store, code, coordinator, devices, local_engine
from harness.sweep.engines import Settings, Task
from harness.sweep.estimates import Prior
from harness.sweep.local_engine import Agenda

COMPUTATIONS = """
import errno
import os
import signal
import time
from pathlib import Path

import numpy as np


def draw(backend, configuration, replicates, stream):
    calls = Path("calls")
    with calls.open("a") as log:
        log.write(f"{configuration['point']}\\n")
    then = configuration.get("then")
    first = calls.read_text().split().count(str(configuration["point"])) == 1
    if then == "raise":
        raise ArithmeticError("no such number")
    if then == "die" or (then == "die once" and first):
        os.kill(os.getpid(), signal.SIGKILL)
    if then == "exhaust once" and first:
        raise MemoryError
    if then == "hang":
        time.sleep(60)
    if then == "fill the disk":
        os.fsync = full
    start = time.time()
    time.sleep(configuration.get("seconds", 0))
    return {
        "draw": np.array(replicates) + 100.0 * configuration["point"],
        "span": np.array([[start, time.time()]] * len(replicates)),
    }


def full(descriptor):
    raise OSError(errno.ENOSPC, "No space left on device")
"""


@pytest.fixture
def computations(tmp_path, monkeypatch):
    """The file of a paper in the current folder."""
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "claims" / "toy" / "computations.py"
    file.parent.mkdir(parents=True)
    file.write_text(COMPUTATIONS)
    return file


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


@pytest.fixture
def request_(computations):
    def make(point, replicates=(0, 1), backend="numpy", **configuration):
        configuration = {"point": point, **configuration}
        return Request(
            "toy/draw", configuration, replicates, "test", backend, "float64"
        )

    return make


@pytest.fixture
def calls(tmp_path):
    """How often each point was computed."""

    def count():
        log = tmp_path / "calls"
        return Counter(map(int, log.read_text().split())) if log.exists() else Counter()

    return count


@pytest.fixture
def no_worker(monkeypatch):
    """Makes the start of any worker an error."""

    def install():
        def start(*arguments):
            raise AssertionError(f"a worker was started: {arguments}")

        monkeypatch.setattr(local_engine, "WorkerProcess", start)

    return install


def test_a_run_answers_in_the_order_of_the_requests(store, request_):
    requests = [request_(2), request_(1), request_(2, replicates=(2, 3))]
    result = sweep.run(requests, store, device="cpu")
    assert [outcome.request for outcome in result.outcomes] == requests
    assert [outcome.cell.arrays["draw"].tolist() for outcome in result.outcomes] == [
        [200, 201],
        [100, 101],
        [202, 203],
    ]
    assert result.counts == {
        "planned": 3,
        "cached": 0,
        "done": 3,
        "failed": 0,
        "unfinished": 0,
    }
    assert [outcome.cached for outcome in result.outcomes] == [False] * 3


@pytest.mark.parametrize(
    ("deadline", "order"), [(None, [3, 2, 1]), (math.inf, [1, 2, 3])]
)
def test_the_longest_come_first_unless_there_is_a_deadline(
    store, request_, monkeypatch, deadline, order
):
    started = []

    class Idle(contextlib.AbstractContextManager):
        def __init__(self, settings):
            self.settings = settings

        def __exit__(self, *error):
            return None

        def start(self, backends):
            return {}

        def slots(self):
            return 2

        def compute(self, tasks, expected):
            started.extend(task.request for task in tasks)
            return iter(())

    monkeypatch.setattr(coordinator.engines, "get", lambda name: Idle)
    requests = [request_(index) for index in (1, 2, 3)]
    recorded = [(request, length) for length, request in enumerate(requests, start=1)]
    sweep.run(
        requests,
        store,
        device="cpu",
        deadline=deadline,
        prior=Prior(recorded),
    )
    assert started == [requests[index - 1] for index in order]


def test_identical_requests_are_computed_once(store, request_, calls):
    result = sweep.run([request_(1), request_(2), request_(1)], store)
    assert calls() == {1: 1, 2: 1}
    assert result.counts["planned"] == 2
    assert result.outcomes[0].cell == result.outcomes[2].cell


def test_only_missing_cells_are_computed_and_a_warm_run_starts_no_worker(
    store, request_, calls, no_worker
):
    sweep.run([request_(1)], store)
    result = sweep.run([request_(1), request_(2)], store)
    assert [outcome.cached for outcome in result.outcomes] == [True, False]
    assert calls() == {1: 1, 2: 1}
    no_worker()
    assert sweep.run([request_(2), request_(1)], store).counts["cached"] == 2


def test_a_corrupted_cell_is_computed_again_and_the_caller_is_told(
    store, request_, calls
):
    path = sweep.run([request_(1)], store).outcomes[0].cell.path
    path.write_bytes(path.read_bytes()[:-1])
    seen = []
    result = sweep.run([request_(1)], store, progress=seen.append)
    assert result.outcomes[0].cell.arrays["draw"].tolist() == [100, 101]
    assert calls() == {1: 2}
    assert len(result.notices) == 1
    assert str(path) in result.notices[0]
    assert seen[-1].notices == result.notices


def test_an_edited_computation_is_computed_again(store, request_, computations):
    before = sweep.run([request_(1)], store).outcomes[0].cell
    computations.write_text(COMPUTATIONS.replace("100.0 *", "1000.0 *"))
    after = sweep.run([request_(1)], store).outcomes[0]
    assert not after.cached
    assert after.cell.arrays["draw"].tolist() == [1000, 1001]
    assert before.arrays["draw"].tolist() == [100, 101]


def test_an_error_is_recorded_not_retried_and_stops_nothing_else(
    store, request_, calls
):
    requests = [request_(1), request_(2, then="raise"), request_(3)]
    result = sweep.run(requests, store, device="cpu")
    assert result.counts == {
        "planned": 3,
        "cached": 0,
        "done": 2,
        "failed": 1,
        "unfinished": 0,
    }
    assert calls() == {1: 1, 2: 1, 3: 1}
    failed = result.outcomes[1]
    assert failed.cell is None
    assert failed.failure.kind == "error"
    assert failed.failure.traceback.endswith("ArithmeticError: no such number\n")
    circumstances = code.circumstances(failed.request.computation, "numpy", "cpu")
    assert store.failures(failed.request, circumstances) == [failed.failure]
    assert sweep.run(requests, store).counts["cached"] == 2
    assert len(store.failures(failed.request, circumstances)) == 2


@pytest.mark.parametrize(
    ("then", "kind"), [("die once", "death"), ("exhaust once", "memory")]
)
def test_death_and_exhaustion_are_retried(store, request_, calls, then, kind):
    requests = [request_(1, then=then), request_(2)]
    result = sweep.run(requests, store, device="cpu")
    assert result.counts["done"] == 2
    assert calls() == {1: 2, 2: 1}
    circumstances = code.circumstances(requests[0].computation, "numpy", "cpu")
    assert [
        (f.kind, f.attempt) for f in store.failures(requests[0], circumstances)
    ] == [(kind, 1)]


def test_a_cell_that_always_kills_its_worker_is_given_up(store, request_, calls):
    result = sweep.run([request_(1, then="die"), request_(2)], store)
    assert calls() == {1: 3, 2: 1}
    failure = result.outcomes[0].failure
    assert (failure.kind, failure.attempt) == ("death", 3)
    assert "The worker of backend 'numpy' died: signal 9 (Killed)." in failure.traceback
    assert result.outcomes[1].cell is not None


def test_a_hanging_cell_is_ended_at_its_time_limit(store, request_, calls):
    result = sweep.run([request_(1, then="hang"), request_(2)], store, time_limit=1.5)
    assert result.outcomes[0].failure.kind == "timeout"
    assert "No answer within 1.5 s" in result.outcomes[0].failure.traceback
    assert result.outcomes[1].cell is not None
    assert calls()[1] == 1


def test_a_full_disk_ends_the_run_with_the_earlier_cells_intact(store, request_):
    with pytest.raises(
        StoreError,
        match=r"Cannot write the store at .*No space left on device. Free space on that disk",
    ):
        sweep.run(
            [request_(1), request_(2, then="fill the disk"), request_(3)],
            store,
            workers=1,
        )
    kept = sweep.recorded([request_(point) for point in (1, 2, 3)], store)
    assert [outcome.cell is not None for outcome in kept.outcomes] == [
        True,
        False,
        False,
    ]
    assert list(store.path.rglob("*.tmp")) == []


def test_a_store_that_cannot_be_written_is_said_before_anything_runs(
    tmp_path, request_, calls
):
    (tmp_path / "file").write_text("")
    with pytest.raises(
        StoreError, match="A part of that path is a file: choose a directory"
    ):
        sweep.run([request_(1)], Store(tmp_path / "file" / "store"))
    assert calls() == {}


def test_a_read_only_store_is_said_before_anything_runs(
    store, request_, calls, monkeypatch
):
    def refuse(descriptor):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(
        StoreError,
        match=r"Cannot write the store at .*Read-only file system. It is read-only: choose",
    ):
        sweep.run([request_(1)], store)
    assert calls() == {}


def test_a_missing_device_is_said_before_anything_runs(store, request_, calls):
    with pytest.raises(BackendUnavailable, match=r"numpy.*'cuda' is not available"):
        sweep.run([request_(1)], store, device="cuda")
    assert calls() == {}


def test_a_missing_framework_is_said_before_anything_runs(store, request_, calls):
    with pytest.raises(
        BackendUnavailable, match="Backend 'nonesuch' needs the package 'nonesuch'"
    ):
        sweep.run([request_(1), request_(1, backend="nonesuch")], store)
    assert calls() == {}


def test_a_worker_that_cannot_start_is_said_before_anything_runs(
    store, request_, calls, monkeypatch
):
    monkeypatch.setattr(
        "harness.sweep.worker_process._command",
        lambda *_: ["sh", "-c", "echo bad driver >&2; exit 7"],
    )
    with pytest.raises(
        BackendUnavailable,
        match=r"'numpy': its worker process did not start.*exit code 7.*bad driver",
    ):
        sweep.run([request_(1)], store)
    assert calls() == {}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"engine": "slurm"}, "Unknown engine 'slurm'. Available: local"),
        ({"device": "tpu"}, "Unknown device 'tpu'. Allowed: auto, cpu, cuda."),
        ({"workers": 0}, "workers must be None or at least 1; got 0."),
        (
            {"time_limit": 0.0},
            "time_limit must be a positive number of seconds; got 0.0.",
        ),
        (
            {"memory_limit": 0},
            "memory_limit must be None or a positive number of bytes; got 0.",
        ),
    ],
)
def test_arguments_that_are_not_allowed_are_named(store, request_, options, message):
    with pytest.raises(InvalidInput, match=re.escape(message)):
        sweep.run([request_(1)], store, **options)


def test_a_request_that_is_no_json_is_named(store, request_):
    with pytest.raises(
        InvalidInput, match="A configuration must consist of finite JSON values"
    ):
        sweep.run([request_(np.float32(1))], store)


def test_nothing_is_begun_after_the_deadline(store, request_, calls):
    result = sweep.run([request_(1)], store, deadline=time.time() - 1)
    assert result.counts["unfinished"] == 1
    assert calls() == {}


def test_progress_counts_up_and_ends(store, request_):
    sweep.run([request_(1)], store)
    seen = []
    sweep.run(
        [request_(1), request_(2), request_(3, then="raise")],
        store,
        workers=1,
        progress=seen.append,
    )
    assert [
        (status.cached, status.done, status.failed) for status in (seen[0], seen[-1])
    ] == [(1, 0, 0), (1, 1, 1)]
    assert {status.planned for status in seen} == {3}
    assert [status.ended for status in seen] == [False] * (len(seen) - 1) + [True]
    assert seen[0].left is not None, (
        "the seconds of the cached cell are an estimate for the others"
    )


def test_recorded_cells_of_another_machine_are_found_by_request(store, request_):
    wanted = request_(1, backend="torch")
    elsewhere = sweep.Circumstances(
        "cuda", "another digest", {"numpy": "1", "torch": "2"}
    )
    origin = sweep.Provenance(
        "2026-01-01T00:00:00+00:00", 1.0, 8, "a GPU", {}, "3.12.0"
    )
    store.put(wanted, elsewhere, origin, {"draw": np.array([1.0, 2.0])})
    store.put(
        wanted,
        replace(elsewhere, code="x"),
        replace(origin, started_at="2026-01-02"),
        {"draw": np.zeros(2)},
    )
    result = sweep.recorded([wanted, request_(2)], store)
    assert result.outcomes[0].cell.provenance.started_at == "2026-01-02"
    assert result.counts == {
        "planned": 2,
        "cached": 1,
        "done": 0,
        "failed": 0,
        "unfinished": 1,
    }


def test_measurements_join_the_blocks_of_a_configuration(store, request_):
    result = sweep.run(
        [request_(1, replicates=(2, 3)), request_(1), request_(2)], store
    )
    measured = Measured("draw", result.measurements("numpy").cells)
    assert measured("draw", point=1).tolist() == [100, 101, 102, 103]
    assert measured.configurations() == [{"point": 1}, {"point": 2}]


def test_measurements_that_are_missing_are_named(store, request_):
    result = sweep.run([request_(1), request_(2, then="raise")], store)
    with pytest.raises(
        SweepFailed,
        match=r"1 of 2 cells of backend 'numpy' are missing(.|\n)*'point': 2.*ArithmeticError",
    ):
        result.measurements("numpy")


def test_tuples_in_a_configuration_are_kept_for_the_caller(store, request_):
    wanted = request_(1, widths=(3, 4))
    found = sweep.run([wanted], store).measurements("numpy")
    measured = Measured("draw", found.cells)("draw", widths=(3, 4))
    assert measured.tolist() == [100, 101]


@pytest.fixture
def gpu_machine(monkeypatch):
    monkeypatch.setattr(devices, "has_nvidia", lambda: True)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5,7")


def test_each_slot_of_a_gpu_machine_sees_one_of_the_callers_gpus(
    store, request_, gpu_machine
):
    result = sweep.run([request_(point) for point in range(6)], store)
    assert result.counts["done"] == 6
    seen = {
        outcome.cell.provenance.environment["CUDA_VISIBLE_DEVICES"]
        for outcome in result.outcomes
    }
    assert seen <= {"5", "7"}
    assert {outcome.cell.circumstances.device for outcome in result.outcomes} == {
        "cpu"
    }, "numpy has no GPU"


def test_cells_from_the_gpu_are_taken_without_starting_a_worker(
    store, request_, gpu_machine, no_worker
):
    wanted = request_(1)
    circumstances = code.circumstances(wanted.computation, "numpy", "cuda")
    origin = sweep.Provenance(
        "2026-01-01T00:00:00+00:00", 1.0, 8, "a GPU", {}, "3.12.0"
    )
    store.put(wanted, circumstances, origin, {"draw": np.zeros(2)})
    no_worker()
    assert sweep.run([wanted], store).outcomes[0].cell.circumstances.device == "cuda"


@pytest.mark.parametrize(
    ("visible", "files", "expected"),
    [
        (None, ["nvidiactl", "nvidia0", "nvidia1", "nvidia-uvm"], ["0", "1"]),
        (None, [], []),
        ("2, GPU-8f", ["nvidia0"], ["2", "GPU-8f"]),
        ("", ["nvidia0"], []),
    ],
)
def test_gpus_come_from_the_caller_or_the_device_files(
    tmp_path, monkeypatch, visible, files, expected
):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    for name in files:
        (tmp_path / name).touch()
    assert devices.gpus(tmp_path) == expected
    assert devices.has_nvidia(tmp_path) == bool(files)


def tasks(request_, *backends):
    circumstances = sweep.Circumstances("cpu", "code", {})
    return [
        Task(request_(index, backend=backend), circumstances)
        for index, backend in enumerate(backends)
    ]


class Books:
    """What an engine asks, and what it told."""

    def __init__(self, expected):
        self.expected, self.begun = expected, []

    def started(self, request):
        self.begun.append(request)


def test_slots_keep_to_their_backend_and_then_help_the_one_with_most_to_do(request_):
    agenda = Agenda(
        tasks(request_, "torch", "torch", "torch", "jax", "numpy", "numpy"),
        Books(lambda request: None),
        lambda: math.inf,
    )
    order = [
        agenda.take(backend) for backend in ("torch", "jax", "jax", "jax", "torch")
    ]
    assert [task.request.backend for task in order] == [
        "torch",
        "jax",
        "torch",
        "numpy",
        "torch",
    ]
    agenda.put_back(replace(order[0], attempt=2))
    assert [
        agenda.take("numpy").attempt,
        agenda.take("numpy").attempt,
        agenda.take("numpy"),
    ] == [1, 2, None]


def test_what_would_not_end_before_the_deadline_is_not_begun(request_):
    seconds = {0: 5.0, 1: 500.0, 2: None}
    books = Books(lambda request: seconds[request.configuration["point"]])
    agenda = Agenda(tasks(request_, "numpy", "numpy", "numpy"), books, lambda: 60.0)
    assert [agenda.take("numpy").request.configuration["point"] for _ in range(2)] == [
        0,
        2,
    ]
    assert agenda.take("numpy") is None
    assert [request.configuration["point"] for request in books.begun] == [0, 2]


def test_by_default_the_cpu_has_a_slot_per_core_at_most_eight(tmp_path, monkeypatch):
    for cores, workers, expected in [
        (2, None, (2, 1)),
        (8, None, (8, 1)),
        (16, None, (8, 2)),
        (8, 3, (3, 2)),
    ]:
        monkeypatch.setattr(devices, "cores", lambda cores=cores: cores)
        places = local_engine.Engine(Settings(tmp_path, "cpu", workers))._places()
        assert (len(places), places[0].threads) == expected


@pytest.mark.skipif(find_spec("torch") is None, reason="needs two backends")
def test_two_backends_run_side_by_side(store, request_):
    requests = [
        request_(point, backend=backend, seconds=0.4)
        for backend in ("numpy", "torch")
        for point in (1, 2)
    ]
    result = sweep.run(requests, store, workers=2, device="cpu")
    spans = {
        (o.request.backend, o.request.configuration["point"]): o.cell.arrays["span"][0]
        for o in result.outcomes
    }
    assert spans["numpy", 1][0] < spans["torch", 2][1]
    assert spans["torch", 1][0] < spans["numpy", 2][1]


def test_importing_the_sweep_needs_numpy_alone():
    heavy = "scipy", "statsmodels", "pytest", "jinja2", "altair", "torch", "jax"
    program = (
        "import sys, harness.sweep.__main__, harness.sweep.worker, harness.sweep.local_engine;"
        f"print([name for name in {heavy!r} if name in sys.modules])"
    )
    found = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout
    assert found == "[]\n"
