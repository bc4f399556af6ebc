"""Infinite-width kernels against closed forms, brute-force integrals and finite networks."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import dblquad
from scipy.special import erf, expit

from harness import kernels
from harness.errors import InvalidInput
from harness.kernels.gaussian_pairs import Pairs, dual, kolmogorov_rule
from harness.networks import Network, mlp

ROUNDING = (
    1e-14  # about 50 eps; kernels of inputs of length about one are compared with it
)
ACTIVATIONS = ("relu", "tanh", "erf", "sigmoid")
VALUES = {
    "relu": lambda h: np.maximum(h, 0.0),
    "tanh": np.tanh,
    "erf": erf,
    "sigmoid": expit,
}
SLOPES = {
    "relu": lambda h: (h > 0).astype(float),
    "tanh": lambda h: (2 / (np.exp(h) + np.exp(-h))) ** 2,
    "erf": lambda h: 2 / np.sqrt(np.pi) * np.exp(-(h**2)),
    "sigmoid": lambda h: expit(h) * expit(-h),
}


def inputs(n, dimension, seed=0):
    return np.random.default_rng(seed).standard_normal((n, dimension))


def integral(function, q1, q2, c):
    """E[function(u) function(v)] by the trapezoidal rule in both, fine enough for the poles of
    tanh(sqrt(q) z).
    """
    step = min(0.15, 0.18 / max(q1, q2) ** 0.5)
    z = np.arange(-9.5, 9.5 + step, step)
    weights = step * np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
    if (q1, c) == (q2, 1.0):
        return weights @ function(q1**0.5 * z) ** 2
    u, v = (
        q1**0.5 * z[:, None],
        q2**0.5 * (c * z[:, None] + np.sqrt((1 - c) * (1 + c)) * z),
    )
    return weights @ (function(u) * function(v)) @ weights


def test_reference_integral_agrees_with_adaptive_quadrature():
    def density(v, u):
        return (
            np.tanh(2 * u)
            * np.tanh(0.8 * u + 0.6 * v)
            * np.exp(-(u * u + v * v) / 2)
            / (2 * np.pi)
        )

    adaptive, _ = dblquad(density, -9, 9, -9, 9, epsabs=1e-10, epsrel=1e-10)
    assert integral(np.tanh, 4.0, 1.0, 0.8) == pytest.approx(adaptive, rel=1e-8)


@pytest.mark.parametrize("c", [-1.0, -0.999999, -0.9, 0.3, 0.99, 0.999999, 1.0])
@pytest.mark.parametrize(
    ("q1", "q2"),
    [(1e-6, 0.01), (0.01, 1.0), (1.0, 1.0), (4.0, 50.0), (50.0, 50.0), (400.0, 1.0)],
)
@pytest.mark.parametrize("activation", ["tanh", "sigmoid", "erf"])
def test_dual_activations_are_accurate_for_hard_pairs(activation, q1, q2, c):
    phi, std1, std2 = dual(activation), np.array([q1**0.5]), np.array([q2**0.5])
    pairs, slope = phi.pairs(
        Pairs(std1, std2, std1 * std2 * (1 - c)), phi.std(std1), phi.std(std2)
    )
    assert pairs.moment[0] == pytest.approx(
        integral(VALUES[activation], q1, q2, c), rel=1e-9
    )
    assert slope[0] == pytest.approx(integral(SLOPES[activation], q1, q2, c), rel=1e-9)
    assert phi.std(std1)[0] ** 2 == pytest.approx(
        integral(VALUES[activation], q1, q1, 1.0), rel=1e-9
    )


def test_kolmogorov_rule_reproduces_tanh_and_is_converged():
    x = np.linspace(-20, 20, 1001)[:, None]
    values = [
        erf(x / (2**0.5 * scales)) @ weights
        for weights, scales in (kolmogorov_rule(), kolmogorov_rule(1 / 12))
    ]
    np.testing.assert_allclose(values[0], np.tanh(x[:, 0]), rtol=0, atol=2e-10)
    np.testing.assert_allclose(values[0], values[1], rtol=0, atol=2e-10)


def arc(angle):
    """E[phi phi] and E[phi' phi'] of relu for unit variances."""
    return (np.sin(angle) + (np.pi - angle) * np.cos(angle)) / (2 * np.pi), (
        np.pi - angle
    ) / (2 * np.pi)


@pytest.mark.parametrize(
    "angle", [0.0, 1e-12, 1e-9, 1e-7, 1e-3, 0.5, np.pi / 2, 2.0, 3.1]
)
def test_one_relu_layer_at_known_angles(angle):
    net = mlp((2, 8, 1), sigma_w=1.0, sigma_b=None)
    x1, x2 = np.array([[3.0, 0.0]]), 0.1 * np.array([[np.cos(angle), np.sin(angle)]])
    moment, slope = arc(angle)
    np.testing.assert_allclose(
        kernels.nngp(net, x1, x2), 0.15 * moment, rtol=0, atol=ROUNDING
    )
    np.testing.assert_allclose(
        kernels.ntk(net, x1, x2),
        0.15 * (moment + slope * np.cos(angle)),
        rtol=0,
        atol=ROUNDING,
    )


@pytest.mark.parametrize("dimension", [1, 5, 784])
def test_relu_kernels_of_opposite_inputs_vanish(dimension):
    net, x = mlp((dimension, 8, 1), sigma_w=1.0, sigma_b=None), inputs(20, dimension)
    for kernel in (kernels.ntk, kernels.nngp):
        np.testing.assert_allclose(
            np.diag(kernel(net, x, -3 * x)) / np.diag(kernel(net, x)),
            0.0,
            rtol=0,
            atol=ROUNDING,
        )


def test_relu_kernels_of_nearly_opposite_inputs_lose_half_the_digits_at_most():
    net, gaps = (
        mlp((2, 8, 1), sigma_w=1.0, sigma_b=None),
        np.array([1e-9, 1e-8, 1e-7, 1e-6, 1e-5]),
    )
    x2 = np.stack([-np.cos(gaps), np.sin(gaps)], axis=1)
    moment, slope = arc(np.pi - gaps)
    ntk = kernels.ntk(net, np.array([[1.0, 0.0]]), x2)[0]
    np.testing.assert_allclose(
        ntk, (moment - slope * np.cos(gaps)) / 2, rtol=0, atol=5e-9
    )


def test_deep_relu_diagonal_on_the_edge_of_chaos():
    net, x = mlp((4, 9, 9, 9, 9, 1), sigma_w=2**0.5, sigma_b=None), inputs(3, 4)
    q0 = (x**2).sum(axis=1) / 4
    np.testing.assert_allclose(np.diag(kernels.nngp(net, x)), 2 * q0, rtol=1e-14)
    np.testing.assert_allclose(np.diag(kernels.ntk(net, x)), 5 * 2 * q0, rtol=1e-14)


@pytest.mark.parametrize("activation", ["tanh", "erf", "sigmoid"])
def test_diagonal_of_a_deep_chaotic_net_follows_the_recursion_of_its_variance(
    activation,
):
    x, gain, bias = inputs(3, 4), 25.0, 0.01
    variances = gain * (x**2).sum(axis=1) / 4 + bias
    theta = variances.copy()
    for _ in range(30):
        chi = [gain * integral(SLOPES[activation], q, q, 1.0) for q in variances]
        variances = np.array(
            [gain * integral(VALUES[activation], q, q, 1.0) + bias for q in variances]
        )
        theta = variances + chi * theta
    net = mlp((4, *[8] * 30, 1), activation, sigma_w=gain**0.5, sigma_b=bias**0.5)
    np.testing.assert_allclose(np.diag(kernels.nngp(net, x)), variances, rtol=1e-9)
    np.testing.assert_allclose(np.diag(kernels.ntk(net, x)), theta, rtol=30 * 1e-9)


def test_two_erf_layers_follow_the_arcsine_recursion():
    sigma_w, sigma_b, x = 1.5, 0.3, inputs(6, 3)
    k = sigma_w**2 * x @ x.T / 3 + sigma_b**2
    theta = k
    for _ in range(2):
        d = 1 + 2 * np.diag(k)
        slope = 4 / np.pi / np.sqrt(np.outer(d, d) - 4 * k**2)
        k = (
            sigma_w**2 * 2 / np.pi * np.arcsin(2 * k / np.sqrt(np.outer(d, d)))
            + sigma_b**2
        )
        theta = k + sigma_w**2 * slope * theta
    net = mlp((3, 7, 7, 1), "erf", sigma_w=sigma_w, sigma_b=sigma_b)
    np.testing.assert_allclose(kernels.nngp(net, x), k, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(kernels.ntk(net, x), theta, rtol=1e-12, atol=1e-14)


def test_linear_net():
    x = inputs(4, 3)
    for sigma_b, trains, trained in (
        (None, False, 0.0),
        (0.0, False, 0.0),
        (0.0, True, 1.0),
        (0.5, False, 0.25),
    ):
        net = mlp((3, 1), sigma_w=2.0, sigma_b=sigma_b, train_zero_biases=trains)
        np.testing.assert_allclose(
            kernels.ntk(net, x), 4 * x @ x.T / 3 + trained, atol=1e-14
        )
        np.testing.assert_allclose(
            kernels.nngp(net, x), 4 * x @ x.T / 3 + (sigma_b or 0) ** 2, atol=1e-14
        )


def test_one_relu_layer_against_monte_carlo():
    x, draws = inputs(4, 3), np.random.default_rng(1).standard_normal((200_000, 3))
    h = draws @ x.T * (2 / 3) ** 0.5
    samples = 2 * VALUES["relu"](h)[:, :, None] * VALUES["relu"](h)[:, None, :]
    samples += (
        2
        * (2 * x @ x.T / 3)
        * SLOPES["relu"](h)[:, :, None]
        * SLOPES["relu"](h)[:, None, :]
    )
    error = samples.std(axis=0) / len(samples) ** 0.5
    exact = kernels.ntk(mlp((3, 16, 1), sigma_b=None), x)
    assert np.abs((samples.mean(axis=0) - exact) / error).max() < 4


def finite_kernels(net: Network, theta, x):
    """Empirical NTK of the first output and its covariance given the last layer, by hand."""
    posts, pres = [x], []
    for layer in net.layers:
        bias = 0.0 if layer.bias is None else layer.bias_scale * theta[layer.bias]
        pres.append(layer.weight_scale * posts[-1] @ theta[layer.weight].T + bias)
        posts.append(VALUES[net.activation](pres[-1]))
    gradient = np.tile(np.eye(net.outputs)[0], (len(x), 1))
    ntk = np.zeros((len(x), len(x)))
    for index in reversed(range(len(net.layers))):
        layer, post = net.layers[index], posts[index]
        features = layer.weight_scale**2 * post @ post.T + (
            layer.bias_scale**2 if layer.bias else 0.0
        )
        ntk += features * (gradient @ gradient.T)
        if index:
            gradient = (
                layer.weight_scale
                * gradient
                @ theta[layer.weight]
                * SLOPES[net.activation](pres[index - 1])
            )
    last = net.layers[-1]
    gain, bias = (
        last.weight_scale * last.weight_std,
        (last.bias_scale * last.bias_std if last.bias else 0.0),
    )
    return ntk, gain**2 * posts[-2] @ posts[-2].T + bias**2


@pytest.mark.parametrize("sigma_b", [None, 0.0, 0.5])
@pytest.mark.parametrize("parametrization", ["ntk", "standard"])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_wide_nets_have_these_kernels_on_average(activation, parametrization, sigma_b):
    net = mlp(
        (3, 400, 300, 2), activation, parametrization, sigma_w=1.3, sigma_b=sigma_b
    )
    x = inputs(4, 3)
    samples = np.array([finite_kernels(net, net.init(seed), x) for seed in range(80)])
    error = samples.std(axis=0, ddof=1) / len(samples) ** 0.5
    exact = np.array([kernels.ntk(net, x), kernels.nngp(net, x)])
    assert np.abs((samples.mean(axis=0) - exact) / error).max() < 4.5
    assert (
        error[0] / np.diag(exact[0]).max()
    ).max() < 0.02  # so that a missing or wrong term would be seen


def test_wide_nets_whose_biases_start_at_zero_have_this_kernel_on_average():
    net, x = (
        mlp((3, 400, 300, 2), "erf", sigma_w=1.3, sigma_b=0.0, train_zero_biases=True),
        inputs(4, 3),
    )
    samples = np.array(
        [finite_kernels(net, net.init(seed), x)[0] for seed in range(80)]
    )
    error = samples.std(axis=0, ddof=1) / len(samples) ** 0.5
    assert np.abs((samples.mean(axis=0) - kernels.ntk(net, x)) / error).max() < 4.5


def test_widths_do_not_matter_in_ntk_parametrization():
    narrow, wide, x = mlp((3, 1, 1, 1)), mlp((3, 512, 64, 10)), inputs(5, 3)
    np.testing.assert_allclose(
        kernels.ntk(narrow, x), kernels.ntk(wide, x), rtol=1e-12, atol=1e-14
    )


def test_standard_parametrization_grows_with_the_width():
    x = inputs(5, 3)
    thin, thick = (
        kernels.ntk(mlp((3, n, n, 1), "relu", "standard", sigma_b=None), x)
        for n in (10**6, 2 * 10**6)
    )
    np.testing.assert_allclose(thick, 2 * thin, rtol=1e-5)


def test_nngp_is_the_same_in_both_parametrizations():
    x = inputs(5, 3)
    nngp = [
        kernels.nngp(mlp((3, 20, 30, 1), "tanh", p, 1.2, 0.4), x)
        for p in ("ntk", "standard")
    ]
    np.testing.assert_allclose(*nngp, rtol=1e-12, atol=1e-14)


nets = st.builds(
    mlp,
    widths=st.lists(st.integers(1, 6), min_size=2, max_size=6),
    activation=st.sampled_from(ACTIVATIONS),
    parametrization=st.sampled_from(["ntk", "standard"]),
    sigma_w=st.floats(0.3, 3.0),
    sigma_b=st.none() | st.floats(0.0, 2.0),
)


@settings(max_examples=40, deadline=None)
@given(
    net=nets,
    n=st.integers(1, 12),
    duplicates=st.integers(0, 3),
    seed=st.integers(0, 99),
)
def test_kernels_are_symmetric_psd_and_the_same_with_x2_spelt_out(
    net, n, duplicates, seed
):
    x = inputs(n, net.inputs, seed)
    x = np.concatenate(
        [x, x[:duplicates], x[:1] * (1 + 1e-9), np.zeros((1, net.inputs))]
    )
    for kernel in (kernels.ntk, kernels.nngp):
        k = kernel(net, x)
        scale = np.diag(k).max()
        assert k.dtype == np.float64
        assert np.isfinite(k).all()
        assert (k == k.T).all()
        assert np.linalg.eigvalsh(k)[0] >= -1e-12 * len(k) * scale
        np.testing.assert_allclose(
            kernel(net, x, x.copy()), k, rtol=0, atol=1e-12 * scale
        )


@pytest.mark.parametrize(("depth", "sigma_w"), [(4, 2**0.5), (30, 5.0)])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_duplicates_equal_the_diagonal(activation, depth, sigma_w):
    net, x = (
        mlp((51, *[8] * depth, 1), activation, sigma_w=sigma_w, sigma_b=0.1),
        inputs(30, 51),
    )
    for kernel in (kernels.ntk, kernels.nngp):
        k = kernel(net, x[3:], x)
        np.testing.assert_allclose(
            np.diag(k[:, 3:]), np.diag(kernel(net, x))[3:], rtol=1e-12
        )


@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_blocks_do_not_show(activation):
    net, x = mlp((3, 8, 1), activation, sigma_b=0.2), inputs(530, 3)
    tolerance = {"rtol": 1e-12, "atol": 1e-14}  # sums of products in another order
    whole = kernels.ntk(net, x)
    assert (whole == whole.T).all()
    rows = [np.array([0, 255, 256, 300]), np.array([511, 512, 529])]
    for some in rows:
        for others in rows:
            part = kernels.ntk(net, x[some], x[others])
            np.testing.assert_allclose(whole[np.ix_(some, others)], part, **tolerance)
    np.testing.assert_allclose(kernels.ntk(net, x[:300], x), whole[:300], **tolerance)


def test_lengths_of_very_different_scale_keep_their_angle():
    net, x = mlp((3, 8, 8, 1), sigma_b=None), inputs(4, 3)
    scale = np.array([1e-12, 1.0, 1e6, 1e12])
    np.testing.assert_allclose(
        kernels.ntk(net, scale[:, None] * x),
        np.outer(scale, scale) * kernels.ntk(net, x),
        rtol=1e-12,
    )


def test_zero_inputs_follow_finite_nets_where_relu_is_flat_at_zero():
    x = np.array([[0.0, 0.0], [1.0, 2.0]])
    assert (kernels.ntk(mlp((2, 8, 8, 1), sigma_b=None), x)[0] == 0).all()
    assert (kernels.ntk(mlp((2, 8, 8, 1), sigma_b=0.0), x)[0] == 0).all()
    trained = mlp((2, 8, 8, 1), sigma_b=0.0, train_zero_biases=True)
    np.testing.assert_allclose(kernels.ntk(trained, x)[0], 1.0, rtol=1e-15)


def test_no_inputs_give_an_empty_kernel():
    net, none = mlp((2, 8, 1)), np.ones((0, 2))
    assert kernels.ntk(net, none).shape == (0, 0)
    assert kernels.ntk(net, np.ones((3, 2)), none).shape == (3, 0)


def test_integers_are_cast():
    net, x = mlp((2, 8, 1)), np.array([[0, 1], [2, 3]], dtype=np.uint8)
    np.testing.assert_array_equal(
        kernels.ntk(net, x), kernels.ntk(net, x.astype(float))
    )


@pytest.mark.parametrize("kernel", [kernels.ntk, kernels.nngp])
@pytest.mark.parametrize(
    ("x1", "x2", "message"),
    [
        (
            np.ones((4, 5)),
            None,
            "x1 must have shape (N, 3), one row per input of the net; got (4, 5).",
        ),
        (
            np.ones(3),
            None,
            "x1 must have shape (N, 3), one row per input of the net; got (3,).",
        ),
        (
            np.ones((4, 3)),
            np.ones((1, 4)),
            "x2 must have shape (N, 3), one row per input of the net; got (1, 4).",
        ),
        (
            [[1, 2, 3], [4, np.inf, 6]],
            None,
            "x1 must be finite, and so must the squared lengths of its rows; 1 of 2",
        ),
        (np.full((2, 3), np.nan), None, "x1 must be finite"),
        (
            np.ones((1, 3)),
            np.full((2, 3), 1e200),
            "of its rows; 2 of 2 rows are not (first: row 0). Remove or rescale",
        ),
        (
            np.ones((1, 3), dtype=complex),
            None,
            "x1 must be real: booleans, integers or floats; got dtype complex128.",
        ),
    ],
)
def test_bad_inputs_are_named(kernel, x1, x2, message):
    with pytest.raises(InvalidInput, match=re.escape(message)):
        kernel(mlp((3, 8, 1)), x1, x2)


def test_only_multilayer_perceptrons():
    with pytest.raises(
        InvalidInput, match=re.escape("need a harness.networks.Network; got dict.")
    ):
        kernels.ntk({"widths": (3, 1)}, np.ones((1, 3)))
