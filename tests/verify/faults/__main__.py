"""`python -m tests.verify.faults`: plants every fault so many times, and says what was survived."""

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from harness.console import CODES, guarded
from tests.verify.faults.bench import Bench, NotSurvived, copy, furnish
from tests.verify.faults.catalogue import CATALOGUE
from tests.verify.faults.fault import Fault, Outcome, Skipped
from tests.verify.faults.page import line, updated

PAGE = Path(__file__).parents[3] / "docs" / "operations.md"
TIMES = 20
RARER = 10


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 0 if every fault was survived each time, 1 if not, 2 if some could not be planted
    or there is none.
    """
    return guarded(
        lambda: _run(_parser().parse_args(arguments)), kept="Nothing is written."
    )


def _run(options: argparse.Namespace) -> int:
    chosen = [fault for fault in CATALOGUE if options.name in fault.name]
    if (
        not chosen
        or options.times < 1
        or options.jobs < 1
        or (options.write and options.name)
    ):
        print(
            "Nothing to do: -k must name a fault, --times and --jobs be at least 1, and --write is "
            "for all (no -k)."
        )
        return 2
    start, width = time.perf_counter(), max(len(fault.name) for fault in chosen)
    outcomes = []
    with tempfile.TemporaryDirectory(prefix="faults-") as folder:
        template = furnish(Path(folder) / "template")
        with ThreadPoolExecutor(options.jobs) as pool:
            rarely = -(-options.times // RARER)
            times = [rarely if fault.rarely else options.times for fault in chosen]
            for outcome in pool.map(plant, chosen, [template] * len(chosen), times):
                outcomes.append(outcome)
                print(line(outcome, width), flush=True)
    print(f"{time.perf_counter() - start:.0f} s in all.")
    if options.write:
        PAGE.write_text(
            updated(PAGE.read_text(encoding="utf-8"), outcomes), encoding="utf-8"
        )
    unsound = [outcome for outcome in outcomes if not outcome.sound]
    return 0 if not unsound else 2 if all(outcome.skipped for outcome in unsound) else 1


def plant(fault: Fault, template: Bench, times: int) -> Outcome:
    """Plants a fault, each time in a fresh folder beside the template's, until it was planted at
    least so often.
    """
    outcome, trial = Outcome(fault), 0
    while outcome.times < times and not outcome.skipped:
        trial += 1
        with tempfile.TemporaryDirectory(dir=template.folder.parent) as folder:
            outcome = _planted_once(
                outcome, copy(template, Path(folder) / "bench"), random.Random(trial)
            )
    return outcome


def _planted_once(outcome: Outcome, bench: Bench, dice: random.Random) -> Outcome:
    try:
        count = survived = outcome.fault.plant(bench, dice)
    except Skipped as reason:
        return replace(outcome, skipped=str(reason))
    except NotSurvived as reason:
        count, survived = 1, 0
        outcome = replace(outcome, notes=(*outcome.notes, str(reason)))
    return replace(
        outcome,
        times=outcome.times + count,
        survived=outcome.survived + survived,
        lost=outcome.lost + bench.lost,
        twice=outcome.twice + bench.twice,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.verify.faults",
        description="Plants each fault into runs of a toy claim; each must be survived.",
        epilog=CODES,
    )
    parser.add_argument(
        "-k", dest="name", default="", help="only faults with this in their name"
    )
    parser.add_argument(
        "--times",
        type=int,
        default=TIMES,
        help=f"how often each kill is planted (default: {TIMES}); the other faults a tenth as "
        "often",
    )
    parser.add_argument(
        "--jobs", type=int, default=2, help="faults planted at a time (default: 2)"
    )
    parser.add_argument(
        "--write", action="store_true", help="write the table to docs/operations.md"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
