"""One-dimensional digits: ten profiles, stretched, moved, scaled, tilted and noisy, without end.

The idea is MNIST-1D's (Greydanus, Kobak 2020, arXiv:2011.14439): a task so small that it runs
anywhere, on which convolutions still beat dense layers, because a class is a shape and says nothing
about where it stands. Profiles, constants and code are our own, so error rates are not comparable
with that paper's. Several profiles are mirror images of each other (2 and 5, 4 and 6, 7 and 9):
their values say little, their order everything.

Sample i depends on (seed, i) and the noise alone: a smaller data set is the beginning of a larger
one.
"""

import hashlib
import operator

import numpy as np

from harness import seeds
from harness.datasets import Dataset
from harness.errors import InvalidInput

LENGTH = 40
CHUNK = 1024
PROFILES = (
    (2, 4, 5, 5, 5, 5, 5, 5, 5, 5, 4, 2),  # 0: a plateau
    (0, 0, 0, 0, 2, 6, 6, 2, 0, 0, 0, 0),  # 1: a spike
    (1, 3, 5, 5, 3, 1, -1, -3, -5, -5, -3, -1),  # 2: a crest, then a trough
    (1, 4, 5, 4, 1, 0, 0, 1, 4, 5, 4, 1),  # 3: two crests
    (5, 5, 5, 5, 5, 4, 2, 1, 1, 1, 1, 1),  # 4: a step down
    (-1, -3, -5, -5, -3, -1, 1, 3, 5, 5, 3, 1),  # 5: a trough, then a crest
    (1, 1, 1, 1, 1, 2, 4, 5, 5, 5, 5, 5),  # 6: a step up
    (0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 6, 6),  # 7: a rising saw tooth
    (5, 2, -2, 2, 5, 2, -2, 2, 5, 2, -2, 2),  # 8: an oscillation
    (6, 6, 5, 4, 4, 3, 3, 2, 2, 1, 1, 0),  # 9: a falling saw tooth
)
WIDTH = (6.0, 10.0)  # of the stretched profile, in grid steps
GAIN = (0.6, 1.4)
# rise of the added line over the whole length, in units of the profiles
TILT = (-6.0, 6.0)
# binomial, so that no exponential makes the bits depend on the machine
SMOOTHING = (1, 4, 6, 4, 1)
# of the population at the default noise, measured on 10^6 samples
MEAN, SCALE = (0.48, 1.9)


def load(
    n: int, seed: int, noise: float = 0.1, correlated_noise: float = 0.4
) -> Dataset:
    """n samples of length 40, x float32 (n, 40), each label drawn uniformly and independently.

    x = (gain * profile((t - offset) / width) + tilt * (t / 39 - 1/2) + noise - MEAN) / SCALE at t =
    0 ... 39, with constants fixed for all samples, sizes and seeds. Outside of its 12 points a
    profile falls to zero.

    Args:
        n: number of samples, at least 1.
        seed: any integer; different seeds are independent samples.
        noise: standard deviation of the independent noise, in units of the profiles (whose peaks
            are 5 or 6).
        correlated_noise: standard deviation of the noise that is smoothed over 5 neighbours.

    Raises:
        InvalidInput: naming the argument, its value and what is allowed.

    >>> small, large = load(n=3, seed=0), load(n=2000, seed=0)
    >>> bool((small.x == large.x[:3]).all()), large.x.shape
    (True, (2000, 40))
    """
    n, seed = _integer("n", n), _integer("seed", seed)
    if n < 1:
        raise InvalidInput(f"Data set 'digits-1d': n must be at least 1; got {n}.")
    for name, sd in (("noise", noise), ("correlated_noise", correlated_noise)):
        if not (np.isfinite(sd) and sd >= 0):
            raise InvalidInput(
                f"Data set 'digits-1d': {name} must be finite and >= 0; got {sd!r}."
            )
    x, labels = np.empty((n, LENGTH), np.float32), np.empty(n, np.int64)
    for chunk, start in enumerate(range(0, n, CHUNK)):
        rows = slice(start, min(start + CHUNK, n))
        signals, classes = _chunk(seed, chunk, noise, correlated_noise)
        x[rows], labels[rows] = (
            signals[: rows.stop - start],
            classes[: rows.stop - start],
        )
    sha256 = hashlib.sha256(x.tobytes()).hexdigest()
    return Dataset(
        "digits-1d", x, labels, len(PROFILES), f"generated, seed {seed}", sha256
    )


def _integer(name: str, value: int) -> int:
    try:
        return operator.index(value)
    except TypeError:
        raise InvalidInput(
            f"Data set 'digits-1d': {name} must be an integer; got {value!r}."
        ) from None


def _chunk(
    seed: int, chunk: int, noise: float, correlated_noise: float
) -> tuple[np.ndarray, np.ndarray]:
    """Always a whole chunk, so that a sample does not depend on how many are asked for."""
    rng = seeds.generator("digits-1d", seed=seed, chunk=chunk)
    labels = rng.integers(len(PROFILES), size=CHUNK)
    width, gain, tilt = (
        rng.uniform(*limits, size=(CHUNK, 1)) for limits in (WIDTH, GAIN, TILT)
    )
    offset = rng.uniform(size=(CHUNK, 1)) * (LENGTH - 1 - width)
    t = np.arange(LENGTH)
    clean = gain * _profile(labels, (t - offset) / width) + tilt * (
        t / (LENGTH - 1) - 0.5
    )
    noisy = (
        clean
        + noise * rng.standard_normal((CHUNK, LENGTH))
        + correlated_noise * _smooth_noise(rng)
    )
    return (noisy - MEAN) / SCALE, labels


def _profile(labels: np.ndarray, u: np.ndarray) -> np.ndarray:
    """Piecewise linear through the points of each label's profile at u = 0 ...

    1, and through zero one step outside.
    """
    knots = np.pad(np.array(PROFILES, dtype=np.float64), ((0, 0), (1, 1)))
    position = np.clip(u * (len(PROFILES[0]) - 1) + 1, 0, knots.shape[1] - 1)
    left = np.minimum(position.astype(int), knots.shape[1] - 2)
    fraction, row = position - left, labels[:, None]
    values: np.ndarray = (1 - fraction) * knots[row, left] + fraction * knots[
        row, left + 1
    ]
    return values


def _smooth_noise(rng: np.random.Generator) -> np.ndarray:
    """Stationary Gaussian noise of unit variance, correlated over 5 neighbours."""
    white = rng.standard_normal((CHUNK, LENGTH + len(SMOOTHING) - 1))
    windows = np.lib.stride_tricks.sliding_window_view(white, LENGTH, axis=1)
    taps = np.array(SMOOTHING) / np.linalg.norm(SMOOTHING)
    smooth: np.ndarray = sum(tap * windows[:, lag] for lag, tap in enumerate(taps))
    return smooth
