"""Cells that hang, diverge, lack memory, are damaged on disk, or were computed by other code."""

import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from harness.sweep import cell
from tests.verify.faults.bench import (
    SECONDS,
    WORKERS,
    Bench,
    environment,
    expect,
    furnish,
    name_of,
    wait_for,
)
from tests.verify.faults.fault import Fault

MEMORY_LIMIT = 700 * 2**20
WITH_A_LIMIT = f"""
import json
from pathlib import Path
from harness import sweep
from harness.sweep.cell import request_of

plan = [request_of(record) for record in json.loads(Path("plan.json").read_text())]
limits = dict(workers={WORKERS}, memory_limit={MEMORY_LIMIT})
counts = sweep.run(plan, sweep.Store("store"), device="cpu", **limits).counts
raise SystemExit(counts["done"] != len(plan))
"""
CLOCK = """
import datetime
import os
import time

true = time.time


def time_by_the_clock():
    try:
        with open(os.environ["CLOCK"]) as clock:
            return true() + float(clock.read() or 0.0)
    except OSError:
        return true()


class Datetime(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return cls.fromtimestamp(time.time(), tz)


time.time = time_by_the_clock
datetime.datetime = Datetime
"""


def _strike(bench: Bench, dice: random.Random, what: str) -> str:
    """Has the toy claim do this in one cell, drawn by chance; the cell."""
    struck = name_of(dice.choice(bench.requests))
    arm, first = struck.split()[1], struck.split()[3]
    (bench.folder / "fault").write_text(f"{what} {arm} {first}", encoding="utf-8")
    return struck


def _mended(bench: Bench) -> None:
    (bench.folder / "fault").unlink()


def hang(bench: Bench, dice: random.Random) -> int:
    """One cell never ends: it fails at its time limit, the others are computed."""
    struck = _strike(bench, dice, "hang")
    said = bench.end(bench.start("sweep", "--cell-minutes=0.05"), code=1)
    expect(
        "Failed (timeout):\nNo answer within 3 s" in said,
        f"no timeout is told of: {said[-1500:]}",
    )
    bench.take_stock()
    others = {name_of(request) for request in bench.requests} - {struck}
    expect(
        bench.finished == others,
        f"not all others are there: {len(bench.finished)} of {len(others)}",
    )
    _mended(bench)
    bench.finish()
    return 1


def diverge(bench: Bench, dice: random.Random) -> int:
    """One cell returns NaN: never a pass, and said; the others count on once it is gone."""
    struck = _strike(bench, dice, "diverge")
    bench.end(bench.start("pytest"), code=1)
    bench.take_stock()
    document = json.loads(
        (bench.folder / "report" / "verdicts.json").read_text(encoding="utf-8")
    )
    kind = document["claims"][0]["verdict"]["kind"]
    primary = struck.split()[1] == "effect"
    expect(kind == ("INCONCLUSIVE" if primary else "BROKEN"), f"NaN came out {kind}")
    expect("NaN" in document["not_finite"].values(), "not_finite does not list it")
    (damaged,) = (
        path for path in bench.files() if name_of(cell.read(path).request) == struck
    )
    damaged.unlink()
    bench.finished.discard(struck)
    _mended(bench)
    bench.finish()
    return 1


def exhaust_memory(bench: Bench, dice: random.Random) -> int:
    """One cell takes all of its memory budget, and a worker may not have so much: tried again with
    smaller blocks.
    """
    _strike(bench, dice, "hoard")
    done = subprocess.run(
        [sys.executable, "-c", WITH_A_LIMIT],
        cwd=bench.folder,
        env=environment(),
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    expect(done.returncode == 0, f"not all cells were computed: {done.stderr[-1500:]}")
    failures = [
        json.loads(path.read_text(encoding="utf-8"))
        for path in (bench.folder / "store" / "failures").iterdir()
    ]
    found = [(failure["kind"], failure["attempt"]) for failure in failures]
    expect(found == [("memory", 1)], f"the recorded failures are {found}")
    bench.take_stock(deaths=1)
    bench.finish()
    return 1


def set_clock(bench: Bench, dice: random.Random) -> int:
    """The clock is set by up to ten days, either way, twice while a run with a deadline is under
    way.
    """
    (bench.folder / "sitecustomize.py").write_text(CLOCK, encoding="utf-8")
    clock, jumps = bench.folder / "clock", 0
    paths = os.pathsep.join(
        filter(None, [str(bench.folder), os.environ.get("PYTHONPATH")])
    )
    process = bench.start("sweep", "--minutes=2", PYTHONPATH=paths, CLOCK=str(clock))
    while jumps < 2:
        wait_for(
            lambda: bench.calls() or process.poll() is not None, "a computation begins"
        )
        time.sleep(dice.uniform(0.0, 4 * SECONDS))
        clock.write_text(str(dice.uniform(-10.0, 10.0) * 86400), encoding="utf-8")
        jumps += 1
    bench.end(process)
    bench.take_stock()
    expect(
        len(bench.finished) == len(bench.requests),
        f"only {len(bench.finished)} cells are there",
    )
    taken = [cell.read(path).provenance.seconds for path in bench.files()]
    expect(
        0 <= min(taken) <= max(taken) < 60,
        f"cells took {min(taken):g} to {max(taken):g} s",
    )
    bench.finish()
    return jumps


def _computed(bench: Bench, dice: random.Random, count: int) -> dict[Path, str]:
    """So many cells of an undisturbed run, by their files; they are about to be damaged."""
    bench.end(bench.start("sweep"))
    bench.take_stock()
    chosen = {
        path: name_of(cell.read(path).request)
        for path in dice.sample(sorted(bench.files()), count)
    }
    bench.finished -= set(chosen.values())
    return chosen


def _noticed(bench: Bench, damaged: dict[Path, str]) -> int:
    """The rerun names each damaged cell, and computes it again; the books tell if it computed any
    other.
    """

    def named(said: str) -> None:
        unnamed = [
            path.name
            for path in damaged
            if not re.search(f"{path.name}: expected .*set aside as", said)
        ]
        expect(not unnamed, f"nothing is said of {unnamed}: {said[-1500:]}")
        expect(
            sorted(bench.calls()) == sorted(damaged.values()),
            f"computed again were {bench.calls()}",
        )

    bench.finish(also=named)
    return len(damaged)


def alter(bench: Bench, dice: random.Random) -> int:
    """One byte of a file is another."""
    damaged = _computed(bench, dice, 3)
    for path in damaged:
        content = bytearray(path.read_bytes())
        content[dice.randrange(len(content))] ^= dice.randrange(1, 256)
        path.write_bytes(content)
    return _noticed(bench, damaged)


def truncate(bench: Bench, dice: random.Random) -> int:
    """A file ends early."""
    damaged = _computed(bench, dice, 3)
    for path in damaged:
        os.truncate(path, dice.randrange(path.stat().st_size))
    return _noticed(bench, damaged)


def swap(bench: Bench, dice: random.Random) -> int:
    """Two valid files have each other's names."""
    damaged = _computed(bench, dice, 2)
    one, other = damaged
    content = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(content)
    return _noticed(bench, damaged)


def change_code(bench: Bench, dice: random.Random) -> int:
    """Another version of the computation runs on the same store, and then the first again."""
    bench.end(bench.start("pytest"))
    bench.take_stock()
    first = bench.files()
    with tempfile.TemporaryDirectory(prefix="faults-") as folder:
        other = furnish(
            Path(folder),
            changes=[("np.linspace(-1, 1, SEEDS)", "np.linspace(1, -1, SEEDS)")],
        )
        expect(other.undisturbed != bench.undisturbed, "both versions measure the same")
        shutil.copytree(bench.folder / "claims", bench.folder / "first version")
        shutil.copytree(
            other.folder / "claims", bench.folder / "claims", dirs_exist_ok=True
        )
        bench.end(bench.start("pytest"))
        verdicts = (bench.folder / "report" / "verdicts.json").read_bytes()
        expect(
            verdicts == other.undisturbed,
            "the second version's verdicts are not those of a store of its own",
        )
    expect(
        len(bench.calls()) == len(bench.requests),
        f"the second version computed {len(bench.calls())} cells",
    )
    bench.logged += len(bench.requests)
    bench.lost += len(first - bench.files())
    shutil.copytree(
        bench.folder / "first version", bench.folder / "claims", dirs_exist_ok=True
    )
    bench.finish(
        also=lambda said: expect(
            not bench.calls(), "the first version's cells were computed again"
        )
    )
    return 1


FAULTS = (
    Fault(
        "a cell hangs",
        "it never ends; it fails at its time limit, and the others are computed",
        hang,
    ),
    Fault(
        "a cell returns NaN",
        "never a pass: INCONCLUSIVE, or BROKEN in a control, and `not_finite` lists it",
        diverge,
    ),
    Fault(
        "memory runs out",
        "a cell takes its whole memory budget, and RLIMIT_DATA forbids that; tried again with "
        "smaller blocks",
        exhaust_memory,
    ),
    Fault(
        "the clock is set",
        "by up to ten days, either way, twice in a run with a deadline; it moves no deadline and "
        "no duration",
        set_clock,
    ),
    Fault(
        "cells are altered",
        "one byte of each of three files; noticed, set aside, computed again",
        alter,
    ),
    Fault(
        "cells are truncated",
        "three files, at random lengths; noticed, set aside, computed again",
        truncate,
    ),
    Fault(
        "cells are swapped",
        "two valid files exchange their names; noticed, set aside, computed again",
        swap,
    ),
    Fault(
        "two versions of the code",
        "on one store, in turn; each has its own cells and verdicts, and both stay",
        change_code,
    ),
)
