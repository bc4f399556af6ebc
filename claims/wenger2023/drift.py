"""What is made of natural gradient descent: the drift of the Jacobian, residuals against their promise, conditions."""

from collections.abc import Callable, Sequence

import numpy as np

from harness.experiment import Experiment, Measured, Measurements


def on_path(measured: Measured, **where: object) -> np.ndarray:
    """C' on the path, the largest at the steps where it is taken, (S,)."""
    return np.asarray(measured("drift", **where).max(axis=1))


def over_promise(m: Measurements, experiment: Experiment, width: int, eta: float) -> np.ndarray:
    """|r_k|^2 / ((1 - eta)^k |r_0|^2) after each step k, (S, steps)."""
    residuals = m[experiment]("residuals", width=width)
    steps = np.arange(1, residuals.shape[1])
    return np.asarray(residuals[:, 1:] / residuals[:, :1] / (1 - eta) ** steps)


def failing(
    m: Measurements,
    experiments: Sequence[Experiment],
    quantity: str,
    holds: Callable[[np.ndarray], np.ndarray],
    narrow: bool = False,
) -> str:
    """The networks of which a seed does not meet a condition, in words; only those wider than deep unless `narrow`."""
    named = []
    for experiment in experiments:
        for cell in m[experiment].configurations():
            good = holds(m[experiment].exactly(quantity, cell)).all()
            if not good and (narrow or cell["width"] > cell["depth"]):
                named.append(f"{cell['family']} {cell['depth']} x {cell['width']}")
    return ", ".join(named)


def is_positive(values: np.ndarray) -> np.ndarray:
    """Finite and above zero."""
    return np.isfinite(values) & (values > 0)
