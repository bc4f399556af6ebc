"""The targets of the claims on networks and their kernels."""

import numpy as np
import pytest

from claims.liu2025.problems import TESTS, problem

SETTING = {"target": "wave", "inputs": 3, "samples": 6, "validation": 4, "noise": 0.1}


@pytest.mark.parametrize("target", ["wave", "rough", "smooth", "friedman"])
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
