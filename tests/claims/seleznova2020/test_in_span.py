"""Training in the span of the inputs is training: against the computations that see all of the
inputs.
"""

import numpy as np
import pytest

from claims.seleznova2020.in_span import InSpan, coordinates
from claims.seleznova2020.training import (
    kernel_change,
    training_by_protocol,
    training_map,
)
from harness import measurements, networks
from harness.backends import SGD, Adam
from harness.errors import InvalidInput

NET = {
    "width": 6,
    "depth": 2,
    "activation": "tanh",
    "parametrization": "standard",
    "sigma_w2": 1.5,
    "sigma_b2": 0.5,
}
TASK = {
    **NET,
    "samples": 3,
    "labels": "one-hot",
    "label_scale": 1.0,
    "centred": False,
    "lane": 0,
    "target_loss": 0.08,
}
MATCHED = {**TASK, "edge_fraction": 0.5, "max_steps": 60}
FIXED = {**TASK, "flow_time": 0.05, "edge_fraction": None, "steps": 20}
MAP = {
    **TASK,
    "sigma_w2": [0.7, 1.5],
    "flow_time": None,
    "edge_fraction": 0.5,
    "steps": 60,
    "first": 2,
}


@pytest.mark.parametrize("centred", [False, True], ids=["raw", "centred"])
def test_training_to_a_loss_is_the_same(fast, centred):
    arguments = fast, {**MATCHED, "centred": centred}, range(2), "test"
    spanned, whole = kernel_change(*arguments), measurements.kernel_change(*arguments)
    assert spanned.keys() == whole.keys()
    for name, array in whole.items():
        np.testing.assert_allclose(spanned[name], array, rtol=1e-8, err_msg=name)


@pytest.mark.parametrize("centred", [False, True], ids=["raw", "centred"])
def test_training_by_the_protocol_is_the_same(fast, centred, monkeypatch):
    arguments = (
        fast,
        {**FIXED, "target_loss": None, "centred": centred},
        range(2),
        "test",
    )
    spanned = training_by_protocol(*arguments)
    monkeypatch.setattr(InSpan, "of", staticmethod(lambda backend: backend))
    whole = training_by_protocol(*arguments)
    for name, array in whole.items():
        np.testing.assert_allclose(
            spanned[name],
            array,
            rtol=1e-6 if name == "condition" else 1e-8,
            err_msg=name,
        )


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_the_weights_that_come_back_are_those_of_the_whole_network(fast, momentum):
    net, rng = (
        networks.mlp((9, 5, 2), "tanh", "standard", 1.3, 0.4),
        np.random.default_rng(0),
    )
    x, y = rng.standard_normal((2, 4, 9)), rng.standard_normal((2, 4, 2))
    arguments = net, net.init(range(2)), x, y
    options = {
        "optimizer": SGD(0.05, momentum=momentum),
        "steps": 12,
        "checkpoints": (3,),
    }
    ours, theirs = (
        InSpan.of(fast).train(*arguments, **options),
        fast.train(*arguments, **options),
    )
    for weights, expected in (
        (ours.theta, theirs.theta),
        (ours.checkpoints[3], theirs.checkpoints[3]),
    ):
        assert np.linalg.norm(expected["W1"] - arguments[1]["W1"]) > 1e-2
        for name, array in expected.items():
            np.testing.assert_allclose(
                weights[name], array, rtol=1e-9, atol=1e-12, err_msg=name
            )


def test_inputs_are_the_coordinates_along_the_directions(oracle):
    net, x = (
        networks.mlp((9, 5, 2), "relu", "standard", 1.3, 0.4),
        np.random.default_rng(0).standard_normal((2, 4, 9)),
    )
    small, weights, c, q = coordinates(net, net.init(range(2)), x)
    assert (small.inputs, weights["W1"].shape) == (4, (2, 5, 4))
    np.testing.assert_allclose(c @ q.swapaxes(1, 2), x)
    np.testing.assert_allclose(q.swapaxes(1, 2) @ q, [np.eye(4)] * 2, atol=1e-12)


def test_all_phases_share_one_network():
    """JAX compiles a network once; which phase it starts in is in its weights."""
    x = np.eye(2, 9)
    nets = [
        networks.mlp((9, 5, 2), "relu", "standard", sigma_w, sigma_b)
        for sigma_w, sigma_b in ((0.5, 1), (2, 0.3))
    ]
    one, other = (coordinates(net, net.init(0), x)[0] for net in nets)
    assert one == other
    assert hash(one) == hash(other)


def test_other_parametrizations_and_optimizers_are_refused(oracle):
    spanned, x = InSpan.of(oracle), np.eye(2, 9)
    ntk, net = networks.mlp((9, 5, 2)), networks.mlp((9, 5, 2), "relu", "standard")
    with pytest.raises(
        InvalidInput,
        match="must be a multilayer perceptron in standard parametrization; got Network",
    ):
        spanned.forward(ntk, ntk.init(0), x)
    with pytest.raises(InvalidInput, match=r"the optimizer must be SGD; got Adam"):
        spanned.train(
            net, net.init(0), x, np.ones((2, 2)), optimizer=Adam(0.1), steps=1
        )
    with pytest.raises(
        InvalidInput, match=r"there is Theta\(x1, x1\) alone; got \['theta2'\] too"
    ):
        spanned.empirical_ntk(net, net.init(0), x, theta2=net.init(1))
    assert spanned.empirical_ntk(net, net.init(0), x, outputs="full").shape == (
        2,
        2,
        2,
        2,
    )


@pytest.mark.parametrize(
    ("centred", "target_loss"), [(False, 0.2), (True, 0.08)], ids=["raw", "centred"]
)
def test_a_map_is_each_phase_trained_by_itself(fast, centred, target_loss):
    arm = {"centred": centred, "target_loss": target_loss}
    found = training_map(fast, {**MAP, **arm}, range(3), "test")
    for column, sigma_w2 in enumerate(MAP["sigma_w2"]):
        alone = kernel_change(
            fast, {**MATCHED, "sigma_w2": sigma_w2, **arm}, range(2), "test"
        )
        for name, single in (
            ("map_change", "kernel_change"),
            ("map_loss", "final_loss"),
            ("map_reached", "reached"),
        ):
            np.testing.assert_allclose(
                found[name][:2, column], alone[single], rtol=1e-8, err_msg=name
            )
    assert found["map_reached"][:2].any()
    assert (found["map_change"][:2] > 1e-3).all()
    assert all(
        array.shape == (3, 2) and np.isnan(array[2]).all() for array in found.values()
    )


def test_a_map_at_the_fixed_rate_goes_by_it_below_the_edge_and_by_the_fraction_above(
    fast,
):
    alone = training_by_protocol(fast, FIXED | {"target_loss": None}, range(2), "test")
    edges = 0.05 / 20 / alone["rate_over_edge"]
    common = {
        **MAP,
        "sigma_w2": [1.5],
        "flow_time": 0.05,
        "steps": 20,
        "target_loss": None,
    }
    slow = training_map(fast, {**common, "edge_fraction": 0.75}, range(2), "test")
    np.testing.assert_allclose(
        slow["map_change"][:, 0], alone["kernel_change"], rtol=1e-8
    )
    np.testing.assert_allclose(slow["map_loss"][:, 0], alone["min_loss"], rtol=1e-8)
    assert slow["map_lasted"].tolist() == [[1.0], [1.0]]
    above = training_map(
        fast, {**common, "edge_fraction": 0.001 / 20 / edges.max()}, range(2), "test"
    )
    assert above["map_lasted"].tolist() == [[0.0], [0.0]]
    assert (above["map_change"] < slow["map_change"]).all()


def test_a_map_has_no_value_where_training_diverged(fast):
    wild = training_map(
        fast,
        {**MAP, "edge_fraction": 1e6, "target_loss": None, "activation": "relu"},
        range(2),
        "test",
    )
    assert np.isnan(wild["map_change"]).all()
    assert np.isnan(wild["map_loss"]).all()
    assert not wild["map_reached"].any()
    assert not wild["map_lasted"].any()
