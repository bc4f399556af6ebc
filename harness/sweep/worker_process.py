"""The coordinator's end of a worker: starts the process, asks it one task at a time, ends it."""

import json
import os
import select
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from harness.errors import BackendUnavailable
from harness.papers import CLAIMS
from harness.sweep import environment
from harness.sweep.engines import Task

START_LIMIT = 300.0
ENDING = 5.0
TAIL = 4000


class WorkerDeathError(Exception):
    """The process ended; the message tells what is known."""


class WorkerTimeoutError(Exception):
    """No answer came within the time limit."""


@dataclass(frozen=True)
class Place:
    """Where a worker runs: device, threads, and with a GPU its entry of CUDA_VISIBLE_DEVICES."""

    device: str
    threads: int
    gpu: str | None = None
    memory_limit: int | None = None


class WorkerProcess:
    """A running worker.

    Its standard error goes to an unnamed temporary file, of which the tail explains a death.
    """

    def __init__(
        self, backend: str, place: Place, store: Path, claims: Path = CLAIMS
    ) -> None:
        self.backend = backend
        self.errors = tempfile.TemporaryFile()  # noqa: SIM115 (closed in close)
        self.process = subprocess.Popen(
            _command(backend, place, store, claims),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            env={
                **os.environ,
                **environment.variables(place.device, place.threads, place.gpu),
            },
            # Ctrl-C reaches the coordinator only, which then ends its workers
            start_new_session=True,
        )

    def greet(self) -> str:
        """Waits for the worker to be ready; the device class it runs on.

        Raises BackendUnavailable.
        """
        try:
            message = self._receive(START_LIMIT)
        except (WorkerDeathError, WorkerTimeoutError) as error:
            raise BackendUnavailable(
                f"Backend {self.backend!r}: its worker process did not start. {error}"
            ) from error
        if message["event"] != "ready":
            raise BackendUnavailable(str(message["message"]))
        return str(message["device"])

    def ask(self, task: Task, time_limit: float) -> dict[str, Any]:
        """The worker's answer to a task.

        Raises WorkerDeathError, or WorkerTimeoutError after `time_limit` seconds.
        """
        record = asdict(task)
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(json.dumps(record).encode() + b"\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            raise WorkerDeathError(self._obituary()) from None
        return self._receive(time_limit)

    def _receive(self, time_limit: float) -> dict[str, Any]:
        pipe = self.process.stdout
        assert pipe is not None
        # One answer per task, so nothing is ever left over in the pipe's buffer, and select sees
        # each answer.
        if not select.select([pipe], [], [], max(0.0, time_limit))[0]:
            raise WorkerTimeoutError(
                f"No answer within {time_limit:.3g} s. Its last words: {self._last_words()}"
            )
        line = pipe.readline()
        if not line.endswith(b"\n"):
            raise WorkerDeathError(self._obituary())
        message: dict[str, Any] = json.loads(line)
        return message

    def kill(self) -> None:
        """Ends the process and its children at once; may be called from any thread, and again."""
        if self.process.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def close(self) -> None:
        """Ends the process and closes its pipes; not while another thread waits for an answer."""
        self.kill()
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        for pipe in (self.process.stdin, self.process.stdout, self.errors):
            with suppress(BrokenPipeError):
                pipe.close()

    def _obituary(self) -> str:
        try:
            code = self.process.wait(timeout=ENDING)
        except subprocess.TimeoutExpired:  # it closed its stdout and lives on
            self.kill()
            code = self.process.wait()
        cause = (
            f"exit code {code}"
            if code >= 0
            else f"signal {-code} ({signal.strsignal(-code)})"
        )
        hint = (
            " The system does so when memory runs out."
            if code == -signal.SIGKILL
            else ""
        )
        return (
            f"The worker of backend {self.backend!r} died: "
            f"{cause}.{hint} Its last words: {self._last_words()}"
        )

    def _last_words(self) -> str:
        end = self.errors.seek(0, os.SEEK_END)
        self.errors.seek(max(0, end - TAIL))
        return self.errors.read().decode(errors="replace").strip() or "none."


def _command(backend: str, place: Place, store: Path, claims: Path) -> list[str]:
    command = [
        sys.executable,
        "-m",
        "harness.sweep.worker",
        "--backend",
        backend,
        "--device",
        place.device,
    ]
    command += [
        "--threads",
        str(place.threads),
        "--store",
        str(store),
        "--claims",
        str(claims),
    ]
    return (
        command
        if place.memory_limit is None
        else [*command, "--memory-limit", str(place.memory_limit)]
    )
