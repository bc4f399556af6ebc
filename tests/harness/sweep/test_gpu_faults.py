"""What goes wrong with a GPU at night, played by what the frameworks would say, and by workers that
do not start.
"""

import re
from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest

from harness import backends, sweep
from harness.errors import BackendUnavailable
from harness.experiment import Request
from harness.sweep import Store, code, device_memory, devices, worker, worker_process
from harness.sweep.engines import Settings
from harness.sweep.local_engine import Engine, Slot
from harness.sweep.worker import Worker
from harness.sweep.worker_process import Place

COMPUTATIONS = """
import os
import time
from pathlib import Path

import numpy as np


def draw(backend, configuration, replicates, stream):
    time.sleep(0.3)
    return {"draw": np.array(replicates)}


def lost(backend, configuration, replicates, stream):
    raise RuntimeError("CUDA error: an illegal memory access was encountered")


def last(backend, configuration, replicates, stream):
    if configuration["point"] == 1:
        Path("broken").touch()
        os._exit(7)
    return {"draw": np.array(replicates)}
"""
NO_START = ["sh", "-c", "echo no GPU any more >&2; exit 7"]


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


@pytest.fixture
def requests(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "claims" / "toy" / "computations.py"
    file.parent.mkdir(parents=True)
    file.write_text(COMPUTATIONS)
    return lambda name, count: [
        Request(f"toy/{name}", {"point": point}, (0,), "test", "numpy", "float64")
        for point in range(count)
    ]


@pytest.fixture
def gpus(monkeypatch):
    def visible(entries):
        monkeypatch.setattr(devices, "has_nvidia", lambda: True)
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", entries)

    return visible


def refusing(monkeypatch, refused):
    """Workers do not start where `refused(place)` holds."""
    command = worker_process._command

    def commanded(backend, place, *others):
        return NO_START if refused(place) else command(backend, place, *others)

    monkeypatch.setattr(worker_process, "_command", commanded)


def test_a_gpu_on_which_no_worker_starts_is_given_up_and_the_others_do_its_cells(
    store, requests, gpus, monkeypatch
):
    gpus("5,7")
    refusing(monkeypatch, lambda place: place.gpu == "7")
    result = sweep.run(requests("draw", 8), store)
    assert result.counts["done"] == 8
    assert {
        outcome.cell.provenance.environment["CUDA_VISIBLE_DEVICES"]
        for outcome in result.outcomes
    } == {"5"}
    (failure,) = [
        one
        for o in result.outcomes
        for one in store.failures(o.request, o.cell.circumstances)
    ]
    assert failure.kind == "death"
    assert failure.traceback.startswith(
        "One slot is given up. Backend 'numpy': its worker process did not start."
    )
    assert "no GPU any more" in failure.traceback


def test_when_the_last_gpu_is_lost_the_run_ends_with_that_and_keeps_its_cells(
    store, requests, gpus, monkeypatch, tmp_path
):
    gpus("5")
    refusing(monkeypatch, lambda place: (tmp_path / "broken").exists())
    wanted = requests("last", 4)
    with pytest.raises(
        BackendUnavailable, match=r"worker process did not start.*no GPU any more"
    ):
        sweep.run(wanted, store)
    assert [len(store.answers(request)) for request in wanted] == [1, 0, 0, 0]


def test_a_worker_that_finds_no_gpu_any_more_does_not_go_on_without(tmp_path):
    with Engine(Settings(store=tmp_path, device="auto")) as engine:
        engine._devices["numpy"] = "cuda"
        slot = Slot(Place("cpu", 1))
        with pytest.raises(
            BackendUnavailable,
            match=r"'numpy' began on 'cuda' and now finds 'cpu' alone.*nvidia-smi",
        ):
            engine._worker(slot, "numpy")
        slot.clear()


def test_a_lost_context_is_tried_again_in_a_new_process(store, requests):
    (wanted,) = requests("lost", 1)
    result = sweep.run([wanted], store, device="cpu", workers=1)
    assert result.counts["failed"] == 1
    failures = store.failures(
        wanted, code.circumstances(wanted.computation, "numpy", "cpu")
    )
    assert [(failure.kind, failure.attempt) for failure in failures] == [
        ("death", 1),
        ("death", 2),
        ("death", 3),
    ]


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        (
            "CUDA error: out of memory\nCUDA kernel errors might be asynchronously reported",
            "memory",
        ),
        (
            "RESOURCE_EXHAUSTED: Out of memory while trying to allocate 68719476736 bytes.",
            "memory",
        ),
        ("INTERNAL: CUDA_ERROR_OUT_OF_MEMORY: out of memory", "memory"),
        (
            "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
            "memory",
        ),
        (
            "CUDA error: CUBLAS_STATUS_NOT_INITIALIZED when calling `cublasCreate(handle)`",
            "memory",
        ),
        ("cusolver error: CUSOLVER_STATUS_ALLOC_FAILED", "memory"),
        ("CUDA error: an illegal memory access was encountered", "death"),
        ("CUDA error: uncorrectable ECC error encountered", "death"),
        (
            "INTERNAL: CUDA error: Failed to load in-memory CUBIN: CUDA_ERROR_LAUNCH_FAILED",
            "death",
        ),
        ("CUDNN_STATUS_EXECUTION_FAILED", "death"),
        ("mat1 and mat2 shapes cannot be multiplied (2x3 and 4x5)", "error"),
    ],
)
def test_what_a_gpu_says_is_told_apart(said, kind):
    assert worker._kind(RuntimeError(said)) == kind


def test_the_frameworks_own_errors_are_told_apart():
    torch = pytest.importorskip("torch")
    jax = pytest.importorskip("jax")
    assert (
        worker._kind(
            torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        )
        == "memory"
    )
    assert (
        worker._kind(torch.AcceleratorError("CUDA error: device-side assert triggered"))
        == "death"
    )
    assert (
        worker._kind(
            jax.errors.JaxRuntimeError(
                "RESOURCE_EXHAUSTED: Out of memory allocating 8 bytes."
            )
        )
        == "memory"
    )


@pytest.mark.skipif(devices.has_nvidia(), reason="there is a GPU")
@pytest.mark.parametrize(
    ("built", "why"),
    [
        (None, r"It was built for the CPU alone\. Use"),
        ("13.0", r"It was built for CUDA 13.0: is a driver there .* Use"),
    ],
)
def test_pytorch_without_a_gpu_says_what_it_was_built_for(monkeypatch, built, why):
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(torch.version, "cuda", built)
    with pytest.raises(
        BackendUnavailable,
        match=rf"PyTorch {re.escape(torch.__version__)} sees no GPU\. {why} device='cpu'",
    ):
        backends.get("torch", "cuda")


@pytest.mark.skipif(devices.has_nvidia(), reason="there is a GPU")
def test_jax_without_a_gpu_says_what_jax_says_and_where_to_look():
    pytest.importorskip("jax")
    with pytest.raises(
        BackendUnavailable,
        match=r"sees none \(.*gpu.*\)\. Use device='cpu'.*jax\.devices\(\)' say what",
    ):
        backends.get("jax", "cuda")


class Broken:
    """Operations of a GPU that a framework sees, and whose products are these."""

    device, dtype = "cuda", "float32"

    def __init__(self, product):
        self.product = product

    def session(self):
        return nullcontext()

    def put(self, array):
        return self

    def __matmul__(self, other):
        return self.product()

    def fetch(self, tensor):
        return tensor


def no_kernel():
    raise RuntimeError(
        "CUDA error: no kernel image is available for execution on the device\nCompile with ..."
    )


@pytest.fixture
def greeting(tmp_path, monkeypatch):
    """Of a worker whose framework multiplies like this on its GPU."""

    def greeted(product):
        found = replace(backends.get("numpy"), operations=Broken(product))
        monkeypatch.setattr(worker.backends, "get", lambda *_, **__: found)
        monkeypatch.setattr(device_memory, "total", lambda device: None)
        monkeypatch.setattr(worker, "_device_name", lambda device: "a GPU")
        return Worker("numpy", "cuda", 1, Store(tmp_path)).greeting()

    return greeted


@pytest.mark.parametrize(
    ("product", "message"),
    [
        (
            no_kernel,
            r"sees a GPU and cannot compute on it: RuntimeError: CUDA error: no kernel image is "
            r"available for ",
        ),
        (
            lambda: np.zeros((8, 8)),
            r"On its GPU the numpy backend multiplies wrongly: 1 times 1 is ",
        ),
    ],
)
def test_a_gpu_that_cannot_compute_is_said_at_the_start(greeting, product, message):
    said = greeting(product)
    assert said["event"] == "unavailable"
    assert message in said["message"]


def test_a_gpu_that_computes_is_taken(greeting):
    assert greeting(lambda: np.eye(8))["event"] == "ready"
