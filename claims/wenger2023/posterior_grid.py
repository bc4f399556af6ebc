"""Which posteriors are compared, and what one seed says of them."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from claims.wenger2023.widths import ladder, slopes
from harness.experiment import Configuration, Measured, grid

LINE, IMAGES = "1-D", "images"
NETWORKS = 8
"""Finite posteriors per seed: with one the scatter over seeds in 1-D is twice as large."""
RATE = -np.log(2) / 2
"""Change per doubling of the width of the ln of a quantity that falls as width^-1/2."""

OF_ALL = dict(
    tests=200,
    noise=0.1,
    depth=3,
    activation="relu",
    sigma_b=0.1,
    posteriors=NETWORKS,
    averaged=1,
    permuted=False,
)
DATA = {LINE: dict(samples=100), IMAGES: dict(samples=200, shrink=2)}


def compared(
    widths: Sequence[int],
    settings: Sequence[str] = (LINE, IMAGES),
    **changes: Any,
) -> tuple[Configuration, ...]:
    """Configurations of `distances`: every setting at every width."""
    cells: list[Configuration] = []
    for setting in settings:
        common = {**OF_ALL, **DATA[setting], **changes}
        cells += grid(**common, setting=setting, width=tuple(widths))
    return tuple(cells)


def distance(measured: Measured, setting: str, width: int) -> np.ndarray:
    """Distance of the means, over the infinite mean: the mean over networks, (S,)."""
    return mean_over_networks(measured("distance", setting=setting, width=width))


def sd_factor(
    measured: Measured,
    setting: str,
    width: int,
) -> np.ndarray:
    """The factor by which the standard deviations differ, either way: the geometric mean over test
    inputs and networks, (S,).
    """
    of_networks = measured("log_sd", setting=setting, width=width)
    return np.asarray(np.exp(mean_over_networks(of_networks)))


def sd_ratio(
    measured: Measured,
    setting: str,
    width: int,
) -> np.ndarray:
    """Finite over infinite standard deviation: the geometric mean, (S,)."""
    of_networks = measured("log_ratio", setting=setting, width=width)
    return np.asarray(np.exp(mean_over_networks(of_networks)))


def share_outside(measured: Measured, setting: str, width: int) -> np.ndarray:
    """Share of the test inputs whose finite band excludes the infinite mean, (S,)."""
    return mean_over_networks(measured("outside", setting=setting, width=width))


def over_rate(measured: Measured, setting: str) -> np.ndarray:
    """Change of ln distance per doubling of the width, less that of width^-1/2, (S,)."""
    widths, values = ladder(measured, "distance", setting=setting)
    means = [mean_over_networks(of_width) for of_width in values]
    return np.asarray(slopes(widths, means) * np.log(2) - RATE)


def mean_over_networks(values: np.ndarray) -> np.ndarray:
    """(S, P) -> (S,)."""
    return np.asarray(values.mean(axis=1))
