"""What the checks are powered for: effects as exploration saw them, and one standard deviation over
seeds each.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from claims.vyas2022.settings import Setting
from claims.vyas2022.sphere import INFINITE, INITIAL
from claims.vyas2022.sphere_curves import NETWORK
from harness.experiment import Configuration

Expected = tuple[float, float]

TO_INITIAL: Mapping[str, Expected] = {
    "rate_low": (0.328, 0.049),
    "base": (0.369, 0.038),
    "rate_high": (0.376, 0.086),
    "batch_8": (0.376, 0.08),
    "batch_256": (0.31, 0.073),
    "momentum": (0.36, 0.065),
    "width_32": (0.404, 0.087),
    "width_128": (0.369, 0.038),
    "width_256": (0.268, 0.077),
}
"""Exponent of the network's error rate minus that of its initial kernel, on pairs of images, by the
name of the setting.
"""
TO_INFINITE: Mapping[str, Expected] = {
    "rate_low": (0.203, 0.051),
    "base": (0.243, 0.062),
    "rate_high": (0.25, 0.085),
    "batch_8": (0.265, 0.067),
    "batch_256": (0.185, 0.065),
    "momentum": (0.236, 0.072),
    "width_32": (0.25, 0.087),
    "width_128": (0.243, 0.062),
    "width_256": (0.191, 0.07),
}
"""The same to the kernel at infinite width."""

GAPS: Mapping[tuple[str, ...], Expected] = {
    ("pairs", "initial", "squared"): (0.251, 0.036),
    ("pairs", "initial", "rate"): (0.3, 0.051),
    ("pairs", "infinite-width", "squared"): (0.148, 0.032),
    ("pairs", "infinite-width", "rate"): (0.162, 0.047),
    ("digits", "initial", "squared"): (0.35, 0.038),
    ("digits", "initial", "rate"): (0.591, 0.096),
    ("digits", "infinite-width", "squared"): (0.174, 0.04),
    ("digits", "infinite-width", "rate"): (0.257, 0.119),
    ("longer", "squared"): (0.15, 0.038),
    ("longer", "rate"): (0.146, 0.057),
    ("plain", "squared"): (0.0, 0.015),
    ("plain", "rate"): (-0.011, 0.017),
}
"""Exponent of the network minus that of a kernel, by the names of the setting, the kernel (none: at
infinite width) and the error; where a rehearsal scattered more, of exploration and rehearsal.
"""
OF_ONE = {NETWORK: (1.18, 0.18), INITIAL: (-0.18, 0.14), INFINITE: (0.54, 0.1)}
"""Exponents of the predictors of a polynomial of degree 4."""
AT_4 = {INITIAL: (1.38, 0.28), INFINITE: (0.66, 0.18)}
"""Exponent of the network minus that of a kernel, on a polynomial of degree 4."""
WITH_CHOSEN_RIDGE = {INITIAL: (1.14, 0.2), INFINITE: (0.66, 0.21)}
AT_2 = {INITIAL: (0.85, 0.13), INFINITE: (-0.68, 0.14)}


def to_initial(settings: Sequence[Setting]) -> dict[Setting, Expected]:
    """What is expected of the gap of each setting to its initial kernel."""
    return {setting: TO_INITIAL[setting.name] for setting in settings}


def to_infinite(settings: Sequence[Setting]) -> dict[Setting, Expected]:
    """What is expected of the gap of each setting to the kernel at infinite width."""
    return {setting: TO_INFINITE[setting.name] for setting in settings}


def of_gaps(
    cases: Sequence[Configuration],
) -> dict[tuple[Any, ...], Expected]:
    """What is expected of each gap, by the values of its case."""
    found = {}
    for case in cases:
        names = tuple(getattr(value, "name", value) for value in case.values())
        found[tuple(case.values())] = GAPS[names]
    return found
