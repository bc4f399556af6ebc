"""The part of engine "ray" that runs on a node: an actor that keeps a worker process.

The worker is that of the local engine. It ends with its keeper, whose death it sees as the end of
its stdin.
"""

import os
import threading
from dataclasses import asdict
from pathlib import Path
from typing import Any

from harness.errors import BackendUnavailable
from harness.sweep.engines import Task
from harness.sweep.worker_process import (
    Place,
    WorkerDeathError,
    WorkerProcess,
    WorkerTimeoutError,
)


class Keeper:
    """Keeps a worker, and answers in dictionaries as a worker does, with two events more: "died"
    and "late".

    It is called by two threads at most: one that waits for the worker, and one that ends it.

    Args:
        store: the store's folder, as the coordinator names it.
        claims: the folder that holds the papers' folders, likewise.
        folder: the coordinator's current folder, from which relative paths start.
        place: where workers run; Ray has set CUDA_VISIBLE_DEVICES for this process, and they
            inherit it.
    """

    def __init__(
        self, store: str, claims: str, folder: str, place: dict[str, Any]
    ) -> None:
        self.store, self.claims, self.folder, self.place = (
            Path(store),
            Path(claims),
            Path(folder),
            Place(**place),
        )
        self.worker: WorkerProcess | None = None
        self.device = ""
        self.lock, self.ended = threading.Lock(), False

    def arrive(self, probe: str) -> str:
        """Reads a file that the coordinator left in the store, and leaves another; what is wrong,
        or nothing.
        """
        if not self.folder.is_dir():
            return f"there is no folder {self.folder}, from which the sweep was started"
        os.chdir(self.folder)
        try:
            written = (self.store / probe).read_text(encoding="utf-8")
            (self.store / f"{probe}.answer").write_text(written, encoding="utf-8")
        except OSError as error:
            return f"it cannot read and write {self.store}: {error}"
        return ""

    def greet(self, backend: str) -> dict[str, Any]:
        """Starts a worker of this backend, unless it is there; the device it runs on, or why it
        does not run.
        """
        try:
            self._start(backend)
        except (WorkerDeathError, BackendUnavailable) as error:
            self._clear()
            return {"event": "unavailable", "message": str(error)}
        return {"event": "ready", "device": self.device}

    def attempt(self, task: Task, time_limit: float) -> dict[str, Any]:
        """The worker's answer to a task; the worker is ended if it gave none in `time_limit`
        seconds.
        """
        try:
            answer = self._start(task.request.backend).ask(task, time_limit)
        except WorkerTimeoutError as error:
            self._clear()
            return {"event": "late", "traceback": str(error)}
        except (WorkerDeathError, BackendUnavailable) as error:
            self._clear()
            return {"event": "died", "traceback": str(error)}
        # What ran out of memory has it in pieces, and after an error a CUDA context may be
        # unusable.
        kind = answer.get("kind")
        if kind == "memory" or (kind not in (None, "data") and self.device == "cuda"):
            self._clear()
        return answer

    def end(self) -> None:
        """Ends the worker at once, whatever it computes, and lets none start."""
        with self.lock:
            self.ended = True
            if self.worker is not None:
                self.worker.kill()

    def _start(self, backend: str) -> WorkerProcess:
        if self.worker is not None and self.worker.backend == backend:
            return self.worker
        self._clear()
        with self.lock:
            if self.ended:
                raise WorkerDeathError("The sweep is being stopped.")
            self.worker = WorkerProcess(backend, self.place, self.store, self.claims)
        self.device = self.worker.greet()
        return self.worker

    def _clear(self) -> None:
        with self.lock:
            if self.worker is not None:
                self.worker.close()
                self.worker = None


def arguments(
    store: Path, claims: Path, place: Place
) -> tuple[str, str, str, dict[str, Any]]:
    """What a keeper is made with, for a sweep that is started in the current folder."""
    return str(store), str(claims), str(Path.cwd()), asdict(place)
