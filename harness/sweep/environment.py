"""Environment variables that must be set before a framework is imported: threads, determinism, precision, memory.

They are recorded in every cell, and this file is part of every cell's code digest.
"""

from collections.abc import Mapping

VARIABLES = (
    "CUBLAS_WORKSPACE_CONFIG",
    "CUDA_VISIBLE_DEVICES",
    "JAX_PLATFORMS",
    "MKL_NUM_THREADS",
    "NPROC",
    "NVIDIA_TF32_OVERRIDE",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "PYTHONHASHSEED",
    "XLA_FLAGS",
    "XLA_PYTHON_CLIENT_PREALLOCATE",
)
SERIAL_XLA = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"


def variables(device: str, threads: int, gpu: str | None = None) -> dict[str, str]:
    """What to set for a worker.

    Args:
        device: "auto", "cpu" or "cuda".
        threads: CPU threads for linear algebra.
        gpu: the one entry of CUDA_VISIBLE_DEVICES that the worker may see; None leaves the caller's.

    >>> variables("cpu", threads=1)["XLA_FLAGS"]
    '--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1'
    """
    settings = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NPROC"), str(threads))
    settings |= {
        "CUBLAS_WORKSPACE_CONFIG": ":4096:8",  # cuBLAS is deterministic only with a workspace of fixed size
        "NVIDIA_TF32_OVERRIDE": "0",
        "PYTHONHASHSEED": "0",
        "XLA_FLAGS": SERIAL_XLA if threads == 1 else "",
        "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
    }
    if device == "cpu":
        settings["JAX_PLATFORMS"] = "cpu"
    if gpu is not None:
        settings["CUDA_VISIBLE_DEVICES"] = gpu
    return settings


def recorded(environment: Mapping[str, str]) -> dict[str, str]:
    """The part of an environment that a cell records."""
    return {name: environment[name] for name in VARIABLES if name in environment}
