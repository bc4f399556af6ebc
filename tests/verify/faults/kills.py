"""SIGKILL of workers, of the coordinator, and of both, at random moments."""

import os
import random
import signal
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from functools import partial
from pathlib import Path

from tests.verify.faults.bench import SECONDS, WORKERS, Bench, wait_for
from tests.verify.faults.fault import Fault, Skipped

IN_A_ROW = 3


def children(parent: int) -> list[int]:
    """Running processes that a process has started, as /proc knows them."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            state, ppid = (
                stat.read_text(encoding="utf-8").rpartition(")")[2].split()[:2]
            )
            if int(ppid) == parent and state != "Z":
                found.append(int(stat.parent.name))
    return found


def ended(pids: Iterable[int]) -> bool:
    """Whether none of these processes still runs."""
    for pid in pids:
        with suppress(OSError):
            if (
                Path(f"/proc/{pid}/stat")
                .read_text(encoding="utf-8")
                .rpartition(")")[2]
                .split()[0]
                != "Z"
            ):
                return False
    return True


def _killable() -> None:
    if sys.platform != "linux":
        raise Skipped("it looks processes up in /proc, which Linux has")


def _moment(bench: Bench, dice: random.Random) -> None:
    """Waits for a random moment of what this run has still to compute, once it computes."""
    wait_for(bench.calls, "a computation begins")
    missing = len(bench.requests) - len(bench.finished)
    time.sleep(dice.uniform(0.0, missing * SECONDS / WORKERS))


def kill_workers(bench: Bench, dice: random.Random) -> int:
    """Kills one worker after another; the run itself gets over it.

    A third death of one cell would be given up.
    """
    _killable()
    process, kills = bench.start(dice.choice(["sweep", "pytest"])), 0
    while kills < 2 and process.poll() is None:
        wait_for(bench.calls, "a computation begins")
        time.sleep(dice.uniform(0.0, 4 * SECONDS))
        if workers := children(process.pid):
            present = bench.files()
            os.kill(dice.choice(workers), signal.SIGKILL)
            kills += 1
            bench.lost += len(present - bench.files())
    bench.end(process)
    bench.take_stock(deaths=kills)
    bench.finish()
    return kills


def _end_runs(bench: Bench, dice: random.Random, workers_too: bool) -> int:
    """Kills run after run on one store."""
    _killable()
    kills = 0
    for _ in range(IN_A_ROW):
        process = bench.start(dice.choice(["sweep", "sweep", "pytest"]))
        if dice.random() < 0.2:
            time.sleep(dice.uniform(0.0, 1.0))  # before anything is computed
        else:
            _moment(bench, dice)
        if process.poll() is None:
            workers, present = children(process.pid), bench.files()
            for pid in [*(workers if workers_too else ()), process.pid]:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            kills += 1
            process.wait()
            wait_for(
                partial(ended, workers), "workers end with their coordinator", 20.0
            )
            bench.lost += len(present - bench.files())
        bench.take_stock()
        if len(bench.finished) == len(bench.requests):
            break
    bench.finish()
    return kills


def kill_coordinator(bench: Bench, dice: random.Random) -> int:
    """Kills the coordinator; its workers end by themselves."""
    return _end_runs(bench, dice, workers_too=False)


def kill_both(bench: Bench, dice: random.Random) -> int:
    """Kills the workers and the coordinator at one moment."""
    return _end_runs(bench, dice, workers_too=True)


FAULTS = (
    Fault(
        "a worker is killed",
        "SIGKILL at a random moment, twice in a run; another worker takes its place and the run "
        "completes",
        kill_workers,
        rarely=False,
    ),
    Fault(
        "the coordinator is killed",
        "SIGKILL at a random moment, in up to three runs in a row; no worker outlives it",
        kill_coordinator,
        rarely=False,
    ),
    Fault(
        "workers and coordinator are killed",
        "SIGKILL of all of them at a random moment, in up to three runs in a row",
        kill_both,
        rarely=False,
    ),
)
