"""The Ray cluster of engine "ray": how it is reached, started, left; how many cells it can run."""

import importlib
import logging
import os
import shutil
import socket
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from harness.errors import BackendUnavailable, InvalidInput
from harness.sweep import devices
from harness.sweep.local_engine import MOST_SLOTS

REACH = 10.0
# bytes, about the least that Ray allows: cells go to the store, not through Ray
OBJECT_STORE = 80_000_000
QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",  # no telemetry
    # else each actor without a GPU warns that this will be the default
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}

Resources = tuple[float, float]
"""CPUs and GPUs of a node."""


def package() -> Any:
    """The package ray, imported only here and only now; raises BackendUnavailable."""
    try:
        return importlib.import_module("ray")
    except ImportError:
        raise BackendUnavailable(
            "Engine 'ray' needs the package 'ray', which is not installed. "
            "Install it (pip install 'ntk-claims[ray]') or take the engine 'local'."
        ) from None


def connect(ray: Any, address: str | None) -> Path | None:
    """Joins the cluster at an address, else at RAY_ADDRESS; else starts one here, and gives the
    folder of its files.

    Raises:
        InvalidInput: for an address that is none, or if this process uses Ray already.
        BackendUnavailable: if no cluster answers, or one that is of another version of Ray or
            Python.
    """
    if ray.is_initialized():
        raise InvalidInput(
            "Ray is in use in this process already; end that (ray.shutdown()) and start again."
        )
    address = address or os.environ.get("RAY_ADDRESS") or "local"
    os.environ.update(QUIET)
    how: dict[str, Any] = {
        "address": address,
        "log_to_driver": False,
        "logging_level": logging.CRITICAL,
    }
    folder = None
    if address == "local":
        # Ray puts sockets there, whose paths may have about 100 characters; TMPDIR is often too
        # long for that.
        short = "/tmp" if os.path.isdir("/tmp") else None
        folder = Path(tempfile.mkdtemp(prefix=f"ray-{os.getpid()}-", dir=short))
        how |= {
            "_temp_dir": str(folder),
            "object_store_memory": OBJECT_STORE,
            "include_dashboard": False,
        }
        how |= {"num_cpus": devices.cores()}
    else:
        _reach(address)
    try:
        ray.init(**how)
    except (OSError, RuntimeError, ValueError) as error:
        leave(ray, folder)
        raise BackendUnavailable(f"Ray cluster {address!r}: {error}") from error
    return folder


def leave(ray: Any, folder: Path | None) -> None:
    """Leaves the cluster; one that was started here stops, and its files go."""
    if ray.is_initialized():
        ray.shutdown()
    if folder is not None:
        shutil.rmtree(folder, ignore_errors=True)


def resources(ray: Any) -> list[Resources]:
    """CPUs and GPUs of each node that is alive."""
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    return [(node.get("CPU", 0.0), node.get("GPU", 0.0)) for node in nodes]


def layout(
    nodes: Iterable[Resources], share: float, workers: int | None
) -> tuple[int, int]:
    """How many cells run at a time, and with how many CPUs each: as many as so many cells leave
    room for.

    Args:
        nodes: CPUs and GPUs of each node.
        share: GPUs per cell; a fraction lies within one GPU.
        workers: at most so many cells; None for as many as there is room for, on a node without
            GPUs at most 8.

    >>> layout([(16, 2)], share=0.5, workers=None)
    (4, 4)
    >>> layout([(64, 0), (4, 0)], share=0, workers=None)
    (12, 1)
    """
    nodes = list(nodes)

    def room(cpus_per_cell: int) -> int:
        return sum(
            min(int(cpus // cpus_per_cell), _fitting(gpus, share, workers))
            for cpus, gpus in nodes
        )

    count = room(1) if workers is None else min(workers, room(1))
    most = int(max((cpus for cpus, _ in nodes), default=1.0))
    return count, max(
        (cpus for cpus in range(1, most + 1) if room(cpus) >= count), default=1
    )


def _fitting(gpus: float, share: float, workers: int | None) -> int:
    """Cells for which a node's GPUs have room."""
    if not share:
        return MOST_SLOTS if workers is None else workers
    return int(gpus) * int(1 / share + 1e-9) if share <= 1 else int(gpus // share)


def _reach(address: str) -> None:
    """Ray itself would try for minutes."""
    if address == "auto":
        return
    host, _, port = address.rpartition(":")
    if "/" in address or not host or not port.isdecimal():
        raise InvalidInput(
            f"A Ray address reads HOST:PORT, of the head node (usual port: 6379); got {address!r}."
        )
    try:
        socket.create_connection((host, int(port)), timeout=REACH).close()
    except OSError as error:
        raise BackendUnavailable(
            f"No Ray cluster answers at {address} ({error}). Start one there (ray start --head), "
            "or unset RAY_ADDRESS "
            "to have one on this machine."
        ) from error
