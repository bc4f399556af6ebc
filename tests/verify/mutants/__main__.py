"""`python -m tests.verify.mutants`: plants every defect in turn, and says which were caught."""

import argparse
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from tests.verify.mutants.defect import Defect
from tests.verify.mutants.examination import (
    Outcome,
    UnsoundError,
    check_soundness,
    examine,
)
from tests.verify.mutants.table import TABLE


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code: 0 every defect was caught, 1 one survived, 2 it could not be found out."""
    options = _parser().parse_args(arguments)
    chosen = [defect for defect in TABLE.values() if options.name in defect.name]
    if not chosen or options.jobs < 1:
        print(
            f"No defect has {options.name!r} in its name, or --jobs is below 1. Names: python -m "
            "tests.verify.mutants --list"
        )
        return 2
    if options.list:
        print("\n".join(_described(defect) for defect in chosen))
        return 0
    try:
        if not options.trust:
            tests = {test for defect in chosen for test in defect.caught_by}
            print(
                f"{len(chosen)} defects; first their {len(tests)} tests without any.",
                flush=True,
            )
            check_soundness(tests)
    except UnsoundError as error:
        print(error)
        return 2
    survivors = [
        outcome for outcome in _examined(chosen, options.jobs) if not outcome.caught
    ]
    print(f"\n{len(chosen) - len(survivors)} of {len(chosen)} defects were caught.")
    for outcome in survivors:
        print(f"\nSurvived: {_described(outcome.defect)}\n{outcome.said}")
    return int(bool(survivors))


def _examined(chosen: Sequence[Defect], jobs: int) -> Iterator[Outcome]:
    """The outcomes in order, each printed as soon as it and those before it are there."""
    width = max(len(defect.name) for defect in chosen)
    with ThreadPoolExecutor(jobs) as pool:
        for number, outcome in enumerate(pool.map(examine, chosen), 1):
            word = "caught" if outcome.caught else "SURVIVED"
            print(
                f"[{number}/{len(chosen)}] {outcome.defect.name:{width}} {word} "
                f"{outcome.seconds:.0f} s",
                flush=True,
            )
            yield outcome


def _described(defect: Defect) -> str:
    tests = "\n    ".join(defect.caught_by)
    return f"{defect.name}: {defect.sentence}\n    in {defect.target}\n    {tests}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.verify.mutants",
        description="Plants each known defect at run time; a test must catch it.",
    )
    parser.add_argument(
        "-k", dest="name", default="", help="only defects with this in their name"
    )
    parser.add_argument(
        "--jobs", type=int, default=2, help="defects examined at a time (default: 2)"
    )
    parser.add_argument(
        "--list", action="store_true", help="say what the defects are, and run nothing"
    )
    parser.add_argument(
        "--trust",
        action="store_true",
        help="do not run the tests without any defect first",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
