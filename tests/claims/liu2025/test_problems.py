"""The targets of the claims on networks and their kernels."""

import numpy as np
import pytest

from claims.liu2025.problems import TARGETS, TESTS, problem

SETTING = {"target": "wave", "inputs": 3, "samples": 6, "validation": 4, "noise": 0.1}


@pytest.mark.parametrize("target", list(TARGETS))
def test_targets_have_unit_variance_and_noise_where_there_is_something_to_learn(target):
    setting = {
        **SETTING,
        "target": target,
        "inputs": 5,
        "samples": 400,
        "validation": 300,
    }
    noisy, clean = (
        problem(setting, (0,), "test"),
        problem({**setting, "noise": 0.0}, (0,), "test"),
    )
    assert [samples.x.shape for samples in noisy] == [
        (1, 400, 5),
        (1, 300, 5),
        (1, TESTS, 5),
    ]
    assert noisy[2].y.std() == pytest.approx(1, abs=1e-12)
    assert noisy[2].y.mean() == pytest.approx(0, abs=1e-12)
    np.testing.assert_array_equal(noisy[2].y, clean[2].y)
    for a, b in zip(noisy[:2], clean[:2], strict=True):
        np.testing.assert_array_equal(a.x, b.x)
        assert (a.y - b.y).std() == pytest.approx(0.1, rel=0.1)


def test_the_wave_goes_along_one_direction():
    training, _, test = problem(
        {**SETTING, "samples": 1000, "noise": 0.0}, (0,), "test"
    )
    x, y = test.x[0], test.y[0, :, 0]
    u = y @ x / np.linalg.norm(y @ x)  # E[sin(2.5 u.x) x] is parallel to u
    for _ in range(200):  # refined by Gauss-Newton on a sin(2.5 u.x) + c
        wave = np.column_stack([np.sin(2.5 * x @ u), np.ones(len(x))])
        a, c = np.linalg.lstsq(wave, y, rcond=None)[0]
        slope = 2.5 * a * np.cos(2.5 * x @ u)[:, None] * x
        u = u + 0.5 * np.linalg.lstsq(slope, y - a * wave[:, 0] - c, rcond=None)[0]
    np.testing.assert_allclose(
        a * np.sin(2.5 * training.x[0] @ u) + c, training.y[0, :, 0], atol=1e-6
    )
    assert np.linalg.norm(u) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize(
    ("target", "formula"),
    [
        ("wave", lambda z: np.sin(2.5 * z[:, 0])),
        ("long_wave", lambda z: np.sin(1.5 * z[:, 0])),
        ("product", lambda z: z[:, 0] * z[:, 1]),
    ],
)
def test_targets_are_their_formulas(target, formula):
    z = np.random.default_rng(0).standard_normal((20, 5))
    np.testing.assert_allclose(TARGETS[target](z), formula(z), rtol=1e-12)


def test_the_product_is_along_two_orthogonal_directions():
    """E[x x^T f] = (u v^T + v u^T) for f = (u.x)(v.x): eigenvalues 1, -1, else 0."""
    setting = {**SETTING, "target": "product", "samples": 20_000, "noise": 0.0}
    training, _, _ = problem(setting, (0,), "test")
    x, y = training.x[0], training.y[0]
    moment = (x * (y - y.mean())).T @ x / len(x)
    low, middle, high = np.linalg.eigvalsh(moment)
    assert high == pytest.approx(-low, rel=0.1)
    assert abs(middle) < 0.1 * high
