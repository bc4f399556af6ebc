"""Measurements: against direct simulation, closed forms and finite differences, the same in every
backend.
"""

import importlib.util

import numpy as np
import pytest

from harness import backends, measurements
from harness.backends import SGD
from harness.errors import InvalidInput
from harness.measurements import distance_to_limit, edge, images, kernel_change, targets
from harness.networks import mlp


@pytest.fixture(scope="module")
def quick():
    """One fast backend, whichever is installed: that they agree is tested apart."""
    for name in ("torch", "jax"):
        if importlib.util.find_spec(name):
            return backends.get(name, dtype="float64")
    pytest.skip("neither PyTorch nor JAX is installed")


CHANGE = {
    "width": 6,
    "depth": 2,
    "samples": 3,
    "activation": "tanh",
    "parametrization": "standard",
    "sigma_w2": 1.5,
    "sigma_b2": 0.5,
    "labels": "one-hot",
    "label_scale": 1.0,
    "centred": False,
    "target_loss": 1e-2,
    "edge_fraction": 0.5,
    "max_steps": 20,
    "lane": 0,
}


@pytest.mark.parametrize(
    "changes", [{}, {"centred": True, "labels": "sign"}], ids=["raw", "centred"]
)
def test_kernel_change_is_the_same_in_every_backend(fast, oracle, changes):
    reference, result = (
        kernel_change(b, {**CHANGE, **changes}, range(2), "test")
        for b in (oracle, fast)
    )
    assert reference.keys() == result.keys()
    for name, array in reference.items():
        assert array.shape[0] == 2
        np.testing.assert_allclose(result[name], array, rtol=1e-8)


def test_kernel_change_reaches_the_target_loss(quick):
    sign = {**CHANGE, "parametrization": "ntk", "labels": "sign"}
    change = kernel_change(quick, {**sign, "max_steps": 200}, range(3), "test")
    assert (change["reached"] == 1).all()
    assert (change["final_loss"] <= 1e-2).all()
    assert (change["steps"] < 200).all()
    assert (change["kernel_change"] > 0.01).all()
    np.testing.assert_allclose(change["loss_curve"][:, 0], change["initial_loss"])
    short = kernel_change(quick, {**sign, "max_steps": 2}, range(3), "test")
    assert (short["reached"] == 0).all()
    assert (short["steps"] == 2).all()


def test_a_diverged_replicate_has_no_kernel_change_and_does_not_stop_the_others(quick):
    wild = kernel_change(
        quick,
        {**CHANGE, "activation": "relu", "edge_fraction": 1e4, "max_steps": 300},
        range(2),
        "test",
    )
    assert np.isnan(wild["kernel_change"]).all()
    assert (wild["reached"] == 0).all()


def test_kernel_change_of_a_wide_lazy_net_is_small(quick):
    """The same data and loss: 32 times the width, about a sixth of the change."""
    lazy = {
        **CHANGE,
        "parametrization": "ntk",
        "labels": "sign",
        "samples": 4,
        "max_steps": 1000,
        "sigma_b2": 0.1,
    }
    narrow, wide = (
        kernel_change(quick, {**lazy, "width": width}, range(4), "test")
        for width in (8, 256)
    )
    assert (narrow["reached"] == 1).all()
    assert (wide["reached"] == 1).all()
    assert np.median(wide["kernel_change"]) < 0.35 * np.median(narrow["kernel_change"])


def test_centred_training_starts_from_the_labels_alone(quick):
    centred = kernel_change(
        quick,
        {**CHANGE, "centred": True, "label_scale": 2.0, "max_steps": 1},
        range(2),
        "test",
    )
    # one of ten one-hot entries
    np.testing.assert_allclose(centred["initial_loss"], 2.0**2 / 10, rtol=1e-10)


def test_replicates_lanes_and_streams_are_draws_of_their_own(quick):
    def change(replicates=(0,), stream="test", **changes):
        configuration = {**CHANGE, "max_steps": 3, **changes}
        return kernel_change(quick, configuration, replicates, stream)["kernel_change"]

    together = change((0, 1))
    # the same beside others or alone
    np.testing.assert_allclose(together[1], change((1,))[0], rtol=1e-10)
    draws = [*together, *change(stream="other"), *change(lane=1)]
    assert len(np.unique(np.round(draws, 6))) == 4


def test_edge_is_two_over_the_largest_curvature(oracle):
    """The Gauss-Newton matrix of the mean squared error, 2 J^T J / (N O), with J by central
    differences.
    """
    net = mlp((3, 4, 2), "tanh", sigma_b=0.3)
    theta, x, step, columns = (
        net.init(1),
        np.random.default_rng(0).normal(size=(5, 3)),
        1e-5,
        [],
    )
    for name in net.shapes:
        for index in np.ndindex(theta[name].shape):
            sides = [{**theta, name: theta[name].copy()} for _ in range(2)]
            sides[0][name][index] += step
            sides[1][name][index] -= step
            above, below = (oracle.forward(net, side, x).ravel() for side in sides)
            columns.append((above - below) / (2 * step))
    jacobian = np.stack(columns, axis=1)
    curvature = np.linalg.eigvalsh(2 * jacobian.T @ jacobian / jacobian.shape[0])[-1]
    kernel = oracle.empirical_ntk(net, net.init([1]), x, outputs="full")
    assert edge(kernel) == pytest.approx([2 / curvature], rel=1e-8)


def test_linear_net_is_stable_below_the_edge_and_diverges_above(quick):
    net, rng = mlp((3, 2), sigma_b=0.3), np.random.default_rng(0)
    theta, x, y = (
        net.init(range(3)),
        rng.normal(size=(3, 5, 3)),
        rng.normal(size=(5, 2)),
    )
    limit = edge(quick.empirical_ntk(net, theta, x, outputs="full"))
    below, above = (
        quick.train(net, theta, x, y, optimizer=SGD(c * limit), steps=80)
        for c in (0.9, 1.1)
    )
    assert (np.diff(below.losses, axis=1) <= 1e-12).all()
    assert (above.loss > 100 * above.losses[:, 0]).all()


def test_images_are_nested_and_normalised():
    x, classes = images(range(2), "test", 20)
    fewer, fewer_classes = images(range(2), "test", 8)
    assert (x.shape, classes.shape, x.dtype) == ((2, 20, 784), (2, 20), np.float64)
    assert (x[:, :8] == fewer).all()
    assert (classes[:, :8] == fewer_classes).all()
    np.testing.assert_allclose((x**2).sum(axis=2), 784.0)
    # pixel means are gone; raw images would have about 0.6
    assert np.abs(x.mean()) < 0.2
    assert len(np.unique(x.reshape(40, 784), axis=0)) > 35


def test_images_of_replicates_and_streams_differ():
    x, _ = images((0, 1), "test", 5)
    other, _ = images((1,), "other", 5)
    alone, _ = images((1,), "test", 5)
    assert (alone[0] == x[1]).all()
    assert not (x[0] == x[1]).all()
    assert not (other[0] == x[1]).all()


def test_targets():
    classes = np.array([[0, 9], [4, 5]])
    assert (targets(classes, "one-hot").argmax(-1) == classes).all()
    assert (targets(classes, "one-hot").sum(-1) == 1).all()
    assert targets(classes, "sign")[..., 0].tolist() == [[1.0, -1.0], [1.0, -1.0]]
    with pytest.raises(
        InvalidInput, match=r"Unknown labels 'ordinal'\. Allowed: one-hot, sign\."
    ):
        targets(classes, "ordinal")


def test_relative_change_is_per_seed():
    kernels = np.stack([np.eye(2), 3 * np.eye(2)])
    assert measurements.relative_change(kernels, np.eye(2)).tolist() == [0.0, 2.0]


NETWORK = {
    "depth": 2,
    "inputs": 5,
    "samples": 4,
    "activation": "relu",
    "sigma_w2": 2.0,
    "sigma_b2": 0.1,
}


def distance(backend, **changes):
    configuration = {
        **NETWORK,
        "width": 64,
        "average": 1,
        "initialisation": 0,
        **changes,
    }
    return distance_to_limit(backend, configuration, range(5), "test")["distance"]


def test_the_distance_to_the_limit_falls_with_the_width_and_with_the_kernels_averaged(
    quick,
):
    narrow = distance(quick)
    assert narrow.shape == (5,)
    exponent = np.log(
        np.median(distance(quick, width=2048)) / np.median(narrow)
    ) / np.log(2048 / 64)
    assert exponent == pytest.approx(-0.5, abs=0.2)
    assert np.median(distance(quick, average=64)) < 0.3 * np.median(narrow)


@pytest.mark.parametrize("sigma_b2", [None, 0.1])
def test_the_distance_to_the_limit_is_the_same_in_every_backend(fast, oracle, sigma_b2):
    found = [
        distance(backend, width=6, average=2, sigma_b2=sigma_b2)
        for backend in (oracle, fast)
    ]
    np.testing.assert_allclose(found[1], found[0], rtol=1e-9)
