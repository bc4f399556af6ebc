"""`python -m tests.verify.gpu.measure`: what cells cost, and how much of it is NumPy on the host.

Needs numpy and one framework. Nothing is stored but the measurement: a line of JSON per request, as
soon as it is known.

    computation, configuration, replicates, backend, dtype    the request
    seconds      of the whole computation, on the clock
    cpu          seconds of the processor that it took, which other work does not lengthen
    host         seconds on the clock outside the operations of the backend, in NumPy
    operations   operations of the backend that were called, by name: [calls, seconds]
    error        why there are no seconds; else ""
    launches, flops    with --count, of PyTorch: see `counting`

Started again, it goes on after the lines that are there.
"""

import argparse
import json
import signal
import sys
import time
from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from typing import Any

from harness import backends
from harness.backends import DEVICES, Backend
from harness.console import guarded
from harness.experiment import Request
from harness.papers import CLAIMS
from harness.sweep import plans
from harness.sweep.worker import load

OPERATIONS = (
    "forward",
    "empirical_ntk",
    "pullback",
    "ntk_vector_product",
    "infinite_ntk",
    "infinite_nngp",
    "kernel_regression",
    "ntk_samples",
    "train",
)
UNFINISHED = 3


class Clock:
    """Calls and seconds of each operation; of nested ones the outermost counts."""

    def __init__(self) -> None:
        self.spent: dict[str, list[float]] = {}
        self._inside = False

    def timed(self, name: str, operation: Callable[..., Any]) -> Callable[..., Any]:
        """The operation, timed."""

        @wraps(operation)
        def call(*arguments: Any, **named: Any) -> Any:
            if self._inside:
                return operation(*arguments, **named)
            self._inside, start = True, time.perf_counter()
            try:
                return operation(*arguments, **named)
            finally:
                self._inside = False
                calls, seconds = self.spent.get(name, [0, 0.0])
                seconds += time.perf_counter() - start
                self.spent[name] = [calls + 1, seconds]

        return call

    def watch(self, kind: type[Backend]) -> None:
        """Times every operation of a class of backends from now on."""
        for name in OPERATIONS:
            setattr(kind, name, self.timed(name, getattr(kind, name)))


class TooLongError(Exception):
    """A computation took longer than it may."""


def _interrupt(number: int, frame: Any) -> None:
    raise TooLongError("It was stopped at its time limit.")


def measured(
    request: Request, backend: Backend, clock: Clock, *, claims: Path, limit: int
) -> dict[str, Any]:
    """The line of one request, which may take `limit` seconds."""
    line: dict[str, Any] = {
        "computation": request.computation,
        "configuration": dict(request.configuration),
        "replicates": len(request.replicates),
        "backend": request.backend,
        "dtype": request.dtype,
        "device": backend.device,
    }
    clock.spent.clear()
    try:
        computation = load(request.computation, claims)
        signal.alarm(limit)
        start, processor = time.perf_counter(), time.process_time()
        computation(backend, request.configuration, request.replicates, request.stream)
    except Exception as error:  # what a framework on a GPU may raise
        return line | {"error": f"{type(error).__name__}: {error}"[:500]}
    finally:
        signal.alarm(0)
    seconds = time.perf_counter() - start
    host = seconds - sum(spent for _, spent in clock.spent.values())
    return line | {
        "seconds": seconds,
        "cpu": time.process_time() - processor,
        "host": host,
        "operations": dict(clock.spent),
        "error": "",
    }


def counts(request: Request, backend: Backend, claims: Path) -> dict[str, int]:
    """Launches and arithmetic of a request, which is computed once more; PyTorch alone tells."""
    if backend.name != "torch":
        return {}
    from tests.verify.gpu.counting import counted  # needs PyTorch

    computation = load(request.computation, claims)
    return counted(
        lambda: computation(
            backend, request.configuration, request.replicates, request.stream
        )
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code."""
    return guarded(lambda: _run(_parser().parse_args(arguments)))


def _run(options: argparse.Namespace) -> int:
    wanted = [own for own in plans.read(options.plan) if own.backend == options.backend]
    by_dtype = {
        dtype: backends.get(options.backend, options.device, dtype)
        for dtype in dict.fromkeys(own.dtype for own in wanted)
    }
    clock, end = Clock(), time.monotonic() + options.seconds
    for kind in {type(own) for own in by_dtype.values()}:
        clock.watch(kind)
    signal.signal(signal.SIGALRM, _interrupt)
    for request in wanted[_lines(options.out) :]:
        if time.monotonic() > end:
            return UNFINISHED
        backend = by_dtype[request.dtype]
        line = measured(
            request,
            backend,
            clock,
            claims=options.claims,
            limit=options.cell_seconds,
        )
        if line.get("cpu", options.count) < options.count:
            line |= counts(request, backend, options.claims)
        with options.out.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(line, sort_keys=True) + "\n")
    return 0


def _lines(file: Path) -> int:
    return len(file.read_text(encoding="utf-8").splitlines()) if file.is_file() else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.verify.gpu.measure", description=__doc__
    )
    parser.add_argument("plan", type=Path, help="JSON file with a list of requests")
    parser.add_argument("--backend", required=True)
    parser.add_argument("--device", default="cpu", choices=DEVICES)
    parser.add_argument("--out", type=Path, required=True, help="file of the lines")
    parser.add_argument(
        "--seconds", type=float, default=float("inf"), help="begin none after so many"
    )
    parser.add_argument(
        "--cell-seconds", type=int, default=0, help="stop each after so many; 0: none"
    )
    parser.add_argument(
        "--count",
        type=float,
        default=0.0,
        metavar="SECONDS",
        help="count launches and arithmetic of what takes fewer CPU seconds",
    )
    parser.add_argument("--claims", type=Path, default=CLAIMS)
    return parser


if __name__ == "__main__":
    sys.exit(main())
