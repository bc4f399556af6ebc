"""Architectures and their initial weights: what is drawn, what is shared, and what is refused."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.backends import SGD
from harness.errors import InvalidInput
from harness.networks import (
    Conv,
    Hidden,
    Pool,
    cnn,
    default_weights,
    mlp,
    myrtle,
    ntk_noise,
)

WIDTHS = (3, 6, 5, 2)


def test_the_same_seed_gives_the_same_weights():
    first, second = mlp(WIDTHS).init(7), mlp(WIDTHS).init(7)
    assert all((first[name] == second[name]).all() for name in first)
    assert all(array.dtype == np.float64 for array in first.values())


def test_weights_are_those_of_every_release():
    """Recorded cells rest on these numbers: SHA-256 of the axes, then NumPy's PCG64."""
    theta = mlp((2, 2, 1), sigma_w=1.0, sigma_b=0.5).init(0)
    assert theta["W1"].ravel()[:2] == pytest.approx(
        [-1.4593467341099962, 0.048289038263473985], rel=1e-15
    )
    assert theta["b2"] == pytest.approx([-0.6281268735812505], rel=1e-15)


@settings(max_examples=20, deadline=None)
@given(
    widths=st.lists(st.integers(1, 7), min_size=2, max_size=5),
    chosen=st.lists(st.integers(0, 2**64), min_size=1, max_size=4),
    parametrization=st.sampled_from(["ntk", "standard"]),
)
def test_many_seeds_are_stacked_single_ones(widths, chosen, parametrization):
    net = mlp(widths, parametrization=parametrization, sigma_b=0.3)
    many = net.init(chosen)
    assert list(many) == list(net.shapes)
    for index, seed in enumerate(chosen):
        one = net.init(seed)
        assert all((many[name][index] == one[name]).all() for name in net.shapes)
        assert all(one[name].shape == shape for name, shape in net.shapes.items())


def test_seeds_and_arrays_have_streams_of_their_own():
    theta = mlp((5, 5, 5, 5)).init(range(3))
    draws = [
        array[s].ravel()
        for name, array in theta.items()
        if name.startswith("W")
        for s in range(3)
    ]
    assert len({draw.tobytes() for draw in draws}) == len(draws)


def test_scales_and_parametrization_only_scale_the_same_normals():
    normals = mlp(WIDTHS, "relu", "ntk", sigma_w=1.0, sigma_b=1.0).init(3)
    standard = mlp(WIDTHS, "tanh", "standard", sigma_w=1.7, sigma_b=0.3).init(3)
    assert all(
        (normals[name] == mlp(WIDTHS, "erf", "ntk", 1.7, 0.3).init(3)[name]).all()
        for name in normals
    )
    for name, array in standard.items():
        scale = 0.3 if name.startswith("b") else 1.7 / normals[name].shape[1] ** 0.5
        np.testing.assert_allclose(array, scale * normals[name], rtol=1e-15)


def test_a_layer_keeps_its_weights_when_others_change():
    narrow, deep = mlp((3, 6, 2)).init(1), mlp((3, 6, 6, 2)).init(1)
    assert (narrow["W1"] == deep["W1"]).all()


@pytest.mark.parametrize("sigma_b", [None, 0.0, 0.3])
@pytest.mark.parametrize("activation", ["relu", "tanh", "erf", "sigmoid"])
def test_both_parametrizations_are_the_same_function_at_the_start(
    oracle, activation, sigma_b
):
    x = np.random.default_rng(0).normal(size=(4, 3))
    ntk, standard = (
        mlp(WIDTHS, activation, p, 1.3, sigma_b) for p in ("ntk", "standard")
    )
    f = oracle.forward(standard, standard.init(range(2)), x)
    np.testing.assert_allclose(
        oracle.forward(ntk, ntk.init(range(2)), x), f, rtol=1e-13
    )


def test_variance_at_the_start_is_the_predicted_one(oracle):
    """ReLU halves the second moment: q_l = sigma_b^2 + sigma_w^2 q_{l-1} / 2, at any width."""
    sigma_w2, sigma_b2, draws = 1.5, 0.4, 4000
    net = mlp((2, 5, 5, 1), "relu", "ntk", sigma_w2**0.5, sigma_b2**0.5)
    x = np.array([[0.6, -1.1]])
    q = sigma_b2 + sigma_w2 * (x**2).mean()
    for _ in range(2):
        q = sigma_b2 + sigma_w2 * q / 2
    f = oracle.forward(net, net.init(range(draws)), x).ravel()
    assert abs(f.mean()) < 4 * (q / draws) ** 0.5
    assert abs((f**2).mean() - q) < 4 * (f**2).std() / draws**0.5


@pytest.mark.parametrize("parametrization", ["ntk", "standard"])
def test_there_are_no_biases_by_default(parametrization):
    net = mlp((3, 4, 2), parametrization=parametrization)
    assert net == mlp((3, 4, 2), parametrization=parametrization, sigma_b=None)
    assert list(net.shapes) == ["W1", "W2"]
    assert all(layer.bias is None for layer in net.layers)
    assert not any(
        "b" in name
        for name in cnn((4, 1), [Conv(2)], parametrization=parametrization).shapes
    )
    assert not any(
        "b" in name
        for name in myrtle(5, 2, (8, 8, 1), parametrization=parametrization).shapes
    )


START_AT_ZERO = [
    {"parametrization": "standard"},
    {"parametrization": "ntk", "train_zero_biases": True},
]


@pytest.mark.parametrize("scales", START_AT_ZERO)
def test_biases_that_start_at_zero_are_trained(oracle, scales):
    net = mlp((1, 1), sigma_b=0.0, **scales)
    theta = net.init(0)
    assert list(theta) == ["W1", "b1"]
    assert not theta["b1"].any()
    kernel = oracle.empirical_ntk(net, theta, np.zeros((1, 1)))
    assert kernel[0, 0] == 1.0  # the gradient of the bias, scale one


@pytest.mark.parametrize(
    "build",
    [
        lambda **scales: mlp((4, 5, 2), "tanh", **scales),
        lambda **scales: cnn((6, 2), [Conv(3), Pool(2), Hidden(4)], 2, "erf", **scales),
    ],
    ids=["mlp", "cnn"],
)
def test_biases_scaled_by_zero_add_nothing_to_output_kernel_or_training(backend, build):
    """h = sigma_w / n^1/2 W x + 0 b: whatever b is, f and both kernels are those of the network
    without biases.
    """
    zero, without = build(sigma_b=0.0), build(sigma_b=None)
    x, y = np.random.default_rng(0).standard_normal((3, zero.inputs)), np.ones((3, 2))
    theta = zero.init(range(2))
    weights = {name: theta[name] for name in without.shapes}
    assert all(abs(theta[name]).min() > 0 for name in theta)
    assert len(theta) == 2 * len(weights)
    close = {"rtol": 1e-4, "atol": 1e-5}
    np.testing.assert_allclose(
        backend.forward(zero, theta, x), backend.forward(without, weights, x), **close
    )
    kernel = backend.empirical_ntk(without, weights, x, outputs="full")
    np.testing.assert_allclose(
        backend.empirical_ntk(zero, theta, x, outputs="full"), kernel, **close
    )
    np.testing.assert_allclose(
        backend.infinite_ntk(zero, x), backend.infinite_ntk(without, x), **close
    )
    np.testing.assert_allclose(
        backend.infinite_nngp(zero, x), backend.infinite_nngp(without, x), **close
    )
    trained = backend.train(zero, theta, x, y, optimizer=SGD(0.01), steps=2).theta
    for name in set(theta) - set(weights):
        np.testing.assert_array_equal(
            trained[name], theta[name].astype(trained[name].dtype)
        )


def test_sampled_kernels_take_no_part_of_biases_that_are_scaled_by_zero(backend):
    zero, without = mlp((4, 5, 1), "erf", sigma_b=0.0), mlp((4, 5, 1), "erf")
    noise, x = ntk_noise(zero, 0, 3), np.random.default_rng(0).standard_normal(4)
    found = backend.ntk_samples(zero, x, noise)
    left = {name: noise[name] for name in ntk_noise(without, 0, 3)}
    np.testing.assert_allclose(found, backend.ntk_samples(without, x, left), rtol=1e-5)


@pytest.mark.parametrize(
    "build",
    [
        lambda **scales: mlp((4, 5, 2), **scales),
        lambda **scales: cnn((6, 2), [Conv(3)], **scales),
        lambda **scales: myrtle(5, 2, (4, 4, 1), **scales),
    ],
    ids=["mlp", "cnn", "myrtle"],
)
def test_zero_biases_that_train_have_scale_one(build):
    net = build(sigma_b=0.0, train_zero_biases=True)
    assert all((layer.bias_scale, layer.bias_std) == (1.0, 0.0) for layer in net.layers)
    assert net.sigma_b == 0.0


@pytest.mark.parametrize(
    ("parametrization", "sigma_b"),
    [("ntk", None), ("ntk", 0.1), ("standard", 0.0), ("standard", None)],
)
def test_zero_biases_that_train_are_refused_where_they_mean_nothing(
    parametrization, sigma_b
):
    message = (
        r"train_zero_biases=True needs parametrization='ntk' and sigma_b=0\.0; "
        rf"got '{parametrization}' and {sigma_b}"
    )
    for build in (
        lambda **scales: mlp((3, 2), **scales),
        lambda **scales: cnn((4, 1), [Conv(2)], **scales),
    ):
        with pytest.raises(InvalidInput, match=message):
            build(
                parametrization=parametrization, sigma_b=sigma_b, train_zero_biases=True
            )


def test_inputs_outputs_and_layers():
    net = mlp((784, 512, 10), "tanh", "ntk", 2.0, 0.1)
    assert (net.inputs, net.outputs, len(net.layers)) == (784, 10, 2)
    assert net.layers[1].weight_scale == 2.0 / 512**0.5
    assert net.layers[1].bias_scale == 0.1


def test_scales_are_python_floats():
    """A NumPy scalar would promote float32 tensors."""
    net = mlp((2, 1), sigma_w=np.float64(1.5), sigma_b=np.float64(0.5))
    assert type(net.sigma_w) is float
    assert type(net.sigma_b) is float
    assert net == mlp([np.int64(2), 1], sigma_w=1.5, sigma_b=0.5)


def test_noise_has_the_names_and_shapes_of_the_recursion():
    noise = ntk_noise(mlp((5, 4, 3, 1), sigma_b=0.1), seed=0, draws=7)
    assert {name: array.shape for name, array in noise.items()} == {
        "uW1": (7, 4),
        "b1": (7, 4),
        "uW2": (7, 3),
        "gW2": (7, 4),
        "b2": (7, 3),
        "uW3": (7, 1),
        "gW3": (7, 3),
        "b3": (7, 1),
    }
    assert all(array.dtype == np.float32 for array in noise.values())
    assert not any(
        name.startswith("b") for name in ntk_noise(mlp((5, 4, 1), sigma_b=None), 0, 2)
    )


def test_noise_is_shared_by_whatever_has_the_same_widths():
    one = ntk_noise(mlp((5, 4, 1), "relu", "ntk", 1.0, 0.0), 3, 2)
    other = ntk_noise(mlp((5, 4, 1), "tanh", "standard", 2.0, 0.7), 3, 2)
    without = ntk_noise(mlp((5, 4, 1), sigma_b=None), 3, 2)
    assert all((one[name] == other[name]).all() for name in one)
    assert all((one[name] == array).all() for name, array in without.items())


def test_noise_has_a_stream_per_array_and_seed():
    draws = [
        array.tobytes()
        for seed in (0, 1)
        for array in ntk_noise(mlp((4, 4, 4, 1), sigma_b=0.1), seed, 3).values()
    ]
    assert len(set(draws)) == len(draws)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"widths": (3,)},
            r"widths must be at least two positive integers \(inputs, ..., outputs\); got \(3,\)",
        ),
        (
            {"widths": (3, 0, 1)},
            r"widths must be at least two positive integers .*; got \(3, 0, 1\)",
        ),
        (
            {"widths": (3, 2.5)},
            r"widths must be at least two positive integers .*; got \(3, 2.5\)",
        ),
        (
            {"activation": "gelu"},
            r"Unknown activation 'gelu'\. Allowed: relu, tanh, erf, sigmoid\.",
        ),
        (
            {"parametrization": "mup"},
            r"Unknown parametrization 'mup'\. Allowed: ntk, standard\.",
        ),
        ({"sigma_w": 0.0}, r"sigma_w must be finite and positive; got 0\.0\."),
        ({"sigma_w": -1.0}, r"sigma_w must be finite and positive; got -1\.0\."),
        ({"sigma_w": float("nan")}, r"sigma_w must be finite and positive; got nan\."),
        (
            {"sigma_b": -0.1},
            r"sigma_b must be None \(no biases\) or finite and >= 0; got -0\.1\.",
        ),
        (
            {"sigma_b": float("inf")},
            r"sigma_b must be None \(no biases\) or finite and >= 0; got inf\.",
        ),
    ],
)
def test_wrong_arguments_are_named(arguments, message):
    with pytest.raises(InvalidInput, match=message):
        mlp(**{"widths": (3, 2), **arguments})


def test_init_of_no_seeds_is_refused():
    with pytest.raises(
        InvalidInput, match=r"init needs at least one seed; got an empty sequence\."
    ):
        mlp((3, 2)).init([])


def test_default_weights_are_uniform_within_the_root_of_the_fan_in():
    net = mlp((4, 900, 1), "relu", "standard", sigma_b=0.0)
    theta = default_weights(net, [5, 6])
    for name, fan_in in {"W1": 4, "b1": 4, "W2": 900, "b2": 900}.items():
        assert theta[name].shape == (2, *net.shapes[name])
        assert np.abs(theta[name]).max() <= fan_in**-0.5
    assert theta["W1"].std() == pytest.approx((3 * 4) ** -0.5, rel=0.03)
    assert theta["W2"].std() == pytest.approx((3 * 900) ** -0.5, rel=0.06)
    np.testing.assert_array_equal(default_weights(net, [6])["b1"][0], theta["b1"][1])
