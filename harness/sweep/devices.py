"""What the machine offers, found without importing a framework."""

import os
from itertools import takewhile
from pathlib import Path

DEV = Path("/dev")
DRIVER = Path("/proc/driver/nvidia/version")


def cores() -> int:
    """CPU cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def has_nvidia(dev: Path = DEV) -> bool:
    """Whether there is an NVIDIA device file; without one no framework can run on "cuda"."""
    return (dev / "nvidiactl").exists() or (dev / "nvidia0").exists()


def gpus(dev: Path = DEV) -> list[str]:
    """One entry for CUDA_VISIBLE_DEVICES per GPU that the caller may use: his own entries, else one
    per device file.

    Entries are indices, UUIDs (GPU-...) or MIG instances (MIG-...). Of several instances of one
    GPU, a process that is given the GPU's index sees the first alone, so they have to be listed. As
    in CUDA the list ends at the first negative index; "NoDevFiles", which schedulers write, is
    none.
    """
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is None:
        return [str(index) for index, _ in enumerate(dev.glob("nvidia[0-9]*"))]
    entries = (entry.strip() for entry in visible.split(","))
    return [
        entry
        for entry in takewhile(
            lambda entry: entry != "NoDevFiles" and entry[:1] != "-", entries
        )
        if entry
    ]


def driver() -> str | None:
    """What the NVIDIA driver says of itself, one line; None without one."""
    try:
        return DRIVER.read_text(encoding="utf-8").split("\n", 1)[0].strip() or None
    except OSError:
        return None
