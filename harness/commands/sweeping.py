"""`ntk-claims sweep`: compute the cells of a run, without judging anything."""

import argparse
import sys

from harness import sweep
from harness.backends import DEVICES
from harness.commands.options import (
    cells_options,
    examples,
    keyword_options,
    selected_by_keyword,
    settings,
    tier_option,
)
from harness.session import requests
from harness.sweep.engines import GPUS_PER_CELL, RAY_ADDRESS


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the command to those of `ntk-claims`."""
    command = commands.add_parser("sweep", help="compute the cells of a run, without judging anything")
    command.description = (
        "Computes the missing cells of a run. Killing it loses the cells in flight; start it again. Progress goes to "
        "the standard error: one line that is written over on a terminal, plain lines elsewhere."
    )
    examples(command, "ntk-claims sweep --tier full --backend torch --device cuda -k wenger2023")
    keyword_options(command)
    tier_option(command)
    cells_options(command)
    command.add_argument("--engine", default="local", help="what runs the cells (default: local)")
    command.add_argument("--ray-address", metavar="HOST:PORT", help=RAY_ADDRESS)
    command.add_argument("--gpus-per-cell", type=float, help=GPUS_PER_CELL)
    command.add_argument("--device", default="auto", choices=DEVICES)
    command.add_argument("--workers", type=int, default=None, help="cells at a time (default: the engine chooses)")
    command.set_defaults(run=run_sweep)


def run_sweep(options: argparse.Namespace) -> int:
    """Computes what is missing; 1 if cells failed, and why the first did."""
    wanted = [request for study in selected_by_keyword(options) for request in requests(study, settings(options))]
    swept = sweep.run(
        wanted,
        sweep.Store(options.store),
        engine=options.engine,
        device=options.device,
        workers=options.workers,
        ray_address=options.ray_address,
        gpus_per_cell=options.gpus_per_cell,
        progress=sweep.on(sys.stderr),
    )
    print(", ".join(f"{name} {count}" for name, count in swept.counts.items()))
    failures = [outcome.failure for outcome in swept.outcomes if outcome.failure]
    for failure in failures[:3]:
        print(f"Failed ({failure.kind}):\n{failure.traceback}", file=sys.stderr)
    return 1 if failures else 0
