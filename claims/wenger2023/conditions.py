"""Conditions of gates: where a configuration does not meet one."""

from collections.abc import Callable, Sequence

import numpy as np

from harness.errors import NotMeasured
from harness.experiment import Configuration, Experiment, Measurements, canonical


def failing(
    m: Measurements,
    experiments: Sequence[Experiment],
    quantity: str,
    holds: Callable[[np.ndarray], np.ndarray],
    name: Callable[[Configuration], str],
) -> str:
    """The configurations that do not meet a condition in every entry, by name, in one line; "" if
    all do.

    A comparison with NaN does not hold. Configurations named "" need not meet it, and neither does
    what the tier lacks or has no data set.
    """
    named = []
    for experiment in experiments:
        try:
            measured = m[experiment]
        except NotMeasured:
            continue
        absent = {canonical(cell) for cell, _ in measured.absent}
        for cell in measured.configurations():
            asked = name(cell) and canonical(cell) not in absent
            if asked and not holds(measured.exactly(quantity, cell)).all():
                named.append(name(cell))
    return "; ".join(named)


def at(fault: str, where: str) -> str:
    """What a gate says of the configurations that do not meet it; "" if there are none.

    >>> at("a rate is too large", "width 64; width 128"), at("a rate is too large", "")
    ('a rate is too large at: width 64; width 128', '')
    """
    return f"{fault} at: {where}" if where else ""


def is_positive(values: np.ndarray) -> np.ndarray:
    """Finite and above zero."""
    return np.isfinite(values) & (values > 0)


def is_share(values: np.ndarray) -> np.ndarray:
    """From 0 to 1."""
    return (values >= 0) & (values <= 1)
