"""`python -m mutants`: plants every defect in turn, and says which were caught."""

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack, contextmanager
from pathlib import Path
from queue import SimpleQueue

from mutants.catalogue import CATALOGUE
from mutants.mutant import ROOT, Mutant, StaleMutant
from mutants.page import line, page, table
from mutants.workshop import Outcome, UnsoundBaseline, Workshop

PAGE = ROOT / "docs" / "mutants.md"


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 0 if every mutant is caught or known to be missed, 1 if not, 2 if that could not be found out."""
    options = _parser().parse_args(arguments)
    chosen = [mutant for mutant in CATALOGUE if options.name in mutant.name]
    if not chosen or options.jobs < 1 or (options.write and options.name):
        print("Nothing to do: -k must name a mutant, --jobs be at least 1, and --write is for all mutants (no -k).")
        return 2
    start = time.perf_counter()
    try:
        with _workshops(options.jobs) as workshops:
            outcomes = _examined(chosen, workshops)
    except (StaleMutant, UnsoundBaseline) as error:
        print(error)
        return 2
    print(f"\n{table(outcomes)}\n{time.perf_counter() - start:.0f} s in all.")
    if options.write:
        PAGE.write_text(page(outcomes), encoding="utf-8")
    return int(any(not outcome.caught and not outcome.mutant.known_missed for outcome in outcomes))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m mutants", description="Plants each known defect into a copy of the sources; it must be caught."
    )
    parser.add_argument("-k", dest="name", default="", help="only mutants with this in their name")
    parser.add_argument("--jobs", type=int, default=2, help="mutants examined at a time (default: 2)")
    parser.add_argument("--write", action="store_true", help=f"write the table to {PAGE.relative_to(ROOT)}")
    return parser


@contextmanager
def _workshops(count: int) -> "Iterator[SimpleQueue[Workshop]]":
    """So many copies of the sources, gone afterwards."""
    free: SimpleQueue[Workshop] = SimpleQueue()
    with ExitStack() as stack:
        for _ in range(count):
            free.put(Workshop.furnish(Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mutants-")))))
        yield free


def _examined(chosen: Sequence[Mutant], workshops: "SimpleQueue[Workshop]") -> list[Outcome]:
    """The outcome of each mutant, in order, after its tests were seen to pass without it."""
    tests = sorted({test for mutant in chosen for test in mutant.caught_by})
    print(f"{len(chosen)} mutants; first their {len(tests)} tests without any.", flush=True)
    first = workshops.get()
    first.check(tests)
    workshops.put(first)
    width = max(len(mutant.name) for mutant in chosen)

    def examine(mutant: Mutant) -> Outcome:
        workshop = workshops.get()
        try:
            return workshop.examine(mutant)
        finally:
            workshops.put(workshop)

    with ThreadPoolExecutor(workshops.qsize()) as pool:
        pending = {pool.submit(examine, mutant): mutant for mutant in chosen}
        for number, future in enumerate(as_completed(pending), 1):
            print(f"[{number}/{len(chosen)}] {line(future.result(), width)}", flush=True)
    found = {future.result().mutant: future.result() for future in pending}
    return [found[mutant] for mutant in chosen]


if __name__ == "__main__":
    sys.exit(main())
