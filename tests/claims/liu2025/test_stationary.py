"""Stationary kernels: their formulas, and regression with them."""

import numpy as np

from claims.liu2025 import stationary

SETTING = {
    "target": "wave",
    "inputs": 3,
    "samples": 30,
    "validation": 4,
    "noise": 0.1,
    "depth": 1,
}
REPLICATES = (0, 3)


def test_stationary_kernels_are_positive_definite_and_follow_their_formulas():
    r = np.array([0.0, 0.5, 2.0])
    by_hand = {
        "laplace": [1, np.exp(-0.5), np.exp(-2)],
        "matern_32": [
            1,
            (1 + 0.75**0.5) * np.exp(-(0.75**0.5)),
            (1 + 12**0.5) * np.exp(-(12**0.5)),
        ],
        "matern_52": [
            1,
            (1 + 1.25**0.5 + 1.25 / 3) * np.exp(-(1.25**0.5)),
            (1 + 20**0.5 + 20 / 3) * np.exp(-(20**0.5)),
        ],
        "rbf": [1, np.exp(-0.125), np.exp(-2)],
    }
    assert by_hand.keys() == stationary.STATIONARY.keys()
    x = np.random.default_rng(0).standard_normal((20, 3))
    for name, kernel in stationary.STATIONARY.items():
        np.testing.assert_allclose(kernel(r), by_hand[name], rtol=1e-12)
        assert np.linalg.eigvalsh(kernel(stationary.distances(x, x)))[0] > -1e-12


def test_distances_are_euclidean():
    x, z = np.random.default_rng(1).standard_normal((2, 4, 3))
    np.testing.assert_allclose(
        stationary.distances(x, z), np.linalg.norm(x[:, None] - z, axis=2), rtol=1e-12
    )


def test_the_stationary_kernel_of_least_validation_loss_is_the_rival(oracle):
    predictions, losses = (
        np.arange(12.0).reshape(3, 2, 2),
        np.array([[3.0, 1.0], [2.0, 2.0], [5.0, 0.5]]),
    )
    chosen, least = stationary.least(list(zip(predictions, losses, strict=True)))
    np.testing.assert_array_equal(chosen, [predictions[1, 0], predictions[2, 1]])
    np.testing.assert_array_equal(least, [2.0, 0.5])
    found = stationary.stationary_kernels(oracle, SETTING, REPLICATES, "test")
    assert all(
        found["best"][i] in [found[name][i] for name in stationary.STATIONARY]
        for i in range(2)
    )
