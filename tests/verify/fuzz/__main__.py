"""`python -m tests.verify.fuzz`: alters the samples of every target, and says how each ended."""

import argparse
import multiprocessing
import resource
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Sequence
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from types import FrameType
from typing import NamedTuple

from harness.console import CODES, guarded
from tests.verify.fuzz.catalogue import catalogue

SECONDS, MEGABYTES = 20, 256
"""Of wall time for one input; of memory beyond what the process has when it begins."""


class Hang(BaseException):
    """One input took too long; no `except Exception` of a reader can hide it."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 0 if every input ended in a value or in a documented error; 1 if not."""
    return guarded(
        lambda: _run(_parser().parse_args(arguments)), kept="Nothing is written."
    )


def _run(options: argparse.Namespace) -> int:
    names = [name for name in catalogue() if options.target in name]
    if not names:
        print(
            f"No target has {options.target!r} in its name. There are: {', '.join(catalogue())}."
        )
        return 2
    each = -(-options.inputs // len(names))
    start, findings = time.perf_counter(), 0
    for name in names:
        findings += _in_a_process(
            name, options.seed, range(options.first, options.first + each)
        )
    seconds = time.perf_counter() - start
    print(
        f"{each * len(names)} inputs, {len(names)} targets, {findings} findings, {seconds:.0f} s."
    )
    return int(findings > 0)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.verify.fuzz", description=__doc__, epilog=CODES
    )
    parser.add_argument(
        "--inputs",
        type=int,
        default=100_000,
        help="over all targets (default: %(default)s)",
    )
    parser.add_argument(
        "--seed", type=int, default=0, help="of the alterations (default: %(default)s)"
    )
    parser.add_argument(
        "--first",
        type=int,
        default=0,
        help="number of the first input of a target (default: 0)",
    )
    parser.add_argument(
        "--target",
        default="",
        metavar="TEXT",
        help="only targets with this text in their names",
    )
    return parser


class Counters(NamedTuple):
    """What a process of a target and the one that started it both see."""

    at: "Synchronized[int]"
    findings: "Synchronized[int]"
    refused: "Synchronized[int]"


def _in_a_process(name: str, seed: int, numbers: range) -> int:
    """The number of findings; after an input that ended the process, another goes on."""
    context = multiprocessing.get_context("fork")
    counters = Counters(*(context.Value("q", value) for value in (numbers.start, 0, 0)))
    at, findings, refused = counters
    start, ended = time.perf_counter(), 0
    while at.value < numbers.stop:
        process = context.Process(
            target=_work, args=(name, seed, numbers.stop, counters)
        )
        process.start()
        process.join()
        if process.exitcode:
            ended += 1
            print(
                f"{name}: input {at.value} of seed {seed} ended the process, exit code "
                f"{process.exitcode}"
            )
            at.value += 1
    found, seconds = findings.value + ended, time.perf_counter() - start
    counts = f"{len(numbers):>7} inputs {refused.value:>7} refused {found:>4} findings"
    print(f"{name:<20} {counts} {seconds:6.1f} s", flush=True)
    return found


def _work(name: str, seed: int, stop: int, counters: Counters) -> None:
    at, findings, refused = counters
    target = catalogue()[name]
    warnings.simplefilter("ignore")
    signal.signal(signal.SIGALRM, _hang)
    _limit_memory()
    while at.value < stop:
        with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
            signal.alarm(SECONDS)
            try:
                refused.value += target.refuses(
                    Path(folder), target.input(seed, at.value)
                )
            except (Exception, Hang) as error:
                findings.value += 1
                if findings.value <= 5:
                    print(f"{name}: input {at.value} of seed {seed}: {error!r:.300}")
                    traceback.print_tb(error.__traceback__, -3, sys.stdout)
            finally:
                signal.alarm(0)
        at.value += 1
    sys.stdout.flush()


def _hang(number: int, frame: FrameType | None) -> None:
    raise Hang(f"more than {SECONDS} s")


def _limit_memory() -> None:
    """Address space, in use now and a part on top."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    _, most = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(
        resource.RLIMIT_AS, (pages * resource.getpagesize() + MEGABYTES * 2**20, most)
    )


if __name__ == "__main__":
    sys.exit(main())
