"""Runs a plan file: `python -m harness.sweep plan.json --store results`.

Needs numpy and one framework.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from harness.backends import DEVICES
from harness.console import guarded
from harness.errors import InvalidInput
from harness.experiment import Request
from harness.papers import CLAIMS
from harness.sweep import engines, plans
from harness.sweep.coordinator import Sweep, run
from harness.sweep.progress import on
from harness.sweep.store import Store

FAILED, UNFINISHED, STUCK = 1, 3, 4
DESCRIPTION = """\
Computes the cells of a plan that the store does not have yet. It may be stopped at any moment and
started again; only what is missing is computed. Copy the store to another machine to evaluate it
there."""
EPILOGUE = """\
A plan is a JSON list of requests:
  [{"computation": "harness.measurements:drift", "configuration": {"width": 64},
    "replicates": [0, 1], "stream": "registered", "backend": "torch", "dtype": "float32"}, ...]

Examples:
  python -m harness.sweep plan.json --store results
      everything, wherever each backend runs best
  python -m harness.sweep plan.json --store results --backend torch --device cuda --minutes 9
  python -m harness.sweep plan.json --store results --shard 2/8
      the second of eight parts, in a job array

Exit code: 0 all cells are there; 1 some failed (why: <store>/failures); 2 it could not start;
3 unfinished, the time was up: start it again; 4 the same, and no cell was finished: give it more
minutes; 70 an error of this program's own, with its traceback; 130 interrupted; 141 what read the
output went away."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; the exit code."""
    return guarded(lambda: _run(parser().parse_args(arguments)))


def _run(options: argparse.Namespace) -> int:
    _check(options.minutes)
    sweep = run(
        _selected(options.plan, options.backend, options.shard),
        Store(options.store),
        engine=options.engine,
        device=options.device,
        workers=options.workers,
        time_limit=60.0 * options.cell_minutes,
        deadline=None
        if options.minutes is None
        else time.time() + 60.0 * options.minutes,
        ray_address=options.ray_address,
        gpus_per_cell=options.gpus_per_cell,
        claims=options.claims,
        progress=on(sys.stdout),
    )
    return _concluded(sweep)


def _check(minutes: float | None) -> None:
    if minutes is not None and not minutes > 0:
        raise InvalidInput(
            f"--minutes must be a positive number; got {minutes:g}. Leave it out to go on to the "
            "end."
        )


def _concluded(sweep: Sweep) -> int:
    failures = [outcome.failure for outcome in sweep.outcomes if outcome.failure]
    for failure in failures[:3]:
        print(f"Failed ({failure.kind}):\n{failure.traceback}", file=sys.stderr)
    if sweep.counts["unfinished"]:
        if sweep.counts["done"]:
            return UNFINISHED
        print(
            "No cell was finished in this time. A cell takes longer: allow more minutes.",
            file=sys.stderr,
        )
        return STUCK
    return FAILED if failures else 0


def _selected(plan: Path, backends: str | None, shard: str) -> list[Request]:
    requests = plans.read(plan)
    if backends is not None:
        wanted = set(backends.split(","))
        planned = {request.backend for request in requests}
        if not wanted <= planned:
            raise InvalidInput(
                f"{plan} has no requests for backend "
                f"{', '.join(map(repr, sorted(wanted - planned)))}; "
                f"it has them for {', '.join(sorted(planned)) or 'none'}."
            )
        requests = [request for request in requests if request.backend in wanted]
    part, _, parts = shard.partition("/")
    if not (part.isdecimal() and parts.isdecimal() and 1 <= int(part) <= int(parts)):
        raise InvalidInput(
            f"--shard must read i/n with 1 <= i <= n, such as 2/8; got {shard!r}."
        )
    return requests[int(part) - 1 :: int(parts)]


def parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m harness.sweep",
        description=DESCRIPTION,
        epilog=EPILOGUE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("plan", type=Path, help="JSON file with a list of requests")
    parser.add_argument(
        "--store",
        type=Path,
        required=True,
        help="folder of the cells; made if it is not there",
    )
    parser.add_argument(
        "--claims",
        type=Path,
        default=CLAIMS,
        help="folder of the papers' folders (default: claims)",
    )
    parser.add_argument(
        "--backend", help="only these backends of the plan, comma-separated"
    )
    parser.add_argument(
        "--device",
        default="auto",
        choices=DEVICES,
        help="default: auto, a GPU where there is one",
    )
    parser.add_argument(
        "--minutes",
        type=float,
        help="end after so many minutes; no cell is begun that would not end",
    )
    parser.add_argument(
        "--cell-minutes",
        type=float,
        default=60.0,
        help="time limit of one cell (default: 60)",
    )
    parser.add_argument(
        "--workers",
        type=int,
        metavar="N",
        help="cells at a time (default: one per GPU, or per core up to 8)",
    )
    parser.add_argument(
        "--shard", default="1/1", metavar="I/N", help="only part I of N of the plan"
    )
    parser.add_argument(
        "--engine",
        default="local",
        metavar="NAME",
        help=f"one of: {', '.join(engines.available())}",
    )
    parser.add_argument("--ray-address", metavar="HOST:PORT", help=engines.RAY_ADDRESS)
    parser.add_argument(
        "--gpus-per-cell", type=float, metavar="SHARE", help=engines.GPUS_PER_CELL
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
