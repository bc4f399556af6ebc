"""Seeds derived from named axes by SHA-256, so that no two uses of randomness share a stream by accident.

>>> derive("init", stream="registered", replicate=3) == derive("init", stream="registered", replicate=3)
True
>>> derive("init", stream="registered", replicate=3) == derive("data", stream="registered", replicate=3)
False
"""

import hashlib
import json

import numpy as np


def derive(purpose: str, **axes: int | str) -> int:
    """A 128-bit seed for one purpose ("init", "data", "batches" ...) at one point of the named axes."""
    text = json.dumps([purpose, axes], sort_keys=True)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:16], "big")


def generator(purpose: str, **axes: int | str) -> np.random.Generator:
    """A NumPy generator of its own for one purpose at one point of the named axes."""
    return np.random.default_rng(derive(purpose, **axes))
