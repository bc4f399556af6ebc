"""How much of a GPU's memory the blocks of a kernel may take, by what the loaded framework says."""

import sys
from collections.abc import Mapping
from typing import Any

SHARE = 8
"""So that four workers may share a GPU, and each hold as much again beside its blocks."""


def total(device: str, loaded: Mapping[str, Any] | None = None) -> int | None:
    """Bytes that the framework may use on its first GPU; None on a CPU, or if the framework does
    not say.

    Args:
        device: "cpu" or "cuda".
        loaded: modules by name; None for those of this process.
    """
    loaded = sys.modules if loaded is None else loaded
    if device == "cuda" and "torch" in loaded:
        return int(loaded["torch"].cuda.get_device_properties(0).total_memory)
    if device == "cuda" and "jax" in loaded:
        stats = loaded["jax"].devices()[0].memory_stats() or {}
        return int(stats["bytes_limit"]) if "bytes_limit" in stats else None
    return None


def budget(total: int) -> int:
    """Bytes for blocks on a GPU with so much memory: an eighth, rounded down to a power of two.

    What is free at the moment plays no part, so that all GPUs of one model compute in the same
    blocks.

    >>> budget(80 * 2**30) // 2**30, budget(79 * 10**9) // 2**30
    (8, 8)
    """
    return int(1 << max(0, (total // SHARE).bit_length() - 1))
