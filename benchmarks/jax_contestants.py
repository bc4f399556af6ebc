"""JAX: ours, and neural-tangents by each of its implementations."""

import contextlib
import io
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.cases import Case
from benchmarks.contestant import (
    COPY,
    OURS,
    PRODUCT,
    Contestant,
    Run,
    kernel_vector_products,
    no_solve,
    ours,
    refused,
    whole_jacobian,
    yardstick_size,
)
from benchmarks.neural_tangents import neural_tangents


def session(case: Case) -> contextlib.ExitStack:
    """float64 where the case asks for it, full float32 elsewhere, and silence about names that JAX
    will retire.
    """
    stack = contextlib.ExitStack()
    stack.enter_context(jax.enable_x64(case.dtype == "float64"))
    stack.enter_context(jax.default_matmul_precision("highest"))
    stack.enter_context(warnings.catch_warnings())
    warnings.simplefilter("ignore")
    return stack


def empirical(implementation: str, case: Case, device: str) -> Run:
    """neural-tangents' empirical kernel, compiled; it divides traces by the number of outputs."""
    nt = neural_tangents()
    # imports neural_tangents itself
    from tests.verify.oracle.stax_networks import images, network, parameters

    with session(case):
        init_fn, apply_fn, _ = network(case.architecture)
        x = images(case.architecture, case.x)
        weights = parameters(init_fn, x, case.theta)
        axes, factor = ((-1,), case.net.outputs) if case.outputs == "trace" else ((), 1)
        kernel_fn = nt.empirical_ntk_fn(
            apply_fn,
            trace_axes=axes,
            vmap_axes=0,
            implementation=nt.NtkImplementation[implementation],
        )
        compiled = jax.jit(lambda x, weights: factor * kernel_fn(x, None, weights))

    def run() -> np.ndarray:
        with (
            session(case),
            contextlib.redirect_stdout(io.StringIO()),
        ):  # AUTO prints the costs that it weighs
            return np.asarray(compiled(x, weights))

    return run


def infinite(case: Case, device: str) -> Run:
    """neural-tangents' closed form, compiled."""
    neural_tangents()
    from tests.verify.oracle.stax_networks import images, network

    with session(case):
        kernel_fn = network(case.architecture)[2]
        x = images(case.architecture, case.x)
        compiled = jax.jit(lambda x: kernel_fn(x, None, "ntk"))

    def run() -> np.ndarray:
        with session(case):
            return np.asarray(compiled(x))

    return run


def matrix_product(case: Case, device: str) -> Run:
    """A square product of the case's dtype."""
    n, product = yardstick_size(device), jax.jit(jnp.matmul)
    with session(case):
        a, b = jnp.ones((n, n), case.dtype), jnp.ones((n, n), case.dtype)

    def run() -> np.ndarray:
        with session(case):
            product(a, b).block_until_ready()
        return np.ones(1)

    return run


def memory_copy(case: Case, device: str) -> Run:
    """One pass over an array far larger than the caches, onto itself: a fresh result would cost
    page faults instead.
    """
    n = yardstick_size(device)
    negate = jax.jit(jnp.negative, donate_argnums=0)
    with session(case):
        array = jnp.ones((16, n, n), case.dtype)

    def run() -> np.ndarray:
        nonlocal array
        with session(case):
            array = negate(array).block_until_ready()
        return np.ones(1)

    return run


def peak_memory(device: str, run: Run) -> int | None:
    """Bytes at the peak of the process above those in use before a run, on a GPU; None: ask the
    operating system.
    """
    if device == "cpu":
        return None
    gpu = jax.devices("gpu")[0]
    before = gpu.memory_stats()["bytes_in_use"]
    run()
    return int(gpu.memory_stats()["peak_bytes_in_use"] - before)


def _refusal(rule: Callable[[Case], str | None], case: Case) -> str | None:
    return refused(case, rule(case))


def contestants() -> tuple[Contestant, ...]:
    """All of them; ours first, since the others are compared with it."""
    any_case: Callable[[Any], None] = lambda case: None  # noqa: E731
    implementations: dict[str, Callable[[Case], str | None]] = {
        "JACOBIAN_CONTRACTION": whole_jacobian,
        "NTK_VECTOR_PRODUCTS": kernel_vector_products,
        "STRUCTURED_DERIVATIVES": any_case,
        "AUTO": lambda case: (
            "compiles all three: left to 64 samples at most"
            if case.samples > 64
            else None
        ),
    }
    return (
        Contestant(OURS, partial(ours, "jax"), no_solve),
        *(
            Contestant(f"NT {name}", partial(empirical, name), partial(_refusal, rule))
            for name, rule in implementations.items()
        ),
        Contestant(
            "NT kernel_fn",
            infinite,
            lambda case: None if case.subject == "infinite" else "infinite width",
        ),
        Contestant(PRODUCT, matrix_product, any_case),
        Contestant(COPY, memory_copy, any_case),
    )
