"""Engine "local": worker processes on this machine, one per slot, each with a thread."""

import queue
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Self

from harness.errors import BackendUnavailable, StoreError
from harness.sweep import devices
from harness.sweep.engines import Books, Result, Settings, Task
from harness.sweep.store import CUT, Failure
from harness.sweep.worker_process import (
    Place,
    WorkerDeathError,
    WorkerProcess,
    WorkerTimeoutError,
)

RETRIES = 2
RETRIED = ("death", "memory")
TICK = 1.0


REFUSALS = 3
"""Workers in succession that do not start in a slot before it is given up: its GPU is lost, or its
memory taken.
"""


@dataclass
class Slot:
    """A place for one worker at a time."""

    place: Place
    worker: WorkerProcess | None = None
    refusals: int = 0

    def clear(self) -> None:
        """Ends the worker, if there is one."""
        if self.worker is not None:
            self.worker.close()
            self.worker = None


class Agenda:
    """The tasks not yet started, a queue per backend; taken from by many threads."""

    def __init__(
        self, tasks: Sequence[Task], books: Books, left: Callable[[], float]
    ) -> None:
        self.queues: dict[str, deque[Task]] = {}
        for task in tasks:
            self.queues.setdefault(task.request.backend, deque()).append(task)
        self.books, self.left, self.lock = books, left, threading.Lock()

    def take(self, backend: str) -> Task | None:
        """The next task of this backend, else of the one with most to do; None when there is none
        left.

        A task that would end after the deadline is dropped.
        """
        with self.lock:
            while True:
                tasks = self.queues.get(backend) or max(self.queues.values(), key=len)
                if not tasks:
                    return None
                task = tasks.popleft()
                if (self.books.expected(task.request) or 0.0) < self.left():
                    self.books.started(task.request)
                    return task

    def put_back(self, task: Task) -> None:
        """A task to be tried again, after all others of its backend."""
        with self.lock:
            self.queues[task.request.backend].append(task)


MOST_SLOTS = 8
"""On a CPU, unless told otherwise: each takes about half a gigabyte for its framework alone."""


class Engine:
    """Computes tasks in worker processes on this machine; see `engines.Engine`.

    Slots: on the CPU one per core, at most 8, which share the cores as threads (cells are small:
    one with two threads was measured to take longer than with one); on GPUs one per GPU in
    CUDA_VISIBLE_DEVICES. Each slot belongs to one backend, and passes to another when its own has
    nothing left.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._slots: list[Slot] = []
        self._devices: dict[str, str] = {}
        self._threads: list[threading.Thread] = []
        self._stopping = False
        self._serving = 0
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        with self._lock:
            self._stopping = True
            for slot in self._slots:
                if slot.worker is not None:
                    slot.worker.kill()
        for thread in self._threads:
            thread.join()
        for slot in self._slots:
            slot.clear()

    def start(self, backends: Sequence[str]) -> dict[str, str]:
        """Proves that each backend is there by starting a worker; one that finds a free slot is
        kept.
        """
        new = [backend for backend in backends if backend not in self._devices]
        self._slots = self._slots or [Slot(place) for place in self._places()]
        trials = [
            Slot(self._slots[i % len(self._slots)].place) for i in range(len(new))
        ]
        try:
            for backend, trial in zip(new, trials, strict=True):
                trial.worker = WorkerProcess(
                    backend, trial.place, self.settings.store, self.settings.claims
                )
            for backend, trial in zip(new, trials, strict=True):
                assert trial.worker is not None
                self._devices[backend] = trial.worker.greet()
            for trial, slot in zip(trials, self._slots, strict=False):
                if slot.worker is None:
                    slot.worker, trial.worker = trial.worker, None
        finally:
            for trial in trials:
                trial.clear()
        return {backend: self._devices[backend] for backend in backends}

    def _places(self) -> list[Place]:
        device, workers, cores = (
            self.settings.device,
            self.settings.workers,
            devices.cores(),
        )
        gpus = [] if device == "cpu" else devices.gpus()
        count = workers or len(gpus) or min(cores, MOST_SLOTS)
        threads = max(1, cores // count)
        pinned = [gpus[i % len(gpus)] if gpus else None for i in range(count)]
        return [
            Place(device, threads, gpu, self.settings.memory_limit) for gpu in pinned
        ]

    def slots(self) -> int:
        """How many tasks run at a time."""
        return len(self._slots)

    def compute(self, tasks: Sequence[Task], books: Books) -> Iterator[Result | None]:
        """Results as they come, and None about once a second."""
        agenda = Agenda(tasks, books, self.settings.left)
        results: queue.SimpleQueue[Result | BaseException | None] = queue.SimpleQueue()
        names, serving = list(agenda.queues), len(self._slots)
        self._serving = serving
        for index, slot in enumerate(self._slots):
            backend = slot.worker.backend if slot.worker else names[index % len(names)]
            self._threads.append(
                threading.Thread(
                    target=self._serve,
                    args=(slot, backend, agenda, results),
                    daemon=True,
                )
            )
            self._threads[-1].start()
        while serving:
            try:
                result = results.get(timeout=TICK)
            except queue.Empty:
                yield None
                continue
            if isinstance(result, BaseException):
                raise result
            if result is None:
                serving -= 1
            else:
                yield result

    def _serve(
        self,
        slot: Slot,
        backend: str,
        agenda: Agenda,
        results: "queue.SimpleQueue[Any]",
    ) -> None:
        try:
            while not self._stopping and (task := agenda.take(backend)) is not None:
                backend = task.request.backend
                result = self._tried(slot, task)
                if result is None:
                    agenda.put_back(task)
                    continue
                results.put(result)
                if result.again:
                    agenda.put_back(replace(task, attempt=task.attempt + 1))
                if slot.refusals:
                    break
        except BaseException as error:
            results.put(error)
        with self._lock:
            self._serving -= 1
        results.put(None)

    def _tried(self, slot: Slot, task: Task) -> Result | None:
        """The end of one attempt; None where the backend refused, which is no fault of the task's,
        and may try again.
        """
        try:
            result = self._attempt(slot, task)
        except BackendUnavailable as error:
            slot.clear()
            slot.refusals += 1
            if slot.refusals < REFUSALS:
                return None
            if self._serving == 1:
                raise
            return failed(task, "death", f"One slot is given up. {error}")
        slot.refusals = 0
        return result

    def _attempt(self, slot: Slot, task: Task) -> Result:
        """The end of one attempt."""
        limit = self.settings.time_limit
        cut = self.settings.left() < limit
        try:
            worker = self._worker(slot, task.request.backend)
            answer = worker.ask(task, min(limit, self.settings.left()))
        except WorkerTimeoutError as error:
            slot.clear()
            return failed(task, CUT if cut else "timeout", str(error))
        except WorkerDeathError as error:
            slot.clear()
            return failed(task, "death", str(error))
        return self._judged(slot, task, answer)

    def _judged(self, slot: Slot, task: Task, answer: dict[str, Any]) -> Result:
        if answer["event"] == "done":
            return Result(task)
        if answer["kind"] == "store":
            raise StoreError(answer["traceback"])
        # What ran out of memory has it in pieces, and after an error a CUDA context may be
        # unusable.
        cuda = self._devices.get(task.request.backend) == "cuda"
        if answer["kind"] == "memory" or (cuda and answer["kind"] != "data"):
            slot.clear()
        return failed(task, answer["kind"], answer["traceback"])

    def _worker(self, slot: Slot, backend: str) -> WorkerProcess:
        if slot.worker is not None and slot.worker.backend == backend:
            return slot.worker
        slot.clear()
        with self._lock:
            if self._stopping:
                raise WorkerDeathError("The sweep is being stopped.")
            slot.worker = WorkerProcess(
                backend, slot.place, self.settings.store, self.settings.claims
            )
        device = slot.worker.greet()
        if device != self._devices.get(backend, device):  # "auto", where a GPU is lost
            raise BackendUnavailable(
                f"Backend {backend!r} began on {self._devices[backend]!r} and now finds {device!r} "
                "alone. Is the GPU "
                "in order (nvidia-smi)? Cells done so far are kept; start again to go on."
            )
        return slot.worker


def failed(task: Task, kind: str, text: str) -> Result:
    """An attempt that failed now; to be made again if its kind is in RETRIED, RETRIES times."""
    failure = Failure(
        kind, text, task.attempt, datetime.now(UTC).isoformat(timespec="seconds")
    )
    return Result(task, failure, again=kind in RETRIED and task.attempt <= RETRIES)
