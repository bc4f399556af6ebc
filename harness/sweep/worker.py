"""A worker: one process, one backend.

It reads tasks as JSON lines on stdin, and writes cells to the store.

    in    {"request": {...}, "circumstances": {...}, "attempt": 1, 2 ...}
    out   {"event": "ready", "backend", "device", "device_name", "versions"}     once, at the start
          {"event": "unavailable", "message"}     instead, if the backend is not there
          {"event": "done", "request", "seconds"}
          {"event": "failed", "request", "kind": "error" | "data" | "memory" | "store", "traceback"}

What another run stored in the meantime is not computed again. A task that is tried again, since
memory ran out or the worker died, is given an eighth of the memory for its blocks each time.

Answers go to a private copy of stdout, so a library that prints cannot garble them. At the end of
stdin, which is also what the death of the coordinator looks like, the process exits at once,
whatever it is computing.
"""

import argparse
import importlib
import json
import os
import platform
import queue
import sys
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from io import TextIOWrapper
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from harness import backends, papers
from harness.errors import (
    BackendUnavailable,
    ClaimsError,
    DatasetCorrupted,
    DatasetUnavailable,
    InvalidInput,
    StoreError,
)
from harness.experiment import Request
from harness.sweep import cell, code, device_memory, environment
from harness.sweep.cell import Circumstances, Provenance
from harness.sweep.store import Store

Computation = Callable[..., Any]
TRACEBACK_LIMIT = 20_000
SHRINKAGE = 8
OUT_OF_MEMORY = (
    *(
        "RESOURCE_EXHAUSTED",
        "can't allocate memory",
        "not enough memory",
        "CUDA out of memory",
    ),
    *(
        "CUDA error: out of memory",
        "CUDA_ERROR_OUT_OF_MEMORY",
        "cudaErrorMemoryAllocation",
        "_STATUS_ALLOC_FAILED",
    ),
    # cuBLAS, cuDNN and cuSOLVER, where there is no memory for what they begin with
    "_STATUS_NOT_INITIALIZED",
)
GPU_LOST = (
    "CUDA error",
    "CUDA_ERROR_",
    "cudaError",
    "_STATUS_EXECUTION_FAILED",
    "_STATUS_INTERNAL_ERROR",
)
"""Of a context that is unusable from then on, in every framework; a new process has a new one."""


def main() -> None:
    """Serves tasks until stdin ends."""
    arguments = _parser().parse_args()
    answers, lines = _private_pipes()
    tasks: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=_receive, args=(lines, tasks), daemon=True).start()
    if arguments.memory_limit is not None and arguments.device == "cpu":
        _limit_memory(arguments.memory_limit)
    worker = Worker(
        arguments.backend,
        arguments.device,
        arguments.threads,
        Store(arguments.store),
        claims=arguments.claims,
    )
    _answer(answers, worker.greeting())
    while True:
        _answer(answers, worker.serve(json.loads(tasks.get())))


class Worker:
    """One backend on one device; keeps what it loaded."""

    def __init__(
        self,
        backend: str,
        device: str,
        threads: int,
        store: Store,
        *,
        claims: Path = papers.CLAIMS,
    ) -> None:
        self.backend, self.device, self.threads, self.store, self.claims = (
            backend,
            device,
            threads,
            store,
            claims,
        )
        self.loaded: dict[str, tuple[Computation, Circumstances]] = {}
        self.backends: dict[str | None, backends.Backend] = {}
        self.device_name = ""

    def greeting(self) -> dict[str, Any]:
        """The ready message, or why the backend is not there."""
        try:
            device = self._backend(None).device
            versions = code.versions(self.backend)
            code.prepare(self.backend)  # here, so that it counts for no cell
            if device == "cuda":
                _prove(self._backend(None))
        except (BackendUnavailable, InvalidInput) as error:
            return {"event": "unavailable", "message": str(error)}
        self.device_name = _device_name(device)
        about = {
            "backend": self.backend,
            "device": device,
            "device_name": self.device_name,
        }
        return {"event": "ready", **about, "versions": versions}

    def serve(self, task: dict[str, Any]) -> dict[str, Any]:
        """Computes and stores one cell; the answer to send."""
        request = cell.request_of(task["request"])
        try:
            seconds = self._compute(
                request, Circumstances(**task["circumstances"]), task.get("attempt", 1)
            )
        except Exception as error:
            return {
                "event": "failed",
                "request": request.digest,
                "kind": _kind(error),
                "traceback": _text(error),
            }
        return {"event": "done", "request": request.digest, "seconds": seconds}

    def _compute(
        self, request: Request, promised: Circumstances, attempt: int
    ) -> float:
        computation, circumstances = self._load(request)
        if circumstances != promised:
            raise InvalidInput(
                f"The sweep was planned for {promised}, and this worker has {circumstances}: "
                "code, packages or device changed in between. Start the sweep again."
            )
        if (answer := self.store.find(request, circumstances)) is not None:
            return answer.provenance.seconds
        backend = self._backend(request.dtype)
        with backend.operations.session():
            settings = environment.recorded(os.environ) | environment.in_force(
                backend.device
            )
        if attempt > 1:
            backend = replace(
                backend,
                memory_budget=max(
                    1, backend.memory_budget // SHRINKAGE ** (attempt - 1)
                ),
            )
        settings["memory_budget"] = str(backend.memory_budget)
        started_at, start = (
            datetime.now(UTC).isoformat(timespec="seconds"),
            time.perf_counter(),
        )
        arrays = computation(
            backend, request.configuration, request.replicates, request.stream
        )
        seconds = time.perf_counter() - start
        self.store.put(
            request,
            circumstances,
            self._provenance(started_at, seconds, settings),
            arrays,
        )
        return seconds

    def _load(self, request: Request) -> tuple[Computation, Circumstances]:
        name = request.computation
        if name not in self.loaded:
            function = load(name, self.claims)
            circumstances = code.circumstances(
                name, self.backend, self._backend(None).device, self.claims
            )
            self.loaded[name] = function, circumstances
        return self.loaded[name]

    def _backend(self, dtype: str | None) -> backends.Backend:
        if dtype not in self.backends:
            found = backends.get(self.backend, device=self.device, dtype=dtype)
            if (memory := device_memory.total(found.device)) is not None:
                found = replace(found, memory_budget=device_memory.budget(memory))
            self.backends[dtype] = found
        return self.backends[dtype]

    def _provenance(
        self, started_at: str, seconds: float, settings: dict[str, str]
    ) -> Provenance:
        return Provenance(
            started_at,
            seconds,
            self.threads,
            self.device_name,
            settings,
            platform.python_version(),
        )


def load(computation: str, claims: Path = papers.CLAIMS) -> Computation:
    """The function that a computation's stable name stands for; of a paper, only the module that
    defines it is loaded.

    Raises:
        InvalidInput: if there is none, or two.

    >>> load("harness.seeds:derive").__name__
    'derive'
    """
    if ":" in computation:
        target, name = code.split(computation)
        module = importlib.import_module(target)
    else:
        file, (_, name) = papers.locate(computation, claims), papers.split(computation)
        target, module = str(file), papers.imported(file)
    function = getattr(module, name, None)
    if not callable(function):
        raise InvalidInput(
            f"Computation {computation!r}: there is no function {name!r} in {target}."
        )
    return function


def _kind(error: Exception) -> str:
    if isinstance(error, StoreError):
        return "store"
    if isinstance(error, DatasetUnavailable) and not isinstance(
        error, DatasetCorrupted
    ):
        return "data"
    if isinstance(error, ClaimsError):
        return "error"
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return "memory"
    signs = {"memory": OUT_OF_MEMORY, "death": GPU_LOST}
    return next(
        (kind for kind, of in signs.items() if any(sign in str(error) for sign in of)),
        "error",
    )


def _prove(backend: backends.Backend) -> None:
    """Raises BackendUnavailable unless the GPU multiplies; a framework sees one that it has no
    kernels for, too.
    """
    operations, one = backend.operations, np.eye(8)
    try:
        with operations.session():
            product = operations.fetch(operations.put(one) @ operations.put(one))
    except Exception as error:
        said = f"{type(error).__name__}: {error}".split("\n")[0]
        raise BackendUnavailable(
            f"The {backend.name} backend sees a GPU and cannot compute on it: {said}. Is the GPU "
            "in order and free "
            f"(nvidia-smi), and its driver new enough for this build of {backend.name}? Or use "
            "device='cpu'."
        ) from error
    if not np.array_equal(product, one):
        raise BackendUnavailable(
            f"On its GPU the {backend.name} backend multiplies wrongly: 1 times 1 is {product}."
        )


def _text(error: Exception) -> str:
    if _kind(error) in ("store", "data"):
        return str(error)
    return "".join(traceback.format_exception(error))[-TRACEBACK_LIMIT:]


def _private_pipes() -> tuple[TextIO, TextIO]:
    """Copies of stdout and stdin; what others print goes to stderr, and what they read is empty."""
    answers, lines = (
        os.fdopen(os.dup(1), "w", encoding="utf-8"),
        os.fdopen(os.dup(0), encoding="utf-8"),
    )
    os.dup2(2, 1)
    if isinstance(sys.stdout, TextIOWrapper):
        # The worker may end at any moment, without a flush; what a library said should be in the
        # log by then.
        sys.stdout.reconfigure(line_buffering=True)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    return answers, lines


def _receive(lines: TextIO, tasks: "queue.SimpleQueue[str]") -> None:
    for line in lines:
        tasks.put(line)
    os._exit(0)


def _answer(answers: TextIO, message: dict[str, Any]) -> None:
    answers.write(json.dumps(message) + "\n")
    answers.flush()


def _limit_memory(limit: int) -> None:
    """Bounds private writable memory, not address space, of which frameworks reserve far more than
    they use.
    """
    import resource

    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))


def _device_name(device: str) -> str:
    if device == "cuda" and "torch" in sys.modules:
        return str(sys.modules["torch"].cuda.get_device_name())
    if device == "cuda" and "jax" in sys.modules:
        return str(sys.modules["jax"].devices()[0].device_kind)
    return _processor()


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    models = (
        line.partition(":")[2].strip()
        for line in lines
        if line.startswith("model name")
    )
    return next(models, platform.processor() or platform.machine())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m harness.sweep.worker",
        description="One worker of a sweep. Engines start it; you need not.",
    )
    parser.add_argument("--backend", required=True)
    parser.add_argument("--device", default="auto", choices=backends.DEVICES)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--store", type=Path, required=True)
    parser.add_argument("--claims", type=Path, default=papers.CLAIMS)
    parser.add_argument("--memory-limit", type=int, help="bytes of data, on the CPU")
    return parser


if __name__ == "__main__":
    main()
