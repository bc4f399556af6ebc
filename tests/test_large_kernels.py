"""Kernels that do not fit into memory: in files, by panels, by conjugate gradients, with a float32 factor."""

import importlib.util
import re
import subprocess
import sys

import numpy as np
import pytest
from numpy.lib.format import open_memmap

from harness import backends, kernels
from harness.errors import InvalidInput
from harness.networks import mlp

NET = mlp((3, 8, 8, 1), sigma_b=0.3)
FRAMEWORKS = [
    pytest.param(name, marks=pytest.mark.skipif(importlib.util.find_spec(name) is None, reason=f"{name} is missing"))
    for name in ("numpy", "torch", "jax")
]


def normal(*shape, seed=0):
    return np.random.default_rng([seed, *shape]).standard_normal(shape)


def ntk_problem(n=150):
    """An ill-conditioned NTK, (N, N), and targets (N, 2)."""
    return kernels.ntk(NET, normal(n, 3)), normal(n, 2)


def of_condition(condition, n=200):
    basis = np.linalg.qr(normal(n, n))[0]
    k = (basis * np.geomspace(1, 1 / condition, n)) @ basis.T
    return (k + k.T) / 2


def error(result, reference):
    return np.linalg.norm(result - reference) / np.linalg.norm(reference)


@pytest.mark.parametrize("name", FRAMEWORKS)
@pytest.mark.parametrize("outputs", ["trace", "full"])
@pytest.mark.parametrize("seeds", [None, 2])
@pytest.mark.parametrize("symmetric", [True, False])
def test_kernel_in_a_file_equals_the_one_in_memory(tmp_path, name, outputs, seeds, symmetric):
    net = mlp((3, 6, 2))
    theta, x1, x2 = net.init(0 if seeds is None else range(seeds)), normal(9, 3), None if symmetric else normal(5, 3)
    backend = backends.get(name, device="cpu", dtype="float64", memory_budget=2**13)  # a few samples per block
    expected = backends.get("numpy").empirical_ntk(net, theta, x1, x2, outputs)
    out = open_memmap(tmp_path / "k.npy", "w+", "float64", expected.shape)
    result = backend.empirical_ntk(net, theta, x1, x2, outputs, out=out)
    assert result is out
    np.testing.assert_allclose(np.load(tmp_path / "k.npy", allow_pickle=False), expected, rtol=0, atol=1e-12)
    if symmetric and outputs == "trace":
        np.testing.assert_array_equal(out, np.swapaxes(out, -1, -2))


def test_out_that_does_not_fit_is_refused(tmp_path):
    net, x = mlp((3, 6, 2)), normal(4, 3)
    theta, oracle = net.init(0), backends.get("numpy")
    wrong = re.escape("out must have shape (4, 4) and dtype float64; got (4, 5) and float64.")
    with pytest.raises(InvalidInput, match=wrong):
        oracle.empirical_ntk(net, theta, x, out=np.empty((4, 5)))
    with pytest.raises(InvalidInput, match=re.escape("out must have shape (4, 4) and dtype float64; got (4, 4) and")):
        oracle.empirical_ntk(net, theta, x, out=np.empty((4, 4), np.float32))
    with pytest.raises(InvalidInput, match=r"out must be a NumPy array, .*; got list"):
        oracle.empirical_ntk(net, theta, x, out=[[0.0] * 4] * 4)
    open_memmap(tmp_path / "k.npy", "w+", "float64", (4, 4)).flush()
    with pytest.raises(InvalidInput, match=r"out must be writable, .* mode 'w\+' or 'r\+'"):
        oracle.empirical_ntk(net, theta, x, out=np.load(tmp_path / "k.npy", mmap_mode="r", allow_pickle=False))


BOUNDED = """
import re, resource, sys
from pathlib import Path
import numpy as np
import torch
from numpy.lib.format import open_memmap
from harness import backends, kernels
from harness.networks import mlp

torch.set_num_threads(1)
net, budget, n = mlp((3, 32, 1)), 2**24, 5000
theta, x, y = net.init(0), np.random.default_rng(0).standard_normal((n, 3)), np.ones((n, 1))
backend = backends.get("torch", device="cpu", dtype="float32", memory_budget=budget)
kernels.solve(backend.empirical_ntk(net, theta, x[:50]), y[:50], 1.0)  # what libraries set up once is not counted
used = 1024 * int(re.search(r"VmData:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
limit = used + 3 * budget  # the kernel takes 6 budgets
resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
out = open_memmap(sys.argv[1], "w+", "float32", (n, n))
backend.empirical_ntk(net, theta, x, out=out)
solution = kernels.solve(out, y, ridge=1.0, rank=20, memory_budget=budget)
print(solution.converged.all())
try:
    backend.empirical_ntk(net, theta, x)
except MemoryError:
    print("does not fit into memory")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_DATA bounds what a process maps on Linux only")
@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="torch is missing")
def test_kernel_of_more_than_the_memory_is_computed_and_solved_in_a_file(tmp_path):
    environment = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": ":".join(filter(None, sys.path))}
    command = [sys.executable, "-c", BOUNDED, str(tmp_path / "k.npy")]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stderr
    assert run.stdout.split("\n")[:2] == ["True", "does not fit into memory"]


@pytest.mark.parametrize("preconditioner", ["nystrom", "jacobi", "none"])
@pytest.mark.parametrize("ridge", [0.1, 1e-3])
def test_conjugate_gradients_equal_a_dense_solve(preconditioner, ridge):
    k, y = ntk_problem()
    solution = kernels.solve(k, y, ridge, preconditioner=preconditioner, rank=60, tolerance=1e-11)
    assert error(solution.checked(), np.linalg.solve(k + ridge * np.eye(len(k)), y)) < 1e-8
    assert solution.iterations.shape == solution.residuals.shape == solution.converged.shape == (2,)
    assert (solution.residuals <= 1e-11).all()


def test_right_hand_sides_take_their_own_steps():
    k, y = ntk_problem()
    y[:, 0] = np.linalg.eigh(k)[1][:, -1]  # one eigenvector: one step
    together = kernels.solve(k, np.c_[y, np.zeros(len(y))], 0.1, preconditioner="none")
    assert together.iterations[0] == 1 < together.iterations[1]
    assert together.iterations[2] == 0
    np.testing.assert_array_equal(together.checked()[:, 2], 0.0)
    alone = kernels.solve(k, y[:, 1], 0.1, preconditioner="none")
    assert alone.alpha.shape == (len(y),)
    np.testing.assert_allclose(together.alpha[:, 1], alone.alpha, rtol=1e-6)


def test_nystrom_cuts_iterations_on_an_ill_conditioned_kernel():
    k, y = ntk_problem(400)
    plain, cut = (kernels.solve(k, y, 0.1, preconditioner=name, rank=100) for name in ("none", "nystrom"))
    assert plain.converged.all()
    assert cut.converged.all()
    assert cut.iterations.max() < plain.iterations.max() / 3


def test_nystrom_of_full_rank_is_the_inverse():
    k, y = ntk_problem(60)
    assert kernels.solve(k, y, 0.1, rank=60).iterations.max() <= 3


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("solver", [kernels.solve, kernels.refined_solve])
def test_kernel_in_a_file_is_read_in_panels(tmp_path, dtype, solver):
    k, y = ntk_problem()
    np.save(tmp_path / "k.npy", k.astype(dtype))
    mapped = np.load(tmp_path / "k.npy", mmap_mode="r", allow_pickle=False)
    panels = solver(mapped, y, 0.1, memory_budget=16 * len(k) * 7).checked()  # seven rows or so
    assert error(panels, solver(k.astype(dtype), y, 0.1).checked()) < 1e-6
    assert error(panels, np.linalg.solve(k.astype(dtype) + 0.1 * np.eye(len(k)), y)) < 1e-6


def test_large_kernel_in_a_file(tmp_path):
    k, y = ntk_problem(1500)
    np.save(tmp_path / "k.npy", k)
    mapped = np.load(tmp_path / "k.npy", mmap_mode="r", allow_pickle=False)
    solution = kernels.solve(mapped, y, 1.0, tolerance=1e-10, memory_budget=2**20)
    assert error(solution.checked(), np.linalg.solve(k + np.eye(1500), y)) < 1e-8


def test_solve_with_vector_products_of_the_empirical_ntk():
    net, x, y = mlp((3, 16, 1), "erf"), normal(40, 3), normal(40, 3)
    theta, oracle = net.init(0), backends.get("numpy")

    def product(v):
        return oracle.ntk_vector_product(net, theta, x, v.T[:, :, None])[:, :, 0].T

    k = oracle.empirical_ntk(net, theta, x)
    solution = kernels.solve(product, y, 0.1, tolerance=1e-10)
    assert error(solution.checked(), np.linalg.solve(k + 0.1 * np.eye(40), y)) < 1e-8


@pytest.mark.parametrize("scale", [2.0**-1000, 2.0**-500, 2.0**500, 2.0**1000])
def test_units_of_kernel_and_targets_do_not_matter(scale):
    k, y = of_condition(1e3, n=30), normal(30, 2)
    right = np.linalg.solve(k + 0.01 * np.eye(30), y)
    for preconditioner in ("nystrom", "jacobi", "none", lambda v: v / scale):
        scaled = kernels.solve(
            scale * k, scale * y, 0.01 * scale, tolerance=1e-10, rank=20, preconditioner=preconditioner
        )
        assert error(scaled.checked(), right) < 1e-7
    assert error(kernels.refined_solve(scale * k, scale * y, 0.01 * scale).alpha, right) < 1e-7
    products = kernels.solve(lambda v: scale * (k @ v), scale * y, 0.01 * scale, tolerance=1e-10)
    assert error(products.checked(), right) < 1e-7


def test_a_solution_that_overflows_is_refused():
    tiny = 2.0**-1000 * np.eye(2)
    for solver in (kernels.solve, kernels.refined_solve):
        with pytest.raises(
            InvalidInput, match=re.escape("alpha = (kernel + ridge I)^-1 y overflows: y is about 1e+30,")
        ):
            solver(tiny, np.full(2, 2.0**100), ridge=2.0**-1000)


def test_own_preconditioner_is_used():
    k, y = ntk_problem(60)
    inverse = np.linalg.inv(k + 0.1 * np.eye(60))
    assert kernels.solve(k, y, 0.1, preconditioner=lambda v: inverse @ v).iterations.max() <= 2


def test_a_solution_says_that_it_did_not_converge():
    k, y = ntk_problem()
    solution = kernels.solve(k, y, 1e-3, preconditioner="none", max_iterations=5)
    assert not solution.converged.any()
    assert (solution.iterations == 5).all()
    np.testing.assert_allclose(
        solution.residuals,
        np.linalg.norm(y - k @ solution.alpha - 1e-3 * solution.alpha, axis=0) / np.linalg.norm(y, axis=0),
        rtol=1e-9,
    )
    message = r"2 of 2 right-hand sides did not converge: after 5 iterations the relative residual is .*, the "
    with pytest.raises(InvalidInput, match=message + r"tolerance 1e-08\. Raise max_iterations, the rank"):
        solution.checked()


def test_products_in_float32_stall_at_their_precision_and_say_so():
    k, y = ntk_problem()
    random = np.random.default_rng(0)

    def noisy(v):
        return (k @ v) * (1 + 1e-7 * random.standard_normal(v.shape))

    solution = kernels.solve(noisy, y, 0.1, tolerance=1e-12)
    assert not solution.converged.any()
    assert (solution.residuals < 1e-3).all()


def test_refinement_is_exact_at_moderate_condition_and_refused_beyond():
    k, y = of_condition(1e4), normal(200, 2)
    solution = kernels.refined_solve(k, y, 0.0)
    exact = np.linalg.norm(y - k @ solution.alpha, axis=0) / np.linalg.norm(y, axis=0)
    assert (exact <= 1.1e-10).all()
    assert (solution.iterations <= 4).all()
    assert error(solution.checked(), np.linalg.solve(k, y)) < 1e-8
    assert kernels.refined_solve(of_condition(1e6), y, 0.0).converged.all()
    with pytest.raises(InvalidInput, match="not positive definite in float32: its condition number is above about 1e7"):
        kernels.refined_solve(of_condition(1e12), y, 0.0)
    stalls = r"condition number \de\+0\d \(1-norm, estimated\), and .* stays at .*tolerance 1e-15, \d+ steps"
    with pytest.raises(InvalidInput, match=stalls):
        kernels.refined_solve(of_condition(1e6), y, 0.0, tolerance=1e-15)


@pytest.mark.parametrize(
    ("solver", "changes", "message"),
    [
        (
            "both",
            {"kernel": np.eye(3)},
            "kernel must be floating, of shape (2, 2), one row and column per row of y; got",
        ),
        ("both", {"kernel": np.eye(2, dtype=int)}, "kernel must be floating, of shape (2, 2), one row"),
        ("both", {"kernel": np.array([[1.0, np.nan], [0.0, 1.0]])}, "kernel must be finite; row 0 has NaN or infinity"),
        ("both", {"kernel": np.array([[1.0, 0.5], [0.0, 1.0]])}, "kernel must be symmetric; for random u and v, u.Kv"),
        (
            "both",
            {"y": np.ones((2, 1, 1))},
            "y must be real, of shape (N,) or (N, O), not empty; got float64, (2, 1, 1)",
        ),
        ("both", {"y": np.array([1.0, np.inf])}, "y must be finite; 1 of its entries are not."),
        ("both", {"memory_budget": 0}, "memory_budget must be a positive number of bytes; got 0."),
        ("both", {"tolerance": 0.0}, "tolerance must be between 0 and 1, max_"),
        ("solve", {"ridge": 0.0}, "ridge must be finite and > 0 for conjugate gradients; got 0.0."),
        ("solve", {"max_iterations": 0}, "max_iterations at least 1; got 1e-08 and 0."),
        ("solve", {"rank": 3}, "rank must be between 1 and N = 2; got 3."),
        (
            "solve",
            {"preconditioner": "lu"},
            "Unknown preconditioner 'lu'. Allowed: nystrom, jacobi, none, or a function.",
        ),
        ("solve", {"kernel": lambda v: v[:1]}, "kernel must map (N, O) to (N, O); it made (1, 2) of (2, 2)."),
        (
            "solve",
            {"kernel": np.copy, "preconditioner": "jacobi"},
            "needs the kernel's diagonal, and kernel is a function.",
        ),
        ("solve", {"kernel": -2 * np.eye(2)}, "kernel must be positive semi-definite, and a random projection"),
        (
            "solve",
            {"kernel": -2 * np.eye(2), "preconditioner": "jacobi"},
            "kernel must have a diagonal above -ridge; entry",
        ),
        (
            "solve",
            {"kernel": -2 * np.eye(2), "preconditioner": "none"},
            "kernel + ridge I and the preconditioner must be",
        ),
        ("refined_solve", {"ridge": -1.0}, "ridge must be finite and >= 0; got -1.0."),
        ("refined_solve", {"max_steps": 0}, "max_steps at least 1; got 1e-10 and 0."),
        ("refined_solve", {"kernel": np.copy}, "kernel must be a NumPy array, since it is factored; got"),
    ],
)
def test_what_is_refused(solver, changes, message):
    arguments = {"kernel": np.eye(2), "y": np.ones(2), "ridge": 1.0} | changes
    for name in ("solve", "refined_solve") if solver == "both" else (solver,):
        with pytest.raises(InvalidInput, match=re.escape(message)):
            getattr(kernels, name)(**arguments)
