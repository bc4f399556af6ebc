"""Conditions that gates of this paper's claims set."""

from collections.abc import Sequence

from claims.liu2025.settings import Target
from harness.experiment import Experiment, Measurements
from harness.gates import place

MOST_NAMED = 3


def mean_at_most(
    m: Measurements, quantity: str, limit: float, *experiments: Experiment
) -> str:
    """ "" if the mean of a quantity over seeds is at most the limit in every configuration; else
    where it is not.

    The line reads, for instance, "loss is 0.013 on average at width 64, depth 2; allowed: 0.01".
    """
    high = []
    for experiment in experiments:
        measured = m[experiment]
        cells = measured.configurations()
        for cell in cells:
            mean = measured.exactly(quantity, cell).mean()
            if not mean <= limit:
                high.append(f"{mean:.2g} on average at {place(cell, cells)}")
    if not high:
        return ""
    more = f" and at {len(high) - MOST_NAMED} more" if len(high) > MOST_NAMED else ""
    return f"{quantity} is {'; '.join(high[:MOST_NAMED])}{more}; allowed: {limit:g}"


def failing(said: str, targets: Sequence[Target]) -> str:
    """ "" if no target fails; else one line: what is said, and of which."""
    return f"{said}: {'; '.join(map(str, targets))}" if targets else ""
