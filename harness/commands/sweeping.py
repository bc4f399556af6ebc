"""`ntk-claims sweep`: compute the cells of a run, without judging anything."""

import argparse
import sys

from harness import sweep
from harness.commands.options import (
    added,
    as_registered,
    cells_options,
    claims_options,
    computing,
    computing_options,
    papers_folder,
    settings,
    tier_option,
)
from harness.commands.times import prior
from harness.session import requests
from harness.shipped import RECORDED


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the command to those of `ntk-claims`."""
    command = added(
        commands,
        "sweep",
        "Computes the missing cells of a run. Killing it loses the cells in flight; start it "
        "again. Claims that are "
        "not as registered are named and left out. Progress goes to the standard error: one line "
        "that is written over "
        "on a terminal, plain lines elsewhere.",
        "ntk-claims sweep --tier full --backend torch --device cuda -k wenger2023",
        "ntk-claims sweep --tier full --engine ray --ray-address head:6379 --gpus-per-cell 0.5",
    )
    claims_options(command)
    tier_option(command)
    cells_options(command)
    computing_options(command)
    command.set_defaults(run=run_sweep)


def run_sweep(options: argparse.Namespace) -> int:
    """Computes what is missing; 1 if cells failed, and why the first did, or if a claim is not as
    registered.
    """
    chosen = as_registered(options)
    wanted = [
        request
        for study in chosen.studies
        for request in requests(study, settings(options))
    ]
    swept = sweep.run(
        wanted,
        sweep.Store(options.store),
        device=options.device,
        claims=papers_folder(options),
        prior=prior(RECORDED / options.tier),
        progress=sweep.on(sys.stderr),
        **computing(options),
    )
    print(", ".join(f"{name} {count}" for name, count in swept.counts.items()))
    failures = [outcome.failure for outcome in swept.outcomes if outcome.failure]
    for failure in failures[:3]:
        print(f"Failed ({failure.kind}):\n{failure.traceback}", file=sys.stderr)
    return 1 if failures or chosen.left_out else 0
