"""Conditions that many claims set before their verdict counts: "" or what failed.

A claim's gate is a function of its own with a docstring; these do the checking:

    @claim.gate()
    def trained(m):
        \"\"\"Every network reached its target loss.\"\"\"
        return gates.every(m, "reached", matched)
"""

from collections.abc import Iterator, Sequence

import numpy as np

from harness.experiment import Configuration, Experiment, Measurements, canonical

MOST_NAMED = 3


def every(m: Measurements, quantity: str, *experiments: Experiment) -> str:
    """ "" if a quantity of ones and zeros is 1 for every seed of every configuration; else one line
    that says where.

    The line reads, for instance, "reached fails for 2 of 10 seeds at depth 10, sigma_w2 1.0".
    """
    failed = []
    for place, values in _everywhere(m, quantity, experiments):
        missing = int((values != 1).sum())
        if missing:
            failed.append(f"{missing} of {values.size} seeds at {place}")
    return f"{quantity} fails for {_few(failed)}" if failed else ""


def positive(
    m: Measurements, quantities: Sequence[str], *experiments: Experiment
) -> str:
    """ "" if the quantities are finite and above zero in every entry; else where they are not, in
    one line.
    """
    failed = [
        f"{quantity} at {place}"
        for quantity in quantities
        for place, values in _everywhere(m, quantity, experiments)
        if not (np.isfinite(values) & (values > 0)).all()
    ]
    return f"zero, negative or not finite: {_few(failed)}" if failed else ""


def below(
    m: Measurements, quantity: str, limit: float, *experiments: Experiment
) -> str:
    """ "" if every entry of the quantity is below the limit, NaN is not; else where it is not, in
    one line.

    The line reads, for instance, "share not below 0.25: 0.41 at depth 10, width 64".
    """
    failed = [
        f"{values.max():.3g} at {place}"
        for place, values in _everywhere(m, quantity, experiments)
        if not (values < limit).all()
    ]
    return f"{quantity} not below {limit:g}: {_few(failed)}" if failed else ""


def _everywhere(
    m: Measurements, quantity: str, experiments: Sequence[Experiment]
) -> Iterator[tuple[str, np.ndarray]]:
    """Every configuration that was measured, in words, and the quantity there; what has no data set
    is left out.
    """
    for experiment in experiments:
        measured = m[experiment]
        absent = {canonical(cell) for cell, _ in measured.absent}
        cells = [
            cell for cell in measured.configurations() if canonical(cell) not in absent
        ]
        for cell in cells:
            yield place(cell, cells), measured.exactly(quantity, cell)


def place(cell: Configuration, cells: Sequence[Configuration]) -> str:
    """A configuration by the values in which it differs from the others.

    >>> place({"width": 64, "depth": 3}, [{"width": 64, "depth": 3}, {"width": 64, "depth": 10}])
    'depth 3'
    """
    telling = [
        key for key in cell if len({canonical(other.get(key)) for other in cells}) > 1
    ]
    return ", ".join(f"{key} {cell[key]}" for key in telling) or "the one configuration"


def _few(failed: Sequence[str]) -> str:
    rest = len(failed) - MOST_NAMED
    return "; ".join(failed[:MOST_NAMED]) + (f"; and {rest} more" if rest > 0 else "")
