"""The worker's protocol, spoken by hand: one process, JSON lines in and out."""

import json
import os
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import asdict, replace

import pytest

from harness.errors import InvalidInput
from harness.experiment import Request
from harness.sweep import Store, code, environment
from harness.sweep.worker import load

COMPUTATIONS = """
import os
import sys
import time

import numpy as np


def draw(backend, configuration, replicates, stream):
    return {"draw": np.array(replicates) * configuration["scale"]}


def chatter(backend, configuration, replicates, stream):
    print("to stdout")
    os.write(1, b'{"event": "done"}\\n')
    return {"read": np.array([len(sys.stdin.read())])}


def sleep(backend, configuration, replicates, stream):
    time.sleep(60)


def fail(backend, configuration, replicates, stream):
    return {"ratio": np.array([1 / configuration["zero"]])}


def hoard(backend, configuration, replicates, stream):
    return {"ones": np.ones((1, 2**31))}


def unaware(backend, configuration, replicates, stream):
    raise RuntimeError("RESOURCE_EXHAUSTED: Out of memory while trying to allocate 1 byte.")


def listed(backend, configuration, replicates, stream):
    return {"draw": [1.0]}
"""


@pytest.fixture
def computations(tmp_path, monkeypatch):
    """The file of a paper in the current folder."""
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "claims" / "toy" / "computations.py"
    file.parent.mkdir(parents=True)
    file.write_text(COMPUTATIONS)
    return file


@contextmanager
def worker(store, *options, backend="numpy", device="cpu"):
    command = [
        sys.executable,
        "-m",
        "harness.sweep.worker",
        "--backend",
        backend,
        "--device",
        device,
    ]
    process = subprocess.Popen(
        [*command, "--store", str(store), *options],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, **environment.variables(device, threads=1)},
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def hear(process):
    return json.loads(process.stdout.readline())


def ask(process, request, circumstances=None):
    circumstances = circumstances or code.circumstances(
        request.computation, "numpy", "cpu"
    )
    process.stdin.write(
        json.dumps({"request": asdict(request), "circumstances": asdict(circumstances)})
        + "\n"
    )
    process.stdin.flush()


def request(computations, name, replicates=(0,), **configuration):
    return Request(f"toy/{name}", configuration, replicates, "test", "numpy", "float64")


def test_a_worker_greets_computes_and_stores(computations, tmp_path):
    wanted = request(computations, "draw", replicates=(3, 4), scale=10)
    with worker(tmp_path / "store") as process:
        ready = hear(process)
        assert {name: ready[name] for name in ("event", "backend", "device")} == {
            "event": "ready",
            "backend": "numpy",
            "device": "cpu",
        }
        assert ready["versions"] == code.versions("numpy")
        ask(process, wanted)
        done = hear(process)
    assert (done["event"], done["request"]) == ("done", wanted.digest)
    assert done["seconds"] >= 0
    cell = Store(tmp_path / "store").find(
        wanted, code.circumstances(wanted.computation, "numpy", "cpu")
    )
    assert cell.arrays["draw"].tolist() == [30, 40]
    assert cell.provenance.device_name == ready["device_name"]


def test_the_environment_is_set_before_the_start_and_recorded(computations, tmp_path):
    wanted = request(computations, "draw", scale=1)
    with worker(tmp_path) as process:
        hear(process)
        ask(process, wanted)
        hear(process)
    recorded = Store(tmp_path).answers(wanted)[0].provenance.environment
    assert (
        recorded.items()
        >= {
            "OMP_NUM_THREADS": "1",
            "MKL_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
            "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
            "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
            "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
            "NVIDIA_TF32_OVERRIDE": "0",
            "PYTHONHASHSEED": "0",
            "JAX_PLATFORMS": "cpu",
        }.items()
    )


@pytest.mark.parametrize(
    ("device", "gpu", "expected"),
    [
        ("cpu", None, {"JAX_PLATFORMS": "cpu"}),
        ("cuda", "3", {"CUDA_VISIBLE_DEVICES": "3"}),
        ("auto", None, {}),
    ],
)
def test_a_worker_is_kept_to_its_device(device, gpu, expected):
    variables = environment.variables(device, threads=4, gpu=gpu, inherited={})
    assert {
        name: variables[name]
        for name in ("JAX_PLATFORMS", "CUDA_VISIBLE_DEVICES")
        if name in variables
    } == expected
    assert ("--xla_gpu_deterministic_ops=true" in variables["XLA_FLAGS"].split()) == (
        device != "cpu"
    )
    assert variables["OMP_NUM_THREADS"] == "4"


def test_what_the_caller_told_xla_stays_and_comes_before_what_is_set():
    told = {
        "XLA_FLAGS": "--xla_dump_to=there --xla_gpu_enable_triton_gemm=false "
        "--xla_gpu_deterministic_ops=false"
    }
    own = "--xla_gpu_deterministic_ops=true --xla_gpu_enable_triton_gemm=false"
    expected = f"--xla_dump_to=there --xla_gpu_deterministic_ops=false {own}"
    assert (
        environment.variables("cuda", threads=4, inherited=told)["XLA_FLAGS"]
        == expected
    )
    assert (
        environment.variables("cuda", threads=4, inherited={"XLA_FLAGS": expected})[
            "XLA_FLAGS"
        ]
        == expected
    )
    assert environment.variables("cpu", threads=4, inherited={})["XLA_FLAGS"] == ""


def test_no_flag_stands_behind_a_word_that_is_none():
    """XLA reads no further there: `intra_op_parallelism_threads=1 --xla_gpu_deterministic_ops=true`
    sets nothing.
    """
    words = environment.variables(
        "cuda", threads=1, inherited={"XLA_FLAGS": "word --xla_flag=1"}
    )["XLA_FLAGS"].split()
    assert [word[:2] == "--" for word in words] == [True] * 4 + [False] * 2
    assert {
        "--xla_flag=1",
        "--xla_gpu_deterministic_ops=true",
        "--xla_cpu_multi_thread_eigen=false",
    } < set(words)


def test_a_library_that_prints_or_reads_cannot_garble_the_protocol(
    computations, tmp_path
):
    wanted = request(computations, "chatter")
    with worker(tmp_path) as process:
        hear(process)
        ask(process, wanted)
        assert hear(process)["request"] == wanted.digest
        process.stdin.close()
        assert "to stdout" in process.stderr.read()
    assert Store(tmp_path).answers(wanted)[0].arrays["read"].tolist() == [0]


def test_the_end_of_stdin_ends_a_worker_that_is_computing(computations, tmp_path):
    with worker(tmp_path) as process:
        hear(process)
        ask(process, request(computations, "sleep"))
        time.sleep(0.2)
        process.stdin.close()
        process.wait(timeout=5)
    assert list(tmp_path.rglob("*.cell")) == []


def test_after_an_error_the_worker_goes_on(computations, tmp_path):
    with worker(tmp_path) as process:
        hear(process)
        ask(process, request(computations, "fail", zero=0))
        failed = hear(process)
        ask(process, request(computations, "fail", zero=1))
        assert hear(process)["event"] == "done"
    assert (failed["event"], failed["kind"]) == ("failed", "error")
    assert "computations.py" in failed["traceback"]
    assert failed["traceback"].endswith("ZeroDivisionError: division by zero\n")


@pytest.mark.skipif(
    sys.platform != "linux", reason="memory of a process can be limited on Linux only"
)
def test_memory_beyond_the_limit_is_a_failure_of_its_own_kind(computations, tmp_path):
    with worker(tmp_path, "--memory-limit", str(2**30)) as process:
        hear(process)
        ask(process, request(computations, "hoard"))
        assert hear(process)["kind"] == "memory"


@pytest.mark.parametrize(
    ("name", "kind", "message"),
    [
        ("unaware", "memory", "RESOURCE_EXHAUSTED"),
        (
            "listed",
            "error",
            "InvalidInput: A computation must return name -> numpy array; 'draw' is list.",
        ),
    ],
)
def test_failures_are_told_apart(computations, tmp_path, name, kind, message):
    with worker(tmp_path) as process:
        hear(process)
        ask(process, request(computations, name))
        failed = hear(process)
    assert failed["kind"] == kind
    assert message in failed["traceback"]


def test_code_that_changed_since_the_plan_is_not_run(computations, tmp_path):
    wanted = request(computations, "draw", scale=1)
    planned = replace(
        code.circumstances(wanted.computation, "numpy", "cpu"), code="older"
    )
    with worker(tmp_path) as process:
        hear(process)
        ask(process, wanted, planned)
        failed = hear(process)
    assert (
        "code, packages or device changed in between. Start the sweep again."
        in failed["traceback"]
    )
    assert Store(tmp_path).answers(wanted) == []


@pytest.mark.parametrize(
    ("backend", "device", "message"),
    [
        ("numpy", "cuda", "'cuda' is not available"),
        ("nonesuch", "cpu", "Unknown backend 'nonesuch'. Available: "),
    ],
)
def test_a_backend_that_is_not_there_is_said_at_the_start(
    tmp_path, backend, device, message
):
    with worker(tmp_path, backend=backend, device=device) as process:
        greeting = hear(process)
    assert greeting["event"] == "unavailable"
    assert message in greeting["message"]


@pytest.mark.parametrize(
    ("computation", "message"),
    [
        (
            "harness.seeds:nothing",
            "Computation 'harness.seeds:nothing': there is no function 'nothing' in harness.seeds.",
        ),
        (
            "nowhere/f",
            "Computation 'nowhere/f': there is no folder claims/nowhere \\(looked from .*\\)",
        ),
    ],
)
def test_a_computation_that_cannot_be_loaded_is_named(computation, message):
    with pytest.raises(InvalidInput, match=message):
        load(computation)


def test_a_file_that_fails_to_load_fails_again_with_its_own_error(tmp_path):
    file = tmp_path / "broken" / "computations.py"
    file.parent.mkdir()
    file.write_text("def f(): ...\n1 / 0\n")
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            load("broken/f", tmp_path)
