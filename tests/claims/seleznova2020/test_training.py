"""Training by the paper's protocol: against descent written out, linear networks in closed form,
and gradient flow.
"""

import importlib.util

import numpy as np
import pytest

from claims.seleznova2020.training import (
    kernel_change,
    linearised_loss,
    training_by_protocol,
)
from harness import backends, networks, seeds
from harness.errors import InvalidInput
from harness.measurements import images, relative_change, targets

NET = {
    "width": 6,
    "depth": 2,
    "activation": "tanh",
    "parametrization": "standard",
    "sigma_w2": 1.5,
    "sigma_b2": 0.5,
}
TASK = {
    "samples": 3,
    "labels": "one-hot",
    "label_scale": 1.0,
    "centred": False,
    "lane": 0,
    "target_loss": None,
}
FIXED = {**NET, **TASK, "flow_time": 0.05, "edge_fraction": None, "steps": 20}
SCALED = {**NET, **TASK, "flow_time": None, "edge_fraction": 0.5, "steps": 20}


@pytest.fixture(scope="module")
def quick():
    """One fast backend, whichever is installed: that they agree is tested apart."""
    for name in ("torch", "jax"):
        if importlib.util.find_spec(name):
            return backends.get(name, dtype="float64")
    pytest.skip("neither PyTorch nor JAX is installed")


def trained(backend, configuration, replicates=range(2), **changes):
    return training_by_protocol(
        backend, {**configuration, **changes}, replicates, "test"
    )


def frozen_loss(kernel, residual, rate, steps):
    """Descent on the function values themselves, step by step: r <- r - 2 rate Theta r / (N O)."""
    r = residual.ravel()
    for _ in range(steps):
        r = r - 2 * rate / r.size * kernel @ r
    return (r**2).mean()


@pytest.mark.parametrize(
    "configuration",
    [FIXED, {**SCALED, "centred": True, "labels": "sign", "target_loss": 0.3}],
    ids=["fixed", "scaled"],
)
def test_the_protocol_is_the_same_in_every_backend(fast, oracle, configuration):
    reference, result = (trained(backend, configuration) for backend in (oracle, fast))
    assert reference.keys() == result.keys()
    for name, array in reference.items():
        assert array.shape[0] == 2
        np.testing.assert_allclose(
            result[name], array, rtol=1e-6 if name == "condition" else 1e-8
        )


def test_the_fixed_rate_is_flow_time_over_steps_and_shared_by_all(quick):
    fixed, scaled = trained(quick, FIXED), trained(quick, SCALED)
    np.testing.assert_allclose(scaled["rate_over_edge"], 0.5)
    # rate = flow_time / steps for every seed
    edges = 0.05 / 20 / fixed["rate_over_edge"]
    again = trained(quick, FIXED, flow_time=0.2, steps=40)
    np.testing.assert_allclose(0.2 / 40 / again["rate_over_edge"], edges)
    assert abs(np.diff(edges)) > 1e-4 * edges[0]
    one = training_by_protocol(
        quick, {**FIXED, "flow_time": 0.5 * edges[0] * 20}, (0,), "test"
    )
    np.testing.assert_allclose(one["min_loss"], scaled["min_loss"][:1], rtol=1e-10)


def test_half_the_edge_to_a_loss_is_the_kernel_change_at_matched_loss(quick):
    """The two computations meet where their protocols do."""
    common = {**SCALED, "labels": "sign", "target_loss": 0.05, "steps": 3000}
    ours = trained(quick, common)
    theirs = kernel_change(quick, {**common, "max_steps": 3000}, range(2), "test")
    assert (theirs["reached"] == 1).all()
    for name in ("kernel_change", "steps"):
        np.testing.assert_allclose(ours[name], theirs[name], rtol=1e-10)
    np.testing.assert_allclose(ours["min_loss"], theirs["final_loss"], rtol=1e-10)


def test_the_frozen_kernel_is_descent_on_the_function_values(oracle):
    rng = np.random.default_rng(0)
    jacobian, residual = rng.normal(size=(2, 6, 4)), rng.normal(size=(2, 3, 2))
    kernel, rate, steps = (
        jacobian @ jacobian.swapaxes(1, 2),
        np.array([0.1, 0.2]),
        np.array([7, 30]),
    )
    expected = [
        frozen_loss(kernel[s], residual[s], rate[s], steps[s]) for s in range(2)
    ]
    np.testing.assert_allclose(
        linearised_loss(*np.linalg.eigh(kernel), residual, rate, steps), expected
    )


@pytest.mark.parametrize("centred", [False, True], ids=["raw", "centred"])
def test_where_the_kernel_cannot_move_the_frozen_kernel_is_exact(quick, centred):
    """No hidden layer: f is linear in the weights."""
    linear = trained(quick, SCALED, depth=0, centred=centred)
    np.testing.assert_allclose(linear["kernel_change"], 0, atol=1e-12)
    np.testing.assert_allclose(linear["linearised_loss"], linear["min_loss"], rtol=1e-9)
    assert (linear["min_loss"] < 0.9 * linear["checkpoint_losses"][:, 0]).all()


def test_a_kernel_that_moves_departs_from_its_frozen_loss_and_a_lazy_one_does_not(
    quick,
):
    def gap(scale):
        arm = trained(quick, SCALED, centred=True, label_scale=scale, steps=60)
        return np.abs(np.log(arm["linearised_loss"] / arm["min_loss"]))

    assert (gap(0.01) < 0.02).all()
    assert (gap(3.0) > 5 * gap(0.01)).all()


def test_at_one_flow_time_rates_agree_to_first_order(quick):
    """Four times as many steps: a quarter of the distance to gradient flow."""
    change = {
        steps: trained(quick, FIXED, flow_time=0.2, steps=steps)
        for steps in (40, 160, 1280)
    }
    for quantity in ("kernel_change", "min_loss"):
        coarse, fine = (
            np.abs(change[steps][quantity] / change[1280][quantity] - 1)
            for steps in (40, 160)
        )
        assert (coarse < 0.2).all()
        np.testing.assert_allclose(fine / coarse, 0.25, atol=0.06)


def test_checkpoints_end_at_the_end(quick):
    arm = trained(quick, FIXED, steps=50)
    assert (
        arm["checkpoint_steps"].shape
        == arm["drift"].shape
        == arm["checkpoint_losses"].shape
    )
    assert (arm["checkpoint_steps"][:, 0] == 1).all()
    assert (arm["checkpoint_steps"][:, -1] == 50).all()
    np.testing.assert_allclose(arm["drift"][:, -1], arm["kernel_change"])
    np.testing.assert_allclose(arm["checkpoint_losses"][:, -1], arm["min_loss"])
    part = trained(quick, FIXED, steps=5, flow_time=0.05 * 5 / 50)  # the same rate
    at_five = list(arm["checkpoint_steps"][0]).index(5)
    np.testing.assert_allclose(arm["drift"][:, at_five], part["kernel_change"])
    np.testing.assert_allclose(arm["checkpoint_losses"][:, at_five], part["min_loss"])


def test_a_seed_that_stops_early_repeats_its_end(quick):
    arm = trained(quick, SCALED, labels="sign", target_loss=0.05, steps=3000)
    assert (arm["steps"] < 3000).all()
    np.testing.assert_allclose(arm["checkpoint_steps"].max(axis=1), arm["steps"])
    np.testing.assert_allclose(arm["drift"][:, -1], arm["kernel_change"])
    assert (arm["checkpoint_losses"][:, -1] <= 0.05).all()


def test_the_constant_is_the_best_one_and_does_not_depend_on_centring(quick):
    _, classes = images(range(2), "test", 3)
    y = 2.0 * targets(classes, "one-hot")
    best = ((y - y.mean(axis=1, keepdims=True)) ** 2).mean(axis=(1, 2))
    for centred in (False, True):
        arm = trained(quick, FIXED, label_scale=2.0, centred=centred, steps=1)
        np.testing.assert_allclose(arm["constant_loss"], best)


def test_a_diverged_seed_has_no_kernel_change(quick):
    wild = trained(quick, SCALED, activation="relu", edge_fraction=1e4, steps=300)
    assert np.isnan(wild["kernel_change"]).all()
    assert np.isnan(wild["drift"]).all()
    # the least loss before it diverged is none that it was trained to
    assert np.isnan(wild["min_loss"]).all()


def test_condition_and_drift_by_hand(oracle):
    """From the full kernel of the same weights, built from the oracle's explicit Jacobian."""
    arm = trained(oracle, FIXED, (0,), steps=1)
    x, classes = images((0,), "test", 3)
    net = networks.mlp((784, 6, 6, 10), "tanh", "standard", 1.5**0.5, 0.5**0.5)
    theta = net.init([seeds.derive("init", stream="test", replicate=0, lane=0)])
    full = oracle.empirical_ntk(net, theta, x, outputs="full")[0]
    spectrum = np.linalg.eigvalsh(full.transpose(0, 2, 1, 3).reshape(30, 30))
    assert arm["condition"] == pytest.approx(
        spectrum[-1] / np.median(spectrum), rel=1e-6
    )
    gradient = oracle.pullback(
        net,
        theta,
        x,
        2 / 30 * (oracle.forward(net, theta, x) - targets(classes, "one-hot")),
    )
    after = {name: theta[name] - 0.05 * gradient[name] for name in theta}
    expected = relative_change(
        oracle.empirical_ntk(net, after, x), oracle.empirical_ntk(net, theta, x)
    )
    np.testing.assert_allclose(arm["kernel_change"], expected, rtol=1e-8)


@pytest.mark.parametrize(
    "rates", [{"flow_time": None}, {"edge_fraction": 0.5}], ids=["neither", "both"]
)
def test_one_rate_must_be_given_and_only_one(oracle, rates):
    with pytest.raises(
        InvalidInput,
        match=r"Give flow_time or edge_fraction, and the other as null; got",
    ):
        trained(oracle, FIXED, **rates)
