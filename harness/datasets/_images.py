"""What readers of images check before they hand out arrays: the part, the pixels, one class for
each image.
"""

from collections.abc import Sequence

import numpy as np

from harness.datasets._files import File
from harness.errors import DatasetCorrupted, InvalidInput

COLOUR = (32, 32, 3)  # rows, columns, channels of an image of CIFAR or SVHN


def known_part(dataset: str, part: str, parts: Sequence[str]) -> None:
    """Raises InvalidInput if the data set has no such part."""
    if part not in parts:
        raise InvalidInput(
            f"Data set {dataset!r} has no part {part!r}. Parts: {', '.join(parts)}."
        )


def colours(pixels: object, file: File, samples: int) -> np.ndarray:
    """float32 pixels in [0, 1], (samples, 32, 32, 3), from bytes of that shape.

    Raises:
        DatasetCorrupted: if they are of another shape or type.
    """
    expected = (samples, *COLOUR)
    if (
        not isinstance(pixels, np.ndarray)
        or pixels.dtype != np.uint8
        or pixels.shape != expected
    ):
        raise DatasetCorrupted(
            f"{file.name}: expected pixels of shape {expected}, uint8; found {_described(pixels)}."
        )
    return np.divide(pixels, np.float32(255), order="C")


def classes(
    labels: object, file: File, samples: int, allowed: range = range(10)
) -> np.ndarray:
    """The labels as int64, (samples,).

    Raises:
        DatasetCorrupted: if there is not one allowed integer for each image.
    """
    if (
        not isinstance(labels, np.ndarray)
        or labels.dtype.kind not in "iu"
        or labels.shape != (samples,)
    ):
        raise DatasetCorrupted(
            f"{file.name}: expected labels of shape {(samples,)}, integers; found "
            f"{_described(labels)}."
        )
    if samples and not (labels.min() >= allowed[0] and labels.max() <= allowed[-1]):
        raise DatasetCorrupted(
            f"{file.name}: expected labels from {allowed[0]} to {allowed[-1]}; found "
            f"{labels.min()} to {labels.max()}."
        )
    return labels.astype(np.int64)


def _described(found: object) -> str:
    return (
        f"shape {found.shape}, {found.dtype}"
        if isinstance(found, np.ndarray)
        else f"{type(found).__name__}"
    )
