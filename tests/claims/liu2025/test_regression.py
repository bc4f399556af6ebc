"""Regression problems, tuned kernel regression, and the kernels compared by it."""

import re

import numpy as np
import pytest

from claims.liu2025 import regression
from claims.liu2025.stationary import STATIONARY, distances
from harness import backends, kernels
from harness.errors import InvalidInput

ROUGH = dict(target="rough", samples=30, inputs=3, noise=0.1)
TINY = dict(ROUGH, depth=2)
FITS = ("rough", "smooth", "friedman", "tops")


@pytest.fixture(params=["numpy", "torch"])
def backend(request):
    if request.param != "numpy":
        pytest.importorskip(request.param)
    return backends.get(request.param, dtype="float64")


# Problems


def test_targets_are_what_they_say():
    """Orthogonal directions: the mean of the gradients' products tells which, without knowing u and
    v.
    """
    rough = regression.draw(ROUGH, 0, "test")
    assert len(np.unique(rough.f)) == 2
    smooth = regression.draw(
        dict(ROUGH, target="smooth", samples=5000, noise=0.0), 0, "test"
    )
    moments = smooth.x.T @ smooth.y / 5000  # E[x f] = v E[cos] / sd
    v = moments / np.linalg.norm(moments)
    # E[x x^T f] = -u u^T e^(-1/2) / sd
    second = smooth.x.T @ ((smooth.y - smooth.y.mean())[:, None] * smooth.x) / 5000
    values, vectors = np.linalg.eigh(second)
    u = vectors[:, 0]
    assert values[0] < -0.4
    assert abs(values[1:]).max() < 0.15
    assert abs(u @ v) < 0.1
    values = np.cos(smooth.x @ u) + np.sin(smooth.x @ v)
    assert np.corrcoef(values, smooth.y)[0, 1] > 0.99
    friedman = regression.draw(
        dict(ROUGH, target="friedman", inputs=5, noise=0.0), 0, "test"
    )
    assert abs(friedman.x).max() <= 3**0.5
    assert np.corrcoef(regression.friedman(friedman.x_test), friedman.f)[
        0, 1
    ] == pytest.approx(1)


def test_in_one_dimension_both_directions_are_one():
    line = regression.draw(dict(ROUGH, target="smooth", inputs=1, noise=0.0), 0, "test")
    by_hand = [
        np.cos(line.x_test[:, 0]) + sign * np.sin(line.x_test[:, 0]) for sign in (1, -1)
    ]
    assert max(
        np.corrcoef(values, line.f)[0, 1] for values in by_hand
    ) == pytest.approx(1)


def test_friedmans_function_at_points_worked_out_by_hand():
    # z = 1, and z = 1/2 but for z_3 = 1
    corner, middle = (np.full(5, 3**0.5), np.array([0.0, 0.0, 3**0.5, 0.0, 0.0]))
    by_hand = [20 / 4 + 15, 10 * np.sin(np.pi / 4) + 5 + 5 + 2.5]
    assert regression.friedman(np.array([corner, middle])) == pytest.approx(
        by_hand, abs=1e-12
    )


@pytest.mark.parametrize("target", FITS)
def test_test_points_are_standardised_and_do_not_depend_on_the_number_of_samples(
    target,
):
    problem = dict(
        target=target, inputs={"friedman": 5, "tops": 784}.get(target, 3), noise=0.1
    )
    few, many = (regression.draw(dict(problem, samples=n), 1, "test") for n in (10, 40))
    assert (few.f.mean(), few.f.std()) == pytest.approx((0, 1), abs=1e-12)
    assert (few.x_test.shape, many.x.shape, many.y.shape) == (
        (500, problem["inputs"]),
        (40, problem["inputs"]),
        (40,),
    )
    np.testing.assert_array_equal(few.x_test, many.x_test)
    np.testing.assert_array_equal(few.f, many.f)
    np.testing.assert_array_equal(few.x, many.x[:10])
    np.testing.assert_array_equal(few.y, many.y[:10])
    other = regression.draw(dict(problem, samples=10), 2, "test")
    assert (other.x != few.x).any()


def test_noise_is_in_deviations_of_the_target():
    noisy, clean = (
        regression.draw(dict(ROUGH, samples=4000, noise=s), 0, "test")
        for s in (0.3, 0.0)
    )
    np.testing.assert_array_equal(noisy.f, clean.f)
    assert (noisy.y - clean.y).std() == pytest.approx(0.3, rel=0.05)


def test_diabetes_and_tops_are_standardised_real_data():
    x, y = regression.diabetes()
    np.testing.assert_allclose(
        (x.mean(axis=0), x.std(axis=0)), (np.zeros(10), np.ones(10)), atol=1e-6
    )
    assert y.mean() == pytest.approx(152.13, abs=0.01)
    problem = regression.draw(
        dict(target="diabetes", samples=200, inputs=10, noise=0.0), 0, "test"
    )
    rows = {tuple(row) for row in np.concatenate([problem.x, problem.x_test])}
    assert len(rows) == 442
    images, signs = regression.tops()
    assert (images.mean(), images.std()) == pytest.approx((0, 1), abs=1e-6)
    assert (signs == 1).sum() == 4000


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            dict(target="cubic"),
            "Unknown target 'cubic'. Known: diabetes, friedman, rough, smooth, tops.",
        ),
        (
            dict(target="friedman"),
            "Target 'friedman' has 5 inputs; the configuration says 3.",
        ),
        (
            dict(target="diabetes"),
            "Target 'diabetes' has 10 inputs; the configuration says 3.",
        ),
        (
            dict(target="diabetes", samples=201),
            "Data set 'diabetes' has 442 rows; 443 were asked for, test points included.",
        ),
    ],
)
def test_problems_that_there_are_not_are_named(changed, message):
    with pytest.raises(InvalidInput, match=re.escape(message)):
        regression.draw({**ROUGH, **changed}, 0, "test")


# Regression


def test_regression_minds_neither_offset_nor_scale():
    k, y = (
        np.cov(np.random.default_rng(2).standard_normal((6, 50))),
        np.arange(6.0) ** 2,
    )
    once = regression.regress(k, y, k[:2], np.array([0.1, 1.0]))
    np.testing.assert_allclose(
        regression.regress(7 * k, y + 5, 7 * k[:2], np.array([0.1, 1.0])),
        once + 5,
        rtol=1e-10,
    )
    ridge = 0.1 * np.trace(k) / 6
    by_hand = k[:2] @ np.linalg.solve(k + ridge * np.eye(6), y - y.mean()) + y.mean()
    np.testing.assert_allclose(once[0], by_hand, rtol=1e-10)


def test_folds_are_of_equal_sizes_and_lanes_independent():
    first, second = (regression.folds(32, 0, "test", lane) for lane in (0, 1))
    assert sorted(np.bincount(first)) == [6, 6, 6, 7, 7]
    assert (first != second).any()


def test_tuning_takes_the_kernel_and_ridge_of_least_error_in_cross_validation():
    problem, fold = regression.draw(ROUGH, 0, "test"), regression.folds(30, 0, "test")
    near, far = (distances(x, problem.x) for x in (problem.x, problem.x_test))
    pairs = [(np.exp(-near / s), np.exp(-far / s)) for s in (0.1, 5.0)]
    fit = regression.tuned(pairs, problem.y, fold)
    missed = {}
    for which, (k, _) in enumerate(pairs):
        for ridge in regression.RIDGES:
            errors = []
            for held in range(5):
                rest, out = np.flatnonzero(fold != held), np.flatnonzero(fold == held)
                mean = problem.y[rest].mean()
                gram = k[np.ix_(rest, rest)] + ridge * k[rest, rest].mean() * np.eye(
                    len(rest)
                )
                prediction = (
                    k[np.ix_(out, rest)] @ np.linalg.solve(gram, problem.y[rest] - mean)
                    + mean
                )
                errors += list((prediction - problem.y[out]) ** 2)
            missed[which, ridge] = np.mean(errors)
    best = min(missed, key=missed.get)
    assert (fit.which, fit.ridge) == best
    assert fit.missed == pytest.approx(missed[best], rel=1e-8)
    k_train, k_test = pairs[fit.which]
    np.testing.assert_array_equal(
        fit.prediction, regression.regress(k_train, problem.y, k_test, fit.ridge)
    )
    np.testing.assert_allclose(
        fit.ridgeless, regression.regress(k_train, problem.y, k_test, 1e-6), rtol=1e-8
    )


def test_error_is_relative_to_the_best_constant():
    f = np.array([1.0, 3.0, 5.0])
    assert regression.relative_error(np.full(3, 3.0), f) == 1
    np.testing.assert_allclose(
        regression.relative_error(np.array([f, f + 2]), f), [0, 1.5]
    )


def test_other_kernels_are_those_of_their_length_scales():
    found = regression.other_kernels(None, ROUGH, [0, 3], "test")
    assert all(values.shape == (2,) for values in found.values())
    problem, fold = regression.draw(ROUGH, 3, "test"), regression.folds(30, 3, "test")
    linear = regression.tuned(
        [(problem.x @ problem.x.T, problem.x_test @ problem.x.T)], problem.y, fold
    )
    assert found["linear"][1] == regression.relative_error(linear.prediction, problem.f)
    near, far = (distances(x, problem.x) / 3**0.5 for x in (problem.x, problem.x_test))
    pairs = [(np.exp(-near / s), np.exp(-far / s)) for s in regression.SCALES]
    laplace = regression.tuned(pairs, problem.y, fold)
    assert found["laplace"][1] == regression.relative_error(
        laplace.prediction, problem.f
    )
    assert found["best"][1] in [found[name][1] for name in STATIONARY]
    assert found["short_rbf"][1] > 0.9


# What the claim measures


def test_errors_and_distances_are_those_of_the_kernels(backend):
    found = regression.network_kernels(backend, TINY, [0, 3], "test")
    problem, fold = regression.draw(TINY, 3, "test"), regression.folds(30, 3, "test")
    net, fits = regression.limit_network(TINY), {}
    for name, kernel in (("nngp", kernels.nngp), ("ntk", kernels.ntk)):
        fits[name] = regression.tuned(
            [(kernel(net, problem.x), kernel(net, problem.x_test, problem.x))],
            problem.y,
            fold,
        )
        errors = [
            ((p - problem.f) ** 2).mean()
            for p in (fits[name].prediction, fits[name].ridgeless)
        ]
        assert found[name][1] == pytest.approx(errors, rel=1e-6)
    assert found["ridges"][1] == pytest.approx([fits["nngp"].ridge, fits["ntk"].ridge])
    apart = fits["nngp"].ridgeless - fits["ntk"].ridgeless
    assert found["distance"][1, 1] == pytest.approx((apart**2).mean() ** 0.5, rel=1e-6)
    assert found["distance"][1, 0] > 0


def test_depth_counts_hidden_layers():
    """One hidden ReLU layer: the NNGP is the arc-cosine kernel of order 1 (Cho, Saul 2009)."""
    net, x = (
        regression.limit_network(dict(inputs=2, depth=1)),
        np.array([[1.0, 0.0], [0.0, 2.0]]),
    )
    k = x @ x.T + 0.3**2  # 2 / 2 x.x' + sigma_b^2
    cosine = k[0, 1] / (k[0, 0] * k[1, 1]) ** 0.5
    angle = np.arccos(cosine)
    off = (k[0, 0] * k[1, 1]) ** 0.5 * (
        np.sin(angle) + (np.pi - angle) * cosine
    ) / np.pi + 0.3**2
    np.testing.assert_allclose(kernels.nngp(net, x)[0, 1], off, rtol=1e-9)


def test_the_same_kernel_differs_by_its_folds_alone(backend):
    same = regression.same_kernel(backend, TINY, range(4), "test")["same"]
    ntk = regression.network_kernels(backend, TINY, range(4), "test")["ntk"][:, 0]
    np.testing.assert_allclose(same[:, 0], ntk, rtol=1e-8)
    assert (np.abs(np.log(same[:, 1] / same[:, 0])) < 0.5).all()
    assert (same[:, 1] != same[:, 0]).any()
