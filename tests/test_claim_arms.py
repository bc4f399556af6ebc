"""What the claim on the kernel regime adds to the shared computations."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from harness import networks
from harness.backends import SGD

CLAIMS = Path(__file__).parents[1] / "claims"
REGIME = "wenger2023/test_kernel_regime_needs_extreme_width.py"
LINEAR = {"samples": 3, "width": 4, "inits": 4000}


def loaded(file):
    spec = importlib.util.spec_from_file_location(Path(file).stem, CLAIMS / file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def regime():
    return loaded(REGIME)


@pytest.fixture
def vectors(regime, monkeypatch):
    """Three inputs that span a plane in five dimensions almost, in place of images."""
    x = np.array([[3.0, 0, 1, 0, 0], [2.0, 1, 0, 0, 1], [0, 0, 0, 2.0, 1]])
    monkeypatch.setattr(regime, "images", lambda replicates, stream, samples: (np.stack([x] * len(replicates)), None))
    return x


def test_kernel_error_of_a_linear_net_is_that_of_networks_drawn_in_full_and_its_closed_form(regime, fast, vectors):
    """Within four standard errors: the claim's, by coordinates; weights on all five inputs, the kernel written out."""
    found = regime.linear_error(fast, LINEAR, (0, 1), "test")
    rng, width = np.random.default_rng(0), LINEAR["width"]
    K = vectors @ vectors.T / 5
    W, v = rng.standard_normal((20_000, width, 5)), rng.standard_normal((20_000, width))
    hidden = vectors @ W.transpose(0, 2, 1) / 5**0.5
    kernels = (hidden @ hidden.transpose(0, 2, 1) + (v**2).sum(axis=1)[:, None, None] * K) / width
    drawn = ((kernels - 2 * K) ** 2).sum(axis=(1, 2)) / (4 * (K**2).sum())
    assert found["linear_error"].shape == (2, LINEAR["inits"])
    for sample in (found["linear_error"][0] ** 2, found["linear_error"][1] ** 2, drawn):
        assert abs(sample.mean() - found["linear_law"][0] ** 2) < 4 * sample.std() / len(sample) ** 0.5
    assert not np.allclose(found["linear_error"][0], found["linear_error"][1])


def test_mean_field_scaling_trains_the_weights_that_the_mean_field_network_has(regime, fast):
    """Ten steps of g = f / sqrt(M) at M times the rate, written as a function of its own."""
    width, rate = 6, 0.02
    net = networks.mlp((2, width, 1), "tanh", "ntk", 1.3, 0.4)
    theta, x, y = net.init(0), np.array([[0.5, -1.0], [1.2, 0.3], [-0.4, 0.8]]), np.array([[1.0], [-1.0], [1.0]])
    functions = {"torch": mean_field(width, "torch"), "jax": mean_field(width, "jax")}
    g = networks.from_callable(functions, inputs=2, outputs=1, initial=theta)
    scaling = regime.mean_field_scaling(width)
    plain = fast.train(net, theta, x, scaling["label_scale"] * y, optimizer=SGD(rate), steps=10)
    own = fast.train(g, theta, x, y, optimizer=SGD(width * rate), steps=10)
    for name, weights in own.theta.items():
        assert np.linalg.norm(weights - theta[name]) > 1e-3
        np.testing.assert_allclose(plain.theta[name], weights, rtol=1e-9, atol=1e-12)
    assert plain.loss / own.loss == pytest.approx(scaling["target_loss"] / regime.TRAINING["target_loss"])


def mean_field(width, framework):
    """g of the test above: one hidden layer, read out by a mean over neurons."""
    tanh = importlib.import_module({"torch": "torch", "jax": "jax.numpy"}[framework]).tanh

    def g(theta, x):
        hidden = tanh(1.3 / 2**0.5 * x @ theta["W1"].T + 0.4 * theta["b1"])
        return (1.3 / width**0.5 * hidden @ theta["W2"].T + 0.4 * theta["b2"]) / width**0.5

    return g


def test_width_that_ten_per_cent_needs_is_where_the_fitted_line_comes_to_it(regime):
    """Of error = c M^-1/2 with c = 2 and 3: M = (c / 0.1)^2."""
    widths = (32, 100, 512)
    log_values = [np.log([2 / width**0.5, 3 / width**0.5]) for width in widths]
    np.testing.assert_allclose(regime.width_needed(widths, log_values), [400, 900])
