"""Defects of what spreads work over machines and GPUs, and of the comparison of a GPU with the CPU."""

from mutants.mutant import Mutant

CLUSTER = "harness/sweep/ray_cluster.py"
KEEPER = "harness/sweep/ray_keeper.py"
MEMORY = "harness/sweep/device_memory.py"
COMPARISON = "parity/comparison.py"
COMMAND = "parity/__main__.py"
RAY = "tests/test_ray_engine.py::"
TESTS = "tests/test_device_memory.py::"
PARITY = "tests/test_gpu_parity.py::"
RIDGES = "tests/test_kernel_regression_backends.py::"
LADDER = f"{RIDGES}test_a_ladder_is_that_of_the_eigendecomposition_up_to_rounding_times_condition"
FAINT = f"{RIDGES}test_a_ridge_below_the_rounding_of_a_float32_kernel_gives_nan_and_others_what_the_oracle_gives"

MUTANTS = (
    Mutant(
        "gpu-shares-across-gpus",
        "Shares of GPUs are counted across the border of one and the next, which Ray never gives.",
        CLUSTER,
        "return int(gpus) * int(1 / share + 1e-9) if share <= 1 else int(gpus // share)",
        "return int(gpus / share + 1e-9)",
        (f"{RAY}test_layout",),
    ),
    Mutant(
        "every-cell-gets-all-cores",
        "Each cell on a Ray node gets all of its cores as threads, whatever runs beside it.",
        CLUSTER,
        "range(1, most + 1) if room(cpus) >= count)",
        "range(1, most + 1) if room(cpus) >= 1)",
        (f"{RAY}test_layout",),
    ),
    Mutant(
        "workers-of-ray-not-limited",
        "A Ray cluster computes more cells at a time than were asked for.",
        CLUSTER,
        "count = room(1) if workers is None else min(workers, room(1))",
        "count = room(1)",
        (f"{RAY}test_layout",),
    ),
    Mutant(
        "keeper-takes-any-worker",
        "A node's worker of one backend is given the tasks of another.",
        KEEPER,
        "if self.worker is not None and self.worker.backend == backend:",
        "if self.worker is not None:",
        (f"{RAY}test_a_keeper_keeps_a_worker_of_one_backend",),
    ),
    Mutant(
        "late-worker-goes-on",
        "A worker that was too late goes on computing, and its answer is taken for that to the next task.",
        KEEPER,
        "        except WorkerTimeoutError as error:\n            self._clear()\n",
        "        except WorkerTimeoutError as error:\n",
        (f"{RAY}test_a_worker_that_is_late_or_out_of_memory_computes_no_more",),
    ),
    Mutant(
        "exhausted-worker-goes-on",
        "A worker that ran out of memory computes on with what is left of it in pieces.",
        KEEPER,
        'if kind == "memory" or (kind not in (None, "data") and self.device == "cuda"):',
        'if kind not in (None, "data") and self.device == "cuda":',
        (f"{RAY}test_a_worker_that_is_late_or_out_of_memory_computes_no_more",),
    ),
    Mutant(
        "ended-keeper-starts-anew",
        "A node starts another worker after the sweep has been stopped.",
        KEEPER,
        "if self.ended:",
        "if False:",
        (f"{RAY}test_a_keeper_that_was_ended_starts_nothing",),
    ),
    Mutant(
        "store-need-not-be-writable",
        "A node that reads the store and cannot write it is taken for one of use.",
        KEEPER,
        '            (self.store / f"{probe}.answer").write_text(written, encoding="utf-8")\n',
        "",
        (f"{RAY}test_a_node_that_may_not_write_says_so",),
    ),
    Mutant(
        "blocks-by-the-byte",
        "The memory for blocks is not rounded, so GPUs of one model compute in different blocks.",
        MEMORY,
        "return int(1 << max(0, (total // SHARE).bit_length() - 1))",
        "return total // SHARE",
        (f"{TESTS}test_an_eighth_in_powers_of_two",),
    ),
    Mutant(
        "blocks-by-what-is-free",
        "Blocks depend on what other processes hold of the GPU's memory at the moment.",
        MEMORY,
        'int(stats["bytes_limit"])',
        'int(stats["bytes_limit"] - stats.get("bytes_in_use", 0))',
        (f"{TESTS}test_what_the_framework_says",),
    ),
    Mutant(
        "blocks-of-a-gpu-on-a-cpu",
        "On a machine with a GPU, what is computed on the CPU has the blocks of the GPU.",
        MEMORY,
        'if device == "cuda" and "torch" in loaded:',
        'if "torch" in loaded:',
        (f"{TESTS}test_what_the_framework_says",),
    ),
    Mutant(
        "cpu-against-itself",
        "The GPU is never asked: the CPU is compared with itself.",
        COMMAND,
        'backends.get(name, "cpu", dtype), backends.get(name, "cuda", dtype)',
        'backends.get(name, "cpu", dtype), backends.get(name, "cpu", dtype)',
        (f"{PARITY}test_exit_code_settings_and_record",),
    ),
    Mutant(
        "killed-comparison-passes",
        "A comparison of the devices that was killed by a signal counts as passed.",
        COMMAND,
        "return code if code in (0, DIFFERS) else REFUSED",
        "return max(code, 0)",
        (f"{PARITY}test_the_process_has_the_environment_of_a_worker",),
    ),
    Mutant(
        "tf32-on-in-the-comparison",
        "The devices are compared in another environment than that in which sweeps compute.",
        COMMAND,
        'env=os.environ | environment.variables("cuda", threads=1)',
        "env=dict(os.environ)",
        (f"{PARITY}test_the_process_has_the_environment_of_a_worker",),
    ),
    Mutant(
        "infinity-equals-infinity",
        "Arrays with infinities in them are compared like others.",
        COMPARISON,
        "if not np.isfinite(array).all():",
        "if np.isnan(array).any():",
        (f"{PARITY}test_what_is_no_such_number_never_agrees",),
    ),
    Mutant(
        "tolerance-of-float32-for-all",
        "float64 is held against the tolerance of float32.",
        COMPARISON,
        'quantity.float32 if cpu.dtype == "float32" else quantity.float64',
        "quantity.float32",
        (f"{PARITY}test_a_step_in_float32_inside_float64_is_seen",),
    ),
    Mutant(
        "best-array-decides",
        "The distance of a quantity is that of the array which differs least.",
        COMPARISON,
        "max(map(_distance, known, found))",
        "min(map(_distance, known, found))",
        (f"{PARITY}test_a_difference_beyond_the_tolerance_is_seen_where_it_is",),
    ),
    Mutant(
        "other-shape-compared",
        "Arrays of another precision or shape are compared all the same.",
        COMPARISON,
        "if (one.shape, one.dtype) != (two.shape, two.dtype):",
        "if one.ndim != two.ndim:",
        (f"{PARITY}test_what_is_no_such_number_never_agrees",),
    ),
    Mutant(
        "torch-ridges-add-up",
        "In PyTorch each ridge of a ladder is added to the ones before.",
        "harness/backends/torch_ridge.py",
        "shifted.diagonal().copy_(diagonal + ridge)",
        "shifted.diagonal().add_(ridge)",
        (f"{LADDER}[torch]",),
    ),
    Mutant(
        "jax-solves-in-float32",
        "In JAX kernel regression is done in float32.",
        "harness/backends/jax_ridge.py",
        "with jax.enable_x64(True):",
        "with jax.enable_x64(False):",
        (f"{LADDER}[jax]",),
    ),
    Mutant(
        "no-kernel-is-regressed-with",
        "A matrix that is no kernel gives NaN for every ridge instead of an error.",
        "harness/backends/ridge.py",
        '        raise InvalidInput(\n            f"k_train must be positive semi-definite',
        '        InvalidInput(\n            f"k_train must be positive semi-definite',
        (f"{RIDGES}test_wrong_arguments_are_named",),
    ),
    Mutant(
        "failed-factor-is-solved-with",
        "Where PyTorch finds no Cholesky factor, what it left of one is solved with.",
        "harness/backends/torch_ridge.py",
        "if not failed.item():",
        "if True:",
        (f"{FAINT}[torch]",),
    ),
    Mutant(
        "exhausted-again",
        "A cell that ran out of memory is tried again with as much of it.",
        "harness/sweep/worker.py",
        "backend.memory_budget // SHRINKAGE ** (attempt - 1)",
        "backend.memory_budget // SHRINKAGE**0",
        ("tests/test_sweep_retries.py::test_each_retry_has_an_eighth_of_the_memory_and_says_so",),
    ),
)
