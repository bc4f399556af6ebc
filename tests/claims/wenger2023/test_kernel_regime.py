"""The kernel regime: errors at initialisation against simulation and closed forms, and the claim on
planted errors.
"""

import importlib
import importlib.util
from pathlib import Path

import numpy as np
import pytest

from claims.wenger2023 import kernel_regime
from claims.wenger2023.kernel_regime import (
    TARGET_LOSS,
    kernel_error_at_init,
    mean_field_scaling,
)
from claims.wenger2023.widths import reaching, slopes
from harness import backends, networks, studies
from harness.backends import SGD
from harness.experiment import Measurements

CLAIM = (
    Path(__file__).parents[3]
    / "claims"
    / "wenger2023"
    / "test_kernel_regime_needs_extreme_width.py"
)
LINEAR = {"samples": 3, "width": 4, "inits": 4000}


@pytest.fixture(scope="module")
def quick():
    """One fast backend, whichever is installed: that they agree is tested apart."""
    for name in ("torch", "jax"):
        if importlib.util.find_spec(name):
            return backends.get(name, dtype="float64")
    pytest.skip("neither PyTorch nor JAX is installed")


AT_INIT = {
    "depth": 2,
    "samples": 6,
    "activation": "relu",
    "sigma_w2": 2.0,
    "sigma_b2": 0.1,
    "bottleneck": None,
}


def kernel_error(backend, **changes):
    configuration = {**AT_INIT, "width": 64, "inits": 6, "ensemble": 1, **changes}
    return kernel_error_at_init(backend, configuration, range(2), "test")[
        "kernel_error"
    ]


def test_kernel_error_falls_as_the_root_of_the_width(quick):
    narrow, wide = kernel_error(quick, width=32), kernel_error(quick, width=512)
    assert narrow.shape == (2, 6)
    exponent = np.log(np.median(wide) / np.median(narrow)) / np.log(512 / 32)
    assert exponent == pytest.approx(-0.5, abs=0.12)


def test_kernel_error_vanishes_for_an_ensemble(quick):
    """The mean of many kernels is the limit up to O(1/width); its error falls as the root of their
    number.
    """
    single, ensemble = (
        kernel_error(quick, inits=8),
        kernel_error(quick, inits=1, ensemble=64),
    )
    assert ensemble.max() < 0.3 * np.median(single)
    assert ensemble.max() < 0.08


def test_a_bottleneck_brings_the_kernel_error_of_a_narrow_net(quick):
    assert np.median(kernel_error(quick, width=512, bottleneck=8)) > 4 * np.median(
        kernel_error(quick, width=512)
    )


@pytest.fixture
def vectors(monkeypatch):
    """Three inputs that span a plane in five dimensions almost, in place of images."""
    x = np.array([[3.0, 0, 1, 0, 0], [2.0, 1, 0, 0, 1], [0, 0, 0, 2.0, 1]])
    monkeypatch.setattr(
        kernel_regime,
        "images",
        lambda replicates, stream, samples: (np.stack([x] * len(replicates)), None),
    )
    return x


def test_kernel_error_of_a_linear_net_is_that_of_networks_drawn_in_full_and_its_closed_form(
    fast, vectors
):
    """Within four standard errors: the claim's, by coordinates; weights on all five inputs, the
    kernel written out.
    """
    found = kernel_regime.linear_error(fast, LINEAR, (0, 1), "test")
    rng, width = np.random.default_rng(0), LINEAR["width"]
    K = vectors @ vectors.T / 5
    W, v = rng.standard_normal((20_000, width, 5)), rng.standard_normal((20_000, width))
    hidden = vectors @ W.transpose(0, 2, 1) / 5**0.5
    kernels = (
        hidden @ hidden.transpose(0, 2, 1) + (v**2).sum(axis=1)[:, None, None] * K
    ) / width
    drawn = ((kernels - 2 * K) ** 2).sum(axis=(1, 2)) / (4 * (K**2).sum())
    assert found["linear_error"].shape == (2, LINEAR["inits"])
    for sample in (found["linear_error"][0] ** 2, found["linear_error"][1] ** 2, drawn):
        assert (
            abs(sample.mean() - found["linear_law"][0] ** 2)
            < 4 * sample.std() / len(sample) ** 0.5
        )
    assert not np.allclose(found["linear_error"][0], found["linear_error"][1])


def test_mean_field_scaling_trains_the_weights_that_the_mean_field_network_has(fast):
    """Ten steps of g = f / sqrt(M) at M times the rate, written as a function of its own."""
    width, rate = 6, 0.02
    net = networks.mlp((2, width, 1), "tanh", "ntk", 1.3, 0.4)
    theta, x, y = (
        net.init(0),
        np.array([[0.5, -1.0], [1.2, 0.3], [-0.4, 0.8]]),
        np.array([[1.0], [-1.0], [1.0]]),
    )
    functions = {"torch": mean_field(width, "torch"), "jax": mean_field(width, "jax")}
    g = networks.from_callable(functions, inputs=2, outputs=1, initial=theta)
    scaling = mean_field_scaling(width)
    plain = fast.train(
        net, theta, x, scaling["label_scale"] * y, optimizer=SGD(rate), steps=10
    )
    own = fast.train(g, theta, x, y, optimizer=SGD(width * rate), steps=10)
    for name, weights in own.theta.items():
        assert np.linalg.norm(weights - theta[name]) > 1e-3
        np.testing.assert_allclose(plain.theta[name], weights, rtol=1e-9, atol=1e-12)
    assert plain.loss / own.loss == pytest.approx(scaling["target_loss"] / TARGET_LOSS)


def mean_field(width, framework):
    """g of the test above: one hidden layer, read out by a mean over neurons."""
    tanh = importlib.import_module(
        {"torch": "torch", "jax": "jax.numpy"}[framework]
    ).tanh

    def g(theta, x):
        hidden = tanh(1.3 / 2**0.5 * x @ theta["W1"].T + 0.4 * theta["b1"])
        return (
            1.3 / width**0.5 * hidden @ theta["W2"].T + 0.4 * theta["b2"]
        ) / width**0.5

    return g


def test_width_that_ten_per_cent_needs_is_where_the_fitted_line_comes_to_it():
    """Of error = c M^-1/2 with c = 2 and 3: M = (c / 0.1)^2."""
    widths = (32, 100, 512)
    errors = [[2 / width**0.5, 3 / width**0.5] for width in widths]
    np.testing.assert_allclose(reaching(0.1, widths, errors), [400, 900])


@pytest.mark.parametrize("bad", [np.nan, 0.0, np.inf])
def test_a_seed_without_a_number_has_no_slope_and_leaves_the_others_theirs(bad):
    found = slopes((32, 128), [[2.0, bad], [1.0, 1.0]])
    assert found[0] == pytest.approx(-0.5)
    assert np.isnan(found[1])


NOISE = np.array([-0.3, 0.1, 0.25, -0.05, 0.2, -0.15, 0.05, -0.1, 0.12, -0.12])
SEEDS = len(NOISE)
RATE = 0.5 + 0.05 * NOISE


def log_value(width, depth):
    """ln of an error that falls with the width at a rate of each seed's own."""
    return 0.3 * depth - RATE * np.log(width)


def planted(study):
    """Measurements of the quick tier in which every error is exp of `log_value`."""
    cells = []
    for experiment in study.experiments:
        for request in experiment.requests("quick", "torch"):
            cells.append(
                (request, arrays_of(experiment.measure.__name__, request.configuration))
            )
    return Measurements(cells)


def arrays_of(computation, c):
    if computation == "linear_error":
        return {
            "linear_error": np.exp(log_value(c["width"], 0))[:, None]
            * np.ones(c["inits"])
        }
    values = log_value(c["width"], c["depth"])
    if computation == "kernel_change":
        # In mean-field scaling, whose targets are sqrt(width), the change does not depend on the
        # width.
        change = np.exp(values) if c["label_scale"] == 1.0 else np.full(SEEDS, 0.5)
        return {"kernel_change": change, "reached": np.ones(SEEDS)}
    around = np.linspace(-0.1, 0.1, c["inits"]) if c["inits"] > 1 else np.zeros(1)
    return {"kernel_error": np.exp(values[:, None] + around)}


@pytest.fixture(scope="module")
def study():
    return studies.load(CLAIM)


def test_rates_of_the_kernel_regime_are_fitted_per_seed(study):
    effects = study.effects(planted(study))
    expected = {
        "init_rate": 0.5 - RATE,
        "drift_rate": RATE - 0.5,
        "init_error_at_100_times_depth": np.mean(
            [log_value(100 * d, d) for d in (1, 2, 4, 8)], axis=0
        )
        - np.log(0.1),
        "drift_at_100_times_depth": np.mean(
            [log_value(100 * d, d) for d in (1, 3)], axis=0
        )
        - np.log(0.1),
        "ensemble": log_value(100, 1) - np.log(0.1),
        "bottleneck": log_value(200, 2) - np.log(0.1),
        "linear_rate": 0.5 - RATE,
        "mean_field_drift": np.full(SEEDS, -0.5),
    }
    assert effects.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_allclose(
            effects[name], values, rtol=1e-9, atol=1e-12, err_msg=name
        )


@pytest.mark.parametrize("bad", [0.0, np.nan])
def test_each_gate_closes_on_what_it_guards_against(study, bad):
    m = planted(study)
    assert not any(study.gates(m).values())
    trained = [arrays for _, arrays in m.cells if "reached" in arrays]
    trained[-1]["reached"][3] = bad
    trained[-1]["kernel_change"][3] = bad
    failures = study.gates(m)
    assert failures["trained"].startswith("reached fails for 1 of 10 seeds at ")
    assert failures["finite"].startswith(
        "zero, negative or not finite: kernel_change at "
    )


@pytest.mark.parametrize("bad", [0.0, np.nan, np.inf])
def test_an_error_that_is_no_number_at_initialisation_breaks_the_claim(study, bad):
    m = planted(study)
    at_init = [arrays for _, arrays in m.cells if "kernel_error" in arrays]
    at_init[0]["kernel_error"][2, 0] = bad
    assert study.gates(m)["finite"].startswith(
        "zero, negative or not finite: kernel_error at "
    )
