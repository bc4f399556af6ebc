"""What must be set before a framework is imported, threads, determinism, precision, memory; and
what then is in force.

Both are recorded in every cell, and this file is part of every cell's code digest.
"""

import os
import sys
from collections.abc import Mapping
from typing import Any

from harness.sweep import devices

VARIABLES = (
    "CUBLAS_WORKSPACE_CONFIG",
    "CUDA_DEVICE_ORDER",
    "CUDA_VISIBLE_DEVICES",
    "JAX_COMPILATION_CACHE_DIR",
    "JAX_PLATFORMS",
    "MKL_NUM_THREADS",
    "NPROC",
    "NVIDIA_TF32_OVERRIDE",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "PYTHONHASHSEED",
    "PYTORCH_ALLOC_CONF",
    "PYTORCH_CUDA_ALLOC_CONF",
    "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE",
    "XLA_CLIENT_MEM_FRACTION",
    "XLA_FLAGS",
    "XLA_PYTHON_CLIENT_ALLOCATOR",
    "XLA_PYTHON_CLIENT_MEM_FRACTION",
    "XLA_PYTHON_CLIENT_PREALLOCATE",
)
SERIAL_XLA = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
DETERMINISTIC_XLA = (
    "--xla_gpu_deterministic_ops=true --xla_gpu_enable_triton_gemm=false"
)
"""On a GPU: kernels without atomic additions, and none chosen by timing it, which would differ from
run to run.

Without timing, XLA takes the first kernel of its list. Of Triton's that is a slow one, with tiles
of 32 by 32, and for some shapes there is none and compilation fails; so matrix products are
cuBLAS's.
"""


def variables(
    device: str,
    threads: int,
    gpu: str | None = None,
    inherited: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """What to set for a worker.

    Args:
        device: "auto", "cpu" or "cuda".
        threads: CPU threads for linear algebra.
        gpu: the one entry of CUDA_VISIBLE_DEVICES that the worker may see; None leaves the
            caller's.
        inherited: the caller's environment, whose XLA_FLAGS stay and come first; None for that of
            this process.

    >>> variables("cpu", threads=1, inherited={"XLA_FLAGS": "--xla_dump_to=there"})["XLA_FLAGS"]
    '--xla_dump_to=there --xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1'
    """
    flags = (
        (os.environ if inherited is None else inherited).get("XLA_FLAGS", "").split()
    )
    for own in (
        SERIAL_XLA if threads == 1 else "",
        "" if device == "cpu" else DETERMINISTIC_XLA,
    ):
        flags = [flag for flag in flags if flag not in own.split()] + own.split()
    # XLA reads no flag behind a word that is none (measured)
    flags.sort(key=lambda flag: not flag.startswith("-"))
    settings = dict.fromkeys(
        ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NPROC"),
        str(threads),
    )
    settings |= {
        # cuBLAS is deterministic only with a workspace of fixed size
        "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
        "NVIDIA_TF32_OVERRIDE": "0",
        "PYTHONHASHSEED": "0",
        "XLA_FLAGS": " ".join(flags),
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


def in_force(device: str, loaded: Mapping[str, Any] | None = None) -> dict[str, str]:
    """The loaded framework's own switches as they are now, for a cell to record; to be asked inside
    a session.

    Args:
        device: "cpu" or "cuda".
        loaded: modules by name; None for those of this process.

    >>> in_force("cpu", loaded={})
    {}
    """
    loaded = sys.modules if loaded is None else loaded
    found = (
        {}
        if device == "cpu" or (driver := devices.driver()) is None
        else {"nvidia driver": driver}
    )
    if "torch" in loaded:
        found |= _torch(device, loaded["torch"])
    elif "jax" in loaded:
        found |= _jax(device, loaded["jax"])
    return found


def _torch(device: str, torch: Any) -> dict[str, str]:
    cuda, cudnn, mkldnn = (
        torch.backends.cuda,
        torch.backends.cudnn,
        torch.backends.mkldnn,
    )
    if device == "cpu":
        places = {"mkldnn.matmul": mkldnn.matmul, "mkldnn.conv": mkldnn.conv}
        return {f"torch {name}": place.fp32_precision for name, place in places.items()}
    places = {"cuda.matmul": cuda.matmul, "cudnn.conv": cudnn.conv}
    return {
        **{f"torch {name}": place.fp32_precision for name, place in places.items()},
        "torch deterministic": str(torch.are_deterministic_algorithms_enabled()),
        "torch "
        "cudnn": f"{cudnn.version()}, deterministic {cudnn.deterministic}, benchmark "
        f"{cudnn.benchmark}",
        "torch cuda": str(torch.version.cuda),
    }


def _jax(device: str, jax: Any) -> dict[str, str]:
    found = {
        "jax default_matmul_precision": str(jax.config.jax_default_matmul_precision)
    }
    if device == "cuda":
        found["jax platform_version"] = " ".join(
            jax.devices()[0].client.platform_version.split()
        )
    return found
