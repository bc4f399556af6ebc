"""Kernel regression and gradient flow against direct solves."""

import re

import numpy as np
import pytest

from harness import kernels
from harness.errors import InvalidInput
from harness.networks import mlp

NET = mlp((3, 8, 8, 1), sigma_b=0.3)


def problem(n=40, t=7, outputs=2):
    random = np.random.default_rng(0)
    x, x_test = random.standard_normal((n, 3)), random.standard_normal((t, 3))
    return (
        kernels.ntk(NET, x),
        random.standard_normal((n, outputs)),
        kernels.ntk(NET, x_test, x),
    )


def test_ladder_equals_separate_solves():
    k, y, k_test = problem()
    ridges = [1e-3, 0.1, 10.0]
    ladder = kernels.regression(k, y, k_test, ridges)
    assert ladder.shape == (3, 7, 2)
    for ridge, predictions in zip(ridges, ladder, strict=True):
        np.testing.assert_allclose(
            predictions,
            k_test @ np.linalg.solve(k + ridge * np.eye(40), y),
            rtol=0,
            atol=1e-10,
        )
        np.testing.assert_allclose(
            kernels.regression(k, y, k_test, ridge), predictions, rtol=0, atol=1e-13
        )


def test_one_output_without_an_axis():
    k, y, k_test = problem()
    both, one = (
        kernels.regression(k, y, k_test, 0.1),
        kernels.regression(k, y[:, 1], k_test, 0.1),
    )
    assert one.shape == (7,)
    np.testing.assert_allclose(one, both[:, 1], rtol=0, atol=1e-13)
    assert kernels.regression(k, y[:, 1], k_test, (0.1, 0.2)).shape == (2, 7)


def test_without_ridge_training_data_are_interpolated():
    k, y, _ = problem()
    np.testing.assert_allclose(kernels.regression(k, y, k, 0), y, rtol=0, atol=1e-8)


def test_without_ridge_a_singular_kernel_gives_the_minimum_norm_solution():
    random = np.random.default_rng(1)
    features, test = random.standard_normal((12, 4)), random.standard_normal((5, 4))
    y = random.standard_normal((12, 3))
    predictions = kernels.regression(features @ features.T, y, test @ features.T, 0.0)
    np.testing.assert_allclose(
        predictions, test @ np.linalg.lstsq(features, y)[0], rtol=0, atol=1e-12
    )


def test_eigenvalues_that_rounding_made_negative_count_as_zero():
    k = np.array([[1.0, 1.0 + 1e-9], [1.0 + 1e-9, 1.0]])  # eigenvalues 2 and -1e-9
    contrast = np.array([[1.0, -1.0]])
    np.testing.assert_allclose(
        kernels.regression(k, np.array([1.0, 0.0]), contrast, 1e-6), 1e6, rtol=1e-9
    )


def test_float32_kernels_are_cut_at_float32_rounding():
    k, y, k_test = problem()
    # every example twice
    k, y, k_test = (np.tile(k, (2, 2)), np.tile(y, (2, 1)), np.tile(k_test, 2))
    exact = kernels.regression(k, y, k_test, 0.0)
    rounded = kernels.regression(
        k.astype(np.float32), y, k_test.astype(np.float32), 0.0
    )
    assert rounded.dtype == np.float64
    np.testing.assert_allclose(rounded, exact, rtol=0, atol=1e-3 * np.abs(exact).max())


def test_posterior_of_a_gaussian_process():
    """A draw of the NNGP given noisy observations: unbiased, with the posterior variance."""
    random = np.random.default_rng(2)
    x, noise, draws = random.standard_normal((9, 3)), 0.2, 20_000
    k = kernels.nngp(NET, x)
    f = np.linalg.cholesky(k + 1e-12 * np.eye(9)) @ random.standard_normal((9, draws))
    y = f[:8] + noise**0.5 * random.standard_normal((8, draws))
    residual = f[8] - kernels.regression(k[:8, :8], y, k[8:, :8], noise)[0]
    variance = k[8, 8] - k[8, :8] @ np.linalg.solve(
        k[:8, :8] + noise * np.eye(8), k[:8, 8]
    )
    assert abs(residual.mean()) < 4 * (variance / draws) ** 0.5
    assert residual.var() == pytest.approx(variance, rel=4 * (2 / draws) ** 0.5)


def test_gradient_flow_is_the_limit_of_small_steps_of_gradient_descent():
    k, y, k_test = problem(n=10)
    step, f, f_test = 1e-4, np.zeros_like(y), np.zeros((7, 2))
    for _ in range(1000):
        f_test, f = f_test - step * k_test @ (f - y), f - step * k @ (f - y)
    flow = kernels.gradient_flow(k, y, k_test, time=0.1)
    np.testing.assert_allclose(flow, f_test, rtol=0, atol=2e-3 * np.abs(flow).max())


def test_gradient_flow_runs_from_zero_to_the_interpolant():
    k, y, k_test = problem(n=10)
    start, end = kernels.gradient_flow(k, y, k_test, time=[0.0, 1e9])
    assert (start == 0).all()
    np.testing.assert_allclose(
        end, kernels.regression(k, y, k_test, 0.0), rtol=0, atol=1e-10
    )


def test_gradient_flow_with_a_singular_kernel_stays_finite():
    ones = np.ones((2, 2))
    flow = kernels.gradient_flow(
        ones, np.array([1.0, 3.0]), ones[:1], time=np.log(2) / 2
    )
    np.testing.assert_allclose(flow, [1.0], atol=1e-14)


def truth_of_duplicates():
    """Inputs 0 to 4 twice, with labels that differ: a singular kernel, and the regression on
    averaged labels.
    """
    random = np.random.default_rng(3)
    x, x_test = random.standard_normal((20, 3)), random.standard_normal((4, 3))
    again = np.r_[np.arange(20), np.arange(5)]
    y = random.standard_normal(25)
    averages = np.array([y[again == index].mean() for index in range(20)])
    truth = kernels.ntk(NET, x_test, x) @ np.linalg.solve(kernels.ntk(NET, x), averages)
    return kernels.ntk(NET, x[again]), y, kernels.ntk(NET, x_test, x[again]), truth


def truth_of_few_features():
    """50 samples of 5 features, a kernel of rank 5, and least squares."""
    random = np.random.default_rng(4)
    x, x_test, y = (
        random.standard_normal((50, 5)),
        random.standard_normal((4, 5)),
        random.standard_normal(50),
    )
    return x @ x.T, y, x_test @ x.T, x_test @ np.linalg.lstsq(x, y)[0]


SINGULAR = pytest.mark.parametrize(
    "singular", [truth_of_duplicates, truth_of_few_features]
)


@SINGULAR
@pytest.mark.parametrize(
    ("dtype", "tolerance"), [("float64", 1e-10), ("float32", 1e-4)]
)
def test_gradient_flow_with_a_singular_kernel_tends_to_the_solution_without_ridge(
    singular, dtype, tolerance
):
    k, y, k_test, truth = singular()
    k, k_test = k.astype(dtype), k_test.astype(dtype)
    times = 10.0 ** np.arange(6, 21)
    flow = kernels.gradient_flow(k, y, k_test, times)
    allowed = tolerance * np.abs(truth).max()
    np.testing.assert_allclose(
        flow, np.tile(truth, (len(times), 1)), rtol=0, atol=allowed
    )
    np.testing.assert_allclose(
        kernels.gradient_flow(k, y, k_test, 1e300), truth, rtol=0, atol=allowed
    )


@SINGULAR
def test_regression_with_a_ridge_far_below_rounding_is_that_without(singular):
    k, y, k_test, truth = singular()
    tiny = kernels.regression(k, y, k_test, [1e-17, 1e-20, 1e-100, 1e-300, 0.0])
    np.testing.assert_allclose(
        tiny, np.tile(truth, (5, 1)), rtol=0, atol=1e-10 * np.abs(truth).max()
    )


def test_eigenvalues_no_larger_than_a_negative_one_are_rounding_too():
    k = np.diag([1.0, 1e-9, -1e-9])
    y, k_test = np.array([2.0, 1.0, 1.0]), np.array([[1.0, 1e-9, 1e-9]])
    np.testing.assert_allclose(kernels.regression(k, y, k_test, 0.0), [2.0], rtol=1e-12)
    np.testing.assert_allclose(
        kernels.gradient_flow(k, y, k_test, 1e15), [2.0], rtol=1e-12
    )


def test_the_filters_have_no_step():
    """An unresolved eigenvalue leaves little by little, as time grows or the ridge falls."""
    k, y, k_test = np.diag([1.0, 1e-17]), np.array([0.0, 1.0]), np.array([[0.0, 1.0]])
    times = np.geomspace(1e10, 1e17, 500)
    flow = kernels.gradient_flow(k, y, k_test, times)[:, 0]
    np.testing.assert_allclose(flow[times < 1e12], times[times < 1e12], rtol=1e-5)
    ridge = kernels.regression(k, y, k_test, 1 / times)[:, 0]
    for filters in (flow, ridge):
        assert np.abs(np.diff(filters)).max() < 0.1 * filters.max()
        assert filters[-1] == 0.0


@pytest.mark.parametrize("scale", [2.0**-1000, 2.0**-600, 2.0**600, 2.0**1015])
def test_units_of_the_kernel_do_not_matter(scale):
    k, y, k_test = problem(n=10)
    for ridge in (0.0, 0.1):
        right = kernels.regression(k, y, k_test, ridge)
        scaled = kernels.regression(scale * k, y, scale * k_test, scale * ridge)
        np.testing.assert_allclose(scaled, right, rtol=1e-9)
    flow = kernels.gradient_flow(scale * k, y, scale * k_test, 0.3 / scale)
    np.testing.assert_allclose(
        flow, kernels.gradient_flow(k, y, k_test, 0.3), rtol=1e-9
    )


K2, Y2 = np.eye(2), np.ones(2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            dict(k_train=np.ones((2, 3))),
            "k_train must be square, (N, N) with N >= 1; got (2, 3).",
        ),
        (
            dict(k_train=np.ones((0, 0))),
            "k_train must be square, (N, N) with N >= 1; got (0, 0).",
        ),
        (
            dict(k_train=[[1.0, 0.5], [0.4, 1.0]]),
            "|k_train - k_train^T| reaches 0.1, its largest entry is 1 (",
        ),
        (
            dict(k_train=[[1.0, 2.0], [2.0, 1.0]]),
            "its smallest eigenvalue is -1, its largest 3 (",
        ),
        (
            dict(k_train=[[1.0, np.nan], [np.nan, 1.0]]),
            "k_train must be finite; 2 of its entries are not.",
        ),
        (
            dict(k_train=K2 * 1j),
            "k_train must be real: booleans, integers or floats; got dtype complex128.",
        ),
        (dict(y=[1.0, np.inf]), "y must be finite; 1 of its entries are not."),
        (
            dict(y=np.ones(3)),
            "y must have shape (2,) or (2, O), one row per row of k_train; got (3,).",
        ),
        (
            dict(k_test=np.ones((4, 3))),
            "k_test must have shape (T, 2), test inputs by training "
            "inputs; got (4, 3).",
        ),
        (
            dict(ridge=-0.1),
            "ridge must be a number >= 0 or a sequence of such numbers; got -0.1.",
        ),
        (
            dict(ridge=[1.0, -2.0]),
            "ridge must be a number >= 0 or a sequence of such numbers; got "
            "[1.0, -2.0].",
        ),
        (dict(ridge=np.nan), "ridge must be finite; 1 of its entries are not."),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(InvalidInput, match=re.escape(message)):
        kernels.regression(
            **{"k_train": K2, "y": Y2, "k_test": K2, "ridge": 0.1, **arguments}
        )


def test_bad_times_are_named():
    with pytest.raises(
        InvalidInput,
        match=re.escape(
            "time must be a number >= 0 or a sequence of such numbers; got -1"
        ),
    ):
        kernels.gradient_flow(K2, Y2, K2, time=-1)


def test_rounding_is_no_asymmetry():
    k = np.array([[1.0, 0.5], [0.5 + 1e-12, 1.0]])
    np.testing.assert_allclose(
        kernels.regression(k, Y2, K2, 0.5), np.full(2, 0.5), rtol=1e-10
    )
