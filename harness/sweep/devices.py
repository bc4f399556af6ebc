"""What the machine offers, found without importing a framework."""

import os
from pathlib import Path

DEV = Path("/dev")


def cores() -> int:
    """CPU cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def has_nvidia(dev: Path = DEV) -> bool:
    """Whether there is an NVIDIA device file; without one no framework can run on "cuda"."""
    return (dev / "nvidiactl").exists() or (dev / "nvidia0").exists()


def gpus(dev: Path = DEV) -> list[str]:
    """One entry for CUDA_VISIBLE_DEVICES per GPU that the caller may use: his own entries, else one per device file."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return [entry.strip() for entry in visible.split(",") if entry.strip()]
    return [str(index) for index, _ in enumerate(dev.glob("nvidia[0-9]*"))]
