"""`python -m tests.verify.gpu.races`: our kernels against the device's own matrix product.

Needs numpy and one framework. A line of JSON per case of the benchmarks' reduced run, as soon as it
is known: median seconds of three rounds after a first one, the rate that the floor's operations
were computed at, and that of a matrix product in the same precision.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.cases import Case, cases
from benchmarks.contestant import OURS, PRODUCT, yardstick_flops
from benchmarks.field import contestants
from harness.backends import DEVICES
from harness.console import guarded

ROUNDS = 3


def raced(case: Case, framework: str, device: str) -> dict[str, Any]:
    """The line of one case."""
    line: dict[str, Any] = {"case": case.name, "framework": framework}
    line |= {"device": device, "dtype": case.dtype}
    named = {one.name: one for one in contestants(framework)}
    try:
        seconds = _median(named[OURS].prepare(case, device))
        product = _median(named[PRODUCT].prepare(case, device))
    except Exception as error:  # what a framework on a GPU may raise
        return line | {"error": f"{type(error).__name__}: {error}"[:500]}
    return line | {
        "seconds": seconds,
        "flops": case.floor_flops / seconds,
        "product_flops": yardstick_flops(device) / product,
        "error": "",
    }


def _median(run: Callable[[], Any]) -> float:
    run()
    times = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return median(times)


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code."""
    return guarded(lambda: _run(_parser().parse_args(arguments)))


def _run(options: argparse.Namespace) -> int:
    for case in cases(quick=True).values():
        if case.subject == "solve" or case.ladder is not None:
            continue
        line = raced(case, options.backend, options.device)
        with options.out.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(line, sort_keys=True) + "\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.verify.gpu.races", description=__doc__
    )
    parser.add_argument("--backend", required=True)
    parser.add_argument("--device", default="cpu", choices=DEVICES)
    parser.add_argument("--out", type=Path, required=True, help="file of the lines")
    return parser


if __name__ == "__main__":
    sys.exit(main())
