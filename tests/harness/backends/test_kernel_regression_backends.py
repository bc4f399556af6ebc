"""Kernel ridge regression on a backend's device against that of harness.kernels, which decomposes
the kernel.
"""

import re

import numpy as np
import pytest

from harness import backends, kernels, networks
from harness.errors import InvalidInput

NET = networks.mlp((3, 8, 8, 1), sigma_b=0.3)
RIDGES = np.logspace(-7, 1, 13)


def problem(n=60, t=7, outputs=2, seed=0):
    random = np.random.default_rng(seed)
    x, x_test = random.standard_normal((n, 3)), random.standard_normal((t, 3))
    return (
        kernels.ntk(NET, x),
        random.standard_normal((n, outputs)),
        kernels.ntk(NET, x_test, x),
    )


@pytest.fixture(params=["numpy", "torch", "jax"])
def backend(request):
    """Of float32 where there is a choice: the solution is in float64 all the same."""
    if request.param != "numpy":
        pytest.importorskip(request.param)
    return backends.get(request.param, device="cpu")


def test_a_ladder_is_that_of_the_eigendecomposition_up_to_rounding_times_condition(
    backend,
):
    k, y, k_test = problem()
    scale = np.trace(k) / len(k)
    found, wanted = (
        f(k, y, k_test, RIDGES * scale)
        for f in (backend.kernel_regression, kernels.regression)
    )
    assert (found.shape, found.dtype) == ((13, 7, 2), np.float64)
    for ridge, ours, exact in zip(RIDGES * scale, found, wanted, strict=True):
        condition = np.linalg.cond(k + ridge * np.eye(len(k)))
        np.testing.assert_allclose(
            ours,
            exact,
            rtol=0,
            atol=10 * np.finfo(float).eps * condition * np.abs(exact).max(),
        )


def test_one_ridge_and_one_output_have_no_axis(backend):
    k, y, k_test = problem()
    assert backend.kernel_regression(k, y, k_test, 0.1).shape == (7, 2)
    one = backend.kernel_regression(k, y[:, 1], k_test, 0.1)
    np.testing.assert_allclose(
        one, kernels.regression(k, y[:, 1], k_test, 0.1), rtol=1e-9
    )


def test_seeds_are_regressed_each_by_itself(backend):
    k, y, k_test = map(
        np.array, zip(*(problem(seed=seed) for seed in range(3)), strict=True)
    )
    found = backend.kernel_regression(k, y, k_test, RIDGES[-3:])
    assert found.shape == (3, 3, 7, 2)
    for ours, *seed in zip(found, k, y, k_test, strict=True):
        np.testing.assert_allclose(
            ours, kernels.regression(*seed, RIDGES[-3:]), rtol=1e-9
        )


def near_singular():
    """Of rank 4 but for rounding: the kernel of 60 inputs made of float32 gradients has eigenvalues
    below zero.
    """
    gradients = np.random.default_rng(1).standard_normal((67, 4)).astype(np.float32)
    gram = gradients @ gradients.T
    return (
        gram[:60, :60],
        np.random.default_rng(2).standard_normal((60, 1)),
        gram[60:, :60],
    )


def test_a_ridge_below_the_rounding_of_a_float32_kernel_gives_nan_and_others_what_the_oracle_gives(
    backend,
):
    k, y, k_test = near_singular()
    lowest = -np.linalg.eigvalsh((k.astype(float) + k.T) / 2)[0]
    assert lowest > 1e-7
    found = backend.kernel_regression(
        k, y, k_test, (lowest / 2, 1e3 * lowest, 1e5 * lowest)
    )
    wanted = kernels.regression(k, y, k_test, (lowest / 2, 1e3 * lowest, 1e5 * lowest))
    assert np.isnan(found[0]).all()
    # What separates the two is what 1 / (lambda + ridge) and 1 / ridge differ by, on what rounding
    # put beside the data.
    np.testing.assert_allclose(found[1:], wanted[1:], rtol=1e-2)
    np.testing.assert_allclose(found[2], wanted[2], rtol=1e-4)


def test_duplicates_of_samples_do_no_harm_above_rounding(backend):
    k, y, k_test = problem(n=20)
    # float64, of rank 20
    k, y, k_test = (np.tile(k, (3, 3)), np.tile(y, (3, 1)), np.tile(k_test, 3))
    found, wanted = (
        f(k, y, k_test, (1e-6, 1e-2))
        for f in (backend.kernel_regression, kernels.regression)
    )
    np.testing.assert_allclose(found, wanted, rtol=1e-6)


K2, Y2 = np.array([[2.0, 1.0], [1.0, 2.0]]), np.array([1.0, -1.0])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"ridge": 0.0},
            "ridge must be a positive number or a sequence of such numbers; got 0.0. Without a "
            "ridge: ker",
        ),
        (
            {"ridge": (1.0, -1.0)},
            "ridge must be a positive number or a sequence of such numbers; got (1.0, -1.0)",
        ),
        (
            {"ridge": np.inf},
            "ridge must be a positive number or a sequence of such numbers; got inf",
        ),
        ({"k_train": K2[:1]}, "k_train must be square, (N, N) with N >= 1; got (1, 2)"),
        (
            {"k_train": K2 * [[1.0, 2.0]]},
            "k_train must be symmetric; |k_train - k_train^T| reaches 1",
        ),
        (
            {"k_train": -K2},
            "k_train must be positive semi-definite up to rounding; with 4.71e-08 added to its "
            "diagonal",
        ),
        (
            {"k_train": -K2, "ridge": (1e-9, 5.0)},
            "k_train must be positive semi-definite up to rounding; with 4.71e-08",
        ),
        (
            {"y": np.ones(3)},
            "y must have shape (2,) or (2, O), one row per row of k_train; got (3,)",
        ),
        (
            {"k_test": np.ones((1, 3))},
            "k_test must have shape (T, 2), test inputs by training inputs; got (1, 3)",
        ),
        (
            {"k_train": K2[None]},
            "one leading seed axis, as k_train has; they begin with [(1,), (2,), (2,)]",
        ),
    ],
)
def test_wrong_arguments_are_named(backend, arguments, message):
    with pytest.raises(InvalidInput, match=re.escape(message)):
        backend.kernel_regression(
            **{"k_train": K2, "y": Y2, "k_test": K2, "ridge": 0.1, **arguments}
        )
