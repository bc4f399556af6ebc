"""What a caller gives as an array, as a NumPy array."""

from typing import Any

import numpy as np

from harness.errors import InvalidInput


def as_array(name: str, value: Any) -> np.ndarray:
    """The value as a NumPy array, of whatever dtype and shape; no copy where none is needed.

    Raises:
        InvalidInput: a masked array, whose mask NumPy would drop, or what NumPy cannot read: a
            tensor of PyTorch that requires a gradient or lies on a GPU, lists of unequal lengths.
            The message names the argument.
    """
    parts = value if isinstance(value, list | tuple) else [value]
    if any(isinstance(part, np.ma.MaskedArray) for part in parts):
        raise InvalidInput(
            f"{name} is a masked array, and a mask would be ignored. Leave the masked rows out, or "
            "fill them: "
            "array.filled(value)."
        )
    try:
        return np.asarray(value)
    except (
        TypeError,
        ValueError,
        RuntimeError,
    ) as error:  # what NumPy and PyTorch raise for what is no array
        raise InvalidInput(f"{name} is no NumPy array: {error}") from error
