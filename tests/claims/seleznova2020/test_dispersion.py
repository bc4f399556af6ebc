"""Dispersion at initialisation: against networks with explicit weights, the finite-size law, in
every backend.
"""

import importlib.util

import numpy as np
import pytest

from claims.seleznova2020.dispersion import ntk_dispersion, phase_map
from claims.seleznova2020.phases import map_cells
from claims.seleznova2020.theory import finite_size_law
from harness import backends


@pytest.fixture(scope="module")
def quick():
    """One fast backend, whichever is installed: that they agree is tested apart."""
    for name in ("torch", "jax"):
        if importlib.util.find_spec(name):
            return backends.get(name, dtype="float64")
    pytest.skip("neither PyTorch nor JAX is installed")


def dispersion(backend, replicates=(0,), stream="test", **configuration):
    arrays = ntk_dispersion(backend, configuration, replicates, stream)
    return arrays["mean_square"] / arrays["mean"] ** 2, arrays


def direct(activation, sigma_w2, sigma_b2, width, depth, draws):
    """Theta(x, x) over networks with explicit weights, one layer after another, written from the
    definition alone.
    """
    rng = np.random.default_rng(0)
    phi = {"relu": lambda h: np.maximum(h, 0), "tanh": np.tanh}[activation]
    slope = {"relu": lambda h: (h > 0) * 1.0, "tanh": lambda h: 1 - np.tanh(h) ** 2}[
        activation
    ]
    a, weights, hs, inputs = np.tile(np.eye(width)[0], (draws, 1)), [], [], []
    for fan_out in [width] * depth + [1]:
        inputs.append(a)
        weights.append(
            rng.normal(0, (sigma_w2 / width) ** 0.5, (draws, fan_out, width))
        )
        h = (weights[-1] @ a[:, :, None])[:, :, 0]
        hs.append(
            h
            if sigma_b2 is None
            else h + rng.normal(0, sigma_b2**0.5, (draws, fan_out))
        )
        a = phi(hs[-1])
    delta, kernel = np.ones((draws, 1)), np.zeros(draws)
    for layer in range(depth, -1, -1):
        of_weights = (inputs[layer] ** 2).sum(1)
        kernel += (delta**2).sum(1) * (
            of_weights if sigma_b2 is None else of_weights + 1
        )
        if layer:
            delta = (delta[:, None, :] @ weights[layer])[:, 0] * slope(hs[layer - 1])
    return kernel


def log_dispersion(theta):
    """ln R of a sample, and its standard error by the delta method."""
    mean, square = theta.mean(), (theta**2).mean()
    influence = theta**2 / square - 2 * theta / mean
    return np.log(square / mean**2), influence.std() / len(theta) ** 0.5


@pytest.mark.parametrize(
    "phase",
    [
        ("relu", 2.0, 0.0),
        ("relu", 3.0, 1.0),
        ("relu", 2.0, None),
        ("tanh", 1.0, 1.0),
        ("tanh", 5.0, 1.0),
    ],
)
def test_dispersion_is_that_of_networks_with_explicit_weights(quick, phase):
    draws = 20_000
    _, arrays = dispersion(quick, width=8, depth=2, draws=draws, phases=[phase])
    theta = direct(*phase, width=8, depth=2, draws=draws)
    expected, error = log_dispersion(theta)
    measured = np.log(arrays["mean_square"] / arrays["mean"] ** 2)[0, 0]
    assert (
        abs(arrays["mean"][0, 0] - theta.mean()) < 4 * theta.std() * (2 / draws) ** 0.5
    )
    assert abs(measured - expected) < 4 * 2**0.5 * error


def test_dispersion_obeys_the_finite_size_law(quick):
    width, depth = 32, 3
    ratio, _ = dispersion(
        quick,
        range(4),
        width=width,
        depth=depth,
        draws=8000,
        phases=[("relu", 2.0, 0.0)],
    )
    # The Monte-Carlo error is 0.0015; a layer more or less would move the law by 0.07.
    assert np.log(ratio).mean() == pytest.approx(
        np.log(finite_size_law(depth, width)), abs=0.01
    )


def test_phases_share_their_noise(quick):
    """A ReLU net without biases is homogeneous: with common noise its R is the same at every
    sigma_w.
    """
    phases = [
        ("relu", 1.0, None),
        ("relu", 3.0, None),
        ("relu", 2.0, 0.0),
        ("tanh", 1.0, None),
    ]
    ratio, arrays = dispersion(
        quick, range(2), width=6, depth=3, draws=700, phases=phases
    )
    assert arrays["mean"].shape == arrays["mean_square"].shape == (2, 4)
    np.testing.assert_allclose(ratio[:, 0], ratio[:, 1], rtol=1e-12)
    assert (np.abs(ratio[:, 3] - ratio[:, 0]) > 0.01).all()


def test_dispersion_is_the_same_in_every_backend(fast, oracle):
    configuration = {
        "width": 4,
        "depth": 2,
        "draws": 501,
        "phases": [("relu", 2.0, 0.0), ("tanh", 1.5, 0.5)],
    }
    reference, result = (
        ntk_dispersion(b, configuration, range(2), "test") for b in (oracle, fast)
    )
    for name, array in reference.items():
        np.testing.assert_allclose(result[name], array, rtol=1e-10)


def test_replicates_and_streams_are_draws_of_their_own(quick):
    def dispersions(replicates, stream):
        found, _ = dispersion(
            quick,
            replicates,
            stream,
            width=4,
            depth=2,
            draws=50,
            phases=[("relu", 2.0, 0.0)],
        )
        return found.ravel()

    assert (
        len(np.unique([*dispersions((0, 1), "test"), *dispersions((0,), "other")])) == 3
    )
    assert dispersions((0, 1), "test")[1] == pytest.approx(dispersions((1,), "test")[0])


def test_the_phase_map_is_the_dispersion_of_each_phase_under_names_of_its_own(oracle):
    """So that it cannot be mistaken for the cells on which the claim is decided."""
    (cell,) = map_cells(4, (2,), draws=3)
    found = phase_map(oracle, cell, (0, 1), "test")
    assert set(found) == {"map_mean", "map_mean_square"}
    column = cell["phases"].index(["relu", 2.5, 1.0])
    alone = ntk_dispersion(
        oracle, {**cell, "phases": [["relu", 2.5, 1.0]]}, (0, 1), "test"
    )
    np.testing.assert_allclose(
        found["map_mean_square"][:, column], alone["mean_square"][:, 0]
    )
