"""What a function is tried on before it is trusted: weights and rows near those given, with no two
rows alike.
"""

from collections.abc import Mapping

import numpy as np

from harness import seeds
from harness.backends.batch import Batch

ROWS, CANDIDATES = 3, 64
"""Different rows of the data that are tried, and the evenly spread rows among which they are looked
for.
"""


def different_rows(batch: Batch) -> np.ndarray:
    """Up to three different rows of the first seed's inputs, (n, n_0); one where all that were
    looked at are equal.
    """
    candidates = []
    for name, array in batch.data.items():
        if name.startswith("x"):
            count = array.shape[1]
            places = np.linspace(0, count - 1, min(count, CANDIDATES)).astype(int)
            candidates.append(array[0, places])
    rows = np.concatenate(candidates)
    first = np.unique(rows, axis=0, return_index=True)[1]
    return np.asarray(rows[np.sort(first)[:ROWS]])


def moved(name: str, array: np.ndarray) -> np.ndarray:
    """The array plus normal noise of a hundredth of its root mean square (of 1 if it is zero)."""
    return np.asarray(array + step(array) * noise(name, array.shape))


def moved_rows(x: np.ndarray) -> np.ndarray:
    """The same of inputs; those that are nowhere negative (pixels, indices) stay so."""
    away = step(x) * noise("x", x.shape)
    return np.asarray(x + (np.abs(away) if x.min() >= 0.0 else away))


def step(array: np.ndarray) -> float:
    """A hundredth of the root mean square, or of 1 if that is zero."""
    return 0.01 * (float(np.sqrt(np.mean(np.square(array, dtype=float)))) or 1.0)


def noise(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Independent standard normal numbers, the same for a name and a shape."""
    return seeds.generator("samplewise", name=name).standard_normal(shape)


def tolerance(dtype: str) -> float:
    """The relative difference up to which a derivative counts as the same: 6e-6 in float64, 5e-3 in
    float32.

    A ReLU whose input is zero up to rounding may switch between two ways of computing; a wrong rule
    is wrong by more.
    """
    return float(np.finfo(dtype).eps ** (1 / 3))


def difference(
    result: Mapping[str, np.ndarray], right: Mapping[str, np.ndarray], dtype: str
) -> float:
    """The largest relative difference over seeds and names, in the Euclidean norm; arrays are (S,
    ...).

    What is small beside the other names (a bias before a normalisation, whose gradient is rounding)
    is held against them, too. NaN if anything is not finite.
    """
    sizes = {name: lengths(array) for name, array in right.items()}
    whole = np.sqrt(sum(size**2 for size in sizes.values()))
    small = np.finfo(dtype).eps ** (1 / 6)
    ratios = []
    with np.errstate(invalid="ignore", divide="ignore"):
        for name, array in right.items():
            error = lengths(np.asarray(result[name], dtype=float) - array)
            ratios.append(
                np.where(error == 0.0, 0.0, error / (sizes[name] + small * whole))
            )
    return float(np.max(ratios))


def finite(arrays: Mapping[str, np.ndarray]) -> bool:
    """Whether all numbers are."""
    return all(bool(np.isfinite(array).all()) for array in arrays.values())


def lengths(array: np.ndarray) -> np.ndarray:
    """The Euclidean norm of each seed's numbers, (S,)."""
    with np.errstate(invalid="ignore", over="ignore"):
        return np.asarray(
            np.linalg.norm(
                np.asarray(array, dtype=float).reshape(len(array), -1), axis=1
            )
        )
